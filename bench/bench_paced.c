/* SPDX-License-Identifier: MIT */
/*
 * bench_paced.c - how long one call takes when events come one by one, a microsecond apart.
 *
 * The average says nothing about the call that met a full chunk. Each call is timed by itself, between
 * two fenced timestamps; "nothing" is the same without a call, the floor is the ring that records
 * nothing useful. Rounds of all cases are interleaved. The calls that got a new chunk are shown again
 * by themselves. What the scheduler and the hypervisor take is in here too: compare with "nothing".
 */
#include "bench/cases.h"
#include "bench/measure.h"
#include "bench/paced.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS 20
#define ROUND_CALLS 10000
#define CALLS (ROUNDS * ROUND_CALLS)
#define GAP_NS 1000

#define CHUNK ttlog_writer_->chunk

static struct measure_floor floor_ring;

PACED_LOOP(nothing, CHUNK, (void)i)
PACED_LOOP(floor, CHUNK, measure_floor_event(&floor_ring, i))
#define CASE_LOOP(name, what) PACED_LOOP(name, CHUNK, case_##name(i))
CASES(CASE_LOOP)

static struct paced_case {
	const char *what;
	paced_loop loop;
	struct paced_call *calls;
} cases[] = {
	{"nothing (the harness)", paced_nothing, NULL},
	{"floor", paced_floor, NULL},
#define ROW(name, what) {what, paced_##name, NULL},
	CASES(ROW)
};

#define CASE_COUNT (sizeof(cases) / sizeof(cases[0]))

/* The calls of the case, sorted; all of them, or those with a new chunk. */
static size_t select_calls(const struct paced_case *of, bool new_chunk_only, uint32_t *ret_ticks)
{
	size_t count = 0;

	for (size_t i = 0; i < CALLS; i++)
		if (!new_chunk_only || of->calls[i].moved)
			ret_ticks[count++] = of->calls[i].ticks;
	measure_sort(ret_ticks, count);
	return count;
}

static void print_case(const struct paced_case *of)
{
	static uint32_t ticks[CALLS];
	double per_ns = measure_ticks_per_ns();
	size_t count = select_calls(of, false, ticks);
	double p50 = measure_quantile(ticks, count, 0.5) / per_ns;
	double p999 = measure_quantile(ticks, count, 0.999) / per_ns;

	measure_print("   %-24s %8.0f %8.0f %8.0f %10.0f %9.1f", of->what, p50,
		      measure_quantile(ticks, count, 0.99) / per_ns, p999, ticks[count - 1] / per_ns, p999 / p50);
	count = select_calls(of, true, ticks);
	if (count)
		measure_print(" %12zu %8.0f %8.0f", count, measure_quantile(ticks, count, 0.5) / per_ns,
			      measure_quantile(ticks, count, 0.99) / per_ns);
	measure_print("\n");
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
	measure_print("\n   region of %llu MiB; ns a call, %d calls a case, %d ns apart, in %d rounds\n",
		      (unsigned long long)region_bytes >> 20, CALLS, GAP_NS, ROUNDS);
	measure_print("   %-24s %8s %8s %8s %10s %9s %12s %8s %8s\n", "", "p50", "p99", "p99.9", "max",
		      "p99.9/p50", "new chunks", "p50", "p99");
	for (size_t i = 0; i < CASE_COUNT; i++)
		print_case(&cases[i]);
}

int main(void)
{
	measure_print_machine("one call at a time, a microsecond apart");
	measure_in_child(measure_all, UINT64_C(16) << 20);
	measure_in_child(measure_all, UINT64_C(64) << 20);
	return 0;
}
