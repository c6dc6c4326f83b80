/* SPDX-License-Identifier: MIT */
/* test_stamp.c - times as --time wants them, and monotonic ones from the readings of the clocks. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "viewer/stamp.h"

#define S INT64_C(1000000000)

static struct meta meta;

static void set_points(const struct meta_point *points, uint64_t count)
{
	meta.clock.points = (struct meta_point *)points;
	meta.clock.points_kept = count;
}

static void expect(enum time_mode mode, int64_t ns, const char *wanted)
{
	const struct stamps stamps = {.mode = mode, .have_base = mode == TIME_CRASH};
	struct out out;

	out_init(&out, -1);
	stamp_write(&stamps, &out, &meta, ns, 0, true);
	out_char(&out, '\0');
	cr_expect_str_eq(out.data, wanted, "%lld in mode %d: %s", (long long)ns, (int)mode, out.data);
	out_fini(&out);
}

Test(stamp, seconds_have_their_sign_before_1970_too)
{
	expect(TIME_UNIX, 0, "0.000000");
	expect(TIME_UNIX, 1999999999, "1.999999");
	expect(TIME_UNIX, -250000000, "-0.250000");
	expect(TIME_UNIX, -1250000000, "-1.250000");
	expect(TIME_UNIX, -2 * S, "-2.000000");
	expect(TIME_UNIX, INT64_MAX, "9223372036.854775");
	expect(TIME_UNIX, INT64_MIN, "-9223372036.854775");
	expect(TIME_CRASH, INT64_MIN, "T-9223372036.854775");
	expect(TIME_DELTA, INT64_MAX, "+9223372036.854775");
}

Test(stamp, a_zone_is_said_beside_a_local_time)
{
	setenv("TZ", "XXX-05:30", 1);
	expect(TIME_DAY_LOCAL, 0, "1970-01-01T05:30:00.000000+05:30");
	setenv("TZ", "XXX+03:30", 1);
	tzset();
	expect(TIME_DAY_LOCAL, S, "1969-12-31T20:30:01.000000-03:30");
	expect(TIME_DAY_UTC, S, "1970-01-01T00:00:01.000000Z");
}

Test(stamp, monotonic_times_need_a_reading)
{
	set_points(NULL, 0);
	expect(TIME_MONOTONIC, 5 * S, "-");
	set_points((const struct meta_point[]){{100 * S, 1000 * S}}, 1);
	expect(TIME_MONOTONIC, 1005 * S, "105.000000");
	expect(TIME_MONOTONIC, 995 * S, "95.000000");
	set_points((const struct meta_point[]){{INT64_MIN, INT64_MAX}}, 1);
	expect(TIME_MONOTONIC, 5 * S, "-");
}

/* Set ahead by an hour at 200 s, set back again at 300 s: the times in between are of one moment alone. */
Test(stamp, monotonic_times_follow_a_wall_clock_that_was_set)
{
	static const struct meta_point points[] = {
		{100 * S, 1000 * S}, {200 * S, 4700 * S}, {300 * S, 1200 * S}};

	set_points(points, 3);
	meta.created_ns = (struct number){1250 * S, true};
	expect(TIME_MONOTONIC, 1050 * S, "150.000000");
	expect(TIME_MONOTONIC, 4750 * S, "250.000000");
	expect(TIME_MONOTONIC, 1210 * S, "310.000000");
	expect(TIME_MONOTONIC, 900 * S, "0.000000");
}
