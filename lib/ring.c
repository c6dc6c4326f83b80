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
#include "lib/stops.h"

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

void ttlog_ring_leave(struct ttlog_thread *thread)
{
	thread->hot.busy = 1;
	atomic_signal_fence(memory_order_seq_cst);
	ttlog_stops_recover(thread);
	ttlog_stops_leave(thread);
	atomic_signal_fence(memory_order_seq_cst);
	thread->hot.busy = 0;
}

/* ---- record ---------------------------------------------------------------------------------- */

void ttlog_ring_write(struct ttlog_chunk *chunk, uint32_t offset, const struct ttlog_site *site,
		      const struct ttlog_value *values, const struct ttlog_encoding *encoding,
		      uint64_t ticks)
{
	unsigned char *event = (unsigned char *)chunk + offset;
	uint64_t word = __atomic_load_n(&site->word, __ATOMIC_RELAXED) |
			(uint64_t)encoding->flags << 16 | encoding->size;
	unsigned char *to = ttlog_open_(event, encoding->size, ticks);

	ttlog_encode(to, site, values, encoding);
	/* The commit; pairs with the acquire of the reader's walk. */
	__atomic_store_n((uint64_t *)(void *)event, word, __ATOMIC_RELEASE);
}

void ttlog_ring_count_truncated(uint32_t lane_id, const struct ttlog_encoding *encoding)
{
	if (encoding->flags & TTLOG_EVENT_TRUNCATED)
		atomic_fetch_add_explicit(&ttlog_process_ledger()->lane[lane_id].truncated, 1,
					  memory_order_relaxed);
}

/*
 * Into the thread's own chunk. The caller has set busy, and ends it.
 *
 * A handler may fork in here, and the child come back: its writer is zeros then. So the chunk is
 * kept in hand, and looked up only once.
 */
static bool record_in_chunk(struct ttlog_thread *thread, const struct ttlog_site *site,
			    const struct ttlog_value *values)
{
	uint32_t room = TTLOG_CHUNK_ROOM(ttlog_place_.geometry.lane[TTLOG_LANE_MAIN].chunk_bytes);
	struct ttlog_writer *hot = &thread->hot;
	struct ttlog_encoding encoding;
	uint32_t offset = (uint32_t) * (volatile uint64_t *)&hot->position;
	struct ttlog_chunk *chunk = (void *)*(unsigned char *volatile *)&hot->chunk;
	uint32_t end = chunk ? ttlog_place_.geometry.lane[thread->mine.lane].chunk_bytes - 8 : 0;
	bool is_new = false;
	uint64_t ticks;

	ttlog_encoding_plan(site, values, room, &encoding);
	/* 2. model: record_2 */
	if (offset + encoding.size > end) {
		chunk = ttlog_stops_next(thread);
		if (!chunk)
			return false;
		offset = TTLOG_CHUNK_FIRST;
		is_new = true;
	}
	ticks = ttlog_clock_ticks(ttlog_place_.geometry.clock_source);
	ttlog_ring_write(chunk, offset, site, values, &encoding, ticks);
	hot->last_ticks = ticks;
	atomic_signal_fence(memory_order_seq_cst);
	/* 5. model: record_5 */
	hot->position += UINT64_C(1) << 32 | encoding.size;
	if (is_new)
		ttlog_stops_settled(thread);
	ttlog_ring_count_truncated(thread->mine.lane, &encoding);
	return true;
}

/* Takes a slot, writes one event, retires it: nothing stays behind if the thread goes away. */
static bool record_in_slot(struct ttlog_thread *thread, uint32_t lane_id,
			   const struct ttlog_site *site, const struct ttlog_value *values,
			   const struct ttlog_encoding *encoding)
{
	uint32_t freeze_word = ttlog_freeze_word();
	uint64_t ticks = ttlog_clock_ticks(ttlog_place_.geometry.clock_source);
	const struct ttlog_taker taker = {
		.tid = atomic_load_explicit(&thread->tid, memory_order_relaxed),
		.name = thread->name,
		.ticks = ticks,
	};
	struct ttlog_tenure tenure;

	if (ttlog_chunk_take(lane_id, &taker,
			     ttlog_is_frozen(freeze_word) ? TTLOG_TAKE_ONLY_FREE
							  : TTLOG_TAKE_NOT_YOUNG,
			     freeze_word, &tenure) != TTLOG_TAKE_DONE)
		return false;
	ttlog_ring_write(tenure.chunk, TTLOG_CHUNK_FIRST, site, values, encoding, ticks);
	ttlog_chunk_retire(&tenure, 1, ticks);
	/* At the same tick the reader puts slots behind chunks: the thread's next event is later. */
	ttlog_clock_pass(ttlog_place_.geometry.clock_source, ticks);
	ttlog_ring_count_truncated(lane_id, encoding);
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
bool ttlog_ring_is_gone(uintptr_t busy, uintptr_t sp)
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

/*
 * A handler has forked, and this is the child: what was written to the writer since must not send
 * its next events to its parent's chunks.
 */
static bool forget_parents(struct ttlog_thread *thread)
{
	if (atomic_load_explicit(&thread->tid, memory_order_relaxed) &&
	    atomic_load_explicit(&ttlog_life()->state, memory_order_relaxed) != TTLOG_PROCESS_NONE)
		return false;
	ttlog_thread_clear(thread);
	return true;
}

void ttlog_ring_record(struct ttlog_thread *thread, const struct ttlog_site *site,
		       const struct ttlog_value *values, uintptr_t sp)
{
	volatile uintptr_t *busy = &thread->hot.busy;
	uintptr_t was = *busy;

	if (site->level >= TTLOG_WARN && record_alert(thread, site, values))
		return;
	if (was && !ttlog_ring_is_gone(was, sp)) {
		record_nested(thread, site, values);
		return;
	}
	/* 1. */
	*busy = sp;
	atomic_signal_fence(memory_order_seq_cst);
	if (was)
		ttlog_stops_recover(thread);
	if (!record_in_chunk(thread, site, values))
		ttlog_ring_count_drop(ttlog_is_frozen(ttlog_freeze_word()) ? TTLOG_LANE_AFTERLIFE
									   : TTLOG_LANE_MAIN);
	atomic_signal_fence(memory_order_seq_cst);
	*busy = 0;
	forget_parents(thread);
}

__attribute__((visibility("default"))) int ttlog_room_(struct ttlog_writer *writer, uint32_t size)
{
	struct ttlog_thread *thread = (struct ttlog_thread *)(void *)writer;
	volatile uintptr_t *busy = &writer->busy;
	bool has_room;

	/* A handler may have come in between, and jumped out of its event. */
	if (*busy || thread->stop == TTLOG_STOP_NONE)
		return 0;
	*busy = (uintptr_t)__builtin_dwarf_cfa();
	atomic_signal_fence(memory_order_seq_cst);
	has_room = ttlog_stops_advance(thread, size);
	atomic_signal_fence(memory_order_seq_cst);
	*busy = 0;
	return forget_parents(thread) ? 0 : has_room;
}
