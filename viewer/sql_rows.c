/* SPDX-License-Identifier: MIT */
#include "viewer/sql_rows.h"

#ifdef TTLOG_HAVE_SQLITE

#include <math.h>
#include <sqlite3.h>
#include <string.h>

#include "viewer/format_json.h"
#include "viewer/format_table.h"

#define COLUMNS_WIDE 256
#define WIDTH_MAX 60
#define HELD_BYTES (256u << 10) /* of rows that columns are lined up by */

struct sql_rows {
	struct out *out, cell, held;
	sqlite3_stmt *statement;
	int count;
	size_t width[COLUMNS_WIDE];
	bool released; /* and no longer held */
};

static struct span name_of(const struct sql_rows *rows, int column)
{
	const char *name = sqlite3_column_name(rows->statement, column);

	return (struct span){name ? name : "", name ? strlen(name) : 0};
}

/* What is NULL is empty. Blobs as digits. */
static struct span text_of(struct sql_rows *rows, int column)
{
	sqlite3_stmt *statement = rows->statement;
	const int type = sqlite3_column_type(statement, column);
	const char *data;

	if (type == SQLITE_NULL)
		return (struct span){"", 0};
	data = type == SQLITE_BLOB ? sqlite3_column_blob(statement, column)
				   : (const char *)sqlite3_column_text(statement, column);
	if (!data)
		return (struct span){"", 0};
	const struct span span = {data, (size_t)sqlite3_column_bytes(statement, column)};

	if (type != SQLITE_BLOB)
		return span;
	rows->cell.bytes = 0;
	out_hex(&rows->cell, span);
	return span_of(&rows->cell);
}

static bool is_number(const struct sql_rows *rows, int column)
{
	const int type = sqlite3_column_type(rows->statement, column);

	return type == SQLITE_INTEGER || type == SQLITE_FLOAT;
}

/* ---- json, csv --------------------------------------------------------------------------------
 */

static void json_row(struct sql_rows *rows)
{
	out_char(rows->out, '{');
	for (int i = 0; i < rows->count; i++) {
		const int type = sqlite3_column_type(rows->statement, i);

		if (i)
			out_char(rows->out, ',');
		out_json_string(rows->out, name_of(rows, i));
		out_char(rows->out, ':');
		if (type == SQLITE_NULL ||
		    (type == SQLITE_FLOAT && !isfinite(sqlite3_column_double(rows->statement, i))))
			out_text(rows->out, "null");
		else if (is_number(rows, i))
			out_span(rows->out, text_of(rows, i));
		else
			out_json_string(rows->out, text_of(rows, i));
	}
	out_text(rows->out, "}\n");
}

static void csv_row(struct sql_rows *rows, bool names)
{
	for (int i = 0; i < rows->count; i++) {
		if (i)
			out_char(rows->out, ',');
		format_csv_cell(rows->out, names ? name_of(rows, i) : text_of(rows, i),
				names || !is_number(rows, i));
	}
	out_char(rows->out, '\n');
}

/* ---- text -------------------------------------------------------------------------------------
 */

static void put_cell(struct sql_rows *rows, int column, struct span text, size_t taken, bool right)
{
	const size_t width = column < COLUMNS_WIDE ? rows->width[column] : 0;
	const size_t pad = taken < width ? width - taken : 0;

	out_text(rows->out, column ? "  " : "");
	out_pad(rows->out, ' ', right ? pad : 0);
	out_span(rows->out, text);
	if (column + 1 < rows->count)
		out_pad(rows->out, ' ', right ? 0 : pad);
	if (column + 1 == rows->count)
		out_char(rows->out, '\n');
}

/* A held cell: how many columns it takes, whether it is a number, its bytes. */
struct held_cell {
	size_t taken, bytes;
	bool right;
};

static void hold(struct sql_rows *rows, int column, struct held_cell cell, struct span text)
{
	out_bytes(&rows->held, (const char *)&cell, sizeof(cell));
	out_span(&rows->held, text);
	if (column < COLUMNS_WIDE && cell.taken > rows->width[column])
		rows->width[column] = cell.taken < WIDTH_MAX ? cell.taken : WIDTH_MAX;
}

static void release(struct sql_rows *rows)
{
	struct held_cell cell;
	size_t at = 0;

	for (int i = 0; !rows->held.error && at + sizeof(cell) <= rows->held.bytes;
	     i = (i + 1) % rows->count) {
		memcpy(&cell, rows->held.data + at, sizeof(cell));
		at += sizeof(cell);
		put_cell(rows, i, (struct span){rows->held.data + at, cell.bytes}, cell.taken,
			 cell.right);
		at += cell.bytes;
	}
	rows->released = true;
	rows->held.bytes = 0;
}

static void text_row(struct sql_rows *rows, bool names)
{
	struct out shown;

	out_init(&shown, -1);
	for (int i = 0; i < rows->count; i++) {
		const bool missing = !names &&
				     sqlite3_column_type(rows->statement, i) == SQLITE_NULL;
		const struct span text = names ? name_of(rows, i) : text_of(rows, i);
		const bool right = !names && is_number(rows, i);
		size_t taken;

		shown.bytes = 0;
		taken = missing ? 1 : out_escaped(&shown, text, 0);
		if (missing)
			out_char(&shown, '-');
		if (rows->released)
			put_cell(rows, i, span_of(&shown), taken, right);
		else
			hold(rows, i, (struct held_cell){taken, shown.bytes, right},
			     span_of(&shown));
	}
	out_fini(&shown);
	if (!rows->released && rows->held.bytes > HELD_BYTES)
		release(rows);
}

int sql_rows_show(struct out *out, sqlite3_stmt *statement, enum sql_rows_kind kind,
		  size_t bytes_max, uint64_t *ret_rows)
{
	struct sql_rows rows = {.out = out, .statement = statement};
	int code = SQLITE_DONE;

	rows.count = sqlite3_column_count(statement);
	out_init(&rows.cell, -1);
	out_init(&rows.held, -1);
	*ret_rows = 0;
	if (rows.count && kind == SQL_ROWS_CSV)
		csv_row(&rows, true);
	else if (rows.count && kind == SQL_ROWS_TEXT)
		text_row(&rows, true);
	while (!out->error && (code = sqlite3_step(statement)) == SQLITE_ROW) {
		++*ret_rows;
		if (kind == SQL_ROWS_JSON)
			json_row(&rows);
		else if (kind == SQL_ROWS_CSV)
			csv_row(&rows, false);
		else
			text_row(&rows, false);
		if (bytes_max && out->bytes >= bytes_max)
			break;
	}
	if (kind == SQL_ROWS_TEXT && !rows.released && rows.count)
		release(&rows);
	if (rows.held.error || rows.cell.error)
		code = SQLITE_NOMEM;
	out_fini(&rows.cell);
	out_fini(&rows.held);
	return code;
}

#endif
