/* SPDX-License-Identifier: MIT */
#include "viewer/when.h"

#include <inttypes.h>
#include <time.h>

#define NS_PER_S 1000000000

void when_split(int64_t ns, int64_t *ret_seconds, uint32_t *ret_ns)
{
	int64_t seconds = ns / NS_PER_S, left = ns % NS_PER_S;

	*ret_seconds = left < 0 ? seconds - 1 : seconds;
	*ret_ns = (uint32_t)(left < 0 ? left + NS_PER_S : left);
}

/* Events come in order and many share a second. */
struct known {
	int64_t seconds;
	struct tm tm;
	bool have;
};

static const struct tm *broken_down(int64_t seconds, bool local)
{
	static struct known zones[2];
	struct known *known = &zones[local];
	time_t time = seconds;

	/* Can't fail: 64 bits of nanoseconds end in 2262. */
	if ((!known->have || known->seconds != seconds) && local)
		localtime_r(&time, &known->tm);
	else if (!known->have || known->seconds != seconds)
		gmtime_r(&time, &known->tm);
	known->have = true;
	known->seconds = seconds;
	return &known->tm;
}

static char *digits(char *to, unsigned int number, unsigned int count)
{
	for (unsigned int i = count; i--; number /= 10)
		to[i] = (char)('0' + number % 10);
	return to + count;
}

static void write_date(struct out *out, int64_t ns, bool local)
{
	int64_t seconds;
	uint32_t left;
	const struct tm *tm;
	char text[16], *to = text;

	when_split(ns, &seconds, &left);
	tm = broken_down(seconds, local);
	to = digits(to, (unsigned int)(tm->tm_year + 1900), 4);
	*to++ = '-';
	to = digits(to, (unsigned int)tm->tm_mon + 1, 2);
	*to++ = '-';
	to = digits(to, (unsigned int)tm->tm_mday, 2);
	out_bytes(out, text, (size_t)(to - text));
}

static void write_time(struct out *out, int64_t ns, bool local)
{
	int64_t seconds;
	uint32_t left;
	const struct tm *tm;
	char text[24], *to = text;

	when_split(ns, &seconds, &left);
	tm = broken_down(seconds, local);
	to = digits(to, (unsigned int)tm->tm_hour, 2);
	*to++ = ':';
	to = digits(to, (unsigned int)tm->tm_min, 2);
	*to++ = ':';
	to = digits(to, (unsigned int)tm->tm_sec, 2);
	*to++ = '.';
	to = digits(to, left / 1000, 6);
	out_bytes(out, text, (size_t)(to - text));
}

void when_date(struct out *out, int64_t ns)
{
	write_date(out, ns, false);
}

void when_time(struct out *out, int64_t ns)
{
	write_time(out, ns, false);
}

void when_rfc3339(struct out *out, int64_t ns)
{
	write_date(out, ns, false);
	out_char(out, 'T');
	write_time(out, ns, false);
	out_char(out, 'Z');
}

void when_local_date(struct out *out, int64_t ns)
{
	write_date(out, ns, true);
}

void when_local(struct out *out, int64_t ns, bool dated)
{
	int64_t seconds;
	uint32_t left;
	long east;

	if (dated) {
		write_date(out, ns, true);
		out_char(out, 'T');
	}
	write_time(out, ns, true);
	if (!dated)
		return;
	when_split(ns, &seconds, &left);
	east = broken_down(seconds, true)->tm_gmtoff / 60;
	out_char(out, east < 0 ? '-' : '+');
	east = east < 0 ? -east : east;
	out_printf(out, "%02ld:%02ld", east / 60 % 100, east % 60);
}

void when_relative(struct out *out, int64_t ns, int64_t base_ns)
{
	bool before = ns < base_ns;
	uint64_t distance = before ? (uint64_t)base_ns - (uint64_t)ns
				   : (uint64_t)ns - (uint64_t)base_ns;

	char text[8] = ".";

	digits(text + 1, (unsigned int)(distance % NS_PER_S / 1000), 6);
	out_char(out, before ? '-' : '+');
	out_uint(out, distance / NS_PER_S);
	out_bytes(out, text, 7);
}

void when_duration(struct out *out, int64_t from_ns, int64_t to_ns)
{
	uint64_t distance = to_ns < from_ns ? 0 : (uint64_t)to_ns - (uint64_t)from_ns;
	uint64_t seconds = distance / NS_PER_S;

	if (seconds >= 86400)
		out_printf(out, "%" PRIu64 " d %" PRIu64 " h", seconds / 86400,
			   seconds / 3600 % 24);
	else if (seconds >= 3600)
		out_printf(out, "%" PRIu64 " h %" PRIu64 " min", seconds / 3600, seconds / 60 % 60);
	else if (seconds >= 60)
		out_printf(out, "%" PRIu64 " min %" PRIu64 " s", seconds / 60, seconds % 60);
	else
		out_printf(out, "%" PRIu64 ".%03u s", seconds,
			   (unsigned int)(distance % NS_PER_S / 1000000));
}

void when_moment(struct out *out, struct number ns)
{
	when_date(out, (int64_t)ns.bits);
	out_char(out, ' ');
	when_time(out, (int64_t)ns.bits);
	out_text(out, " UTC");
}
