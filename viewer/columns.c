/* SPDX-License-Identifier: MIT */
#include "viewer/columns.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "viewer/message.h"
#include "viewer/when.h"

static const char *const names[COLUMN_FIELD] = {
	[COLUMN_TIME] = "time",	      [COLUMN_TS] = "ts",	    [COLUMN_TS_NS] = "ts_ns",
	[COLUMN_SEQ] = "seq",	      [COLUMN_LEVEL] = "level",	    [COLUMN_TARGET] = "target",
	[COLUMN_MSG] = "msg",	      [COLUMN_PID] = "pid",	    [COLUMN_TID] = "tid",
	[COLUMN_THREAD] = "thread",   [COLUMN_CHANNEL] = "channel", [COLUMN_LANE] = "lane",
	[COLUMN_SERVICE] = "service", [COLUMN_HOST] = "host",	    [COLUMN_FILE] = "file",
	[COLUMN_LINE] = "line",	      [COLUMN_FUNC] = "func",	    [COLUMN_FIELDS] = "fields",
};

static struct column column_of(struct span name)
{
	static const char prefix[] = "fields.";
	const size_t length = sizeof(prefix) - 1;
	enum column_kind kind = 0;

	if (name.bytes > length && memcmp(name.data, prefix, length) == 0)
		return (struct column){COLUMN_FIELD, {name.data + length, name.bytes - length}};
	while (kind < COLUMN_FIELD && !span_is(name, names[kind]))
		kind++;
	return (struct column){kind, name};
}

static int add_all(struct columns *columns, const char *at)
{
	struct span name;

	for (;;) {
		name = (struct span){at, strcspn(at, ",")};
		if (!name.bytes || columns->count == COLUMNS_MAX)
			return -EINVAL;
		columns->column[columns->count++] = column_of(name);
		at += name.bytes;
		if (!*at++)
			return 0;
	}
}

int columns_parse(struct columns **ret_columns, const char *text)
{
	struct columns *columns = calloc(1, sizeof(*columns));
	int error;

	if (!columns)
		return -ENOMEM;
	columns->text = strdup(text);
	error = columns->text ? add_all(columns, columns->text) : -ENOMEM;
	if (error)
		columns_close(columns);
	else
		*ret_columns = columns;
	return error;
}

void columns_close(struct columns *columns)
{
	if (!columns)
		return;
	free(columns->text);
	free(columns);
}

bool columns_have_field(const struct columns *columns, struct span name)
{
	for (uint32_t i = 0; columns && i < columns->count; i++) {
		const struct column *column = &columns->column[i];

		if (column->kind == COLUMN_FIELDS ||
		    (column->kind == COLUMN_FIELD && span_equal(column->name, name)))
			return true;
	}
	return !columns;
}

static struct cell text_cell(struct span text)
{
	return (struct cell){.kind = CELL_TEXT, .text = text};
}

static struct cell number_cell(struct number number)
{
	return (struct cell){.kind = number.known ? CELL_UINT : CELL_MISSING,
			     .number = number.bits};
}

static struct cell field_cell(const struct column *column, const struct record *record)
{
	for (uint32_t i = 0; i < record->count; i++)
		if (span_equal(record->value[i].name, column->name))
			return (struct cell){.kind = CELL_VALUE, .value = &record->value[i]};
	return (struct cell){.kind = CELL_MISSING};
}

/* What has to be made. */
static struct cell made_cell(enum column_kind kind, const struct record *record,
			     struct out *scratch)
{
	scratch->bytes = 0;
	if (kind == COLUMN_TS)
		when_rfc3339(scratch, record->event.time_ns);
	else
		message_write(scratch, record->event.site, record->value, record->count);
	return text_cell(span_of(scratch));
}

static struct cell process_cell(enum column_kind kind, const struct event *event)
{
	const struct meta *meta = dump_meta(event->dump);

	if (kind == COLUMN_PID)
		return number_cell(meta->pid);
	return text_cell(kind == COLUMN_SERVICE ? meta->service : meta->hostname);
}

struct cell column_cell(const struct column *column, struct record *record, struct out *scratch)
{
	const struct event *event = &record->event;
	const struct site *site = event->site;

	record_decode(record);
	switch (column->kind) {
	case COLUMN_TS:
	case COLUMN_MSG:
		return made_cell(column->kind, record, scratch);
	case COLUMN_TS_NS:
		return (struct cell){.kind = CELL_INT, .number = (uint64_t)event->time_ns};
	case COLUMN_SEQ:
		return number_cell((struct number){event->seq, true});
	case COLUMN_LEVEL:
		return text_cell(
			(struct span){level_name(site->level), strlen(level_name(site->level))});
	case COLUMN_TARGET:
		return text_cell(site->target);
	case COLUMN_PID:
	case COLUMN_SERVICE:
	case COLUMN_HOST:
		return process_cell(column->kind, event);
	case COLUMN_TID:
		return number_cell(event->thread->tid);
	case COLUMN_THREAD:
		return text_cell(event->thread->name);
	case COLUMN_CHANNEL:
		return event->channel ? text_cell(event->channel->name)
				      : (struct cell){.kind = CELL_MISSING};
	case COLUMN_LANE:
		return text_cell(event->lane->name);
	case COLUMN_FILE:
		return text_cell(site->file);
	case COLUMN_LINE:
		return number_cell((struct number){site->line, site->level != LEVEL_UNKNOWN});
	case COLUMN_FUNC:
		return text_cell(site->function);
	case COLUMN_FIELD:
		return field_cell(column, record);
	case COLUMN_TIME:
	case COLUMN_FIELDS:
		break;
	}
	return (struct cell){.kind = CELL_MISSING};
}
