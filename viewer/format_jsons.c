/* SPDX-License-Identifier: MIT */
/* JSON as formats: one object a line, or one that is spread over lines; all of it, or what --fields
 * want. */
#include "viewer/format_json.h"

#include <errno.h>
#include <stdlib.h>

#include "viewer/columns.h"
#include "viewer/stamp.h"

struct format_json {
	struct out *out, scratch, object;
	struct stamps stamps;
	const struct columns *columns; /* NULL: all */
	int64_t before_ns;
	bool have_before, pretty;
};

static void json_close(void *state)
{
	struct format_json *json = state;

	if (!json)
		return;
	out_fini(&json->scratch);
	out_fini(&json->object);
	stamps_fini(&json->stamps);
	free(json);
}

static int open_as(void **ret_state, const struct format_env *env, bool pretty)
{
	struct format_json *json = calloc(1, sizeof(*json));

	if (!json)
		return -ENOMEM;
	out_init(&json->scratch, -1);
	out_init(&json->object, -1);
	if (stamps_init(&json->stamps, env->dumps, env->dump_count,
			env->time == TIME_BOTH ? TIME_CRASH : env->time)) {
		json_close(json);
		return -ENOMEM;
	}
	json->out = env->out;
	json->columns = env->columns;
	json->pretty = pretty;
	*ret_state = json;
	return 0;
}

static int json_open(void **ret_state, const struct format_env *env)
{
	return open_as(ret_state, env, false);
}

static int json_pretty_open(void **ret_state, const struct format_env *env)
{
	return open_as(ret_state, env, true);
}

/* ---- --fields ---------------------------------------------------------------------------------
 */

static void put_column(struct format_json *json, struct out *out, const struct column *column,
		       struct record *record)
{
	const struct event *event = &record->event;
	struct cell cell;

	if (out->last != '{')
		out_char(out, ',');
	out_json_string(out, column->name);
	out_char(out, ':');
	if (column->kind == COLUMN_TIME) {
		out_char(out, '"');
		stamp_write(&json->stamps, out, dump_meta(event->dump), event->time_ns,
			    json->have_before ? json->before_ns : event->time_ns, true);
		out_char(out, '"');
		return;
	}
	cell = column_cell(column, record, &json->scratch);
	switch (cell.kind) {
	case CELL_MISSING:
		out_text(out, "null");
		break;
	case CELL_TEXT:
		out_json_string(out, cell.text);
		break;
	case CELL_UINT:
		out_uint(out, cell.number);
		break;
	case CELL_INT:
		out_char(out, '"');
		out_int(out, (int64_t)cell.number);
		out_char(out, '"');
		break;
	case CELL_VALUE:
		format_json_value(out, &json->scratch, cell.value);
		break;
	}
}

static bool has_field(const struct record *record, const struct column *column)
{
	bool has = false;

	for (uint32_t i = 0; i < record->count && !has; i++)
		has = span_equal(record->value[i].name, column->name);
	return has;
}

/* Fields stay in "fields", wherever they were named: programs look for them there. */
static void put_columns(struct format_json *json, struct out *out, struct record *record)
{
	const struct columns *columns = json->columns;
	bool all = false, some = false;

	record_decode(record);
	out_char(out, '{');
	for (uint32_t i = 0; i < columns->count; i++) {
		all |= columns->column[i].kind == COLUMN_FIELDS;
		some |= columns->column[i].kind == COLUMN_FIELD;
		if (columns->column[i].kind < COLUMN_FIELDS)
			put_column(json, out, &columns->column[i], record);
	}
	if (all || some)
		json_key(out, "fields");
	if (all)
		format_json_fields(out, &json->scratch, NULL, record);
	else if (some) {
		out_char(out, '{');
		for (uint32_t i = 0; i < columns->count; i++)
			if (columns->column[i].kind == COLUMN_FIELD &&
			    has_field(record, &columns->column[i]))
				put_column(json, out, &columns->column[i], record);
		out_char(out, '}');
	}
	out_char(out, '}');
}

/* ---- over lines -------------------------------------------------------------------------------
 */

static void new_line(struct out *out, unsigned int depth)
{
	out_char(out, '\n');
	out_pad(out, ' ', 2 * (size_t)depth);
}

/* What is between quotes, with them. */
static size_t quoted_bytes(struct span from, size_t at)
{
	size_t end = at + 1;

	while (end < from.bytes && from.data[end] != '"')
		end += from.data[end] == '\\' ? 2 : 1;
	return (end < from.bytes ? end + 1 : from.bytes) - at;
}

/* JSON that we have written ourselves, in one line: what is not between quotes has a meaning. */
static void spread(struct out *out, struct span from)
{
	unsigned int depth = 0;
	size_t bytes;

	for (size_t at = 0; at < from.bytes; at += bytes) {
		char c = from.data[at];

		bytes = c == '"' ? quoted_bytes(from, at) : 1;
		if (c == '}' && out->last != '{')
			new_line(out, --depth);
		else if (c == '}')
			depth--;
		out_bytes(out, from.data + at, bytes);
		if (c == '{')
			depth++;
		if ((c == '{' && at + 1 < from.bytes && from.data[at + 1] != '}') || c == ',')
			new_line(out, depth);
		if (c == ':')
			out_char(out, ' ');
	}
}

static int json_event(void *state, struct record *record)
{
	struct format_json *json = state;
	struct out *out = json->pretty ? &json->object : json->out;

	json->object.bytes = 0;
	if (json->columns)
		put_columns(json, out, record);
	else
		format_json_object(out, &json->scratch, record);
	if (json->pretty)
		spread(json->out, span_of(&json->object));
	out_char(json->out, '\n');
	json->before_ns = record->event.time_ns;
	json->have_before = true;
	return json->scratch.error ? json->scratch.error : json->object.error;
}

static int json_end(void *state, bool complete)
{
	(void)state;
	(void)complete;
	return 0;
}

const struct format json_format = {
	.name = "json",
	.help = "one object a line",
	.open = json_open,
	.event = json_event,
	.end = json_end,
	.close = json_close,
};

const struct format json_pretty_format = {
	.name = "json-pretty",
	.help = "the same, spread over lines",
	.open = json_pretty_open,
	.event = json_event,
	.end = json_end,
	.close = json_close,
};
