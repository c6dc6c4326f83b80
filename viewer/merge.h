/* SPDX-License-Identifier: MIT */
/*
 * merge.h - the events of several dumps as one stream, by time.
 *
 * Holds one batch a dump. Events of one dump keep the order they were recorded in, also where the wall
 * clock was set back; of the same time, the dump that was named first comes first.
 */
#ifndef VIEWER_MERGE_H
#define VIEWER_MERGE_H

#include "viewer/dump_reader.h"

struct merge;

/* Whoever has events in order. The event's values hold until the next call, or until the end of the merge. */
struct merge_source {
	bool (*next)(void *context, struct event *ret_event);
	void *context;
};

/* 0 or -ENOMEM. The dumps stay the caller's, and are read from where they stand. */
int merge_open(struct merge **ret_merge, struct dump *const *dumps, size_t count);
/* The same of anybody's events; with `backward`, each source has them newest first, and so has the merge. */
int merge_open_sources(struct merge **ret_merge, const struct merge_source *sources, size_t count,
		       bool backward);
/* True, or false at the end of all. The event's values hold until the next call. */
bool merge_next(struct merge *merge, struct event *ret_event);
void merge_close(struct merge *merge); /* NULL is fine */

#endif
