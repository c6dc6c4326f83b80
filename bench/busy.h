/* SPDX-License-Identifier: MIT */
/*
 * busy.h - a loop that already keeps the core busy, to put an event into.
 *
 * In an empty loop everything up to some 190 instructions hides behind the timestamp. A real caller
 * has work of its own in flight: here eight independent chains of multiplications, shifts and
 * additions, which fill the ports of the core. For C and C++.
 */
#ifndef BENCH_BUSY_H
#define BENCH_BUSY_H

#include <stdint.h>

#include "bench/measure.h"

#ifdef __cplusplus
extern "C" {
#endif

#define BUSY_CHAINS 8 /* in registers: see busy_work() */

struct busy {
	uint64_t chain[BUSY_CHAINS];
};

void busy_work(struct busy *busy);

/* Where the results go, so that the work is done. */
extern volatile uint64_t busy_sink;

typedef void (*busy_loop)(uint64_t from, uint64_t count);

/* busy_<name>(from, count): the work and the statement, in which i is the number of the turn. */
#define BUSY_LOOP(name, statement) \
	static __attribute__((noinline)) void busy_##name(uint64_t from, uint64_t count) \
	{ \
		struct busy busy = {{from, 1, 2, 3, 4, 5, 6, 7}}; \
\
		for (uint64_t i = from; i < from + count; i++) { \
			busy_work(&busy); \
			statement; \
			measure_barrier(); \
		} \
		busy_sink = busy.chain[0]; \
	}

#ifdef __cplusplus
}
#endif

#endif
