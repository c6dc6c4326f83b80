/* SPDX-License-Identifier: MIT */
/*
 * bench_sparse.c - what an event costs in a tight loop when the clock is read on every 16th only
 * (TTLOG_CLOCK=sparse, or coarse), in nanoseconds.
 *
 * The floor reads it on every 16th as well, and stores 32 bytes into a ring of the region's size.
 * The clock hides nothing any more, so that what is left is instructions and memory: beside the
 * time, the bytes written a second, and the same events into the smallest region, whose main lane
 * stays in the second-level cache. With the exact clock at the end, as in bench_event.
 */
#include "bench/cases.h"
#include "bench/measure.h"

#include <stdlib.h>
#include <string.h>

#include "lib/process.h"

#define BLOCK_EVENTS 100000
#define REPEATS 41
#define SPARSE_MASK 15 /* of the number of the event: the clock is read when it is 0 */

static struct measure_floor cache_ring, region_ring;

typedef void (*sparse_loop)(uint64_t from, uint64_t count);

static inline __attribute__((always_inline)) void floor_event(struct measure_floor *floor,
							      uint64_t i, uint64_t *ticks)
{
	uint64_t *event = (uint64_t *)(void *)(floor->ring + (floor->position & floor->mask));

	if ((i & SPARSE_MASK) == 0)
		*ticks = measure_ticks();
	event[1] = *ticks;
	event[2] = i;
	event[3] = i ^ 200;
	event[0] = UINT64_C(1) << 32 | 32;
	floor->position += 32;
}

#define LOOP(name, statement)                                                                      \
	static __attribute__((noinline)) void loop_##name(uint64_t from, uint64_t count)           \
	{                                                                                          \
		uint64_t ticks = 0;                                                                \
                                                                                                   \
		(void)ticks;                                                                       \
		for (uint64_t i = from; i < from + count; i++) {                                   \
			statement;                                                                 \
			measure_barrier();                                                         \
		}                                                                                  \
	}
LOOP(cache, floor_event(&cache_ring, i, &ticks))
LOOP(region, floor_event(&region_ring, i, &ticks))
LOOP(fields_0, case_fields_0(i))
LOOP(fields_1, case_fields_1(i))
LOOP(fields_3, case_fields_3(i))
LOOP(fields_3s, case_fields_3s(i))
LOOP(fields_8, case_fields_8(i))

static const struct sparse_case {
	const char *what;
	sparse_loop loop;
} cases[] = {
	{"no field", loop_fields_0}, {"1 field", loop_fields_1},
	{"3 fields", loop_fields_3}, {"3 fields, string unknown", loop_fields_3s},
	{"8 fields", loop_fields_8},
};

static double block_ns(sparse_loop loop)
{
	static uint64_t from;
	uint64_t start = measure_now_ns();

	loop(from, BLOCK_EVENTS);
	from += BLOCK_EVENTS;
	return (double)(measure_now_ns() - start) / BLOCK_EVENTS;
}

/* Of one event, the mean over a block. */
static double bytes_of(sparse_loop loop)
{
	uint64_t bytes = 0, events = 1000;

	for (uint64_t i = 0; i < events; i++) {
		uint64_t before = (uint32_t)ttlog_writer_->position;

		loop(i, 1);
		/* A change of chunks moves it back: such an event counts as nothing. */
		if ((uint32_t)ttlog_writer_->position > before)
			bytes += (uint32_t)ttlog_writer_->position - before;
	}
	return (double)bytes / (double)events;
}

static void measure_case(const struct sparse_case *of)
{
	struct measure_series event = {.count = 0}, cache = {.count = 0}, region = {.count = 0};
	double bytes = bytes_of(of->loop), ns;

	for (int i = 0; i < 3; i++)
		block_ns(of->loop);
	for (int i = 0; i < REPEATS; i++) {
		measure_add(&cache, block_ns(loop_cache));
		measure_add(&region, block_ns(loop_region));
		measure_add(&event, block_ns(of->loop));
	}
	ns = measure_median(&event);
	measure_print("   %-26s %8.2f %8.2f %10.2f %10.2f %8.2f %8.2f %8.1f %8.1f\n", of->what, ns,
		      measure_min(&event), measure_median(&cache), measure_median(&region),
		      measure_ratio(&event, &cache), measure_ratio(&event, &region), bytes / ns,
		      32 / measure_median(&region));
}

static void measure_region(uint64_t region_bytes)
{
	const struct ttlog_lane_geometry *main_lane = &ttlog_place_.geometry.lane[TTLOG_LANE_MAIN];
	int cpu = 0;

	measure_cpus(&cpu, 1);
	measure_pin(cpu);
	measure_init(region_bytes);
	measure_floor_open(&cache_ring, MEASURE_CACHE_BYTES);
	measure_floor_open(&region_ring, region_bytes);
	for (uint64_t i = 0; i < region_bytes / 32 * 2; i += BLOCK_EVENTS)
		block_ns(loop_fields_3);
	measure_print("\n   TTLOG_CLOCK=%s, region of %llu MiB (%llu KiB of it the main lane)\n",
		      getenv("TTLOG_CLOCK"), (unsigned long long)region_bytes >> 20,
		      (unsigned long long)main_lane->chunk_bytes * main_lane->chunk_count >> 10);
	measure_print("   %-26s %8s %8s %10s %10s %8s %8s %8s %8s\n", "", "ns/event", "min",
		      "floor in", "floor as", "ratio", "ratio", "GB/s", "GB/s of");
	measure_print("   %-26s %8s %8s %10s %10s %8s %8s %8s %8s\n", "", "", "", "cache", "large",
		      "to that", "to that", "", "that");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		measure_case(&cases[i]);
	measure_floor_close(&cache_ring);
	measure_floor_close(&region_ring);
}

static void measure_clock(const char *clock)
{
	setenv("TTLOG_CLOCK", clock, 1);
	measure_in_child(measure_region, UINT64_C(1) << 20);
	measure_in_child(measure_region, UINT64_C(16) << 20);
	measure_in_child(measure_region, UINT64_C(64) << 20);
}

int main(void)
{
	measure_print_machine("an event in a tight loop with a reading of the clock on every 16th");
	measure_print("   one thread; median of %d blocks of %d events, min of them; floors: the "
		      "clock on every "
		      "16th, 32 bytes\n",
		      REPEATS, BLOCK_EVENTS);
	measure_clock("sparse");
	measure_clock("coarse");
	setenv("TTLOG_CLOCK", "exact", 1);
	measure_in_child(measure_region, UINT64_C(16) << 20);
	return 0;
}
