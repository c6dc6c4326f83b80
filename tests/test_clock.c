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

static struct ttlog_clock_line line_of_200_ms(enum ttlog_clock_source source)
{
	struct ttlog_clock_line line = {.source = source};

	ttlog_clock_read(source, &line.first);
	wait_ns(200000000);
	ttlog_clock_read(source, &line.second);
	return line;
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
	struct ttlog_clock_line line = {.source = TTLOG_CLOCK_MONOTONIC, .fallback_hz = 3};

	cr_assert(error_ns(&line, CLOCK_MONOTONIC, ttlog_clock_monotonic_ns) == 0);
	line.first = (struct ttlog_clock_point){7, 9, 11};
	line.second = (struct ttlog_clock_point){1000, 90000000, 11};
	cr_assert_eq(ttlog_clock_monotonic_ns(&line, 12345), 12345);
	cr_assert_eq(ttlog_clock_hz(TTLOG_CLOCK_MONOTONIC), 1000000000);
	ttlog_clock_read(TTLOG_CLOCK_MONOTONIC, &line.first);
	cr_assert_eq(line.first.ticks, line.first.monotonic_ns);
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
	struct ttlog_clock_line line = {
		.source = TTLOG_CLOCK_TSC,
		.first = {50 * day, 40 * day_ns, 1},
		.second = {50 * day + second, 40 * day_ns + 1000000000, 5000 * day_ns},
	};

	cr_assert_eq(ttlog_clock_monotonic_ns(&line, 80 * day + 5), (int64_t)(70 * day_ns + 2));
	cr_assert_eq(ttlog_clock_monotonic_ns(&line, 20 * day - 5), (int64_t)(10 * day_ns - 2));
	cr_assert_eq(ttlog_clock_monotonic_ns(&line, 50 * day), (int64_t)(40 * day_ns));
	cr_assert_eq(ttlog_clock_realtime_ns(&line, 51 * day + second), (int64_t)(5001 * day_ns));
}

Test(clock, without_two_good_points_the_frequency_counts)
{
	struct ttlog_clock_line line = {
		.source = TTLOG_CLOCK_TSC,
		.first = {1000, 5000, 100000},
		.fallback_hz = 500000000,
	};

	/* No second point. */
	cr_assert_eq(ttlog_clock_monotonic_ns(&line, 1010), 5020);
	cr_assert_eq(ttlog_clock_realtime_ns(&line, 1010), 100020);
	/* Too close: less than a millisecond. */
	line.second = (struct ttlog_clock_point){500000, 1004999, 200000};
	cr_assert_eq(ttlog_clock_monotonic_ns(&line, 500010), 1005019);
	line.second.monotonic_ns = 1005000;
	cr_assert_eq(ttlog_clock_monotonic_ns(&line, 1000), 5000);
	/* The wrong order, of the one clock or the other. */
	line.second = (struct ttlog_clock_point){999, 9000000, 0};
	cr_assert_eq(ttlog_clock_monotonic_ns(&line, 1009), 9000020);
	line.second = (struct ttlog_clock_point){5000, 4000, 0};
	cr_assert_eq(ttlog_clock_monotonic_ns(&line, 5010), 4020);
	line.fallback_hz = 0;
	cr_assert_eq(ttlog_clock_monotonic_ns(&line, 5010), 4010);
}

Test(clock, no_line_and_no_ticks_overflow)
{
	static const uint64_t extreme[] = {0,	      1, 999999, INT64_MAX, (uint64_t)INT64_MAX + 1,
					   UINT64_MAX};
	const size_t count = sizeof(extreme) / sizeof(extreme[0]);

	for (size_t i = 0; i < count * count * count * count; i++) {
		struct ttlog_clock_line line = {
			.source = TTLOG_CLOCK_TSC,
			.first = {extreme[i % count], extreme[i / count % count], 0},
			.second = {extreme[i / count / count % count],
				   extreme[i / count / count / count], extreme[i % count]},
			.fallback_hz = extreme[i % count],
		};
		int64_t last = 0;

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
	double measured = (double)(line.second.ticks - line.first.ticks) * 1e9 /
			  (double)(line.second.monotonic_ns - line.first.monotonic_ns);
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
