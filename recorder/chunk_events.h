/* SPDX-License-Identifier: MIT */
/*
 * chunk_events.h - steps over the events of a chunk that others write to, by their headers alone.
 *
 * For those who count: ledger.c and glance.c. Nothing in a chunk is believed but what keeps the next
 * step inside of it. Who wants what is in the events copies the chunk first (lib/reader.h).
 */
#ifndef RECORDER_CHUNK_EVENTS_H
#define RECORDER_CHUNK_EVENTS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/ttlog_abi.h"

/* The bytes of the event at offset; 0: none is there yet, or (*ret_torn) what is there is none. */
static inline uint32_t chunk_event_bytes(const unsigned char *chunk, uint32_t chunk_bytes,
					 uint32_t offset, bool *ret_torn)
{
	const uint32_t end = chunk_bytes - 8;
	const _Atomic uint64_t *header = (const void *)(chunk + offset);
	uint64_t word;
	uint32_t size;

	if (offset >= end)
		return 0;
	/* Pairs with the release of the commit. */
	word = atomic_load_explicit(header, memory_order_acquire);
	size = TTLOG_EVENT_BYTES(word);
	if (!word || (size >= TTLOG_EVENT_MIN && size % 8 == 0 && size <= end - offset))
		return word ? size : 0;
	*ret_torn = true;
	return 0;
}

/* What its owner noted when it retired it; false: it did not in this generation, or it lies. */
static inline bool chunk_noted_count(const struct ttlog_chunk *chunk, uint32_t chunk_bytes,
				     uint64_t generation, uint64_t *ret_count)
{
	const uint64_t count = atomic_load_explicit(&chunk->retired_count, memory_order_relaxed);

	if (atomic_load_explicit(&chunk->retired_generation, memory_order_relaxed) != generation ||
	    count > TTLOG_CHUNK_ROOM(chunk_bytes) / TTLOG_EVENT_MIN)
		return false;
	*ret_count = count;
	return true;
}

#endif
