/* SPDX-License-Identifier: MIT */
/*
 * paged.h - the events of one or several dumps as one timeline that can be walked both ways from
 * anywhere.
 *
 * Reads a batch when somebody looks at it, and keeps the newest of those. A place in the timeline
 * is how many events of each source lie before it: one number a source, so that a step to and fro
 * costs nothing whatever the size of the file. The last source are the marks: deaths, and the
 * moments of snapshots.
 *
 * The order is that of merge.h, but that an event whose clock was set back stays where those around
 * it are.
 */
#ifndef VIEWER_PAGED_H
#define VIEWER_PAGED_H

#include "viewer/dump_reader.h"
#include "viewer/when_parse.h"

struct paged;

/* A death, or the moment that a living process was asked. */
struct paged_mark {
	int64_t ns;
	const struct meta *meta;
	bool dead;
};

/* What is at a place: an event or a mark. */
struct paged_item {
	size_t source;
	uint64_t number; /* in the source */
	int64_t ns;
	const struct paged_mark *mark; /* NULL: an event */
	struct event event;	       /* its values hold until the next call */
};

/* 0 or a negative errno. The dumps stay open until the close, and where they stand does not matter.
 */
int paged_open(struct paged **ret_paged, struct dump *const *dumps, size_t count);
void paged_close(struct paged *paged); /* NULL is fine */

size_t paged_sources(const struct paged *paged);
struct dump *paged_dump(const struct paged *paged, size_t source); /* NULL: the marks */
uint64_t paged_count(const struct paged *paged, size_t source);
uint64_t paged_events(const struct paged *paged);
uint64_t paged_total(const struct paged *paged); /* with the marks */
/* T: the first death, or without one the last snapshot. False: neither. */
bool paged_base(const struct paged *paged, int64_t *ret_ns);
/* What T and 10:42 are. */
struct when_base paged_when(const struct paged *paged);
/* The times of the first and last event. False: there are none. */
bool paged_span(const struct paged *paged, int64_t *ret_first_ns, int64_t *ret_last_ns);
/* Is a dump cut or damaged, or were there events that could not be read? */
bool paged_damaged(const struct paged *paged);
/* Bytes that are held for events. */
size_t paged_memory(const struct paged *paged);

/* The place is moved over the item. False: the end, or the start. */
bool paged_next(struct paged *paged, uint64_t *place, struct paged_item *ret_item);
bool paged_prev(struct paged *paged, uint64_t *place, struct paged_item *ret_item);
/* The item of that number; source and number are of one that there was. */
void paged_item_at(struct paged *paged, size_t source, uint64_t number,
		   struct paged_item *ret_item);

/* The time that it is sorted by; INT64_MAX where memory was short. */
int64_t paged_key(struct paged *paged, size_t source, uint64_t number);

/* The first item of a source that is not earlier than that is one of these, or the one at `high`.
 */
void paged_bounds(const struct paged *paged, size_t source, int64_t ns, uint64_t *ret_low,
		  uint64_t *ret_high);

/* How many items lie before a place: places of a timeline have an order. */
uint64_t paged_rank(const struct paged *paged, const uint64_t *place);
void paged_start(const struct paged *paged, uint64_t *place);
void paged_end(const struct paged *paged, uint64_t *place);
/* Before the first item that is not earlier than that. */
void paged_seek_time(struct paged *paged, uint64_t *place, int64_t ns);
/* Before the mark of that number, of the last source. */
void paged_seek_mark(struct paged *paged, uint64_t *place, size_t mark);
/* Before the item of about that rank: exactly with one dump, else by time. */
void paged_seek_rank(struct paged *paged, uint64_t *place, uint64_t rank);

#endif
