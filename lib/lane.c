/* SPDX-License-Identifier: MIT */
/* lane.c - see lane.h. Owns no state. */
#include "lib/lane.h"

#include "lib/chunk.h"

/* The committed events of a chunk, from its headers. */
static struct ttlog_span walk(const struct ttlog_chunk *chunk, uint32_t chunk_bytes)
{
	struct ttlog_span span = {0};
	uint32_t offset = TTLOG_CHUNK_FIRST;
	uint64_t word;

	while (offset < chunk_bytes - 8 && (word = ttlog_chunk_word(chunk, offset)) != 0) {
		uint32_t size = TTLOG_EVENT_BYTES(word);

		if (size < TTLOG_EVENT_MIN || size > chunk_bytes - 8 - offset)
			break;
		span.last = ttlog_chunk_word(chunk, offset + 8);
		if (!span.count++)
			span.first = span.last;
		offset += size;
	}
	return span;
}

/* model: content */
struct ttlog_span ttlog_lane_content(const struct ttlog_chunk *chunk, uint32_t chunk_bytes,
				     uint64_t state)
{
	struct ttlog_span span = {0};

	if (TTLOG_STATE_OF(state) == TTLOG_CHUNK_FREE || TTLOG_STATE_OF(state) == TTLOG_CHUNK_INIT)
		return span;
	/* Of a chunk that is being retired right now; pairs with step 2 of the retire. */
	if (atomic_load_explicit(&chunk->retired_generation, memory_order_acquire) !=
	    TTLOG_STATE_GENERATION(state))
		return walk(chunk, chunk_bytes);
	span.count = atomic_load_explicit(&chunk->retired_count, memory_order_relaxed);
	if (span.count) {
		span.first = ttlog_chunk_word(chunk, TTLOG_CHUNK_FIRST + 8);
		span.last = atomic_load_explicit(&chunk->retired_last, memory_order_relaxed);
	}
	return span;
}

void ttlog_account_add(const struct ttlog_account *old, struct ttlog_account *new,
		       const struct ttlog_span *span)
{
	uint64_t first = atomic_load_explicit(&old->first, memory_order_relaxed);
	uint64_t last = atomic_load_explicit(&old->last, memory_order_relaxed);
	uint64_t count = atomic_load_explicit(&old->count, memory_order_relaxed);

	if (span->count && (!count || span->first < first))
		first = span->first;
	if (span->count && span->last > last)
		last = span->last;
	atomic_store_explicit(&new->count, count + span->count, memory_order_relaxed);
	atomic_store_explicit(&new->first, first, memory_order_relaxed);
	atomic_store_explicit(&new->last, last, memory_order_relaxed);
}

void ttlog_span_widen(_Atomic uint64_t *first, _Atomic uint64_t *last, uint64_t ticks)
{
	uint64_t seen = atomic_load_explicit(first, memory_order_relaxed);

	while ((!seen || ticks < seen) &&
	       !atomic_compare_exchange_weak_explicit(first, &seen, ticks, memory_order_relaxed,
						      memory_order_relaxed))
		;
	seen = atomic_load_explicit(last, memory_order_relaxed);
	while (ticks > seen &&
	       !atomic_compare_exchange_weak_explicit(last, &seen, ticks, memory_order_relaxed,
						      memory_order_relaxed))
		;
}

void ttlog_lanes_count(uint64_t *ret_retained, uint64_t *ret_overwritten)
{
	uint64_t retained = 0, overwritten = 0;

	for (uint32_t id = 0; id < ttlog_place_.geometry.lane_count; id++) {
		struct ttlog_lane lane = ttlog_lane_of(id);

		for (uint32_t i = 0; i < lane.geometry->chunk_count; i++) {
			uint64_t state =
				atomic_load_explicit(&lane.records[i].state, memory_order_acquire);
			const struct ttlog_account *account =
				&lane.records[i].account[TTLOG_STATE_GENERATION(state) & 1];

			overwritten += atomic_load_explicit(&account->count, memory_order_relaxed);
			retained += ttlog_lane_content(ttlog_lane_chunk(&lane, i),
						       lane.geometry->chunk_bytes, state)
					    .count;
		}
	}
	*ret_retained = retained;
	*ret_overwritten = overwritten;
}
