/* SPDX-License-Identifier: MIT */
/*
 * when_parse.h - times as people type them.
 *
 *   2026-11-23T10:42:00Z    RFC 3339, also with an offset and with a fraction; without either it is local
 *   2026-11-23 10:42[:03]   local; "2026-11-23" is its first moment
 *   10:42[:03.5]            local; the last such time that is not after the dump's end
 *   @1763894520.5           seconds since 1970
 *   -5m  +1h30m  90s ago    from now; "now", "today", "yesterday"
 *   T-10s  T  T+0.5         from the death; a number without a unit is in seconds, as the text shows it
 *
 * Units: ns us ms s m min h d.
 */
#ifndef VIEWER_WHEN_PARSE_H
#define VIEWER_WHEN_PARSE_H

#include "viewer/decode.h"

enum when_kind {
	WHEN_ABSOLUTE,
	WHEN_DEATH,  /* from the death on */
	WHEN_OF_DAY, /* since midnight, local */
};

struct when_spec {
	enum when_kind kind;
	int64_t ns;
};

/* What a spec needs to know of the dumps. */
struct when_base {
	int64_t death_ns; /* of a living process: when it was asked */
	int64_t end_ns;	  /* nothing in the dumps is later */
};

int64_t when_now_ns(void);
/* 0 or -EINVAL. now_ns is what "now" means. */
int when_parse(struct span text, int64_t now_ns, struct when_spec *ret_spec);
/* "1h30m", "250ms", "0.5"; without a unit: seconds. 0 or -EINVAL. */
int when_parse_duration(struct span text, int64_t *ret_ns);
/* Saturates at what 64 bits of nanoseconds can say. */
int64_t when_resolve(const struct when_spec *spec, const struct when_base *base);

#endif
