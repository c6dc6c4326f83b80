/* SPDX-License-Identifier: MIT */
/*
 * channel.c - an event's way into a channel.
 *
 *   record   1 find the thread's newest chunk of the channel   2 reopen it   or: take the next one
 *            3 is the channel still open?   4 zero behind, body, commit   5 retire
 *
 * A thread owns a chunk of a channel only while it writes one event to it. So nothing is pinned by
 * threads that are quiet or gone, a handler that interrupts its thread here finds a chunk that is
 * in use and goes on to the next, and so does another thread. Which chunk is old and which is young
 * is said by the entry's hand and by the tickets in the chunks, never by their states.
 *
 * Dead at any step: a chunk that is OWNED is read up to its last committed event; the data of its
 * last retire are unsaid before the next event is committed, so it is counted by a walk.
 */
#include "lib/channel.h"

#include <string.h>

#include "lib/chunk.h"
#include "lib/clock.h"
#include "lib/encode.h"
#include "lib/lane.h"
#include "lib/ring.h"

/* How far back a thread looks for the chunk that it wrote to last. */
#define NEAR_CHUNKS 4
/* How often a race is lost before the event goes elsewhere. */
#define TRIES 8

/* One event on its way. */
struct sending {
	struct ttlog_channel_entry *entry;
	uint64_t open_state; /* of the entry, as long as it is this channel */
	struct ttlog_chunk_record *records;
	unsigned char *chunks;
	uint32_t chunk_bytes;
	uint32_t first, count; /* the channel's chunks */
	uint32_t generation;
	uint32_t tid;
	bool is_nested; /* it interrupts one of its own thread */
	struct ttlog_thread *thread;
	uint64_t ticks;
};

/* Where it goes. */
struct place {
	struct ttlog_tenure tenure;
	uint32_t offset, event_count;
};

enum found {
	FOUND_PLACE,
	FOUND_NONE,
	FOUND_CLOSED, /* somebody closed the channel meanwhile */
	FOUND_RACE,   /* somebody was faster: look again */
};

static struct ttlog_chunk *chunk_of(const struct sending *sending, uint32_t index)
{
	return (void *)(sending->chunks + (uint64_t)index * sending->chunk_bytes);
}

/* Does the place in the table belong to the channel, as far as was seen here? */
static bool is_open(const struct sending *sending)
{
	/* Pairs with the release of whoever opened it. */
	return atomic_load_explicit(&sending->entry->state, memory_order_acquire) ==
	       sending->open_state;
}

static bool look_up(struct ttlog_channel channel, struct sending *sending)
{
	const struct ttlog_geometry *geometry = &ttlog_place_.geometry;
	const struct ttlog_lane_geometry *lane = &geometry->lane[TTLOG_LANE_CHANNEL];
	struct ttlog_channel_entry *table = (void *)(ttlog_place_.base + geometry->channels_offset);

	if (!channel.generation || channel.index >= geometry->channel_count)
		return false;
	sending->entry = &table[channel.index];
	sending->generation = channel.generation;
	sending->open_state = TTLOG_CHANNEL_STATE(channel.generation, TTLOG_CHANNEL_OPEN);
	if (!is_open(sending))
		return false;
	sending->first = channel.index * TTLOG_CHANNEL_CHUNKS_MIN;
	sending->count = atomic_load_explicit(&sending->entry->chunk_count, memory_order_relaxed);
	sending->records = (void *)(ttlog_place_.base + lane->records_offset);
	sending->chunks = ttlog_place_.base + lane->chunks_offset;
	sending->chunk_bytes = lane->chunk_bytes;
	return sending->count && sending->count <= lane->chunk_count - sending->first;
}

/*
 * The chunk is ours, and the channel may have been closed and its chunks given to another before.
 * Either whoever takes them sees our chunk in use, or we see here that the channel is no more: by a
 * full fence on both sides.
 */
static bool is_still_open(const struct sending *sending)
{
	ttlog_fence_behind_swap();
	return is_open(sending);
}

static void release(const struct sending *sending, const struct ttlog_tenure *tenure)
{
	atomic_store_explicit(&sending->records[tenure->index].state,
			      TTLOG_STATE(tenure->generation, 0, TTLOG_CHUNK_RETIRED),
			      memory_order_release);
}

/* ---- the thread's own chunk ------------------------------------------------------------------ */

static bool is_of_ticket(const struct sending *sending, const struct ttlog_chunk *chunk,
			 uint64_t chunk_generation, uint64_t ticket)
{
	return atomic_load_explicit(&chunk->retired_generation, memory_order_relaxed) ==
		       chunk_generation &&
	       atomic_load_explicit(&chunk->retired_ticket, memory_order_relaxed) == ticket &&
	       __atomic_load_n(&chunk->epoch, __ATOMIC_RELAXED) == sending->generation;
}

/* Is the chunk that was seen in that state one that this thread filled as number `ticket`? */
static bool is_mine(const struct sending *sending, uint32_t index, uint64_t state, uint64_t ticket)
{
	const struct ttlog_chunk *chunk = chunk_of(sending, index);

	return __atomic_load_n(&chunk->tid, __ATOMIC_RELAXED) == sending->tid &&
	       is_of_ticket(sending, chunk, TTLOG_STATE_GENERATION(state), ticket);
}

static bool has_room(const struct sending *sending, const struct ttlog_chunk *chunk, uint32_t size)
{
	uint32_t end = atomic_load_explicit(&chunk->retired_end, memory_order_relaxed);

	return end >= TTLOG_CHUNK_FIRST && end % 8 == 0 && end + size <= sending->chunk_bytes - 8;
}

/*
 * RETIRED to OWNED again, in the same generation, at the place behind its events. Where that is
 * must be read when the chunk is ours: a handler in front of the swap may have recorded here, and
 * left the very same state.
 */
static enum found reopen(const struct sending *sending, uint32_t index, uint64_t state,
			 uint64_t ticket, uint32_t size, struct place *ret_place)
{
	struct ttlog_chunk *chunk = chunk_of(sending, index);
	uint64_t generation = TTLOG_STATE_GENERATION(state);
	enum found found = FOUND_PLACE;

	if (!has_room(sending, chunk, size))
		return FOUND_NONE;
	if (!atomic_compare_exchange_strong_explicit(&sending->records[index].state, &state,
						     TTLOG_STATE(generation, sending->tid,
								 TTLOG_CHUNK_OWNED),
						     memory_order_acq_rel, memory_order_relaxed))
		return FOUND_RACE;
	ret_place->tenure =
		(struct ttlog_tenure){chunk, TTLOG_LANE_CHANNEL, index, generation, ticket};
	ret_place->offset = atomic_load_explicit(&chunk->retired_end, memory_order_relaxed);
	ret_place->event_count = atomic_load_explicit(&chunk->retired_count, memory_order_relaxed);
	if (!is_still_open(sending))
		found = FOUND_CLOSED;
	else if (!has_room(sending, chunk, size))
		found = FOUND_NONE;
	if (found != FOUND_PLACE)
		release(sending, &ret_place->tenure);
	return found;
}

/*
 * The newest chunk of this thread, if it is among the newest of the channel and there is room. An
 * older one must not get newer events: the order of a thread's events is that of its chunks.
 */
static enum found find_own(const struct sending *sending, uint32_t size, struct place *ret_place)
{
	uint64_t hand = atomic_load_explicit(&sending->entry->hand, memory_order_acquire);
	uint32_t near = sending->count < NEAR_CHUNKS ? sending->count : NEAR_CHUNKS;

	for (uint64_t ticket = hand; ticket > 0 && ticket + near > hand; ticket--) {
		uint32_t index = sending->first + (uint32_t)((ticket - 1) % sending->count);
		/* Pairs with the release of a retire: its data are there. */
		uint64_t state =
			atomic_load_explicit(&sending->records[index].state, memory_order_acquire);

		/* Interrupted by us, or left by a jump: all others are older. */
		if (TTLOG_STATE_OF(state) != TTLOG_CHUNK_RETIRED &&
		    TTLOG_STATE_TID(state) == sending->tid)
			return FOUND_NONE;
		if (TTLOG_STATE_OF(state) == TTLOG_CHUNK_RETIRED &&
		    is_mine(sending, index, state, ticket))
			return reopen(sending, index, state, ticket, size, ret_place);
	}
	return FOUND_NONE;
}

/* ---- the channel's next chunk ---------------------------------------------------------------- */

static void move_hand(const struct sending *sending, uint64_t to)
{
	uint64_t now = atomic_load_explicit(&sending->entry->hand, memory_order_relaxed);

	while (now < to &&
	       !atomic_compare_exchange_weak_explicit(&sending->entry->hand, &now, to,
						      memory_order_release, memory_order_relaxed))
		;
}

/*
 * A chunk in use by somebody else stays his. One in use by this thread, while no call of its own is
 * under way, was left by a jump out of a handler, or by a thread that had this tid: it is given
 * back.
 */
static uint64_t settle(const struct sending *sending, uint32_t index, uint64_t state)
{
	uint64_t retired = TTLOG_STATE(TTLOG_STATE_GENERATION(state), 0, TTLOG_CHUNK_RETIRED);

	if (TTLOG_STATE_OF(state) == TTLOG_CHUNK_FREE ||
	    TTLOG_STATE_OF(state) == TTLOG_CHUNK_RETIRED)
		return state;
	if (TTLOG_STATE_TID(state) != sending->tid) {
		ttlog_chunk_retire_vanished(TTLOG_LANE_CHANNEL, sending->tid, sending->first,
					    sending->count);
		return atomic_load_explicit(&sending->records[index].state, memory_order_acquire);
	}
	/* Its own in INIT it just takes. */
	if (sending->is_nested || TTLOG_STATE_OF(state) == TTLOG_CHUNK_INIT ||
	    !atomic_compare_exchange_strong_explicit(&sending->records[index].state, &state,
						     retired, memory_order_acq_rel,
						     memory_order_acquire))
		return state;
	return retired;
}

static bool may_take(const struct sending *sending, uint64_t state, bool is_frozen)
{
	switch (TTLOG_STATE_OF(state)) {
	case TTLOG_CHUNK_FREE:
		return true;
	case TTLOG_CHUNK_RETIRED:
		return !is_frozen;
	case TTLOG_CHUNK_INIT:
		return TTLOG_STATE_TID(state) == sending->tid && !sending->is_nested;
	default:
		return false;
	}
}

/* Has the chunk been taken with that ticket or a later one? Then the hand that we saw is an old
 * one. */
static bool is_passed(const struct sending *sending, uint32_t index, uint64_t state,
		      uint64_t ticket)
{
	const struct ttlog_chunk *chunk = chunk_of(sending, index);

	return TTLOG_STATE_OF(state) == TTLOG_CHUNK_RETIRED &&
	       __atomic_load_n(&chunk->epoch, __ATOMIC_RELAXED) == sending->generation &&
	       atomic_load_explicit(&chunk->retired_generation, memory_order_relaxed) ==
		       TTLOG_STATE_GENERATION(state) &&
	       atomic_load_explicit(&chunk->retired_ticket, memory_order_relaxed) >= ticket;
}

static enum found take(const struct sending *sending, uint32_t index, uint64_t state,
		       uint64_t ticket, struct place *ret_place)
{
	const struct ttlog_taker taker = {
		.tid = sending->tid, .name = sending->thread->name, .ticks = sending->ticks};

	switch (ttlog_chunk_take_at(TTLOG_LANE_CHANNEL, &taker, index, state, sending->generation,
				    &ret_place->tenure)) {
	case TTLOG_TAKE_DONE:
		break;
	case TTLOG_TAKE_FROZEN:
		return FOUND_RACE;
	default:
		return FOUND_NONE;
	}
	if (!is_still_open(sending)) {
		/* Empty, and without a ticket: nobody goes on with it. */
		release(sending, &ret_place->tenure);
		return FOUND_CLOSED;
	}
	/* While the chunk is ours: so nobody opens another channel in between. */
	move_hand(sending, ticket);
	ret_place->offset = TTLOG_CHUNK_FIRST;
	ret_place->event_count = 0;
	ret_place->tenure.ticket = ticket;
	return FOUND_PLACE;
}

/* When frozen only what was never filled is taken, and that lies between the hand and the end. */
static enum found find_next(const struct sending *sending, struct place *ret_place)
{
	uint64_t hand = atomic_load_explicit(&sending->entry->hand, memory_order_acquire);
	bool is_frozen = ttlog_is_frozen(ttlog_freeze_word());
	uint64_t end = is_frozen && hand < sending->count ? sending->count
		       : is_frozen			  ? hand
							  : hand + sending->count;

	for (uint64_t ticket = hand + 1; ticket <= end; ticket++) {
		uint32_t index = sending->first + (uint32_t)((ticket - 1) % sending->count);
		uint64_t state = settle(sending, index,
					atomic_load_explicit(&sending->records[index].state,
							     memory_order_acquire));
		enum found found;

		/* If it is ours now, then the state is not that of a chunk of the next channel; and
		 * who swaps it finds out if it has become one. */
		if (!is_open(sending))
			return FOUND_CLOSED;
		if (!may_take(sending, state, is_frozen))
			continue;
		if (is_passed(sending, index, state, ticket))
			return FOUND_RACE;
		found = take(sending, index, state, ticket, ret_place);
		if (found != FOUND_NONE)
			return found;
	}
	return FOUND_NONE;
}

/* ---- the event ------------------------------------------------------------------------------- */

static enum found find(const struct sending *sending, uint32_t size, struct place *ret_place)
{
	enum found found = FOUND_RACE;

	for (int i = 0; i < TRIES && found == FOUND_RACE; i++) {
		found = find_own(sending, size, ret_place);
		if (found == FOUND_NONE)
			found = find_next(sending, ret_place);
	}
	return found;
}

static void write_event(const struct sending *sending, const struct place *place,
			const struct ttlog_site *site, const struct ttlog_value *values,
			const struct ttlog_encoding *encoding)
{
	struct ttlog_chunk *chunk = place->tenure.chunk;

	/* What the last retire said is not true from the commit on, which is a release: whoever
	 * sees the event sees this. Generation 0 is nobody's. */
	atomic_store_explicit(&chunk->retired_generation, 0, memory_order_relaxed);
	ttlog_ring_write(chunk, place->offset, site, values, encoding, sending->ticks);
	atomic_store_explicit(&chunk->retired_count, place->event_count + 1, memory_order_relaxed);
	atomic_store_explicit(&chunk->retired_last, sending->ticks, memory_order_relaxed);
	atomic_store_explicit(&chunk->retired_ticket, place->tenure.ticket, memory_order_relaxed);
	atomic_store_explicit(&chunk->retired_end, place->offset + encoding->size,
			      memory_order_relaxed);
	atomic_store_explicit(&chunk->retired_generation, place->tenure.generation,
			      memory_order_release);
	/* Pairs with the acquire of find_own(), of the next taker and of the reader. */
	release(sending, &place->tenure);
}

static void count_diverted(struct ttlog_channel_entry *entry, uint64_t ticks)
{
	atomic_fetch_add_explicit(&entry->diverted, 1, memory_order_relaxed);
	ttlog_span_widen(&entry->diverted_first, &entry->diverted_last, ticks);
}

bool ttlog_channel_record(struct ttlog_channel channel, struct ttlog_thread *thread,
			  const struct ttlog_site *site, const struct ttlog_value *values,
			  uintptr_t sp)
{
	struct sending sending = {.ticks = ttlog_clock_ticks(ttlog_place_.geometry.clock_source),
				  .tid = atomic_load_explicit(&thread->tid, memory_order_relaxed),
				  .thread = thread};
	volatile uintptr_t *busy = &ttlog_thread_first(thread)->channel_busy;
	uintptr_t was = *busy;
	struct ttlog_encoding encoding;
	struct place place;
	enum found found;

	if (!look_up(channel, &sending))
		return false;
	ttlog_encoding_plan(site, values, TTLOG_CHUNK_ROOM(sending.chunk_bytes), &encoding);
	sending.is_nested = was && !ttlog_ring_is_gone(was, sp);
	if (!sending.is_nested)
		*busy = sp;
	atomic_signal_fence(memory_order_seq_cst);
	found = find(&sending, encoding.size, &place);
	if (found == FOUND_PLACE)
		write_event(&sending, &place, site, values, &encoding);
	atomic_signal_fence(memory_order_seq_cst);
	if (!sending.is_nested)
		*busy = 0;
	/* A handler has forked, and this is the child: the event is its parent's, who records it.
	 */
	if (atomic_load_explicit(&thread->tid, memory_order_relaxed) != sending.tid)
		return true;
	if (found == FOUND_PLACE)
		ttlog_ring_count_truncated(TTLOG_LANE_CHANNEL, &encoding);
	else if (found != FOUND_CLOSED)
		count_diverted(sending.entry, sending.ticks);
	return found == FOUND_PLACE;
}
