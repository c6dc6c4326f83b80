/* SPDX-License-Identifier: MIT */
/* test_when_parse.c - times as people type them, in a zone that puts its clocks forward and back. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <time.h>

#include "viewer/when_parse.h"

#define S INT64_C(1000000000)
#define DAY (86400 * S)
#define NOW (INT64_C(1782907200) * S)	  /* 2026-07-01T12:00:00Z, 14:00 in Berlin */
#define DEATH (INT64_C(1763894520) * S)	  /* 2025-11-23T10:42:00Z, 11:42 in Berlin */
#define MIDNIGHT (INT64_C(1763852400) * S) /* of that day in Berlin */

static const struct when_base base = {DEATH, DEATH + 2 * S};

static void berlin(void)
{
	setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
	tzset();
}

TestSuite(when_parse, .init = berlin);

static int parse(const char *text, int64_t *ret_ns)
{
	struct when_spec spec;
	int error = when_parse((struct span){text, strlen(text)}, NOW, &spec);

	if (!error)
		*ret_ns = when_resolve(&spec, &base);
	return error;
}

static const struct {
	const char *text;
	int64_t wanted;
} table[] = {
	{"2025-11-23T10:42:00Z", DEATH},
	{"2025-11-23t10:42:00z", DEATH},
	{"2025-11-23T10:42Z", DEATH},
	{"2025-11-23T10:42:00.25Z", DEATH + S / 4},
	{"2025-11-23T10:42:00.123456789Z", DEATH + 123456789},
	{"2025-11-23T10:42:00.1234567891Z", DEATH + 123456789},
	{"2025-11-23T12:42:00+02:00", DEATH},
	{"2025-11-23T05:12:00-0530", DEATH},
	{"2025-11-23 10:42 UTC", DEATH},
	{"2025-11-23 11:42", DEATH},
	{"2025-11-23 11:42:00,5", DEATH + S / 2},
	{"2025-11-23T11:42:00", DEATH},
	{"2025-11-23", MIDNIGHT},
	{"2026-07-01 14:00", NOW},
	{" 2026-07-01 14:00 ", NOW},
	{"1969-12-31T23:59:59.5Z", -S / 2},
	{"@1763894520", DEATH},
	{"@1763894520.5", DEATH + S / 2},
	{"11:42", DEATH},
	{"11:42:01.5", DEATH + 3 * S / 2},
	{"0:00", MIDNIGHT},
	{"11:42:02", DEATH + 2 * S},
	{"11:42:03", DEATH + 3 * S - DAY},
	{"23:50", MIDNIGHT - 600 * S},
	{"now", NOW},
	{"-5m", NOW - 300 * S},
	{"-5min", NOW - 300 * S},
	{"+1h30m", NOW + 5400 * S},
	{"-1d 2h", NOW - 26 * 3600 * S},
	{"-250ms", NOW - S / 4},
	{"-7us", NOW - 7000},
	{"-9ns", NOW - 9},
	{"-3", NOW - 3 * S},
	{"-0.5h", NOW - 1800 * S},
	{"90s ago", NOW - 90 * S},
	{"today", NOW - 14 * 3600 * S},
	{"yesterday", NOW - 14 * 3600 * S - DAY},
	{"T", DEATH},
	{"T-10s", DEATH - 10 * S},
	{"T+1ms", DEATH + S / 1000},
	{"T-0.012345", DEATH - 12345000},
	{"t-1m", DEATH - 60 * S},
};

Test(when_parse, a_table_of_times_is_understood)
{
	int64_t got = 0;

	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		cr_expect_eq(parse(table[i].text, &got), 0, "%s", table[i].text);
		cr_expect_eq(got, table[i].wanted, "%s: %+.9f s beside it", table[i].text,
			     (double)(got - table[i].wanted) / 1e9);
	}
}

Test(when_parse, what_is_no_time_is_refused)
{
	static const char *const wrong[] = {
		"", " ", "x", "10", "10:4", "25:00", "10:60", "10:42:", "10:42:61", "10:42.5",
		"2025-11-23T", "2025-13-01", "2025-11-32", "2025-11-23T10:42:00+2", "25-11-23",
		"2025-11-23T10:42:00+24:00", "@", "@x", "@1.", "-", "+", "-5x", "-5m3", "-m",
		"T-", "Tx", "T5", "5m", "ago", "tomorrow", "-99999999999999d", "now5", "-5 m",
		"2 h ago",
		"2025-11-23T10:42:00.25Z and something that makes it longer than any time is",
	};
	int64_t ns;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		cr_expect_eq(parse(wrong[i], &ns), -EINVAL, "%s", wrong[i]);
}

Test(when_parse, a_time_of_day_is_right_on_days_of_23_and_25_hours)
{
	const struct when_base spring = {0, INT64_C(1774771200) * S}; /* 2026-03-29T08:00Z, 10:00 CEST */
	const struct when_base autumn = {0, INT64_C(1792918800) * S}; /* 2026-10-25T09:00Z, 10:00 CET */
	struct when_spec spec;

	cr_assert_eq(when_parse((struct span){"09:00", 5}, NOW, &spec), 0);
	cr_expect_eq(when_resolve(&spec, &spring), spring.end_ns - 3600 * S);
	cr_expect_eq(when_resolve(&spec, &autumn), autumn.end_ns - 3600 * S);
}

Test(when_parse, durations)
{
	static const struct {
		const char *text;
		int64_t wanted;
	} durations[] = {
		{"5", 5 * S},	   {"0.5", S / 2},	    {"2s", 2 * S},
		{"1m30s", 90 * S}, {"1d", DAY},		    {"1.5d", 3 * DAY / 2},
		{"10us", 10000},   {"1h 2m 3s", 3723 * S},
	};
	int64_t ns;

	for (size_t i = 0; i < sizeof(durations) / sizeof(*durations); i++) {
		const char *text = durations[i].text;

		cr_expect_eq(when_parse_duration((struct span){text, strlen(text)}, &ns), 0, "%s", text);
		cr_expect_eq(ns, durations[i].wanted, "%s", text);
	}
	cr_expect_eq(when_parse_duration((struct span){"-5s", 3}, &ns), -EINVAL);
	cr_expect_eq(when_parse_duration((struct span){"s", 1}, &ns), -EINVAL);
	cr_expect_eq(when_parse_duration((struct span){"", 0}, &ns), -EINVAL);
	cr_expect_eq(when_parse_duration((struct span){"5s5", 3}, &ns), -EINVAL);
}

Test(when_parse, saturates)
{
	const struct when_spec before = {WHEN_DEATH, INT64_MIN}, after = {WHEN_DEATH, INT64_MAX};

	cr_expect_eq(when_resolve(&after, &base), INT64_MAX);
	cr_expect_eq(when_resolve(&before, &(struct when_base){-5, 0}), INT64_MIN);
}
