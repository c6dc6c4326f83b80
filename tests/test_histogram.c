/* SPDX-License-Identifier: MIT */
/* test_histogram.c - each event is in the row that its time says, whatever came before it. */
#include <criterion/criterion.h>

#include "viewer/histogram.h"

TestSuite(histogram, .timeout = 120);

#define EVENTS 5000

static int64_t times[EVENTS];

static uint64_t count_from(const struct histogram_rows *rows, size_t row)
{
	uint64_t count = 0;

	for (size_t i = 0; i < EVENTS; i++)
		count += (uint64_t)(times[i] - rows->start_ns) / rows->width_ns == row;
	return count;
}

static void expect_counted(size_t limit)
{
	struct histogram histogram;
	struct histogram_rows rows;

	cr_assert_eq(histogram_open(&histogram), 0);
	for (size_t i = 0; i < EVENTS; i++)
		histogram_add(&histogram, times[i], (enum site_level)(i % LEVEL_COUNT));
	cr_assert_eq(histogram_rows(&histogram, limit, &rows), 0);
	cr_expect_leq(rows.count, limit);
	cr_expect_geq(rows.count, limit / 5, "%zu rows of %zu", rows.count, limit);
	for (size_t i = 0; i < rows.count; i++) {
		uint64_t events = 0;

		for (int level = 0; level < LEVEL_COUNT; level++)
			events += rows.rows[i].levels[level];
		cr_expect_eq(events, count_from(&rows, i), "row %zu of %zu", i, rows.count);
	}
	histogram_rows_fini(&rows);
	histogram_close(&histogram);
}

Test(histogram, each_event_is_in_its_row_forwards_and_backwards)
{
	for (size_t i = 0; i < EVENTS; i++)
		times[i] = INT64_C(1700000000000000000) + (int64_t)i * 1234567;
	expect_counted(24);
	expect_counted(400);
	for (size_t i = 0; i < EVENTS; i++)
		times[i] = INT64_C(1700000000000000000) - (int64_t)i * 777;
	expect_counted(24);
}

Test(histogram, times_before_1970_are_counted_as_well)
{
	for (size_t i = 0; i < EVENTS; i++)
		times[i] = ((int64_t)i * 7919 % EVENTS - EVENTS / 2) * 1000003;
	expect_counted(24);
}

Test(histogram, the_ends_of_time_do_not_harm_it)
{
	static const int64_t ends[] = {0, INT64_MIN, INT64_MAX, -1, 1, INT64_MIN + 1, INT64_MAX - 1};
	struct histogram histogram;
	struct histogram_rows rows;
	uint64_t events = 0;

	cr_assert_eq(histogram_open(&histogram), 0);
	cr_assert_eq(histogram_rows(&histogram, 24, &rows), 0);
	cr_expect_eq(rows.count, 0, "nothing has no rows");
	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++)
		histogram_add(&histogram, ends[i], LEVEL_INFO);
	for (size_t limit = 0; limit <= 40; limit += 20) {
		cr_assert_eq(histogram_rows(&histogram, limit, &rows), 0);
		cr_expect_leq(rows.count, limit < 2 ? 2 : limit);
		events = 0;
		for (size_t i = 0; i < rows.count; i++)
			events += rows.rows[i].levels[LEVEL_INFO];
		cr_expect_eq(events, sizeof(ends) / sizeof(*ends));
		histogram_rows_fini(&rows);
	}
	histogram_close(&histogram);
}
