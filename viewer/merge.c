/* SPDX-License-Identifier: MIT */
#include "viewer/merge.h"

#include <errno.h>
#include <stdlib.h>

struct merge {
	struct dump *const *dumps;
	size_t count;
	struct event *heads; /* the next event of each dump that has one */
	size_t *heap;	     /* dumps by the time of their heads */
	size_t heap_count;
	bool used; /* the first of the heap was handed out */
};

static bool earlier(const struct merge *merge, size_t a, size_t b)
{
	const struct event *left = &merge->heads[a], *right = &merge->heads[b];

	return left->time_ns != right->time_ns ? left->time_ns < right->time_ns : a < b;
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

int merge_open(struct merge **ret_merge, struct dump *const *dumps, size_t count)
{
	struct merge *merge = calloc(1, sizeof(*merge));

	if (!merge)
		return -ENOMEM;
	merge->dumps = dumps;
	merge->count = count;
	merge->heads = calloc(count, sizeof(*merge->heads));
	merge->heap = calloc(count, sizeof(*merge->heap));
	if (count && (!merge->heads || !merge->heap)) {
		merge_close(merge);
		return -ENOMEM;
	}
	for (size_t i = 0; i < count && count > 1; i++)
		if (dump_next(dumps[i], &merge->heads[i]))
			merge->heap[merge->heap_count++] = i;
	for (size_t i = merge->heap_count / 2; i--;)
		sift_down(merge, i);
	*ret_merge = merge;
	return 0;
}

/* Replaces the event that was handed out by the next of its dump: only now, its values were in use. */
static void step(struct merge *merge)
{
	size_t first = merge->heap[0];

	if (!dump_next(merge->dumps[first], &merge->heads[first]))
		merge->heap[0] = merge->heap[--merge->heap_count];
	if (merge->heap_count > 1)
		sift_down(merge, 0);
}

bool merge_next(struct merge *merge, struct event *ret_event)
{
	if (merge->count == 1)
		return dump_next(merge->dumps[0], ret_event);
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
	free(merge->heads);
	free(merge->heap);
	free(merge);
}
