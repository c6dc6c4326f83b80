/* SPDX-License-Identifier: MIT */
/* ring.h - the chunk protocol, writing side. The states are in ttlog_abi.h. */
#ifndef TTLOG_RING_H
#define TTLOG_RING_H

#include <stdint.h>

#include "lib/writer.h"

/*
 * Records one event of the calling thread the slow way; site->id is set, values are of its types. sp
 * is the stack pointer of the caller. What can't be recorded is counted.
 */
void ttlog_ring_record(struct ttlog_thread *thread, const struct ttlog_site *site,
		       const struct ttlog_value *values, uintptr_t sp);

/* The thread exits: its chunk is retired. */
void ttlog_ring_leave(struct ttlog_thread *thread);

/* Adds an event that could not be recorded to a lane's ledger. */
void ttlog_ring_count_drop(uint32_t lane);

/* The events that can be read now, and those that were overwritten. Walks all chunks. */
void ttlog_ring_count(uint64_t *ret_retained, uint64_t *ret_overwritten);

#endif
