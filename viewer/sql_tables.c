/* SPDX-License-Identifier: MIT */
#include "viewer/sql_tables.h"

#ifdef TTLOG_HAVE_SQLITE

#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "viewer/columns.h"
#include "viewer/format_json.h"
#include "viewer/sql_give.h"

#define LOOK_EVENTS 65536u /* that nobody wants, between two looks whether to go on */

enum table_kind { TABLE_DUMPS, TABLE_EVENTS, TABLE_FIELDS, TABLE_COUNT };

static const char *const names[TABLE_COUNT] = {"dumps", "events", "fields"};
static const char *const schemas[TABLE_COUNT] = {
	"CREATE TABLE dumps (dump INTEGER, path TEXT, service TEXT, host TEXT, pid INTEGER, reason "
	"TEXT,"
	" created_ns INTEGER, death_ns INTEGER, how TEXT, signal TEXT, sentence TEXT, events "
	"INTEGER,"
	" overwritten INTEGER, dropped INTEGER)",
	"CREATE TABLE events (event INTEGER, dump INTEGER, seq INTEGER, ts_ns INTEGER, ts TEXT, "
	"level TEXT,"
	" severity INTEGER, target TEXT, msg TEXT, tid INTEGER, thread TEXT, channel TEXT, lane "
	"TEXT,"
	" file TEXT, line INTEGER, func TEXT, fields TEXT)",
	"CREATE TABLE fields (event INTEGER, name TEXT, value)",
};

struct sql_table {
	sqlite3_vtab base;
	struct sql_source *source;
	enum table_kind kind;
};

struct sql_cursor {
	sqlite3_vtab_cursor base;
	struct sql_cursor *next;
	struct dump *const *dumps; /* the source's, or own */
	struct dump **own;
	size_t own_count;
	struct select *select;
	struct record record;
	struct value *values; /* of the event: the record's, or a copy of another cursor's */
	uint32_t value_count, value_at;
	struct value copies[DUMP_FIELDS_MAX];
	uint64_t event, wanted; /* wanted: 0, or the only one */
	size_t dump;
	uint64_t row;
	bool end, stopped;
	struct out text, scratch, kept;
};

static struct sql_table *table_of(struct sql_cursor *cursor)
{
	return (struct sql_table *)cursor->base.pVtab;
}

static int fail(struct sql_table *table, const char *why)
{
	sqlite3_free(table->base.zErrMsg);
	table->base.zErrMsg = sqlite3_mprintf("%s", why);
	return SQLITE_ERROR;
}

/* ---- tables -----------------------------------------------------------------------------------
 */

static int connect_table(sqlite3 *database, void *context, int argc, const char *const *argv,
			 sqlite3_vtab **ret_table, char **ret_why)
{
	struct sql_table *table;
	enum table_kind kind = TABLE_DUMPS;
	int code;

	(void)argc;
	(void)ret_why;
	while (kind < TABLE_FIELDS && strcmp(names[kind], argv[0]) != 0)
		kind++;
	code = sqlite3_declare_vtab(database, schemas[kind]);
	if (code != SQLITE_OK)
		return code;
	table = calloc(1, sizeof(*table));
	if (!table)
		return SQLITE_NOMEM;
	table->source = context;
	table->kind = kind;
	*ret_table = &table->base;
	return SQLITE_OK;
}

static int disconnect_table(sqlite3_vtab *table)
{
	free(table);
	return SQLITE_OK;
}

/* Fields of one event are cheap: somebody is most likely looking at it. */
static int best_index(sqlite3_vtab *base, sqlite3_index_info *info)
{
	const struct sql_table *table = (const struct sql_table *)base;

	info->estimatedCost = table->kind == TABLE_EVENTS ? 1e6 : 6e6;
	info->estimatedRows = table->kind == TABLE_EVENTS ? 1000000 : 5000000;
	if (table->kind == TABLE_DUMPS) {
		info->estimatedCost = (double)table->source->dump_count;
		info->estimatedRows = (sqlite3_int64)table->source->dump_count;
	}
	for (int i = 0; table->kind == TABLE_FIELDS && i < info->nConstraint; i++) {
		if (!info->aConstraint[i].usable || info->aConstraint[i].iColumn != 0 ||
		    info->aConstraint[i].op != SQLITE_INDEX_CONSTRAINT_EQ)
			continue;
		info->aConstraintUsage[i].argvIndex = 1;
		info->idxNum = 1;
		info->estimatedCost = 20;
		info->estimatedRows = 5;
		break;
	}
	return SQLITE_OK;
}

/* ---- cursors ----------------------------------------------------------------------------------
 */

static int open_cursor(sqlite3_vtab *base, sqlite3_vtab_cursor **ret_cursor)
{
	struct sql_source *source = ((struct sql_table *)base)->source;
	struct sql_cursor *cursor = calloc(1, sizeof(*cursor));

	if (!cursor)
		return SQLITE_NOMEM;
	cursor->next = source->cursors;
	source->cursors = cursor;
	cursor->end = true;
	out_init(&cursor->text, -1);
	out_init(&cursor->scratch, -1);
	out_init(&cursor->kept, -1);
	*ret_cursor = &cursor->base;
	return SQLITE_OK;
}

static void end_scan(struct sql_cursor *cursor)
{
	select_close(cursor->select);
	cursor->select = NULL;
	for (size_t i = 0; i < cursor->own_count; i++)
		dump_close(cursor->own[i]);
	free(cursor->own);
	cursor->own = NULL;
	cursor->own_count = 0;
	cursor->end = true;
}

static int close_cursor(sqlite3_vtab_cursor *base)
{
	struct sql_cursor *cursor = (struct sql_cursor *)base;
	struct sql_cursor **at = &table_of(cursor)->source->cursors;

	while (*at != cursor)
		at = &(*at)->next;
	*at = cursor->next;
	end_scan(cursor);
	out_fini(&cursor->text);
	out_fini(&cursor->scratch);
	out_fini(&cursor->kept);
	free(cursor);
	return SQLITE_OK;
}

/* A pipe would give nothing, or block; the standard input has no path. */
static bool can_be_read_again(const char *path)
{
	struct stat stat_of;

	return strcmp(path, "standard input") != 0 && stat(path, &stat_of) == 0 &&
	       S_ISREG(stat_of.st_mode);
}

/* The dumps from their start: as they were opened for whoever is first, opened again for all
 * others. */
static int begin_scan(struct sql_cursor *cursor)
{
	struct sql_table *table = table_of(cursor);
	struct sql_source *source = table->source;
	const char *why;

	cursor->dumps = source->dumps;
	if (source->begun) {
		cursor->own = calloc(source->dump_count, sizeof(struct dump *));
		if (!cursor->own)
			return SQLITE_NOMEM;
		cursor->dumps = cursor->own;
	}
	for (; source->begun && cursor->own_count < source->dump_count; cursor->own_count++) {
		const char *path = dump_path(source->dumps[cursor->own_count]);

		if (!can_be_read_again(path))
			return fail(table, "what is no file can be read only once: save it first");
		if (dump_open(&cursor->own[cursor->own_count], path, &why))
			return fail(table, why);
	}
	source->begun = true;
	if (select_open(&cursor->select, source->selection, cursor->dumps, source->dump_count))
		return fail(table, "the dumps can't be read");
	cursor->end = false;
	cursor->event = 0;
	return SQLITE_OK;
}

static sqlite3_int64 dump_number(const struct sql_cursor *cursor)
{
	sqlite3_int64 number = 0;

	while (cursor->dumps[number] != cursor->record.event.dump)
		number++;
	return number + 1;
}

/* What is not selected, but not wanted either, is passed over; that may take long. */
static bool find_wanted(struct sql_cursor *cursor)
{
	const struct sql_source *source = table_of(cursor)->source;
	uint64_t passed = 0;

	while (select_next(cursor->select, &cursor->record)) {
		if (!source->wants || source->wants(source->context, (size_t)dump_number(cursor) - 1,
						    &cursor->record.event))
			return true;
		if (++passed % LOOK_EVENTS == 0 && source->stop && source->stop(source->context)) {
			cursor->stopped = true;
			return false;
		}
	}
	return false;
}

static int next_event(struct sql_cursor *cursor)
{
	if (!find_wanted(cursor)) {
		cursor->end = true;
		if (cursor->stopped)
			return SQLITE_INTERRUPT;
		return select_error(cursor->select)
			       ? fail(table_of(cursor), "too much to turn around")
			       : SQLITE_OK;
	}
	cursor->event++;
	return SQLITE_OK;
}

static bool copy_span(struct out *kept, struct span *span)
{
	const struct span from = *span;

	span->data = (const char *)(uintptr_t)kept->bytes; /* an offset, until all are there */
	out_span(kept, from);
	return !kept->error;
}

/* A copy: the other cursor may go on, and close its dumps. */
static int borrow(struct sql_cursor *cursor, struct sql_cursor *from)
{
	bool copied = true;

	record_decode(&from->record);
	cursor->kept.bytes = 0;
	cursor->values = cursor->copies;
	cursor->value_count = from->record.count;
	for (uint32_t i = 0; i < cursor->value_count && copied; i++) {
		cursor->copies[i] = from->record.value[i];
		copied = copy_span(&cursor->kept, &cursor->copies[i].name) &&
			 copy_span(&cursor->kept, &cursor->copies[i].span);
	}
	if (!copied)
		return SQLITE_NOMEM;
	for (uint32_t i = 0; i < cursor->value_count; i++) {
		struct value *value = &cursor->copies[i];
		const char *data = cursor->kept.data ? cursor->kept.data : "";

		value->name.data = data + (uintptr_t)value->name.data;
		value->span.data = data + (uintptr_t)value->span.data;
	}
	cursor->event = from->event;
	cursor->end = !cursor->value_count;
	return SQLITE_OK;
}

/* To the next event that has some. */
static int seek_fields(struct sql_cursor *cursor)
{
	int code = SQLITE_OK;

	while (code == SQLITE_OK && !cursor->end && cursor->value_at >= cursor->value_count) {
		if (!cursor->select || (cursor->wanted && cursor->event >= cursor->wanted)) {
			cursor->end = true;
			break;
		}
		code = next_event(cursor);
		cursor->value_at = cursor->value_count = 0;
		if (cursor->end || (cursor->wanted && cursor->event != cursor->wanted))
			continue;
		record_decode(&cursor->record);
		cursor->values = cursor->record.value;
		cursor->value_count = cursor->record.count;
	}
	return code;
}

static int filter_fields(struct sql_cursor *cursor)
{
	struct sql_cursor *from = table_of(cursor)->source->cursors;
	int code;

	cursor->value_at = cursor->value_count = 0;
	for (; from && cursor->wanted; from = from->next)
		if (table_of(from)->kind == TABLE_EVENTS && !from->end &&
		    from->event == cursor->wanted)
			return borrow(cursor, from);
	code = begin_scan(cursor);
	return code == SQLITE_OK ? seek_fields(cursor) : code;
}

static int filter(sqlite3_vtab_cursor *base, int how, const char *text, int argc,
		  sqlite3_value **argv)
{
	struct sql_cursor *cursor = (struct sql_cursor *)base;
	const enum table_kind kind = table_of(cursor)->kind;
	int code;

	(void)text;
	end_scan(cursor);
	cursor->row = 1;
	cursor->dump = 0;
	cursor->wanted = 0;
	if (how == 1 && argc == 1) {
		const sqlite3_int64 wanted = sqlite3_value_int64(argv[0]);

		if (sqlite3_value_type(argv[0]) == SQLITE_NULL || wanted < 1)
			return SQLITE_OK;
		cursor->wanted = (uint64_t)wanted;
	}
	if (kind == TABLE_FIELDS)
		return filter_fields(cursor);
	if (kind == TABLE_DUMPS) {
		cursor->end = !table_of(cursor)->source->dump_count;
		return SQLITE_OK;
	}
	code = begin_scan(cursor);
	return code == SQLITE_OK ? next_event(cursor) : code;
}

static int next(sqlite3_vtab_cursor *base)
{
	struct sql_cursor *cursor = (struct sql_cursor *)base;
	const struct sql_table *table = table_of(cursor);

	cursor->row++;
	if (table->kind == TABLE_EVENTS)
		return next_event(cursor);
	if (table->kind == TABLE_DUMPS) {
		cursor->end = ++cursor->dump >= table->source->dump_count;
		return SQLITE_OK;
	}
	cursor->value_at++;
	return seek_fields(cursor);
}

static int at_end(sqlite3_vtab_cursor *base)
{
	return ((struct sql_cursor *)base)->end;
}

static int row_id(sqlite3_vtab_cursor *base, sqlite3_int64 *ret_row)
{
	*ret_row = (sqlite3_int64)((struct sql_cursor *)base)->row;
	return SQLITE_OK;
}

static void dump_column(struct sql_cursor *cursor, sqlite3_context *to, int column)
{
	const struct dump *dump = table_of(cursor)->source->dumps[cursor->dump];
	const struct meta *meta = dump_meta(dump);
	const struct span path = {dump_path(dump), strlen(dump_path(dump))};
	const struct span texts[] = {
		[1] = path,	     [2] = meta->service,	 [3] = meta->hostname,
		[5] = meta->reason,  [8] = meta->cause.how,	 [9] = meta->cause.signal_name,
		[13] = {NULL, 0},    [10] = meta->cause.sentence,
	};
	const struct number numbers[] = {
		[0] = {cursor->dump + 1, true}, [4] = meta->pid,     [6] = meta->created_ns,
		[7] = meta->death_ns,		[11] = meta->events, [12] = meta->overwritten,
		[13] = meta->dropped,
	};

	if (texts[column].data)
		sql_give_text(&cursor->text, to, texts[column]);
	else
		sql_give_number(to, numbers[column]);
}

/* COLUMN_FIELDS is the severity, where it stands. */
static const enum column_kind kinds[] = {
	COLUMN_SEQ,    COLUMN_TS_NS, COLUMN_TS,	  COLUMN_LEVEL,	 COLUMN_FIELDS,
	COLUMN_TARGET, COLUMN_MSG,   COLUMN_TID,  COLUMN_THREAD, COLUMN_CHANNEL,
	COLUMN_LANE,   COLUMN_FILE,  COLUMN_LINE, COLUMN_FUNC,
};

static void event_column(struct sql_cursor *cursor, sqlite3_context *to, int column)
{
	const int count = (int)(sizeof(kinds) / sizeof(*kinds));
	struct cell cell;

	if (column < 2) {
		sqlite3_result_int64(to,
				     column ? dump_number(cursor) : (sqlite3_int64)cursor->event);
	} else if (column - 2 >= count) {
		record_decode(&cursor->record);
		cursor->text.bytes = cursor->scratch.bytes = 0;
		format_json_fields(&cursor->text, &cursor->scratch, NULL, &cursor->record);
		sqlite3_result_text64(to, cursor->text.data, cursor->text.bytes, SQLITE_TRANSIENT,
				      SQLITE_UTF8);
	} else if (kinds[column - 2] == COLUMN_FIELDS) {
		sqlite3_result_int(to, (int)cursor->record.event.site->level);
	} else {
		cell = column_cell(&(struct column){kinds[column - 2], {0}}, &cursor->record,
				   &cursor->scratch);
		if (cell.kind == CELL_TEXT)
			sql_give_text(&cursor->text, to, cell.text);
		else
			sql_give_number(to, (struct number){cell.number, cell.kind != CELL_MISSING});
	}
}

static int column(sqlite3_vtab_cursor *base, sqlite3_context *to, int number)
{
	struct sql_cursor *cursor = (struct sql_cursor *)base;
	const struct value *value = &cursor->values[cursor->value_at];

	if (table_of(cursor)->kind == TABLE_DUMPS)
		dump_column(cursor, to, number);
	else if (table_of(cursor)->kind == TABLE_EVENTS)
		event_column(cursor, to, number);
	else if (number == 0)
		sqlite3_result_int64(to, (sqlite3_int64)cursor->event);
	else if (number == 1)
		sql_give_text(&cursor->text, to, value->name);
	else
		sql_give_value(&cursor->text, &cursor->scratch, to, value);
	return SQLITE_OK;
}

/* Without create: they are there, and there are no others. */
static const sqlite3_module module = {
	.xConnect = connect_table,
	.xBestIndex = best_index,
	.xDisconnect = disconnect_table,
	.xOpen = open_cursor,
	.xClose = close_cursor,
	.xFilter = filter,
	.xNext = next,
	.xEof = at_end,
	.xColumn = column,
	.xRowid = row_id,
};

int sql_tables_add(sqlite3 *database, struct sql_source *source)
{
	int code = SQLITE_OK;

	for (int i = 0; i < TABLE_COUNT && code == SQLITE_OK; i++)
		code = sqlite3_create_module(database, names[i], &module, source);
	return code == SQLITE_OK ? 0 : -ENOMEM;
}

#endif
