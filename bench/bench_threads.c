/* SPDX-License-Identifier: MIT */
/*
 * bench_threads.c - many threads: what all of them record together, and whether all of it is there.
 *
 * First a thousand that record in a loop, on all cores, beside one a core. When the last is done,
 * while they all live, a reader looks for the newest events of each: one that was quiet for long
 * must have its own, however many the others have recorded since.
 *
 * Then a hundred thousand that live for ten events each, beside the same threads that record
 * nothing. Every event must be retained, overwritten or dropped.
 */
#include "bench/cases.h"
#include "bench/measure.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "lib/process.h"
#include "lib/reader.h"

#define THREADS 1024
#define THREADS_FEW_MAX 64
#define EVENTS UINT64_C(153600000) /* of all threads together: about a second on two cores */
#define REPEATS 3

#define SHORT_THREADS 100000
#define SHORT_BATCH 64
#define SHORT_EVENTS 10
#define SHORT_ROUNDS 10 /* with and without events, in turns */

#define STACK_BYTES (64 << 10)

/* Field 0 of an event says who recorded it, and which of its events it is. */
#define NUMBER(thread, sequence) ((uint64_t)(thread) << 32 | (uint32_t)(sequence))

struct thread {
	pthread_t thread;
	uint32_t number;
	uint32_t from, count; /* its events of this block */
	int cpu;	      /* -1: any */
	uint32_t newest, run; /* what a reader found: its newest event, and how many end there
				 without a gap */
};

static pthread_attr_t small;

static void start(struct thread *thread, void *(*run)(void *))
{
	int error = pthread_create(&thread->thread, &small, run, thread);

	if (error)
		measure_die("pthread_create", error);
}

static void join(const struct thread *thread)
{
	pthread_join(thread->thread, NULL);
}

static void record(const struct thread *thread)
{
	for (uint32_t i = 0; i < thread->count; i++) {
		case_fields_3(NUMBER(thread->number, thread->from + i));
		measure_barrier();
	}
}

/* ---- what is there ----------------------------------------------------------------------------
 */

static void note(struct thread *threads, uint32_t count, uint64_t number)
{
	struct thread *thread = &threads[number >> 32];
	uint32_t sequence = (uint32_t)number;

	if (number >> 32 >= count)
		measure_die("an event of nobody's", EBADMSG);
	/* Its first events may be in the boot lane: behind them a gap. */
	thread->run = thread->run && sequence == thread->newest + 1 ? thread->run + 1 : 1;
	thread->newest = sequence;
}

static void read_all(struct thread *threads, uint32_t count, struct ttlog_reader_totals *ret_totals)
{
	struct ttlog_reader *reader = NULL;
	struct ttlog_reader_event event;
	int error = ttlog_reader_open(&reader, ttlog_place_.base, &ttlog_place_.geometry);

	if (error)
		measure_die("ttlog_reader_open", error);
	for (uint32_t i = 0; i < count; i++)
		threads[i].run = 0;
	while (ttlog_reader_next(reader, &event) == 1)
		if (event.value_count == 3)
			note(threads, count, event.value[0].bits);
	ttlog_reader_totals(reader, ret_totals);
	ttlog_reader_close(reader);
}

static void print_account(uint64_t recorded, const struct ttlog_reader_totals *totals)
{
	measure_print(
		"   recorded %llu; retained %llu + overwritten %llu + dropped %llu: %lld missing\n",
		(unsigned long long)recorded, (unsigned long long)totals->events,
		(unsigned long long)totals->overwritten, (unsigned long long)totals->dropped,
		(long long)(recorded - totals->events - totals->overwritten - totals->dropped));
}

/* ---- a thousand that record in a loop ---------------------------------------------------------
 */

/* Threads that live through all blocks of their group. */
static struct group {
	pthread_barrier_t open, closed;
	struct thread thread[THREADS];
	uint32_t count;
	bool over;
} few, many;

static void *member_main(void *argument)
{
	struct thread *thread = argument;
	struct group *group = thread >= many.thread && thread < many.thread + THREADS ? &many
										      : &few;

	if (thread->cpu >= 0)
		measure_pin(thread->cpu);
	for (;;) {
		pthread_barrier_wait(&group->open);
		if (group->over)
			return NULL;
		record(thread);
		thread->from += thread->count;
		pthread_barrier_wait(&group->closed);
	}
}

static void group_open(struct group *group, uint32_t first_number, uint32_t count, const int *cpus)
{
	group->count = count;
	group->over = false;
	pthread_barrier_init(&group->open, NULL, count + 1);
	pthread_barrier_init(&group->closed, NULL, count + 1);
	for (uint32_t i = 0; i < count; i++) {
		group->thread[i] =
			(struct thread){.number = first_number + i, .cpu = cpus ? cpus[i] : -1};
		start(&group->thread[i], member_main);
	}
}

static void group_close(struct group *group)
{
	group->over = true;
	pthread_barrier_wait(&group->open);
	for (uint32_t i = 0; i < group->count; i++)
		join(&group->thread[i]);
	pthread_barrier_destroy(&group->open);
	pthread_barrier_destroy(&group->closed);
}

/* Events a microsecond, of all. */
static double group_block(struct group *group, uint64_t events)
{
	uint64_t start_ns;

	for (uint32_t i = 0; i < group->count; i++)
		group->thread[i].count = (uint32_t)(events / group->count);
	start_ns = measure_now_ns();
	pthread_barrier_wait(&group->open);
	pthread_barrier_wait(&group->closed);
	return (double)events * 1e3 / (double)(measure_now_ns() - start_ns);
}

static void print_kept(void)
{
	static struct thread all[THREADS + THREADS_FEW_MAX];
	static uint32_t kept[THREADS];
	struct ttlog_reader_totals totals;
	uint64_t recorded = 0;
	uint32_t there = 0;

	read_all(all, THREADS + few.count, &totals);
	for (uint32_t i = 0; i < THREADS; i++) {
		bool newest = all[i].run && all[i].newest == many.thread[i].from - 1;

		kept[i] = newest ? all[i].run : 0;
		there += newest;
		recorded += many.thread[i].from;
	}
	for (uint32_t i = 0; i < few.count; i++)
		recorded += few.thread[i].from;
	measure_sort(kept, THREADS);
	measure_print("   %u of %u threads have their newest event there; with those before it, "
		      "without a gap: "
		      "%u to %u, median %u\n",
		      there, THREADS, kept[0], kept[THREADS - 1], kept[THREADS / 2]);
	print_account(recorded, &totals);
}

static void measure_many(uint64_t region_bytes)
{
	struct measure_series few_rate = {.count = 0}, many_rate = {.count = 0};
	int cpus[THREADS_FEW_MAX];
	uint32_t cpu_count = measure_cpus(cpus, THREADS_FEW_MAX);

	measure_init(region_bytes);
	group_open(&few, THREADS, cpu_count, cpus);
	group_open(&many, 0, THREADS, NULL);
	group_block(&few, EVENTS);
	group_block(&many, EVENTS);
	for (uint32_t i = 0; i < REPEATS; i++) {
		measure_add(&few_rate, group_block(&few, EVENTS));
		measure_add(&many_rate, group_block(&many, EVENTS));
	}
	measure_print("\n   region of %llu MiB, %llu chunks in its main lane\n",
		      (unsigned long long)region_bytes >> 20,
		      (unsigned long long)ttlog_place_.geometry.lane[TTLOG_LANE_MAIN].chunk_count);
	measure_print("   %4u threads, one a core: %7.1f M events/s\n", cpu_count,
		      measure_median(&few_rate));
	measure_print("   %4u threads:             %7.1f M events/s; %.2f x\n", THREADS,
		      measure_median(&many_rate), measure_ratio(&many_rate, &few_rate));
	print_kept();
	group_close(&few);
	group_close(&many);
}

/* ---- a hundred thousand that do not live long -------------------------------------------------
 */

static void *short_main(void *argument)
{
	record(argument);
	return NULL;
}

/* Threads a second. */
static double churn(struct thread *threads, uint32_t count, uint32_t events)
{
	uint64_t start_ns = measure_now_ns();

	for (uint32_t i = 0; i < count; i += SHORT_BATCH) {
		uint32_t end = i + SHORT_BATCH < count ? i + SHORT_BATCH : count;

		for (uint32_t j = i; j < end; j++) {
			threads[j].count = events;
			start(&threads[j], short_main);
		}
		for (uint32_t j = i; j < end; j++)
			join(&threads[j]);
	}
	return (double)count * 1e9 / (double)(measure_now_ns() - start_ns);
}

/* The newest threads, as many in a row as have all their events. */
static uint32_t whole_at_the_end(const struct thread *threads)
{
	uint32_t whole = 0;

	while (whole < SHORT_THREADS) {
		const struct thread *thread = &threads[SHORT_THREADS - 1 - whole];

		if (thread->run != SHORT_EVENTS)
			break;
		whole++;
	}
	return whole;
}

static void measure_churn(uint64_t region_bytes)
{
	struct measure_series with = {.count = 0}, without = {.count = 0};
	struct thread *threads = calloc(SHORT_THREADS, sizeof(*threads));
	const uint32_t share = SHORT_THREADS / SHORT_ROUNDS;
	struct ttlog_reader_totals totals;

	if (!threads)
		measure_die("calloc", ENOMEM);
	measure_init(region_bytes);
	for (uint32_t i = 0; i < SHORT_THREADS; i++)
		threads[i].number = i;
	for (uint32_t i = 0; i < SHORT_ROUNDS; i++) {
		measure_add(&without, churn(threads + i * share, share, 0));
		measure_add(&with, churn(threads + i * share, share, SHORT_EVENTS));
	}
	measure_print("\n   region of %llu MiB; %d threads of %d events, %d at a time\n",
		      (unsigned long long)region_bytes >> 20, SHORT_THREADS, SHORT_EVENTS,
		      SHORT_BATCH);
	measure_print(
		"   threads a second: %.0f; without events %.0f; %.2f x. %.2f us a thread more\n",
		measure_median(&with), measure_median(&without), measure_ratio(&with, &without),
		1e6 / measure_median(&with) - 1e6 / measure_median(&without));
	read_all(threads, SHORT_THREADS, &totals);
	print_account((uint64_t)SHORT_THREADS * SHORT_EVENTS, &totals);
	measure_print("   all events of the newest %u threads are there\n",
		      whole_at_the_end(threads));
	free(threads);
}

int main(void)
{
	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, STACK_BYTES);
	measure_print_machine("many threads that record 3 fields");
	measure_in_child(measure_many, UINT64_C(16) << 20);
	measure_in_child(measure_many, UINT64_C(64) << 20);
	measure_in_child(measure_churn, UINT64_C(16) << 20);
	return 0;
}
