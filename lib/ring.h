/* SPDX-License-Identifier: MIT */
/* ring.h - an event's way into the region, where the fast path of ttlog.h does not go. */
#ifndef TTLOG_RING_H
#define TTLOG_RING_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/encode.h"
#include "lib/writer.h"

/*
 * Records one event of the calling thread the slow way; site->word is set, values are of its types.
 * sp is the stack pointer of the caller. What can't be recorded is counted.
 */
void ttlog_ring_record(struct ttlog_thread *thread, const struct ttlog_site *site,
		       const struct ttlog_value *values, uintptr_t sp);

/* The writer's chunks are retired: its thread exits, or goes on with another one. */
void ttlog_ring_leave(struct ttlog_thread *thread, uintptr_t sp);

/*
 * Empties the other writers of the thread whose calls have come back, or are gone: what they hold
 * would not be used for long, and their chunks are older than this one's. Busy is set.
 */
void ttlog_ring_take_back(struct ttlog_thread *thread, uintptr_t sp);

/*
 * Has the call that was marked busy with that stack pointer returned without saying so? False if it
 * can't be known. One system call, and only when the addresses say so.
 */
bool ttlog_ring_is_gone(uintptr_t busy, uintptr_t sp);

/* Writes and commits an event whose place is known: steps 3 and 4. */
void ttlog_ring_write(struct ttlog_chunk *chunk, uint32_t offset, const struct ttlog_site *site,
		      const struct ttlog_value *values, const struct ttlog_encoding *encoding,
		      uint64_t ticks);

/* Counts it in the lane's ledger if something was cut. */
void ttlog_ring_count_truncated(uint32_t lane, const struct ttlog_encoding *encoding);

/* Adds an event that could not be recorded to a lane's ledger. */
void ttlog_ring_count_drop(uint32_t lane);

#endif
