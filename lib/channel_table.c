/* SPDX-License-Identifier: MIT */
/*
 * channel_table.c - channels come and go.
 *
 * Memory that no channel ever had is given out first, by a pointer that only grows. After that the
 * channel that was closed first gives way, if it is large enough; what it has too much is a closed
 * channel of its own from then on. Each step leaves a table in which every chunk has one owner at
 * most: who dies or is jumped out of in between leaks a place, nothing else.
 */
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/channel.h"
#include "lib/chunk.h"
#include "lib/clock.h"

/* A slot of the queue whose turn came before its channel did. */
#define SLOT_SKIPPED UINT32_MAX

struct table {
	struct ttlog_channel_entry *entry;
	uint32_t count;
	struct ttlog_ledger *ledger;
	const struct ttlog_lane_geometry *lane;
	struct ttlog_chunk_record *records;
};

static struct table table_of(const struct ttlog_place *place)
{
	const struct ttlog_lane_geometry *lane = &place->geometry.lane[TTLOG_LANE_CHANNEL];
	struct table table = {
		.entry = (void *)(place->base + place->geometry.channels_offset),
		.count = place->geometry.channel_count,
		.ledger = (void *)(place->base + place->geometry.ledger_offset),
		.lane = lane,
		.records = (void *)(place->base + lane->records_offset),
	};

	return table;
}

/* Who opens need not have recorded yet. */
static uint32_t own_tid(void)
{
	const struct ttlog_thread *thread = ttlog_thread_mine();

	return thread ? atomic_load_explicit(&thread->tid, memory_order_relaxed)
		      : (uint32_t)syscall(SYS_gettid);
}

static bool swap_state(struct ttlog_channel_entry *entry, uint32_t generation,
		       enum ttlog_channel_state from, enum ttlog_channel_state to)
{
	uint64_t word = TTLOG_CHANNEL_STATE(generation, from);

	return atomic_compare_exchange_strong_explicit(&entry->state, &word,
						       TTLOG_CHANNEL_STATE(generation, to),
						       memory_order_acq_rel, memory_order_relaxed);
}

static void set_state(struct ttlog_channel_entry *entry, uint32_t generation,
		      enum ttlog_channel_state state)
{
	/* Pairs with the acquire of whoever looks it up, and of the reader. */
	atomic_store_explicit(&entry->state, TTLOG_CHANNEL_STATE(generation, state),
			      memory_order_release);
}

static uint32_t generation_of(const struct ttlog_channel_entry *entry)
{
	return TTLOG_CHANNEL_GENERATION(atomic_load_explicit(&entry->state, memory_order_acquire));
}

/* ---- the queue of closed channels -------------------------------------------------------------
 */

/*
 * Places in the order in which they were closed. It is only a hint: whose a channel is, its state
 * says. A position is drawn, then its slot is filled; whoever is stopped in between holds up
 * nobody, because the slot is marked as skipped and its place goes to a later position.
 */
static void closed_push(const struct table *table, uint32_t place)
{
	for (uint32_t i = 0; i <= table->count; i++) {
		uint64_t position = atomic_fetch_add_explicit(&table->ledger->closed_tail, 1,
							      memory_order_relaxed);
		_Atomic uint32_t *slot = &table->entry[position % table->count].closed_slot;
		uint32_t seen = 0;

		if (atomic_compare_exchange_strong(slot, &seen, place + 1))
			return;
		if (seen == SLOT_SKIPPED)
			atomic_compare_exchange_strong(slot, &seen, 0);
	}
}

/* What is in the slot, which becomes empty; 0: skipped. */
static uint32_t slot_take(_Atomic uint32_t *slot)
{
	uint32_t seen = atomic_load_explicit(slot, memory_order_acquire);

	while (seen != SLOT_SKIPPED &&
	       !atomic_compare_exchange_weak(slot, &seen, seen ? 0 : SLOT_SKIPPED))
		;
	return seen == SLOT_SKIPPED ? 0 : seen;
}

static bool closed_pop(const struct table *table, uint32_t *ret_place)
{
	uint64_t head = atomic_load_explicit(&table->ledger->closed_head, memory_order_relaxed);

	while (head < atomic_load_explicit(&table->ledger->closed_tail, memory_order_acquire)) {
		uint32_t seen;

		if (!atomic_compare_exchange_weak(&table->ledger->closed_head, &head, head + 1))
			continue;
		seen = slot_take(&table->entry[head % table->count].closed_slot);
		if (seen && seen <= table->count) {
			*ret_place = seen - 1;
			return true;
		}
		head++;
	}
	return false;
}

/* ---- memory for a channel ---------------------------------------------------------------------
 */

/* Chunks for a budget: whole places of the table. 0: more than there are. */
static uint32_t chunks_for(const struct table *table, size_t budget_bytes)
{
	const uint64_t pair = (uint64_t)table->lane->chunk_bytes * TTLOG_CHANNEL_CHUNKS_MIN;
	uint64_t count = budget_bytes / pair + (budget_bytes % pair != 0);

	if (!count)
		count = 1;
	if (count > table->count)
		return 0;
	return (uint32_t)count * TTLOG_CHANNEL_CHUNKS_MIN;
}

static bool take_fresh(const struct table *table, uint32_t count, uint32_t *ret_place)
{
	_Atomic uint64_t *next = &table->ledger->lane[TTLOG_LANE_CHANNEL].hand;
	uint64_t end = (uint64_t)table->count * TTLOG_CHANNEL_CHUNKS_MIN;
	uint64_t first = atomic_load_explicit(next, memory_order_relaxed);

	do {
		if (first > end || end - first < count)
			return false;
	} while (!atomic_compare_exchange_weak_explicit(
		next, &first, first + count, memory_order_relaxed, memory_order_relaxed));
	*ret_place = (uint32_t)(first / TTLOG_CHANNEL_CHUNKS_MIN);
	atomic_store_explicit(&table->entry[*ret_place].chunk_count, count, memory_order_relaxed);
	return true;
}

/* Is nobody in the middle of an event for the channel that this one was? See is_still_open(). */
static bool is_quiet(const struct table *table, uint32_t first, uint32_t count, uint32_t tid)
{
	atomic_thread_fence(memory_order_seq_cst);
	for (uint32_t i = first; i < first + count; i++) {
		uint64_t state =
			atomic_load_explicit(&table->records[i].state, memory_order_acquire);

		if (TTLOG_STATE_OF(state) == TTLOG_CHUNK_FREE ||
		    TTLOG_STATE_OF(state) == TTLOG_CHUNK_RETIRED)
			continue;
		ttlog_chunk_retire_vanished(TTLOG_LANE_CHANNEL, tid, first, count);
		return false;
	}
	return true;
}

/* All events of the channel give way, and are counted. 0, -EAGAIN (in use after all), -EBUSY
 * (frozen). */
static int empty_out(const struct table *table, uint32_t first, uint32_t count, uint32_t tid)
{
	if (!is_quiet(table, first, count, tid))
		return -EAGAIN;
	for (uint32_t i = first; i < first + count; i++) {
		enum ttlog_take result = ttlog_chunk_empty_at(TTLOG_LANE_CHANNEL, tid, i);

		if (result != TTLOG_TAKE_DONE)
			return result == TTLOG_TAKE_FROZEN ? -EBUSY : -EAGAIN;
	}
	return 0;
}

/* What is behind `count` chunks of a channel that is taken and empty is a closed one of its own. */
static void split(const struct table *table, uint32_t place, uint32_t count)
{
	struct ttlog_channel_entry *entry = &table->entry[place], *rest;
	uint32_t all = atomic_load_explicit(&entry->chunk_count, memory_order_relaxed);

	if (all == count)
		return;
	rest = entry + count / TTLOG_CHANNEL_CHUNKS_MIN;
	atomic_store_explicit(&entry->chunk_count, count, memory_order_relaxed);
	atomic_store_explicit(&rest->chunk_count, all - count, memory_order_relaxed);
	set_state(rest, generation_of(rest), TTLOG_CHANNEL_CLOSED);
	closed_push(table, place + count / TTLOG_CHANNEL_CHUNKS_MIN);
}

/* Takes over one closed channel, if it is that large. 0, or why not. */
static int take_closed(const struct table *table, uint32_t place, uint32_t count, uint32_t tid)
{
	struct ttlog_channel_entry *entry = &table->entry[place];
	uint32_t generation = generation_of(entry);
	uint32_t has = atomic_load_explicit(&entry->chunk_count, memory_order_relaxed);
	int error;

	if (!swap_state(entry, generation, TTLOG_CHANNEL_CLOSED, TTLOG_CHANNEL_TAKEN))
		return -ENOENT;
	error = has < count ? -ENOSPC
			    : empty_out(table, place * TTLOG_CHANNEL_CHUNKS_MIN, has, tid);
	if (!error) {
		split(table, place, count);
		return 0;
	}
	set_state(entry, generation, TTLOG_CHANNEL_CLOSED);
	closed_push(table, place);
	return error;
}

/* The one that was closed first of those that are large enough and in nobody's hands. */
static int take_over(const struct table *table, uint32_t count, uint32_t *ret_place)
{
	uint64_t head = atomic_load_explicit(&table->ledger->closed_head, memory_order_relaxed);
	uint64_t tail = atomic_load_explicit(&table->ledger->closed_tail, memory_order_relaxed);
	uint32_t tid = own_tid();

	for (; head < tail; head++) {
		int error;

		if (ttlog_is_frozen(ttlog_freeze_word()))
			return -EBUSY;
		if (!closed_pop(table, ret_place))
			break;
		error = take_closed(table, *ret_place, count, tid);
		if (!error)
			atomic_fetch_add_explicit(&table->ledger->channels_replaced, 1,
						  memory_order_relaxed);
		if (!error || error == -EBUSY)
			return error;
	}
	return -ENOSPC;
}

/* ---- open and close ---------------------------------------------------------------------------
 */

/* What its chunks had lost before. */
static uint64_t overwritten_before(const struct table *table, uint32_t first, uint32_t count)
{
	uint64_t sum = 0;

	for (uint32_t i = first; i < first + count; i++) {
		uint64_t state =
			atomic_load_explicit(&table->records[i].state, memory_order_acquire);

		sum += atomic_load_explicit(
			&table->records[i].account[TTLOG_STATE_GENERATION(state) & 1].count,
			memory_order_relaxed);
	}
	return sum;
}

/* The entry is nobody else's and its chunks are empty: it gets a name, and is open. */
static uint32_t publish(const struct table *table, uint32_t place, const char *name)
{
	struct ttlog_channel_entry *entry = &table->entry[place];
	uint32_t generation = generation_of(entry) + 1;
	uint32_t count = atomic_load_explicit(&entry->chunk_count, memory_order_relaxed);
	char kept[TTLOG_CHANNEL_NAME_BYTES] = {0};

	if (!generation)
		generation = 1;
	memcpy(kept, name, strnlen(name, sizeof(kept) - 1));
	ttlog_store_((unsigned char *)entry->name, kept, sizeof(kept));
	atomic_store_explicit(&entry->hand, 0, memory_order_relaxed);
	atomic_store_explicit(&entry->diverted, 0, memory_order_relaxed);
	atomic_store_explicit(&entry->diverted_first, 0, memory_order_relaxed);
	atomic_store_explicit(&entry->diverted_last, 0, memory_order_relaxed);
	atomic_store_explicit(&entry->closed_ticks, 0, memory_order_relaxed);
	atomic_store_explicit(&entry->opened_ticks,
			      ttlog_clock_ticks(ttlog_place_.geometry.clock_source),
			      memory_order_relaxed);
	atomic_store_explicit(&entry->overwritten_before,
			      overwritten_before(table, place * TTLOG_CHANNEL_CHUNKS_MIN, count),
			      memory_order_relaxed);
	set_state(entry, generation, TTLOG_CHANNEL_OPEN);
	return generation;
}

int ttlog_channel_take(const char *name, size_t budget_bytes, struct ttlog_channel *ret_channel)
{
	struct table table = table_of(&ttlog_place_);
	uint32_t count = chunks_for(&table, budget_bytes), place = 0;
	int error = count ? 0 : -ENOSPC;

	if (!error && !take_fresh(&table, count, &place))
		error = take_over(&table, count, &place);
	if (error) {
		atomic_fetch_add_explicit(&table.ledger->channels_refused, 1, memory_order_relaxed);
		return error;
	}
	ret_channel->index = place;
	ret_channel->generation = publish(&table, place, name);
	atomic_fetch_add_explicit(&table.ledger->channels_open, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&table.ledger->channels_opened, 1, memory_order_relaxed);
	return 0;
}

void ttlog_channel_give_back(struct ttlog_channel channel)
{
	struct table table = table_of(&ttlog_place_);
	struct ttlog_channel_entry *entry;

	if (channel.index >= table.count)
		return;
	entry = &table.entry[channel.index];
	if (!swap_state(entry, channel.generation, TTLOG_CHANNEL_OPEN, TTLOG_CHANNEL_CLOSED))
		return;
	atomic_store_explicit(&entry->closed_ticks,
			      ttlog_clock_ticks(ttlog_place_.geometry.clock_source),
			      memory_order_relaxed);
	atomic_fetch_sub_explicit(&table.ledger->channels_open, 1, memory_order_relaxed);
	closed_push(&table, channel.index);
}

/* ---- fork -------------------------------------------------------------------------------------
 */

/* Is the copy of a name and a count what it was when the state was read? */
static bool is_unchanged(const struct ttlog_channel_entry *entry, uint64_t state)
{
	atomic_thread_fence(memory_order_acquire);
	return atomic_load_explicit(&entry->state, memory_order_relaxed) == state;
}

/*
 * One place. Whatever becomes of it, its generation goes on from here: a handle of the parent's
 * never means another channel in the child.
 */
static void carry_one(const struct table *old, const struct table *new, uint32_t place)
{
	const struct ttlog_channel_entry *from = &old->entry[place];
	struct ttlog_channel_entry *to = &new->entry[place];
	uint64_t state = atomic_load_explicit(&from->state, memory_order_acquire);
	uint32_t count = atomic_load_explicit(&from->chunk_count, memory_order_relaxed);
	uint64_t opened = atomic_load_explicit(&from->opened_ticks, memory_order_relaxed);
	unsigned int is = TTLOG_CHANNEL_STATE_OF(state);
	bool fits = count && count <= new->lane->chunk_count &&place *TTLOG_CHANNEL_CHUNKS_MIN <=
				     new->lane->chunk_count - count;

	if (is == TTLOG_CHANNEL_NONE || !fits) {
		set_state(to, TTLOG_CHANNEL_GENERATION(state), TTLOG_CHANNEL_NONE);
		return;
	}
	atomic_store_explicit(&to->chunk_count, count, memory_order_relaxed);
	atomic_store_explicit(&to->opened_ticks, opened, memory_order_relaxed);
	ttlog_store_((unsigned char *)to->name, from->name, sizeof(to->name) - 1);
	if (is == TTLOG_CHANNEL_OPEN && is_unchanged(from, state)) {
		set_state(to, TTLOG_CHANNEL_GENERATION(state), TTLOG_CHANNEL_OPEN);
		atomic_fetch_add_explicit(&new->ledger->channels_open, 1, memory_order_relaxed);
	} else {
		set_state(to, generation_of(from), TTLOG_CHANNEL_CLOSED);
		closed_push(new, place);
	}
}

void ttlog_channel_carry(const struct ttlog_place *from, const struct ttlog_place *to)
{
	struct table old = table_of(from), new = table_of(to);
	uint64_t used = atomic_load_explicit(&old.ledger->lane[TTLOG_LANE_CHANNEL].hand,
					     memory_order_relaxed);
	uint64_t limit = (uint64_t) new.count *TTLOG_CHANNEL_CHUNKS_MIN;

	if (used > limit)
		used = limit;
	for (uint32_t place = 0; place < used / TTLOG_CHANNEL_CHUNKS_MIN && place < old.count;
	     place++)
		carry_one(&old, &new, place);
	atomic_store_explicit(&new.ledger->lane[TTLOG_LANE_CHANNEL].hand, used,
			      memory_order_relaxed);
}
