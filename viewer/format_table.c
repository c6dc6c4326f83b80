/* SPDX-License-Identifier: MIT */
#include "viewer/format_table.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "viewer/columns.h"
#include "viewer/format_json.h"
#include "viewer/message.h"
#include "viewer/stamp.h"

struct format_table {
	struct out *out, scratch, made;
	struct stamps stamps;
	const struct column *columns;
	uint32_t column_count;
	int64_t before_ns;
	bool have_before;
};

static const struct column csv_columns[] = {
	{COLUMN_TS, {"ts", 2}},		  {COLUMN_TS_NS, {"ts_ns", 5}},
	{COLUMN_SEQ, {"seq", 3}},	  {COLUMN_LEVEL, {"level", 5}},
	{COLUMN_TARGET, {"target", 6}},	  {COLUMN_MSG, {"msg", 3}},
	{COLUMN_PID, {"pid", 3}},	  {COLUMN_TID, {"tid", 3}},
	{COLUMN_THREAD, {"thread", 6}},	  {COLUMN_CHANNEL, {"channel", 7}},
	{COLUMN_SERVICE, {"service", 7}}, {COLUMN_HOST, {"host", 4}},
	{COLUMN_FILE, {"file", 4}},	  {COLUMN_LINE, {"line", 4}},
	{COLUMN_FUNC, {"func", 4}},	  {COLUMN_FIELDS, {"fields", 6}},
};

static const struct column logfmt_columns[] = {
	{COLUMN_TS, {"ts", 2}},		  {COLUMN_LEVEL, {"level", 5}},
	{COLUMN_TARGET, {"target", 6}},	  {COLUMN_MSG, {"msg", 3}},
	{COLUMN_PID, {"pid", 3}},	  {COLUMN_TID, {"tid", 3}},
	{COLUMN_THREAD, {"thread", 6}},	  {COLUMN_CHANNEL, {"channel", 7}},
	{COLUMN_SERVICE, {"service", 7}}, {COLUMN_FIELDS, {"fields", 6}},
};

static void table_close(void *state)
{
	struct format_table *table = state;

	if (!table)
		return;
	out_fini(&table->scratch);
	out_fini(&table->made);
	stamps_fini(&table->stamps);
	free(table);
}

static int table_open(void **ret_state, const struct format_env *env, const struct column *columns,
		      uint32_t count)
{
	struct format_table *table = calloc(1, sizeof(*table));

	if (!table)
		return -ENOMEM;
	out_init(&table->scratch, -1);
	out_init(&table->made, -1);
	if (stamps_init(&table->stamps, env->dumps, env->dump_count,
			env->time == TIME_BOTH ? TIME_CRASH : env->time)) {
		table_close(table);
		return -ENOMEM;
	}
	table->out = env->out;
	table->columns = env->columns ? env->columns->column : columns;
	table->column_count = env->columns ? env->columns->count : count;
	*ret_state = table;
	return 0;
}

static int table_end(void *state, bool complete)
{
	(void)state;
	(void)complete;
	return 0;
}

static void put_time(struct format_table *table, const struct event *event)
{
	stamp_write(&table->stamps, &table->made, dump_meta(event->dump), event->time_ns,
		    table->have_before ? table->before_ns : event->time_ns, true);
}

/* Into `made`, as plain bytes. True: text, which may hold anything. */
static bool make(struct format_table *table, const struct column *column, struct record *record)
{
	struct cell cell;

	table->made.bytes = 0;
	if (column->kind == COLUMN_TIME) {
		put_time(table, &record->event);
		return false;
	}
	cell = column_cell(column, record, &table->scratch);
	switch (cell.kind) {
	case CELL_MISSING:
		break;
	case CELL_TEXT:
		out_span(&table->made, cell.text);
		return true;
	case CELL_UINT:
		out_uint(&table->made, cell.number);
		break;
	case CELL_INT:
		out_int(&table->made, (int64_t)cell.number);
		break;
	case CELL_VALUE:
		value_write(&table->made, cell.value);
		return cell.value->kind == VALUE_TEXT || cell.value->type == FIELD_CHAR;
	}
	return false;
}

static int stepped(struct format_table *table, const struct record *record)
{
	out_char(table->out, '\n');
	table->before_ns = record->event.time_ns;
	table->have_before = true;
	return table->scratch.error ? table->scratch.error : table->made.error;
}

/* Valid UTF-8, whatever the bytes were; no NUL, which many readers of text take for an end. */
static void put_sound(struct out *out, struct span span, char doubled)
{
	size_t at = 0, length, plain;
	uint32_t code = 0;

	while (at < span.bytes) {
		for (plain = at;
		     plain < span.bytes && (unsigned char)span.data[plain] >= ' ' &&
		     (unsigned char)span.data[plain] < 0x7f && span.data[plain] != doubled;
		     plain++)
			;
		if (plain > at) {
			out_bytes(out, span.data + at, plain - at);
			at = plain;
			continue;
		}
		length = utf8_next(span.data + at, span.bytes - at, &code);
		if (!length || !code)
			out_text(out, "\xef\xbf\xbd");
		else if (code == (unsigned char)doubled)
			out_bytes(out, (char[]){doubled, doubled}, 2);
		else
			out_bytes(out, span.data + at, length);
		at += length ? length : 1;
	}
}

/* ---- CSV --------------------------------------------------------------------------------------
 */

void format_csv_cell(struct out *out, struct span span, bool text)
{
	bool formula = text && span.bytes && span.data[0] && strchr("=+-@\t\r", span.data[0]);
	bool quoted = formula;

	for (size_t i = 0; i < span.bytes && !quoted; i++)
		quoted = span.data[i] == ',' || span.data[i] == '"' || span.data[i] == '\n' ||
			 span.data[i] == '\r';
	/* Some readers cut off the spaces of what is not quoted. */
	quoted |= span.bytes && (span.data[0] == ' ' || span.data[span.bytes - 1] == ' ');
	if (quoted)
		out_char(out, '"');
	if (formula)
		out_char(out, '\'');
	put_sound(out, span, '"');
	if (quoted)
		out_char(out, '"');
}

static int csv_open(void **ret_state, const struct format_env *env)
{
	struct format_table *table;
	int error =
		table_open(ret_state, env, csv_columns, sizeof(csv_columns) / sizeof(*csv_columns));

	if (error)
		return error;
	table = *ret_state;
	for (uint32_t i = 0; i < table->column_count; i++) {
		if (i)
			out_char(table->out, ',');
		format_csv_cell(table->out, table->columns[i].name, true);
	}
	out_char(table->out, '\n');
	return 0;
}

static int csv_event(void *state, struct record *record)
{
	struct format_table *table = state;
	bool text;

	record_decode(record);
	for (uint32_t i = 0; i < table->column_count; i++) {
		if (i)
			out_char(table->out, ',');
		if (table->columns[i].kind == COLUMN_FIELDS) {
			table->made.bytes = 0;
			format_json_fields(&table->made, &table->scratch, NULL, record);
			text = true;
		} else {
			text = make(table, &table->columns[i], record);
		}
		format_csv_cell(table->out, span_of(&table->made), text);
	}
	return stepped(table, record);
}

const struct format csv_format = {
	.name = "csv",
	.help = "RFC 4180, with a header; formulas are disarmed",
	.open = csv_open,
	.event = csv_event,
	.end = table_end,
	.close = table_close,
};

/* ---- logfmt -----------------------------------------------------------------------------------
 */

/* Whatever would end a key, or begin a value, becomes "_". */
static void logfmt_key(struct out *out, struct span name)
{
	size_t at = 0, length;
	uint32_t code = 0;

	for (; at < name.bytes; at += length ? length : 1) {
		length = utf8_next(name.data + at, name.bytes - at, &code);
		if (!length || code == ' ' || code == '=' || code == '"' || out_is_unsafe(code))
			out_char(out, '_');
		else
			out_bytes(out, name.data + at, length);
	}
	if (!name.bytes)
		out_char(out, '_');
}

static void logfmt_value(struct out *out, struct span span)
{
	bool plain = span.bytes > 0;

	for (size_t i = 0; i < span.bytes && plain; i++)
		plain = isgraph((unsigned char)span.data[i]) && !strchr("\"=\\", span.data[i]);
	if (plain)
		out_span(out, span);
	else
		out_json_string(out, span);
}

static void logfmt_pair(struct format_table *table, struct span name)
{
	if (table->out->last != '\n' && table->out->last)
		out_char(table->out, ' ');
	logfmt_key(table->out, name);
	out_char(table->out, '=');
	logfmt_value(table->out, span_of(&table->made));
}

static void logfmt_column(struct format_table *table, const struct column *column,
			  struct record *record)
{
	for (uint32_t i = 0; column->kind == COLUMN_FIELDS && i < record->count; i++) {
		table->made.bytes = 0;
		value_write(&table->made, &record->value[i]);
		logfmt_pair(table, record->value[i].name);
	}
	if (column->kind == COLUMN_FIELDS ||
	    (column->kind != COLUMN_TIME &&
	     column_cell(column, record, &table->scratch).kind == CELL_MISSING))
		return;
	make(table, column, record);
	for (size_t i = 0; column->kind == COLUMN_LEVEL && i < table->made.bytes; i++)
		table->made.data[i] = (char)tolower((unsigned char)table->made.data[i]);
	logfmt_pair(table, column->name);
}

static int logfmt_open(void **ret_state, const struct format_env *env)
{
	return table_open(ret_state, env, logfmt_columns,
			  sizeof(logfmt_columns) / sizeof(*logfmt_columns));
}

static int logfmt_event(void *state, struct record *record)
{
	struct format_table *table = state;

	record_decode(record);
	for (uint32_t i = 0; i < table->column_count; i++)
		logfmt_column(table, &table->columns[i], record);
	return stepped(table, record);
}

const struct format logfmt_format = {
	.name = "logfmt",
	.help = "key=value pairs",
	.open = logfmt_open,
	.event = logfmt_event,
	.end = table_end,
	.close = table_close,
};
