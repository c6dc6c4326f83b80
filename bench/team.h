/* SPDX-License-Identifier: MIT */
/*
 * team.h - threads on cores of their own that run one block of events together.
 *
 * Thread 0 is the caller. The others sleep between blocks, so that one thread can be measured while
 * they are there; in a block all spin until all have come. Each has two floors: a ring that stays
 * in the cache, and its share of one that is as large as the region.
 */
#ifndef BENCH_TEAM_H
#define BENCH_TEAM_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "bench/measure.h"

#ifdef __cplusplus
extern "C" {
#endif

#define TEAM_THREADS_MAX 2

typedef void (*team_loop)(struct measure_floor *floor, uint64_t from, uint64_t count);

enum team_floor {
	TEAM_CACHE,
	TEAM_REGION,
};

struct team {
	pthread_barrier_t open, closed;
	uint32_t ready;	      /* atomic: threads that have come to this block */
	unsigned int threads; /* of this block */
	bool over;
	team_loop loop;
	uint64_t from, events;	/* of this block, a thread */
	unsigned int disturbed; /* quiet blocks that count although a thread was off its core */
	struct team_member {
		struct team *team;
		unsigned int index;
		int cpu;
		pthread_t thread;
		struct measure_floor ring[2]; /* by enum team_floor */
		struct measure_floor *floor;  /* of this block */
		uint64_t start_ns, end_ns;
		bool disturbed; /* the core was taken away */
	} member[TEAM_THREADS_MAX];
};

/* Starts the threads, and pins the caller to cpus[0]. */
void team_open(struct team *team, unsigned int threads, uint64_t region_bytes, const int *cpus);
void team_close(struct team *team, unsigned int threads);

/*
 * One block on the first of the threads. Nanoseconds per event of one thread, had all ended with
 * the last. A block that not all began together counts as disturbed.
 */
double team_block(struct team *team, unsigned int threads, team_loop loop, uint64_t events,
		  enum team_floor floor, bool *ret_disturbed);
/* The same, again if it was disturbed; counts the blocks that never went well. */
double team_quiet_block(struct team *team, unsigned int threads, team_loop loop, uint64_t events,
			enum team_floor floor);

#ifdef __cplusplus
}
#endif

#endif
