/* SPDX-License-Identifier: MIT */
/* Figures at a glance against those of the reader, which copies everything. */
#include <time.h>

#include "recorder/glance.h"
#include "tests/own_region.h"

static struct ttlog_clock_point points[2];

static struct ttlog_clock_line line_now(void)
{
	static uint64_t hz; /* takes a while */
	struct ttlog_clock_line line = {
		.source = (enum ttlog_clock_source)ttlog_place_.geometry.clock_source,
		.point_count = 2,
		.point = points,
	};

	/* What was read when the region was made: of its maker's geometry it is no part. */
	points[0] = ((const struct ttlog_region_header *)(const void *)ttlog_place_.base)->clock;
	ttlog_clock_read(line.source, &points[1]);
	if (!hz)
		hz = ttlog_clock_hz(line.source);
	line.fallback_hz = hz;
	return line;
}

static struct glance glance_now(void)
{
	const struct ttlog_clock_line line = line_now();
	struct glance glance;

	glance_take(ttlog_place_.base, &ttlog_place_.geometry, &line, &glance);
	return glance;
}

static void expect_as_reader(const struct glance *glance)
{
	struct ttlog_reader *reader = view();
	struct ttlog_reader_totals totals;

	ttlog_reader_totals(reader, &totals);
	cr_assert_eq(glance->events, totals.events, "%" PRIu64 " not %" PRIu64, glance->events,
		     totals.events);
	cr_assert_eq(glance->overwritten, totals.overwritten);
	cr_assert_eq(glance->dropped, totals.dropped);
	cr_assert_eq(glance->truncated, totals.truncated);
	for (uint32_t i = 0; i < ttlog_reader_lane_count(reader); i++) {
		const struct ttlog_reader_lane *lane = ttlog_reader_lane(reader, i);

		cr_assert_eq(glance->lane[i].events, lane->events, "lane %u", i);
		cr_assert_eq(glance->lane[i].chunks_used, lane->chunks_used, "lane %u", i);
		cr_assert_eq(glance->lane[i].overwritten, lane->overwritten, "lane %u", i);
	}
	ttlog_reader_close(reader);
}

Test(glance, an_empty_region_has_nothing)
{
	struct glance glance;

	begin(1 << 20);
	glance = glance_now();
	cr_assert_eq(glance.events, 0);
	cr_assert_eq(glance.history_ns, 0);
	cr_assert_eq(glance_rate(&glance), 0);
}

Test(glance, counts_what_the_reader_counts_before_and_after_the_first_lap)
{
	begin(1 << 20);
	for (int round = 0; round < 20; round++) {
		struct glance glance;

		for (uint64_t i = 0; i < 5000 * times_larger(); i++) {
			ttlog_info("an event", "i", i);
			if (i % 50 == 0)
				ttlog_warn("a warning", "i", i);
		}
		glance = glance_now();
		expect_as_reader(&glance);
		cr_assert(round < 19 || glance.lane[TTLOG_LANE_MAIN].overwritten);
	}
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Ticks become nanoseconds by two readings, each of them a little wide. */
#define ABOUT(ns) ((ns) / 50 + 20000)

Test(glance, history_is_since_the_first_event_or_since_the_last_that_was_lost)
{
	uint64_t before, between, after;
	struct glance glance;

	begin(1 << 20);
	before = now_ns();
	ttlog_info("the first");
	between = now_ns();
	while (now_ns() - between < 50000000)
		;
	after = now_ns();
	glance = glance_now();
	cr_assert_geq(glance.history_ns + ABOUT(after - between), after - between);
	after = now_ns();
	cr_assert_leq(glance.history_ns, after - before + ABOUT(after - before));
	between = now_ns();
	for (uint64_t i = 0; i < 100000 * times_larger(); i++)
		ttlog_info("many", "i", i);
	glance = glance_now();
	after = now_ns();
	cr_assert_gt(glance.lane[TTLOG_LANE_MAIN].overwritten, 0);
	cr_assert_gt(glance.history_ns, 0);
	cr_assert_leq(glance.history_ns, after - between + ABOUT(after - between));
}

/* However long it takes: as many as there were, in the time that there was. */
Test(glance, the_rate_is_that_of_the_last_ten_seconds)
{
	struct glance glance;

	begin(1 << 20);
	for (int i = 0; i < 1000; i++)
		ttlog_info("an event", "i", i);
	glance = glance_now();
	cr_assert_eq(glance.events, 1000);
	/* On a machine that stood still for ten seconds they are old. */
	if (glance.history_ns < GLANCE_RECENT_NS) {
		cr_assert_eq(glance.recent_events, 1000);
		cr_assert_eq(glance.recent_ns, glance.history_ns);
		cr_assert_gt(glance_rate(&glance), 100);
	}
}

static uint64_t ticks_now(void)
{
	return ttlog_clock_ticks((enum ttlog_clock_source)ttlog_place_.geometry.clock_source);
}

/* A clock that says that ten seconds pass in so many ticks. */
static struct ttlog_clock_line hasty_line(uint64_t window_ticks)
{
	const uint64_t now = ticks_now();
	struct ttlog_clock_line line = line_now();
	const uint64_t far_ticks = UINT64_C(1) << 33;
	const uint64_t far_ns = (uint64_t)((double)far_ticks / (double)window_ticks *
					   (double)GLANCE_RECENT_NS);

	points[0] = (struct ttlog_clock_point){.ticks = now - far_ticks};
	points[1] = (struct ttlog_clock_point){
		.ticks = now, .monotonic_ns = far_ns, .realtime_ns = far_ns};
	if (line.source == TTLOG_CLOCK_MONOTONIC)
		cr_skip("its ticks are nanoseconds, whatever is said of them");
	return line;
}

/*
 * Old events, a pause, ten new ones. Of a chunk that is retired in between the share is estimated, and
 * where we are interrupted the new are old when we look: then once more.
 */
static void check_old(unsigned int old, int rounds)
{
	struct glance glance = {0};

	begin(1 << 20);
	for (int round = 0; round < rounds && glance.recent_events != 10; round++) {
		struct ttlog_clock_line line;
		uint64_t window_ticks;

		for (unsigned int i = 0; i < old; i++)
			ttlog_info("old", "i", i);
		window_ticks = ticks_now();
		while (ticks_now() - window_ticks < 10000000)
			;
		window_ticks = (ticks_now() - window_ticks) / 2;
		for (int i = 0; i < 10; i++)
			ttlog_info("new", "i", i);
		line = hasty_line(window_ticks);
		glance_take(ttlog_place_.base, &ttlog_place_.geometry, &line, &glance);
		cr_assert_geq(glance.events, old + 10);
	}
	cr_assert_eq(glance.recent_events, 10, "%" PRIu64, glance.recent_events);
}

Test(glance, what_is_older_than_ten_seconds_is_not_recent_in_full_chunks)
{
	check_old(3001, 100);
}

/* So few that all are in one chunk. */
Test(glance, what_is_older_than_ten_seconds_is_not_recent_in_the_newest_chunk)
{
	check_old(2, 10);
}

/* Whatever it says: no crash, and it ends. */
Test(glance, a_region_full_of_lies_is_looked_at_and_left)
{
	const uint64_t words[] = {UINT64_MAX, 0x8000000000000000, 0x0101010101010101, 7};
	unsigned char *base;
	uint64_t bytes;

	begin(1 << 20);
	ttlog_info("one");
	bytes = ttlog_place_.geometry.region_bytes;
	base = malloc(bytes);
	cr_assert(base);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		const struct ttlog_clock_line line = line_now();
		struct glance glance;

		for (uint64_t at = 0; at < bytes; at += 8)
			memcpy(base + at, &words[i], 8);
		glance_take(base, &ttlog_place_.geometry, &line, &glance);
		glance_rate(&glance);
		memcpy(base, ttlog_place_.base, bytes);
		for (uint64_t at = i * 8; at < bytes; at += 56)
			memcpy(base + at, &words[i], 8);
		glance_take(base, &ttlog_place_.geometry, &line, &glance);
		glance_rate(&glance);
	}
	free(base);
}
