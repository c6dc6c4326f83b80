/* SPDX-License-Identifier: MIT */
#include "viewer/format_lines.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "viewer/message.h"
#include "viewer/text_line.h"

struct format_lines {
	struct out *out, scratch;
	struct text_line line;
	const struct columns *columns; /* NULL: the format's own */
	int64_t before_ns;
	bool have_before;
};

static void lines_close(void *state)
{
	struct format_lines *lines = state;

	if (!lines)
		return;
	out_fini(&lines->scratch);
	text_line_fini(&lines->line);
	free(lines);
}

static int lines_open(void **ret_state, const struct format_env *env)
{
	struct format_lines *lines = calloc(1, sizeof(*lines));

	if (!lines)
		return -ENOMEM;
	out_init(&lines->scratch, -1);
	/* Times of day with their day: there is no line above that says it. */
	if (text_line_init(&lines->line, env, true)) {
		lines_close(lines);
		return -ENOMEM;
	}
	lines->line.columns = NULL;
	lines->columns = env->columns;
	lines->out = env->out;
	*ret_state = lines;
	return 0;
}

static int lines_end(void *state, bool complete)
{
	(void)state;
	(void)complete;
	return 0;
}

static int64_t step(struct format_lines *lines, int64_t ns)
{
	int64_t before_ns = lines->have_before ? lines->before_ns : ns;

	lines->before_ns = ns;
	lines->have_before = true;
	return before_ns;
}

/* ---- verbose ----------------------------------------------------------------------------------
 */

static const struct column verbose_columns[] = {
	{COLUMN_TS, {"ts", 2}},		  {COLUMN_SEQ, {"seq", 3}},
	{COLUMN_SERVICE, {"service", 7}}, {COLUMN_HOST, {"host", 4}},
	{COLUMN_PID, {"pid", 3}},	  {COLUMN_TID, {"tid", 3}},
	{COLUMN_THREAD, {"thread", 6}},	  {COLUMN_CHANNEL, {"channel", 7}},
	{COLUMN_LANE, {"lane", 4}},	  {COLUMN_FILE, {"file", 4}},
	{COLUMN_LINE, {"line", 4}},	  {COLUMN_FUNC, {"func", 4}},
	{COLUMN_FIELDS, {"fields", 6}},
};

static void put_value_line(struct format_lines *lines, const struct value *value)
{
	out_text(lines->out, "    ");
	if (lines->line.colour)
		out_text(lines->out, TEXT_DIM);
	out_escaped(lines->out, value->name, '=');
	out_char(lines->out, '=');
	if (lines->line.colour)
		out_text(lines->out, TEXT_RESET);
	text_value(lines->out, &lines->scratch, value);
	out_char(lines->out, '\n');
}

static void put_cell(struct format_lines *lines, const struct cell *cell)
{
	if (cell->kind == CELL_TEXT)
		out_escaped(lines->out, cell->text, 0);
	else if (cell->kind == CELL_UINT)
		out_uint(lines->out, cell->number);
	else if (cell->kind == CELL_INT)
		out_int(lines->out, (int64_t)cell->number);
	else if (cell->kind == CELL_VALUE)
		text_value(lines->out, &lines->scratch, cell->value);
}

static void put_column_line(struct format_lines *lines, const struct column *column,
			    struct record *record, int64_t before_ns)
{
	const struct event *event = &record->event;
	struct cell cell;

	if (column->kind == COLUMN_FIELDS) {
		for (uint32_t i = 0; i < record->count; i++)
			put_value_line(lines, &record->value[i]);
		return;
	}
	cell = column_cell(column, record, &lines->scratch);
	if (column->kind == COLUMN_FIELD && cell.kind == CELL_VALUE)
		put_value_line(lines, cell.value);
	if (column->kind == COLUMN_FIELD ||
	    (cell.kind == CELL_MISSING && column->kind != COLUMN_TIME))
		return;
	out_text(lines->out, "  ");
	out_span(lines->out, column->name);
	out_pad(lines->out, ' ', column->name.bytes < 9 ? 9 - column->name.bytes : 1);
	if (column->kind == COLUMN_TIME)
		stamp_write(&lines->line.stamps, lines->out, dump_meta(event->dump),
			    event->time_ns, before_ns, true);
	else
		put_cell(lines, &cell);
	out_char(lines->out, '\n');
}

static int verbose_event(void *state, struct record *record)
{
	struct format_lines *lines = state;
	const int64_t before_ns = step(lines, record->event.time_ns);
	const struct column *columns = verbose_columns;
	uint32_t count = sizeof(verbose_columns) / sizeof(*verbose_columns);

	if (lines->columns) {
		columns = lines->columns->column;
		count = lines->columns->count;
	}
	record_decode(record);
	text_line_head(&lines->line, lines->out, record, before_ns);
	out_char(lines->out, '\n');
	for (uint32_t i = 0; i < count; i++)
		put_column_line(lines, &columns[i], record, before_ns);
	out_char(lines->out, '\n');
	return lines->scratch.error;
}

const struct format verbose_format = {
	.name = "verbose",
	.help = "all of an event, a line each",
	.flags = FORMAT_PEOPLE,
	.open = lines_open,
	.event = verbose_event,
	.end = lines_end,
	.close = lines_close,
};

/* ---- cat --------------------------------------------------------------------------------------
 */

static void put_plain(struct format_lines *lines, const struct column *column,
		      struct record *record, int64_t before_ns)
{
	const struct event *event = &record->event;
	struct cell cell;

	if (column->kind == COLUMN_TIME) {
		stamp_write(&lines->line.stamps, lines->out, dump_meta(event->dump), event->time_ns,
			    before_ns, true);
		return;
	}
	for (uint32_t i = 0; column->kind == COLUMN_FIELDS && i < record->count; i++) {
		out_text(lines->out, i ? " " : "");
		text_value(lines->out, &lines->scratch, &record->value[i]);
	}
	cell = column_cell(column, record, &lines->scratch);
	put_cell(lines, &cell);
}

static int cat_event(void *state, struct record *record)
{
	static const struct column message = {COLUMN_MSG, {"msg", 3}};
	struct format_lines *lines = state;
	const int64_t before_ns = step(lines, record->event.time_ns);
	const struct column *columns = lines->columns ? lines->columns->column : &message;
	const uint32_t count = lines->columns ? lines->columns->count : 1;

	record_decode(record);
	for (uint32_t i = 0; i < count; i++) {
		out_text(lines->out, i ? " " : "");
		put_plain(lines, &columns[i], record, before_ns);
	}
	out_char(lines->out, '\n');
	return lines->scratch.error;
}

const struct format cat_format = {
	.name = "cat",
	.help = "the message alone",
	.flags = FORMAT_PEOPLE,
	.open = lines_open,
	.event = cat_event,
	.end = lines_end,
	.close = lines_close,
};
