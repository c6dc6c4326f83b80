/* SPDX-License-Identifier: MIT */
/*
 * test_history_pace.c - how often the history looks: at the pace of the events, and hardly where
 * there are none. The clock is the test's own.
 */
#include "recorder/history_pace.h"
#include "recorder/history_parts.h"
#include "tests/own_history.h"

#define SECOND UINT64_C(1000000000)
#define MS UINT64_C(1000000)
#define CLIENTS 1000

TestSuite(history_pace, .timeout = 120);

static struct ttlog_geometry plan(uint64_t bytes)
{
	struct ttlog_geometry geometry;

	ttlog_region_plan(bytes, &geometry);
	return geometry;
}

static uint64_t main_bytes(const struct ttlog_geometry *geometry)
{
	const struct ttlog_lane_geometry *lane = &geometry->lane[TTLOG_LANE_MAIN];

	return (uint64_t)lane->chunk_bytes * lane->chunk_count;
}

static const struct history_watch is_off, is_on = {.is_on = true};

Test(history_pace, leaves_who_is_watched_alone_for_an_eighth_of_its_calm_up_to_a_second)
{
	const struct ttlog_geometry geometry = plan(UINT64_C(16) << 20);
	uint64_t before = 0;

	for (uint64_t calm_ns = 0; calm_ns < 60 * SECOND; calm_ns += 10 * MS) {
		const uint64_t ns = history_pace_calm(&geometry, calm_ns, &is_on);

		cr_assert_geq(ns, before);
		cr_assert_leq(ns, SECOND);
		if (before > history_pace_calm(&geometry, 0, &is_on))
			cr_assert_leq(ns, before + 2 * MS, "it takes as long as it says");
		before = ns;
	}
	cr_assert_eq(before, SECOND);
	cr_assert_eq(history_pace_calm(&geometry, 8 * SECOND, &is_on), SECOND);
	cr_assert_eq(history_pace_calm(&geometry, 4 * SECOND, &is_on), SECOND / 2);
}

/* What the manual page says: 32 bytes a microsecond, and of the largest rings a second's worth. */
Test(history_pace, has_room_for_who_starts_with_a_million_events_a_second)
{
	for (uint64_t mib = 16; mib <= 1024; mib *= 2) {
		const struct ttlog_geometry geometry = plan(mib << 20);
		const uint64_t ns = history_pace_calm(&geometry, 3600 * SECOND, &is_off);

		cr_assert_geq(ns, HISTORY_PACE_GRID_NS, "together with others");
		cr_assert_lt(ns * 32 / 1000, main_bytes(&geometry) / 2);
		/* Drawn in pages of 64 KiB, the other lanes take more. */
		if (TTLOG_PAGE_BYTES == 4096)
			cr_assert_gt(main_bytes(&geometry) / 32, mib * 370000 / 16);
		if (mib >= 128) /* it has to be seen less often than once a second anyway */
			cr_assert_eq(ns, history_pace_calm(&geometry, 3600 * SECOND, &is_on));
	}
}

Test(history_pace, asks_the_kernel_about_who_has_been_calm_for_a_while)
{
	const struct ttlog_geometry usual = plan(UINT64_C(16) << 20),
				    huge = plan(UINT64_C(1) << 30);
	struct history_watch watch = {.is_on = false};

	cr_assert_not(history_pace_wants_watch(&usual, SECOND, &watch, 100 * SECOND));
	cr_assert(history_pace_wants_watch(&usual, 2 * SECOND, &watch, 100 * SECOND));
	cr_assert_not(history_pace_wants_watch(&huge, 3600 * SECOND, &watch, 100 * SECOND));
	history_pace_watched(&watch, 100 * SECOND);
	cr_assert_not(history_pace_wants_watch(&usual, 2 * SECOND, &watch, 100 * SECOND));
	/* It runs, and records nothing: again and again. */
	for (uint64_t now_ns = 100 * SECOND, pause_ns = SECOND, n = 0; n < 10; n++) {
		now_ns += 10 * MS;
		history_pace_stirred(&watch, now_ns);
		cr_assert_not(watch.is_on);
		cr_assert_not(history_pace_wants_watch(&usual, 60 * SECOND, &watch,
						       now_ns + pause_ns - MS));
		now_ns += pause_ns;
		cr_assert(history_pace_wants_watch(&usual, 60 * SECOND, &watch, now_ns));
		history_pace_watched(&watch, now_ns);
		pause_ns = pause_ns < 64 * SECOND ? 2 * pause_ns : pause_ns;
	}
	/* It ran, after a rest. */
	history_pace_stirred(&watch, watch.since_ns + 8 * SECOND);
	cr_assert_eq(watch.not_before_ns, watch.since_ns + 9 * SECOND);
}

Test(history_pace, looks_eight_times_a_lap_while_events_come)
{
	struct history_pace pace = history_pace_of_lane(1000, 500, SECOND, SECOND);

	cr_assert_eq(pace.interval_ns, SECOND / 4);
	cr_assert(pace.is_busy);
	pace = history_pace_of_lane(1000, 10, SECOND, SECOND);
	cr_assert_eq(pace.interval_ns, 10 * SECOND);
	cr_assert_not(pace.is_busy, "a lap of 100 seconds");
	pace = history_pace_of_lane(1000, 1, MS, MS);
	cr_assert_not(pace.is_busy, "one chunk says little");
	pace = history_pace_of_lane(1000, 0, MS, MS);
	cr_assert_eq(pace.interval_ns, 2 * MS);
	cr_assert_not(pace.is_busy);
	/* Those of a liar. */
	cr_assert(history_pace_of_lane(1000, UINT64_MAX, 1, MS).is_busy);
	cr_assert_eq(history_pace_of_lane(UINT32_MAX, 1, UINT64_MAX, MS).interval_ns, 10 * SECOND);
}

Test(history_pace, follows_the_busiest_channel)
{
	cr_assert_eq(history_pace_of_channels(0, MS).interval_ns, 2 * MS);
	cr_assert_eq(history_pace_of_channels(1, 100 * MS).interval_ns, 50 * MS);
	cr_assert_eq(history_pace_of_channels(UINT64_MAX, 128 * MS).interval_ns, MS);
	cr_assert_not(history_pace_of_channels(1, MS).is_busy);
	cr_assert(history_pace_of_channels(2, MS).is_busy);
}

Test(history_pace, is_due_within_the_interval_and_together_with_others)
{
	for (uint64_t interval_ns = MS; interval_ns < 20 * SECOND; interval_ns += interval_ns / 7)
		for (uint64_t now_ns = 0; now_ns < 3 * SECOND; now_ns += 77777777) {
			const uint64_t due_ns = history_pace_due(now_ns, interval_ns);

			cr_assert_gt(due_ns, now_ns);
			cr_assert_leq(due_ns, now_ns + interval_ns);
			if (interval_ns >= SECOND)
				cr_assert_eq(due_ns % SECOND, 0);
			else if (interval_ns >= HISTORY_PACE_GRID_NS)
				cr_assert_eq(due_ns % HISTORY_PACE_GRID_NS, 0);
			else
				cr_assert_eq(due_ns, now_ns + interval_ns);
		}
}

/* ---- a history, by a clock of its own ---------------------------------------------------------
 */

struct watched {
	struct history *history;
	uint64_t due_ns;
};

/* Everybody who is due, each second of that time; returns how many wake-ups it took. */
static uint64_t look_until(struct watched *watched, int count, uint64_t until_ns)
{
	uint64_t wakeups = 0, now_ns = 0;

	for (;; wakeups++) {
		now_ns = UINT64_MAX;
		for (int i = 0; i < count; i++)
			if (watched[i].due_ns < now_ns)
				now_ns = watched[i].due_ns;
		if (now_ns > until_ns)
			return wakeups;
		for (int i = 0; i < count; i++)
			watched[i].due_ns = history_look_due(watched[i].history, now_ns);
	}
}

/*
 * They came at any moment. All have the same region, which costs no memory. Here is no thread that
 * the kernel could tell.
 */
static uint64_t wakeups_in_20_s(bool is_watched)
{
	const struct history_options options = {.client_bytes = HISTORY_BYTES_MIN,
						.without_thread = true};
	static struct watched watched[CLIENTS];
	struct histories *histories;
	uint64_t wakeups;

	ttlog_info("first");
	cr_assert_eq(histories_open(&histories, &options), 0);
	for (int i = 0; i < CLIENTS; i++) {
		struct history *history =
			history_begin(histories, ttlog_place_.base, &ttlog_place_.geometry, 0);

		cr_assert_not_null(history);
		history->watch.is_on = is_watched;
		history_lanes_init(history, 100 * SECOND + (uint64_t)i * 17 * MS);
		watched[i] = (struct watched){
			.history = history,
			.due_ns = history_look_due(history, 100 * SECOND + (uint64_t)i * 17 * MS),
		};
	}
	look_until(watched, CLIENTS, 140 * SECOND);
	wakeups = look_until(watched, CLIENTS, 160 * SECOND);
	/* Somebody else's turn is none of theirs. */
	history_look_due(watched[0].history, watched[0].due_ns - 100 * MS);
	cr_assert_eq(watched[0].history->lane[TTLOG_LANE_MAIN].looked_ns, 160 * SECOND);
	for (int i = 0; i < CLIENTS; i++)
		history_end(watched[i].history);
	histories_close(histories);
	return wakeups;
}

Test(history_pace, wakes_once_a_second_for_a_thousand_idle_clients)
{
	cr_assert_eq(wakeups_in_20_s(true), 20);
}

Test(history_pace, wakes_eight_times_a_second_for_a_thousand_that_may_begin_unseen)
{
	cr_assert_leq(wakeups_in_20_s(false), 20 * 8);
}

static uint64_t next_number;

static void number(uint64_t count)
{
	for (uint64_t end = next_number + count; next_number < end; next_number++)
		ttlog_info("numbered", "n", next_number, "status", 200, "method", "GET");
}

/* A second's worth of what the ring has room for, and then of more. */
Test(history_pace, loses_nothing_but_by_count_of_who_was_idle)
{
	struct ttlog_reader_totals totals;
	struct ttlog_reader *reader;
	struct watched watched;
	struct own_history own;
	struct numbered run;
	uint64_t half;

	number(1);
	half = main_bytes(&ttlog_place_.geometry) / 64 / 2;
	own = own_history_begin(UINT64_C(16) << 20, false);
	watched.history = own.history;
	history_lanes_init(own.history, 0);
	own.history->watch.is_on = true;
	watched.due_ns = history_look_due(own.history, 0);
	/* Not calm, whenever somebody looks: more than one chunk in an eighth of a second. */
	for (int i = 0; i < 80; i++) {
		const uint64_t now_ns = watched.due_ns;

		number(half / 8);
		look_until(&watched, 1, now_ns);
		cr_assert_leq(watched.due_ns, now_ns + SECOND / 4);
	}
	for (int i = 0; i < 10; i++) {
		const uint64_t idle_until_ns = watched.due_ns + 60 * SECOND;

		look_until(&watched, 1, idle_until_ns);
		cr_assert_gt(watched.due_ns, idle_until_ns);
		number(half);
		look_until(&watched, 1, watched.due_ns);
	}
	reader = own_history_read(&own);
	run = numbered_in(reader, "numbered");
	cr_assert_eq(run.count, next_number);
	cr_assert_eq(run.gaps, 0);
	own_history_close(&own);

	look_until(&watched, 1, watched.due_ns + 60 * SECOND);
	number(10 * half);
	look_until(&watched, 1, watched.due_ns);
	reader = own_history_read(&own);
	run = numbered_in(reader, "numbered");
	ttlog_reader_totals(reader, &totals);
	cr_assert_eq(run.count + totals.overwritten, next_number);
	cr_assert_eq(run.gaps, 1);
	cr_assert_eq(ttlog_reader_gap_count(reader), 1);
	cr_assert_eq(ttlog_reader_gap(reader, 0)->count, totals.overwritten);
	own_history_close(&own);
	own_history_end(&own);
}

/* Until that look: so many microseconds, so many events. */
static void number_until(struct watched *watched, uint64_t *now_ns, uint64_t until_ns)
{
	number((until_ns - *now_ns) / 1000);
	*now_ns = until_ns;
	watched->due_ns = history_look_due(watched->history, until_ns);
}

/* After a rest, as soon as the kernel's tick meets it, which is here after 10 ms. */
Test(history_pace, keeps_all_of_a_million_events_a_second)
{
	struct ttlog_reader *reader;
	struct watched watched;
	struct own_history own;
	struct numbered run;
	uint64_t now_ns;

	begin(UINT64_C(16) << 20);
	number(1);
	own = own_history_begin(UINT64_C(64) << 20, false);
	watched.history = own.history;
	history_lanes_init(own.history, 0);
	watched.due_ns = history_look_due(own.history, 0);
	for (int i = 0; i < 2; i++) {
		history_pace_watched(&own.history->watch, watched.due_ns);
		look_until(&watched, 1, watched.due_ns + 60 * SECOND);
		now_ns = watched.due_ns - SECOND + 10 * MS;
		own.history->has_stirred = true;
		number_until(&watched, &now_ns, now_ns + 10 * MS);
		cr_assert_not(own.history->watch.is_on);
		for (int n = 0; n < 8; n++)
			number_until(&watched, &now_ns, watched.due_ns);
	}
	reader = own_history_read(&own);
	run = numbered_in(reader, "numbered");
	cr_assert_eq(run.count, next_number);
	cr_assert_eq(run.gaps, 0);
	own_history_close(&own);
	own_history_end(&own);
}
