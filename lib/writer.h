/* SPDX-License-Identifier: MIT */
/*
 * writer.h - a thread's writer: given out at its first event, taken back when it exits.
 *
 * Writers live in segments that the kernel wipes in forked children, so that a child's threads find
 * writers that are nobody's, with a limit of 0. Lock-free; legal wherever recording is.
 */
#ifndef TTLOG_WRITER_H
#define TTLOG_WRITER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/chunk.h"
#include "lib/ttlog_abi.h"

/* What is due when an event would pass hot.limit; see stops.c. */
enum ttlog_stop {
	TTLOG_STOP_NONE = 0, /* no event comes the fast way */
	TTLOG_STOP_RETIRE,   /* the chunk before this one is given back */
	TTLOG_STOP_DRAW,
	TTLOG_STOP_PREPARE,
	TTLOG_STOP_SWAP,
};

/*
 * A thread whose writer is busy, as far as can be said, and stays so for that many events, gets
 * another one. The one that is set aside is emptied when its call has come back or is gone for
 * sure, and serves again. All of them stay the thread's until it exits: a call that was interrupted
 * before it was busy may know one of them, and go on with it whenever it comes back.
 */
#define TTLOG_NESTED_MAX 64
#define TTLOG_ASIDE_MAX 4

/*
 * Nobody but its thread writes to it while tid is set. Two cache lines and their neighbours are its
 * own: processors fetch lines in pairs. No two of hot, full and spare ever name the same chunk.
 */
struct ttlog_thread {
	_Alignas(128) struct ttlog_writer hot; /* what ttlog.h shows */
	_Atomic uint32_t tid;		       /* 0 = free, or wiped */
	uint32_t stop;			       /* enum ttlog_stop */
	struct ttlog_tenure mine;	       /* of hot.chunk; valid if that is not NULL */
	struct ttlog_tenure full;  /* the chunk before, to be retired; chunk NULL: there is none */
	struct ttlog_tenure spare; /* the next one; chunk NULL: there is none */
	uint64_t full_last;	   /* ticks of its newest event */
	uint32_t full_count;
	uint16_t has_drawn;
	uint16_t is_changing;	  /* in the middle of a job: who jumps out leaves a chunk behind */
	struct ttlog_drawn drawn; /* for the spare */
	uint32_t nested;	  /* events that interrupted the call that is marked busy */
	uint64_t nested_at;	  /* and its position */
	struct ttlog_thread *first; /* the thread's first writer; NULL: this is it */
	uint32_t number;	    /* 0 of the first; of another, its place in other[] and 1 */
	/* Of the first one only. */
	uint32_t slot_depth;	/* calls that write to slots, one inside the other */
	uintptr_t slot_busy;	/* of the outermost of them, 0 = none */
	uintptr_t channel_busy; /* stack pointer of the call that sends to a channel, 0 = none */
	struct ttlog_thread *other[TTLOG_ASIDE_MAX]; /* from 0 on, NULL = no more; only added to */
	char name[TTLOG_THREAD_NAME_BYTES];
};

/* The calling thread's, or NULL if it has none yet (or it was the parent's). */
static inline struct ttlog_thread *ttlog_thread_mine(void)
{
	struct ttlog_thread *thread = (struct ttlog_thread *)(void *)ttlog_writer_;

	return atomic_load_explicit(&thread->tid, memory_order_relaxed) ? thread : NULL;
}

/* What a forked child finds wiped has no other. */
static inline struct ttlog_thread *ttlog_thread_first(struct ttlog_thread *thread)
{
	struct ttlog_thread *first = __atomic_load_n(&thread->first, __ATOMIC_RELAXED);

	return first ? first : thread;
}

/* The writers of a thread, one of which is given: from 0 on; NULL: there are no more. */
static inline struct ttlog_thread *ttlog_thread_each(struct ttlog_thread *thread, uint32_t i)
{
	struct ttlog_thread *first = ttlog_thread_first(thread);

	if (i == 0)
		return first;
	return i > TTLOG_ASIDE_MAX ? NULL : __atomic_load_n(&first->other[i - 1], __ATOMIC_RELAXED);
}

static inline bool ttlog_thread_has_others(const struct ttlog_thread *thread)
{
	return thread->first || thread->other[0];
}

/* All but whose it is. */
void ttlog_thread_clear(struct ttlog_thread *thread);

/* Makes one for the calling thread; NULL without memory. */
struct ttlog_thread *ttlog_thread_new(void);

/*
 * One of this thread's that is empty and not busy, and sets that one aside; NULL: there is none to
 * be had. sp is the caller's.
 */
struct ttlog_thread *ttlog_thread_step_aside(struct ttlog_thread *thread, uintptr_t sp);

/*
 * In the child of a fork(): the calling thread's writer is zeros, as the kernel's wipe leaves it.
 * For kernels before 4.14, and emulators that accept the wipe and don't do it.
 */
void ttlog_thread_forget(void);

#endif
