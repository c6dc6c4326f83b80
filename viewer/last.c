/* SPDX-License-Identifier: MIT */
#include "viewer/last.h"

#include <stdlib.h>
#include <string.h>

struct kept {
	struct event event; /* without a dump: there was none yet */
	unsigned char *bytes;
	size_t capacity;
};

struct last {
	struct dump *dump;
	struct kept *kept; /* of each thread of the list */
	uint64_t count;
	size_t bytes; /* of all */
	struct record record;
};

struct last *last_open(struct dump *dump)
{
	const uint64_t count = dump_meta(dump)->thread_count;
	struct last *last = calloc(1, sizeof(*last));

	if (!last)
		return NULL;
	last->dump = dump;
	last->kept = calloc(count + 1, sizeof(*last->kept));
	if (!last->kept) {
		free(last);
		return NULL;
	}
	last->count = count;
	return last;
}

void last_close(struct last *last)
{
	if (!last)
		return;
	for (uint64_t i = 0; i < last->count; i++)
		free(last->kept[i].bytes);
	free(last->kept);
	free(last);
}

/* False: there is no room for the values, and no memory is taken. */
static bool reserve(struct last *last, struct kept *kept, size_t bytes)
{
	unsigned char *grown;

	if (bytes <= kept->capacity)
		return true;
	if (bytes - kept->capacity > LAST_BYTES_MAX - last->bytes)
		return false;
	grown = realloc(kept->bytes, bytes);
	if (!grown)
		return false;
	last->bytes += bytes - kept->capacity;
	kept->bytes = grown;
	kept->capacity = bytes;
	return true;
}

void last_take(struct last *last, const struct event *event)
{
	const struct meta_thread *threads = dump_meta(last->dump)->threads;
	const uintptr_t at = (uintptr_t)event->thread - (uintptr_t)threads;
	struct kept *kept;

	/* One beyond the list is nobody's. */
	if (!last->count || at >= last->count * sizeof(*threads))
		return;
	kept = &last->kept[at / sizeof(*threads)];
	kept->event = *event;
	if (reserve(last, kept, event->values_bytes)) {
		if (event->values_bytes)
			memcpy(kept->bytes, event->values, event->values_bytes);
	} else {
		kept->event.values_bytes = kept->event.value_count = 0;
	}
	/* Without any there may be no memory; a pointer it is all the same. */
	kept->event.values = kept->bytes ? kept->bytes : (const unsigned char *)"";
}

struct record *last_record(struct last *last, uint64_t index)
{
	if (!last || index >= last->count || !last->kept[index].event.dump)
		return NULL;
	last->record.event = last->kept[index].event;
	last->record.decoded = false;
	record_decode(&last->record);
	return &last->record;
}
