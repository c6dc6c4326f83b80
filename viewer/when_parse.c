/* SPDX-License-Identifier: MIT */
#include "viewer/when_parse.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define NS_PER_S INT64_C(1000000000)
#define NS_PER_DAY (86400 * NS_PER_S)
#define TEXT_MAX 64

/* A copy that ends, and how far it was read. */
struct scan {
	char text[TEXT_MAX];
	const char *at;
};

static int scan_start(struct scan *scan, struct span text)
{
	while (text.bytes && (*text.data == ' ' || *text.data == '\t')) {
		text.data++;
		text.bytes--;
	}
	while (text.bytes && (text.data[text.bytes - 1] == ' ' || text.data[text.bytes - 1] == '\t'))
		text.bytes--;
	if (!text.bytes || text.bytes >= sizeof(scan->text) || memchr(text.data, '\0', text.bytes))
		return -EINVAL;
	memcpy(scan->text, text.data, text.bytes);
	scan->text[text.bytes] = '\0';
	scan->at = scan->text;
	return 0;
}

static bool scan_word(struct scan *scan, const char *word)
{
	size_t length = strlen(word);

	if (strncasecmp(scan->at, word, length) != 0)
		return false;
	scan->at += length;
	return true;
}

/* As many digits as there are, within the limits. */
static bool scan_digits(struct scan *scan, unsigned int least, unsigned int most, int64_t *ret_number)
{
	unsigned int count = 0;

	for (*ret_number = 0; *scan->at >= '0' && *scan->at <= '9' && count < most; count++)
		*ret_number = *ret_number * 10 + (*scan->at++ - '0');
	return count >= least;
}

/* What follows a point, in units of 1/NS_PER_S; more digits than nine are dropped. */
static bool scan_fraction(struct scan *scan, int64_t *ret_billionths)
{
	int64_t unit = NS_PER_S / 10;

	*ret_billionths = 0;
	if (*scan->at != '.' && *scan->at != ',')
		return true;
	scan->at++;
	if (*scan->at < '0' || *scan->at > '9')
		return false;
	for (; *scan->at >= '0' && *scan->at <= '9'; scan->at++, unit /= 10)
		*ret_billionths += unit * (*scan->at - '0');
	return true;
}

int64_t when_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * NS_PER_S + now.tv_nsec;
}

/* ---- durations --------------------------------------------------------------------------------
 */

static const struct {
	const char *name; /* longer ones first */
	int64_t ns;
} units[] = {
	{"ns", 1},	       {"us", 1000},	      {"ms", 1000000},	   {"min", 60 * NS_PER_S},
	{"s", NS_PER_S},       {"m", 60 * NS_PER_S},  {"h", 3600 * NS_PER_S}, {"d", NS_PER_DAY},
};

static int64_t scan_unit(struct scan *scan)
{
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++)
		if (scan_word(scan, units[i].name))
			return units[i].ns;
	return 0;
}

static bool scan_duration(struct scan *scan, int64_t *ret_ns)
{
	int64_t whole, billionths, unit, part;
	bool first = true;

	*ret_ns = 0;
	do {
		if (!scan_digits(scan, 1, 15, &whole) || !scan_fraction(scan, &billionths))
			return false;
		unit = scan_unit(scan);
		if (!unit && (!first || (*scan->at && *scan->at != ' ')))
			return false;
		if (!unit)
			unit = NS_PER_S;
		/* The long way, because of days with fractions. */
		if (__builtin_mul_overflow(whole, unit, &part) ||
		    __builtin_add_overflow(*ret_ns, part, ret_ns) ||
		    __builtin_add_overflow(
			    *ret_ns, (int64_t)((__int128)billionths * unit / NS_PER_S), ret_ns))
			return false;
		first = false;
		while (*scan->at == ' ')
			scan->at++;
	} while (*scan->at >= '0' && *scan->at <= '9');
	return true;
}

int when_parse_duration(struct span text, int64_t *ret_ns)
{
	struct scan scan;
	int error = scan_start(&scan, text);

	if (!error && (!scan_duration(&scan, ret_ns) || *scan.at))
		error = -EINVAL;
	return error;
}

/* ---- times ------------------------------------------------------------------------------------
 */

/* 10:42, 10:42:03, 10:42:03.5: since midnight. */
static bool scan_clock(struct scan *scan, int64_t *ret_ns)
{
	int64_t hours, minutes, seconds = 0, fraction = 0;

	if (!scan_digits(scan, 1, 2, &hours) || *scan->at != ':')
		return false;
	scan->at++;
	if (!scan_digits(scan, 2, 2, &minutes))
		return false;
	if (*scan->at == ':') {
		scan->at++;
		if (!scan_digits(scan, 2, 2, &seconds) || !scan_fraction(scan, &fraction))
			return false;
	}
	*ret_ns = ((hours * 60 + minutes) * 60 + seconds) * NS_PER_S + fraction;
	return hours < 24 && minutes < 60 && seconds < 61;
}

static bool scan_date(struct scan *scan, struct tm *tm)
{
	int64_t year, month, day;

	if (!scan_digits(scan, 4, 4, &year) || *scan->at++ != '-' ||
	    !scan_digits(scan, 2, 2, &month) || *scan->at++ != '-' ||
	    !scan_digits(scan, 2, 2, &day) || month < 1 || month > 12 || day < 1 || day > 31)
		return false;
	*tm = (struct tm){.tm_year = (int)year - 1900, .tm_mon = (int)month - 1, .tm_mday = (int)day,
			  .tm_isdst = -1};
	return true;
}

/* Z or an offset. -1: there is none, 0: it is wrong, 1. */
static int scan_zone(struct scan *scan, int64_t *ret_seconds)
{
	int64_t hours, minutes;
	char sign = *scan->at;

	*ret_seconds = 0;
	if (scan_word(scan, "Z") || scan_word(scan, " UTC"))
		return 1;
	if (sign != '+' && sign != '-')
		return -1;
	scan->at++;
	if (!scan_digits(scan, 2, 2, &hours))
		return 0;
	if (*scan->at == ':')
		scan->at++;
	if (!scan_digits(scan, 2, 2, &minutes) || hours > 23 || minutes > 59)
		return 0;
	*ret_seconds = (hours * 60 + minutes) * 60 * (sign == '-' ? -1 : 1);
	return 1;
}

/* Seconds that far from 1970, and nanoseconds on top. */
static int64_t from_parts(int64_t seconds, int64_t ns)
{
	int64_t result;

	if (__builtin_mul_overflow(seconds, NS_PER_S, &result) ||
	    __builtin_add_overflow(result, ns, &result))
		return seconds < 0 ? INT64_MIN : INT64_MAX;
	return result;
}

static bool scan_moment(struct scan *scan, int64_t *ret_ns)
{
	int64_t of_day = 0, offset;
	struct tm tm;
	int zone = -1;

	if (!scan_date(scan, &tm))
		return false;
	if (*scan->at == 'T' || *scan->at == 't' || (*scan->at == ' ' && scan->at[1])) {
		scan->at++;
		if (!scan_clock(scan, &of_day))
			return false;
		zone = scan_zone(scan, &offset);
	}
	tm.tm_hour = (int)(of_day / NS_PER_S / 3600);
	tm.tm_min = (int)(of_day / NS_PER_S / 60 % 60);
	tm.tm_sec = (int)(of_day / NS_PER_S % 60);
	if (zone > 0)
		*ret_ns = from_parts(timegm(&tm) - offset, of_day % NS_PER_S);
	else
		*ret_ns = from_parts(mktime(&tm), of_day % NS_PER_S);
	return zone != 0;
}

/* The first moment of the local day of `ns`, that many days later. */
static int64_t midnight(int64_t ns, int days)
{
	time_t seconds = ns / NS_PER_S - (ns % NS_PER_S < 0);
	struct tm tm;

	if (!localtime_r(&seconds, &tm))
		return ns;
	tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
	tm.tm_mday += days;
	tm.tm_isdst = -1;
	return from_parts(mktime(&tm), 0);
}

static bool scan_signed(struct scan *scan, int64_t *ret_ns)
{
	bool negative = *scan->at == '-';

	scan->at++;
	if (!scan_duration(scan, ret_ns))
		return false;
	if (negative)
		*ret_ns = -*ret_ns;
	return true;
}

static bool scan_from_now(struct scan *scan, int64_t now_ns, int64_t *ret_ns)
{
	int64_t ns = 0;

	if (scan_word(scan, "yesterday")) {
		*ret_ns = midnight(now_ns, -1);
		return true;
	}
	if (scan_word(scan, "today")) {
		*ret_ns = midnight(now_ns, 0);
		return true;
	}
	if (*scan->at == '-' || *scan->at == '+') {
		if (!scan_signed(scan, &ns))
			return false;
	} else if (!scan_word(scan, "now")) {
		if (!scan_duration(scan, &ns) || !scan_word(scan, "ago"))
			return false;
		ns = -ns;
	}
	return !__builtin_add_overflow(now_ns, ns, ret_ns);
}

static bool scan_unix(struct scan *scan, int64_t *ret_ns)
{
	int64_t seconds, fraction;

	if (*scan->at++ != '@' || !scan_digits(scan, 1, 12, &seconds) ||
	    !scan_fraction(scan, &fraction))
		return false;
	*ret_ns = from_parts(seconds, fraction);
	return true;
}

/* "T" alone, or with what is between it and the time. */
static bool scan_death(struct scan *scan, int64_t *ret_ns)
{
	if (*scan->at != 'T' && *scan->at != 't')
		return false;
	scan->at++;
	*ret_ns = 0;
	if (!*scan->at)
		return true;
	return (*scan->at == '+' || *scan->at == '-') && scan_signed(scan, ret_ns);
}

int when_parse(struct span text, int64_t now_ns, struct when_spec *ret_spec)
{
	struct scan scan;
	int error = scan_start(&scan, text);

	if (error)
		return error;
#define TRY(which, call)                                                                           \
	do {                                                                                       \
		scan.at = scan.text;                                                               \
		ret_spec->kind = which;                                                            \
		if ((call) && !*scan.at)                                                           \
			return 0;                                                                  \
	} while (0)
	TRY(WHEN_OF_DAY, scan_clock(&scan, &ret_spec->ns));
	TRY(WHEN_ABSOLUTE, scan_moment(&scan, &ret_spec->ns));
	TRY(WHEN_ABSOLUTE, scan_unix(&scan, &ret_spec->ns));
	TRY(WHEN_DEATH, scan_death(&scan, &ret_spec->ns));
	TRY(WHEN_ABSOLUTE, scan_from_now(&scan, now_ns, &ret_spec->ns));
#undef TRY
	return -EINVAL;
}

static int64_t add(int64_t a, int64_t b)
{
	int64_t sum;

	if (__builtin_add_overflow(a, b, &sum))
		return b < 0 ? INT64_MIN : INT64_MAX;
	return sum;
}

/* A local time of day is not always that long after midnight: clocks are put forward and back. */
static int64_t on_day(int64_t day_ns, int64_t of_day)
{
	time_t seconds = day_ns / NS_PER_S - (day_ns % NS_PER_S < 0);
	struct tm tm;

	if (!localtime_r(&seconds, &tm))
		return add(day_ns, of_day);
	tm.tm_hour = (int)(of_day / NS_PER_S / 3600);
	tm.tm_min = (int)(of_day / NS_PER_S / 60 % 60);
	tm.tm_sec = (int)(of_day / NS_PER_S % 60);
	tm.tm_isdst = -1;
	return from_parts(mktime(&tm), of_day % NS_PER_S);
}

int64_t when_resolve(const struct when_spec *spec, const struct when_base *base)
{
	int64_t ns;

	switch (spec->kind) {
	case WHEN_DEATH:
		return add(base->death_ns, spec->ns);
	case WHEN_OF_DAY:
		ns = on_day(midnight(base->end_ns, 0), spec->ns);
		return ns <= base->end_ns ? ns : on_day(midnight(base->end_ns, -1), spec->ns);
	case WHEN_ABSOLUTE:
		break;
	}
	return spec->ns;
}
