/* SPDX-License-Identifier: MIT */
/*
 * test_ring_freeze.c - a frozen region evicts nothing: rests of chunks, afterlife, drops; and the thaw.
 *
 * The freeze word is written through the process's own writable view of the control page, as the
 * recorder and the kernel program do through theirs.
 */
#include "lib/clock.h"
#include "lib/ring.h"
#include "tests/own_region.h"

#include <pthread.h>

#define NOISE_A_CHUNK ((4096 - 64 - 8) / 24)

static void noise(uint64_t count)
{
	for (uint64_t i = 0; i < count; i++)
		ttlog_debug("noise", "i", i);
}

static void number(uint64_t n)
{
	ttlog_info("numbered", "n", n);
}

/* Freezes a region that was running, and thaws one that was frozen. */
static void turn(void)
{
	__atomic_add_fetch(&ttlog_place_.control->freeze, 1, __ATOMIC_SEQ_CST);
}

static uint32_t chunks_of(uint32_t lane)
{
	return ttlog_place_.geometry.lane[lane].chunk_count;
}

static bool is_frozen_by_stats(void)
{
	struct ttlog_stats stats = {.size = sizeof(stats)};

	cr_assert_eq(ttlog_get_stats(&stats), 0);
	return stats.frozen;
}

/* A full region with some laps behind it, whose thread is in the middle of a chunk. */
static uint64_t fill(void)
{
	uint64_t count;

	begin(1 << 20);
	count = (uint64_t)NOISE_A_CHUNK * chunks_of(TTLOG_LANE_MAIN) * 3 + 50;
	for (uint64_t i = 0; i < count; i++)
		number(i);
	return count;
}

Test(ring_freeze, nothing_that_was_there_is_overwritten)
{
	uint64_t count = fill();
	struct numbered before = numbered_now("numbered"), after;
	struct ttlog_reader_totals totals = totals_now();

	turn();
	cr_expect(is_frozen_by_stats());
	noise(100000);
	after = numbered_now("numbered");
	cr_expect_eq(after.count, before.count);
	cr_expect_eq(after.first, before.first);
	cr_expect_eq(after.last, count - 1);
	cr_expect_eq(totals_now().overwritten, totals.overwritten);
}

Test(ring_freeze, new_events_go_to_the_rest_of_the_chunk_then_to_the_afterlife_then_are_counted)
{
	struct ttlog_reader_event event;
	struct ttlog_reader *reader;
	struct ttlog_reader_lane afterlife;
	uint64_t rest = 0, late = 0, room, now;

	fill();
	turn();
	now = ttlog_clock_ticks(ttlog_clock_source());
	for (uint64_t i = 0; i < 50000; i++)
		ttlog_info("late", "n", i);
	reader = view();
	for (uint64_t next = 0; next_of(reader, "late", &event); next++) {
		cr_expect_eq(event.value[0].bits, next);
		rest += event.lane == TTLOG_LANE_MAIN;
		late += event.lane == TTLOG_LANE_AFTERLIFE;
		cr_expect(event.lane == (late ? TTLOG_LANE_AFTERLIFE : TTLOG_LANE_MAIN));
	}
	ttlog_reader_close(reader);
	room = (uint64_t)NOISE_A_CHUNK * chunks_of(TTLOG_LANE_AFTERLIFE);
	cr_expect(rest > 0 && rest < NOISE_A_CHUNK);
	cr_expect_eq(late, room);
	afterlife = lane_now(TTLOG_LANE_AFTERLIFE);
	cr_expect_eq(afterlife.dropped, 50000 - rest - late);
	cr_expect_gt(afterlife.dropped_first, now);
	cr_expect_lt(afterlife.dropped_first, afterlife.dropped_last);
	cr_expect_eq(afterlife.overwritten, 0);
}

Test(ring_freeze, alerts_use_what_is_free_and_then_the_afterlife)
{
	struct numbered run;
	struct ttlog_reader_lane alert, afterlife;
	uint32_t slots;

	begin(1 << 20);
	slots = chunks_of(TTLOG_LANE_ALERT);
	for (uint64_t i = 0; i < slots / 2; i++)
		ttlog_error("alert", "n", i);
	turn();
	for (uint64_t i = slots / 2; i < slots + 20; i++)
		ttlog_error("alert", "n", i);
	run = numbered_now("alert");
	alert = lane_now(TTLOG_LANE_ALERT);
	afterlife = lane_now(TTLOG_LANE_AFTERLIFE);
	cr_expect_eq(alert.events, slots);
	cr_expect_eq(alert.overwritten, 0);
	cr_expect_eq(afterlife.events, 20);
	cr_expect_eq(run.count, slots + 20);
	cr_expect_eq(run.gaps, 0);
}

Test(ring_freeze, a_thaw_lets_the_chunks_go_round_again)
{
	uint64_t overwritten, count = fill();
	struct ttlog_reader_totals totals;

	turn();
	noise(100000);
	overwritten = totals_now().overwritten;
	turn();
	cr_expect_not(is_frozen_by_stats());
	noise(100000);
	totals = totals_now();
	cr_expect_gt(totals.overwritten, overwritten + 60000);
	cr_expect_eq(totals.events + totals.overwritten + totals.dropped, count + 200000);
	cr_expect_eq(lane_now(TTLOG_LANE_AFTERLIFE).overwritten, 0,
		     "the afterlife stays until the next freeze");
}

Test(ring_freeze, a_second_freeze_gives_the_first_afterlife_away_and_counts_it)
{
	struct ttlog_reader_lane first, second;
	uint64_t room, count = fill();
	struct ttlog_reader_totals totals;

	room = (uint64_t)NOISE_A_CHUNK * chunks_of(TTLOG_LANE_AFTERLIFE);
	turn();
	for (uint64_t i = 0; i < 10000; i++)
		ttlog_info("first", "n", i);
	first = lane_now(TTLOG_LANE_AFTERLIFE);
	cr_expect_eq(first.events, room);
	turn();
	noise(1000);
	turn();
	for (uint64_t i = 0; i < 10000; i++)
		ttlog_info("second", "n", i);
	second = lane_now(TTLOG_LANE_AFTERLIFE);
	cr_expect_eq(second.events, room);
	cr_expect_eq(second.overwritten, room);
	cr_expect_gt(numbered_now("second").count, room);
	totals = totals_now();
	cr_expect_eq(totals.events + totals.overwritten + totals.dropped, count + 21000);
}

Test(ring_freeze, an_afterlife_of_this_freeze_is_never_given_away)
{
	struct numbered run;

	fill();
	turn();
	for (uint64_t i = 0; i < 100000; i++)
		ttlog_info("late", "n", i);
	run = numbered_now("late");
	cr_expect_eq(run.first, 0, "the first events after the fatal signal are those that count");
	cr_expect_eq(run.gaps, 0);
}

static void *record_one(void *argument)
{
	number((uintptr_t)argument);
	return NULL;
}

Test(ring_freeze, a_new_thread_records_into_the_afterlife)
{
	pthread_t thread;
	struct ttlog_reader_event event;
	struct ttlog_reader *reader;

	fill();
	turn();
	cr_assert_eq(pthread_create(&thread, NULL, record_one, (void *)(uintptr_t)4711), 0);
	pthread_join(thread, NULL);
	reader = view();
	do
		cr_assert_not_null(next_of(reader, "numbered", &event));
	while (event.value[0].bits != 4711);
	cr_expect_eq(event.lane, TTLOG_LANE_AFTERLIFE);
	ttlog_reader_close(reader);
}

/* As if a handler had jumped out of a change when the chunk was no longer at hand. */
__attribute__((noinline)) static void leave_chunk_behind(void)
{
	struct ttlog_thread *mine = my_thread();

	mine->hot.limit = 0;
	mine->hot.chunk = NULL;
	mine->hot.position = 0;
	mine->is_changing = 1;
	mine->hot.busy = ttlog_stack_pointer_();
}

/* It was taken in the freeze before, and has an event of this one. */
Test(ring_freeze, an_afterlife_that_a_jump_left_is_of_the_freeze_in_which_it_is_found)
{
	fill();
	turn();
	while (my_thread()->mine.lane != TTLOG_LANE_AFTERLIFE)
		noise(1);
	turn();
	turn();
	ttlog_info("kept", "n", 1u);
	cr_assert_eq(my_thread()->mine.lane, TTLOG_LANE_AFTERLIFE);
	leave_chunk_behind();
	noise(100000);
	cr_expect_eq(numbered_now("kept").count, 1);
	cr_expect_gt(lane_now(TTLOG_LANE_AFTERLIFE).dropped, 0);
	cr_expect_eq(lane_now(TTLOG_LANE_AFTERLIFE).overwritten, 0);
}

/* ---- a freeze at any moment ------------------------------------------------------------------- */

#define STORM_EVENTS 300000

static void *storm_thread(void *argument)
{
	(void)argument;
	for (uint64_t i = 0; i < STORM_EVENTS; i++) {
		ttlog_info("storm", "n", i);
		if (i % 100 == 0)
			ttlog_error("alert", "n", i);
	}
	return NULL;
}

Test(ring_freeze, freezes_and_thaws_at_any_moment_lose_no_count)
{
	pthread_t thread[3];
	struct ttlog_reader_totals totals;

	begin(1 << 20);
	for (int i = 0; i < 3; i++)
		cr_assert_eq(pthread_create(&thread[i], NULL, storm_thread, NULL), 0);
	for (int i = 0; i < 200; i++) {
		uint64_t then = ttlog_clock_ticks(ttlog_clock_source());

		turn();
		while (ttlog_clock_ticks(ttlog_clock_source()) - then < 100000)
			;
	}
	for (int i = 0; i < 3; i++)
		pthread_join(thread[i], NULL);
	totals = totals_now();
	cr_expect_eq(totals.events + totals.overwritten + totals.dropped,
		     3 * (STORM_EVENTS + STORM_EVENTS / 100));
	cr_expect_eq(totals.torn, 0);
}
