/* SPDX-License-Identifier: MIT */
/* test_view_clock.c - times that are not an event's own are shown as what they are. */
#include <criterion/criterion.h>

#include "tests/made_dump_shown.h"
#include "viewer/info.h"

static void begin(uint32_t mode)
{
	static const uint8_t types[] = {TTLOG_TYPE_I32, 0};
	static const char *const names[] = {"n"};

	made_begin();
	made.facts.clock_mode = mode;
	made_site(TTLOG_INFO, "t", "m", types, names);
}

/* Two threads whose events have the ticks of their last reading; in lanes of their own too. */
static void make_runs(void)
{
	static const struct {
		uint64_t ticks;
		uint32_t thread, lane;
	} row[] = {{1000, 0, 0}, {1000, 0, 0}, {1000, 1, 0}, {2000, 0, 1},
		   {2000, 1, 0}, {2000, 1, 0}, {3000, 0, 0}, {3000, 0, 1}};

	for (uint64_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct made_event *event = made_event(row[i].ticks, row[i].thread, 1);

		event->lane = row[i].lane;
		event->value[0].bits = i;
	}
}

static uint32_t lane_of(const struct event *event)
{
	return (uint32_t)(event->lane - dump_meta(dump)->lanes);
}

static const char *info(bool json)
{
	struct event event;

	while (dump_next(dump, &event))
		;
	out.bytes = 0;
	if (json)
		info_json(&out, dump, NULL, NULL);
	else
		info_text(&out, dump, NULL, NULL, false, false);
	out_char(&out, '\0');
	return out.data;
}

Test(view_clock, a_sparse_time_has_a_tilde_and_the_events_own_has_none)
{
	static const bool carried[] = {false, true, false, false, false, true, false, false};
	struct event event;

	begin(TTLOG_CLOCK_SPARSE);
	make_runs();
	open_made();
	for (size_t i = 0; i < 8; i++) {
		cr_assert(dump_next(dump, &event));
		cr_expect_eq(event.flags, carried[i] ? DUMP_EVENT_CARRIED : 0, "event %zu", i);
	}
	close_made();
	begin(TTLOG_CLOCK_SPARSE);
	make_runs();
	made.event_count = 2;
	open_made();
	cr_expect(strstr(shown(false),
			 "  T-0.999999  22:13:20.000001 INFO  orders/4242   t  m  n=0\n"
			 "  T-0.999999 ~22:13:20.000001 INFO  orders/4242   t  m  n=1\n"),
		  "%s", out.data);
	close_made();
}

Test(view_clock, json_says_it_only_where_it_is_so)
{
	const char *text;

	begin(TTLOG_CLOCK_SPARSE);
	make_runs();
	made.event_count = 2;
	open_made();
	text = shown(true);
	cr_expect(strstr(text, "\"ts_ns\":\"1700000000000001000\",\"seq\":0,"), "%s", text);
	cr_expect(strstr(text, "\"ts_ns\":\"1700000000000001000\",\"ts_carried\":true,\"seq\":1,"),
		  "%s", text);
	close_made();
}

Test(view_clock, every_coarse_time_has_a_tilde)
{
	struct event event;

	begin(TTLOG_CLOCK_COARSE);
	make_runs();
	open_made();
	for (size_t i = 0; i < 8; i++) {
		cr_assert(dump_next(dump, &event));
		cr_expect_eq(event.flags, lane_of(&event) ? 0 : DUMP_EVENT_CARRIED, "event %zu", i);
	}
	close_made();
}

/* Two handlers may come at the same tick. */
Test(view_clock, where_a_thread_has_no_chunk_every_event_has_a_time_of_its_own)
{
	static const bool may_carry[TTLOG_LANE_COUNT] = {
		[TTLOG_LANE_MAIN] = true, [TTLOG_LANE_BOOT] = true, [TTLOG_LANE_AFTERLIFE] = true};
	struct event event;

	for (uint32_t mode = TTLOG_CLOCK_SPARSE; mode <= TTLOG_CLOCK_COARSE; mode++) {
		begin(mode);
		for (uint32_t lane = 0; lane < TTLOG_LANE_COUNT; lane++)
			for (int i = 0; i < 2; i++)
				made_event(1000, 0, 1)->lane = lane;
		open_made();
		for (uint32_t lane = 0; lane < TTLOG_LANE_COUNT; lane++)
			for (int i = 0; i < 2; i++) {
				bool carried = may_carry[lane] && (i || mode == TTLOG_CLOCK_COARSE);

				cr_assert(dump_next(dump, &event));
				cr_assert_eq(lane_of(&event), lane);
				cr_expect_eq(event.flags, carried ? DUMP_EVENT_CARRIED : 0,
					     "mode %u, lane %u, event %d", mode, lane, i);
			}
		close_made();
	}
}

Test(view_clock, an_exact_clock_looks_as_ever_even_if_ticks_are_the_same)
{
	begin(TTLOG_CLOCK_EXACT);
	make_runs();
	open_made();
	cr_expect_not(strchr(shown(false), '~'));
	cr_expect_not(strstr(info(false), "~"));
	cr_expect(strstr(info(true), "\"mode\":\"exact\""));
	close_made();
	begin(TTLOG_CLOCK_EXACT);
	make_runs();
	open_made();
	cr_expect_not(strstr(shown(true), "ts_carried"));
	close_made();
}

Test(view_clock, a_cut_event_may_have_a_carried_time_too)
{
	struct event event;

	begin(TTLOG_CLOCK_COARSE);
	made_event(1000, 0, 1)->flags = TTLOG_EVENT_TRUNCATED;
	open_made();
	cr_assert(dump_next(dump, &event));
	cr_expect_eq(event.flags, DUMP_EVENT_CARRIED | DUMP_EVENT_TRUNCATED);
	close_made();
}

Test(view_clock, info_has_source_mode_and_error)
{
	begin(TTLOG_CLOCK_SPARSE);
	made.facts.clock_source = made.timeline.source = TTLOG_CLOCK_TSC;
	made.timeline.doubt[0].reading_ns = 101;
	make_runs();
	open_made();
	cr_expect(strstr(info(false),
			 "\n  clock        tsc, right to 0.2 us; sparse: \"~\" is the time of "
			 "an earlier event of the thread\n"),
		  "%s", out.data);
	cr_expect(strstr(info(true),
			 ",\"clock\":{\"source\":\"tsc\",\"mode\":\"sparse\",\"error_ns\":101,"
			 "\"points\":2},"),
		  "%s", out.data);
	close_made();
	begin(TTLOG_CLOCK_COARSE);
	make_runs();
	open_made();
	cr_expect(strstr(info(false), "coarse: \"~\" may be"), "%s", out.data);
	close_made();
}

Test(view_clock, events_keep_the_wall_time_of_then_and_their_order)
{
	const uint64_t hour = UINT64_C(3600000000000);
	struct event event;

	/* Half a second in, the wall clock is set an hour back. */
	begin(TTLOG_CLOCK_EXACT);
	timeline_init(&made.timeline, TTLOG_CLOCK_MONOTONIC, 0);
	timeline_add(&made.timeline, &(struct ttlog_clock_point){0, 0, MADE_TIME_NS}, 0);
	timeline_add(&made.timeline,
		     &(struct ttlog_clock_point){500000000, 500000000,
						 MADE_TIME_NS + 500000000 - hour},
		     0);
	made_event(499999999, 0, 1);
	made_event(500000001, 0, 1);
	open_made();
	cr_assert(dump_next(dump, &event));
	cr_expect_eq(event.time_ns, (int64_t)(MADE_TIME_NS + 499999999));
	cr_assert(dump_next(dump, &event));
	cr_expect_eq(event.time_ns, (int64_t)(MADE_TIME_NS + 500000001 - hour));
	cr_expect_eq(dump_meta(dump)->death_ns.bits, MADE_TIME_NS + 1000000000 - hour);
	cr_expect_eq(dump_meta(dump)->clock.point_count.bits, 2);
	close_made();
}

Test(view_clock, only_the_readings_around_the_events_are_in_the_dump)
{
	begin(TTLOG_CLOCK_EXACT);
	timeline_init(&made.timeline, TTLOG_CLOCK_MONOTONIC, 0);
	for (uint64_t i = 0; i < 100; i++)
		timeline_add(&made.timeline,
			     &(struct ttlog_clock_point){i * 1000, i * 1000,
							 MADE_TIME_NS + i * 1000},
			     0);
	made_event(95500, 0, 1);
	made.totals.first_ticks = made.totals.last_ticks = 95500;
	open_made();
	cr_expect_eq(dump_meta(dump)->clock.point_count.bits, 5, "95 to 99");
	close_made();
}
