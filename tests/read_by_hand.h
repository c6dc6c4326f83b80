/* SPDX-License-Identifier: MIT */
/* read_by_hand.h - what the tests of the reader share, beside the region that they read. */
#ifndef TESTS_READ_BY_HAND_H
#define TESTS_READ_BY_HAND_H

#include <criterion/criterion.h>

#include "lib/reader.h"
#include "tests/region_by_hand.h"

static inline struct ttlog_reader *open_reader(const struct by_hand *hand)
{
	struct ttlog_geometry geometry;
	struct ttlog_reader *reader = NULL;

	cr_assert_eq(ttlog_region_check(hand->header, hand->geometry.region_bytes, &geometry), 0);
	cr_assert_eq(ttlog_reader_open(&reader, hand->base, &geometry), 0);
	return reader;
}

static inline struct ttlog_reader_totals totals_of(const struct ttlog_reader *reader)
{
	struct ttlog_reader_totals totals;

	ttlog_reader_totals(reader, &totals);
	return totals;
}

/* The next event's first value, which the test numbered; UINT64_MAX at the end. */
static inline uint64_t next_number(struct ttlog_reader *reader)
{
	struct ttlog_reader_event event;

	if (ttlog_reader_next(reader, &event) == 0)
		return UINT64_MAX;
	cr_assert_eq(event.value_count, 1);
	return event.value[0].bits;
}

/* All that is left is numbered from, from + 1, ... to. */
static inline void check_numbers(struct ttlog_reader *reader, uint64_t from, uint64_t to)
{
	for (uint64_t number = from; number <= to; number++)
		cr_assert_eq(next_number(reader), number);
	cr_assert_eq(next_number(reader), UINT64_MAX);
}

#endif
