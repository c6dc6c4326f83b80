/* SPDX-License-Identifier: MIT */
/*
 * stops.h - a thread's chunks: the one it writes to, the one before, the one to come.
 *
 * All of it is for the thread itself, with busy set. No locks; no system calls but in
 * ttlog_stops_next(), which may look for vanished owners.
 */
#ifndef TTLOG_STOPS_H
#define TTLOG_STOPS_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/process.h"
#include "lib/writer.h"

/*
 * A handler has forked, and this is the child: what was written to the writer since must not send
 * its next events to its parent's chunks.
 */
static inline bool ttlog_stops_forget_parents(struct ttlog_thread *thread)
{
	if (atomic_load_explicit(&thread->tid, memory_order_relaxed) &&
	    atomic_load_explicit(&ttlog_life()->state, memory_order_relaxed) != TTLOG_PROCESS_NONE)
		return false;
	ttlog_thread_clear(thread);
	return true;
}

/*
 * The slow way to the next chunk: the one at hand becomes `full`, unless it has to be given back at
 * once because there is no other. NULL: there is none. The caller writes an event into it, then
 * calls ttlog_stops_settled().
 */
struct ttlog_chunk *ttlog_stops_next(struct ttlog_thread *thread);

/* The chunk has an event: the one before it is given back, and events may come the fast way. */
void ttlog_stops_settled(struct ttlog_thread *thread);

/* The call that was writing is gone, without having said so: what it left is put in order. */
void ttlog_stops_recover(struct ttlog_thread *thread);

/* All its chunks are given back: the thread exits, or goes on with another writer. */
void ttlog_stops_leave(struct ttlog_thread *thread);

/* Does it have any? */
bool ttlog_stops_holds(const struct ttlog_thread *thread);

#endif
