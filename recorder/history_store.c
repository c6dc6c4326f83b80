/* SPDX-License-Identifier: MIT */
/* history_store.c - segments of memory: filled one after the other, given up oldest first. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "recorder/history_parts.h"

/* A client that says little is not charged for much; one that says a lot has few segments. */
#define SEGMENT_BYTES_MIN ((size_t)64 << 10)
#define SEGMENT_BYTES_MAX ((size_t)1 << 20)

/* The segments of a cut, as they were then. */
struct history_hold {
	const struct ttlog_reader_saved **saved;
	uint32_t segment_count;
	struct history_segment *segment[];
};

/* ---- segments --------------------------------------------------------------------------- */

/* The thread gives the memory back. */
static void segment_put(struct histories *histories, struct history_segment *segment)
{
	if (--segment->holders)
		return;
	segment->next = histories->garbage;
	histories->garbage = segment;
	history_wake(histories);
}

/* The first of its history: it is the oldest of that one, but maybe not of all. */
static void drop_first(struct history *history)
{
	struct histories *histories = history->histories;
	struct history_segment *segment = history->first;

	history->first = segment->next;
	if (!history->first)
		history->last = NULL;
	*(segment->all_before ? &segment->all_before->all_next : &histories->oldest) =
		segment->all_next;
	*(segment->all_next ? &segment->all_next->all_before : &histories->newest) =
		segment->all_before;
	history->bytes -= segment->bytes;
	histories->figures.bytes -= segment->bytes;
	segment->history = NULL;
	segment_put(histories, segment);
}

void history_drop_all(struct history *history)
{
	while (history->first)
		drop_first(history);
}

/* Until there is room for so many bytes more. */
static void make_room(struct history *history, size_t bytes)
{
	struct histories *histories = history->histories;
	const struct history_options *options = &histories->options;
	struct history *from;

	for (;;) {
		if (history->first && history->bytes + bytes > options->client_bytes)
			from = history;
		else if (histories->oldest &&
			 histories->figures.bytes + bytes > options->total_bytes)
			from = histories->oldest->history;
		else
			return;
		histories->figures.evicted += from->first->event_count;
		from->has_given_up = true;
		drop_first(from);
	}
}

static size_t segment_bytes(const struct history *history)
{
	const size_t twice = history->last ? 2 * history->last->bytes : SEGMENT_BYTES_MIN;
	const uint64_t share = history->histories->options.client_bytes / 16;
	const size_t most = share < SEGMENT_BYTES_MAX ? (size_t)share : SEGMENT_BYTES_MAX;

	if (twice <= SEGMENT_BYTES_MIN || most <= SEGMENT_BYTES_MIN)
		return SEGMENT_BYTES_MIN;
	return (twice < most ? twice : most) & ~(SEGMENT_BYTES_MIN - 1);
}

static struct history_segment *segment_add(struct history *history)
{
	struct histories *histories = history->histories;
	const size_t bytes = segment_bytes(history);
	struct history_segment *segment;

	make_room(history, bytes);
	/* More than all may have: only this one's budget was set so. */
	if (histories->figures.bytes + bytes > histories->options.total_bytes)
		return NULL;
	segment = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (segment == MAP_FAILED)
		return NULL;
	segment->history = history;
	segment->holders = 1;
	segment->bytes = bytes;
	*(history->last ? &history->last->next : &history->first) = segment;
	history->last = segment;
	segment->all_before = histories->newest;
	*(histories->newest ? &histories->newest->all_next : &histories->oldest) = segment;
	histories->newest = segment;
	history->bytes += bytes;
	histories->figures.bytes += bytes;
	return segment;
}

static size_t room_of(const struct history_segment *segment)
{
	return segment->bytes - sizeof(*segment) - segment->used;
}

bool history_keep(struct history *history, struct ttlog_reader_saved *saved,
		  const unsigned char *packed)
{
	const size_t bytes = (sizeof(*saved) + saved->stored_bytes + 7) & ~(size_t)7;
	struct histories *histories = history->histories;
	struct history_segment *segment;

	pthread_mutex_lock(&histories->lock);
	segment = history->last;
	if (!segment || room_of(segment) < bytes)
		segment = segment_add(history);
	if (segment) {
		unsigned char *to = segment->data + segment->used;

		memcpy(to, saved, sizeof(*saved));
		memcpy(to + sizeof(*saved), packed, saved->stored_bytes);
		segment->used += bytes;
		segment->chunk_count++;
		segment->event_count += saved->event_count;
		histories->figures.chunks++;
		histories->figures.events += saved->event_count;
	}
	pthread_mutex_unlock(&histories->lock);
	return segment != NULL;
}

/* ---- cuts ------------------------------------------------------------------------------- */

static uint32_t count_segments(const struct history *history)
{
	uint32_t count = 0;

	for (const struct history_segment *at = history->first; at; at = at->next)
		count++;
	return count;
}

/* With the lock; *ret_chunks is how many there are in all. */
static struct history_hold *hold_all(struct history *history, uint64_t *ret_chunks)
{
	const uint32_t count = count_segments(history);
	struct history_hold *hold = malloc(sizeof(*hold) + count * sizeof(hold->segment[0]));

	*ret_chunks = 0;
	if (!hold)
		return NULL;
	hold->saved = NULL;
	hold->segment_count = 0;
	for (struct history_segment *at = history->first; at; at = at->next) {
		at->holders++;
		hold->segment[hold->segment_count++] = at;
		*ret_chunks += at->chunk_count;
	}
	return hold;
}

static void hold_release(struct histories *histories, struct history_hold *hold)
{
	if (!hold)
		return;
	pthread_mutex_lock(&histories->lock);
	for (uint32_t i = 0; i < hold->segment_count; i++)
		segment_put(histories, hold->segment[i]);
	pthread_mutex_unlock(&histories->lock);
	free(hold->saved);
	free(hold);
}

/* As many as there were at the cut: the last segment may have got more since. */
static void list_saved(struct history_hold *hold, uint64_t count)
{
	uint64_t listed = 0;

	for (uint32_t i = 0; i < hold->segment_count; i++) {
		const unsigned char *at = hold->segment[i]->data;

		for (uint32_t k = 0; listed < count && (i + 1 == hold->segment_count ||
							k < hold->segment[i]->chunk_count);
		     k++) {
			const struct ttlog_reader_saved *saved = (const void *)at;

			hold->saved[listed++] = saved;
			at += (sizeof(*saved) + saved->stored_bytes + 7) & ~(size_t)7;
		}
	}
}

static int cut(struct ttlog_reader_history *reader)
{
	struct history_cut *cut = (struct history_cut *)reader;
	struct histories *histories = cut->history->histories;
	uint64_t count;

	pthread_mutex_lock(&histories->lock);
	cut->hold = hold_all(cut->history, &count);
	cut->bytes = cut->history->bytes;
	reader->is_whole = !cut->history->has_given_up;
	cut->budget_bytes = histories->options.client_bytes;
	pthread_mutex_unlock(&histories->lock);
	if (!cut->hold || count >= UINT32_MAX)
		return -ENOMEM;
	cut->hold->saved = malloc((count + 1) * sizeof(const void *));
	if (!cut->hold->saved)
		return -ENOMEM;
	list_saved(cut->hold, count);
	reader->saved = cut->hold->saved;
	reader->saved_count = (uint32_t)count;
	return 0;
}

static int load(const struct ttlog_reader_history *reader, const struct ttlog_reader_saved *saved,
		unsigned char *to)
{
	const struct history_cut *cut = (const struct history_cut *)reader;

	return history_unpack(cut->coder, (const unsigned char *)(saved + 1), saved->stored_bytes,
			      (enum history_form)saved->form, to, saved->bytes);
}

int history_cut_init(struct history_cut *ret_cut, struct history *history)
{
	*ret_cut = (struct history_cut){
		.reader = {.cut = cut, .load = load},
		.history = history,
		.coder = malloc(sizeof(*ret_cut->coder)),
	};
	return ret_cut->coder ? 0 : -ENOMEM;
}

void history_cut_fini(struct history_cut *cut)
{
	hold_release(cut->history->histories, cut->hold);
	free(cut->coder);
}
