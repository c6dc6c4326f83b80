/* SPDX-License-Identifier: MIT */
/* geometry_sound.h - what must hold of any geometry that we believe. */
#ifndef TESTS_GEOMETRY_SOUND_H
#define TESTS_GEOMETRY_SOUND_H

#include <stdbool.h>
#include <string.h>

#include "lib/region.h"

struct geometry_range {
	uint64_t start, end;
};

static inline uint32_t geometry_ranges(const struct ttlog_geometry *geometry,
				       struct geometry_range *ranges)
{
	uint32_t count = 0;

#define ADD(offset, bytes)                                                                         \
	(ranges[count++] = (struct geometry_range){(offset), (offset) + (uint64_t)(bytes)})
	ADD(0, TTLOG_PAGE_BYTES);
	ADD(geometry->control_offset, TTLOG_PAGE_BYTES);
	ADD(geometry->ledger_offset, TTLOG_PAGE_BYTES);
	ADD(geometry->dict_index_offset, geometry->dict_index_count * 8ull);
	ADD(geometry->dict_heap_offset, geometry->dict_heap_bytes);
	ADD(geometry->channels_offset, geometry->channel_count * 128ull);
	for (uint32_t i = 0; i < geometry->lane_count; i++) {
		const struct ttlog_lane_geometry *lane = &geometry->lane[i];

		ADD(lane->records_offset, lane->chunk_count * 64ull);
		ADD(lane->chunks_offset, (uint64_t)lane->chunk_count * lane->chunk_bytes);
	}
#undef ADD
	return count;
}

static inline bool geometry_is_sound(const struct ttlog_geometry *geometry)
{
	struct geometry_range range[6 + 2 * TTLOG_LANE_MAX];
	uint32_t count;

	if (geometry->lane_count < TTLOG_LANE_COUNT || geometry->lane_count > TTLOG_LANE_MAX)
		return false;
	for (uint32_t i = 0; i < geometry->lane_count; i++)
		if (geometry->lane[i].chunk_bytes % 64 != 0 ||
		    geometry->lane[i].chunk_bytes < 128 || geometry->lane[i].chunk_bytes > 32768 ||
		    geometry->lane[i].chunk_count == 0)
			return false;
	count = geometry_ranges(geometry, range);
	for (uint32_t i = 0; i < count; i++) {
		if (range[i].start % TTLOG_PAGE_BYTES != 0 || range[i].end < range[i].start ||
		    range[i].end > geometry->region_bytes)
			return false;
		for (uint32_t j = 0; j < i; j++)
			if (range[i].start < range[j].end && range[j].start < range[i].end)
				return false;
	}
	return memchr(geometry->service, '\0', TTLOG_SERVICE_BYTES) &&
	       geometry->clock_mode <= TTLOG_CLOCK_COARSE &&
	       geometry->channel_count == geometry->lane[TTLOG_LANE_CHANNEL].chunk_count / 2 &&
	       geometry->dict_heap_bytes % 8 == 0;
}

#endif
