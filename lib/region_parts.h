/* SPDX-License-Identifier: MIT */
/* region_parts.h - how large the parts of a region are; for region.c and region_plan.c alone. */
#ifndef TTLOG_REGION_PARTS_H
#define TTLOG_REGION_PARTS_H

#include <stdint.h>

#include "lib/ttlog_abi.h"

static inline uint64_t lane_records_bytes(const struct ttlog_lane_geometry *lane)
{
	return lane->chunk_count * (uint64_t)sizeof(struct ttlog_chunk_record);
}

static inline uint64_t lane_chunks_bytes(const struct ttlog_lane_geometry *lane)
{
	return (uint64_t)lane->chunk_count * lane->chunk_bytes;
}

static inline uint64_t channel_table_bytes(uint32_t entry_count)
{
	return entry_count * (uint64_t)sizeof(struct ttlog_channel_entry);
}

#endif
