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
 * another one. The one that is set aside is given up when its call has come back or is gone for
 * sure, else when the thread exits.
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
	uint16_t has_ticket;
	uint16_t is_changing;	/* in the middle of a job: who jumps out leaves a chunk behind */
	uint64_t ticket;	/* drawn for the spare */
	uintptr_t channel_busy; /* stack pointer of the call that sends to a channel, 0 = none */
	uintptr_t slot_busy;	/* of the outermost call that writes to a slot, 0 = none */
	uint32_t slot_depth;	/* calls that write to slots, one inside the other */
	uint32_t nested;	/* events that interrupted the call that is marked busy */
	uint64_t nested_at;	/* and its position */
	struct ttlog_thread *aside; /* the writer before this one, and so on */
	char name[TTLOG_THREAD_NAME_BYTES];
};

/* The calling thread's, or NULL if it has none yet (or it was the parent's). */
static inline struct ttlog_thread *ttlog_thread_mine(void)
{
	struct ttlog_thread *thread = (struct ttlog_thread *)(void *)ttlog_writer_;

	return atomic_load_explicit(&thread->tid, memory_order_relaxed) ? thread : NULL;
}

/* All but whose it is. */
void ttlog_thread_clear(struct ttlog_thread *thread);

/* Makes one for the calling thread; NULL without memory. */
struct ttlog_thread *ttlog_thread_new(void);

/* Another one, and sets the thread's own aside; NULL: there is none to be had. */
struct ttlog_thread *ttlog_thread_step_aside(struct ttlog_thread *thread);
/* The writer is nobody's; its chunks were given back. */
void ttlog_thread_give_up(struct ttlog_thread *thread);

/*
 * In the child of a fork(): the calling thread's writer is zeros, as the kernel's wipe leaves it.
 * For kernels before 4.14, and emulators that accept the wipe and don't do it.
 */
void ttlog_thread_forget(void);

#endif
