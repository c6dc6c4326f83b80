/* SPDX-License-Identifier: MIT */
/*
 * lane.h - a lane of this process's region: where its chunks are, what is in them, what was lost.
 *
 * Reads, and adds up; who may take a chunk is for chunk.c. Legal wherever recording is.
 */
#ifndef TTLOG_LANE_H
#define TTLOG_LANE_H

#include <stdint.h>

#include "lib/process.h"
#include "lib/ttlog_abi.h"

/* A lane of this process's region. */
struct ttlog_lane {
	uint32_t id;
	const struct ttlog_lane_geometry *geometry;
	struct ttlog_lane_ledger *ledger;
	struct ttlog_chunk_record *records;
};

static inline struct ttlog_lane ttlog_lane_of(uint32_t id)
{
	const struct ttlog_lane_geometry *geometry = &ttlog_place_.geometry.lane[id];
	struct ttlog_lane lane = {
		.id = id,
		.geometry = geometry,
		.ledger = &ttlog_process_ledger()->lane[id],
		.records = (void *)(ttlog_place_.base + geometry->records_offset),
	};

	return lane;
}

static inline uint32_t ttlog_lane_index(const struct ttlog_lane *lane, uint64_t ticket)
{
	return (uint32_t)(ticket % lane->geometry->chunk_count);
}

static inline struct ttlog_chunk *ttlog_lane_chunk(const struct ttlog_lane *lane, uint32_t index)
{
	return (void *)(ttlog_place_.base + lane->geometry->chunks_offset +
			(uint64_t)index * lane->geometry->chunk_bytes);
}

struct ttlog_span {
	uint64_t count, first, last; /* ticks, 0 = none */
};

/* What is in a chunk of that state: the data of its retire if they are of this generation, else a
 * walk. */
struct ttlog_span ttlog_lane_content(const struct ttlog_chunk *chunk, uint32_t chunk_bytes,
				     uint64_t state);
/* What gave way so far, and what gives way now. */
void ttlog_account_add(const struct ttlog_account *old, struct ttlog_account *new,
		       const struct ttlog_span *span);

/* The first and the last tick of what was lost, by whatever thread, and by handlers in between. */
void ttlog_span_widen(_Atomic uint64_t *first, _Atomic uint64_t *last, uint64_t ticks);

/* The events that can be read now, and those that were overwritten. Walks all chunks. */
void ttlog_lanes_count(uint64_t *ret_retained, uint64_t *ret_overwritten);

#endif
