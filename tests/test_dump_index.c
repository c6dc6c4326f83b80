/* SPDX-License-Identifier: MIT */
/* test_dump_index.c - the index at a dump's end: batches by it, in any order, and indexes that lie. */
#include <criterion/criterion.h>
#include <errno.h>

#include "tests/made_dump.h"
#include "tests/view_dump.h"

#define EVENTS 20000 /* five batches */

static unsigned char *whole;
static size_t whole_bytes;
static struct dump *dump;

static void generate(size_t index, struct ttlog_reader_event *event)
{
	*event = (struct ttlog_reader_event){.ticks = 10 * index,
					     .site = 1,
					     .channel = TTLOG_READER_NO_CHANNEL,
					     .value_count = 1,
					     .value[0] = {.type = TTLOG_TYPE_U64, .bits = index}};
}

static void open_bytes(size_t bytes)
{
	const char *why;

	cr_assert_eq(view_bytes(&dump, whole, bytes, &why), 0, "%s", why);
}

static void setup(void)
{
	static const uint8_t types[] = {TTLOG_TYPE_U64, 0};
	static const char *const names[] = {"n"};

	made_begin();
	made_site(TTLOG_INFO, "t", "m", types, names);
	made.generate = EVENTS;
	made.generator = generate;
	whole = made_dump(&whole_bytes);
}

static void teardown(void)
{
	dump_close(dump);
	free(whole);
}

TestSuite(dump_index, .init = setup, .fini = teardown, .timeout = 150);

/* All that are left are the numbers from..to-1. */
static void expect_numbers(uint64_t from, uint64_t to)
{
	static struct record record;

	while (dump_next(dump, &record.event)) {
		record.decoded = false;
		record_decode(&record);
		cr_assert_eq(record.value[0].number, from);
		cr_assert_eq(record.event.seq, from);
		cr_assert_eq(record.event.time_ns, (int64_t)(MADE_TIME_NS + 10 * from));
		from++;
	}
	cr_assert_eq(from, to);
}

Test(dump_index, says_where_the_batches_are_and_from_when_to_when)
{
	const struct dump_extent *extents;
	size_t count;
	uint64_t events = 0;

	open_bytes(whole_bytes);
	count = dump_extents(dump, &extents);
	cr_assert_eq(count, 5);
	for (size_t i = 0; i < count; i++) {
		cr_expect_eq(extents[i].seq, events);
		cr_expect_eq(extents[i].first_ns, (int64_t)(MADE_TIME_NS + 10 * events));
		events += extents[i].events;
		cr_expect_eq(extents[i].last_ns, (int64_t)(MADE_TIME_NS + 10 * (events - 1)));
	}
	cr_expect_eq(events, EVENTS);
	expect_numbers(0, EVENTS);
}

Test(dump_index, lets_any_batches_be_read_in_any_order)
{
	const struct dump_extent *extents;
	size_t count;
	char why[160];

	open_bytes(whole_bytes);
	count = dump_extents(dump, &extents);
	for (size_t from = count; from--;)
		for (size_t to = from; to <= count; to++) {
			cr_assert_eq(dump_range(dump, from, to), 0);
			expect_numbers(extents[from].seq,
				       from == to    ? extents[from].seq
				       : to == count ? EVENTS
						     : extents[to].seq);
		}
	cr_assert_eq(dump_range(dump, 0, SIZE_MAX), 0);
	expect_numbers(0, EVENTS);
	cr_assert_eq(dump_range(dump, count, count + 1), 0);
	expect_numbers(0, 0);
	cr_expect_not(dump_damage(dump, why, sizeof(why)), "%s", why);
}

Test(dump_index, tells_of_damage_in_what_was_read)
{
	const struct dump_extent *extents;
	char why[160];

	open_bytes(whole_bytes);
	cr_assert_eq(dump_extents(dump, &extents), 5);
	whole[extents[3].offset + 100] ^= 1;
	dump_close(dump);
	open_bytes(whole_bytes);
	cr_assert_eq(dump_extents(dump, &extents), 5);
	cr_assert_eq(dump_range(dump, 0, 2), 0);
	expect_numbers(0, extents[2].seq);
	cr_expect_not(dump_damage(dump, why, sizeof(why)), "%s", why);
	cr_assert_eq(dump_range(dump, 2, 4), 0);
	expect_numbers(extents[2].seq, extents[3].seq);
	cr_expect(dump_damage(dump, why, sizeof(why)));
	cr_expect_not_null(strstr(why, "damaged at byte"), "%s", why);
}

Test(dump_index, of_a_file_cut_anywhere_is_missing)
{
	const struct dump_extent *extents;

	for (size_t bytes = whole_bytes - 1; bytes > whole_bytes - 300; bytes--) {
		open_bytes(bytes);
		cr_assert_eq(dump_extents(dump, &extents), 0);
		dump_close(dump);
		dump = NULL;
	}
}

/* No byte of it makes anything but events that are there, of batches that are there. */
Test(dump_index, with_any_byte_changed_leads_nowhere_else)
{
	const struct dump_extent *extents;
	struct event event;
	size_t count, tail;
	uint64_t read;

	open_bytes(whole_bytes);
	count = dump_extents(dump, &extents);
	tail = extents[count - 1].offset;
	for (size_t at = whole_bytes - 1; at > tail; at--)
		for (unsigned int bit = 0; bit < 8; bit += 3) {
			dump_close(dump);
			whole[at] ^= (unsigned char)(1u << bit);
			open_bytes(whole_bytes);
			count = dump_extents(dump, &extents);
			cr_assert_leq(count, 5);
			for (size_t i = 0; i < count; i++) {
				read = 0;
				cr_assert_eq(dump_range(dump, i, i + 1), 0);
				while (dump_next(dump, &event))
					read++;
				cr_assert_leq(read, EVENTS);
			}
			whole[at] ^= (unsigned char)(1u << bit);
			/* The frames' own bytes are many, and others' tests. */
			if (at < whole_bytes - 400)
				at -= at > tail + 64 ? 61 : 0;
		}
}

Test(dump_index, of_what_is_no_file_is_missing)
{
	int fds[2];
	struct dump_extent *read_extents = NULL;
	size_t count;

	cr_assert_eq(pipe(fds), 0);
	cr_expect_eq(dump_index_read(fds[0], &read_extents, &count), -ENOENT);
	cr_expect_null(read_extents);
	close(fds[0]);
	close(fds[1]);
}
