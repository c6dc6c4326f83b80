/* SPDX-License-Identifier: MIT */
/* ring.h - an event's way into the region, where the fast path of ttlog.h does not go. */
#ifndef TTLOG_RING_H
#define TTLOG_RING_H

#include <stdint.h>

#include "lib/writer.h"

/*
 * Records one event of the calling thread the slow way; site->word is set, values are of its types.
 * sp is the stack pointer of the caller. What can't be recorded is counted.
 */
void ttlog_ring_record(struct ttlog_thread *thread, const struct ttlog_site *site,
		       const struct ttlog_value *values, uintptr_t sp);

/* The thread exits: its chunks are retired. */
void ttlog_ring_leave(struct ttlog_thread *thread);

/* Adds an event that could not be recorded to a lane's ledger. */
void ttlog_ring_count_drop(uint32_t lane);

#endif
