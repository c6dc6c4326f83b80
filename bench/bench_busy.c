/* SPDX-License-Identifier: MIT */
/*
 * bench_busy.c - what an event adds to a loop that already keeps the core busy, in nanoseconds.
 *
 * The marginal cost of a case is the loop of busy.h with it, less the loop without it. The same for
 * two floors: a ring that stays in the cache, and one of the region's size, which has to write back
 * to memory as the region has. The target is the ratio to the latter.
 */
#include "bench/busy.h"
#include "bench/cases.h"
#include "bench/measure.h"

#include <stdlib.h>
#include <string.h>

#define BLOCK_EVENTS 20000 /* about a millisecond */
#define REPEATS 61

static struct measure_floor cache_ring, region_ring;

BUSY_LOOP(nothing, (void)i)
BUSY_LOOP(cache, measure_floor_event(&cache_ring, i))
BUSY_LOOP(region, measure_floor_event(&region_ring, i))
#define CASE_LOOP(name, what) BUSY_LOOP(name, case_##name(i))
CASES(CASE_LOOP)

static const struct busy_case {
	const char *what;
	busy_loop loop;
} cases[] = {
#define ROW(name, what) {what, busy_##name},
	CASES(ROW)};

static double block_ns(busy_loop loop)
{
	static uint64_t from;
	uint64_t start = measure_now_ns();

	loop(from, BLOCK_EVENTS);
	from += BLOCK_EVENTS;
	return (double)(measure_now_ns() - start) / BLOCK_EVENTS;
}

static void measure_case(const struct busy_case *of)
{
	struct measure_series work = {.count = 0}, cache = {.count = 0}, region = {.count = 0};
	struct measure_series event = {.count = 0};
	double event_ns, cache_ns, region_ns;

	for (int i = 0; i < 5; i++)
		block_ns(of->loop);
	for (int i = 0; i < REPEATS; i++) {
		double nothing = block_ns(busy_nothing);

		measure_add(&work, nothing);
		measure_add(&cache, block_ns(busy_cache) - nothing);
		measure_add(&region, block_ns(busy_region) - nothing);
		measure_add(&event, block_ns(of->loop) - nothing);
	}
	/* The difference of two noisy numbers may be nothing at all: no ratio of pairs here. */
	event_ns = measure_median(&event);
	cache_ns = measure_median(&cache);
	region_ns = measure_median(&region);
	measure_print("   %-26s %8.2f %10.2f %11.2f %11.2f %10.2f %10.2f\n", of->what,
		      measure_median(&work), event_ns, cache_ns, region_ns, event_ns / cache_ns,
		      event_ns / region_ns);
}

static void measure_all(uint64_t region_bytes)
{
	int cpu = 0;

	measure_cpus(&cpu, 1);
	measure_pin(cpu);
	measure_init(region_bytes);
	measure_floor_open(&cache_ring, MEASURE_CACHE_BYTES);
	measure_floor_open(&region_ring, region_bytes);
	for (uint64_t i = 0; i < region_bytes / 32; i += BLOCK_EVENTS)
		block_ns(busy_fields_3);
	measure_print("\n   region of %llu MiB; ns, median of %d blocks of %d turns\n",
		      (unsigned long long)region_bytes >> 20, REPEATS, BLOCK_EVENTS);
	measure_print("   %-26s %8s %10s %11s %11s %10s %10s\n", "", "the work", "+ event",
		      "+ floor in", "+ floor as", "to that in", "to that as");
	measure_print("   %-26s %8s %10s %11s %11s %10s %10s\n", "", "", "", "cache", "large",
		      "cache", "large");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		measure_case(&cases[i]);
	measure_floor_close(&cache_ring);
	measure_floor_close(&region_ring);
}

int main(void)
{
	measure_print_machine("what an event adds to a loop of integer work");
	measure_in_child(measure_all, UINT64_C(16) << 20);
	measure_in_child(measure_all, UINT64_C(64) << 20);
	return 0;
}
