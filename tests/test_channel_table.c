/* SPDX-License-Identifier: MIT */
/* test_channel_table.c - channels come, go, give way to others, and follow a fork. */
#include <time.h>

#include "tests/channel_region.h"

#define ALL 4096u

static struct ttlog_channel channels[ALL];

static struct ttlog_reader_channel_totals channel_totals_now(void)
{
	struct ttlog_reader *reader = view();
	struct ttlog_reader_channel_totals totals = *ttlog_reader_channel_totals(reader);

	ttlog_reader_close(reader);
	return totals;
}

static struct ttlog_stats stats_now(void)
{
	struct ttlog_stats stats = {.size = sizeof(stats)};

	cr_assert_eq(ttlog_get_stats(&stats), 0);
	return stats;
}

Test(channel_table, without_room_events_go_to_the_main_lane)
{
	struct ttlog_channel late;
	uint32_t count;

	begin_channels(0);
	count = fill_up(channels, ALL);
	cr_assert_eq(count, ttlog_place_.geometry.channel_count);
	late = ttlog_channel_open("late", 0);
	cr_assert_eq(ttlog_channel_error(late), -ENOSPC);
	send_numbers(late, 1, 5);
	cr_assert_eq(numbered_in_channel("").count, 5);
	cr_assert_eq(stats_now().channels, count);
	cr_assert_eq(stats_now().channels_refused, 2);
	cr_assert_eq(channel_totals_now().refused, 2);
}

Test(channel_table, closed_ones_give_way_oldest_first_and_are_counted)
{
	char name[32];
	uint32_t count;

	begin_channels(0);
	count = fill_up(channels, ALL);
	for (uint32_t i = 0; i < count; i++)
		send_numbers(channels[i], 1, 10);
	ttlog_channel_close(channels[7]);
	ttlog_channel_close(channels[3]);
	ttlog_channel_close(channels[5]);
	cr_assert_eq(lane_now(TTLOG_LANE_CHANNEL).overwritten, 0);
	for (uint32_t i = 0; i < 3; i++) {
		static const uint32_t order[] = {7, 3, 5};
		struct ttlog_channel next;

		snprintf(name, sizeof(name), "c%u", order[i]);
		cr_assert_eq(numbered_in_channel(name).count, 10, "%s is still there", name);
		snprintf(name, sizeof(name), "new%u", i);
		next = ttlog_channel_open(name, 0);
		cr_assert_eq(ttlog_channel_error(next), 0);
		snprintf(name, sizeof(name), "c%u", order[i]);
		cr_assert_eq(numbered_in_channel(name).count, 0, "%s gave way", name);
		cr_assert_eq(lane_now(TTLOG_LANE_CHANNEL).overwritten, 10 * (i + 1));
		send_number(next, 1);
	}
	cr_assert_eq(ttlog_channel_error(ttlog_channel_open("no", 0)), -ENOSPC);
	cr_assert_eq(channel_totals_now().replaced, 3);
	/* What gave way was another's. */
	cr_assert_eq(channel_now("new0").overwritten, 0);
	cr_assert_eq(channel_now("new0").events, 1);
	cr_assert_eq(totals_now().events, 10 * (count - 3) + 3);
}

Test(channel_table, the_new_one_counts_its_own_losses_only)
{
	struct ttlog_channel next;
	uint32_t count;

	begin_channels(0);
	count = fill_up(channels, ALL);
	send_numbers(channels[0], 1, 1000);
	ttlog_channel_close(channels[0]);
	next = ttlog_channel_open("next", 0);
	cr_assert_eq(ttlog_channel_error(next), 0);
	send_numbers(next, 1, 100);
	cr_assert_eq(channel_now("next").events + channel_now("next").overwritten, 100);
	cr_assert_geq(channel_now("next").overwritten_first, channel_now("next").opened_ticks);
	cr_assert_eq(lane_now(TTLOG_LANE_CHANNEL).overwritten,
		     1000 + channel_now("next").overwritten);
	cr_assert_eq(count, stats_now().channels);
}

Test(channel_table, an_old_handle_never_means_the_new_channel)
{
	struct ttlog_channel next;

	begin_channels(0);
	fill_up(channels, ALL);
	ttlog_channel_close(channels[0]);
	next = ttlog_channel_open("next", 0);
	cr_assert_eq(next.index, channels[0].index);
	send_number(channels[0], 1);
	ttlog_channel_close(channels[0]);
	send_number(next, 2);
	cr_assert_eq(numbered_in_channel("next").count, 1);
	cr_assert_eq(numbered_in_channel("next").first, 2);
	cr_assert_eq(numbered_in_channel("").first, 1);
	cr_assert(channel_now("next").is_open);
}

Test(channel_table, a_large_closed_one_serves_several_small_ones)
{
	struct ttlog_channel large, small;
	uint32_t count;

	begin_channels(1 << 20);
	large = ttlog_channel_open("large", 16384);
	count = fill_up(channels, ALL);
	send_numbers(large, 1, 300);
	ttlog_channel_close(large);
	for (uint32_t i = 0; i < 16; i++) {
		small = ttlog_channel_open("small", 1024);
		cr_assert_eq(ttlog_channel_error(small), 0, "number %u", i);
		send_numbers(small, i * 10, i * 10 + 9);
	}
	cr_assert_eq(ttlog_channel_error(ttlog_channel_open("small", 1024)), -ENOSPC);
	cr_assert_eq(numbered_in_channel("small").count, 160);
	cr_assert_eq(numbered_in_channel("small").gaps, 0);
	cr_assert_eq(lane_now(TTLOG_LANE_CHANNEL).overwritten, 300);
	cr_assert_eq(stats_now().channels, count + 16);
	/* What is small does not grow together again. */
	ttlog_channel_close(small);
	cr_assert_eq(ttlog_channel_error(ttlog_channel_open("large", 16384)), -ENOSPC);
	cr_assert_eq(ttlog_channel_error(ttlog_channel_open("small", 1024)), 0);
}

/* With all memory in use, whichever is closed: the search for it does not grow with their number.
 */
Test(channel_table, one_goes_and_one_comes_at_the_same_price)
{
	struct timespec start, end;
	uint32_t count, at = 12345;

	begin_channels(4 << 20);
	count = fill_up(channels, ALL);
	cr_assert_gt(count, 3000);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
	for (uint32_t i = 0; i < 300000; i++) {
		at = at * 1103515245 + 12345;
		ttlog_channel_close(channels[at / 65536 % count]);
		channels[at / 65536 % count] = ttlog_channel_open("again", 0);
		cr_assert_eq(ttlog_channel_error(channels[at / 65536 % count]), 0);
	}
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
	/* 0.1 s; with a walk over the table it were 300,000 times 1,500 entries. */
	cr_assert_lt(end.tv_sec - start.tv_sec, 5);
	cr_assert_eq(channel_totals_now().replaced, 300000);
	cr_assert_eq(stats_now().channels, count);
}

Test(channel_table, nothing_gives_way_while_frozen)
{
	struct ttlog_channel next;

	begin_channels(1 << 20);
	channels[0] = ttlog_channel_open("c0", 1024);
	send_numbers(channels[0], 1, 10);
	set_frozen(true);
	next = ttlog_channel_open("fresh", 1024);
	cr_assert_eq(ttlog_channel_error(next), 0);
	send_numbers(next, 1, 10);
	cr_assert_eq(numbered_in_channel("fresh").count, 10);
	set_frozen(false);
	fill_up(channels + 1, ALL - 1);
	ttlog_channel_close(channels[0]);
	set_frozen(true);
	cr_assert_eq(ttlog_channel_error(ttlog_channel_open("c", 1024)), -EBUSY);
	cr_assert_eq(numbered_in_channel("c0").count, 10);
	set_frozen(false);
	cr_assert_eq(ttlog_channel_error(ttlog_channel_open("c", 1024)), 0);
	cr_assert_eq(numbered_in_channel("c0").count, 0);
}

Test(channel_table, a_frozen_channel_is_filled_up_and_then_diverts)
{
	struct ttlog_reader_channel seen;
	struct ttlog_channel channel;

	begin_channels(0);
	channel = ttlog_channel_open("c", 1024);
	send_numbers(channel, 1, 5);
	set_frozen(true);
	send_numbers(channel, 6, 40);
	seen = channel_now("c");
	cr_assert_eq(numbered_in_channel("c").last, 2 * CHUNK_EVENTS);
	cr_assert_eq(seen.events, 2 * CHUNK_EVENTS);
	cr_assert_eq(seen.overwritten, 0);
	cr_assert_eq(seen.diverted, 40 - 2 * CHUNK_EVENTS);
	cr_assert_lt(seen.diverted_first, seen.diverted_last);
	cr_assert_eq(numbered_in_channel("").first, 2 * CHUNK_EVENTS + 1);
	cr_assert_eq(numbered_in_channel("").last, 40);
	cr_assert_eq(totals_now().dropped, 0);
	set_frozen(false);
	send_number(channel, 41);
	cr_assert_eq(numbered_in_channel("c").last, 41);
	cr_assert_eq(channel_now("c").overwritten, CHUNK_EVENTS);
}

/* ---- fork ------------------------------------------------------------------------------------ */

static void child_checks(struct ttlog_channel open, struct ttlog_channel closed)
{
	struct ttlog_channel fresh = ttlog_channel_open("fresh", 1024);

	CHILD_CHECK(ttlog_channel_error(fresh) == 0);
	CHILD_CHECK(fresh.index != open.index || fresh.generation != open.generation);
	send_numbers(open, 100, 104);
	send_number(closed, 7);
	send_number(fresh, 8);
	CHILD_CHECK(numbered_in_channel("open").count == 5);
	CHILD_CHECK(numbered_in_channel("open").first == 100);
	CHILD_CHECK(numbered_in_channel("fresh").first == 8);
	CHILD_CHECK(numbered_in_channel("").first == 7);
	CHILD_CHECK(numbered_in_channel("closed").count == 0);
	CHILD_CHECK(channel_now("open").budget_bytes == 2048);
	CHILD_CHECK(channel_now("open").overwritten == 0);
	ttlog_channel_close(open);
	CHILD_CHECK(!channel_now("open").is_open);
	_exit(0);
}

static void check_fork(long (*fork_it)(void))
{
	struct ttlog_channel open, closed;
	pid_t pid;

	begin_channels(0);
	closed = ttlog_channel_open("closed", 1024);
	open = ttlog_channel_open("open", 2048);
	send_numbers(open, 1, 1000);
	send_numbers(closed, 1, 10);
	ttlog_channel_close(closed);
	pid = (pid_t)fork_it();
	if (pid == 0)
		child_checks(open, closed);
	expect_success(pid);
	cr_assert_eq(numbered_in_channel("open").last, 1000);
	cr_assert(channel_now("open").is_open);
	send_number(open, 1001);
	cr_assert_eq(numbered_in_channel("open").last, 1001);
	cr_assert_eq(numbered_in_channel("closed").count, 10);
}

static long plain_fork(void)
{
	return fork();
}

static long raw_clone(void)
{
	return syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
}

Test(channel_table, a_forked_child_has_its_parents_channels_empty)
{
	check_fork(plain_fork);
}

Test(channel_table, a_raw_clone_has_them_too)
{
	check_fork(raw_clone);
}

Test(channel_table, a_child_that_closes_first_closes_its_own)
{
	pid_t pid;

	begin_channels(0);
	channels[0] = ttlog_channel_open("c", 1024);
	pid = fork();
	if (pid == 0) {
		ttlog_channel_close(channels[0]);
		CHILD_CHECK(!channel_now("c").is_open);
		_exit(0);
	}
	expect_success(pid);
	cr_assert(channel_now("c").is_open);
}

/* All places are used up in the parent: in the child closed ones are there to be had. */
Test(channel_table, a_handle_of_the_parents_never_means_a_channel_of_the_childs)
{
	uint32_t count;
	pid_t pid;

	begin_channels(0);
	count = fill_up(channels, ALL);
	for (uint32_t i = 0; i < count; i += 2)
		ttlog_channel_close(channels[i]);
	pid = fork();
	if (pid == 0) {
		for (uint32_t i = 0; i < count; i += 2)
			CHILD_CHECK(ttlog_channel_error(ttlog_channel_open("child's", 0)) == 0);
		CHILD_CHECK(ttlog_channel_error(ttlog_channel_open("child's", 0)) == -ENOSPC);
		for (uint32_t i = 0; i < count; i += 2)
			send_number(channels[i], i);
		CHILD_CHECK(numbered_in_channel("child's").count == 0);
		CHILD_CHECK(numbered_in_channel("").count == (count + 1) / 2);
		_exit(0);
	}
	expect_success(pid);
}
