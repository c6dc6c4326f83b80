/* SPDX-License-Identifier: MIT */
#include "viewer/merge.h"

#include <errno.h>
#include <stdlib.h>

struct merge {
	struct merge_source *sources;
	size_t count;
	bool backward;
	struct event *heads; /* the next event of each source that has one */
	size_t *heap;	     /* sources by the time of their heads */
	size_t heap_count;
	bool used; /* the first of the heap was handed out */
};

static bool earlier(const struct merge *merge, size_t a, size_t b)
{
	const struct event *left = &merge->heads[a], *right = &merge->heads[b];

	if (left->time_ns == right->time_ns)
		return merge->backward ? a > b : a < b;
	return merge->backward ? left->time_ns > right->time_ns : left->time_ns < right->time_ns;
}

static void sift_down(struct merge *merge, size_t at)
{
	size_t child, moved = merge->heap[at];

	for (; (child = 2 * at + 1) < merge->heap_count; at = child) {
		if (child + 1 < merge->heap_count &&
		    earlier(merge, merge->heap[child + 1], merge->heap[child]))
			child++;
		if (!earlier(merge, merge->heap[child], moved))
			break;
		merge->heap[at] = merge->heap[child];
	}
	merge->heap[at] = moved;
}

static bool source_next(const struct merge *merge, size_t which, struct event *ret_event)
{
	const struct merge_source *source = &merge->sources[which];

	return source->next(source->context, ret_event);
}

int merge_open_sources(struct merge **ret_merge, const struct merge_source *sources, size_t count,
		       bool backward)
{
	struct merge *merge = calloc(1, sizeof(*merge));

	if (!merge)
		return -ENOMEM;
	merge->count = count;
	merge->backward = backward;
	merge->sources = calloc(count + 1, sizeof(*merge->sources));
	merge->heads = calloc(count + 1, sizeof(*merge->heads));
	merge->heap = calloc(count + 1, sizeof(*merge->heap));
	if (!merge->sources || !merge->heads || !merge->heap) {
		merge_close(merge);
		return -ENOMEM;
	}
	for (size_t i = 0; i < count; i++)
		merge->sources[i] = sources[i];
	for (size_t i = 0; i < count && count > 1; i++)
		if (source_next(merge, i, &merge->heads[i]))
			merge->heap[merge->heap_count++] = i;
	for (size_t i = merge->heap_count / 2; i--;)
		sift_down(merge, i);
	*ret_merge = merge;
	return 0;
}

static bool next_of_dump(void *context, struct event *ret_event)
{
	return dump_next(context, ret_event);
}

int merge_open(struct merge **ret_merge, struct dump *const *dumps, size_t count)
{
	struct merge_source *sources = calloc(count + 1, sizeof(*sources));
	int error;

	if (!sources)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		sources[i] = (struct merge_source){next_of_dump, dumps[i]};
	error = merge_open_sources(ret_merge, sources, count, false);
	free(sources);
	return error;
}

/* Replaces the event that was handed out by the next of its dump: only now, its values were in use. */
static void step(struct merge *merge)
{
	size_t first = merge->heap[0];

	if (!source_next(merge, first, &merge->heads[first]))
		merge->heap[0] = merge->heap[--merge->heap_count];
	if (merge->heap_count > 1)
		sift_down(merge, 0);
}

bool merge_next(struct merge *merge, struct event *ret_event)
{
	if (merge->count == 1)
		return source_next(merge, 0, ret_event);
	if (merge->used)
		step(merge);
	merge->used = merge->heap_count > 0;
	if (merge->used)
		*ret_event = merge->heads[merge->heap[0]];
	return merge->used;
}

void merge_close(struct merge *merge)
{
	if (!merge)
		return;
	free(merge->sources);
	free(merge->heads);
	free(merge->heap);
	free(merge);
}
