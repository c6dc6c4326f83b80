/* SPDX-License-Identifier: MIT */
/*
 * stats.h - events counted instead of shown: --stats, --group-by, --histogram.
 *
 * A count takes events as a format does, so it is one: of those that were selected, in any order.
 * Rates are by the time from the first to the last of all of them, so that they can be compared.
 *
 *   stats.c   counts     stats_text.c  shows it to people     stats_json.c  and to programs
 */
#ifndef VIEWER_STATS_H
#define VIEWER_STATS_H

#include "viewer/format.h"
#include "viewer/groups.h"
#include "viewer/histogram.h"

/* What is asked for. */
struct stats_wish {
	bool stats, histogram;
	struct group_by by; /* count 0: nobody asked */
	bool top_said;
	uint64_t top; /* groups of each kind */
};

static inline bool stats_wanted(const struct stats_wish *wish)
{
	return wish->stats || wish->histogram || wish->by.count;
}

extern const struct format stats_text_format, stats_json_format;

/* ---- between stats.c, stats_text.c and stats_json.c ---------------------------------------------
 */

#define STATS_TOP 10 /* of --stats, where nobody said how many */

struct stats_table {
	const char *key, *title;
	const struct group_by *by;
	struct group_by own; /* what by points to, where nobody asked for it */
	struct groups groups;
	uint64_t top;
};

#define STATS_TABLES_MAX 5

struct stats {
	struct format_env env;
	const struct stats_wish *wish;
	uint64_t events, levels[LEVEL_COUNT];
	int64_t first_ns, last_ns;
	const struct dump *first_dump, *last_dump;
	struct stats_table tables[STATS_TABLES_MAX];
	size_t table_count;
	struct histogram histogram;
};

/* What the dumps say that they have not; of all of them, whatever was selected. */
struct stats_lost {
	uint64_t overwritten, dropped, truncated, torn, gaps, gap_events;
};

struct stats_lost stats_lost(const struct stats *stats);
/* A second; NAN where there is no time between the first and the last. */
double stats_rate(const struct stats *stats, uint64_t events);

/* Parts that a difference is made of, too; a number that is none is null. */
void stats_json_uint(struct out *out, const char *key, uint64_t number);
void stats_json_real(struct out *out, const char *key, double number);
/* Integers with all of their digits. */
void stats_json_number(struct out *out, const char *key, long double number, bool real);
/* "key", an object. */
void stats_json_key(struct out *out, const struct group_by *by, const struct group *group);

int stats_text_end(void *state, bool complete);
int stats_json_end(void *state, bool complete);

#endif
