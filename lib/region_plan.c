/* SPDX-License-Identifier: MIT */
/* region_plan.c - how a region's bytes are shared out. Pure. */
#include "lib/region.h"
#include "lib/region_parts.h"

/*
 * A change of chunks costs an event 20 times what others do, and what fetches the next chunk's
 * memory waits for it. A large region has chunks enough for some thousand threads anyway: from
 * twice the default on they are twice as large, from four times on four times.
 */
#define CHUNK_BYTES 4096u
#define CHUNK_BYTES_MAX 16384u
#define SLOT_BYTES 256u
/*
 * A channel has two at least. Two of 512 bytes take 1,280 with their records and entry, and keep
 * the newest 13 events of 32 bytes at least, 26 at most: 49 bytes an event. Two of 256 bytes would
 * take 768 and keep 5 to 10: 77 bytes an event.
 */
#define CHANNEL_CHUNK_BYTES 512u
/* What channels get of a region without being asked. */
#define CHANNEL_SHARE 16
/* Where a page is 64 KiB, 1 MiB would be all rounding. */
#define PLAN_PAGES_MIN 96

/* What a default region gets; smaller and larger ones in proportion, within these bounds. */
struct share {
	uint32_t count, min, max;
};

static const struct share dict_index_share = {8192, 1024, 65536};
static const struct share dict_heap_share = {1u << 20, 128u << 10, 8u << 20};

static const struct lane_share {
	struct share chunks;
	uint32_t chunk_bytes;
	uint32_t flags;
} lane_share[TTLOG_LANE_COUNT] = {
	[TTLOG_LANE_MAIN] = {{0, 0, 0}, CHUNK_BYTES, 0}, /* all that the others leave */
	[TTLOG_LANE_ALERT] = {{4096, 256, 16384}, SLOT_BYTES, TTLOG_LANE_SLOTS},
	[TTLOG_LANE_ALERT_LARGE] = {{64, 4, 256}, CHUNK_BYTES, TTLOG_LANE_SLOTS},
	[TTLOG_LANE_BOOT] = {{64, 4, 256}, CHUNK_BYTES, TTLOG_LANE_NEVER_RECYCLED},
	[TTLOG_LANE_AFTERLIFE] = {{64, 8, 256}, CHUNK_BYTES, TTLOG_LANE_NEVER_RECYCLED},
	[TTLOG_LANE_NESTED] = {{512, 64, 2048}, SLOT_BYTES, TTLOG_LANE_SLOTS},
	[TTLOG_LANE_CHANNEL] = {{0, 0, 0}, CHANNEL_CHUNK_BYTES, 0}, /* channel_chunks() */
};

static uint64_t page_up(uint64_t bytes)
{
	return (bytes + TTLOG_PAGE_BYTES - 1) / TTLOG_PAGE_BYTES * TTLOG_PAGE_BYTES;
}

static uint64_t region_bytes_kept(uint64_t bytes)
{
	uint64_t min = (uint64_t)PLAN_PAGES_MIN * TTLOG_PAGE_BYTES;

	if (min < TTLOG_REGION_BYTES_MIN)
		min = TTLOG_REGION_BYTES_MIN;
	if (bytes == 0)
		bytes = TTLOG_REGION_BYTES_DEFAULT;
	if (bytes < min)
		return min;
	if (bytes > TTLOG_REGION_BYTES_MAX)
		return TTLOG_REGION_BYTES_MAX;
	return page_up(bytes);
}

/* Of a lane whose chunks have that size in a default region. */
static uint32_t chunk_bytes_in(uint64_t region_bytes, uint32_t chunk_bytes)
{
	if (chunk_bytes != CHUNK_BYTES)
		return chunk_bytes;
	while (chunk_bytes < CHUNK_BYTES_MAX &&
	       region_bytes / chunk_bytes >= 2 * (TTLOG_REGION_BYTES_DEFAULT / CHUNK_BYTES))
		chunk_bytes *= 2;
	return chunk_bytes;
}

static uint32_t share_of(uint64_t region_bytes, struct share share)
{
	uint64_t count = share.count * region_bytes / TTLOG_REGION_BYTES_DEFAULT;

	if (count < share.min)
		return share.min;
	return count > share.max ? share.max : (uint32_t)count;
}

/* Places the lane's arrays from offset on. Returns where they end. */
static uint64_t lane_place(struct ttlog_lane_geometry *lane, uint64_t offset)
{
	lane->records_offset = offset;
	lane->chunks_offset = lane->records_offset + page_up(lane_records_bytes(lane));
	return lane->chunks_offset + page_up(lane_chunks_bytes(lane));
}

/* As many chunks as fit between offset and end. */
static void lane_place_rest(struct ttlog_lane_geometry *lane, uint64_t offset, uint64_t end)
{
	uint64_t cost = lane->chunk_bytes + sizeof(struct ttlog_chunk_record);

	lane->chunk_count = (uint32_t)((end - offset) / cost);
	/* The rounding to pages takes a few more. */
	while (lane_place(lane, offset) > end)
		lane->chunk_count--;
}

/* How many chunks, with their table, fit into so many bytes: a multiple of two. */
static uint32_t channel_chunks(uint64_t bytes)
{
	const uint64_t pair = 2 * (CHANNEL_CHUNK_BYTES + sizeof(struct ttlog_chunk_record)) +
			      sizeof(struct ttlog_channel_entry);
	struct ttlog_lane_geometry lane = {.chunk_bytes = CHANNEL_CHUNK_BYTES,
					   .chunk_count = (uint32_t)(bytes / pair * 2)};

	/* The rounding to pages takes a few. */
	while (page_up(channel_table_bytes(lane.chunk_count / 2)) + lane_place(&lane, 0) > bytes)
		lane.chunk_count -= 2;
	return lane.chunk_count;
}

/* The bytes for channels. If they are beside the region's, the region grows. */
static uint64_t channel_bytes_kept(uint64_t bytes, uint64_t *region_bytes)
{
	uint64_t room = TTLOG_REGION_BYTES_MAX - *region_bytes;

	if (bytes > TTLOG_CHANNEL_BYTES_MAX)
		bytes = TTLOG_CHANNEL_BYTES_MAX;
	bytes = page_up(bytes);
	if (bytes > room)
		bytes = room;
	if (bytes < TTLOG_CHANNEL_BYTES_MIN)
		return *region_bytes / CHANNEL_SHARE;
	*region_bytes += bytes;
	return bytes;
}

void ttlog_region_plan(uint64_t bytes, struct ttlog_geometry *ret_geometry)
{
	ttlog_region_plan_channels(bytes, 0, ret_geometry);
}

void ttlog_region_plan_channels(uint64_t bytes, uint64_t channel_bytes,
				struct ttlog_geometry *ret_geometry)
{
	struct ttlog_geometry plan = {.region_bytes = region_bytes_kept(bytes)};
	uint64_t base_bytes = plan.region_bytes, offset;

	channel_bytes = channel_bytes_kept(channel_bytes, &plan.region_bytes);
	plan.control_offset = TTLOG_PAGE_BYTES;
	plan.ledger_offset = plan.control_offset + TTLOG_PAGE_BYTES;
	plan.dict_index_offset = plan.ledger_offset + TTLOG_PAGE_BYTES;
	plan.dict_index_count = share_of(base_bytes, dict_index_share);
	plan.dict_heap_offset = plan.dict_index_offset +
				page_up(plan.dict_index_count * sizeof(uint64_t));
	plan.dict_heap_bytes = (uint32_t)page_up(share_of(base_bytes, dict_heap_share));
	plan.channels_offset = plan.dict_heap_offset + plan.dict_heap_bytes;
	plan.channel_count = channel_chunks(channel_bytes) / TTLOG_CHANNEL_CHUNKS_MIN;
	offset = plan.channels_offset + page_up(channel_table_bytes(plan.channel_count));

	plan.lane_count = TTLOG_LANE_COUNT;
	for (uint32_t i = 0; i < TTLOG_LANE_COUNT; i++) {
		struct ttlog_lane_geometry *lane = &plan.lane[i];

		lane->chunk_bytes = chunk_bytes_in(base_bytes, lane_share[i].chunk_bytes);
		lane->flags = lane_share[i].flags;
		if (i == TTLOG_LANE_MAIN)
			continue;
		lane->chunk_count =
			i == TTLOG_LANE_CHANNEL
				? plan.channel_count * TTLOG_CHANNEL_CHUNKS_MIN
				: share_of(base_bytes, lane_share[i].chunks) /
					  (lane->chunk_bytes / lane_share[i].chunk_bytes);
		offset = lane_place(lane, offset);
	}
	lane_place_rest(&plan.lane[TTLOG_LANE_MAIN], offset, plan.region_bytes);
	*ret_geometry = plan;
}
