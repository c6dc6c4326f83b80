/* SPDX-License-Identifier: MIT */
/*
 * sql.h - a SELECT over the dumps, by SQLite's virtual tables: nothing is stored, rows are made as
 * they are asked for.
 *
 *   dumps, events, fields     as the format sqlite makes them; of the events that were selected
 *
 * Each scan of a table reads the dumps anew, but for the fields of an event that is being looked
 * at. Only reading is allowed, and no more than so much memory and time.
 */
#ifndef VIEWER_SQL_H
#define VIEWER_SQL_H

#include "viewer/show.h"

#define SQL_SECONDS 300
#define SQL_MEMORY_BYTES (64 << 20)

#define SQL_WHY_BYTES 256

struct sql_question {
	const char *statement;
	unsigned int seconds; /* 0: SQL_SECONDS */
	struct dump *const *dumps;
	size_t dump_count;
	struct selection *selection;
	bool busy; /* these dumps are in use: they are opened again */
	/* Of the events that are selected those that this wants; by the dump's number. NULL: all. */
	bool (*wants)(void *context, size_t dump, const struct event *event);
	/* Asked all the time: is it to end? NULL: nobody is there to say so. */
	bool (*stop)(void *context);
	void *context;
	size_t bytes_max; /* of what is shown; 0: as much as there is */
	enum { SQL_AS_TEXT, SQL_AS_JSON, SQL_AS_CSV } shown;
};

/*
 * 0 or a negative errno; *ret_why has words after -EINVAL and -ETIME. -ECANCELED: it was stopped,
 * -EFBIG: there are more rows than may be shown; what was found until then is in `out`.
 * *ret_rows is counted while they are found.
 */
int sql_ask(struct out *out, const struct sql_question *question, uint64_t *ret_rows,
	    char ret_why[SQL_WHY_BYTES]);

/*
 * The same for the command line.
 * 0 or a negative errno; why was said after -EINVAL (the statement) and -ETIME (a bound that it
 * met, or what went wrong on the way). ret_shown->events: rows.
 */
int sql_run(struct out *out, struct options *options, struct dump *const *dumps, size_t dump_count,
	    struct shown *ret_shown);

#endif
