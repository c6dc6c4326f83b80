/* SPDX-License-Identifier: MIT */
/*
 * measure.h - what the benchmarks share: time, repeats, the floor, and how a table looks.
 *
 * The machine is never quiet. So nothing is measured alone: the floor runs before each repeat of each
 * case, repeats are short against a time slice, and what counts is the median of the pairs' ratios.
 */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/ttlog.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Memory may have changed: neither a load nor a store may leave the loop that this stands in. */
static inline __attribute__((always_inline)) void measure_barrier(void)
{
	__asm__ volatile("" ::: "memory");
}

static inline __attribute__((always_inline)) uint64_t measure_ticks(void)
{
	return ttlog_ticks_();
}

/* Now, with everything before it done and nothing behind it begun. */
static inline __attribute__((always_inline)) uint64_t measure_ticks_fenced(void)
{
	uint64_t ticks;

#if defined(__x86_64__)
	__builtin_ia32_lfence();
	ticks = ttlog_ticks_();
	__builtin_ia32_lfence();
#else
	__asm__ volatile("isb" ::: "memory");
	ticks = ttlog_ticks_();
	__asm__ volatile("isb" ::: "memory");
#endif
	return ticks;
}

uint64_t measure_now_ns(void); /* CLOCK_MONOTONIC */
double measure_ticks_per_ns(void); /* measured once, in 20 ms */

/* Numbers of one kind, one a repeat. */
#define MEASURE_REPEATS_MAX 128

struct measure_series {
	double value[MEASURE_REPEATS_MAX];
	unsigned int count;
};

void measure_add(struct measure_series *series, double value);
double measure_median(const struct measure_series *series);
double measure_min(const struct measure_series *series);
double measure_max(const struct measure_series *series);
/* The median of a[i] / b[i]. */
double measure_ratio(const struct measure_series *a, const struct measure_series *b);

/* The share (0 to 1) of sorted numbers that is not above the result. */
uint32_t measure_quantile(const uint32_t *sorted, size_t count, double share);
void measure_sort(uint32_t *numbers, size_t count);

/*
 * The floor: a ring in a memfd whose pages are there, a timestamp and a 32-byte store an event, the
 * position kept in memory. It can't say what happened, can't be read after a crash, counts no loss.
 */
struct measure_floor {
	uint64_t position;
	uint64_t mask; /* bytes - 1 */
	unsigned char *ring;
};

#define MEASURE_CACHE_BYTES (UINT64_C(64) << 10)

/* bytes is a power of two. Ends the program when there is no memory. */
void measure_floor_open(struct measure_floor *floor, uint64_t bytes);
void measure_floor_close(struct measure_floor *floor);

static inline __attribute__((always_inline)) void measure_floor_event(struct measure_floor *floor,
								      uint64_t i)
{
	uint64_t *event = (uint64_t *)(void *)(floor->ring + (floor->position & floor->mask));

	event[1] = measure_ticks();
	event[2] = i;
	event[3] = i ^ 200;
	event[0] = UINT64_C(1) << 32 | 32;
	floor->position += 32;
}

/* Counts `count` events; noinline, so that every user times the same code. */
void measure_floor_loop(struct measure_floor *floor, uint64_t from, uint64_t count);

/* The CPUs that this program may use: at most `max` into ret_cpus. Returns how many. */
unsigned int measure_cpus(int *ret_cpus, unsigned int max);
void measure_pin(int cpu);

/* Program, machine, kernel, compiler, load: one line each. */
void measure_print_machine(const char *what);
/* A line, and what it said is out before any child is forked. */
void measure_print(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Ends the program with a message; a benchmark that can't measure must not print numbers. */
void measure_die(const char *what, int error) __attribute__((noreturn));

/* Makes this process recordable, without a recorder, with a region of that size, level INFO. */
void measure_init(uint64_t region_bytes);
/* Runs fn in a child, which gets a region of its own, and waits for it. */
void measure_in_child(void (*fn)(uint64_t argument), uint64_t argument);

#ifdef __cplusplus
}
#endif

#endif
