/* SPDX-License-Identifier: MIT */
/*
 * Any changes to a good region: it is refused, or read without a step outside.
 *
 * The input is a list of patches: a byte that names a part of the region, a byte with a length,
 * three bytes with an offset in that part (little endian), and as many bytes as the length says.
 * They go over a region that holds a bit of everything.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/reader.h"
#include "tests/region_by_hand.h"

#define PATCH_HEAD_BYTES 5
#define PATCHES_MAX 256

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The good region, and the one that is patched and mended again. */
static struct by_hand good, patched;

struct range {
	uint64_t start, bytes;
};

static void require(int truth)
{
	if (!truth)
		abort();
}

/* ---- the good region ------------------------------------------------------------------------- */

static void fill_dictionary(struct by_hand *hand)
{
	static const uint8_t numbers[] = {TTLOG_TYPE_U64};
	static const uint8_t mixed[] = {TTLOG_TYPE_STRING, TTLOG_TYPE_BYTES, TTLOG_TYPE_INTERNED,
					TTLOG_TYPE_I16, TTLOG_TYPE_BOOL};
	static const uint8_t many[TTLOG_FIELDS_MAX] = {1,  2,  3,  4,  5, 6, 7, 8, 9, 10,
						       11, 12, 15, 16, 1, 2, 3, 4, 5, 6};

	by_hand_site(hand, numbers, 1);
	by_hand_site(hand, mixed, sizeof(mixed));
	by_hand_string(hand, "interned");
	by_hand_site(hand, many, sizeof(many));
	by_hand_site(hand, NULL, 0);
}

static void fill_chunk(struct by_hand *hand, uint32_t lane, uint32_t index, uint32_t tid,
		       uint64_t ticks)
{
	static const char mixed[] = "text\0\4\0span\3\0\0\0\xfe\xff\1";
	struct by_hand_writer writer = by_hand_take(hand, lane, index, tid, "thread", ticks);
	static const char zeros[96];

	by_hand_number(&writer, 1, ticks + 1, 42);
	if (hand->geometry.lane[lane].flags & TTLOG_LANE_SLOTS) {
		by_hand_retire(&writer);
		return;
	}
	for (uint32_t i = 0; i < 5; i++) {
		by_hand_event(&writer, 2, i == 3, ticks + 10 * i, mixed, sizeof(mixed) - 1, 0);
		by_hand_event(&writer, 4, 0, ticks + 10 * i, zeros, sizeof(zeros), 0);
		by_hand_event(&writer, 5, 0, ticks + 10 * i + 1, NULL, 0, 0);
	}
}

static void fill_region(struct by_hand *hand)
{
	by_hand_make(hand);
	fill_dictionary(hand);
	for (uint32_t i = 0; i < 4; i++) {
		fill_chunk(hand, TTLOG_LANE_MAIN, i, 100 + i / 2, 1000 + 100 * i);
		fill_chunk(hand, TTLOG_LANE_ALERT, i, 100 + i, 1050 + 100 * i);
		fill_chunk(hand, TTLOG_LANE_NESTED, i, 100, 1060 + 100 * i);
		by_hand_account(hand, TTLOG_LANE_MAIN, i, 1)->count = 7;
	}
	fill_chunk(hand, TTLOG_LANE_BOOT, 0, 100, 10);
	fill_chunk(hand, TTLOG_LANE_AFTERLIFE, 0, 101, 2000);
	by_hand_set_state(hand, TTLOG_LANE_MAIN, 2, 1, 9, TTLOG_CHUNK_COND);
	by_hand_set_state(hand, TTLOG_LANE_MAIN, 3, 1, 9, TTLOG_CHUNK_INIT);
}

static void setup(void)
{
	void *memory;

	if (good.base)
		return;
	fill_region(&good);
	memory = aligned_alloc(TTLOG_PAGE_BYTES, good.geometry.region_bytes);
	require(memory != NULL);
	memcpy(memory, good.base, good.geometry.region_bytes);
	by_hand_attach(&patched, memory, &good.geometry);
}

/* ---- patches --------------------------------------------------------------------------------- */

static uint64_t part_start(uint8_t part)
{
	const struct ttlog_geometry *geometry = &good.geometry;
	const uint64_t start[] = {
		0,
		geometry->ledger_offset,
		geometry->dict_index_offset,
		geometry->dict_heap_offset,
		geometry->lane[TTLOG_LANE_MAIN].records_offset,
		geometry->lane[TTLOG_LANE_MAIN].chunks_offset,
		geometry->lane[TTLOG_LANE_ALERT].records_offset,
		geometry->lane[TTLOG_LANE_ALERT].chunks_offset,
		geometry->lane[TTLOG_LANE_BOOT].chunks_offset,
		geometry->lane[TTLOG_LANE_AFTERLIFE].chunks_offset,
		geometry->lane[TTLOG_LANE_NESTED].chunks_offset,
	};

	return start[part % (sizeof(start) / sizeof(start[0]))];
}

/* Applies one patch. The bytes of it, 0 at the end. */
static size_t apply(const uint8_t *data, size_t size, struct range *ret_range)
{
	uint64_t start;
	size_t bytes;

	if (size < PATCH_HEAD_BYTES)
		return 0;
	bytes = data[1];
	if (bytes > size - PATCH_HEAD_BYTES)
		bytes = size - PATCH_HEAD_BYTES;
	start = part_start(data[0]) + data[2] + ((uint64_t)data[3] << 8) +
		((uint64_t)data[4] << 16);
	if (start > good.geometry.region_bytes - bytes)
		start = good.geometry.region_bytes - bytes;
	memcpy(patched.base + start, data + PATCH_HEAD_BYTES, bytes);
	*ret_range = (struct range){start, bytes};
	return PATCH_HEAD_BYTES + bytes;
}

/* ---- reading --------------------------------------------------------------------------------- */

/* Every byte that a value names is looked at. */
static uint64_t look_at(const struct ttlog_reader_event *event)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < event->value_count; i++) {
		const struct ttlog_reader_value *value = &event->value[i];

		sum += value->bits;
		for (uint32_t n = 0; n < value->size; n++)
			sum += (unsigned char)value->data[n];
		require(value->type != TTLOG_TYPE_STRING || value->data[value->size] == '\0');
	}
	return sum;
}

static void look_at_dictionary(const struct ttlog_reader *reader)
{
	for (uint32_t id = 0; id <= ttlog_reader_id_limit(reader); id++) {
		const struct ttlog_reader_site *site = ttlog_reader_site(reader, id);
		const char *string = ttlog_reader_string(reader, id);

		require(!string || strlen(string) <= TTLOG_DICT_STRING_MAX);
		if (!site)
			continue;
		require(site->id == id && site->level <= TTLOG_FATAL &&
			site->field_count <= TTLOG_FIELDS_MAX);
		require(strlen(site->target) + strlen(site->message) + strlen(site->file) +
				strlen(site->function) <=
			4 * TTLOG_DICT_STRING_MAX);
		for (uint32_t i = 0; i < site->field_count; i++)
			require(strlen(site->names[i]) <= TTLOG_DICT_STRING_MAX &&
				site->types[i] < TTLOG_TYPE_COUNT);
	}
}

static uint64_t read_events(struct ttlog_reader *reader, uint64_t *ret_sum)
{
	struct ttlog_reader_event event;
	uint64_t events = 0;

	while (ttlog_reader_next(reader, &event)) {
		const struct ttlog_reader_site *site = ttlog_reader_site(reader, event.site);

		require(site && site->field_count == event.value_count);
		require(ttlog_reader_thread(reader, event.thread) != NULL);
		require(ttlog_reader_lane(reader, event.lane) != NULL);
		*ret_sum += look_at(&event) + event.ticks * ++events;
	}
	return events;
}

static void read_region(const struct ttlog_geometry *geometry)
{
	uint64_t sum = 0, sum_again = 0, events, thread_events = 0, lane_events = 0;
	struct ttlog_reader_totals totals;
	struct ttlog_reader *reader;

	require(ttlog_reader_open(&reader, patched.base, geometry) == 0);
	look_at_dictionary(reader);
	ttlog_reader_totals(reader, &totals);
	events = read_events(reader, &sum);
	require(events == totals.events);
	ttlog_reader_rewind(reader);
	require(read_events(reader, &sum_again) == events && sum == sum_again);
	for (uint32_t i = 0; i < ttlog_reader_thread_count(reader); i++) {
		thread_events += ttlog_reader_thread(reader, i)->events;
		require(memchr(ttlog_reader_thread(reader, i)->name, '\0',
			       TTLOG_THREAD_NAME_BYTES) != NULL);
	}
	for (uint32_t i = 0; i < ttlog_reader_lane_count(reader); i++)
		lane_events += ttlog_reader_lane(reader, i)->events;
	require(thread_events == events && lane_events == events);
	ttlog_reader_close(reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct range range[PATCHES_MAX];
	struct ttlog_geometry geometry;
	size_t count = 0, taken;

	setup();
	while (count < PATCHES_MAX && (taken = apply(data, size, &range[count])) != 0) {
		data += taken;
		size -= taken;
		count++;
	}
	if (ttlog_region_check(patched.header, good.geometry.region_bytes, &geometry) == 0)
		read_region(&geometry);
	/* A region whose header changed after it was checked. */
	read_region(&good.geometry);
	while (count-- > 0)
		memcpy(patched.base + range[count].start, good.base + range[count].start,
		       range[count].bytes);
	return 0;
}
