/* SPDX-License-Identifier: MIT */
/* test_clock.c - ticks become the nanoseconds that clock_gettime() gives. */
#include <criterion/criterion.h>
#include <time.h>

#include "lib/clock.h"

static int64_t now_ns(clockid_t id)
{
	struct timespec now;

	cr_assert(clock_gettime(id, &now) == 0);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static void wait_ns(int64_t ns)
{
	int64_t end = now_ns(CLOCK_MONOTONIC) + ns;

	while (now_ns(CLOCK_MONOTONIC) < end)
		;
}

static struct ttlog_clock_point points_[2];

static struct ttlog_clock_line line_through(enum ttlog_clock_source source,
					    const struct ttlog_clock_point *point, uint32_t count)
{
	return (struct ttlog_clock_line){.source = source, .point = point, .point_count = count};
}

static struct ttlog_clock_line line_of_200_ms(enum ttlog_clock_source source)
{
	ttlog_clock_read(source, &points_[0]);
	wait_ns(200000000);
	ttlog_clock_read(source, &points_[1]);
	return line_through(source, points_, 2);
}

/*
 * The smallest error of a few tries: a pause between two looks at a clock says nothing about the
 * line. Each try asks whether the converted ticks lie between two readings of the clock around
 * them.
 */
static int64_t error_ns(const struct ttlog_clock_line *line, clockid_t id,
			int64_t (*convert)(const struct ttlog_clock_line *, uint64_t))
{
	int64_t least = INT64_MAX;

	for (int i = 0; i < 1000; i++) {
		int64_t before = now_ns(id);
		uint64_t ticks = ttlog_clock_ticks(line->source);
		int64_t after = now_ns(id), ns = convert(line, ticks);
		int64_t error = ns < before ? before - ns : ns > after ? ns - after : 0;

		if (error < least)
			least = error;
	}
	return least;
}

Test(clock, ticks_of_now_are_the_time_of_now)
{
	struct ttlog_clock_line line = line_of_200_ms(ttlog_clock_source());

	cr_assert(error_ns(&line, CLOCK_MONOTONIC, ttlog_clock_monotonic_ns) < 1000);
	cr_assert(error_ns(&line, CLOCK_REALTIME, ttlog_clock_realtime_ns) < 1000);
}

Test(clock, monotonic_ticks_are_nanoseconds_already)
{
	static const struct ttlog_clock_point point[] = {{7, 9, 11}, {1000, 90000000, 11}};
	struct ttlog_clock_line line = line_through(TTLOG_CLOCK_MONOTONIC, NULL, 0);
	struct ttlog_clock_point read;

	line.fallback_hz = 3;
	cr_assert(error_ns(&line, CLOCK_MONOTONIC, ttlog_clock_monotonic_ns) == 0);
	line = line_through(TTLOG_CLOCK_MONOTONIC, point, 2);
	cr_assert_eq(ttlog_clock_monotonic_ns(&line, 12345), 12345);
	cr_assert_eq(ttlog_clock_hz(TTLOG_CLOCK_MONOTONIC), 1000000000);
	ttlog_clock_read(TTLOG_CLOCK_MONOTONIC, &read);
	cr_assert_eq(read.ticks, read.monotonic_ns);
}

Test(clock, a_point_is_three_clocks_at_one_moment)
{
	struct ttlog_clock_point point;
	int64_t before = now_ns(CLOCK_MONOTONIC), real_before = now_ns(CLOCK_REALTIME);

	ttlog_clock_read(ttlog_clock_source(), &point);
	cr_assert((int64_t)point.monotonic_ns >= before);
	cr_assert((int64_t)point.monotonic_ns <= now_ns(CLOCK_MONOTONIC));
	/* The realtime clock may be slewed or set, but not by much while nobody does. */
	cr_assert((int64_t)point.realtime_ns >= real_before);
	cr_assert((int64_t)point.realtime_ns <= now_ns(CLOCK_REALTIME));
}

Test(clock, the_line_is_exact_over_days_on_both_sides)
{
	/* 2.5 GHz: 5 ticks are 2 ns. */
	const uint64_t second = 2500000000, day = 86400 * second, day_ns = UINT64_C(86400000000000);
	const struct ttlog_clock_point point[] = {
		{50 * day, 40 * day_ns, 5000 * day_ns},
		{50 * day + second, 40 * day_ns + 1000000000, 5000 * day_ns + 1000000000},
	};
	const struct ttlog_clock_line line = line_through(TTLOG_CLOCK_TSC, point, 2);

	cr_assert_eq(ttlog_clock_monotonic_ns(&line, 80 * day + 5), (int64_t)(70 * day_ns + 2));
	cr_assert_eq(ttlog_clock_monotonic_ns(&line, 20 * day - 5), (int64_t)(10 * day_ns - 2));
	cr_assert_eq(ttlog_clock_monotonic_ns(&line, 50 * day), (int64_t)(40 * day_ns));
	cr_assert_eq(ttlog_clock_realtime_ns(&line, 51 * day), (int64_t)(5001 * day_ns));
	cr_assert_eq(ttlog_clock_realtime_of(&line, 41 * day_ns), (int64_t)(5001 * day_ns));
}

Test(clock, the_line_goes_through_every_point_and_straight_between)
{
	const struct ttlog_clock_point point[] = {
		{1000, 1000000000, 0}, {3000, 3000000000, 0}, {4000, 6000000000, 0}};
	const struct ttlog_clock_line line = line_through(TTLOG_CLOCK_TSC, point, 3);

	for (int i = 0; i < 3; i++)
		cr_assert_eq(ttlog_clock_monotonic_ns(&line, point[i].ticks),
			     (int64_t)point[i].monotonic_ns);
	cr_assert_eq(ttlog_clock_monotonic_ns(&line, 2000), 2000000000);
	cr_assert_eq(ttlog_clock_monotonic_ns(&line, 3500), 4500000000);
	/* Outside it goes on as it does at that end. */
	cr_assert_eq(ttlog_clock_monotonic_ns(&line, 500), 500000000);
	cr_assert_eq(ttlog_clock_monotonic_ns(&line, 4500), 7500000000);
}

Test(clock, a_slope_is_taken_from_points_that_are_a_second_apart)
{
	/* Two readings that are close have 100 ns of noise in them. */
	const struct ttlog_clock_point point[] = {{0, 100, 0},
						  {5000000, 5000000, 0},
						  {1000000000, 1000000000, 0},
						  {1995000000, 1995000000, 0},
						  {2000000000, 2000000100, 0}};
	const struct ttlog_clock_line line = line_through(TTLOG_CLOCK_TSC, point, 5);
	int64_t later = ttlog_clock_monotonic_ns(&line, 12000000000);

	cr_assert(later >= 12000000000 && later < 12000001200, "%ld", later);
}

Test(clock, events_have_the_wall_time_of_then)
{
	/* At 2 s the wall clock is set an hour back, at 3 s a day forward. */
	const uint64_t s = 1000000000, hour = 3600 * s, day = 24 * hour, wall = 20000 * day;
	const struct ttlog_clock_point point[] = {
		{1 * s, 1 * s, wall + 1 * s},
		{2 * s, 2 * s, wall + 2 * s - hour},
		{3 * s, 3 * s, wall + 3 * s - hour + day},
	};
	struct ttlog_clock_line line = line_through(TTLOG_CLOCK_TSC, point, 3);

	for (int i = 0; i < 2; i++) {
		cr_assert_eq(ttlog_clock_realtime_ns(&line, s / 2), (int64_t)(wall + s / 2));
		cr_assert_eq(ttlog_clock_realtime_ns(&line, 2 * s - 1), (int64_t)(wall + 2 * s - 1));
		cr_assert_eq(ttlog_clock_realtime_ns(&line, 2 * s), (int64_t)(wall + 2 * s - hour));
		cr_assert_eq(ttlog_clock_realtime_ns(&line, 3 * s - 1),
			     (int64_t)(wall + 3 * s - 1 - hour));
		cr_assert_eq(ttlog_clock_realtime_ns(&line, 9 * s),
			     (int64_t)(wall + 9 * s - hour + day));
		cr_assert_eq(ttlog_clock_realtime_of(&line, 2 * s),
			     (int64_t)(wall + 2 * s - hour));
		line.source = TTLOG_CLOCK_MONOTONIC;
	}
}

Test(clock, without_two_good_points_the_frequency_counts)
{
	struct ttlog_clock_point point[] = {{1000, 5000, 100000}, {500000, 1004999, 1099999}};
	struct ttlog_clock_line line = line_through(TTLOG_CLOCK_TSC, point, 1);

	line.fallback_hz = 500000000;
	cr_assert_eq(ttlog_clock_monotonic_ns(&line, 1010), 5020);
	cr_assert_eq(ttlog_clock_monotonic_ns(&line, 990), 4980);
	cr_assert_eq(ttlog_clock_realtime_ns(&line, 1010), 100020);
	/* Too close: less than a millisecond. */
	line.point_count = 2;
	cr_assert_eq(ttlog_clock_monotonic_ns(&line, 500010), 1005019);
	point[1].monotonic_ns = 1005000;
	cr_assert_eq(ttlog_clock_monotonic_ns(&line, 999000), 2005000);
	line.point_count = 0;
	cr_assert_eq(ttlog_clock_monotonic_ns(&line, 5010), 10020);
	cr_assert_eq(ttlog_clock_realtime_ns(&line, 5010), 10020);
	line.fallback_hz = 0;
	cr_assert_eq(ttlog_clock_monotonic_ns(&line, 5010), 5010);
}

Test(clock, no_line_and_no_ticks_overflow)
{
	static const uint64_t extreme[] = {0,	      1, 999999, INT64_MAX, (uint64_t)INT64_MAX + 1,
					   UINT64_MAX};
	const size_t count = sizeof(extreme) / sizeof(extreme[0]);

	for (size_t i = 0; i < count * count * count * count; i++) {
		const struct ttlog_clock_point point[] = {
			{extreme[i % count], extreme[i / count % count], extreme[i % count]},
			{extreme[i / count / count % count], extreme[i / count / count / count], 0},
		};
		struct ttlog_clock_line line = line_through(TTLOG_CLOCK_TSC, point, 2);
		int64_t last = 0;

		if (point[1].ticks < point[0].ticks || point[1].monotonic_ns < point[0].monotonic_ns)
			continue;
		line.fallback_hz = extreme[i % count];
		for (size_t t = 0; t < count; t++) {
			int64_t ns = ttlog_clock_monotonic_ns(&line, extreme[t]);

			/* Earlier ticks never give a later time, whatever the line. */
			cr_assert(ns >= last);
			last = ns;
			cr_assert(ttlog_clock_realtime_ns(&line, extreme[t]) >= 0);
		}
	}
}

Test(clock, the_frequency_is_that_of_the_line)
{
	enum ttlog_clock_source source = ttlog_clock_source();
	struct ttlog_clock_line line = line_of_200_ms(source);
	double measured = (double)(line.point[1].ticks - line.point[0].ticks) * 1e9 /
			  (double)(line.point[1].monotonic_ns - line.point[0].monotonic_ns);
	double said = (double)ttlog_clock_hz(source);

	/* What the processor says may be rounded to its nominal frequency. */
	cr_assert(said > measured * 0.995 && said < measured * 1.005);
}

Test(clock, a_source_is_found_once_and_one_that_is_not_there_is_monotonic)
{
	enum ttlog_clock_source source = ttlog_clock_source();

	cr_assert(source == ttlog_clock_source());
	cr_assert(ttlog_clock_ticks(source) <= ttlog_clock_ticks(source));
	/* A source that this machine lacks, as a region might say, is read as CLOCK_MONOTONIC. */
#if defined(__x86_64__)
	int64_t before = now_ns(CLOCK_MONOTONIC);

	cr_assert((int64_t)ttlog_clock_ticks(TTLOG_CLOCK_CNTVCT) >= before);
	cr_assert((int64_t)ttlog_clock_ticks(TTLOG_CLOCK_CNTVCT) <= now_ns(CLOCK_MONOTONIC));
#endif
}

Test(clock, ticks_pass)
{
	const enum ttlog_clock_source sources[] = {ttlog_clock_source(), TTLOG_CLOCK_MONOTONIC};

	for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++)
		for (int k = 0; k < 10000; k++) {
			uint64_t ticks = ttlog_clock_ticks(sources[i]);

			ttlog_clock_pass(sources[i], ticks);
			cr_assert_gt(ttlog_clock_ticks(sources[i]), ticks);
		}
}

Test(clock, half_a_second_is_roughly_that)
{
	const enum ttlog_clock_source sources[] = {ttlog_clock_source(), TTLOG_CLOCK_MONOTONIC};

	for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
		uint64_t hz = ttlog_clock_hz(sources[i]);
		uint64_t half = ttlog_clock_half_second(sources[i]);

		cr_assert(half >= hz / 4 && half <= hz * 2, "%lu of %lu", half, hz);
	}
}
