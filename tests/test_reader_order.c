/* SPDX-License-Identifier: MIT */
/* test_reader_order.c - events in time order over all threads, and whose they are. */
#include <criterion/criterion.h>

#include "tests/read_by_hand.h"

static const uint8_t u64_type[] = {TTLOG_TYPE_U64};

Test(reader_order, merges_threads_by_time)
{
	enum { THREADS = 7, EVENTS = 100 };
	struct by_hand_writer writer[THREADS];
	struct ttlog_reader *reader;
	struct by_hand hand;

	by_hand_make(&hand);
	by_hand_site(&hand, u64_type, 1);
	for (uint32_t i = 0; i < THREADS; i++)
		writer[i] = by_hand_take(&hand, TTLOG_LANE_MAIN, 2 * i, 100 + i, "t", 1);
	for (uint64_t n = 0; n < EVENTS * THREADS; n++)
		by_hand_number(&writer[(n * 2654435761 >> 7) % THREADS], 1, 1000 + 3 * n, n);
	reader = open_reader(&hand);
	check_numbers(reader, 0, EVENTS * THREADS - 1);
	ttlog_reader_rewind(reader);
	check_numbers(reader, 0, EVENTS * THREADS - 1);
	cr_assert_eq(totals_of(reader).first_ticks, 1000);
	cr_assert_eq(totals_of(reader).last_ticks, 1000 + 3 * (EVENTS * THREADS - 1));
	ttlog_reader_close(reader);
	by_hand_free(&hand);
}

Test(reader_order, follows_a_thread_through_its_chunks_and_lanes)
{
	/* Where each chunk lies says nothing about when it was filled. */
	static const uint32_t lane[] = {TTLOG_LANE_BOOT, TTLOG_LANE_BOOT, TTLOG_LANE_MAIN,
					TTLOG_LANE_MAIN, TTLOG_LANE_MAIN, TTLOG_LANE_AFTERLIFE};
	static const uint32_t index[] = {3, 1, 30, 2, 17, 0};
	struct ttlog_reader *reader;
	struct by_hand hand;
	uint64_t n = 0;

	by_hand_make(&hand);
	by_hand_site(&hand, u64_type, 1);
	for (uint32_t i = 0; i < 6; i++) {
		struct by_hand_writer writer =
			by_hand_take(&hand, lane[i], index[i], 5, "t", n / 3);

		/* A coarse clock: the same tick on both sides of every change but one. */
		for (uint32_t j = 0; j < 10; j++, n++)
			by_hand_number(&writer, 1, n / 3, n);
		by_hand_retire(&writer);
	}
	reader = open_reader(&hand);
	check_numbers(reader, 0, n - 1);
	cr_assert_eq(ttlog_reader_thread_count(reader), 1);
	cr_assert_eq(ttlog_reader_thread(reader, 0)->events, n);
	cr_assert_eq(ttlog_reader_thread(reader, 0)->last_ticks, (n - 1) / 3);
	ttlog_reader_close(reader);
	by_hand_free(&hand);
}

Test(reader_order, keeps_a_threads_order_when_its_clock_goes_back)
{
	struct by_hand_writer writer, other;
	struct ttlog_reader *reader;
	struct by_hand hand;

	by_hand_make(&hand);
	by_hand_site(&hand, u64_type, 1);
	writer = by_hand_take(&hand, TTLOG_LANE_MAIN, 0, 5, "t", 1);
	by_hand_number(&writer, 1, 100, 0);
	by_hand_number(&writer, 1, 500, 2);
	by_hand_number(&writer, 1, 200, 3); /* after its elder, at 500 */
	by_hand_number(&writer, 1, 600, 5);
	other = by_hand_take(&hand, TTLOG_LANE_MAIN, 1, 6, "u", 1);
	by_hand_number(&other, 1, 300, 1);
	by_hand_number(&other, 1, 550, 4);
	reader = open_reader(&hand);
	check_numbers(reader, 0, 5);
	cr_assert_eq(ttlog_reader_thread(reader, 0)->first_ticks, 100);
	cr_assert_eq(ttlog_reader_thread(reader, 0)->last_ticks, 600);
	ttlog_reader_close(reader);
	by_hand_free(&hand);
}

/* A handler has set the first writer aside in mid-event, which ends when the handler is done. */
Test(reader_order, merges_the_writers_of_a_thread_by_time)
{
	struct by_hand_writer writer, aside;
	struct ttlog_reader *reader;
	struct by_hand hand;

	by_hand_make(&hand);
	by_hand_site(&hand, u64_type, 1);
	writer = by_hand_take(&hand, TTLOG_LANE_MAIN, 0, 5, "t", 1);
	aside = by_hand_take(&hand, TTLOG_LANE_MAIN, 1, 5, "t", 1);
	((struct ttlog_chunk *)(void *)aside.chunk)->writer = 1;
	by_hand_number(&writer, 1, 100, 0);
	by_hand_number(&aside, 1, 200, 1);
	by_hand_number(&aside, 1, 300, 2);
	by_hand_number(&writer, 1, 400, 3);
	by_hand_number(&aside, 1, 500, 4);
	reader = open_reader(&hand);
	check_numbers(reader, 0, 4);
	cr_assert_eq(ttlog_reader_thread_count(reader), 1);
	ttlog_reader_close(reader);
	by_hand_free(&hand);
}

Test(reader_order, puts_slots_where_they_belong)
{
	static const uint32_t lanes[] = {TTLOG_LANE_ALERT, TTLOG_LANE_NESTED};
	struct by_hand_writer writer, slot;
	struct ttlog_reader *reader;
	struct by_hand hand;

	by_hand_make(&hand);
	by_hand_site(&hand, u64_type, 1);
	writer = by_hand_take(&hand, TTLOG_LANE_MAIN, 0, 5, "t", 1);
	for (uint64_t n = 0; n < 60; n++) {
		if (n % 5 < 3) {
			by_hand_number(&writer, 1, n, n);
			continue;
		}
		/* Which is taken first says little: a taker may be interrupted. */
		slot = by_hand_take(&hand, lanes[n % 2], (uint32_t)(n * 7 % 64), 5, "t", 99 - n);
		by_hand_number(&slot, 1, n, n);
		by_hand_retire(&slot);
	}
	reader = open_reader(&hand);
	check_numbers(reader, 0, 59);
	ttlog_reader_close(reader);
	by_hand_free(&hand);
}

Test(reader_order, gives_a_thread_its_newest_name)
{
	struct by_hand_writer writer;
	struct ttlog_reader *reader;
	struct by_hand hand;

	by_hand_make(&hand);
	by_hand_site(&hand, u64_type, 1);
	writer = by_hand_take(&hand, TTLOG_LANE_MAIN, 0, 5, "newest", 300);
	by_hand_number(&writer, 1, 301, 2);
	writer = by_hand_take(&hand, TTLOG_LANE_MAIN, 1, 5, "oldest", 100);
	by_hand_number(&writer, 1, 101, 0);
	writer = by_hand_take(&hand, TTLOG_LANE_ALERT, 0, 5, "middle", 200);
	by_hand_number(&writer, 1, 201, 1);
	/* Another thread, whose name has no NUL. */
	writer = by_hand_take(&hand, TTLOG_LANE_MAIN, 2, 4, "0123456789abcdef", 100);
	by_hand_number(&writer, 1, 401, 3);
	/* One that recorded nothing is none. */
	by_hand_take(&hand, TTLOG_LANE_MAIN, 3, 6, "idle", 100);
	reader = open_reader(&hand);
	cr_assert_eq(ttlog_reader_thread_count(reader), 2);
	cr_assert_str_eq(ttlog_reader_thread(reader, 0)->name, "0123456789abcde");
	cr_assert_str_eq(ttlog_reader_thread(reader, 1)->name, "newest");
	cr_assert_eq(ttlog_reader_thread(reader, 1)->events, 3);
	cr_assert_eq(ttlog_reader_thread(reader, 1)->first_ticks, 101);
	check_numbers(reader, 0, 3);
	ttlog_reader_close(reader);
	by_hand_free(&hand);
}
