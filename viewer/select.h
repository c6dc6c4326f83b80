/* SPDX-License-Identifier: MIT */
/*
 * select.h - the events of some dumps that somebody asked for, in the order that they asked for.
 *
 * Merged by time, filtered, limited, around a time, turned around. By the dumps' indexes only the batches
 * that may matter are read; without an index (a pipe, a file that was cut) all of it is, forward. In memory
 * are a batch a dump, and the limited number of events.
 */
#ifndef VIEWER_SELECT_H
#define VIEWER_SELECT_H

#include "viewer/query.h"

struct selection {
	struct query query;
	bool limited, oldest; /* oldest: the limit takes from the start */
	uint64_t limit;
	bool reverse; /* newest first */
	bool around;  /* what is on both sides of a time: context_ns, or without that `context` events */
	struct when_spec around_when;
	uint64_t context;
	int64_t context_ns;
};

struct select;

/* What T and 10:42 are in these dumps: the first death, and the last moment of all. */
struct when_base select_base(struct dump *const *dumps, size_t count);

/* A test of the time more, which has no text: QUERY_LESS and its like. 0 or -ENOMEM. */
int select_add_bound(struct selection *selection, enum query_op op, int64_t ns);

/* 0 or a negative errno; resolves the query. Selection and dumps outlive the select. */
int select_open(struct select **ret_select, struct selection *selection, struct dump *const *dumps,
		size_t count);
void select_close(struct select *select); /* NULL is fine */

/* True, or false at the end or after an error. The values hold until the next call. */
bool select_next(struct select *select, struct record *record);
/* 0 or a negative errno: -E2BIG, more to turn around than there may be in memory. */
int select_error(const struct select *select);
/* At the end: there is nothing behind the last event that was left out by a limit or a time. */
bool select_complete(const struct select *select);

#endif
