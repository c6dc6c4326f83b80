/* SPDX-License-Identifier: MIT */
/*
 * chunk.c - the chunk protocol: taking and retiring.
 *
 * A lock-free program is a list of moments at which the process may die. Each step below says what
 * a reader finds if the process dies behind it; the numbers are the steps of the protocol and of
 * the model. Nothing here waits for another thread, and nothing but the search for vanished owners
 * makes a system call.
 *
 *   take     1 freeze word   2 find   3 condemn   4 freeze word again   5 account   6 INIT
 *            7 fence   8 empty it   9 OWNED
 *   retire   1 count, newest, age   2 their generation   3 RETIRED
 *
 * "model: take_3" names that step in tests/model/, and tests/model.sh holds one against the other:
 * who changes a step here, changes it there.
 */
#include "lib/chunk.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/lane.h"
#include "lib/process.h"

/* A spare is found within so many places behind its ticket, or there is none. */
#define DRAWN_TRIES 8

/* The steps of a take, once for each caller: of the main lane they are shorter. */
#define INLINE static inline __attribute__((always_inline))

static void set_word_at(struct ttlog_chunk *chunk, uint32_t offset, uint64_t word)
{
	__atomic_store_n((uint64_t *)(void *)((unsigned char *)chunk + offset), word,
			 __ATOMIC_RELAXED);
}

/* ---- take ------------------------------------------------------------------------------------ */

/*
 * Is there no such thread? One whose id was given to a new thread, of whatever process, looks
 * alive: its chunk is leaked, never stolen (trap 13). So does a child that shares our memory (trap
 * 14).
 */
static bool owner_vanished(uint32_t tid)
{
	return syscall(SYS_tkill, tid, 0) < 0 && errno == ESRCH;
}

INLINE bool may_take(const struct ttlog_lane *lane, uint32_t index, uint64_t state,
		     enum ttlog_take_rule rule, uint64_t ticket, uint32_t freeze_word)
{
	const struct ttlog_chunk *chunk = ttlog_lane_chunk(lane, index);

	switch (TTLOG_STATE_OF(state)) {
	case TTLOG_CHUNK_FREE:
		return true;
	case TTLOG_CHUNK_RETIRED:
		if (rule == TTLOG_TAKE_ONLY_FREE)
			return false;
		/* The afterlife of an earlier freeze gives way to that of this one, and to nothing
		 * else. */
		if (lane->id == TTLOG_LANE_AFTERLIFE)
			return __atomic_load_n(&chunk->epoch, __ATOMIC_RELAXED) != freeze_word;
		if (lane->geometry->flags & TTLOG_LANE_NEVER_RECYCLED)
			return false;
		/* Signed: others may have drawn tickets since we drew ours, and retired this one.
		 */
		return rule != TTLOG_TAKE_NOT_YOUNG ||
		       (int64_t)(ticket - atomic_load_explicit(&chunk->retired_ticket,
							       memory_order_relaxed)) >=
			       (int64_t)(lane->geometry->chunk_count / 2);
	case TTLOG_CHUNK_OWNED:
	case TTLOG_CHUNK_COND:
	case TTLOG_CHUNK_INIT:
		return rule == TTLOG_TAKE_VANISHED_TOO &&
		       !(lane->geometry->flags & TTLOG_LANE_NEVER_RECYCLED) &&
		       owner_vanished(TTLOG_STATE_TID(state));
	}
	return false;
}

/*
 * Steps 5 to 8: the chunk is condemned and ours; its old content goes.
 * model: take_5, take_6, take_7, take_8
 */
INLINE void vacate(const struct ttlog_lane *lane, uint32_t tid, uint32_t index, uint64_t old_state)
{
	uint64_t old = TTLOG_STATE_GENERATION(old_state), new = old + 1;
	struct ttlog_chunk *chunk = ttlog_lane_chunk(lane, index);
	struct ttlog_span lost = ttlog_lane_content(chunk, lane->geometry->chunk_bytes, old_state);

	/* 5. The account of the next generation. Dead here: COND, the old events are read and not
	 * counted. */
	ttlog_account_add(&lane->records[index].account[old & 1],
			  &lane->records[index].account[new & 1], &lost);
	/* 6. Dead here: INIT of the new generation, nothing is read, all is counted. Release: the
	 * account is there; pairs with the reader's acquire of the state. */
	atomic_store_explicit(&lane->records[index].state, TTLOG_STATE(new, tid, TTLOG_CHUNK_INIT),
			      memory_order_release);
	/* 7. INIT is seen before anything below; pairs with the reader's fence before its second
	 * look. */
	atomic_thread_fence(memory_order_release);
	/* 8. */
	set_word_at(chunk, TTLOG_CHUNK_FIRST, 0);
}

/* Steps 5 to 9. model: take_9 */
INLINE void occupy(const struct ttlog_lane *lane, const struct ttlog_taker *taker,
		   uint64_t old_state, uint32_t epoch, struct ttlog_tenure *tenure)
{
	uint64_t new = TTLOG_STATE_GENERATION(old_state) + 1;
	struct ttlog_chunk *chunk = tenure->chunk;

	vacate(lane, taker->tid, tenure->index, old_state);
	__atomic_store_n(&chunk->tid, taker->tid, __ATOMIC_RELAXED);
	__atomic_store_n(&chunk->epoch, epoch, __ATOMIC_RELAXED);
	ttlog_store_((unsigned char *)chunk->thread_name, taker->name, sizeof(chunk->thread_name));
	__atomic_store_n(&chunk->taken_ticks, taker->ticks, __ATOMIC_RELAXED);
	if (lane->id != TTLOG_LANE_CHANNEL)
		__atomic_store_n(&chunk->writer, taker->writer, __ATOMIC_RELAXED);
	/* 9. Dead here: OWNED and empty. */
	atomic_store_explicit(&lane->records[tenure->index].state,
			      TTLOG_STATE(new, taker->tid, TTLOG_CHUNK_OWNED),
			      memory_order_release);
	tenure->generation = new;
}

/*
 * Has a freeze, or in the afterlife another freeze or a thaw, come in between? What is marked with
 * a freeze that is over would give way in the one that is on.
 */
INLINE bool is_refused(const struct ttlog_lane *lane, bool empty, uint32_t freeze_word)
{
	uint32_t now = ttlog_freeze_word();

	if (lane->id == TTLOG_LANE_AFTERLIFE)
		return now != freeze_word;
	return !empty && ttlog_is_frozen(now);
}

/* Steps 3 and 4 for one candidate. model: take_3, take_4 */
INLINE enum ttlog_take condemn(const struct ttlog_lane *lane, uint32_t tid, uint32_t index,
			       uint64_t state, uint32_t freeze_word)
{
	uint64_t generation = TTLOG_STATE_GENERATION(state);
	/* An INIT that a vanished taker left has nothing to condemn: it stays INIT. */
	bool empty = TTLOG_STATE_OF(state) == TTLOG_CHUNK_INIT ||
		     TTLOG_STATE_OF(state) == TTLOG_CHUNK_FREE;
	uint64_t mine = TTLOG_STATE(generation, tid,
				    TTLOG_STATE_OF(state) == TTLOG_CHUNK_INIT ? TTLOG_CHUNK_INIT
									      : TTLOG_CHUNK_COND);

	/* 3. Ours alone from here. Dead here: COND, all old events are whole and read. */
	if (!atomic_compare_exchange_strong_explicit(&lane->records[index].state, &state, mine,
						     memory_order_acq_rel, memory_order_relaxed))
		return TTLOG_TAKE_NONE;
	/* 4. Either the freezer sees COND and waits with its scan for what becomes of it, or we see
	 * the freeze: one of the two, by a full fence on both sides. */
	ttlog_fence_behind_swap();
	if (is_refused(lane, empty, freeze_word)) {
		atomic_store_explicit(&lane->records[index].state,
				      empty ? state
					    : TTLOG_STATE(generation, 0, TTLOG_CHUNK_RETIRED),
				      memory_order_release);
		return TTLOG_TAKE_FROZEN;
	}
	return TTLOG_TAKE_DONE;
}

/* Steps 3 to 9 for one candidate. */
INLINE enum ttlog_take take_one(const struct ttlog_lane *lane, const struct ttlog_taker *taker,
				uint32_t index, uint64_t state, uint32_t freeze_word,
				uint32_t epoch, struct ttlog_tenure *ret_tenure)
{
	enum ttlog_take result = condemn(lane, taker->tid, index, state, freeze_word);

	if (result != TTLOG_TAKE_DONE)
		return result;
	ret_tenure->lane = lane->id;
	ret_tenure->index = index;
	ret_tenure->chunk = ttlog_lane_chunk(lane, index);
	occupy(lane, taker, state, epoch, ret_tenure);
	return TTLOG_TAKE_DONE;
}

/*
 * A take moves the hand by one, but may have passed over chunks that quiet threads hold. Without
 * this the hand would fall behind by as many with every lap, and each take look at all of them
 * again.
 * model: move_hand
 */
static void move_hand(const struct ttlog_lane *lane, uint64_t to)
{
	uint64_t now = atomic_load_explicit(&lane->ledger->hand, memory_order_relaxed);

	while (now < to &&
	       !atomic_compare_exchange_weak_explicit(&lane->ledger->hand, &now, to,
						      memory_order_relaxed, memory_order_relaxed))
		;
}

/* One taker in about half a second looks for a lane's owners that are no more. */
static bool time_to_search(const struct ttlog_lane *lane)
{
	_Atomic uint64_t *next = &ttlog_life()->next_search_ticks[lane->id];
	enum ttlog_clock_source source = ttlog_place_.geometry.clock_source;
	uint64_t now = ttlog_clock_ticks(source);
	uint64_t due = atomic_load_explicit(next, memory_order_relaxed);

	return now >= due &&
	       atomic_compare_exchange_strong(next, &due, now + ttlog_clock_half_second(source));
}

static bool is_in_use(uint64_t state)
{
	return TTLOG_STATE_OF(state) != TTLOG_CHUNK_FREE &&
	       TTLOG_STATE_OF(state) != TTLOG_CHUNK_RETIRED;
}

/*
 * Of one that is condemned the events are counted by a walk, later. Of one in INIT the old content
 * is accounted for, and what was to come never came. model: left_2, left_init
 */
static void give_back(const struct ttlog_lane *lane, uint32_t index, uint64_t state)
{
	struct ttlog_chunk *chunk = ttlog_lane_chunk(lane, index);

	if (TTLOG_STATE_OF(state) == TTLOG_CHUNK_INIT) {
		/* As in 7 and 8, which may not have been. */
		atomic_thread_fence(memory_order_release);
		set_word_at(chunk, TTLOG_CHUNK_FIRST, 0);
	}
	/* Events may have come since another freeze than that of the take. */
	if (lane->id == TTLOG_LANE_AFTERLIFE)
		__atomic_store_n(&chunk->epoch, ttlog_freeze_word(), __ATOMIC_RELAXED);
	atomic_store_explicit(&lane->records[index].state,
			      TTLOG_STATE(TTLOG_STATE_GENERATION(state), 0, TTLOG_CHUNK_RETIRED),
			      memory_order_release);
}

/*
 * Condemns a chunk that somebody left in use and gives it back, as when a freeze comes in between;
 * in INIT there is nothing to condemn. False: somebody else was faster. model: left_1
 */
static bool retire_left(const struct ttlog_lane *lane, uint32_t index, uint64_t state, uint32_t tid)
{
	uint64_t mine = TTLOG_STATE(TTLOG_STATE_GENERATION(state), tid,
				    TTLOG_STATE_OF(state) == TTLOG_CHUNK_INIT ? TTLOG_CHUNK_INIT
									      : TTLOG_CHUNK_COND);
	bool is_mine = atomic_compare_exchange_strong_explicit(&lane->records[index].state, &state,
							       mine, memory_order_acq_rel,
							       memory_order_relaxed);

	if (is_mine)
		give_back(lane, index, mine);
	return is_mine;
}

/*
 * Retires all chunks whose owners are no more. What it finds may be used up before it is time
 * again. False: it is not time yet.
 * model: vanished
 */
static bool retire_vanished(const struct ttlog_lane *lane, uint32_t tid, uint32_t start,
			    uint32_t count)
{
	bool found = false;

	if (!time_to_search(lane))
		return false;
	for (uint32_t i = start; i < start + count; i++) {
		uint64_t state =
			atomic_load_explicit(&lane->records[i].state, memory_order_acquire);

		found |= is_in_use(state) && owner_vanished(TTLOG_STATE_TID(state)) &&
			 retire_left(lane, i, state, tid);
	}
	if (found)
		atomic_store_explicit(&ttlog_life()->next_search_ticks[lane->id], 0,
				      memory_order_relaxed);
	return true;
}

/* Step 2 for one place, so many behind the ticket's. model: take_2 */
INLINE enum ttlog_take try_place(const struct ttlog_lane *lane, const struct ttlog_taker *taker,
				 uint64_t ticket, uint32_t behind, uint32_t index,
				 enum ttlog_take_rule rule, uint32_t freeze_word,
				 struct ttlog_tenure *ret_tenure)
{
	/* Pairs with the release of a retire: its data are there. */
	uint64_t state = atomic_load_explicit(&lane->records[index].state, memory_order_acquire);
	enum ttlog_take result;

	if (!may_take(lane, index, state, rule, ticket, freeze_word))
		return TTLOG_TAKE_NONE;
	result = take_one(lane, taker, index, state, freeze_word, freeze_word, ret_tenure);
	ret_tenure->ticket = ticket + behind;
	if (result == TTLOG_TAKE_DONE && behind > 0)
		move_hand(lane, ticket + behind + 1);
	return result;
}

/* That many places, from the ticket's on, which is at that index. */
INLINE enum ttlog_take search_from(const struct ttlog_lane *lane, const struct ttlog_taker *taker,
				   uint64_t ticket, uint32_t index, uint32_t places,
				   enum ttlog_take_rule rule, uint32_t freeze_word,
				   struct ttlog_tenure *ret_tenure)
{
	enum ttlog_take result = TTLOG_TAKE_NONE;

	for (uint32_t i = 0; i < places && result == TTLOG_TAKE_NONE; i++) {
		result = try_place(lane, taker, ticket, i, index, rule, freeze_word, ret_tenure);
		index = index + 1 < lane->geometry->chunk_count ? index + 1 : 0;
	}
	return result;
}

static enum ttlog_take search(const struct ttlog_lane *lane, const struct ttlog_taker *taker,
			      uint64_t ticket, enum ttlog_take_rule rule, uint32_t freeze_word,
			      struct ttlog_tenure *ret_tenure)
{
	return search_from(lane, taker, ticket, ttlog_lane_index(lane, ticket),
			   lane->geometry->chunk_count, rule, freeze_word, ret_tenure);
}

/* model: take_ticket */
enum ttlog_take ttlog_chunk_take(uint32_t lane_id, const struct ttlog_taker *taker,
				 enum ttlog_take_rule rule, uint32_t freeze_word,
				 struct ttlog_tenure *ret_tenure)
{
	struct ttlog_lane lane = ttlog_lane_of(lane_id);
	uint32_t lap = lane.geometry->chunk_count;
	uint64_t ticket;
	enum ttlog_take result;

	ticket = atomic_fetch_add_explicit(&lane.ledger->hand, 1, memory_order_relaxed);
	result = search(&lane, taker, ticket, rule, freeze_word, ret_tenure);
	if (result == TTLOG_TAKE_NONE && rule == TTLOG_TAKE_NOT_YOUNG)
		result = search(&lane, taker, ticket, TTLOG_TAKE_ANY_RETIRED, freeze_word,
				ret_tenure);
	if (result == TTLOG_TAKE_NONE && rule == TTLOG_TAKE_NOT_YOUNG &&
	    retire_vanished(&lane, taker->tid, 0, lap))
		result = search(&lane, taker, ticket, TTLOG_TAKE_VANISHED_TOO, freeze_word,
				ret_tenure);
	return result;
}

struct ttlog_drawn ttlog_chunk_draw(void)
{
	struct ttlog_lane lane = ttlog_lane_of(TTLOG_LANE_MAIN);
	uint64_t ticket = atomic_fetch_add_explicit(&lane.ledger->hand, 1, memory_order_relaxed);
	uint32_t index = ttlog_lane_index(&lane, ticket);
	const char *chunk = (const char *)ttlog_lane_chunk(&lane, index);

	__builtin_prefetch(&lane.records[index], 1);
	__builtin_prefetch(chunk, 1);
	__builtin_prefetch(chunk + TTLOG_CHUNK_FIRST, 1);
	return (struct ttlog_drawn){ticket, index};
}

enum ttlog_take ttlog_chunk_take_drawn(const struct ttlog_taker *taker, struct ttlog_drawn drawn,
				       uint32_t freeze_word, struct ttlog_tenure *ret_tenure)
{
	struct ttlog_lane lane = ttlog_lane_of(TTLOG_LANE_MAIN);
	uint32_t lap = lane.geometry->chunk_count;

	return search_from(&lane, taker, drawn.ticket, drawn.index,
			   lap < DRAWN_TRIES ? lap : DRAWN_TRIES, TTLOG_TAKE_NOT_YOUNG, freeze_word,
			   ret_tenure);
}

/* ---- one chunk that the caller has chosen -----------------------------------------------------
 */

enum ttlog_take ttlog_chunk_take_at(uint32_t lane_id, const struct ttlog_taker *taker,
				    uint32_t index, uint64_t state, uint32_t epoch,
				    struct ttlog_tenure *ret_tenure)
{
	struct ttlog_lane lane = ttlog_lane_of(lane_id);

	return take_one(&lane, taker, index, state, 0, epoch, ret_tenure);
}

enum ttlog_take ttlog_chunk_empty_at(uint32_t lane_id, uint32_t tid, uint32_t index)
{
	struct ttlog_lane lane = ttlog_lane_of(lane_id);
	/* Pairs with the release of a retire: its data are there. */
	uint64_t state = atomic_load_explicit(&lane.records[index].state, memory_order_acquire);
	enum ttlog_take result;

	if (TTLOG_STATE_OF(state) == TTLOG_CHUNK_FREE)
		return TTLOG_TAKE_DONE;
	result = TTLOG_STATE_OF(state) == TTLOG_CHUNK_RETIRED ? condemn(&lane, tid, index, state, 0)
							      : TTLOG_TAKE_NONE;
	if (result != TTLOG_TAKE_DONE)
		return result;
	vacate(&lane, tid, index, state);
	/* Instead of 9. Dead here: FREE, all is counted. */
	atomic_store_explicit(&lane.records[index].state,
			      TTLOG_STATE(TTLOG_STATE_GENERATION(state) + 1, 0, TTLOG_CHUNK_FREE),
			      memory_order_release);
	return TTLOG_TAKE_DONE;
}

void ttlog_chunk_retire_vanished(uint32_t lane_id, uint32_t tid, uint32_t start, uint32_t count)
{
	struct ttlog_lane lane = ttlog_lane_of(lane_id);

	retire_vanished(&lane, tid, start, count);
}

/* ---- retire ---------------------------------------------------------------------------------- */

void ttlog_chunk_retire_hint(const struct ttlog_tenure *tenure)
{
	struct ttlog_lane lane = ttlog_lane_of(tenure->lane);

	__builtin_prefetch((const void *)&lane.ledger->hand, 0);
	__builtin_prefetch(&lane.records[tenure->index], 1);
	__builtin_prefetch(tenure->chunk, 1);
}

/* A slot is retired as soon as it is taken: no need to fetch the hand, which all threads move. */
static uint64_t age_of(const struct ttlog_lane *lane, const struct ttlog_tenure *tenure,
		       uint32_t count)
{
	if (lane->geometry->flags & TTLOG_LANE_SLOTS)
		return tenure->ticket;
	return atomic_load_explicit(&lane->ledger->hand, memory_order_relaxed) -
	       (count ? 0 : lane->geometry->chunk_count);
}

/* model: retire_1, retire_2, retire_3 */
void ttlog_chunk_retire(const struct ttlog_tenure *tenure, uint32_t count, uint64_t last)
{
	struct ttlog_chunk *chunk = tenure->chunk;
	struct ttlog_lane lane = ttlog_lane_of(tenure->lane);

	/* The child of a handler that forked in mid-event comes back with a chunk of its parent's,
	 * and may have a region of its own by now. */
	if (ttlog_lane_chunk(&lane, tenure->index) != chunk)
		return;
	/* 1. */
	atomic_store_explicit(&chunk->retired_count, count, memory_order_relaxed);
	atomic_store_explicit(&chunk->retired_last, last, memory_order_relaxed);
	atomic_store_explicit(&chunk->retired_ticket, age_of(&lane, tenure, count),
			      memory_order_relaxed);
	/* Events may have come since another freeze than that of the take. */
	if (tenure->lane == TTLOG_LANE_AFTERLIFE)
		__atomic_store_n(&chunk->epoch, ttlog_freeze_word(), __ATOMIC_RELAXED);
	/* 2. Dead before this: their generation is an older one, and a reader counts by walking. */
	atomic_store_explicit(&chunk->retired_generation, tenure->generation, memory_order_release);
	/* 3. Pairs with the acquire of the next taker and of the reader. */
	atomic_store_explicit(&lane.records[tenure->index].state,
			      TTLOG_STATE(tenure->generation, 0, TTLOG_CHUNK_RETIRED),
			      memory_order_release);
}

/* model: reclaim */
void ttlog_chunk_reclaim(uint32_t lane_id, uint32_t tid, const struct ttlog_chunk *const *held,
			 uint32_t held_count)
{
	struct ttlog_lane lane = ttlog_lane_of(lane_id);

	for (uint32_t i = 0; i < lane.geometry->chunk_count; i++) {
		uint64_t state = atomic_load_explicit(&lane.records[i].state, memory_order_relaxed);
		const struct ttlog_chunk *chunk = ttlog_lane_chunk(&lane, i);
		bool is_kept = TTLOG_STATE_TID(state) != tid || !is_in_use(state);

		for (uint32_t k = 0; k < held_count; k++)
			is_kept |= held[k] == chunk;
		if (!is_kept)
			retire_left(&lane, i, state, tid);
	}
}
