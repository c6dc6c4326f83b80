/* SPDX-License-Identifier: MIT */
/* test_paged.c - a timeline walked both ways, from anywhere, over one dump and several, whole and
 * damaged. */
#include <criterion/criterion.h>

#include "tests/tui_dump.h"
#include "viewer/merge.h"
#include "viewer/paged.h"

#define EVENTS 20000 /* five batches */

static struct paged *paged;
static unsigned int spread = 10; /* ns between two events */

static void generate(size_t index, struct ttlog_reader_event *event)
{
	*event = (struct ttlog_reader_event){.ticks = spread * index,
					     .site = 1,
					     .channel = TTLOG_READER_NO_CHANNEL,
					     .value_count = 1,
					     .value[0] = {.type = TTLOG_TYPE_U64, .bits = index}};
}

static void make(size_t events)
{
	static const uint8_t types[] = {TTLOG_TYPE_U64, 0};
	static const char *const names[] = {"n"};

	made_begin();
	made_site(TTLOG_INFO, "t", "m", types, names);
	made.generate = events;
	made.generator = generate;
}

static void add(size_t events)
{
	make(events);
	tui_dump_made();
}

static void open_paged(void)
{
	cr_assert_eq(paged_open(&paged, tui_dumps, tui_dump_count), 0);
}

static void teardown(void)
{
	paged_close(paged);
	tui_dumps_close();
}

TestSuite(paged, .fini = teardown, .timeout = 120);

static uint64_t number_of(const struct event *event)
{
	static struct record record;

	record.event = *event;
	record.decoded = false;
	record_decode(&record);
	return record.count == 1 ? record.value[0].number : UINT64_MAX;
}

Test(paged, gives_all_events_and_the_death_forwards_and_backwards)
{
	uint64_t place[2], expected = 0;
	struct paged_item item;

	add(EVENTS);
	open_paged();
	cr_assert_eq(paged_sources(paged), 2);
	cr_assert_eq(paged_events(paged), EVENTS);
	cr_assert_eq(paged_total(paged), EVENTS + 1);
	cr_assert_not(paged_damaged(paged));
	paged_start(paged, place);
	while (paged_next(paged, place, &item)) {
		if (item.mark) {
			cr_assert_eq(expected, EVENTS, "the death comes behind the events");
			cr_assert(item.mark->dead);
			continue;
		}
		cr_assert_eq(number_of(&item.event), expected);
		cr_assert_eq(item.number, expected++);
	}
	cr_assert_eq(expected, EVENTS);
	cr_assert_eq(paged_rank(paged, place), EVENTS + 1);
	while (paged_prev(paged, place, &item))
		if (!item.mark)
			cr_assert_eq(number_of(&item.event), --expected);
	cr_assert_eq(expected, 0);
	cr_assert_eq(paged_rank(paged, place), 0);
}

Test(paged, finds_a_time_and_a_number)
{
	uint64_t place[2];
	struct paged_item item;

	add(EVENTS);
	open_paged();
	for (uint64_t number = 0; number < EVENTS; number += 777) {
		paged_seek_rank(paged, place, number);
		cr_assert(paged_next(paged, place, &item));
		cr_assert_eq(item.number, number);
		paged_seek_time(paged, place, (int64_t)(MADE_TIME_NS + 10 * number - 3));
		cr_assert(paged_next(paged, place, &item));
		cr_assert_eq(item.number, number, "the first that is not earlier");
	}
	paged_seek_time(paged, place, INT64_MAX);
	cr_assert_eq(paged_rank(paged, place), EVENTS + 1);
	paged_seek_time(paged, place, INT64_MIN);
	cr_assert_eq(paged_rank(paged, place), 0);
	paged_seek_mark(paged, place, 0);
	cr_assert(paged_next(paged, place, &item));
	cr_assert_not_null(item.mark);
}

/* Several dumps: the order that --format=text has, but for the marks, and the same one backwards.
 */
Test(paged, merges_dumps_in_the_order_of_the_merge_both_ways)
{
	static struct paged_item back[6000];
	uint64_t place[4], count = 0;
	struct paged_item item;
	struct merge *merge;
	struct event event;

	for (spread = 7; spread < 10; spread++)
		add(1000 + 100 * spread);
	open_paged();
	cr_assert_eq(merge_open(&merge, tui_dumps, tui_dump_count), 0);
	paged_start(paged, place);
	while (paged_next(paged, place, &item)) {
		back[count++] = item;
		if (item.mark)
			continue;
		cr_assert(merge_next(merge, &event));
		cr_assert_eq(event.dump, item.event.dump);
		cr_assert_eq(event.seq, item.event.seq);
	}
	cr_assert_not(merge_next(merge, &event));
	merge_close(merge);
	cr_assert_eq(count, paged_total(paged));
	while (paged_prev(paged, place, &item)) {
		count--;
		cr_assert_eq(item.source, back[count].source);
		cr_assert_eq(item.number, back[count].number);
	}
	cr_assert_eq(count, 0);
}

Test(paged, knows_numbers_of_several_dumps)
{
	uint64_t place[3];

	add(5000);
	add(3000);
	open_paged();
	for (uint64_t rank = 0; rank < 8000; rank += 501) {
		paged_seek_rank(paged, place, rank);
		/* Both have an event at each of these times: one more or less. */
		cr_assert_leq(paged_rank(paged, place), rank);
		cr_assert_geq(paged_rank(paged, place) + 2, rank);
	}
}

Test(paged, holds_little_of_much)
{
	uint64_t place[2];
	struct paged_item item;

	add(1000000);
	open_paged();
	paged_start(paged, place);
	while (paged_next(paged, place, &item))
		if (item.number % 4096 == 0)
			cr_assert_leq(paged_memory(paged), 32u << 20);
	cr_assert_geq(paged_memory(paged), 1u << 20, "and it does keep some");
}

/* ---- files that are not whole -----------------------------------------------------------------
 */

static uint64_t count_both_ways(void)
{
	uint64_t place[2], forwards = 0, backwards = 0;
	struct paged_item item;

	paged_start(paged, place);
	while (paged_next(paged, place, &item))
		forwards++;
	while (paged_prev(paged, place, &item))
		backwards++;
	cr_assert_eq(forwards, backwards);
	cr_assert_eq(forwards, paged_total(paged));
	return paged_events(paged);
}

Test(paged, reads_a_dump_that_was_cut)
{
	size_t bytes;
	unsigned char *data;

	make(EVENTS);
	data = made_dump(&bytes);
	cr_assert_eq(tui_dump_bytes(data, bytes - 400), 0);
	open_paged();
	cr_assert(paged_damaged(paged));
	cr_assert_eq(count_both_ways(), 4 * 4096, "all whole batches");
	free(data);
}

Test(paged, shows_a_damaged_batch_as_damage_and_the_others_as_they_are)
{
	const struct dump_extent *extents;
	uint64_t place[2], damaged = 0, fine = 0;
	struct paged_item item;
	unsigned char *data;
	size_t bytes, offset;

	make(EVENTS);
	data = made_dump(&bytes);
	cr_assert_eq(tui_dump_bytes(data, bytes), 0);
	cr_assert_eq(dump_extents(tui_dumps[0], &extents), 5);
	offset = extents[2].offset;
	tui_dumps_close();
	memset(data + offset + 200, 0xa5, 50);
	cr_assert_eq(tui_dump_bytes(data, bytes), 0);
	free(data);
	open_paged();
	paged_start(paged, place);
	while (paged_next(paged, place, &item)) {
		if (item.mark)
			continue;
		if (item.event.site->level == LEVEL_UNKNOWN)
			damaged++;
		else
			fine += number_of(&item.event) == item.number;
	}
	cr_assert_eq(damaged, 4096);
	cr_assert_eq(fine, EVENTS - 4096);
	cr_assert(paged_damaged(paged));
}

/* Cut at every byte of a small one, and every byte changed: whatever is there is the same both
 * ways. */
Test(paged, survives_every_cut_and_every_changed_byte)
{
	size_t bytes, opened = 0;
	unsigned char *data;

	make(40);
	data = made_dump(&bytes);
	for (size_t i = 0; i < 2 * bytes; i++) {
		const size_t at = i % bytes;
		int error;

		if (i < bytes)
			data[at] ^= 0x55;
		error = tui_dump_bytes(data, i < bytes ? bytes : at);
		if (i < bytes)
			data[at] ^= 0x55;
		if (error)
			continue;
		if (paged_open(&paged, tui_dumps, 1) == 0) {
			opened++;
			count_both_ways();
			paged_close(paged);
			paged = NULL;
		}
		tui_dumps_close();
	}
	cr_assert_gt(opened, bytes / 2);
	free(data);
}

Test(paged, has_no_events_without_complaint)
{
	uint64_t place[2];
	struct paged_item item;

	add(0);
	open_paged();
	paged_start(paged, place);
	cr_assert(paged_next(paged, place, &item), "the death");
	cr_assert_not_null(item.mark);
	cr_assert_not(paged_next(paged, place, &item));
	paged_seek_rank(paged, place, 5);
	paged_seek_time(paged, place, 5);
}
