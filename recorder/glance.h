/* SPDX-License-Identifier: MIT */
/*
 * glance.h - figures of a region that may be alive, without copying it.
 *
 * Reads a cache line a chunk, the accounts of its losses and the header of the chunk, and walks
 * only the chunks that somebody writes into at this moment: about 16 bytes in a thousand. Counts of
 * a region that nobody writes to are exact; while it is written, a chunk that changes hands may be
 * counted twice or not at all. Hostile input: a liar gets its own figures wrong. Any thread.
 */
#ifndef RECORDER_GLANCE_H
#define RECORDER_GLANCE_H

#include "lib/clock.h"
#include "lib/region.h"

#define GLANCE_RECENT_NS UINT64_C(10000000000) /* what "now" is for a rate */

struct glance_lane {
	uint32_t chunks_used;
	uint64_t events; /* that can be read now */
	uint64_t overwritten, dropped, truncated;
};

struct glance {
	struct glance_lane lane[TTLOG_LANE_MAX];
	uint64_t events, overwritten, dropped, truncated; /* of all lanes */
	/*
	 * How far back lane main holds everything, from now: to the newest event that was
	 * overwritten in it, or to the oldest there is if nothing was. 0: no event.
	 */
	uint64_t history_ns;
	uint64_t newest_ns;	/* how long ago the newest event was, if there are any */
	uint64_t recent_events; /* of the last GLANCE_RECENT_NS, as far as they were kept */
	uint64_t recent_ns;	/* ... which is that long; 0: nothing is known of it */
	uint32_t dict_count, dict_bytes; /* given out */
	uint64_t dict_full;
	uint64_t channels_open, channels_opened, channels_refused;
};

/*
 * base is a mapping of geometry->region_bytes that may change and must not shrink. line converts
 * its ticks.
 */
void glance_take(const void *base, const struct ttlog_geometry *geometry,
		 const struct ttlog_clock_line *line, struct glance *ret_glance);

/* Events a second, of late. */
uint64_t glance_rate(const struct glance *glance);

#endif
