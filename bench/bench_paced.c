/* SPDX-License-Identifier: MIT */
/*
 * bench_paced.c - how long one call takes when events come one by one, a microsecond apart.
 *
 * The average says nothing about the call that met a full chunk. Each call is timed by itself,
 * between two fenced timestamps; "nothing" is the same without a call, and its median is taken off
 * in the columns "net". The floor is the ring that records nothing useful. Rounds of all cases are
 * interleaved. What the scheduler and the hypervisor take is in here too: compare with "nothing".
 *
 * A change of chunks is four jobs, each done by another call (lib/stops.c): those calls are shown
 * again by themselves, told apart by the thread's stop before and after the call. "floor in chunks"
 * is the least that a ring with such a change of chunks can do (chunked.h), of as many bytes, in as
 * large chunks.
 */
#include "bench/cases.h"
#include "bench/chunked.h"
#include "bench/measure.h"
#include "bench/paced.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/process.h"
#include "lib/writer.h"

#define ROUNDS 20
#define ROUND_CALLS 10000
#define CALLS (ROUNDS * ROUND_CALLS)
#define GAP_NS 1000

#define STOP                                                                                       \
	((const void *)(uintptr_t)((const struct ttlog_thread *)(const void *)ttlog_writer_)->stop)

static struct measure_floor floor_ring;
static struct chunked chunked;

PACED_LOOP(nothing, STOP, (void)i)
PACED_LOOP(floor, STOP, measure_floor_event(&floor_ring, i))
PACED_LOOP(chunked, (const void *)(uintptr_t)chunked.stop, chunked_event(&chunked, i))
#define CASE_LOOP(name, what) PACED_LOOP(name, STOP, case_##name(i))
CASES(CASE_LOOP)

static struct paced_case {
	const char *what;
	paced_loop loop;
	struct paced_call *calls;
} cases[] = {{"nothing (the harness)", paced_nothing, NULL},
	     {"floor", paced_floor, NULL},
	     {"floor in chunks", paced_chunked, NULL},
#define ROW(name, what) {what, paced_##name, NULL},
	     CASES(ROW)};

#define CASE_COUNT (sizeof(cases) / sizeof(cases[0]))

/* Sorted: the calls of a case. The clock's step is coarse (10 ns here): only a mean is finer than
 * that. */
struct sorted {
	uint32_t ticks[CALLS];
	size_t count;
};

static double ns_of(const struct sorted *sorted, double share)
{
	return measure_quantile(sorted->ticks, sorted->count, share) / measure_ticks_per_ns();
}

/* Of the middle: without the tenth at either end. */
static double middle_ns(const struct sorted *sorted)
{
	size_t skip = sorted->count / 10, count = sorted->count - 2 * skip;
	double sum = 0;

	for (size_t i = skip; i < skip + count; i++)
		sum += sorted->ticks[i];
	return count ? sum / (double)count / measure_ticks_per_ns() : 0;
}

static void select_all(const struct paced_case *of, struct sorted *ret_sorted)
{
	for (size_t i = 0; i < CALLS; i++)
		ret_sorted->ticks[i] = of->calls[i].ticks;
	ret_sorted->count = CALLS;
	measure_sort(ret_sorted->ticks, CALLS);
}

/* Those that did the job of that stop; of NONE, those that did none. */
static void select_stop(const struct paced_case *of, enum ttlog_stop stop,
			struct sorted *ret_sorted)
{
	ret_sorted->count = 0;
	for (size_t i = 0; i < CALLS; i++)
		if ((of->calls[i].moved ? of->calls[i].before : TTLOG_STOP_NONE) == stop)
			ret_sorted->ticks[ret_sorted->count++] = of->calls[i].ticks;
	measure_sort(ret_sorted->ticks, ret_sorted->count);
}

static void print_calls(const struct paced_case *of, double harness)
{
	static struct sorted sorted;
	double p50, p999;

	select_all(of, &sorted);
	p50 = ns_of(&sorted, 0.5);
	p999 = ns_of(&sorted, 0.999);
	measure_print("   %-26s %8.0f %8.0f %8.0f %10.0f %9.1f", of->what, p50,
		      ns_of(&sorted, 0.99), p999, ns_of(&sorted, 1), p999 / p50);
	if (p50 > harness)
		measure_print(" %8.0f %8.0f %8.0f %9.1f", p50 - harness,
			      ns_of(&sorted, 0.99) - harness, p999 - harness,
			      (p999 - harness) / (p50 - harness));
	measure_print("\n");
}

static void print_stops(const struct paced_case *of)
{
	static const enum ttlog_stop stops[] = {TTLOG_STOP_NONE, TTLOG_STOP_RETIRE, TTLOG_STOP_DRAW,
						TTLOG_STOP_PREPARE, TTLOG_STOP_SWAP};
	static struct sorted sorted;

	double plain = 0, dearest = 0;

	select_stop(of, TTLOG_STOP_SWAP, &sorted);
	if (!sorted.count)
		return;
	measure_print("   %-26s %6zu", of->what, sorted.count);
	for (size_t i = 0; i < sizeof(stops) / sizeof(stops[0]); i++) {
		double mean;

		select_stop(of, stops[i], &sorted);
		mean = middle_ns(&sorted);
		plain = i ? plain : mean;
		dearest = mean > dearest ? mean : dearest;
		measure_print("   %5.1f %5.0f %5.0f", mean, ns_of(&sorted, 0.9),
			      ns_of(&sorted, 0.99));
	}
	measure_print("  %8.2f\n", dearest / plain);
}

static void print_all(uint64_t region_bytes)
{
	static struct sorted nothing;

	select_all(&cases[0], &nothing);
	measure_print(
		"\n   region of %llu MiB; ns a call, %d calls a case, %d ns apart, in %d rounds\n",
		(unsigned long long)region_bytes >> 20, CALLS, GAP_NS, ROUNDS);
	measure_print("   %-26s %8s %8s %8s %10s %9s %8s %8s %8s %9s\n", "", "p50", "p99", "p99.9",
		      "max", "p99.9/p50", "net p50", "p99", "p99.9", "p99.9/p50");
	for (size_t i = 0; i < CASE_COUNT; i++)
		print_calls(&cases[i], ns_of(&nothing, 0.5));
	measure_print("\n   the same calls by what was due: mean of the middle, p90, p99 of each, "
		      "harness included\n");
	measure_print("   %-26s %6s   %-17s   %-17s   %-17s   %-17s   %-17s  %8s\n", "", "chunks",
		      "nothing", "retire", "draw", "prepare", "swap", "dearest");
	for (size_t i = 0; i < CASE_COUNT; i++)
		print_stops(&cases[i]);
}

static void measure_all(uint64_t region_bytes)
{
	uint64_t gap_ticks = (uint64_t)(GAP_NS * measure_ticks_per_ns());
	int cpu = 0;

	measure_cpus(&cpu, 1);
	measure_pin(cpu);
	measure_init(region_bytes);
	measure_floor_open(&floor_ring, MEASURE_CACHE_BYTES);
	for (uint64_t i = 0; i < region_bytes / 32; i++)
		case_fields_3(i);
	chunked_open(&chunked, region_bytes,
		     ttlog_place_.geometry.lane[TTLOG_LANE_MAIN].chunk_bytes);
	for (uint64_t i = 0; i < region_bytes / 32; i++)
		chunked_event(&chunked, i);
	for (size_t i = 0; i < CASE_COUNT; i++) {
		cases[i].calls = calloc(CALLS, sizeof(struct paced_call));
		if (!cases[i].calls)
			measure_die("calloc", ENOMEM);
		memset(cases[i].calls, 1, CALLS * sizeof(struct paced_call));
		cases[i].loop(0, ROUND_CALLS, cases[i].calls, 0);
	}
	for (uint64_t round = 0; round < ROUNDS; round++)
		for (size_t i = 0; i < CASE_COUNT; i++)
			cases[i].loop(round * ROUND_CALLS, ROUND_CALLS,
				      cases[i].calls + round * ROUND_CALLS, gap_ticks);
	print_all(region_bytes);
}

int main(void)
{
	measure_print_machine("one call at a time, a microsecond apart");
	measure_in_child(measure_all, UINT64_C(16) << 20);
	measure_in_child(measure_all, UINT64_C(64) << 20);
	return 0;
}
