/* SPDX-License-Identifier: MIT */
/*
 * reader.c - a copied region, checked and put in order of time.
 *
 * A run is the chunks that one thread filled one after the other in one lane or channel, or all
 * slots of a lane; what its handlers recorded after they had set its writer aside is a run beside
 * that. Within a run the order of recording holds whatever the timestamps say: an event that claims
 * to be older than the one before it comes right behind that one. The runs are merged by a heap.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/reader_parts.h"

static bool is_slots(const struct ttlog_reader *reader, uint32_t lane)
{
	return reader->geometry.lane[lane].flags & TTLOG_LANE_SLOTS;
}

/* ---- the check ------------------------------------------------------------------------------- */

static void span_add(uint64_t *first, uint64_t *last, bool is_empty, uint64_t oldest,
		     uint64_t newest)
{
	if (is_empty || oldest < *first)
		*first = oldest;
	if (is_empty || newest > *last)
		*last = newest;
}

/* Counts the chunk's events and cuts it off at the first that makes no sense. */
static void chunk_check(struct ttlog_reader *reader, struct reader_chunk *chunk,
			const unsigned char *events)
{
	uint32_t offset = 0;

	chunk->event_count = 0;
	while (offset < chunk->bytes) {
		const unsigned char *event = events + offset;
		uint32_t size =
			ttlog_reader_event(&reader->dict, event, chunk->bytes - offset, NULL);
		uint64_t ticks;

		if (size == 0) {
			chunk->is_torn = true;
			break;
		}
		ticks = reader_event_ticks(event);
		if (chunk->event_count == 0)
			chunk->first_ticks = ticks;
		span_add(&chunk->oldest_ticks, &chunk->newest_ticks, chunk->event_count == 0, ticks,
			 ticks);
		chunk->event_count++;
		offset += size;
	}
	chunk->bytes = offset;
	reader->totals.torn += chunk->is_torn;
}

static int saved_load(const struct ttlog_reader *reader, const struct reader_chunk *chunk,
		      unsigned char *to)
{
	return reader->history->load(reader->history, chunk->saved, to);
}

/* Checks all chunks and forgets those of which nothing is left. 0 or a negative errno. */
static int chunks_check(struct ttlog_reader *reader)
{
	struct ttlog_reader_totals *totals = &reader->totals;
	unsigned char *loaded = reader->history ? malloc(READER_CHUNK_BYTES_MAX) : NULL;
	uint32_t kept = 0;
	int error = 0;

	if (reader->history && !loaded)
		return -ENOMEM;
	for (uint32_t i = 0; i < reader->chunk_count; i++) {
		struct reader_chunk *chunk = &reader->chunk[i];

		error = chunk->saved ? saved_load(reader, chunk, loaded) : 0;
		if (error)
			break;
		chunk_check(reader, chunk, chunk->saved ? loaded : chunk->events);
		if (chunk->event_count == 0)
			continue;
		span_add(&totals->first_ticks, &totals->last_ticks, totals->events == 0,
			 chunk->oldest_ticks, chunk->newest_ticks);
		totals->events += chunk->event_count;
		reader->lane[chunk->lane].events += chunk->event_count;
		if (chunk->channel != TTLOG_READER_NO_CHANNEL)
			reader->channel[chunk->channel].events += chunk->event_count;
		reader->chunk[kept++] = *chunk;
	}
	reader->chunk_count = kept;
	free(loaded);
	return error;
}

static void totals_take(struct ttlog_reader *reader)
{
	for (uint32_t i = 0; i < reader->geometry.lane_count; i++) {
		reader_count(&reader->totals.overwritten, reader->lane[i].overwritten);
		reader_count(&reader->totals.dropped, reader->lane[i].dropped);
		reader_count(&reader->totals.truncated, reader->lane[i].truncated);
	}
}

static int compare(uint64_t left, uint64_t right)
{
	return (left > right) - (left < right);
}

/* ---- threads --------------------------------------------------------------------------------- */

static int thread_compare(const void *left, const void *right)
{
	const struct reader_chunk *a = left, *b = right;
	int order = compare(a->tid, b->tid);

	return order ? order : compare(a->taken_ticks, b->taken_ticks);
}

/* Where the next chunk in the order of thread_compare() belongs to. */
static struct ttlog_reader_thread *thread_of(struct ttlog_reader *reader,
					     const struct reader_chunk *chunk, bool is_same_tid)
{
	struct ttlog_reader_thread *thread = &reader->thread[reader->thread_count];

	if (is_same_tid || reader->thread_count == READER_THREADS_MAX)
		return thread - 1;
	memset(thread, 0, sizeof(*thread));
	/* The last one is for all that come too many: nobody's. */
	if (++reader->thread_count < READER_THREADS_MAX)
		thread->tid = chunk->tid;
	return thread;
}

/* Finds out whose each chunk is. A thread's newest name wins. */
static int threads_make(struct ttlog_reader *reader)
{
	uint32_t max = reader->chunk_count;

	if (max > READER_THREADS_MAX)
		max = READER_THREADS_MAX;
	reader->thread = malloc((max + 1) * sizeof(*reader->thread));
	if (!reader->thread)
		return -ENOMEM;
	qsort(reader->chunk, reader->chunk_count, sizeof(*reader->chunk), thread_compare);
	for (uint32_t i = 0; i < reader->chunk_count; i++) {
		struct reader_chunk *chunk = &reader->chunk[i];
		bool is_same_tid = i > 0 && chunk[-1].tid == chunk->tid;
		struct ttlog_reader_thread *thread = thread_of(reader, chunk, is_same_tid);

		span_add(&thread->first_ticks, &thread->last_ticks, thread->events == 0,
			 chunk->oldest_ticks, chunk->newest_ticks);
		thread->events += chunk->event_count;
		if (thread->tid == chunk->tid)
			memcpy(thread->name, chunk->thread_name, sizeof(thread->name));
		chunk->thread = (uint32_t)(thread - reader->thread);
		chunk->run = is_slots(reader, chunk->lane)
				     ? 0
				     : chunk->thread * READER_WRITERS + chunk->writer;
	}
	return 0;
}

/* ---- the order ------------------------------------------------------------------------------- */

/*
 * Of events at the same tick, a thread's come in the order in which it goes through the lanes. What
 * is behind a slot is of a later tick: see record_in_slot().
 */
static uint32_t lane_rank(uint32_t lane)
{
	static const uint32_t order[] = {TTLOG_LANE_BOOT, TTLOG_LANE_MAIN, TTLOG_LANE_AFTERLIFE};
	const uint32_t chunk_lanes = sizeof(order) / sizeof(order[0]);

	for (uint32_t i = 0; i < chunk_lanes; i++)
		if (order[i] == lane)
			return i;
	return chunk_lanes + lane;
}

static int chunk_compare(const void *left, const void *right)
{
	const struct reader_chunk *a = left, *b = right;
	int order = compare(lane_rank(a->lane), lane_rank(b->lane));

	if (order == 0)
		order = compare(a->channel, b->channel);
	if (order == 0)
		order = compare(a->run, b->run);
	if (order == 0)
		order = compare(a->first_ticks, b->first_ticks);
	if (order == 0)
		order = compare(a->taken_ticks, b->taken_ticks);
	/* What was saved is older than what is in the region. */
	if (order == 0)
		order = compare(!a->saved, !b->saved);
	if (order == 0 && a->saved)
		order = compare((uintptr_t)a->saved, (uintptr_t)b->saved);
	return order ? order : compare((uintptr_t)a->events, (uintptr_t)b->events);
}

static bool is_same_run(const struct reader_chunk *a, const struct reader_chunk *b)
{
	return a->lane == b->lane && a->channel == b->channel && a->run == b->run;
}

static int runs_make(struct ttlog_reader *reader)
{
	uint32_t count = 0;

	qsort(reader->chunk, reader->chunk_count, sizeof(*reader->chunk), chunk_compare);
	for (uint32_t i = 0; i < reader->chunk_count; i++)
		count += i == 0 || !is_same_run(&reader->chunk[i - 1], &reader->chunk[i]);
	reader->run = malloc((count + 1) * sizeof(*reader->run));
	reader->heap = malloc((count + 1) * sizeof(*reader->heap));
	if (!reader->run || !reader->heap)
		return -ENOMEM;
	for (uint32_t i = 0; i < reader->chunk_count; i++) {
		if (i == 0 || !is_same_run(&reader->chunk[i - 1], &reader->chunk[i]))
			reader->run[reader->run_count++] = (struct reader_run){.chunk_first = i};
		reader->run[reader->run_count - 1].chunk_end = i + 1;
	}
	return 0;
}

static bool is_before(const struct reader_heap_node *a, const struct reader_heap_node *b)
{
	return a->ticks < b->ticks || (a->ticks == b->ticks && a->run < b->run);
}

static void heap_sift(struct ttlog_reader *reader, uint32_t at)
{
	struct reader_heap_node *heap = reader->heap, node = heap[at];
	uint32_t child;

	while ((child = 2 * at + 1) < reader->heap_count) {
		if (child + 1 < reader->heap_count && is_before(&heap[child + 1], &heap[child]))
			child++;
		if (!is_before(&heap[child], &node))
			break;
		heap[at] = heap[child];
		at = child;
	}
	heap[at] = node;
}

static void stale_free(struct ttlog_reader *reader)
{
	free(reader->stale);
	reader->stale = NULL;
}

static void runs_unload(struct ttlog_reader *reader)
{
	stale_free(reader);
	for (uint32_t i = 0; i < reader->run_count; i++) {
		free(reader->run[i].loaded);
		reader->run[i].loaded = NULL;
	}
}

/* The events of the chunk that the run is at, from memory or from the history. NULL: no memory. */
static const unsigned char *run_events(struct ttlog_reader *reader, struct reader_run *run)
{
	const struct reader_chunk *chunk = &reader->chunk[run->chunk];

	if (!chunk->saved)
		return chunk->events;
	if (!run->loaded) {
		run->loaded = malloc(chunk->saved->bytes);
		if (!run->loaded)
			return NULL;
		if (saved_load(reader, chunk, run->loaded)) {
			free(run->loaded);
			run->loaded = NULL;
		}
	}
	return run->loaded;
}

void ttlog_reader_rewind(struct ttlog_reader *reader)
{
	runs_unload(reader);
	for (uint32_t i = 0; i < reader->run_count; i++) {
		struct reader_run *run = &reader->run[i];

		run->chunk = run->chunk_first;
		run->offset = 0;
		reader->heap[i].ticks = reader->chunk[run->chunk].first_ticks;
		reader->heap[i].run = i;
	}
	reader->heap_count = reader->run_count;
	for (uint32_t i = reader->heap_count / 2; i-- > 0;)
		heap_sift(reader, i);
}

/* Moves the first run past the event that was just handed out. */
static void heap_advance(struct ttlog_reader *reader, uint32_t size)
{
	struct reader_heap_node *node = &reader->heap[0];
	struct reader_run *run = &reader->run[node->run];

	run->offset += size;
	if (run->offset == reader->chunk[run->chunk].bytes) {
		reader->stale = run->loaded;
		run->loaded = NULL;
		run->chunk++;
		run->offset = 0;
	}
	if (run->chunk == run->chunk_end)
		*node = reader->heap[--reader->heap_count];
	else if (run->offset == 0)
		node->ticks = reader->chunk[run->chunk].first_ticks;
	else
		node->ticks = reader_event_ticks(run_events(reader, run) + run->offset);
	if (reader->heap_count > 0)
		heap_sift(reader, 0);
}

/* ---- what others call ------------------------------------------------------------------------ */

int ttlog_reader_open(struct ttlog_reader **ret_reader, const void *base,
		      const struct ttlog_geometry *geometry)
{
	return ttlog_reader_open_with(ret_reader, base, geometry, NULL);
}

int ttlog_reader_open_with(struct ttlog_reader **ret_reader, const void *base,
			   const struct ttlog_geometry *geometry,
			   struct ttlog_reader_history *history)
{
	struct ttlog_reader *reader = calloc(1, sizeof(*reader));
	int error;

	if (!reader)
		return -ENOMEM;
	reader->geometry = *geometry;
	reader->history = history;
	error = ttlog_reader_copy(reader, base);
	if (error)
		goto out;
	error = ttlog_reader_dict_copy(&reader->dict, base, &reader->geometry);
	if (error)
		goto out;
	error = chunks_check(reader);
	if (error)
		goto out;
	totals_take(reader);
	error = threads_make(reader);
	if (error)
		goto out;
	error = runs_make(reader);
	if (error)
		goto out;
	ttlog_reader_rewind(reader);
	*ret_reader = reader;
	return 0;
out:
	ttlog_reader_close(reader);
	return error;
}

void ttlog_reader_close(struct ttlog_reader *reader)
{
	if (!reader)
		return;
	runs_unload(reader);
	ttlog_reader_dict_free(&reader->dict);
	free(reader->gap);
	free(reader->arena);
	free(reader->chunk);
	free(reader->thread);
	free(reader->channel);
	free(reader->run);
	free(reader->heap);
	free(reader);
}

int ttlog_reader_next(struct ttlog_reader *reader, struct ttlog_reader_event *ret_event)
{
	const struct reader_chunk *chunk;
	const unsigned char *events;
	struct reader_run *run;
	uint32_t size;

	stale_free(reader);
	if (reader->heap_count == 0)
		return 0;
	run = &reader->run[reader->heap[0].run];
	chunk = &reader->chunk[run->chunk];
	events = run_events(reader, run);
	if (!events)
		return -ENOMEM;
	size = ttlog_reader_event(&reader->dict, events + run->offset,
				  chunk->bytes - run->offset, ret_event);
	assert(size != 0); /* chunk_check() saw to it */
	ret_event->lane = chunk->lane;
	ret_event->thread = chunk->thread;
	ret_event->channel = chunk->channel;
	heap_advance(reader, size);
	return 1;
}

const struct ttlog_reader_site *ttlog_reader_site(const struct ttlog_reader *reader, uint32_t id)
{
	const struct reader_site *site = ttlog_reader_dict_site(&reader->dict, id);

	return site ? &site->seen : NULL;
}

const char *ttlog_reader_string(const struct ttlog_reader *reader, uint32_t id)
{
	return id < reader->dict.id_limit ? reader->dict.entry[id].string : NULL;
}

uint32_t ttlog_reader_id_limit(const struct ttlog_reader *reader)
{
	return reader->dict.id_limit;
}

uint32_t ttlog_reader_thread_count(const struct ttlog_reader *reader)
{
	return reader->thread_count;
}

const struct ttlog_reader_thread *ttlog_reader_thread(const struct ttlog_reader *reader,
						      uint32_t index)
{
	return index < reader->thread_count ? &reader->thread[index] : NULL;
}

uint32_t ttlog_reader_channel_count(const struct ttlog_reader *reader)
{
	return reader->channel_count;
}

const struct ttlog_reader_channel *ttlog_reader_channel(const struct ttlog_reader *reader,
							uint32_t index)
{
	return index < reader->channel_count ? &reader->channel[index] : NULL;
}

const struct ttlog_reader_channel_totals *
ttlog_reader_channel_totals(const struct ttlog_reader *reader)
{
	return &reader->channel_totals;
}

uint32_t ttlog_reader_lane_count(const struct ttlog_reader *reader)
{
	return reader->geometry.lane_count;
}

const struct ttlog_reader_lane *ttlog_reader_lane(const struct ttlog_reader *reader, uint32_t lane)
{
	return lane < reader->geometry.lane_count ? &reader->lane[lane] : NULL;
}

uint32_t ttlog_reader_gap_count(const struct ttlog_reader *reader)
{
	return reader->gap_count;
}

const struct ttlog_reader_gap *ttlog_reader_gap(const struct ttlog_reader *reader, uint32_t index)
{
	return index < reader->gap_count ? &reader->gap[index] : NULL;
}

void ttlog_reader_totals(const struct ttlog_reader *reader, struct ttlog_reader_totals *ret_totals)
{
	*ret_totals = reader->totals;
}

const char *ttlog_lane_name(uint32_t lane)
{
	static const char *const name[TTLOG_LANE_COUNT] = {
		[TTLOG_LANE_MAIN] = "main",
		[TTLOG_LANE_ALERT] = "alert",
		[TTLOG_LANE_ALERT_LARGE] = "alert_large",
		[TTLOG_LANE_BOOT] = "boot",
		[TTLOG_LANE_AFTERLIFE] = "afterlife",
		[TTLOG_LANE_NESTED] = "nested",
		[TTLOG_LANE_CHANNEL] = "channel",
	};

	return lane < TTLOG_LANE_COUNT ? name[lane] : "other";
}
