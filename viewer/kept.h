/* SPDX-License-Identifier: MIT */
/*
 * kept.h - events that may yet be shown, with bytes of their own: the newest `limit` that were given, in
 * the order in which they were given.
 */
#ifndef VIEWER_KEPT_H
#define VIEWER_KEPT_H

#include "viewer/dump_reader.h"

struct kept {
	struct event event;
	unsigned char *bytes;
	size_t capacity;
};

struct keep {
	uint64_t limit;
	size_t bytes_max; /* of what is kept; 0: no matter */
	struct kept *ring;
	size_t count, capacity, next, bytes;
};

/* 0, -ENOMEM, or -E2BIG beyond bytes_max. */
int keep_add(struct keep *keep, const struct event *event);
/* index 0 is the first that was given, of those that are there. */
const struct event *keep_get(const struct keep *keep, size_t index);
void keep_fini(struct keep *keep);

#endif
