/* SPDX-License-Identifier: MIT */
/*
 * ledger.h - how many events a region has seen and lost, without copying it: what a living client
 * may be asked for often.
 *
 * Reads state words, accounts and what retired chunks say of themselves; of the chunks that are
 * being filled, the events' sizes. All of it is hostile input that may change meanwhile: a liar
 * gets its own numbers wrong. The walk is done in pieces, so that nobody has to wait for a large
 * region; one that has taken no chunk since the last walk is looked at in microseconds.
 */
#ifndef RECORDER_LEDGER_H
#define RECORDER_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/region.h"

/* Never less than at the last walk. */
struct ledger_counts {
	uint64_t events;      /* recorded, whatever became of them */
	uint64_t overwritten; /* of these, gone for newer ones */
	uint64_t dropped;     /* not recorded: no room */
	uint64_t truncated;
	uint64_t torn; /* places that make no sense */
};

#define LEDGER_OWNED_MAX 16

struct ledger_lane {
	bool is_known;	  /* by a walk; what is below is as of then */
	uint64_t hand;	  /* of the lane, before it was walked */
	uint64_t settled; /* events retained in chunks that nobody owned */
	uint64_t overwritten;
	uint64_t oldest_ticks; /* when the oldest chunk with events was taken; 0: none */
	uint32_t owned_count;
	uint32_t owned[LEDGER_OWNED_MAX]; /* chunks that may have got more since */
};

struct ledger {
	struct ledger_counts counts; /* of the last whole walk */
	/*
	 * In ticks of the region's clock: every event since then is still there, but for those that
	 * other lanes had to give up. 0: nothing was recorded.
	 */
	uint64_t oldest_ticks;
	/* The walk that is going on. */
	const void *base;
	uint32_t at_lane, at_chunk;
	uint64_t events, overwritten, torn;
	unsigned int walks;
	struct ledger_lane lane[TTLOG_LANE_MAX];
};

/*
 * Goes on for about *steps steps, takes those that it took off. True: a walk was finished, the next
 * call begins a new one; false: there were not enough. A ledger starts as zeroes; when base is not
 * what it was the last time it starts anew, but its counts never go back.
 */
bool ledger_walk(struct ledger *ledger, const void *base, const struct ttlog_geometry *geometry,
		 unsigned int *steps);
/* The next walk looks at every chunk. */
void ledger_forget(struct ledger *ledger);

#endif
