/* SPDX-License-Identifier: MIT */
/*
 * reader_live.h - what is new in a living region, look by look, for whoever waits for some of it.
 *
 * Nothing is copied but the events that are wanted; those of a site that nobody wants cost a look
 * at their header. Who writes is neither asked nor stopped: what was recycled before it was looked
 * at is counted. The region is hostile; a liar gets its own events wrong. One thread.
 */
#ifndef TTLOG_READER_LIVE_H
#define TTLOG_READER_LIVE_H

#include "lib/reader.h"

struct ttlog_live;

struct ttlog_live_handler {
	/* Are events of that site wanted? Asked once a site. */
	bool (*wants)(void *context, const struct ttlog_reader_site *site);
	/* One that is, in no order; what it points to lives until it returns. thread and channel
	 * are not filled.
	 */
	void (*take)(void *context, const struct ttlog_reader_site *site,
		     const struct ttlog_reader_event *event);
	void *context;
};

/* Begins with what is recorded from now on. 0 or -ENOMEM. The region stays mapped until the close.
 */
int ttlog_live_open(struct ttlog_live **ret_live, const void *base,
		    const struct ttlog_geometry *geometry,
		    const struct ttlog_live_handler *handler);
/* The same, but the first look begins with the oldest that is still there. */
int ttlog_live_open_oldest(struct ttlog_live **ret_live, const void *base,
			   const struct ttlog_geometry *geometry,
			   const struct ttlog_live_handler *handler);
void ttlog_live_close(struct ttlog_live *live); /* NULL is fine */

/*
 * Looks at lanes (1 << lane each) until all is seen or *budget events were: false, there is more,
 * and the next look goes on with it. *budget goes down by what was done.
 */
bool ttlog_live_look(struct ttlog_live *live, uint32_t lanes, uint32_t *budget);

/* Did the last look stop at an event whose site will be known a little later? */
bool ttlog_live_waits(const struct ttlog_live *live);

/* Whose event it is; for `take`. The name ends with a NUL and may hold any byte. */
struct ttlog_live_owner {
	uint32_t tid;
	char name[TTLOG_THREAD_NAME_BYTES];
};
const struct ttlog_live_owner *ttlog_live_owner(const struct ttlog_live *live);

/* An interned string, or NULL; for `take`. */
const char *ttlog_live_string(const struct ttlog_live *live, uint32_t id);
/* Events looked at, and chunks that were recycled before all of their events were; so far. */
uint64_t ttlog_live_seen(const struct ttlog_live *live);
uint64_t ttlog_live_missed(const struct ttlog_live *live);

#endif
