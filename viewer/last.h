/* SPDX-License-Identifier: MIT */
/*
 * last.h - the newest event of each thread of a dump, gathered on the way through it.
 *
 * Bounded: in all LAST_BYTES_MAX of encoded values are kept; of an event beyond that only the site.
 */
#ifndef VIEWER_LAST_H
#define VIEWER_LAST_H

#include "viewer/dump_reader.h"

#define LAST_BYTES_MAX (64u << 20)

struct last;

/* NULL: no memory. */
struct last *last_open(struct dump *dump);
void last_close(struct last *last); /* NULL is fine */

/* Each event of the dump, in order. */
void last_take(struct last *last, const struct event *event);

/* Of meta->threads[index], decoded. NULL: it has none, or none was kept. `last` may be NULL. */
struct record *last_record(struct last *last, uint64_t index);

#endif
