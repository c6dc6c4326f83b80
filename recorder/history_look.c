/* SPDX-License-Identifier: MIT */
/*
 * history_look.c - one look at a region: what was retired since the last one, and when to look
 * again.
 *
 * Chunks are kept in the order of their tickets, as far as they were retired in it: what the budget
 * takes away first is then what is oldest, with nothing older left in front of it. How long a lap
 * takes is known from how far the hand has come since the last look: see history_pace.h.
 *
 * The channels' chunks are taken without the lane's hand, in the order in which they were begun:
 * each channel goes round its own, and so do those that had the same chunks before. Their pace is
 * how far the generations have come.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "recorder/history_parts.h"

#define INTERVAL_FIRST (10 * HISTORY_PACE_MIN_NS)
#define DUE_MAX (UINT64_C(10) * 1000000000)
/* To be asked again: what the kernel had no room for, or a process that is no more. */
#define NO_WATCH_NS (UINT64_C(60) * 1000000000)

uint64_t history_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

void history_lanes_init(struct history *history, uint64_t now_ns)
{
	uint64_t *saved = history->saved;

	history->busy_ns = now_ns;
	for (uint32_t i = 0; i < history->geometry.lane_count; i++) {
		const struct ttlog_lane_geometry *geometry = &history->geometry.lane[i];

		history->lane[i] = (struct history_lane){
			.due_ns = now_ns + INTERVAL_FIRST,
			.interval_ns = INTERVAL_FIRST,
			.looked_ns = now_ns,
			.saved = saved,
			.is_kept = !(geometry->flags & TTLOG_LANE_NEVER_RECYCLED),
		};
		saved += geometry->chunk_count;
	}
}

/* ---- what is new ------------------------------------------------------------------------ */

struct look {
	struct history *history;
	uint32_t lane;
	const struct ttlog_lane_geometry *geometry;
	const struct ttlog_chunk_record *records;
	const struct ttlog_channel_entry *channel; /* lane CHANNEL: whose chunk it is, as it says */
	uint32_t first;				   /* place of the oldest ticket */
	uint32_t saved;				   /* chunks */
	uint32_t fresh_count;			   /* lane CHANNEL */
	uint64_t missed;			   /* generations that came and went */
	uint64_t ahead;				   /* the most that a place has gone on by */
};

static const struct ttlog_chunk *chunk_at(const struct look *look, uint32_t index)
{
	return (const void *)((const char *)look->history->base + look->geometry->chunks_offset +
			      (uint64_t)index * look->geometry->chunk_bytes);
}

/* The place is remembered as it is now, whatever becomes of it. */
static void save(struct look *look, uint32_t index, uint64_t state)
{
	struct history *history = look->history;
	struct histories *histories = history->histories;
	uint64_t *last = &history->lane[look->lane].saved[index];
	const uint64_t generation = TTLOG_STATE_GENERATION(state);
	struct ttlog_reader_saved saved;
	enum history_form form;

	if (!ttlog_reader_save(history->base, &history->geometry, look->lane, index, state,
			       histories->events, &saved))
		return;
	if (*last >> 16 && generation > (*last >> 16) + 1)
		look->missed += generation - (*last >> 16) - 1;
	*last = generation << 16 | (saved.event_count & 0xffff);
	if (!saved.bytes && !saved.is_torn)
		return;
	saved.stored_bytes = history_pack(&histories->coder, histories->events, saved.bytes,
					  histories->packed, &form);
	saved.form = (uint8_t)form;
	history_keep(history, &saved, histories->packed);
	look->saved++;
}

/*
 * Is it the newest chunk of a channel that is open? Then it goes on being filled, and nobody takes
 * it before the next one was begun.
 */
static bool is_newest(const struct look *look, const struct ttlog_chunk *chunk)
{
	const struct ttlog_channel_entry *entry = look->channel;
	const uint64_t state = entry ? atomic_load_explicit(&entry->state, memory_order_relaxed)
				     : 0;

	return TTLOG_CHANNEL_STATE_OF(state) == TTLOG_CHANNEL_OPEN &&
	       TTLOG_CHANNEL_GENERATION(state) ==
		       __atomic_load_n(&chunk->epoch, __ATOMIC_RELAXED) &&
	       atomic_load_explicit(&chunk->retired_ticket, memory_order_relaxed) >=
		       atomic_load_explicit(&entry->hand, memory_order_relaxed);
}

/* Whose chunk that is: the chunks of a channel follow each other, and so do the entries, most
 * empty. */
static void follow_channel(struct look *look, uint32_t index)
{
	const struct ttlog_geometry *geometry = &look->history->geometry;
	const struct ttlog_channel_entry *table =
		(const void *)((const char *)look->history->base + geometry->channels_offset);
	const uint32_t place = index / TTLOG_CHANNEL_CHUNKS_MIN;

	if (place < geometry->channel_count &&
	    (!place || atomic_load_explicit(&table[place].state, memory_order_relaxed)))
		look->channel = &table[place];
}

/*
 * Has the place something that is complete, and not saved yet? A channel's chunk may go on being
 * filled when the next one was begun; then it is saved again.
 */
static bool is_new(struct look *look, uint32_t index, uint64_t state)
{
	const uint64_t last = look->history->lane[look->lane].saved[index];
	const uint64_t generation = TTLOG_STATE_GENERATION(state);
	const struct ttlog_chunk *chunk;

	if (TTLOG_STATE_OF(state) != TTLOG_CHUNK_RETIRED || !generation)
		return false;
	if (look->lane != TTLOG_LANE_CHANNEL)
		return generation != last >> 16;
	chunk = chunk_at(look, index);
	if (is_newest(look, chunk))
		return false;
	return generation != last >> 16 ||
	       (atomic_load_explicit(&chunk->retired_count, memory_order_relaxed) & 0xffff) !=
		       (last & 0xffff);
}

static uint64_t state_at(struct look *look, uint32_t index)
{
	const uint64_t last = look->history->lane[look->lane].saved[index] >> 16;
	/* Pairs with the release of the retire. */
	const uint64_t state =
		atomic_load_explicit(&look->records[index].state, memory_order_acquire);
	const uint64_t generation = TTLOG_STATE_GENERATION(state);

	if (last && generation > last && generation - last > look->ahead)
		look->ahead = generation - last;
	return state;
}

static bool is_leaving(const struct look *look)
{
	return __atomic_load_n(&look->history->is_leaving, __ATOMIC_RELAXED);
}

/* False: there is more, and others wait. */
static bool look_at_all(struct look *look)
{
	const uint32_t count = look->geometry->chunk_count;

	for (uint32_t n = 0; n < count; n++) {
		const uint32_t i = n < count - look->first ? look->first + n
							   : n - (count - look->first);
		const uint64_t state = state_at(look, i);

		if (!is_new(look, i, state))
			continue;
		if (look->saved == HISTORY_LOOK_CHUNKS || is_leaving(look))
			return false;
		save(look, i, state);
	}
	return true;
}

static int fresh_compare(const void *left, const void *right)
{
	const struct history_fresh *a = left, *b = right;

	if (a->taken_ticks != b->taken_ticks)
		return a->taken_ticks < b->taken_ticks ? -1 : 1;
	return (a->index > b->index) - (a->index < b->index);
}

/* The oldest come first; what there is no room for is found again by the next look. */
static void fresh_order(struct look *look)
{
	struct history_fresh *fresh = look->history->histories->fresh;

	qsort(fresh, look->fresh_count, sizeof(*fresh), fresh_compare);
	if (look->fresh_count > HISTORY_LOOK_CHANNEL_CHUNKS)
		look->fresh_count = HISTORY_LOOK_CHANNEL_CHUNKS;
}

/* Returns how many there are, of which the oldest are in order. */
static uint32_t fresh_find(struct look *look)
{
	struct history_fresh *fresh = look->history->histories->fresh;
	uint32_t found = 0;

	for (uint32_t i = 0; i < look->geometry->chunk_count && !is_leaving(look); i++) {
		const uint64_t state = state_at(look, i);

		follow_channel(look, i);
		if (!is_new(look, i, state))
			continue;
		if (look->fresh_count == 2 * HISTORY_LOOK_CHANNEL_CHUNKS)
			fresh_order(look);
		fresh[look->fresh_count++] = (struct history_fresh){
			.taken_ticks =
				__atomic_load_n(&chunk_at(look, i)->taken_ticks, __ATOMIC_RELAXED),
			.state = state,
			.index = i,
		};
		found++;
	}
	fresh_order(look);
	return found;
}

/* False: there is more, and others wait. */
static bool look_at_channels(struct look *look)
{
	const struct history_fresh *fresh = look->history->histories->fresh;
	const uint32_t found = fresh_find(look);

	for (uint32_t i = 0; i < look->fresh_count; i++) {
		if (is_leaving(look))
			return false;
		save(look, fresh[i].index, fresh[i].state);
	}
	/* Of what can't be saved there may be any number, in the region of a liar. */
	return found == look->fresh_count || !look->saved;
}

/* ---- when to look again ----------------------------------------------------------------- */

static const struct ttlog_ledger *ledger_of(const struct history *history)
{
	return (const void *)((const char *)history->base + history->geometry.ledger_offset);
}

/* For how long at most. */
static uint64_t may_rest(struct history *history, uint64_t now_ns)
{
	const struct ttlog_geometry *geometry = &history->geometry;
	const uint64_t calm_ns = now_ns - history->busy_ns;

	if (history_pace_wants_watch(geometry, calm_ns, &history->watch, now_ns) &&
	    !history_stir_watch(history, now_ns))
		history->watch.not_before_ns = now_ns + NO_WATCH_NS;
	return history_pace_calm(geometry, calm_ns, &history->watch);
}

static void pace(const struct look *look, struct history_lane *lane, uint64_t hand, uint64_t now_ns)
{
	struct history *history = look->history;
	struct history_pace next;
	uint64_t most;

	if (look->lane == TTLOG_LANE_CHANNEL)
		next = history_pace_of_channels(look->ahead, lane->interval_ns);
	else
		next = history_pace_of_lane(look->geometry->chunk_count, hand - lane->hand,
					    now_ns - lane->looked_ns, lane->interval_ns);
	if (next.is_busy)
		history->busy_ns = now_ns;
	most = may_rest(history, now_ns);
	if (next.interval_ns > most)
		next.interval_ns = most;
	if (next.interval_ns < HISTORY_PACE_MIN_NS)
		next.interval_ns = HISTORY_PACE_MIN_NS;
	lane->interval_ns = next.interval_ns;
	lane->hand = hand;
	lane->looked_ns = now_ns;
	lane->due_ns = history_pace_due(now_ns, next.interval_ns);
}

/* Nobody has taken a chunk since: what was retired meanwhile is not in danger. */
static bool is_quiet(const struct look *look, const struct history_lane *lane, uint64_t hand)
{
	if (look->lane != TTLOG_LANE_CHANNEL)
		return hand == lane->hand;
	return !atomic_load_explicit(&ledger_of(look->history)->channels_opened,
				     memory_order_relaxed);
}

static void look_at_lane(struct history *history, uint32_t id, uint64_t now_ns)
{
	struct history_lane *lane = &history->lane[id];
	struct histories *histories = history->histories;
	struct look look = {
		.history = history,
		.lane = id,
		.geometry = &history->geometry.lane[id],
	};
	const uint64_t hand =
		atomic_load_explicit(&ledger_of(history)->lane[id].hand, memory_order_acquire);
	bool is_done = true;

	look.records = (const void *)((const char *)history->base + look.geometry->records_offset);
	look.first = (uint32_t)(hand % look.geometry->chunk_count);
	if (!is_quiet(&look, lane, hand))
		is_done = id == TTLOG_LANE_CHANNEL ? look_at_channels(&look) : look_at_all(&look);
	if (is_done)
		pace(&look, lane, hand, now_ns);
	else
		lane->due_ns = now_ns;
	if (!look.missed)
		return;
	pthread_mutex_lock(&histories->lock);
	histories->figures.missed += look.missed;
	pthread_mutex_unlock(&histories->lock);
}

/* A little early rather than in a turn of its own, unless that is one with others. */
static bool is_due(const struct history_lane *lane, uint64_t now_ns)
{
	const uint64_t early_ns = lane->interval_ns < HISTORY_PACE_GRID_NS ? lane->interval_ns / 4
									   : 0;

	return lane->due_ns <= now_ns + early_ns;
}

uint64_t history_look_due(struct history *history, uint64_t now_ns)
{
	const bool has_stirred = history_stir_take(history);
	uint64_t due_ns = now_ns + DUE_MAX;

	if (has_stirred)
		history_pace_stirred(&history->watch, now_ns);
	for (uint32_t i = 0; i < history->geometry.lane_count; i++) {
		struct history_lane *lane = &history->lane[i];

		if (!lane->is_kept)
			continue;
		if (has_stirred || is_due(lane, now_ns))
			look_at_lane(history, i, now_ns);
		if (lane->due_ns < due_ns)
			due_ns = lane->due_ns;
	}
	return due_ns;
}

void history_look_now(struct history *history, uint64_t now_ns)
{
	for (uint32_t i = 0; i < history->geometry.lane_count; i++)
		if (history->lane[i].is_kept)
			do
				look_at_lane(history, i, now_ns);
			while (history->lane[i].due_ns == now_ns);
}
