/* SPDX-License-Identifier: MIT */
/*
 * ring.c - an event's way into the region, where the fast path of ttlog.h does not go.
 *
 *   record   1 busy   2 room   3 zero behind, body   4 commit   5 position, busy
 *
 * The steps of the protocol and of the model, as in chunk.c. Dead before 4, the event never was;
 * dead behind it, it is read. Its chunk is one of the thread's own, or a slot that is taken for it
 * alone.
 */
#include "lib/ring.h"

#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/chunk.h"
#include "lib/clock.h"
#include "lib/encode.h"
#include "lib/process.h"

/* Threads drop at the same time, and a handler between the steps of what it interrupted. */
static void widen_span(struct ttlog_lane_ledger *ledger, uint64_t now)
{
	uint64_t first = atomic_load_explicit(&ledger->dropped_first, memory_order_relaxed);
	uint64_t last = atomic_load_explicit(&ledger->dropped_last, memory_order_relaxed);

	while ((!first || now < first) &&
	       !atomic_compare_exchange_weak_explicit(&ledger->dropped_first, &first, now,
						      memory_order_relaxed, memory_order_relaxed))
		;
	while (now > last &&
	       !atomic_compare_exchange_weak_explicit(&ledger->dropped_last, &last, now,
						      memory_order_relaxed, memory_order_relaxed))
		;
}

void ttlog_ring_count_drop(uint32_t lane_id)
{
	struct ttlog_lane_ledger *ledger = &ttlog_process_ledger()->lane[lane_id];

	atomic_fetch_add_explicit(&ledger->dropped, 1, memory_order_relaxed);
	widen_span(ledger, ttlog_clock_ticks(ttlog_place_.geometry.clock_source));
}

/*
 * The call that was writing is gone (cancelled, or jumped out of): if it got as far as its commit,
 * the word at the position is its header, else it is the zero of the event before.
 */
static void settle(struct ttlog_thread *thread)
{
	struct ttlog_writer *hot = &thread->hot;
	uint32_t offset = (uint32_t)hot->position;
	uint64_t word;

	if (!hot->chunk)
		return;
	word = ttlog_chunk_word((struct ttlog_chunk *)(void *)hot->chunk, offset);
	if (word) {
		hot->last_ticks =
			ttlog_chunk_word((struct ttlog_chunk *)(void *)hot->chunk, offset + 8);
		hot->position += UINT64_C(1) << 32 | TTLOG_EVENT_BYTES(word);
	}
}

/* A chunk that was a thread's, full or not, still OWNED. */
struct held {
	struct ttlog_tenure tenure; /* chunk NULL: there is none */
	uint32_t count;
	uint64_t last;
};

/* The writer has no chunk from here on: a handler that records finds no room. */
static struct held detach(struct ttlog_thread *thread)
{
	struct ttlog_writer *hot = &thread->hot;
	struct held held = {
		.tenure = {(struct ttlog_chunk *)(void *)hot->chunk, thread->lane,
			   thread->chunk_index, thread->generation},
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
	if (!held->tenure.chunk)
		return;
	ttlog_chunk_retire(&held->tenure, held->count, held->last);
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

/* ---- record ---------------------------------------------------------------------------------- */

/* Steps 3 and 4, where the event's place is known. Returns its ticks. */
static uint64_t write_event(struct ttlog_chunk *chunk, uint32_t offset,
			    const struct ttlog_site *site, const struct ttlog_value *values,
			    const struct ttlog_encoding *encoding)
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
static enum ttlog_take take_next(const struct ttlog_thread *thread, uint32_t *ret_lane,
				 struct ttlog_tenure *ret_tenure)
{
	struct ttlog_life *life = ttlog_life();
	/* 1. */
	uint32_t freeze_word = ttlog_freeze_word();
	enum ttlog_take result;

	if (ttlog_is_frozen(freeze_word)) {
		*ret_lane = TTLOG_LANE_AFTERLIFE;
		return ttlog_chunk_take(TTLOG_LANE_AFTERLIFE, thread, TTLOG_TAKE_ANY_RETIRED,
					freeze_word, ret_tenure);
	}
	if (!atomic_load_explicit(&life->boot_full, memory_order_relaxed)) {
		*ret_lane = TTLOG_LANE_BOOT;
		result = ttlog_chunk_take(TTLOG_LANE_BOOT, thread, TTLOG_TAKE_ONLY_FREE,
					  freeze_word, ret_tenure);
		if (result != TTLOG_TAKE_NONE)
			return result;
		atomic_store_explicit(&life->boot_full, 1, memory_order_relaxed);
	}
	*ret_lane = TTLOG_LANE_MAIN;
	return ttlog_chunk_take(TTLOG_LANE_MAIN, thread, TTLOG_TAKE_NOT_YOUNG, freeze_word,
				ret_tenure);
}

/* NULL: there is none. */
static struct ttlog_chunk *next_chunk(struct ttlog_thread *thread)
{
	struct ttlog_writer *hot = &thread->hot;
	struct ttlog_tenure tenure;
	enum ttlog_take result;
	uint32_t lane;

	do {
		result = take_next(thread, &lane, &tenure);
	} while (result == TTLOG_TAKE_FROZEN);
	if (result != TTLOG_TAKE_DONE)
		return NULL;
	thread->lane = lane;
	thread->chunk_index = tenure.index;
	thread->generation = tenure.generation;
	hot->position = TTLOG_CHUNK_FIRST;
	/* Whoever jumps out of here leaves a writer with a chunk that is described, or with none.
	 */
	atomic_signal_fence(memory_order_seq_cst);
	hot->chunk = (unsigned char *)tenure.chunk;
	atomic_signal_fence(memory_order_seq_cst);
	/* Without ticks that the fast path can read, the limit stays 0 and all events come this
	 * way. */
	if (ttlog_place_.geometry.clock_source != TTLOG_CLOCK_MONOTONIC)
		hot->limit = ttlog_place_.geometry.lane[lane].chunk_bytes - 8;
	return tenure.chunk;
}

/*
 * Into the thread's own chunk. The caller has set busy, and ends it. The full chunk is given back
 * only when the next one has an event: whenever the thread is stopped, for however long, its newest
 * events are in a chunk that nobody else takes. Unless there is no other chunk to be had.
 *
 * A handler may fork in here, and the child come back: its writer is zeros then. So the chunk is
 * kept in hand, and looked up only once.
 */
static bool record_in_chunk(struct ttlog_thread *thread, const struct ttlog_site *site,
			    const struct ttlog_value *values)
{
	uint32_t room = TTLOG_CHUNK_ROOM(ttlog_place_.geometry.lane[TTLOG_LANE_MAIN].chunk_bytes);
	struct ttlog_writer *hot = &thread->hot;
	struct held full = {.tenure = {.chunk = NULL}};
	struct ttlog_encoding encoding;
	uint32_t offset = (uint32_t) * (volatile uint64_t *)&hot->position;
	struct ttlog_chunk *chunk = (void *)*(unsigned char *volatile *)&hot->chunk;
	uint32_t end = chunk ? ttlog_place_.geometry.lane[thread->lane].chunk_bytes - 8 : 0;

	ttlog_encoding_plan(site, values, room, &encoding);
	/* 2. */
	if (offset + encoding.size > end) {
		full = detach(thread);
		chunk = next_chunk(thread);
		if (!chunk) {
			give_back(&full);
			chunk = next_chunk(thread);
		}
		if (!chunk)
			return false;
		offset = TTLOG_CHUNK_FIRST;
	}
	hot->last_ticks = write_event(chunk, offset, site, values, &encoding);
	atomic_signal_fence(memory_order_seq_cst);
	/* 5. */
	hot->position += UINT64_C(1) << 32 | encoding.size;
	give_back(&full);
	count_truncated(thread->lane, &encoding);
	return true;
}

/* Takes a slot, writes one event, retires it: nothing stays behind if the thread goes away. */
static bool record_in_slot(struct ttlog_thread *thread, uint32_t lane_id,
			   const struct ttlog_site *site, const struct ttlog_value *values,
			   const struct ttlog_encoding *encoding)
{
	uint32_t freeze_word = ttlog_freeze_word();
	struct ttlog_tenure tenure;
	uint64_t ticks;

	if (ttlog_chunk_take(lane_id, thread,
			     ttlog_is_frozen(freeze_word) ? TTLOG_TAKE_ONLY_FREE
							  : TTLOG_TAKE_NOT_YOUNG,
			     freeze_word, &tenure) != TTLOG_TAKE_DONE)
		return false;
	ticks = write_event(tenure.chunk, TTLOG_CHUNK_FIRST, site, values, encoding);
	ttlog_chunk_retire(&tenure, 1, ticks);
	count_truncated(lane_id, encoding);
	return true;
}

/* There in a program that is built with -fsanitize=thread, whether the library is or not. */
extern void __tsan_init(void) __attribute__((weak));

/*
 * The least that lies between the stack pointer that is interrupted and the handler's frame: red
 * zone, registers, vector state (x86-64: 128 + 440 + 512 bytes; arm64: more than 4 KiB). TSan takes
 * the signal itself, and calls the handler like any function at the next atomic operation: then it
 * is nothing.
 */
static uintptr_t signal_frame_min(void)
{
#if defined(__x86_64__) || defined(__aarch64__)
	return __tsan_init ? 0 : 1024;
#else
	return 0;
#endif
}

/*
 * Has the call that is marked busy returned without saying so (a jump out of a handler, a vfork()
 * child that was killed)? If it is still there, then whoever interrupts it on the same stack is
 * further below than a signal frame. A call from the same place again is not: it differs by what
 * the compiler pushed in between. On an alternate stack nothing is provable: then it counts as
 * there. One system call, and only when the addresses say that it is gone.
 */
static bool is_gone(uintptr_t busy, uintptr_t sp)
{
	const uintptr_t far = 1u << 20;
	stack_t stack = {0};

	if (busy <= 1 || sp + signal_frame_min() < busy || (sp > busy && sp - busy > far))
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
		ttlog_encoding_plan(site, values, TTLOG_CHUNK_ROOM(lanes[lane].chunk_bytes),
				    &encoding);
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
		ttlog_ring_count_drop(ttlog_is_frozen(ttlog_freeze_word()) ? TTLOG_LANE_AFTERLIFE
									   : TTLOG_LANE_MAIN);
	atomic_signal_fence(memory_order_seq_cst);
	*busy = 0;
	/* A handler has forked, and this is the child: what was written to the writer since must
	 * not send its next events to its parent's chunk. */
	if (!atomic_load_explicit(&thread->tid, memory_order_relaxed) ||
	    atomic_load_explicit(&ttlog_life()->state, memory_order_relaxed) == TTLOG_PROCESS_NONE)
		memset(&thread->hot, 0, sizeof(thread->hot));
}
