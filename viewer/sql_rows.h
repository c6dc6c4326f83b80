/* SPDX-License-Identifier: MIT */
/* sql_rows.h - rows that a statement gives, lined up for people, or as JSON or CSV. */
#ifndef VIEWER_SQL_ROWS_H
#define VIEWER_SQL_ROWS_H

#include <stdbool.h>

#include "viewer/out.h"

struct sqlite3_stmt;

enum sql_rows_kind { SQL_ROWS_TEXT, SQL_ROWS_JSON, SQL_ROWS_CSV };

/*
 * Runs it to its end, to an error of the output, or to so many bytes of it (0: any number), when the
 * code is SQLITE_ROW. Returns SQLite's last code.
 */
int sql_rows_show(struct out *out, struct sqlite3_stmt *statement, enum sql_rows_kind kind,
		  size_t bytes_max, uint64_t *ret_rows);

#endif
