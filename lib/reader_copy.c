/* SPDX-License-Identifier: MIT */
/*
 * reader_copy.c - the committed events of a region that may be alive, into private memory.
 *
 * No thread's events have a gap, though chunks are copied one after the other while it writes:
 *
 *   1. all chunks are looked at, for the newest time T of a first event;
 *   2. all state words are read;
 *   3. a chunk is copied if its tenure is that of 2 and its first event is of T at the latest.
 *
 * A thread that began to fill a chunk at T or before was done with its earlier ones by then: 2 sees
 * them, and they are copied whole or counted as recycled. What was begun later is newer than this
 * reader. In a region whose writers are dead nothing is newer than T.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/reader_parts.h"

/* A lane of the region. */
struct source {
	const struct ttlog_lane_geometry *geometry;
	const struct ttlog_chunk_record *records;
	const unsigned char *chunks;
	uint64_t *scanned; /* a state word a chunk */
};

static struct source source_of(const struct ttlog_geometry *region, const unsigned char *base,
			       uint32_t lane)
{
	const struct ttlog_lane_geometry *geometry = &region->lane[lane];
	struct source source = {
		.geometry = geometry,
		.records = (const void *)(base + geometry->records_offset),
		.chunks = base + geometry->chunks_offset,
	};

	return source;
}

static const unsigned char *chunk_at(const struct source *source, uint32_t index)
{
	return source->chunks + (uint64_t)index * source->geometry->chunk_bytes;
}

/* Generation 0 is a chunk that is FREE, or in COND on its way to its first owner. */
static bool has_events(uint64_t state)
{
	return TTLOG_STATE_GENERATION(state) != 0 &&
	       (TTLOG_STATE_OF(state) == TTLOG_CHUNK_OWNED ||
		TTLOG_STATE_OF(state) == TTLOG_CHUNK_RETIRED ||
		TTLOG_STATE_OF(state) == TTLOG_CHUNK_COND);
}

/* Is what was copied since `before` was loaded still of that tenure? */
static bool is_same_tenure(uint64_t before, uint64_t after)
{
	return TTLOG_STATE_GENERATION(before) == TTLOG_STATE_GENERATION(after) &&
	       TTLOG_STATE_OF(after) != TTLOG_CHUNK_INIT;
}

/* ---- chunks ---------------------------------------------------------------------------------- */

/*
 * Bytes of the events that are committed now, by their headers: an event is whole when its header
 * is there. Damage ends the walk. It reads the living chunk, so all it says is how much to copy.
 * model: read_walk
 */
static uint32_t walk(const unsigned char *chunk, uint32_t chunk_bytes, bool *ret_torn)
{
	uint32_t offset = TTLOG_CHUNK_FIRST, end = chunk_bytes - 8;

	while (offset < end) {
		const _Atomic uint64_t *header = (const void *)(chunk + offset);
		/* Pairs with the release of the commit. */
		uint64_t word = atomic_load_explicit(header, memory_order_acquire);
		uint32_t size = TTLOG_EVENT_BYTES(word);

		if (word == 0)
			break;
		if (size < TTLOG_EVENT_MIN || size % 8 != 0 || size > end - offset) {
			*ret_torn = true;
			break;
		}
		offset += size;
	}
	return offset - TTLOG_CHUNK_FIRST;
}

/* What was overwritten in a chunk before that generation. */
static struct reader_lost account_load(const struct source *source, uint32_t index,
				       uint64_t generation)
{
	const struct ttlog_account *account = &source->records[index].account[generation & 1];
	struct reader_lost lost = {
		.count = atomic_load_explicit(&account->count, memory_order_relaxed),
		.first = atomic_load_explicit(&account->first, memory_order_relaxed),
		.last = atomic_load_explicit(&account->last, memory_order_relaxed),
	};

	return lost;
}

void ttlog_reader_lost_add(struct ttlog_reader_lane *lane, const struct reader_lost *lost)
{
	if (lost->count == 0)
		return;
	reader_count(&lane->overwritten, lost->count);
	if (lost->first != 0 &&
	    (lane->overwritten_first == 0 || lost->first < lane->overwritten_first))
		lane->overwritten_first = lost->first;
	if (lost->last > lane->overwritten_last)
		lane->overwritten_last = lost->last;
}

/*
 * The account of a chunk of which no events are taken: that of its generation by now.
 * model: read_account
 */
static struct reader_lost account_take(const struct source *source, uint32_t index,
				       uint64_t *ret_generation)
{
	const int tries = 3;
	uint64_t before = atomic_load_explicit(&source->records[index].state, memory_order_acquire);
	struct reader_lost lost = {0};

	for (int i = 0; i < tries; i++) {
		uint64_t after;

		lost = account_load(source, index, TTLOG_STATE_GENERATION(before));
		atomic_thread_fence(memory_order_acquire);
		after = atomic_load_explicit(&source->records[index].state, memory_order_acquire);
		if (TTLOG_STATE_GENERATION(before) == TTLOG_STATE_GENERATION(after))
			break;
		before = after;
	}
	*ret_generation = TTLOG_STATE_GENERATION(before);
	return lost;
}

/*
 * Copies a chunk and its account if it is still what the scan saw. False: it changed hands. The
 * account of a generation stays as it is as long as the generation does.
 * model: read_again, read_copy, read_state
 */
static bool chunk_copy(const struct source *source, uint32_t lane, uint32_t index, uint64_t scanned,
		       struct reader_chunk *copy, unsigned char *to, struct reader_lost *ret_lost)
{
	const unsigned char *chunk = chunk_at(source, index);
	struct ttlog_chunk head;
	struct reader_lost lost;
	/* Pairs with the release of OWNED: the first header of this tenure is there. */
	uint64_t before = atomic_load_explicit(&source->records[index].state, memory_order_acquire),
		 after;

	if (!has_events(before) || !is_same_tenure(scanned, before))
		return false;
	lost = account_load(source, index, TTLOG_STATE_GENERATION(before));
	copy->is_torn = false;
	copy->bytes = walk(chunk, source->geometry->chunk_bytes, &copy->is_torn);
	reader_copy_bytes(&head, chunk, sizeof(head));
	reader_copy_bytes(to, chunk + TTLOG_CHUNK_FIRST, copy->bytes);
	/*
	 * If anything of the next tenure was copied, INIT is seen below; pairs with the fence
	 * after INIT.
	 */
	atomic_thread_fence(memory_order_acquire);
	after = atomic_load_explicit(&source->records[index].state, memory_order_relaxed);
	if (!is_same_tenure(before, after))
		return false;
	*ret_lost = lost;
	copy->events = to;
	copy->saved = NULL;
	copy->lane = lane;
	copy->index = index;
	copy->epoch = head.epoch;
	copy->channel = TTLOG_READER_NO_CHANNEL;
	copy->tid = head.tid;
	copy->taken_ticks = head.taken_ticks;
	copy->writer = lane == TTLOG_LANE_CHANNEL ? 0 : head.writer % READER_WRITERS;
	memcpy(copy->thread_name, head.thread_name, sizeof(copy->thread_name) - 1);
	copy->thread_name[sizeof(copy->thread_name) - 1] = '\0';
	return true;
}

bool ttlog_reader_chunk_copy(const struct ttlog_geometry *geometry, const void *base, uint32_t lane,
			     uint32_t index, uint64_t scanned, struct reader_chunk *copy,
			     unsigned char *to, struct reader_lost *ret_lost)
{
	const struct source source = source_of(geometry, base, lane);

	return chunk_copy(&source, lane, index, scanned, copy, to, ret_lost);
}

/* ---- all of it ------------------------------------------------------------------------------- */

static void ledger_take(struct ttlog_reader *reader, const unsigned char *base)
{
	const struct ttlog_ledger *ledger = (const void *)(base + reader->geometry.ledger_offset);

	for (uint32_t i = 0; i < reader->geometry.lane_count; i++) {
		const struct ttlog_lane_ledger *from = &ledger->lane[i];
		struct ttlog_reader_lane *to = &reader->lane[i];

		to->dropped = atomic_load_explicit(&from->dropped, memory_order_relaxed);
		to->dropped_first =
			atomic_load_explicit(&from->dropped_first, memory_order_relaxed);
		to->dropped_last = atomic_load_explicit(&from->dropped_last, memory_order_relaxed);
		to->truncated = atomic_load_explicit(&from->truncated, memory_order_relaxed);
	}
	reader->totals.dict_full = atomic_load_explicit(&ledger->dict_full, memory_order_relaxed);
	reader->channel_totals = (struct ttlog_reader_channel_totals){
		.open = atomic_load_explicit(&ledger->channels_open, memory_order_relaxed),
		.opened = atomic_load_explicit(&ledger->channels_opened, memory_order_relaxed),
		.replaced = atomic_load_explicit(&ledger->channels_replaced, memory_order_relaxed),
		.refused = atomic_load_explicit(&ledger->channels_refused, memory_order_relaxed),
	};
}

/*
 * The state words, and room for what they promise: *ret_bytes of events, and the chunks.
 * model: read_scan
 */
static int scan(struct ttlog_reader *reader, struct source *sources, uint64_t *words,
		uint64_t *ret_bytes)
{
	uint64_t chunk_count = 0, bytes = 0;

	for (uint32_t lane = 0; lane < reader->geometry.lane_count; lane++) {
		struct source *source = &sources[lane];

		source->scanned = words;
		words += source->geometry->chunk_count;
		for (uint32_t i = 0; i < source->geometry->chunk_count; i++) {
			uint64_t state = atomic_load_explicit(&source->records[i].state,
							      memory_order_acquire);

			source->scanned[i] = state;
			reader->lane[lane].chunks_used += TTLOG_STATE_OF(state) != TTLOG_CHUNK_FREE;
			reader->totals.torn += TTLOG_STATE_OF(state) > TTLOG_CHUNK_INIT;
			if (!has_events(state))
				continue;
			chunk_count++;
			bytes += TTLOG_CHUNK_ROOM(source->geometry->chunk_bytes);
		}
	}
	reader->chunk = malloc((chunk_count + 1) * sizeof(*reader->chunk));
	*ret_bytes = bytes;
	return reader->chunk ? 0 : -ENOMEM;
}

/* Ticks of the first event, 0 = none. Of a chunk that changes hands: the old or the new. */
static uint64_t first_ticks(const unsigned char *chunk)
{
	const _Atomic uint64_t *event = (const void *)(chunk + TTLOG_CHUNK_FIRST);

	if (atomic_load_explicit(&event[0], memory_order_acquire) == 0)
		return 0;
	return atomic_load_explicit(&event[1], memory_order_relaxed);
}

/* model: read_newest */
static uint64_t newest_first(const struct ttlog_reader *reader, const struct source *sources)
{
	uint64_t newest = 0;

	for (uint32_t lane = 0; lane < reader->geometry.lane_count; lane++) {
		const struct source *source = &sources[lane];

		for (uint32_t i = 0; i < source->geometry->chunk_count; i++) {
			uint64_t ticks;

			if (!has_events(atomic_load_explicit(&source->records[i].state,
							     memory_order_acquire)))
				continue;
			ticks = first_ticks(chunk_at(source, i));
			if (ticks > newest)
				newest = ticks;
		}
	}
	return newest;
}

static bool is_kept(const struct reader_chunk *copy, uint64_t newest)
{
	if (copy->bytes == 0)
		return copy->is_torn; /* to be counted */
	return reader_event_ticks(copy->events) <= newest;
}

/* The generation of the newest events that a chunk of that state has, or had. */
static uint64_t newest_generation(uint64_t state)
{
	const uint64_t generation = TTLOG_STATE_GENERATION(state);

	return has_events(state) || !generation ? generation : generation - 1;
}

/* The lost of lane CHANNEL are kept, a chunk each; with a history those of all lanes, at place. */
static void chunks_copy(struct ttlog_reader *reader, const struct source *sources, uint64_t newest,
			struct reader_lost *channel_lost, struct reader_history_place *place)
{
	unsigned char *to = reader->arena;

	for (uint32_t lane = 0; lane < reader->geometry.lane_count; lane++) {
		const struct source *source = &sources[lane];

		for (uint32_t i = 0; i < source->geometry->chunk_count; i++) {
			struct reader_chunk *copy = &reader->chunk[reader->chunk_count];
			struct reader_lost lost;
			uint64_t scanned = source->scanned[i];
			uint64_t generation = TTLOG_STATE_GENERATION(scanned);
			bool is_wanted = has_events(scanned);
			bool is_copied = is_wanted &&
					 chunk_copy(source, lane, i, scanned, copy, to, &lost);
			if (!is_copied) {
				reader->lane[lane].recycled_while_read += is_wanted;
				lost = account_take(source, i, &generation);
			} else if (is_kept(copy, newest)) {
				to += copy->bytes;
				reader->chunk_count++;
			}
			if (place)
				*place++ = (struct reader_history_place){
					.generation = generation,
					.scanned = newest_generation(scanned),
					.newest = newest,
					.is_recycled = is_wanted && !is_copied,
					.lost = lost,
				};
			else
				ttlog_reader_lost_add(&reader->lane[lane], &lost);
			if (lane == TTLOG_LANE_CHANNEL)
				channel_lost[i] = lost;
		}
	}
}

int ttlog_reader_copy(struct ttlog_reader *reader, const unsigned char *base)
{
	uint64_t *words, word_count = 0, bytes, newest;
	struct reader_history_place *history = NULL;
	struct source sources[TTLOG_LANE_MAX];
	struct reader_places places;
	int error;

	for (uint32_t lane = 0; lane < reader->geometry.lane_count; lane++) {
		sources[lane] = source_of(&reader->geometry, base, lane);
		word_count += reader->geometry.lane[lane].chunk_count;
	}
	words = malloc((word_count + 1) * sizeof(*words));
	if (!words)
		return -ENOMEM;
	error = ttlog_reader_places_open(&places, reader, base);
	if (error)
		goto out;
	newest = newest_first(reader, sources);
	error = scan(reader, sources, words, &bytes);
	if (error)
		goto out;
	error = -ENOMEM;
	/* Pages of it that no event reaches are never touched. */
	reader->arena = malloc(bytes + 1);
	if (!reader->arena)
		goto out;
	if (reader->history) {
		history = malloc((word_count + 1) * sizeof(*history));
		if (!history)
			goto out;
	}
	chunks_copy(reader, sources, newest, places.lost, history);
	ledger_take(reader, base);
	/* Only now: what was recycled while we copied may have been saved. */
	error = history ? ttlog_reader_saved_take(reader, history) : 0;
	if (!error)
		error = ttlog_reader_places_take(&places, reader, base);
	if (!error && history)
		ttlog_reader_saved_settle(reader);
out:
	free(history);
	ttlog_reader_places_close(&places);
	free(words);
	return error;
}
