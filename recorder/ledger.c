/* SPDX-License-Identifier: MIT */
/*
 * ledger.c - a walk over the records of all lanes, which takes up where it left off.
 *
 * A chunk is only ever taken by who drew a ticket from its lane's hand. As long as the hand has not
 * moved, what could have changed is the chunks that somebody owned, or was about to, when they were
 * looked at. The one that had a ticket and no chunk yet at that moment is missed until the hand
 * moves again, or until the next walk that looks at everything.
 */
#include "recorder/ledger.h"

#include <string.h>

#include "recorder/chunk_events.h"

#define WALKS_BETWEEN_ALL 16
#define TRIES 3
#define STEPS_OF_HEAD 4 /* the head of a chunk is far from everything else */

struct lane_view {
	const struct ttlog_lane_geometry *geometry;
	const struct ttlog_chunk_record *records;
	const unsigned char *chunks;
};

static struct lane_view view_of(const void *base, const struct ttlog_geometry *geometry,
				uint32_t lane)
{
	const struct ttlog_lane_geometry *at = &geometry->lane[lane];

	return (struct lane_view){
		.geometry = at,
		.records = (const void *)((const char *)base + at->records_offset),
		.chunks = (const unsigned char *)base + at->chunks_offset,
	};
}

static const struct ttlog_lane_ledger *
lane_ledger(const void *base, const struct ttlog_geometry *geometry, uint32_t lane)
{
	const struct ttlog_ledger *ledger =
		(const void *)((const char *)base + geometry->ledger_offset);

	return &ledger->lane[lane];
}

static void add(uint64_t *counter, uint64_t more)
{
	if (__builtin_add_overflow(*counter, more, counter))
		*counter = UINT64_MAX;
}

static void spend(unsigned int *steps, unsigned int count)
{
	*steps = *steps > count ? *steps - count : 0;
}

/* ---- a chunk ---------------------------------------------------------------------------- */

struct chunk_counts {
	uint64_t events, overwritten, taken_ticks;
	bool is_torn;
	bool may_grow;
};

/* Those that are there are whole. */
static uint64_t count_events(const unsigned char *chunk, uint32_t chunk_bytes, bool *ret_torn,
			     unsigned int *steps)
{
	uint32_t offset = TTLOG_CHUNK_FIRST, size;
	unsigned int count = 0;

	for (; (size = chunk_event_bytes(chunk, chunk_bytes, offset, ret_torn)); offset += size)
		count++;
	spend(steps, count);
	return count;
}

/* What it says of itself if that is of this generation; else its events have to be counted. */
static uint64_t retired_events(const struct lane_view *lane, const struct ttlog_chunk *chunk,
			       uint64_t state, bool *ret_torn, unsigned int *steps)
{
	const uint32_t bytes = lane->geometry->chunk_bytes;
	uint64_t count;

	if (chunk_noted_count(chunk, bytes, TTLOG_STATE_GENERATION(state), &count))
		return count;
	return count_events((const unsigned char *)chunk, bytes, ret_torn, steps);
}

static struct chunk_counts look(const struct lane_view *lane, uint32_t index, uint64_t state,
				unsigned int *steps)
{
	const struct ttlog_chunk_record *record = &lane->records[index];
	const struct ttlog_chunk *chunk =
		(const void *)(lane->chunks + (uint64_t)index * lane->geometry->chunk_bytes);
	const uint64_t generation = TTLOG_STATE_GENERATION(state);
	struct chunk_counts counts = {
		.overwritten = atomic_load_explicit(&record->account[generation & 1].count,
						    memory_order_relaxed),
	};

	switch (TTLOG_STATE_OF(state)) {
	case TTLOG_CHUNK_FREE:
		return counts;
	case TTLOG_CHUNK_COND:
	case TTLOG_CHUNK_OWNED:
		counts.may_grow = true;
		break;
	case TTLOG_CHUNK_RETIRED:
		break;
	case TTLOG_CHUNK_INIT:
		counts.may_grow = true;
		return counts;
	default:
		counts.is_torn = true;
		return counts;
	}
	if (!generation)
		return counts;
	spend(steps, STEPS_OF_HEAD);
	if (TTLOG_STATE_OF(state) == TTLOG_CHUNK_OWNED)
		counts.events = count_events((const unsigned char *)chunk,
					     lane->geometry->chunk_bytes, &counts.is_torn, steps);
	else
		counts.events = retired_events(lane, chunk, state, &counts.is_torn, steps);
	/* Plain in the contract: its taker wrote it before it was OWNED, and is checked for below.
	 */
	counts.taken_ticks = counts.events ? __atomic_load_n(&chunk->taken_ticks, __ATOMIC_RELAXED)
					   : 0;
	return counts;
}

/* What was seen is of one tenure, or of the last try. */
static struct chunk_counts look_twice(const struct lane_view *lane, uint32_t index,
				      unsigned int *steps)
{
	const _Atomic uint64_t *word = &lane->records[index].state;
	uint64_t before = atomic_load_explicit(word, memory_order_acquire);
	struct chunk_counts counts = {0};

	for (int i = 0; i < TRIES; i++) {
		uint64_t after;

		counts = look(lane, index, before, steps);
		atomic_thread_fence(memory_order_acquire);
		after = atomic_load_explicit(word, memory_order_acquire);
		if (after == before)
			break;
		before = after;
	}
	return counts;
}

/* ---- a lane ----------------------------------------------------------------------------- */

static void lane_take(struct ledger *ledger, struct ledger_lane *lane, uint32_t index,
		      const struct chunk_counts *counts)
{
	add(&lane->overwritten, counts->overwritten);
	ledger->torn += counts->is_torn;
	if (counts->taken_ticks &&
	    (!lane->oldest_ticks || counts->taken_ticks < lane->oldest_ticks))
		lane->oldest_ticks = counts->taken_ticks;
	if (!counts->may_grow) {
		add(&lane->settled, counts->events);
		return;
	}
	add(&ledger->events, counts->events);
	if (lane->owned_count < LEDGER_OWNED_MAX)
		lane->owned[lane->owned_count] = index;
	lane->owned_count++;
}

static void lane_begin(struct ledger_lane *lane, uint64_t hand)
{
	*lane = (struct ledger_lane){.hand = hand};
}

/* Nobody has taken a chunk since: only those that were owned can have more events. */
static void lane_look_again(struct ledger *ledger, const struct lane_view *view,
			    struct ledger_lane *lane, unsigned int *steps)
{
	for (uint32_t i = 0; i < lane->owned_count; i++) {
		const struct chunk_counts counts = look_twice(view, lane->owned[i], steps);

		spend(steps, STEPS_OF_HEAD);
		add(&ledger->events, counts.events);
		if (counts.taken_ticks && !lane->oldest_ticks)
			lane->oldest_ticks = counts.taken_ticks;
	}
}

/* The channels' chunks are taken without drawing from the lane's hand, once a channel has them. */
static bool is_as_it_was(const struct ledger_lane *lane, uint32_t id, uint64_t hand)
{
	if (!lane->is_known || hand != lane->hand || lane->owned_count > LEDGER_OWNED_MAX)
		return false;
	return id != TTLOG_LANE_CHANNEL || !hand;
}

/* True: done with it. */
static bool lane_walk(struct ledger *ledger, const void *base,
		      const struct ttlog_geometry *geometry, unsigned int *steps)
{
	const uint32_t id = ledger->at_lane;
	const struct lane_view view = view_of(base, geometry, id);
	struct ledger_lane *lane = &ledger->lane[id];

	if (!ledger->at_chunk) {
		const uint64_t hand = atomic_load_explicit(&lane_ledger(base, geometry, id)->hand,
							   memory_order_acquire);

		spend(steps, STEPS_OF_HEAD);
		if (is_as_it_was(lane, id, hand)) {
			lane_look_again(ledger, &view, lane, steps);
			goto done;
		}
		lane_begin(lane, hand);
	}
	/* One at least, or a small number of steps would lead nowhere. */
	while (ledger->at_chunk < view.geometry->chunk_count) {
		const struct chunk_counts counts = look_twice(&view, ledger->at_chunk, steps);

		spend(steps, 1);
		lane_take(ledger, lane, ledger->at_chunk, &counts);
		ledger->at_chunk++;
		if (!*steps && ledger->at_chunk < view.geometry->chunk_count)
			return false;
	}
	lane->is_known = true;
done:
	add(&ledger->events, lane->settled);
	add(&ledger->events, lane->overwritten);
	add(&ledger->overwritten, lane->overwritten);
	return true;
}

/* ---- all of it -------------------------------------------------------------------------- */

static void raise_to(uint64_t *counter, uint64_t value)
{
	if (value > *counter)
		*counter = value;
}

/* Until MAIN gave something up, everything since the first event is there: BOOT has the first. */
static uint64_t oldest_of(const struct ledger *ledger)
{
	const struct ledger_lane *main_lane = &ledger->lane[TTLOG_LANE_MAIN];
	const struct ledger_lane *boot = &ledger->lane[TTLOG_LANE_BOOT];
	uint64_t oldest = main_lane->oldest_ticks;

	if (!main_lane->overwritten && boot->oldest_ticks &&
	    (!oldest || boot->oldest_ticks < oldest))
		oldest = boot->oldest_ticks;
	return oldest;
}

static void finish(struct ledger *ledger, const void *base, const struct ttlog_geometry *geometry)
{
	uint64_t dropped = 0, truncated = 0;

	for (uint32_t i = 0; i < geometry->lane_count; i++) {
		const struct ttlog_lane_ledger *from = lane_ledger(base, geometry, i);

		add(&dropped, atomic_load_explicit(&from->dropped, memory_order_relaxed));
		add(&truncated, atomic_load_explicit(&from->truncated, memory_order_relaxed));
	}
	raise_to(&ledger->counts.events, ledger->events);
	raise_to(&ledger->counts.overwritten, ledger->overwritten);
	raise_to(&ledger->counts.dropped, dropped);
	raise_to(&ledger->counts.truncated, truncated);
	raise_to(&ledger->counts.torn, ledger->torn);
	ledger->oldest_ticks = oldest_of(ledger);
}

void ledger_forget(struct ledger *ledger)
{
	ledger->at_lane = ledger->at_chunk = 0;
	ledger->events = ledger->overwritten = ledger->torn = 0;
	for (uint32_t i = 0; i < TTLOG_LANE_MAX; i++)
		ledger->lane[i].is_known = false;
}

bool ledger_walk(struct ledger *ledger, const void *base, const struct ttlog_geometry *geometry,
		 unsigned int *steps)
{
	if (ledger->base != base) {
		ledger->base = base;
		ledger_forget(ledger);
	}
	if (!ledger->at_lane && !ledger->at_chunk) {
		if (ledger->walks++ % WALKS_BETWEEN_ALL == 0)
			ledger_forget(ledger);
		ledger->events = ledger->overwritten = ledger->torn = 0;
	}
	while (ledger->at_lane < geometry->lane_count) {
		if (!lane_walk(ledger, base, geometry, steps))
			return false;
		ledger->at_lane++;
		ledger->at_chunk = 0;
	}
	finish(ledger, base, geometry);
	ledger->at_lane = 0;
	return true;
}
