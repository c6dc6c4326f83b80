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

#include "lib/ttlog_abi.h"

/* Nobody but its thread writes to it while tid is set; no cache line has parts of two. */
struct ttlog_thread {
	_Alignas(64) struct ttlog_writer hot; /* what ttlog.h shows */
	_Atomic uint32_t tid;		      /* 0 = free, or wiped */
	uint32_t lane;			      /* of the chunk; valid if hot.chunk */
	uint32_t chunk_index;
	uint32_t zero;
	uint64_t generation; /* of the chunk's tenure */
	char name[TTLOG_THREAD_NAME_BYTES];
};

/* The calling thread's, or NULL if it has none yet (or it was the parent's). */
static inline struct ttlog_thread *ttlog_thread_mine(void)
{
	struct ttlog_thread *thread = (struct ttlog_thread *)(void *)ttlog_writer_;

	return atomic_load_explicit(&thread->tid, memory_order_relaxed) ? thread : NULL;
}

/* Makes one for the calling thread; NULL without memory. */
struct ttlog_thread *ttlog_thread_new(void);

#endif
