/* SPDX-License-Identifier: MIT */
/*
 * reader.h - events out of a region, which is hostile input and may be alive.
 *
 * Copies what it needs chunk by chunk while nobody is stopped (the copy is kept if the state word
 * says that the chunk did not change hands meanwhile), then works on the copy alone. Every size and
 * offset is checked; a liar gets its own events wrong and nothing else. Used by the recorder and
 * the tests; not part of libttlog.
 */
#ifndef TTLOG_READER_H
#define TTLOG_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/region.h"

struct ttlog_reader;

/* A field's value as it was recorded. */
struct ttlog_reader_value {
	enum ttlog_type type;
	uint64_t bits;	  /* scalars: zero- or sign-extended to 64 bits; floats: their own bits */
	const char *data; /* strings (NUL-terminated) and spans */
	uint32_t size;	  /* bytes at data, without a NUL */
};

struct ttlog_reader_site {
	uint32_t id;
	uint8_t level;
	uint8_t flags; /* TTLOG_SITE_... */
	uint8_t field_count;
	uint32_t line;
	const char *target, *message, *file, *function;
	const uint8_t *types;
	const char *names[TTLOG_FIELDS_MAX]; /* "" with TTLOG_SITE_PRINTF */
};

#define TTLOG_READER_NO_CHANNEL UINT32_MAX

struct ttlog_reader_event {
	uint64_t ticks;
	uint32_t site;	/* always one that ttlog_reader_site() knows */
	uint32_t flags; /* TTLOG_EVENT_... */
	uint32_t lane;
	uint32_t thread; /* index for ttlog_reader_thread() */
	uint32_t channel; /* index for ttlog_reader_channel(), or TTLOG_READER_NO_CHANNEL */
	uint32_t value_count;
	struct ttlog_reader_value value[TTLOG_FIELDS_MAX];
};

struct ttlog_reader_thread {
	uint32_t tid;
	char name[TTLOG_THREAD_NAME_BYTES]; /* NUL-terminated, as recorded: may hold any byte */
	uint64_t events;
	uint64_t first_ticks, last_ticks;
};

struct ttlog_reader_channel {
	char name[TTLOG_CHANNEL_NAME_BYTES]; /* NUL-terminated, as recorded: may hold any byte */
	bool is_open;
	uint64_t budget_bytes;
	uint64_t events;
	/* Ticks; 0 = none. The first may be that of its opening, if the memory was another's before. */
	uint64_t overwritten, overwritten_first, overwritten_last;
	uint64_t diverted, diverted_first, diverted_last; /* sent to it, and in another lane */
	uint64_t opened_ticks, closed_ticks;
};

/* What became of channels over the life of the process. */
struct ttlog_reader_channel_totals {
	uint64_t open, opened, replaced, refused;
};

struct ttlog_reader_lane {
	uint32_t chunks_used;
	uint64_t events;
	uint64_t overwritten, overwritten_first, overwritten_last; /* ticks; 0 = none */
	uint64_t dropped, dropped_first, dropped_last;
	uint64_t truncated;
	uint64_t recycled_while_read; /* changed hands during the copy: a living region */
};

struct ttlog_reader_totals {
	uint64_t events;
	uint64_t overwritten;
	uint64_t dropped;
	uint64_t truncated;
	uint64_t torn; /* places where a chunk made no sense: 0 unless somebody scribbled */
	uint64_t dict_full;
	uint64_t first_ticks, last_ticks;
};

/* ---- chunks that were saved before they were recycled ---------------------------------------- */

/*
 * One of them, as ttlog_reader_save() copied it. All of it is as hostile as the region was; its
 * events are read when their turn comes.
 */
struct ttlog_reader_saved {
	uint64_t generation;
	uint64_t lost, lost_first, lost_last; /* overwritten here before; ticks, 0 = none */
	uint64_t taken_ticks, first_ticks, newest_ticks;
	uint32_t bytes; /* of events */
	uint32_t event_count;
	uint32_t index; /* in its lane */
	uint32_t tid, epoch;
	uint32_t stored_bytes; /* for whoever keeps it */
	uint8_t lane, writer;
	bool is_torn;
	uint8_t form; /* for whoever keeps it */
	char thread_name[TTLOG_THREAD_NAME_BYTES];
};

/*
 * Copies a chunk of a living region, whose state word was just seen to be that one. `to` has room for
 * a chunk. False: it changed hands meanwhile.
 */
bool ttlog_reader_save(const void *base, const struct ttlog_geometry *geometry, uint32_t lane,
		       uint32_t index, uint64_t state, unsigned char *to,
		       struct ttlog_reader_saved *ret_saved);

/* Who kept them. What the cut gives stays as it is until the reader is closed. */
struct ttlog_reader_history {
	/* Called once, when the region has been copied: fills in the rest. 0 or a negative errno. */
	int (*cut)(struct ttlog_reader_history *history);
	/* Puts saved->bytes of events there. 0 or a negative errno. */
	int (*load)(const struct ttlog_reader_history *history,
		    const struct ttlog_reader_saved *saved, unsigned char *to);
	const struct ttlog_reader_saved *const *saved; /* in any order */
	uint32_t saved_count;
	bool is_whole; /* none was given up: what a place lost before its first one is a gap, too */
};

/* Events that are missing between others that are there, in one lane. */
struct ttlog_reader_gap {
	uint32_t lane;
	uint64_t count;
	uint64_t first_ticks, last_ticks; /* none of them was recorded before or after */
};

#define TTLOG_READER_GAPS_MAX 1024u /* more are joined */

/*
 * Copies the region. base is a mapping of geometry->region_bytes that may change at any time and
 * must not shrink (the seals see to it). 0 or -ENOMEM. Takes the time of a memcpy of what is used.
 */
int ttlog_reader_open(struct ttlog_reader **ret_reader, const void *base,
		      const struct ttlog_geometry *geometry);
/*
 * The same with a history (NULL: none), whose events come first: each chunk once, what is missing is
 * counted, and what was saved is not lost. The history stays the caller's.
 */
int ttlog_reader_open_with(struct ttlog_reader **ret_reader, const void *base,
			   const struct ttlog_geometry *geometry,
			   struct ttlog_reader_history *history);
void ttlog_reader_close(struct ttlog_reader *reader); /* NULL is fine */

/*
 * The next event in time order over all threads; per thread always in the order of recording. 1, or
 * 0 at the end, or a negative errno, which only a history can cause. Pointers in the event live until
 * the next call; without a history as long as the reader.
 */
int ttlog_reader_next(struct ttlog_reader *reader, struct ttlog_reader_event *ret_event);
void ttlog_reader_rewind(struct ttlog_reader *reader);

/* Known for every id from 1 up to site_limit - 1 that is a site; NULL for the others. */
const struct ttlog_reader_site *ttlog_reader_site(const struct ttlog_reader *reader, uint32_t id);
/* An interned string, or NULL. */
const char *ttlog_reader_string(const struct ttlog_reader *reader, uint32_t id);
uint32_t ttlog_reader_id_limit(const struct ttlog_reader *reader);

uint32_t ttlog_reader_thread_count(const struct ttlog_reader *reader);
const struct ttlog_reader_thread *ttlog_reader_thread(const struct ttlog_reader *reader,
						      uint32_t index);
/* Those that are open, or closed and still there; in no order. */
uint32_t ttlog_reader_channel_count(const struct ttlog_reader *reader);
const struct ttlog_reader_channel *ttlog_reader_channel(const struct ttlog_reader *reader,
							uint32_t index);
const struct ttlog_reader_channel_totals *
ttlog_reader_channel_totals(const struct ttlog_reader *reader);
uint32_t ttlog_reader_lane_count(const struct ttlog_reader *reader);
const struct ttlog_reader_lane *ttlog_reader_lane(const struct ttlog_reader *reader, uint32_t lane);
/* By lane, then by time. */
uint32_t ttlog_reader_gap_count(const struct ttlog_reader *reader);
const struct ttlog_reader_gap *ttlog_reader_gap(const struct ttlog_reader *reader, uint32_t index);
void ttlog_reader_totals(const struct ttlog_reader *reader, struct ttlog_reader_totals *ret_totals);

const char *
ttlog_lane_name(uint32_t lane); /* "main", "alert", ...; "lane-7" has no name: "other" */

#endif
