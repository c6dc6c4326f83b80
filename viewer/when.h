/* SPDX-License-Identifier: MIT */
/* when.h - nanoseconds since 1970 as text. Any number is a time, if a strange one. */
#ifndef VIEWER_WHEN_H
#define VIEWER_WHEN_H

#include "viewer/out.h"

/* Seconds and the nanoseconds that are left, also before 1970. */
void when_split(int64_t ns, int64_t *ret_seconds, uint32_t *ret_ns);
void when_date(struct out *out, int64_t ns);	/* 2025-11-23 */
void when_time(struct out *out, int64_t ns);	/* 02:32:01.123456 */
void when_moment(struct out *out, struct number ns); /* 2025-11-23 02:32:01.123456 UTC */
void when_rfc3339(struct out *out, int64_t ns); /* 2025-11-23T02:32:01.123456Z */
/* In the local time zone: 03:32:01.123456, with `dated` 2025-11-23T03:32:01.123456+01:00 */
void when_local(struct out *out, int64_t ns, bool dated);
void when_local_date(struct out *out, int64_t ns); /* 2025-11-23 */
/* "-1.234567", "+0.000001": from base to ns, in seconds, never rounded. */
void when_relative(struct out *out, int64_t ns, int64_t base_ns);
/* "3 days 2 h", "5 min 3 s", "1.250 s" */
void when_duration(struct out *out, int64_t from_ns, int64_t to_ns);

#endif
