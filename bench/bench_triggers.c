/* SPDX-License-Identifier: MIT */
/*
 * bench_triggers.c - what a writer at full speed notices of rules that look at its events, and of
 * copies of its living ring.
 *
 * The looks and copies are made by a thread of the same process, on the other processor if there is
 * one; what they cost the writer is all that its thread takes longer. Rules look every 5 ms, the
 * shortest pause that the recorder makes; ttlog-ctl tail and top look at everything, ten times a
 * second; "in a row" is a copy behind the other, which nobody does.
 */
#include "bench/cases.h"
#include "bench/measure.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "lib/process.h"
#include "lib/reader_live.h"
#include "recorder/filter.h"

#define REGION_BYTES (UINT64_C(16) << 20)
#define TURNS 12
#define LOOPS 300 /* a turn; short against a time slice */
#define LOOP_EVENTS UINT64_C(20000)
#define LOOK_NS 5000000 /* and as many events, as recorder/triggers.c */
#define LOOK_EVENTS 32768
#define TAIL_NS 100000000
#define ALL_LANES (~(UINT32_C(1) << TTLOG_LANE_AFTERLIFE))
#define ALERT_LANES (ALL_LANES & ~(UINT32_C(1) << TTLOG_LANE_MAIN | UINT32_C(1) << TTLOG_LANE_BOOT))

static const struct trigger_case {
	const char *what;
	const char *filter; /* NULL: copies; "": everything is wanted */
	uint32_t lanes;
	uint32_t events; /* at most, a look */
	long pause_ns;
} cases[] = {
	{"rule: level>=error", "level>=error", ALERT_LANES, LOOK_EVENTS, LOOK_NS},
	{"rule: target=other", "target=other", ALL_LANES, LOOK_EVENTS, LOOK_NS},
	{"rule: status=500 (asks each event)", "status=500", ALL_LANES, LOOK_EVENTS, LOOK_NS},
	{"tail -f, top (take each event)", "", UINT32_MAX, UINT32_MAX, TAIL_NS},
	{"a copy a second", NULL, 0, 0, 1000000000},
	{"ten copies a second", NULL, 0, 0, 100000000},
	{"copies in a row", NULL, 0, 0, 0},
};

static struct filter filter;
static atomic_bool is_over;
static uint64_t matches, seen, missed, copies;
static double busy_seconds;

static bool wants(void *context, const struct ttlog_reader_site *site)
{
	(void)context;
	return !filter_refuses_site(&filter, site);
}

static void take(void *context, const struct ttlog_reader_site *site,
		 const struct ttlog_reader_event *event)
{
	(void)context;
	matches += filter_match(&filter, site, event, NULL, NULL);
}

static void copy(void)
{
	struct ttlog_reader *reader;
	const int error = ttlog_reader_open(&reader, ttlog_place_.base, &ttlog_place_.geometry);

	if (error)
		measure_die("ttlog_reader_open", error);
	ttlog_reader_close(reader);
	copies++;
}

static void *disturb(void *context)
{
	const struct ttlog_live_handler handler = {wants, take, NULL};
	const struct trigger_case *of = context;
	const struct timespec pause = {.tv_sec = of->pause_ns / 1000000000,
				       .tv_nsec = of->pause_ns % 1000000000};
	struct ttlog_live *live = NULL;
	struct timespec cpu;

	if (of->filter &&
	    ttlog_live_open(&live, ttlog_place_.base, &ttlog_place_.geometry, &handler))
		measure_die("ttlog_live_open", 0);
	while (!atomic_load_explicit(&is_over, memory_order_relaxed)) {
		uint32_t budget = of->events;

		if (live)
			ttlog_live_look(live, of->lanes, &budget);
		else
			copy();
		if (of->pause_ns)
			nanosleep(&pause, NULL);
	}
	seen += live ? ttlog_live_seen(live) : 0;
	missed += live ? ttlog_live_missed(live) : 0;
	ttlog_live_close(live);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &cpu);
	busy_seconds += (double)cpu.tv_sec + (double)cpu.tv_nsec / 1e9;
	return NULL;
}

static __attribute__((noinline)) void loop(uint64_t count)
{
	for (uint64_t i = 0; i < count; i++)
		case_fields_3(i);
}

/* The median of many short loops: most of them see no time slice end. */
static double ns_of_turn(void)
{
	static uint32_t picoseconds[LOOPS];

	for (int i = 0; i < LOOPS; i++) {
		const uint64_t began = measure_now_ns();

		loop(LOOP_EVENTS);
		picoseconds[i] =
			(uint32_t)((double)(measure_now_ns() - began) * 1000 / LOOP_EVENTS);
	}
	measure_sort(picoseconds, LOOPS);
	return (double)measure_quantile(picoseconds, LOOPS, 0.5) / 1000;
}

static double ns_of_disturbed_turn(const struct trigger_case *of)
{
	pthread_t thread;
	double ns;

	atomic_store(&is_over, false);
	if (pthread_create(&thread, NULL, disturb, (void *)(uintptr_t)of))
		measure_die("pthread_create", 0);
	ns = ns_of_turn();
	atomic_store(&is_over, true);
	pthread_join(thread, NULL);
	return ns;
}

static void measure_case(uint64_t index)
{
	struct measure_series without = {.count = 0}, with = {.count = 0};
	const struct trigger_case *of = &cases[index];
	struct filter_error error;
	uint64_t began;
	double seconds = 0;

	if (of->filter && *of->filter && filter_add(&filter, of->filter, &error))
		measure_die(error.why, 0);
	measure_init(REGION_BYTES);
	ns_of_turn();
	for (int i = 0; i < TURNS; i++) {
		measure_add(&without, ns_of_turn());
		began = measure_now_ns();
		measure_add(&with, ns_of_disturbed_turn(of));
		seconds += (double)(measure_now_ns() - began) / 1e9;
	}
	measure_print("   %-36s %8.2f %8.2f %8.3f %9.1f %9.1f %9.1f\n", of->what,
		      measure_median(&without), measure_median(&with),
		      measure_ratio(&with, &without), 100 * busy_seconds / seconds,
		      (double)seen / seconds / 1e6, (double)copies / seconds);
	filter_fini(&filter);
}

int main(void)
{
	measure_print_machine("triggers: a writer at full speed, and who looks at its ring");
	measure_print("   %-36s %8s %8s %8s %9s %9s %9s\n", "", "without", "with", "ratio",
		      "% of CPU", "M seen/s", "copies/s");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		measure_in_child(measure_case, i);
	return 0;
}
