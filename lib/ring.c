/* SPDX-License-Identifier: MIT */
/*
 * ring.c - the chunk protocol, writing side.
 *
 * A lock-free program is a list of moments at which the process may die. Each step below says what a
 * reader finds if the process dies behind it; the numbers are the steps of the protocol and of the
 * model. Nothing here waits for another thread, and nothing but the search for vanished owners makes a
 * system call.
 *
 *   take     1 freeze word   2 find   3 condemn   4 freeze word again   5 account   6 INIT   7 fence
 *            8 empty it      9 OWNED
 *   record   1 busy   2 room   3 zero behind, body   4 commit   5 position, busy
 *   retire   1 count, newest, age   2 their generation   3 RETIRED
 */
#include "lib/ring.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/encode.h"
#include "lib/process.h"

/* How often a taker that finds nothing asks whether the owners still live, about. */
#define SEARCH_INTERVAL_TICKS (UINT64_C(1) << 30)

/* A lane of this process's region. */
struct lane {
	uint32_t id;
	const struct ttlog_lane_geometry *geometry;
	struct ttlog_lane_ledger *ledger;
	_Atomic uint64_t *states;
	struct ttlog_account (*accounts)[2];
};

/* A chunk that was taken. */
struct tenure {
	struct ttlog_chunk *chunk;
	uint32_t index;
	uint64_t generation;
};

static struct lane lane_of(uint32_t id)
{
	const struct ttlog_lane_geometry *geometry = &ttlog_place_.geometry.lane[id];
	struct lane lane = {
		.id = id,
		.geometry = geometry,
		.ledger = &ttlog_process_ledger()->lane[id],
		.states = (void *)(ttlog_place_.base + geometry->states_offset),
		.accounts = (void *)(ttlog_place_.base + geometry->accounts_offset),
	};

	return lane;
}

static struct ttlog_chunk *chunk_of(const struct lane *lane, uint32_t index)
{
	return (void *)(ttlog_place_.base + lane->geometry->chunks_offset +
			(uint64_t)index * lane->geometry->chunk_bytes);
}

static bool is_frozen(uint32_t freeze_word)
{
	return freeze_word & 1;
}

static uint64_t word_at(const struct ttlog_chunk *chunk, uint32_t offset)
{
	return __atomic_load_n((const uint64_t *)(const void *)((const unsigned char *)chunk + offset),
			       __ATOMIC_ACQUIRE);
}

static void set_word_at(struct ttlog_chunk *chunk, uint32_t offset, uint64_t word)
{
	__atomic_store_n((uint64_t *)(void *)((unsigned char *)chunk + offset), word, __ATOMIC_RELAXED);
}

/* ---- counting --------------------------------------------------------------------------------- */

struct span {
	uint64_t count, first, last; /* ticks, 0 = none */
};

/* The committed events of a chunk, from its headers. */
static struct span walk(const struct ttlog_chunk *chunk, uint32_t chunk_bytes)
{
	struct span span = {0};
	uint32_t offset = TTLOG_CHUNK_FIRST;
	uint64_t word;

	while (offset < chunk_bytes - 8 && (word = word_at(chunk, offset)) != 0) {
		uint32_t size = TTLOG_EVENT_BYTES(word);

		if (size < TTLOG_EVENT_MIN || size > chunk_bytes - 8 - offset)
			break;
		span.last = word_at(chunk, offset + 8);
		if (!span.count++)
			span.first = span.last;
		offset += size;
	}
	return span;
}

/* What is in the chunk now: the data of its retire if they are of this generation, else a walk. */
static struct span content(const struct ttlog_chunk *chunk, uint32_t chunk_bytes, uint64_t state)
{
	struct span span = {0};

	if (TTLOG_STATE_OF(state) == TTLOG_CHUNK_FREE || TTLOG_STATE_OF(state) == TTLOG_CHUNK_INIT)
		return span;
	if (atomic_load_explicit(&chunk->retired_generation, memory_order_relaxed) !=
	    TTLOG_STATE_GENERATION(state))
		return walk(chunk, chunk_bytes);
	span.count = atomic_load_explicit(&chunk->retired_count, memory_order_relaxed);
	if (span.count) {
		span.first = word_at(chunk, TTLOG_CHUNK_FIRST + 8);
		span.last = atomic_load_explicit(&chunk->retired_last, memory_order_relaxed);
	}
	return span;
}

static void add_account(const struct ttlog_account *old, struct ttlog_account *new,
			const struct span *span)
{
	uint64_t first = atomic_load_explicit(&old->first, memory_order_relaxed);
	uint64_t last = atomic_load_explicit(&old->last, memory_order_relaxed);
	uint64_t count = atomic_load_explicit(&old->count, memory_order_relaxed);

	if (span->count && (!count || span->first < first))
		first = span->first;
	if (span->count && span->last > last)
		last = span->last;
	atomic_store_explicit(&new->count, count + span->count, memory_order_relaxed);
	atomic_store_explicit(&new->first, first, memory_order_relaxed);
	atomic_store_explicit(&new->last, last, memory_order_relaxed);
}

void ttlog_ring_count_drop(uint32_t lane_id)
{
	struct ttlog_lane_ledger *ledger = &ttlog_process_ledger()->lane[lane_id];
	uint64_t now = ttlog_clock_ticks(ttlog_place_.geometry.clock_source), none = 0;

	atomic_fetch_add_explicit(&ledger->dropped, 1, memory_order_relaxed);
	atomic_compare_exchange_strong_explicit(&ledger->dropped_first, &none, now, memory_order_relaxed,
						memory_order_relaxed);
	atomic_store_explicit(&ledger->dropped_last, now, memory_order_relaxed);
}

void ttlog_ring_count(uint64_t *ret_retained, uint64_t *ret_overwritten)
{
	uint64_t retained = 0, overwritten = 0;

	for (uint32_t id = 0; id < ttlog_place_.geometry.lane_count; id++) {
		struct lane lane = lane_of(id);

		for (uint32_t i = 0; i < lane.geometry->chunk_count; i++) {
			uint64_t state = atomic_load_explicit(&lane.states[i], memory_order_acquire);
			const struct ttlog_account *account =
				&lane.accounts[i][TTLOG_STATE_GENERATION(state) & 1];

			overwritten += atomic_load_explicit(&account->count, memory_order_relaxed);
			retained += content(chunk_of(&lane, i), lane.geometry->chunk_bytes, state).count;
		}
	}
	*ret_retained = retained;
	*ret_overwritten = overwritten;
}

/* ---- take ------------------------------------------------------------------------------------- */

enum search_rule {
	ONLY_FREE,    /* evict nothing */
	NOT_YOUNG,    /* leave the younger half alone: a quiet thread's chunk, retired just now */
	ANY_RETIRED,
	VANISHED_TOO, /* chunks whose owner is no more */
};

/*
 * Is there no such thread? One whose id was given to a new thread looks alive: its chunk is leaked,
 * never stolen (trap 13).
 */
static bool owner_vanished(uint32_t tid)
{
	uint32_t pid = atomic_load_explicit(&ttlog_life()->pid, memory_order_relaxed);

	return syscall(SYS_tgkill, pid, tid, 0) < 0 && errno == ESRCH;
}

static bool may_take(const struct lane *lane, uint32_t index, uint64_t state, enum search_rule rule,
		     uint64_t ticket, uint32_t freeze_word)
{
	const struct ttlog_chunk *chunk = chunk_of(lane, index);

	switch (TTLOG_STATE_OF(state)) {
	case TTLOG_CHUNK_FREE:
		return true;
	case TTLOG_CHUNK_RETIRED:
		if (rule == ONLY_FREE)
			return false;
		/* The afterlife of an earlier freeze gives way to that of this one, and to nothing else. */
		if (lane->id == TTLOG_LANE_AFTERLIFE)
			return __atomic_load_n(&chunk->epoch, __ATOMIC_RELAXED) != freeze_word;
		if (lane->geometry->flags & TTLOG_LANE_NEVER_RECYCLED)
			return false;
		/* Signed: others may have drawn tickets since we drew ours, and retired this one. */
		return rule != NOT_YOUNG ||
		       (int64_t)(ticket - atomic_load_explicit(&chunk->retired_ticket,
							       memory_order_relaxed)) >=
			       (int64_t)(lane->geometry->chunk_count / 2);
	case TTLOG_CHUNK_OWNED:
	case TTLOG_CHUNK_COND:
	case TTLOG_CHUNK_INIT:
		return rule == VANISHED_TOO && !(lane->geometry->flags & TTLOG_LANE_NEVER_RECYCLED) &&
		       owner_vanished(TTLOG_STATE_TID(state));
	}
	return false;
}

/* Steps 5 to 9: the chunk is condemned and ours; its old content goes, ours may come. */
static void occupy(const struct lane *lane, const struct ttlog_thread *thread, uint64_t old_state,
		   uint32_t freeze_word, struct tenure *tenure)
{
	uint64_t old = TTLOG_STATE_GENERATION(old_state), new = old + 1;
	uint32_t tid = atomic_load_explicit(&thread->tid, memory_order_relaxed);
	struct ttlog_chunk *chunk = tenure->chunk;
	_Atomic uint64_t *state = &lane->states[tenure->index];
	struct span lost = content(chunk, lane->geometry->chunk_bytes, old_state);

	/* 5. The account of the next generation. Dead here: COND, the old events are read and not counted. */
	add_account(&lane->accounts[tenure->index][old & 1], &lane->accounts[tenure->index][new & 1],
		    &lost);
	/* 6. Dead here: INIT of the new generation, nothing is read, all is counted. Release: the account
	 * is there; pairs with the reader's acquire of the state. */
	atomic_store_explicit(state, TTLOG_STATE(new, tid, TTLOG_CHUNK_INIT), memory_order_release);
	/* 7. INIT is seen before anything below; pairs with the reader's fence before its second look. */
	atomic_thread_fence(memory_order_release);
	/* 8. */
	set_word_at(chunk, TTLOG_CHUNK_FIRST, 0);
	__atomic_store_n(&chunk->tid, tid, __ATOMIC_RELAXED);
	__atomic_store_n(&chunk->epoch, freeze_word, __ATOMIC_RELAXED);
	ttlog_store_((unsigned char *)chunk->thread_name, thread->name, sizeof(chunk->thread_name));
	__atomic_store_n(&chunk->taken_ticks, ttlog_clock_ticks(ttlog_place_.geometry.clock_source),
			 __ATOMIC_RELAXED);
	/* 9. Dead here: OWNED and empty. */
	atomic_store_explicit(state, TTLOG_STATE(new, tid, TTLOG_CHUNK_OWNED), memory_order_release);
	tenure->generation = new;
}

enum take_result { TAKE_NONE, TAKE_DONE, TAKE_FROZEN };

/* Steps 3 and 4 for one candidate. */
static enum take_result condemn(const struct lane *lane, const struct ttlog_thread *thread,
				uint32_t index, uint64_t state, uint32_t freeze_word,
				struct tenure *ret_tenure)
{
	uint64_t generation = TTLOG_STATE_GENERATION(state);
	uint32_t tid = atomic_load_explicit(&thread->tid, memory_order_relaxed);
	/* An INIT that a vanished taker left has nothing to condemn: it stays INIT. */
	bool empty = TTLOG_STATE_OF(state) == TTLOG_CHUNK_INIT || TTLOG_STATE_OF(state) == TTLOG_CHUNK_FREE;
	uint64_t mine = TTLOG_STATE(generation, tid,
				    TTLOG_STATE_OF(state) == TTLOG_CHUNK_INIT ? TTLOG_CHUNK_INIT
									      : TTLOG_CHUNK_COND);

	/* 3. Ours alone from here. Dead here: COND, all old events are whole and read. */
	if (!atomic_compare_exchange_strong_explicit(&lane->states[index], &state, mine,
						     memory_order_acq_rel, memory_order_relaxed))
		return TAKE_NONE;
	/* 4. Either the freezer sees COND and waits with its scan for what becomes of it, or we see the
	 * freeze: one of the two, by a full fence on both sides. */
	atomic_thread_fence(memory_order_seq_cst);
	if (!empty && lane->id != TTLOG_LANE_AFTERLIFE && is_frozen(ttlog_freeze_word())) {
		atomic_store_explicit(&lane->states[index],
				      TTLOG_STATE(generation, 0, TTLOG_CHUNK_RETIRED),
				      memory_order_release);
		return TAKE_FROZEN;
	}
	ret_tenure->index = index;
	ret_tenure->chunk = chunk_of(lane, index);
	occupy(lane, thread, state, freeze_word, ret_tenure);
	return TAKE_DONE;
}

/* Step 2: one lap around the lane. */
static enum take_result lap(const struct lane *lane, const struct ttlog_thread *thread, uint64_t ticket,
			    enum search_rule rule, uint32_t freeze_word, struct tenure *ret_tenure)
{
	uint32_t count = lane->geometry->chunk_count;
	uint32_t index = (uint32_t)(ticket % count);

	for (uint32_t i = 0; i < count; i++, index = index + 1 == count ? 0 : index + 1) {
		/* Pairs with the release of a retire: its data are there. */
		uint64_t state = atomic_load_explicit(&lane->states[index], memory_order_acquire);
		enum take_result result;

		if (!may_take(lane, index, state, rule, ticket, freeze_word))
			continue;
		result = condemn(lane, thread, index, state, freeze_word, ret_tenure);
		if (result != TAKE_NONE)
			return result;
	}
	return TAKE_NONE;
}

/* One taker in about half a second looks for owners that are no more. */
static bool time_to_search(void)
{
	_Atomic uint64_t *next = &ttlog_life()->next_search_ticks;
	uint64_t now = ttlog_clock_ticks(ttlog_place_.geometry.clock_source);
	uint64_t due = atomic_load_explicit(next, memory_order_relaxed);

	return now >= due && atomic_compare_exchange_strong(next, &due, now + SEARCH_INTERVAL_TICKS);
}

static enum take_result take(uint32_t lane_id, const struct ttlog_thread *thread, enum search_rule rule,
			     uint32_t freeze_word, struct tenure *ret_tenure)
{
	struct lane lane = lane_of(lane_id);
	uint64_t ticket;
	enum take_result result;

	if (!lane.geometry->chunk_count)
		return TAKE_NONE;
	ticket = atomic_fetch_add_explicit(&lane.ledger->hand, 1, memory_order_relaxed);
	result = lap(&lane, thread, ticket, rule, freeze_word, ret_tenure);
	if (result == TAKE_NONE && rule == NOT_YOUNG)
		result = lap(&lane, thread, ticket, ANY_RETIRED, freeze_word, ret_tenure);
	if (result == TAKE_NONE && rule == NOT_YOUNG && time_to_search())
		result = lap(&lane, thread, ticket, VANISHED_TOO, freeze_word, ret_tenure);
	return result;
}

/* ---- retire ----------------------------------------------------------------------------------- */

static void retire(const struct lane *lane, const struct tenure *tenure, uint32_t count, uint64_t last)
{
	struct ttlog_chunk *chunk = tenure->chunk;

	/* 1. */
	atomic_store_explicit(&chunk->retired_count, count, memory_order_relaxed);
	atomic_store_explicit(&chunk->retired_last, last, memory_order_relaxed);
	atomic_store_explicit(&chunk->retired_ticket,
			      atomic_load_explicit(&lane->ledger->hand, memory_order_relaxed),
			      memory_order_relaxed);
	/* 2. Dead before this: their generation is an older one, and a reader counts by walking. */
	atomic_store_explicit(&chunk->retired_generation, tenure->generation, memory_order_release);
	/* 3. Pairs with the acquire of the next taker and of the reader. */
	atomic_store_explicit(&lane->states[tenure->index],
			      TTLOG_STATE(tenure->generation, 0, TTLOG_CHUNK_RETIRED),
			      memory_order_release);
}

/*
 * The call that was writing is gone (cancelled, or jumped out of): if it got as far as its commit, the
 * word at the position is its header, else it is the zero of the event before.
 */
static void settle(struct ttlog_thread *thread)
{
	struct ttlog_writer *hot = &thread->hot;
	uint32_t offset = (uint32_t)hot->position;
	uint64_t word;

	if (!hot->chunk)
		return;
	word = word_at((struct ttlog_chunk *)(void *)hot->chunk, offset);
	if (word) {
		hot->last_ticks = word_at((struct ttlog_chunk *)(void *)hot->chunk, offset + 8);
		hot->position += UINT64_C(1) << 32 | TTLOG_EVENT_BYTES(word);
	}
}

/* A chunk that was a thread's, full or not, still OWNED. */
struct held {
	struct tenure tenure; /* chunk NULL: there is none */
	uint32_t lane;
	uint32_t count;
	uint64_t last;
};

/* The writer has no chunk from here on: a handler that records finds no room. */
static struct held detach(struct ttlog_thread *thread)
{
	struct ttlog_writer *hot = &thread->hot;
	struct held held = {
		.tenure = {(struct ttlog_chunk *)(void *)hot->chunk, thread->chunk_index,
			   thread->generation},
		.lane = thread->lane,
		.count = (uint32_t)(hot->position >> 32),
		.last = hot->last_ticks,
	};

	hot->limit = 0;
	hot->chunk = NULL;
	atomic_signal_fence(memory_order_seq_cst);
	hot->position = 0;
	return held;
}

static void give_back(struct held *held)
{
	struct lane lane;

	if (!held->tenure.chunk)
		return;
	lane = lane_of(held->lane);
	retire(&lane, &held->tenure, held->count, held->last);
	held->tenure.chunk = NULL;
}

void ttlog_ring_leave(struct ttlog_thread *thread)
{
	struct held held;

	thread->hot.busy = 1;
	atomic_signal_fence(memory_order_seq_cst);
	settle(thread);
	held = detach(thread);
	give_back(&held);
	atomic_signal_fence(memory_order_seq_cst);
	thread->hot.busy = 0;
}

/* ---- record ----------------------------------------------------------------------------------- */

/* Steps 3 and 4, where the event's place is known. Returns its ticks. */
static uint64_t write_event(struct ttlog_chunk *chunk, uint32_t offset, const struct ttlog_site *site,
			    const struct ttlog_value *values, const struct ttlog_encoding *encoding)
{
	unsigned char *event = (unsigned char *)chunk + offset;
	uint64_t ticks = ttlog_clock_ticks(ttlog_place_.geometry.clock_source);
	uint64_t word = (uint64_t)__atomic_load_n(&site->id, __ATOMIC_RELAXED) << 32 |
			(uint64_t)encoding->flags << 16 | encoding->size;
	unsigned char *to = ttlog_open_(event, encoding->size, ticks);

	ttlog_encode(to, site, values, encoding);
	/* The commit; pairs with the acquire of the reader's walk. */
	__atomic_store_n((uint64_t *)(void *)event, word, __ATOMIC_RELEASE);
	return ticks;
}

static void count_truncated(uint32_t lane_id, const struct ttlog_encoding *encoding)
{
	if (encoding->flags & TTLOG_EVENT_TRUNCATED)
		atomic_fetch_add_explicit(&ttlog_process_ledger()->lane[lane_id].truncated, 1,
					  memory_order_relaxed);
}

/* The next chunk of the thread: afterlife when frozen, boot while there is some, else main. */
static enum take_result take_next(const struct ttlog_thread *thread, uint32_t *ret_lane,
				  struct tenure *ret_tenure)
{
	struct ttlog_life *life = ttlog_life();
	/* 1. */
	uint32_t freeze_word = ttlog_freeze_word();
	enum take_result result;

	if (is_frozen(freeze_word)) {
		*ret_lane = TTLOG_LANE_AFTERLIFE;
		return take(TTLOG_LANE_AFTERLIFE, thread, ANY_RETIRED, freeze_word, ret_tenure);
	}
	if (!atomic_load_explicit(&life->boot_full, memory_order_relaxed)) {
		*ret_lane = TTLOG_LANE_BOOT;
		result = take(TTLOG_LANE_BOOT, thread, ONLY_FREE, freeze_word, ret_tenure);
		if (result != TAKE_NONE)
			return result;
		atomic_store_explicit(&life->boot_full, 1, memory_order_relaxed);
	}
	*ret_lane = TTLOG_LANE_MAIN;
	return take(TTLOG_LANE_MAIN, thread, NOT_YOUNG, freeze_word, ret_tenure);
}

static bool next_chunk(struct ttlog_thread *thread)
{
	struct ttlog_writer *hot = &thread->hot;
	struct tenure tenure;
	enum take_result result;
	uint32_t lane;

	do {
		result = take_next(thread, &lane, &tenure);
	} while (result == TAKE_FROZEN);
	if (result != TAKE_DONE)
		return false;
	thread->lane = lane;
	thread->chunk_index = tenure.index;
	thread->generation = tenure.generation;
	hot->position = TTLOG_CHUNK_FIRST;
	hot->chunk = (unsigned char *)tenure.chunk;
	/* Without ticks that the fast path can read, the limit stays 0 and all events come this way. */
	if (ttlog_place_.geometry.clock_source != TTLOG_CLOCK_MONOTONIC)
		hot->limit = ttlog_place_.geometry.lane[lane].chunk_bytes - 8;
	return true;
}

/*
 * Into the thread's own chunk. The caller has set busy, and ends it. The full chunk is given back only
 * when the next one has an event: whenever the thread is stopped, for however long, its newest events
 * are in a chunk that nobody else takes. Unless there is no other chunk to be had.
 */
static bool record_in_chunk(struct ttlog_thread *thread, const struct ttlog_site *site,
			    const struct ttlog_value *values)
{
	uint32_t room = TTLOG_CHUNK_ROOM(ttlog_place_.geometry.lane[TTLOG_LANE_MAIN].chunk_bytes);
	struct ttlog_writer *hot = &thread->hot;
	struct held full = {.tenure = {.chunk = NULL}};
	struct ttlog_encoding encoding;
	uint32_t end;

	ttlog_encoding_plan(site, values, room, &encoding);
	end = hot->chunk ? ttlog_place_.geometry.lane[thread->lane].chunk_bytes - 8 : 0;
	/* 2. */
	if ((uint32_t)hot->position + encoding.size > end) {
		full = detach(thread);
		if (!next_chunk(thread)) {
			give_back(&full);
			if (!next_chunk(thread))
				return false;
		}
	}
	hot->last_ticks = write_event((struct ttlog_chunk *)(void *)hot->chunk, (uint32_t)hot->position,
				      site, values, &encoding);
	atomic_signal_fence(memory_order_seq_cst);
	/* 5. */
	hot->position += UINT64_C(1) << 32 | encoding.size;
	give_back(&full);
	count_truncated(thread->lane, &encoding);
	return true;
}

/* Takes a slot, writes one event, retires it: nothing stays behind if the thread goes away. */
static bool record_in_slot(struct ttlog_thread *thread, uint32_t lane_id, const struct ttlog_site *site,
			   const struct ttlog_value *values, const struct ttlog_encoding *encoding)
{
	struct lane lane = lane_of(lane_id);
	uint32_t freeze_word = ttlog_freeze_word();
	struct tenure tenure;
	uint64_t ticks;

	if (take(lane_id, thread, is_frozen(freeze_word) ? ONLY_FREE : NOT_YOUNG, freeze_word, &tenure) !=
	    TAKE_DONE)
		return false;
	ticks = write_event(tenure.chunk, TTLOG_CHUNK_FIRST, site, values, encoding);
	retire(&lane, &tenure, 1, ticks);
	count_truncated(lane_id, encoding);
	return true;
}

/*
 * Has the call that is marked busy returned without saying so (a jump out of a handler, a vfork() child
 * that was killed)? A call that is still there has its frame at a higher address than anything that
 * interrupts it on the same stack. On an alternate stack nothing is provable: then it counts as there.
 * One system call, and only when the addresses say that it is gone.
 */
static bool is_gone(uintptr_t busy, uintptr_t sp)
{
	const uintptr_t far = 1u << 20;
	stack_t stack = {0};

	if (busy <= 1 || sp < busy || sp - busy > far)
		return false;
	return syscall(SYS_sigaltstack, NULL, &stack) == 0 && !(stack.ss_flags & SS_ONSTACK);
}

static bool record_alert(struct ttlog_thread *thread, const struct ttlog_site *site,
			 const struct ttlog_value *values)
{
	const struct ttlog_lane_geometry *lanes = ttlog_place_.geometry.lane;
	struct ttlog_encoding encoding;
	uint32_t lane = TTLOG_LANE_ALERT;

	ttlog_encoding_plan(site, values, TTLOG_CHUNK_ROOM(lanes[lane].chunk_bytes), &encoding);
	if (encoding.flags & TTLOG_EVENT_TRUNCATED) {
		lane = TTLOG_LANE_ALERT_LARGE;
		ttlog_encoding_plan(site, values, TTLOG_CHUNK_ROOM(lanes[lane].chunk_bytes), &encoding);
	}
	return record_in_slot(thread, lane, site, values, &encoding);
}

static void record_nested(struct ttlog_thread *thread, const struct ttlog_site *site,
			  const struct ttlog_value *values)
{
	const struct ttlog_lane_geometry *lane = &ttlog_place_.geometry.lane[TTLOG_LANE_NESTED];
	struct ttlog_encoding encoding;

	ttlog_encoding_plan(site, values, TTLOG_CHUNK_ROOM(lane->chunk_bytes), &encoding);
	if (!record_in_slot(thread, TTLOG_LANE_NESTED, site, values, &encoding))
		ttlog_ring_count_drop(TTLOG_LANE_NESTED);
}

void ttlog_ring_record(struct ttlog_thread *thread, const struct ttlog_site *site,
		       const struct ttlog_value *values, uintptr_t sp)
{
	volatile uintptr_t *busy = &thread->hot.busy;
	uintptr_t was = *busy;

	if (site->level >= TTLOG_WARN && record_alert(thread, site, values))
		return;
	if (was && !is_gone(was, sp)) {
		record_nested(thread, site, values);
		return;
	}
	/* 1. */
	*busy = sp;
	atomic_signal_fence(memory_order_seq_cst);
	if (was)
		settle(thread);
	if (!record_in_chunk(thread, site, values))
		ttlog_ring_count_drop(is_frozen(ttlog_freeze_word()) ? TTLOG_LANE_AFTERLIFE
								      : TTLOG_LANE_MAIN);
	atomic_signal_fence(memory_order_seq_cst);
	*busy = 0;
}
