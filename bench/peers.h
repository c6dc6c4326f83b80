/* SPDX-License-Identifier: MIT */
/*
 * peers.h - one recorder as the harness of peers.c sees it: ttlog, or another one beside it.
 *
 * All record the same event, with what each of them offers for that: its number, a 64-bit integer;
 * a status, an int; a short string that is a literal at the call. Each keeps some 16 MiB of the newest.
 * For C and C++.
 */
#ifndef BENCH_PEERS_H
#define BENCH_PEERS_H

#include <stddef.h>
#include <stdint.h>

#include "bench/busy.h"
#include "bench/measure.h"
#include "bench/paced.h"
#include "bench/step.h"
#include "bench/team.h"

#ifdef __cplusplus
extern "C" {
#endif

#define PEER_BYTES (UINT64_C(16) << 20)

#define PEER_STATUS(i) ((int)(200 + ((i)&3)))
#define PEER_METHOD "GET"

struct peer {
	/* When it returns, the next event is recorded. Ends the program if that can't be. */
	void (*open)(void);
	/* What a program does at an orderly end so that its events can be read; NULL: nothing. */
	void (*finish)(const char *path);
	team_loop tight;
	busy_loop busy;
	paced_loop paced;
	void (*step)(uint64_t from, uint64_t count);
	/* *done is the number of events whose call has returned. */
	void (*numbered)(uint64_t count, volatile uint64_t *done);
};

extern const struct peer peer; /* by PEER(), in one peer_*.c */

#ifndef STEP_HERE
#define STEP_LOOP(name, statement) enum { step_##name };
#endif

/* i is the event's number. */
#define PEER(open, finish, statement) \
	BUSY_LOOP(event, statement) \
	PACED_LOOP(event, NULL, statement) \
	STEP_LOOP(event, statement) \
	static __attribute__((noinline)) void tight_event(struct measure_floor *floor, uint64_t from, \
							  uint64_t count) \
	{ \
		(void)floor; \
		for (uint64_t i = from; i < from + count; i++) { \
			statement; \
			measure_barrier(); \
		} \
	} \
	static __attribute__((noinline)) void numbered_event(uint64_t count, volatile uint64_t *done) \
	{ \
		for (uint64_t i = 0; i < count; i++) { \
			statement; \
			*done = i + 1; \
		} \
	} \
	const struct peer peer = {open, finish, tight_event, busy_event, paced_event, step_event, \
				  numbered_event};

#ifdef __cplusplus
}
#endif

#endif
