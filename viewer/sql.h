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

/*
 * 0 or a negative errno; why was said after -EINVAL (the statement) and -ETIME (a bound that it
 * met, or what went wrong on the way). ret_shown->events: rows.
 */
int sql_run(struct out *out, struct options *options, struct dump *const *dumps, size_t dump_count,
	    struct shown *ret_shown);

#endif
