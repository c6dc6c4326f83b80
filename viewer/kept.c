/* SPDX-License-Identifier: MIT */
#include "viewer/kept.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int grow(struct keep *keep)
{
	size_t capacity = keep->capacity ? keep->capacity * 2 : 256;
	struct kept *ring;

	if (capacity > keep->limit)
		capacity = keep->limit;
	ring = reallocarray(keep->ring, capacity, sizeof(*ring));
	if (!ring)
		return -ENOMEM;
	memset(ring + keep->capacity, 0, (capacity - keep->capacity) * sizeof(*ring));
	keep->bytes += (capacity - keep->capacity) * sizeof(*ring);
	keep->ring = ring;
	keep->capacity = capacity;
	return 0;
}

static int reserve(struct keep *keep, struct kept *kept, size_t bytes)
{
	unsigned char *grown;

	if (kept->capacity >= bytes)
		return 0;
	grown = realloc(kept->bytes, bytes);
	if (!grown)
		return -ENOMEM;
	keep->bytes += bytes - kept->capacity;
	kept->bytes = grown;
	kept->capacity = bytes;
	return 0;
}

int keep_add(struct keep *keep, const struct event *event)
{
	struct kept *kept;
	int error = 0;

	if (!keep->limit)
		return 0;
	if (keep->count == keep->capacity && keep->count < keep->limit)
		error = grow(keep);
	if (error)
		return error;
	kept = &keep->ring[keep->next];
	error = reserve(keep, kept, event->values_bytes);
	if (error)
		return error;
	kept->event = *event;
	if (event->values_bytes)
		memcpy(kept->bytes, event->values, event->values_bytes);
	/* Without any there may be no memory; a pointer it is all the same. */
	kept->event.values = kept->bytes ? kept->bytes : (const unsigned char *)"";
	if (keep->count < keep->limit)
		keep->count++;
	keep->next = keep->next + 1 == keep->limit ? 0 : keep->next + 1;
	return keep->bytes_max && keep->bytes > keep->bytes_max ? -E2BIG : 0;
}

const struct event *keep_get(const struct keep *keep, size_t index)
{
	size_t oldest = keep->count < keep->limit ? 0 : keep->next;

	return &keep->ring[(oldest + index) % keep->count].event;
}

void keep_fini(struct keep *keep)
{
	for (size_t i = 0; i < keep->capacity; i++)
		free(keep->ring[i].bytes);
	free(keep->ring);
	*keep = (struct keep){0};
}
