/* SPDX-License-Identifier: MIT */
/*
 * keep_loops.h - crash loops: a service that dies, is started again, and dies in the same way.
 *
 * Of a loop the first `loop_first` deaths are dumped each; after that a dump is written when so
 * much time has gone by since the last one: KEEP_LOOP_PAUSE_MIN_MS at first, twice as much each
 * time, up to KEEP_LOOP_PAUSE_MAX_MS. So the newest dump of a loop is never much older than that,
 * and a loop costs a dump a minute. It is over when nobody has died of it for KEEP_LOOP_OVER_MS.
 *
 * A process that was started before the loop began is no part of it: when a hundred workers are
 * killed at once, each has a ring of its own, and gets its dump.
 *
 * The loop's own (of the recorder), no locks, bounded; what has no room is forgotten, oldest first,
 * and its next death is a first one.
 */
#ifndef RECORDER_KEEP_LOOPS_H
#define RECORDER_KEEP_LOOPS_H

#include <stdbool.h>
#include <stdint.h>

#define KEEP_LOOPS_MAX 256
#define KEEP_LOOP_PAUSE_MIN_MS 1000
#define KEEP_LOOP_PAUSE_MAX_MS 60000
#define KEEP_LOOP_OVER_MS (600 * 1000)

struct keep_loop {
	uint64_t key;		    /* 0: free */
	uint64_t since_ns, last_ns; /* of its first and its newest death, CLOCK_REALTIME */
	uint64_t written_ns;	    /* of its newest death that was dumped */
	uint64_t count;		    /* deaths */
	uint64_t unwritten;	    /* of those since written_ns */
	uint64_t pause_ms;
	bool said;
};

struct keep_loops {
	struct keep_loop loop[KEEP_LOOPS_MAX];
};

struct keep_death {
	uint64_t key;
	uint64_t started_ns, died_ns; /* CLOCK_REALTIME; started_ns 0: not known */
};

/* What a dump says of its loop. */
struct keep_place {
	uint64_t key, since_ns, count; /* count 0: no part of a loop */
	uint64_t unwritten;	       /* deaths just before it that were not dumped */
	bool is_new;		       /* it is the first of its loop that is not dumped */
};

/* True: write a dump. False: too many of the same; *ret_place says how many. */
bool keep_loops_admit(struct keep_loops *loops, uint64_t loop_first, const struct keep_death *death,
		      struct keep_place *ret_place);

/* What a dump in the folder says, so that a loop goes on where a recorder was started again. */
void keep_loops_remember(struct keep_loops *loops, const struct keep_place *place,
			 uint64_t died_ns);

#endif
