/* SPDX-License-Identifier: MIT */
/*
 * diff.h - --diff: what one dump has that another has not.
 *
 * "This" is what somebody asks about, a death; "that" is what it is compared with, a healthy one.
 * With two dumps, one of a death and one of a living process, the death is "this" in whatever order
 * they were named; else the first is. With one dump its end is compared with what was before.
 *
 * Rates are compared, for no two dumps reach back equally far. They are by the time since which
 * nothing is missing: warnings and errors have a lane of their own, and so reach back further than
 * the rest; the first events of a process are kept for ever, and would make everything look rare.
 * What is older than that time is not counted.
 *
 *   diff.c, diff_values.c  count both sides     diff_text.c, diff_json.c  show
 *   diff_rows.c  compares rates and numbers, diff_shifts.c the shares of values
 */
#ifndef VIEWER_DIFF_H
#define VIEWER_DIFF_H

#include "viewer/diff_values.h"
#include "viewer/groups.h"
#include "viewer/show.h"

#define DIFF_ROWS 10			    /* of each kind, where nobody said how many */
#define DIFF_WINDOW_NS INT64_C(60000000000) /* so long before T is looked at */
#define DIFF_END_NS INT64_C(10000000000)    /* the same where there is one dump */
#define DIFF_RATIO 1.5			    /* less is no change */
#define DIFF_VALUES_MIN 20 /* for a median; a 99th percentile needs 5 times as many */

/*
 * 0 or a negative errno; -EINVAL: these dumps can't be compared, and why was said.
 * ret_shown->events: of "this" that were counted.
 */
int diff_run(struct out *out, struct options *options, struct dump *const *dumps, size_t dump_count,
	     struct shown *ret_shown);

/* ---- between the files of diff ----------------------------------------------------------------
 */

enum { DIFF_THIS, DIFF_THAT, DIFF_SIDES };

/* Lanes that lose events at a pace of their own. */
enum diff_pace { DIFF_PACE_MAIN, DIFF_PACE_ALERT, DIFF_PACES };

struct diff_side {
	struct dump *dump;
	bool known;		      /* from_ns is: an event was there, or an index */
	int64_t from_ns, to_ns;	      /* what of it is compared */
	int64_t since_ns[DIFF_PACES]; /* in that, from when on nothing is missing */
	uint64_t events, older;	      /* older: not counted, since their likes are missing */
	uint64_t levels[LEVEL_COUNT];
	struct groups sites, threads;
	struct diff_values values; /* by sites */
};

enum diff_change { DIFF_ALIKE, DIFF_NEW, DIFF_MORE, DIFF_LESS, DIFF_GONE };

struct diff_row {
	enum diff_change change;
	const struct group *group; /* of either side; NULL: of a level */
	enum site_level level;	   /* LEVEL_UNKNOWN: it has none */
	uint64_t events[DIFF_SIDES];
	double rate[DIFF_SIDES]; /* a second; NAN: not known */
	double score;		 /* how telling it is; only for the order */
};

struct diff_number {
	const struct group *site;
	struct span name;
	const struct sketch *sketch[DIFF_SIDES];
	double score;
};

/* Of all events of a site that have a field, how many have that value. */
struct diff_shift {
	struct diff_row row; /* whose rates are shares, 0 to 1; group: the site */
	struct span name;
	const struct value *value;
};

struct diff_shifts {
	struct diff_shift *shift; /* the most telling first */
	size_t count, capacity;
	uint64_t alike, crowded; /* fields */
};

struct diff_rows {
	struct diff_row *row; /* the most telling first */
	size_t count;
	uint64_t alike;
	bool others; /* there were more than could be told apart */
};

struct diff {
	struct out *out;
	uint64_t limit; /* rows of each kind */
	bool alone;	/* one dump */
	bool colour;
	struct diff_side side[DIFF_SIDES];
	struct group_by by_site, by_thread;
	struct diff_row level[LEVEL_COUNT];
	size_t level_count;
	struct diff_rows sites, threads;
	struct diff_number *number;
	size_t number_count;
	struct diff_shifts shifts;
	uint64_t alike_numbers, rising_numbers; /* rising: nearly always, as identifiers do */
};

static inline enum diff_pace diff_pace(enum site_level level)
{
	return level >= LEVEL_WARN && level < LEVEL_UNKNOWN ? DIFF_PACE_ALERT : DIFF_PACE_MAIN;
}

/* Since when nothing at all is missing. */
static inline int64_t diff_whole_ns(const struct diff_side *side)
{
	return side->since_ns[DIFF_PACE_MAIN] > side->since_ns[DIFF_PACE_ALERT]
		       ? side->since_ns[DIFF_PACE_MAIN]
		       : side->since_ns[DIFF_PACE_ALERT];
}

const char *diff_change_name(enum diff_change change);
int diff_compare_spans(struct span left, struct span right);
int diff_compare_keys(const struct group *left, const struct group *right);
/* 0 or -ENOMEM. */
int diff_compare_values(struct diff *diff);
int diff_compare(struct diff *diff);
void diff_rows_fini(struct diff *diff);
void diff_text(struct diff *diff);
void diff_json(struct diff *diff);

#endif
