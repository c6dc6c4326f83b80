/* SPDX-License-Identifier: MIT */
/*
 * bench_promises.c - where the nanoseconds of an event go: the floor, then one promise more a row.
 *
 * With the clock read on every 16th event, as in bench_sparse: with it on every one, all of this
 * hides behind the reading. The rows before the last are a ring of this file, in as few
 * instructions as the promise can be kept in; so the last row cannot be less than the one above it,
 * and what lies between the two is the change of chunks, four times in 125 events.
 */
#include "bench/cases.h"
#include "bench/measure.h"

#include <stdlib.h>

#define BLOCK_EVENTS 100000
#define REPEATS 101
#define REGION_BYTES (UINT64_C(16) << 20)

enum promise {
	PROMISE_NOTHING, /* 32 bytes into a ring, the position in a static variable */
	PROMISE_LEVEL,	 /* a threshold that can change, a site that can be told apart */
	PROMISE_THREADS, /* each thread writes where nobody else does, as far as it may */
	PROMISE_DEATH,	 /* the process may die at any instruction: the word behind is zero first */
	PROMISE_SIGNALS, /* a handler that interrupts it can record: it is marked as busy */
	PROMISE_TIME,	 /* the reading is the thread's, and survives to its next event */
	PROMISE_MODES,	 /* exact, sparse or coarse, chosen when the program starts */
};

struct writer {
	uint64_t position; /* events << 32 | offset, as in a chunk */
	unsigned char *chunk;
	uint64_t last_ticks;
	uintptr_t busy;
	uint64_t clock_mask;
	uint64_t carried_ticks;
	uint32_t limit;
};

static struct measure_floor ring;
static struct writer the_writer;
static __thread struct writer *writer_ __attribute__((tls_model("initial-exec")));
static uint32_t threshold;
static uint64_t coarse_ticks;
static uint64_t site_word = UINT64_C(1) << 32;

/* Kept apart from last_ticks, which each event stores. */
static inline __attribute__((always_inline)) uint64_t reading(struct writer *writer)
{
	return writer->carried_ticks = measure_ticks();
}

static inline __attribute__((always_inline)) uint64_t carried(struct writer *writer)
{
	uint64_t coarse = __atomic_load_n(&coarse_ticks, __ATOMIC_RELAXED);

	if (__builtin_expect(coarse > writer->carried_ticks, 0))
		writer->carried_ticks = coarse;
	return writer->carried_ticks;
}

static inline __attribute__((always_inline)) void put(unsigned char *to, uint64_t word,
						      uint64_t ticks, uint64_t i, bool zero_first)
{
	uint64_t *event = (uint64_t *)(void *)to;
	int status = (int)(i & 511);

	if (zero_first)
		__atomic_store_n(event + 4, (uint64_t)0, __ATOMIC_RELAXED);
	event[1] = ticks;
	event[2] = i;
	__builtin_memcpy(event + 3, &status, 4);
	__builtin_memcpy(to + 28, "GET", 4);
	__atomic_store_n(event, word, __ATOMIC_RELEASE);
}

/* The promise is a constant in every caller. */
static inline __attribute__((always_inline)) void event_of(enum promise promise, uint64_t i,
							   uint64_t *ticks)
{
	uint64_t word = UINT64_C(1) << 32, position;
	struct writer *writer;

	if (promise >= PROMISE_LEVEL) {
		if (TTLOG_INFO < __atomic_load_n(&threshold, __ATOMIC_RELAXED))
			return;
		word = __atomic_load_n(&site_word, __ATOMIC_RELAXED);
		if (!word)
			return;
	}
	if (promise < PROMISE_TIME && (i & 15) == 0)
		*ticks = measure_ticks();
	if (promise < PROMISE_THREADS) {
		put(ring.ring + (ring.position & ring.mask), word + 32, *ticks, i, false);
		ring.position += 32;
		return;
	}
	writer = writer_;
	if (promise >= PROMISE_SIGNALS && *(volatile uintptr_t *)&writer->busy)
		return;
	if (promise >= PROMISE_MODES)
		*ticks = writer->position & writer->clock_mask ? carried(writer) : reading(writer);
	else if (promise >= PROMISE_TIME)
		*ticks = (i & 15) ? writer->carried_ticks : reading(writer);
	if (promise >= PROMISE_SIGNALS)
		*(volatile uintptr_t *)&writer->busy = ttlog_stack_pointer_();
	position = *(volatile uint64_t *)&writer->position;
	if (__builtin_expect((uint32_t)position + 32 > writer->limit, 0))
		position = 0;
	put(writer->chunk + (uint32_t)position, word + 32, *ticks, i, promise >= PROMISE_DEATH);
	if (promise >= PROMISE_TIME)
		writer->last_ticks = *ticks;
	*(volatile uint64_t *)&writer->position = position + (UINT64_C(1) << 32 | 32);
	if (promise >= PROMISE_SIGNALS)
		*(volatile uintptr_t *)&writer->busy = 0;
}

typedef void (*promise_loop)(uint64_t from, uint64_t count);

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
LOOP(nothing, event_of(PROMISE_NOTHING, i, &ticks))
LOOP(level, event_of(PROMISE_LEVEL, i, &ticks))
LOOP(threads, event_of(PROMISE_THREADS, i, &ticks))
LOOP(death, event_of(PROMISE_DEATH, i, &ticks))
LOOP(signals, event_of(PROMISE_SIGNALS, i, &ticks))
LOOP(time, event_of(PROMISE_TIME, i, &ticks))
LOOP(modes, event_of(PROMISE_MODES, i, &ticks))
LOOP(event, case_fields_3(i))

static const struct promise_case {
	const char *what;
	promise_loop loop;
} cases[] = {
	{"32 bytes into a ring", loop_nothing},	     {"+ a level, a site", loop_level},
	{"+ a place for each thread", loop_threads}, {"+ dead at any instruction", loop_death},
	{"+ signal handlers", loop_signals},	     {"+ the thread's time", loop_time},
	{"+ the clock's mode", loop_modes},	     {"ttlog, 3 fields, sparse", loop_event},
};

#define CASE_COUNT (sizeof(cases) / sizeof(cases[0]))

static double block_ns(promise_loop loop)
{
	static uint64_t from;
	uint64_t start = measure_now_ns();

	loop(from, BLOCK_EVENTS);
	from += BLOCK_EVENTS;
	return (double)(measure_now_ns() - start) / BLOCK_EVENTS;
}

static void measure_all(uint64_t region_bytes)
{
	static struct measure_series series[CASE_COUNT];
	double before = 0;
	int cpu = 0;

	measure_cpus(&cpu, 1);
	measure_pin(cpu);
	measure_init(region_bytes);
	measure_floor_open(&ring, region_bytes);
	writer_ = &the_writer;
	the_writer.chunk = ring.ring;
	the_writer.clock_mask = UINT64_C(15) << 32;
	/* The word behind the last event stays inside. */
	the_writer.limit = (uint32_t)region_bytes - 64;
	for (uint64_t i = 0; i < region_bytes / 32 * 2; i += BLOCK_EVENTS)
		block_ns(loop_event);
	for (int i = 0; i < REPEATS; i++)
		for (size_t k = 0; k < CASE_COUNT; k++)
			measure_add(&series[k], block_ns(cases[k].loop));
	for (size_t k = 0; k < CASE_COUNT; k++) {
		double ns = measure_median(&series[k]);

		measure_print("   %-26s %8.2f %8.2f %+8.2f %8.2f\n", cases[k].what, ns,
			      measure_min(&series[k]), ns - before,
			      measure_ratio(&series[k], &series[0]));
		before = ns;
	}
	measure_floor_close(&ring);
}

int main(void)
{
	measure_print_machine("what each promise adds to an event, the clock aside");
	setenv("TTLOG_CLOCK", "sparse", 1);
	measure_print("   a ring of %llu MiB; median of %d blocks of %d events, min of them\n",
		      (unsigned long long)REGION_BYTES >> 20, REPEATS, BLOCK_EVENTS);
	measure_print("   %-26s %8s %8s %8s %8s\n", "", "ns/event", "min", "more", "ratio");
	measure_in_child(measure_all, REGION_BYTES);
	return 0;
}
