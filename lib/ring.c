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
#include "lib/lane.h"
#include "lib/process.h"
#include "lib/stops.h"

/* model: drop */
void ttlog_ring_count_drop(uint32_t lane_id)
{
	struct ttlog_lane_ledger *ledger = &ttlog_process_ledger()->lane[lane_id];

	atomic_fetch_add_explicit(&ledger->dropped, 1, memory_order_relaxed);
	ttlog_span_widen(&ledger->dropped_first, &ledger->dropped_last,
			 ttlog_clock_ticks(ttlog_place_.geometry.clock_source));
}

void ttlog_ring_leave(struct ttlog_thread *thread, uintptr_t sp)
{
	thread->hot.busy = sp;
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
	/* 4. model: record_4. The commit; pairs with the acquire of the reader's walk. */
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
 * model: record_slow
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
	/* 2. */
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
	hot->carried_ticks = ticks;
	atomic_signal_fence(memory_order_seq_cst);
	/* 5. model: record_5 */
	hot->position += UINT64_C(1) << 32 | encoding.size;
	if (is_new)
		ttlog_stops_settled(thread);
	ttlog_ring_count_truncated(thread->mine.lane, &encoding);
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

/* Slots that calls of this thread left behind by a jump: none of its calls writes to one now. */
static void reclaim_slots(const struct ttlog_thread *thread)
{
	static const uint32_t lanes[] = {TTLOG_LANE_ALERT, TTLOG_LANE_ALERT_LARGE,
					 TTLOG_LANE_NESTED};

	for (uint32_t i = 0; i < sizeof(lanes) / sizeof(lanes[0]); i++)
		ttlog_chunk_reclaim(lanes[i],
				    atomic_load_explicit(&thread->tid, memory_order_relaxed), NULL,
				    0);
}

/*
 * Calls that write to slots are inside one another, if a handler comes in between: when the
 * outermost is gone or over, so are all of them. model: slots_enter
 */
static bool slots_enter(struct ttlog_thread *first, uintptr_t sp)
{
	uintptr_t was = *(volatile uintptr_t *)&first->slot_busy;
	bool is_outermost = !was || ttlog_ring_is_gone(was, sp);

	if (is_outermost) {
		first->slot_busy = sp;
		atomic_signal_fence(memory_order_seq_cst);
		if (was)
			reclaim_slots(first);
		first->slot_depth = 0;
	}
	first->slot_depth++;
	atomic_signal_fence(memory_order_seq_cst);
	return is_outermost;
}

/* model: slots_leave */
static void slots_leave(struct ttlog_thread *first, bool is_outermost)
{
	atomic_signal_fence(memory_order_seq_cst);
	/* 0: a handler has forked, and this is the child. */
	if (!first->slot_busy)
		return;
	first->slot_depth--;
	if (!is_outermost)
		return;
	if (first->slot_depth)
		reclaim_slots(first);
	atomic_signal_fence(memory_order_seq_cst);
	first->slot_busy = 0;
}

/* Takes a slot, writes one event, retires it: nothing stays behind if the thread goes away. */
static bool write_slot(struct ttlog_thread *thread, uint32_t lane_id, const struct ttlog_site *site,
		       const struct ttlog_value *values, const struct ttlog_encoding *encoding)
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
	/* At the same tick the reader puts slots behind chunks: the thread's next event is later.
	 */
	ttlog_clock_pass(ttlog_place_.geometry.clock_source, ticks);
	ttlog_ring_count_truncated(lane_id, encoding);
	return true;
}

/* A span that can't be read shall fault before a slot is taken for it. */
static void touch(const struct ttlog_site *site, const struct ttlog_value *values,
		  const struct ttlog_encoding *encoding)
{
	for (uint32_t i = 0; i < site->field_count; i++) {
		const volatile char *data = values[i].data;
		uint32_t end = encoding->value_size[i];

		if (site->types[i] != TTLOG_TYPE_BYTES || end <= 2)
			continue;
		for (uint32_t k = 0; k < end - 2; k += 4096)
			(void)data[k];
		(void)data[end - 3];
	}
}

static bool record_in_slot(struct ttlog_thread *thread, uint32_t lane_id,
			   const struct ttlog_site *site, const struct ttlog_value *values,
			   const struct ttlog_encoding *encoding, uintptr_t sp)
{
	struct ttlog_thread *first = ttlog_thread_first(thread);
	bool is_outermost, is_done;

	touch(site, values, encoding);
	is_outermost = slots_enter(first, sp);
	is_done = write_slot(thread, lane_id, site, values, encoding);
	slots_leave(first, is_outermost);
	return is_done;
}

static bool record_alert(struct ttlog_thread *thread, const struct ttlog_site *site,
			 const struct ttlog_value *values, uintptr_t sp)
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
	return record_in_slot(thread, lane, site, values, &encoding, sp);
}

/* model: nested */
static void record_nested(struct ttlog_thread *thread, const struct ttlog_site *site,
			  const struct ttlog_value *values, uintptr_t sp)
{
	const struct ttlog_lane_geometry *lane = &ttlog_place_.geometry.lane[TTLOG_LANE_NESTED];
	struct ttlog_encoding encoding;

	ttlog_encoding_plan(site, values, TTLOG_CHUNK_ROOM(lane->chunk_bytes), &encoding);
	if (!record_in_slot(thread, TTLOG_LANE_NESTED, site, values, &encoding, sp))
		ttlog_ring_count_drop(TTLOG_LANE_NESTED);
}

/*
 * The writer is busy and stays so: a handler that has much to say, or one that never comes back.
 * NULL: not for long yet.
 */
static struct ttlog_thread *another_writer(struct ttlog_thread *thread, uintptr_t sp)
{
	if (thread->nested_at != thread->hot.position)
		thread->nested = 0;
	thread->nested_at = thread->hot.position;
	if (++thread->nested <= TTLOG_NESTED_MAX)
		return NULL;
	return ttlog_thread_step_aside(thread, sp);
}

void ttlog_ring_take_back(struct ttlog_thread *thread, uintptr_t sp)
{
	struct ttlog_thread *each;

	for (uint32_t i = 0; (each = ttlog_thread_each(thread, i)); i++) {
		uintptr_t busy = *(volatile uintptr_t *)&each->hot.busy;

		if (each != thread &&
		    (busy ? ttlog_ring_is_gone(busy, sp) : ttlog_stops_holds(each)))
			ttlog_ring_leave(each, sp);
	}
}

void ttlog_ring_record(struct ttlog_thread *thread, const struct ttlog_site *site,
		       const struct ttlog_value *values, uintptr_t sp)
{
	uintptr_t was = *(volatile uintptr_t *)&thread->hot.busy;
	volatile uintptr_t *busy;

	if (site->level >= TTLOG_WARN && record_alert(thread, site, values, sp))
		return;
	if (was && !ttlog_ring_is_gone(was, sp)) {
		struct ttlog_thread *another = another_writer(thread, sp);

		if (!another) {
			record_nested(thread, site, values, sp);
			return;
		}
		thread = another;
		was = 0;
	}
	busy = &thread->hot.busy;
	/* 1. */
	*busy = sp;
	atomic_signal_fence(memory_order_seq_cst);
	if (was)
		ttlog_stops_recover(thread);
	ttlog_ring_take_back(thread, sp);
	if (!record_in_chunk(thread, site, values))
		ttlog_ring_count_drop(ttlog_is_frozen(ttlog_freeze_word()) ? TTLOG_LANE_AFTERLIFE
									   : TTLOG_LANE_MAIN);
	/* A handler has set this one aside, and may have a chunk that is older than ours: what
	 * comes behind our event does not go there. */
	if (ttlog_writer_ != &thread->hot)
		ttlog_ring_take_back(thread, sp);
	atomic_signal_fence(memory_order_seq_cst);
	*busy = 0;
	ttlog_stops_forget_parents(thread);
}
