/* SPDX-License-Identifier: MIT */
/*
 * reader_channel.c - whose channel a copied chunk is.
 *
 * The table is copied before the chunks and after them. A chunk says which generation of its place
 * its events belong to; the entry of that generation, in whichever copy, names it. A chunk that is
 * named by none keeps its events, without a channel. A liar's entries may overlap: each ends where
 * the next one starts.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/reader_parts.h"

static uint64_t load(const _Atomic uint64_t *word)
{
	return atomic_load_explicit(word, memory_order_relaxed);
}

/* One entry, or nothing if it changed meanwhile. */
static void place_copy(struct reader_place *to, const struct ttlog_channel_entry *from)
{
	/* Pairs with the release of whoever opened it: the rest is there. */
	uint64_t state = atomic_load_explicit(&from->state, memory_order_acquire);
	struct ttlog_reader_channel *seen = &to->seen;

	memset(to, 0, sizeof(*to));
	to->channel = TTLOG_READER_NO_CHANNEL;
	if (TTLOG_CHANNEL_STATE_OF(state) == TTLOG_CHANNEL_NONE)
		return;
	to->chunk_count = atomic_load_explicit(&from->chunk_count, memory_order_relaxed);
	to->overwritten_before = load(&from->overwritten_before);
	reader_copy_bytes(seen->name, from->name, sizeof(seen->name) - 1);
	seen->is_open = TTLOG_CHANNEL_STATE_OF(state) == TTLOG_CHANNEL_OPEN;
	seen->diverted = load(&from->diverted);
	seen->diverted_first = load(&from->diverted_first);
	seen->diverted_last = load(&from->diverted_last);
	seen->opened_ticks = load(&from->opened_ticks);
	seen->closed_ticks = seen->is_open ? 0 : load(&from->closed_ticks);
	atomic_thread_fence(memory_order_acquire);
	/* Closed meanwhile, or taken: it is the same channel until its generation is another. */
	if (TTLOG_CHANNEL_GENERATION(state) == TTLOG_CHANNEL_GENERATION(load(&from->state)))
		to->state = state;
}

static void places_copy(struct reader_place *to, const struct ttlog_reader *reader,
			const unsigned char *base)
{
	const struct ttlog_channel_entry *table =
		(const void *)(base + reader->geometry.channels_offset);

	for (uint32_t i = 0; i < reader->geometry.channel_count; i++)
		place_copy(&to[i], &table[i]);
}

int ttlog_reader_places_open(struct reader_places *places, const struct ttlog_reader *reader,
			     const unsigned char *base)
{
	const struct ttlog_geometry *geometry = &reader->geometry;

	places->count = geometry->channel_count;
	places->before = malloc((places->count + 1) * sizeof(*places->before));
	places->after = malloc((places->count + 1) * sizeof(*places->after));
	places->lost = calloc(geometry->lane[TTLOG_LANE_CHANNEL].chunk_count + UINT64_C(1),
			      sizeof(*places->lost));
	if (!places->before || !places->after || !places->lost)
		return -ENOMEM;
	places_copy(places->before, reader, base);
	return 0;
}

void ttlog_reader_places_close(struct reader_places *places)
{
	free(places->before);
	free(places->after);
	free(places->lost);
}

/* The chunks of a place: up to the next place that has some, whatever it claims. */
static uint32_t chunks_of(const struct reader_places *places, const struct reader_place *table,
			  uint32_t place)
{
	uint32_t chunks = TTLOG_CHANNEL_CHUNKS_MIN, end = place + 1;

	if (table[place].chunk_count < chunks)
		return table[place].chunk_count;
	for (; end < places->count && !table[end].state && chunks < table[place].chunk_count; end++)
		chunks += TTLOG_CHANNEL_CHUNKS_MIN;
	return chunks < table[place].chunk_count ? chunks : table[place].chunk_count;
}

static void lost_take(struct ttlog_reader_channel *channel, const struct reader_place *place,
		      const struct reader_lost *lost, uint32_t count)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < count; i++) {
		if (!lost[i].count)
			continue;
		reader_count(&sum, lost[i].count);
		if (!channel->overwritten_first || lost[i].first < channel->overwritten_first)
			channel->overwritten_first = lost[i].first;
		if (lost[i].last > channel->overwritten_last)
			channel->overwritten_last = lost[i].last;
	}
	if (sum > place->overwritten_before)
		channel->overwritten = sum - place->overwritten_before;
	if (!channel->overwritten)
		channel->overwritten_first = channel->overwritten_last = 0;
	else if (channel->overwritten_first < channel->opened_ticks)
		/* The time of an event of the channel that had the chunk before. */
		channel->overwritten_first = channel->opened_ticks;
}

static uint32_t channel_add(struct ttlog_reader *reader, const struct reader_place *place,
			    uint32_t chunks)
{
	struct ttlog_reader_channel *channel = &reader->channel[reader->channel_count];
	uint32_t chunk_bytes = reader->geometry.lane[TTLOG_LANE_CHANNEL].chunk_bytes;

	*channel = place->seen;
	channel->budget_bytes = (uint64_t)chunks * chunk_bytes;
	return reader->channel_count++;
}

/* The table as it is after the copy. */
static void channels_add(struct reader_places *places, struct ttlog_reader *reader)
{
	for (uint32_t i = 0; i < places->count; i++) {
		struct reader_place *place = &places->after[i];
		uint32_t chunks;

		if (!place->state)
			continue;
		chunks = chunks_of(places, places->after, i);
		place->channel = channel_add(reader, place, chunks);
		lost_take(&reader->channel[place->channel], place,
			  &places->lost[i * TTLOG_CHANNEL_CHUNKS_MIN], chunks);
	}
}

/* For each chunk the place in that table that has it, or the count of places. */
static void owners_of(const struct reader_places *places, const struct reader_place *table,
		      uint32_t *ret_owners)
{
	uint32_t i = 0;

	while (i < places->count) {
		uint32_t pairs = 1;

		ret_owners[i] = places->count;
		if (table[i].state) {
			pairs = (chunks_of(places, table, i) + 1) / TTLOG_CHANNEL_CHUNKS_MIN;
			for (uint32_t k = 0; k < pairs; k++)
				ret_owners[i + k] = i;
		}
		i += pairs ? pairs : 1;
	}
}

/* The place in that table whose channel filled the chunk, or NULL. */
static struct reader_place *named_by(const struct reader_places *places, struct reader_place *table,
				     const uint32_t *owners, const struct reader_chunk *chunk)
{
	uint32_t pair = chunk->index / TTLOG_CHANNEL_CHUNKS_MIN;
	uint32_t owner = pair < places->count ? owners[pair] : places->count;

	if (owner == places->count || !table[owner].state ||
	    TTLOG_CHANNEL_GENERATION(table[owner].state) != chunk->epoch)
		return NULL;
	return &table[owner];
}

static void chunk_name(const struct reader_places *places, const uint32_t *owners_before,
		       const uint32_t *owners_after, struct ttlog_reader *reader,
		       struct reader_chunk *chunk)
{
	struct reader_place *place = named_by(places, places->after, owners_after, chunk);

	if (!place)
		place = named_by(places, places->before, owners_before, chunk);
	if (!place)
		return;
	/* Replaced while we read: it has nothing but these events. */
	if (place->channel == TTLOG_READER_NO_CHANNEL)
		place->channel = channel_add(reader, place, 0);
	chunk->channel = place->channel;
}

int ttlog_reader_places_take(struct reader_places *places, struct ttlog_reader *reader,
			     const unsigned char *base)
{
	uint32_t *owners = malloc(2 * (places->count + UINT64_C(1)) * sizeof(*owners));
	uint32_t *owners_after = owners + places->count;

	/* Both tables may be full of different channels. */
	reader->channel = calloc(2 * (places->count + UINT64_C(1)), sizeof(*reader->channel));
	if (!owners || !reader->channel) {
		free(owners);
		return -ENOMEM;
	}
	places_copy(places->after, reader, base);
	owners_of(places, places->before, owners);
	owners_of(places, places->after, owners_after);
	channels_add(places, reader);
	for (uint32_t i = 0; i < reader->chunk_count; i++)
		if (reader->chunk[i].lane == TTLOG_LANE_CHANNEL)
			chunk_name(places, owners, owners_after, reader, &reader->chunk[i]);
	free(owners);
	return 0;
}
