/* SPDX-License-Identifier: MIT */
/*
 * stamp.h - the time of an event as --time wants it.
 *
 * T is the first death among the dumps, or without one the last snapshot. Monotonic times come from
 * the readings of the clocks that the dump has; "-" where it has none, or none that fits.
 */
#ifndef VIEWER_STAMP_H
#define VIEWER_STAMP_H

#include "viewer/format.h"

/* A death, or a snapshot: where it lies among the events. */
struct stamp_mark {
	int64_t ns;
	const struct meta *meta;
	bool dead;
};

struct stamps {
	enum time_mode mode;
	bool have_base;
	int64_t base_ns;	  /* T */
	struct stamp_mark *marks; /* of all dumps that say when, by time */
	size_t mark_count;
};

/* 0 or -ENOMEM. */
int stamps_init(struct stamps *stamps, struct dump *const *dumps, size_t dump_count,
		enum time_mode mode);
void stamps_fini(struct stamps *stamps);

/*
 * Writes a time of that dump; before_ns: of the event above, for TIME_DELTA. `dated`: times of day
 * come with their day, as RFC 3339. TIME_BOTH is written as TIME_CRASH, or without a T as TIME_DAY_UTC.
 */
void stamp_write(const struct stamps *stamps, struct out *out, const struct meta *meta, int64_t ns,
		 int64_t before_ns, bool dated);

/* False: not known. Where the wall clock was set back, the later of the moments that had that time.
 */
bool stamp_monotonic(const struct meta *meta, int64_t ns, int64_t *ret_ns);

#endif
