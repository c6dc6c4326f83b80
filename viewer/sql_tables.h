/* SPDX-License-Identifier: MIT */
/* sql_tables.h - the dumps as tables of SQLite's: see sql.h. */
#ifndef VIEWER_SQL_TABLES_H
#define VIEWER_SQL_TABLES_H

#include "viewer/select.h"

struct sqlite3;
struct sql_cursor;

struct sql_source {
	struct dump *const *dumps;
	size_t dump_count;
	struct selection *selection;
	bool begun;		    /* the dumps are no longer at their start */
	/* Of what is selected, which; by the number of its dump. NULL: all. */
	bool (*wants)(void *context, size_t dump, const struct event *event);
	bool (*stop)(void *context); /* whether it is to end; NULL: it is not */
	void *context;
	struct sql_cursor *cursors; /* all that are open */
};

/* 0 or a negative errno. The source outlives the database. */
int sql_tables_add(struct sqlite3 *database, struct sql_source *source);

#endif
