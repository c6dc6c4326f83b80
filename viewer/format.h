/* SPDX-License-Identifier: MIT */
/*
 * format.h - the formats that events are shown in: one table, a few functions each.
 *
 * Whoever shows events opens a format, gives it the events in the order that they are to appear in,
 * ends it, closes it. What a format writes to `out` has its errors there; what it writes elsewhere
 * (a folder, a database) it says by what it returns.
 *
 *   open ---> event, any number ---> end ---> close      close is legal after a failed event or end
 */
#ifndef VIEWER_FORMAT_H
#define VIEWER_FORMAT_H

#include "viewer/dump_reader.h"
#include "viewer/out.h"

/* What --time asks for: how a time is written where people read it. */
enum time_mode {
	TIME_BOTH,    /* nobody asked: relative to the death, and the time of day */
	TIME_CRASH,   /* relative to the death */
	TIME_DELTA,   /* since the event above */
	TIME_DAY_UTC, /* the time of day */
	TIME_DAY_LOCAL,
	TIME_UNIX,	/* seconds since 1970 */
	TIME_MONOTONIC, /* seconds since that machine was started */
	TIME_COUNT,
};

/* What --fields asks for: see columns.h. */
struct columns;
/* What --stats and its like ask for: see stats.h. */
struct stats_wish;

/* What a format needs to know. All of it outlives the format. */
struct format_env {
	struct out *out;
	struct dump *const *dumps; /* whose events there will be */
	size_t dump_count;
	const char *output;	       /* --output; NULL: the standard output */
	const struct columns *columns; /* NULL: what the format itself shows */
	const struct stats_wish *stats;
	enum time_mode time;
	bool colour;
	bool reverse;	    /* the newest comes first */
	unsigned int width; /* of the terminal in columns; 0: it is none */
};

/* What a format is like, for whoever calls it. */
#define FORMAT_PEOPLE 1u  /* lines for people: colours, a pager */
#define FORMAT_BINARY 2u  /* not for a terminal */
#define FORMAT_FILE 4u	  /* makes the file of --output itself, and needs one */
#define FORMAT_FOLDER 8u  /* the same with a folder */
#define FORMAT_ABSENT 16u /* was left out when this program was built */

struct format {
	const char *name, *help;
	unsigned int flags;
	/* Each 0 or a negative errno. *ret_state is the format's own, NULL after an error. */
	int (*open)(void **ret_state, const struct format_env *env);
	int (*event)(void *state, struct record *record);
	/* complete: nothing was left out behind the last event. */
	int (*end)(void *state, bool complete);
	void (*close)(void *state); /* NULL is fine */
};

/* The table, in the order of the help; ends with a NULL. The first is the default. */
extern const struct format *const formats[];

/* NULL: there is none of that name. */
const struct format *format_find(const char *name);
/* TIME_COUNT: there is none of that name. */
enum time_mode time_mode_find(const char *name);
const char *time_mode_name(enum time_mode mode); /* TIME_BOTH has "" */

#endif
