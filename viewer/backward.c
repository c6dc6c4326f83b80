/* SPDX-License-Identifier: MIT */
#include "viewer/backward.h"

#include <errno.h>
#include <stdlib.h>

/* More events than a writer puts into a batch are a dump's that wants to take all memory. */
#define BATCH_EVENTS_MAX (16 * DUMP_BATCH_EVENTS)

struct backward {
	struct dump *dump;
	struct query *query;
	size_t from, to; /* batches that are left */
	struct event *events;
	size_t count;
	struct record record;
	int error;
};

int backward_open(struct backward **ret_backward, struct dump *dump, struct query *query, size_t from,
		  size_t to)
{
	const struct dump_extent *extents;
	struct backward *backward;
	uint64_t most = 1;

	if (to > dump_extents(dump, &extents))
		return -EINVAL;
	for (size_t i = from; i < to; i++)
		most = extents[i].events > most ? extents[i].events : most;
	if (most > BATCH_EVENTS_MAX)
		return -EINVAL;
	backward = calloc(1, sizeof(*backward));
	if (!backward)
		return -ENOMEM;
	*backward = (struct backward){.dump = dump, .query = query, .from = from, .to = to};
	backward->events = calloc(BATCH_EVENTS_MAX, sizeof(*backward->events));
	if (!backward->events) {
		free(backward);
		return -ENOMEM;
	}
	*ret_backward = backward;
	return 0;
}

void backward_close(struct backward *backward)
{
	if (!backward)
		return;
	free(backward->events);
	free(backward);
}

int backward_error(const struct backward *backward)
{
	return backward->error;
}

/* What the index says of a batch's size may be made up, and so may be the batch. */
static void load(struct backward *backward)
{
	struct record *record = &backward->record;

	backward->to--;
	backward->error = dump_range(backward->dump, backward->to, backward->to + 1);
	while (!backward->error && backward->count < BATCH_EVENTS_MAX &&
	       dump_next_unrefused(backward->dump, &record->event)) {
		record->decoded = false;
		if (query_match(backward->query, record))
			backward->events[backward->count++] = record->event;
	}
}

bool backward_next(struct backward *backward, struct event *ret_event)
{
	while (!backward->count && backward->from < backward->to && !backward->error)
		load(backward);
	if (!backward->count)
		return false;
	*ret_event = backward->events[--backward->count];
	return true;
}

/* ---- which batches ----------------------------------------------------------------------------
 */

static int64_t add(int64_t a, int64_t b)
{
	int64_t sum;

	if (__builtin_add_overflow(a, b, &sum))
		return b < 0 ? INT64_MIN : INT64_MAX;
	return sum;
}

/*
 * By how much the wall clock was set back in all: no event of a batch is later than its last one, or
 * earlier than its first one, by more. -1: the dump does not say.
 */
static int64_t set_back(const struct meta_clock *clock)
{
	int64_t ahead, before = 0, all = 0;

	if (!clock->points_kept || clock->points_kept != clock->point_count.bits)
		return -1;
	for (uint64_t i = 0; i < clock->points_kept; i++) {
		if (__builtin_sub_overflow(clock->points[i].realtime_ns,
					   clock->points[i].monotonic_ns, &ahead))
			return -1;
		if (i && ahead < before)
			all = add(all, add(before, ahead == INT64_MIN ? INT64_MAX : -ahead));
		before = ahead;
	}
	return all;
}

void backward_range(struct dump *dump, int64_t from_ns, int64_t to_ns, size_t *ret_from, size_t *ret_to)
{
	const struct dump_extent *extents;
	size_t count = dump_extents(dump, &extents);
	int64_t margin = set_back(&dump_meta(dump)->clock);

	*ret_from = 0;
	*ret_to = count;
	for (size_t i = 1; i < count && margin >= 0; i++)
		if (add(extents[i].first_ns, margin) < extents[i - 1].last_ns)
			margin = -1;
	if (margin < 0)
		return;
	while (*ret_from < *ret_to && add(extents[*ret_from].last_ns, margin) < from_ns)
		++*ret_from;
	while (*ret_from < *ret_to && add(extents[*ret_to - 1].first_ns, -margin) > to_ns)
		--*ret_to;
}
