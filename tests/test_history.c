/* SPDX-License-Identifier: MIT */
/*
 * test_history.c - what was saved and what the ring holds are one timeline: in order, nothing
 * twice, and what is missing is counted.
 *
 * A region of 1 MiB laps after some 20,000 events of these; half a lap is safe between two looks.
 */
#include <pthread.h>
#include <sched.h>

#include "tests/own_history.h"

#define SAFE 2000 /* events between two looks that can't be lapped */
#define BUDGET (UINT64_C(16) << 20)

TestSuite(history, .timeout = 120);

static uint64_t next_number;

static void number(uint64_t count)
{
	for (uint64_t end = next_number + count; next_number < end; next_number++)
		ttlog_info("numbered", "n", next_number, "status", 200, "method", "GET");
}

/* All the digits differ: that many bytes, whatever is done to them. */
static void number_noisily(uint64_t count)
{
	static uint64_t noise = 1;

	for (uint64_t end = next_number + count; next_number < end; next_number++) {
		noise = noise * UINT64_C(6364136223846793005) + 1442695040888963407;
		ttlog_info("numbered", "n", next_number, "noise", noise ^ noise >> 29);
	}
}

static void number_and_look(struct own_history *own, uint64_t count)
{
	const uint64_t piece = SAFE * times_larger();

	for (uint64_t done = 0; done < count; done += piece) {
		number(piece);
		history_look(own->history);
	}
}

static uint64_t gap_events(const struct ttlog_reader *reader)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < ttlog_reader_gap_count(reader); i++)
		sum += ttlog_reader_gap(reader, i)->count;
	return sum;
}

static struct ttlog_reader_totals totals_of(const struct ttlog_reader *reader)
{
	struct ttlog_reader_totals totals;

	ttlog_reader_totals(reader, &totals);
	return totals;
}

/* What is there and what is counted as lost is all that was recorded. */
static void check_sum(struct ttlog_reader *reader)
{
	const struct numbered run = numbered_in(reader, "numbered");
	const struct ttlog_reader_totals totals = totals_of(reader);

	cr_assert_eq(totals.torn, 0);
	cr_assert_eq(run.count, totals.events);
	cr_assert_eq(run.count + totals.overwritten, next_number,
		     "%" PRIu64 " there, %" PRIu64 " overwritten of %" PRIu64, run.count,
		     totals.overwritten, next_number);
	cr_assert_eq(run.last, next_number - 1);
}

Test(history, has_all_that_a_small_ring_forgot)
{
	struct own_history own;
	struct ttlog_reader *reader;
	uint64_t count;

	number(1);
	count = 100 * SAFE * times_larger();
	own = own_history_begin(BUDGET, false);
	number_and_look(&own, count);
	reader = own_history_read(&own);
	check_sum(reader);
	cr_assert_eq(numbered_in(reader, "numbered").gaps, 0);
	cr_assert_eq(totals_of(reader).overwritten, 0);
	cr_assert_eq(ttlog_reader_gap_count(reader), 0);
	cr_assert_eq(ttlog_reader_lane(reader, TTLOG_LANE_MAIN)->overwritten_last, 0);
	own_history_close(&own);
	cr_assert_gt(totals_now().overwritten, count / 2, "the ring alone forgot most");
	own_history_end(&own);
}

Test(history, a_cut_takes_nothing_away_from_the_next)
{
	struct own_history own;
	struct ttlog_reader *reader;

	number(1);
	own = own_history_begin(BUDGET, false);
	for (int i = 0; i < 3; i++) {
		number_and_look(&own, 30 * SAFE);
		reader = own_history_read(&own);
		check_sum(reader);
		cr_assert_eq(totals_of(reader).overwritten, 0);
		/* What comes meanwhile is not in it. */
		number_and_look(&own, 30 * SAFE);
		cr_assert_eq(numbered_in(reader, "numbered").last, next_number - 30 * SAFE - 1);
		own_history_close(&own);
	}
	own_history_end(&own);
}

/*
 * Whatever was given up is older than all that is there; the boot lane keeps the first. False: the
 * ring has it all, with larger pages for a while.
 */
static bool check_kept(struct own_history *own)
{
	struct ttlog_reader *reader = own_history_read(own);
	const bool is_less = totals_of(reader).overwritten > 0;
	struct numbered run;

	check_sum(reader);
	run = numbered_in(reader, "numbered");
	cr_assert_eq(run.gaps, is_less, "%" PRIu64 " gaps with %" PRIu64 " numbers", run.gaps,
		     next_number);
	cr_assert_eq(ttlog_reader_gap_count(reader), 0, "what is older than all is no gap");
	cr_assert_geq(run.count, HISTORY_BYTES_MIN / 24, "as many as the budget is good for");
	cr_assert_eq(ttlog_reader_lane(reader, TTLOG_LANE_MAIN)->overwritten_last > 0, is_less);
	own_history_close(own);
	return is_less;
}

/* The ends of laps and of what is given up fall on each other in every way. */
Test(history, gives_up_the_oldest_when_the_budget_is_used_up)
{
	struct history_figures figures = {0};
	struct own_history own;

	number_noisily(1);
	own = own_history_begin(HISTORY_BYTES_MIN, false);
	for (int i = 0, checked = 0; checked < 12; i++) {
		number_noisily(SAFE);
		history_look(own.history);
		histories_figures(own.histories, &figures);
		cr_assert_leq(figures.bytes, HISTORY_BYTES_MIN);
		if (figures.evicted && i % 4 == 0)
			checked += check_kept(&own);
	}
	own_history_end(&own);
}

/* Each jump in the numbers is in one of the gaps, whose counts add up to what is missing. */
static void check_gaps(struct ttlog_reader *reader)
{
	struct ttlog_reader_event event, before = {0};
	uint64_t jumps = 0, missing = 0;

	ttlog_reader_rewind(reader);
	while (next_of(reader, "numbered", &event)) {
		const uint64_t n = event.value[0].bits;
		bool is_known = false;

		if (n == before.value[0].bits + 1 || n == 0) {
			before = event;
			continue;
		}
		jumps++;
		missing += n - before.value[0].bits - 1;
		for (uint32_t i = 0; i < ttlog_reader_gap_count(reader); i++) {
			const struct ttlog_reader_gap *gap = ttlog_reader_gap(reader, i);

			/* Some counters go at 24 MHz: what was lost last and what is there are of one tick. */
			is_known |= gap->first_ticks <= before.ticks &&
				    gap->last_ticks >= before.ticks &&
				    gap->last_ticks <= event.ticks;
		}
		cr_assert(is_known, "from %" PRIu64 " to %" PRIu64, before.value[0].bits, n);
		before = event;
	}
	cr_assert_gt(jumps, 0);
	cr_assert_eq(gap_events(reader), missing);
	cr_assert_eq(totals_of(reader).overwritten, missing);
}

Test(history, counts_and_dates_what_it_could_not_follow)
{
	struct ttlog_reader *reader;
	struct own_history own;

	number(1);
	own = own_history_begin(BUDGET, false);
	for (int i = 0; i < 5; i++) {
		number_and_look(&own, 20 * SAFE * times_larger());
		number(50 * SAFE * times_larger());
	}
	reader = own_history_read(&own);
	check_sum(reader);
	check_gaps(reader);
	own_history_close(&own);
	own_history_end(&own);
}

/* Most places were never saved before they were recycled. */
Test(history, counts_a_burst_that_begins_before_the_first_lap_is_over)
{
	struct ttlog_reader *reader;
	struct own_history own;

	number(1);
	own = own_history_begin(BUDGET, false);
	number_and_look(&own, 2 * SAFE * times_larger());
	number(50 * SAFE * times_larger());
	reader = own_history_read(&own);
	check_sum(reader);
	check_gaps(reader);
	cr_assert_gt(gap_events(reader), 0);
	own_history_close(&own);
	own_history_end(&own);
}

Test(history, keeps_alerts_which_are_a_slot_each)
{
	struct ttlog_reader *reader;
	struct own_history own;
	struct numbered run;

	ttlog_info("first");
	own = own_history_begin(BUDGET, false);
	for (uint64_t n = 0; n < 10000; n++) {
		ttlog_warn("alarming", "n", n);
		if (n % 32 == 0)
			history_look(own.history);
	}
	reader = own_history_read(&own);
	run = numbered_in(reader, "alarming");
	cr_assert_eq(run.count, 10000);
	cr_assert_eq(run.gaps, 0);
	cr_assert_eq(ttlog_reader_lane(reader, TTLOG_LANE_ALERT)->overwritten, 0);
	own_history_close(&own);
	own_history_end(&own);
}

/* ---- several threads, and the history's own ---------------------------------------------------
 */

#define THREADS 4
#define EACH 100000

static void *number_as(void *context)
{
	for (uint64_t n = 0; n < EACH; n++)
		ttlog_info("counted", "who", (uint64_t)(uintptr_t)context, "n", n);
	return NULL;
}

/* Of each thread's events, in order: those that are there. */
static uint64_t check_threads(struct ttlog_reader *reader)
{
	uint64_t next[THREADS] = {0}, count = 0;
	struct ttlog_reader_event event;

	ttlog_reader_rewind(reader);
	while (next_of(reader, "counted", &event)) {
		const uint64_t who = event.value[0].bits, n = event.value[1].bits;

		cr_assert_lt(who, THREADS);
		cr_assert_geq(n, next[who], "of thread %" PRIu64, who);
		next[who] = n + 1;
		count++;
	}
	return count;
}

Test(history, counts_what_threads_at_full_speed_leave_of_it)
{
	pthread_t thread[THREADS];
	struct ttlog_reader *reader;
	struct own_history own;
	uint64_t count;

	ttlog_info("first");
	own = own_history_begin(BUDGET, true);
	for (uintptr_t i = 0; i < THREADS; i++)
		cr_assert_eq(pthread_create(&thread[i], NULL, number_as, (void *)i), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	reader = own_history_read(&own);
	count = check_threads(reader);
	cr_assert_eq(count + totals_of(reader).overwritten, THREADS * EACH);
	own_history_close(&own);
	own_history_end(&own);
}

/* The thread is told to end at each moment, also while it gives back the memory of the last
 * history. */
Test(history, ends_whatever_its_thread_is_at)
{
	ttlog_info("first");
	for (int i = 0; i < 400; i++) {
		struct own_history own = own_history_begin(BUDGET, true);

		for (int k = 0; k < 4; k++) {
			number_noisily(SAFE);
			history_look(own.history);
		}
		history_end(own.history);
		for (int k = 0; k < i; k++)
			sched_yield();
		histories_close(own.histories);
	}
}
