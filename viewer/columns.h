/* SPDX-License-Identifier: MIT */
/*
 * columns.h - what of an event is shown, and in which order: --fields, or what a format shows by
 * itself.
 *
 *   --fields time,level,msg,status,fields.level
 *
 * The names are those that queries and JSON have: time (as --time says) ts ts_ns seq level target
 * msg pid tid thread channel lane service host file line func, "fields" for all of the event's own,
 * and any other for one of these ("fields.NAME" for one that is named like something else).
 */
#ifndef VIEWER_COLUMNS_H
#define VIEWER_COLUMNS_H

#include "viewer/dump_reader.h"
#include "viewer/out.h"

#define COLUMNS_MAX 64

enum column_kind {
	COLUMN_TIME,
	COLUMN_TS,
	COLUMN_TS_NS,
	COLUMN_SEQ,
	COLUMN_LEVEL,
	COLUMN_TARGET,
	COLUMN_MSG,
	COLUMN_PID,
	COLUMN_TID,
	COLUMN_THREAD,
	COLUMN_CHANNEL,
	COLUMN_LANE,
	COLUMN_SERVICE,
	COLUMN_HOST,
	COLUMN_FILE,
	COLUMN_LINE,
	COLUMN_FUNC,
	COLUMN_FIELDS,
	COLUMN_FIELD,
};

struct column {
	enum column_kind kind;
	struct span name; /* "level"; of a field its own */
};

struct columns {
	struct column column[COLUMNS_MAX];
	uint32_t count;
	char *text; /* what the names point into */
};

/* 0, -EINVAL (a name is empty, or there are none or too many) or -ENOMEM. */
int columns_parse(struct columns **ret_columns, const char *text);
void columns_close(struct columns *columns); /* NULL is fine */

/*
 * What an event has in a column. Texts are raw bytes. COLUMN_TIME is the caller's own affair, and
 * so is COLUMN_FIELDS.
 */
enum cell_kind { CELL_MISSING, CELL_TEXT, CELL_UINT, CELL_INT, CELL_VALUE };

struct cell {
	enum cell_kind kind;
	struct span text;
	uint64_t number; /* of CELL_INT in two's complement */
	const struct value *value;
};

/* Texts that have to be made are put into the scratch, which is emptied before. The record is
 * decoded. */
struct cell column_cell(const struct column *column, struct record *record, struct out *scratch);

/* Is one of the event's own fields, of that name, among them? NULL: all are. */
bool columns_have_field(const struct columns *columns, struct span name);

#endif
