/* SPDX-License-Identifier: MIT */
/*
 * stops.c - see stops.h. A change of chunks in four small jobs, so that no event pays for all of
 * it.
 *
 * The writer's limit is the next stop, not the end of the chunk:
 *
 *   RETIRE   behind the first event: the chunk before is given back. So whenever the thread is
 *            stopped, for however long, its newest events are in chunks that nobody else takes
 *   DRAW     half-way: a place in the order of takes, whose memory is fetched
 *   PREPARE  at three quarters: the chunk there is taken, as a spare
 *   SWAP     at the end: the spare becomes the chunk, the chunk becomes `full`
 *
 * Each step of a job leaves a state in which the thread may be jumped out of (siglongjmp() in a
 * handler): a chunk is forgotten at worst, its events stay readable, and the next event gives it
 * back; none is ever in two places.
 */
#include "lib/stops.h"

#include <string.h>

#include "lib/clock.h"
#include "lib/process.h"
#include "lib/ring.h"

/* Everything above is done before anything below, as a handler of this thread sees it. */
static void order(void)
{
	atomic_signal_fence(memory_order_seq_cst);
}

static uint32_t end_of(uint32_t lane)
{
	return ttlog_place_.geometry.lane[lane].chunk_bytes - 8;
}

/* Where so many quarters of the thread's chunk are full. */
static uint32_t quarters(const struct ttlog_thread *thread, uint32_t count)
{
	return TTLOG_CHUNK_FIRST + (end_of(thread->mine.lane) - TTLOG_CHUNK_FIRST) / 4 * count;
}

/* Without ticks that the fast path can read, the limit stays 0 and all events go the slow way. */
static bool has_fast_path(void)
{
	return ttlog_place_.geometry.clock_source != TTLOG_CLOCK_MONOTONIC;
}

static struct ttlog_taker taker_of(const struct ttlog_thread *thread)
{
	struct ttlog_taker taker = {
		.tid = atomic_load_explicit(&thread->tid, memory_order_relaxed),
		.name = thread->name,
		.ticks = thread->hot.last_ticks,
		.writer = thread->number,
	};

	if (!taker.ticks)
		taker.ticks = ttlog_clock_ticks(ttlog_place_.geometry.clock_source);
	return taker;
}

static void retire(struct ttlog_tenure *tenure, uint32_t count, uint64_t last)
{
	struct ttlog_tenure once = *tenure;

	if (!once.chunk)
		return;
	tenure->chunk = NULL;
	order();
	ttlog_chunk_retire(&once, count, last);
}

static void retire_full(struct ttlog_thread *thread)
{
	retire(&thread->full, thread->full_count, thread->full_last);
}

/* The chunk at hand becomes `full`; a handler that records finds no room. model: detach */
static void detach(struct ttlog_thread *thread)
{
	struct ttlog_writer *hot = &thread->hot;
	struct ttlog_chunk *chunk = (void *)hot->chunk;
	uint32_t count = (uint32_t)(hot->position >> 32);

	thread->stop = TTLOG_STOP_NONE;
	hot->limit = 0;
	hot->chunk = NULL;
	order();
	hot->position = 0;
	/* One by one: `full` must not name the chunk before it is described. */
	thread->full.lane = thread->mine.lane;
	thread->full.index = thread->mine.index;
	thread->full.generation = thread->mine.generation;
	thread->full.ticket = thread->mine.ticket;
	thread->full_count = count;
	thread->full_last = hot->last_ticks;
	order();
	thread->full.chunk = chunk;
}

/*
 * Events may be written to it by whoever looks it up; the fast path waits for the limit.
 * model: attach
 */
static void attach(struct ttlog_thread *thread, const struct ttlog_tenure *tenure)
{
	struct ttlog_writer *hot = &thread->hot;

	thread->mine = *tenure;
	hot->position = TTLOG_CHUNK_FIRST;
	order();
	hot->chunk = (unsigned char *)tenure->chunk;
	order();
	thread->stop = has_fast_path() ? TTLOG_STOP_RETIRE : TTLOG_STOP_NONE;
}

static struct ttlog_tenure take_spare(struct ttlog_thread *thread)
{
	struct ttlog_tenure spare = thread->spare;

	thread->spare.chunk = NULL;
	order();
	return spare;
}

/* ---- the jobs -------------------------------------------------------------------------------- */

static void stop_next(struct ttlog_thread *thread, enum ttlog_stop stop, uint32_t limit)
{
	thread->stop = stop;
	order();
	thread->hot.limit = limit;
}

/*
 * A spare is a chunk of history less. So there is none while the threads hold a quarter of the lane
 * already, nor in front of the boot lane, which is not to have holes. model: draw
 */
static void draw(struct ttlog_thread *thread)
{
	struct ttlog_life *life = ttlog_life();
	uint32_t writers = atomic_load_explicit(&life->writers, memory_order_relaxed);

	if (thread->spare.chunk || !atomic_load_explicit(&life->boot_full, memory_order_relaxed) ||
	    (uint64_t)writers * 4 > ttlog_place_.geometry.lane[TTLOG_LANE_MAIN].chunk_count)
		return;
	thread->drawn = ttlog_chunk_draw();
	thread->has_drawn = 1;
}

/* model: prepare */
static void prepare(struct ttlog_thread *thread)
{
	uint32_t freeze_word = ttlog_freeze_word();
	struct ttlog_taker taker = taker_of(thread);
	struct ttlog_tenure spare;

	if (!thread->has_drawn)
		return;
	thread->has_drawn = 0;
	if (ttlog_is_frozen(freeze_word) ||
	    ttlog_chunk_take_drawn(&taker, thread->drawn, freeze_word, &spare) != TTLOG_TAKE_DONE)
		return;
	thread->spare.lane = spare.lane;
	thread->spare.index = spare.index;
	thread->spare.generation = spare.generation;
	thread->spare.ticket = spare.ticket;
	order();
	thread->spare.chunk = spare.chunk;
}

/* A spare serves when frozen too: what it held is gone already. model: swap */
static bool swap(struct ttlog_thread *thread, uint32_t size)
{
	struct ttlog_tenure spare;

	if (!thread->spare.chunk || size > end_of(thread->spare.lane) - TTLOG_CHUNK_FIRST)
		return false;
	spare = take_spare(thread);
	detach(thread);
	attach(thread, &spare);
	ttlog_chunk_retire_hint(&thread->full);
	return true;
}

/* Is the chunk before given back, so that more than one event may be written to this one? */
static bool is_settled(struct ttlog_thread *thread)
{
	if (thread->full.chunk && thread->hot.position >> 32 == 0)
		return false;
	/* model: retire */
	retire_full(thread);
	return true;
}

static void change_begin(struct ttlog_thread *thread)
{
	thread->is_changing = 1;
	order();
}

static void change_end(struct ttlog_thread *thread)
{
	order();
	thread->is_changing = 0;
}

static bool advance(struct ttlog_thread *thread, uint32_t size)
{
	for (;;) {
		uint32_t offset = (uint32_t)thread->hot.position;

		if (offset + size <= thread->hot.limit)
			return true;
		switch (thread->stop) {
		case TTLOG_STOP_RETIRE:
			if (is_settled(thread))
				stop_next(thread, TTLOG_STOP_DRAW, quarters(thread, 2));
			else
				stop_next(thread, TTLOG_STOP_RETIRE, offset + size);
			break;
		case TTLOG_STOP_DRAW:
			draw(thread);
			stop_next(thread, TTLOG_STOP_PREPARE, quarters(thread, 3));
			break;
		case TTLOG_STOP_PREPARE:
			prepare(thread);
			stop_next(thread, TTLOG_STOP_SWAP, end_of(thread->mine.lane));
			break;
		case TTLOG_STOP_SWAP:
			if (!swap(thread, size))
				return false;
			break;
		default:
			return false;
		}
	}
}

/* model: room */
__attribute__((visibility("default"))) int ttlog_room_(struct ttlog_writer *writer, uint32_t size)
{
	struct ttlog_thread *thread = (struct ttlog_thread *)(void *)writer;
	volatile uintptr_t *busy = &writer->busy;
	bool has_room;

	/* A handler may have come in between, and jumped out of its event. */
	if (*busy || thread->stop == TTLOG_STOP_NONE)
		return 0;
	*busy = (uintptr_t)__builtin_dwarf_cfa();
	order();
	if (ttlog_thread_has_others(thread))
		ttlog_ring_take_back(thread, *busy);
	change_begin(thread);
	/* Does what is due until an event of that size ends before the limit. */
	has_room = advance(thread, size);
	change_end(thread);
	order();
	*busy = 0;
	if (ttlog_stops_forget_parents(thread) || !has_room)
		return 0;
	/*
	 * The first event of a chunk does not carry the time of another, nor that of before:
	 * handlers may have filled all the chunk before it since. Chunks are in the order of their
	 * first events.
	 */
	return writer->position >> 32 == 0 ? 2 : 1;
}

/* ---- the slow way ---------------------------------------------------------------------------- */

/* Afterlife when frozen, boot while there is some, else main. model: take_boot */
static enum ttlog_take take_once(const struct ttlog_taker *taker, struct ttlog_tenure *ret_tenure)
{
	struct ttlog_life *life = ttlog_life();
	/* 1. model: take_1 */
	uint32_t freeze_word = ttlog_freeze_word();
	enum ttlog_take result;

	if (ttlog_is_frozen(freeze_word))
		return ttlog_chunk_take(TTLOG_LANE_AFTERLIFE, taker, TTLOG_TAKE_ANY_RETIRED,
					freeze_word, ret_tenure);
	if (!atomic_load_explicit(&life->boot_full, memory_order_relaxed)) {
		result = ttlog_chunk_take(TTLOG_LANE_BOOT, taker, TTLOG_TAKE_ONLY_FREE, freeze_word,
					  ret_tenure);
		if (result != TTLOG_TAKE_NONE)
			return result;
		atomic_store_explicit(&life->boot_full, 1, memory_order_relaxed);
	}
	return ttlog_chunk_take(TTLOG_LANE_MAIN, taker, TTLOG_TAKE_NOT_YOUNG, freeze_word,
				ret_tenure);
}

static bool take(const struct ttlog_thread *thread, struct ttlog_tenure *ret_tenure)
{
	struct ttlog_taker taker = taker_of(thread);
	enum ttlog_take result;

	do {
		result = take_once(&taker, ret_tenure);
	} while (result == TTLOG_TAKE_FROZEN);
	return result == TTLOG_TAKE_DONE;
}

/* model: next */
struct ttlog_chunk *ttlog_stops_next(struct ttlog_thread *thread)
{
	struct ttlog_tenure next;

	change_begin(thread);
	/* Overdue: the chunk at hand has an event. */
	retire_full(thread);
	detach(thread);
	next = take_spare(thread);
	if (!next.chunk && !take(thread, &next)) {
		retire_full(thread);
		if (!take(thread, &next))
			next.chunk = NULL;
	}
	if (next.chunk)
		attach(thread, &next);
	change_end(thread);
	return next.chunk;
}

/* model: settled */
void ttlog_stops_settled(struct ttlog_thread *thread)
{
	change_begin(thread);
	retire_full(thread);
	change_end(thread);
	if (has_fast_path())
		stop_next(thread, TTLOG_STOP_DRAW, quarters(thread, 2));
}

/* What all writers of that thread hold; behind those that were found before. */
static uint32_t held_by(struct ttlog_thread *thread, uint32_t count,
			const struct ttlog_chunk *ret_held[])
{
	const struct ttlog_thread *each;

	for (uint32_t i = 0; (each = ttlog_thread_each(thread, i)); i++) {
		ret_held[count++] = (const void *)each->hot.chunk;
		ret_held[count++] = each->full.chunk;
		ret_held[count++] = each->spare.chunk;
	}
	return count;
}

/* Is a call on another writer in the middle of a job, as far as can be said? */
static bool others_change(struct ttlog_thread *thread)
{
	const struct ttlog_thread *each;

	for (uint32_t i = 0; (each = ttlog_thread_each(thread, i)); i++)
		if (each != thread && each->is_changing &&
		    *(const volatile uintptr_t *)&each->hot.busy)
			return true;
	return false;
}

/*
 * Nobody else took chunks for this thread meanwhile: handlers found it busy. Unless one had its
 * writer set aside, and may come back to a chunk that it holds in hand: then what was left behind
 * stays until the thread exits. Handlers of a thread that is exiting have a first writer of their
 * own.
 */
static void reclaim(struct ttlog_thread *thread)
{
	static const uint32_t lanes[] = {TTLOG_LANE_MAIN, TTLOG_LANE_BOOT, TTLOG_LANE_AFTERLIFE};
	const struct ttlog_chunk *held[2 * 3 * (1 + TTLOG_ASIDE_MAX)];
	uint32_t count;

	if (others_change(thread))
		return;
	count = held_by(thread, 0, held);
	count = held_by((struct ttlog_thread *)(void *)ttlog_writer_, count, held);
	for (uint32_t i = 0; i < sizeof(lanes) / sizeof(lanes[0]); i++)
		ttlog_chunk_reclaim(lanes[i],
				    atomic_load_explicit(&thread->tid, memory_order_relaxed), held,
				    count);
	change_end(thread);
}

/*
 * If the call got as far as its commit, the word at the position is its header, else it is the zero
 * of the event before.
 * model: recover
 */
void ttlog_stops_recover(struct ttlog_thread *thread)
{
	struct ttlog_writer *hot = &thread->hot;
	const struct ttlog_chunk *chunk = (void *)hot->chunk;
	uint32_t offset = (uint32_t)hot->position;
	uint64_t word;

	if (thread->is_changing)
		reclaim(thread);
	if (!chunk)
		return;
	word = ttlog_chunk_word(chunk, offset);
	if (word) {
		hot->last_ticks = ttlog_chunk_word(chunk, offset + 8);
		if (hot->carried_ticks < hot->last_ticks)
			hot->carried_ticks = hot->last_ticks;
		hot->position += UINT64_C(1) << 32 | TTLOG_EVENT_BYTES(word);
	}
}

/* Who goes on later finds the writer as a new one. model: leave */
void ttlog_stops_leave(struct ttlog_thread *thread)
{
	change_begin(thread);
	retire_full(thread);
	detach(thread);
	retire_full(thread);
	retire(&thread->spare, 0, 0);
	thread->has_drawn = 0;
	thread->hot.last_ticks = 0;
	thread->hot.carried_ticks = 0;
	change_end(thread);
}

bool ttlog_stops_holds(const struct ttlog_thread *thread)
{
	return thread->hot.chunk || thread->full.chunk || thread->spare.chunk ||
	       thread->is_changing;
}
