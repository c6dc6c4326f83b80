/* SPDX-License-Identifier: MIT */
/*
 * paced.h - calls that come one by one: each is timed by itself, between two fenced timestamps.
 * For C and C++.
 */
#ifndef BENCH_PACED_H
#define BENCH_PACED_H

#include <stdbool.h>
#include <stdint.h>

#include "bench/measure.h"

struct paced_call {
	uint32_t ticks;
	bool moved;	/* the call changed the mark: it moved on to another chunk, or so */
	uint8_t before; /* the low bits of the mark before it */
};

typedef void (*paced_loop)(uint64_t from, uint64_t count, struct paced_call *calls,
			   uint64_t gap_ticks);

/* paced_<name>(...): the statement, in which i is the number of the call, timed. */
#define PACED_LOOP(name, mark, statement)                                                          \
	static __attribute__((noinline)) void paced_##name(                                        \
		uint64_t from, uint64_t count, struct paced_call *calls, uint64_t gap_ticks)       \
	{                                                                                          \
		uint64_t next = measure_ticks();                                                   \
                                                                                                   \
		for (uint64_t i = from; i < from + count; i++) {                                   \
			const void *before = (mark);                                               \
			uint64_t start, end;                                                       \
                                                                                                   \
			while (measure_ticks() < next)                                             \
				;                                                                  \
			start = measure_ticks_fenced();                                            \
			statement;                                                                 \
			end = measure_ticks_fenced();                                              \
			calls[i - from].ticks = end - start < UINT32_MAX ? (uint32_t)(end - start) \
									 : UINT32_MAX;             \
			calls[i - from].moved = (mark) != before;                                  \
			calls[i - from].before = (uint8_t)(uintptr_t)before;                       \
			/* Who comes late does not hurry: the pace starts anew. */                 \
			next = end + gap_ticks;                                                    \
		}                                                                                  \
	}

#endif
