/* SPDX-License-Identifier: MIT */
#include "viewer/show.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "viewer/format.h"
#include "viewer/merge.h"

/* An event that may yet be printed, with bytes of its own. */
struct kept {
	struct event event;
	unsigned char *bytes;
	size_t capacity;
};

struct show {
	struct out *out;
	struct options *options;
	const struct format *format;
	void *state; /* the format's */
	struct merge *merge;
	struct record record;
	struct kept *ring; /* of the newest: options->limit at the most */
	size_t ring_count, ring_capacity, ring_next;
	uint64_t matched;
};

/* ---- the newest -------------------------------------------------------------------------------
 */

static int ring_grow(struct show *show)
{
	size_t capacity = show->ring_capacity ? show->ring_capacity * 2 : 256;
	struct kept *ring;

	if (capacity > show->options->limit)
		capacity = show->options->limit;
	ring = reallocarray(show->ring, capacity, sizeof(*ring));
	if (!ring)
		return -ENOMEM;
	memset(ring + show->ring_capacity, 0, (capacity - show->ring_capacity) * sizeof(*ring));
	show->ring = ring;
	show->ring_capacity = capacity;
	return 0;
}

static int keep(struct show *show, const struct event *event)
{
	struct kept *kept;
	unsigned char *bytes;
	int error;

	if (!show->options->limit)
		return 0;
	if (show->ring_count == show->ring_capacity && show->ring_count < show->options->limit) {
		error = ring_grow(show);
		if (error)
			return error;
	}
	kept = &show->ring[show->ring_next];
	if (kept->capacity < event->values_bytes) {
		bytes = realloc(kept->bytes, event->values_bytes);
		if (!bytes)
			return -ENOMEM;
		kept->bytes = bytes;
		kept->capacity = event->values_bytes;
	}
	kept->event = *event;
	if (event->values_bytes)
		memcpy(kept->bytes, event->values, event->values_bytes);
	kept->event.values = kept->bytes;
	if (show->ring_count < show->options->limit)
		show->ring_count++;
	show->ring_next = show->ring_next + 1 == show->options->limit ? 0 : show->ring_next + 1;
	return 0;
}

/* ---- printing ---------------------------------------------------------------------------------
 */

static int print(struct show *show, struct record *record)
{
	show->matched++;
	return show->format->event(show->state, record);
}

static int print_ring(struct show *show)
{
	size_t oldest = show->ring_count < show->options->limit ? 0 : show->ring_next;
	int error = 0;

	for (size_t i = 0; i < show->ring_count && !error && !show->out->error; i++) {
		show->record.event = show->ring[(oldest + i) % show->ring_count].event;
		show->record.decoded = false;
		error = print(show, &show->record);
	}
	return error;
}

/* 1: there may be more, 0: enough was printed, or a negative errno. */
static int take(struct show *show)
{
	const struct options *options = show->options;
	int error;

	show->record.decoded = false;
	if (!query_match(&show->options->query, &show->record))
		return 1;
	if (options->limited && !options->oldest)
		return keep(show, &show->record.event) ? -ENOMEM : 1;
	error = print(show, &show->record);
	return error ? error : !(options->limited && show->matched == options->limit);
}

static int run(struct show *show)
{
	const struct options *options = show->options;
	bool more = !(options->limited && options->oldest && !options->limit);
	int got = 1;

	while (more && !show->out->error && merge_next(show->merge, &show->record.event)) {
		got = take(show);
		more = got > 0;
	}
	if (got >= 0)
		got = print_ring(show);
	if (got < 0)
		return got;
	/* Nothing to see is nothing to see: no line of a death among no events. */
	got = show->format->end(show->state, more && (show->matched || !options->query.term_count));
	return got ? got : show->out->error;
}

int show_events(struct out *out, struct options *options, struct dump *const *dumps,
		size_t dump_count, uint64_t *ret_matched)
{
	const struct format_env env = {.out = out,
				       .dumps = dumps,
				       .dump_count = dump_count,
				       .output = options->output,
				       .columns = options->columns,
				       .time = options->time,
				       .colour = options->colour,
				       .width = options->width};
	struct show *show = calloc(1, sizeof(*show));
	int error;

	if (!show)
		return -ENOMEM;
	show->out = out;
	show->options = options;
	show->format = options->format;
	error = show->format->open(&show->state, &env);
	if (!error)
		error = merge_open(&show->merge, dumps, dump_count);
	if (!error)
		error = run(show);
	*ret_matched = show->matched;
	for (size_t i = 0; i < show->ring_capacity; i++)
		free(show->ring[i].bytes);
	show->format->close(show->state);
	free(show->ring);
	merge_close(show->merge);
	free(show);
	return error;
}
