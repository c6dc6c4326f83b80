/* SPDX-License-Identifier: MIT */
/*
 * backward.h - the events of a dump that a query wants, newest first, by its index: one batch in memory.
 */
#ifndef VIEWER_BACKWARD_H
#define VIEWER_BACKWARD_H

#include "viewer/query.h"

struct backward;

/* Batches from..to-1. 0, -ENOMEM; or -EINVAL: the batches are not made to be turned around. */
int backward_open(struct backward **ret_backward, struct dump *dump, struct query *query, size_t from,
		  size_t to);
void backward_close(struct backward *backward); /* NULL is fine */
/* True, or false at the end, or after an error. The values hold until the next call. */
bool backward_next(struct backward *backward, struct event *ret_event);
int backward_error(const struct backward *backward);

/*
 * The batches that may have events of these times: *ret_from to before *ret_to. All, if the index can't be
 * trusted for it. The wall clock may have been set back between two events.
 */
void backward_range(struct dump *dump, int64_t from_ns, int64_t to_ns, size_t *ret_from, size_t *ret_to);

#endif
