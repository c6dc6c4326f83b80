/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>

#include "viewer/when.h"

static struct out out;

static void setup(void)
{
	out_init(&out, -1);
}

static void teardown(void)
{
	out_fini(&out);
}

TestSuite(when, .init = setup, .fini = teardown);

static const char *ended(void)
{
	out_char(&out, '\0');
	out.bytes = 0;
	return out.data;
}

Test(when, every_number_is_a_time)
{
	when_rfc3339(&out, 0);
	cr_expect_str_eq(ended(), "1970-01-01T00:00:00.000000Z");
	when_rfc3339(&out, INT64_C(1700000000123456789));
	cr_expect_str_eq(ended(), "2023-11-14T22:13:20.123456Z");
	when_rfc3339(&out, INT64_MAX);
	cr_expect_str_eq(ended(), "2262-04-11T23:47:16.854775Z");
	when_rfc3339(&out, INT64_MIN);
	cr_expect_str_eq(ended(), "1677-09-21T00:12:43.145224Z");
	when_rfc3339(&out, -1);
	cr_expect_str_eq(ended(), "1969-12-31T23:59:59.999999Z");
}

Test(when, distances_are_exact_to_both_sides)
{
	when_relative(&out, 1000, 1234568000);
	cr_expect_str_eq(ended(), "-1.234567");
	when_relative(&out, 1234568000, 1000);
	cr_expect_str_eq(ended(), "+1.234567");
	when_relative(&out, 5, 5);
	cr_expect_str_eq(ended(), "+0.000000");
	when_relative(&out, INT64_MIN, INT64_MAX);
	cr_expect_str_eq(ended(), "-18446744073.709551");
}

Test(when, durations_have_two_units_at_the_most)
{
	when_duration(&out, 0, INT64_C(1250000000));
	cr_expect_str_eq(ended(), "1.250 s");
	when_duration(&out, 0, INT64_C(303) * 1000000000);
	cr_expect_str_eq(ended(), "5 min 3 s");
	when_duration(&out, 0, INT64_C(7384) * 1000000000);
	cr_expect_str_eq(ended(), "2 h 3 min");
	when_duration(&out, 0, INT64_C(100000) * 1000000000);
	cr_expect_str_eq(ended(), "1 d 3 h");
	when_duration(&out, 5, 0);
	cr_expect_str_eq(ended(), "0.000 s");
}
