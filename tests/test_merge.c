/* SPDX-License-Identifier: MIT */
/* test_merge.c - several dumps as one stream: order, ties, values that hold, ends. */
#include <criterion/criterion.h>

#include "tests/made_dump.h"
#include "tests/view_dump.h"
#include "viewer/merge.h"

#define DUMPS 5

static struct dump *dumps[DUMPS];

/* A dump of events with one text each, "dump-index", at the given times. */
static void open_dump(unsigned int which, const uint64_t *ticks, size_t count)
{
	static const uint8_t types[] = {TTLOG_TYPE_STRING, 0};
	static const char *const names[] = {"name"};
	static char text[64][32];
	unsigned char *data;
	const char *why;
	size_t bytes;

	made_begin();
	made_site(TTLOG_INFO, "t", "m", types, names);
	for (size_t i = 0; i < count; i++) {
		snprintf(text[i], sizeof(text[i]), "%u-%zu", which, i);
		made_text(made_event(ticks[i], 0, 1), 0, text[i]);
	}
	data = made_dump(&bytes);
	cr_assert_eq(view_bytes(&dumps[which], data, bytes, &why), 0);
	free(data);
}

static void close_dumps(void)
{
	for (unsigned int i = 0; i < DUMPS; i++)
		dump_close(dumps[i]);
	memset(dumps, 0, sizeof(dumps));
	free(made.event);
	made.event = NULL;
}

/* All names, with a space behind each. */
static void expect_order(size_t count, const char *wanted)
{
	static struct record record;
	struct merge *merge;
	char got[1024] = "";

	cr_assert_eq(merge_open(&merge, dumps, count), 0);
	while (merge_next(merge, &record.event)) {
		record.decoded = false;
		record_decode(&record);
		cr_assert_eq(record.count, 1);
		strncat(got, record.value[0].span.data, record.value[0].span.bytes);
		strcat(got, " ");
	}
	cr_expect_not(merge_next(merge, &record.event), "the end comes once");
	cr_expect_str_eq(got, wanted);
	merge_close(merge);
}

TestSuite(merge, .fini = close_dumps, .timeout = 120);

Test(merge, gives_the_events_of_all_dumps_by_time)
{
	open_dump(0, (uint64_t[]){10, 40, 50}, 3);
	open_dump(1, (uint64_t[]){20, 30, 60}, 3);
	open_dump(2, (uint64_t[]){5, 35}, 2);
	open_dump(3, NULL, 0);
	open_dump(4, (uint64_t[]){70}, 1);
	expect_order(5, "2-0 0-0 1-0 1-1 2-1 0-1 0-2 1-2 4-0 ");
}

Test(merge, of_the_same_time_takes_the_dump_that_was_named_first)
{
	for (unsigned int i = 0; i < 3; i++)
		open_dump(i, (uint64_t[]){10, 10}, 2);
	expect_order(3, "0-0 0-1 1-0 1-1 2-0 2-1 ");
}

Test(merge, of_one_dump_is_that_dump)
{
	open_dump(0, (uint64_t[]){10, 10, 20}, 3);
	expect_order(1, "0-0 0-1 0-2 ");
}

Test(merge, of_nothing_ends_at_once)
{
	open_dump(0, NULL, 0);
	open_dump(1, NULL, 0);
	expect_order(0, "");
	expect_order(1, "");
	expect_order(2, "");
}
