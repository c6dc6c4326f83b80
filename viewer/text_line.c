/* SPDX-License-Identifier: MIT */
#include "viewer/text_line.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "viewer/message.h"
#include "viewer/when.h"

#define RELATIVE_COLUMNS 12
#define UNIX_COLUMNS 17
#define SOURCE_COLUMNS_MAX 24
#define THREAD_COLUMNS_MAX 24
#define TARGET_COLUMNS_MAX 16
#define CHANNEL_COLUMNS_MAX 16
/* A terminal that is narrower has no room for two times. */
#define WIDE_COLUMNS 100

static const char *const level_colours[LEVEL_COUNT] = {
	[LEVEL_TRACE] = "\033[2m",    [LEVEL_DEBUG] = "\033[36m", [LEVEL_INFO] = "\033[32m",
	[LEVEL_WARN] = "\033[33m",    [LEVEL_ERROR] = "\033[31m", [LEVEL_FATAL] = "\033[1;37;41m",
	[LEVEL_UNKNOWN] = "\033[35m",
};

static void colour(const struct text_line *line, const char *code)
{
	if (line->colour)
		out_text(line->out, code);
}

/* ---- columns ----------------------------------------------------------------------------------
 */

void text_line_source(struct out *out, const struct meta *meta)
{
	out_span(out, meta->service);
	if (meta->pid.known)
		out_printf(out, "[%" PRIu64 "]", meta->pid.bits);
}

static void write_thread(struct out *out, const struct meta_thread *thread)
{
	out_span(out, thread->name);
	if (thread->tid.known)
		out_printf(out, "/%" PRIu64, thread->tid.bits);
	else
		out_char(out, '?');
}

static void write_channel(struct out *out, const struct meta_channel *channel)
{
	out_char(out, '#');
	if (channel->name.bytes)
		out_span(out, channel->name);
	else
		out_char(out, '?');
}

/* What is in the scratch, escaped and padded. It may run over its column: nothing is cut. */
static void put_column(struct text_line *line, size_t columns)
{
	size_t taken = out_escaped(line->out, span_of(&line->scratch), 0);

	out_pad(line->out, ' ', taken < columns ? columns - taken : 0);
	out_char(line->out, ' ');
	line->scratch.bytes = 0;
}

/* How wide is what is in the scratch, escaped? No column gets wider than its most. */
static void widen(struct text_line *line, size_t *columns, size_t most)
{
	size_t taken = out_escaped(&line->escaped, span_of(&line->scratch), 0);

	taken = taken < most ? taken : most;
	*columns = *columns > taken ? *columns : taken;
	line->scratch.bytes = line->escaped.bytes = 0;
}

static void measure(struct text_line *line, struct dump *dump)
{
	const struct meta *meta = dump_meta(dump);
	const struct dictionary *dictionary = dump_dictionary(dump);

	for (uint64_t i = 0; i < meta->thread_count; i++) {
		write_thread(&line->scratch, &meta->threads[i]);
		widen(line, &line->thread_columns, THREAD_COLUMNS_MAX);
	}
	for (uint64_t i = 0; i < meta->channels.list_count; i++) {
		write_channel(&line->scratch, &meta->channels.list[i]);
		widen(line, &line->channel_columns, CHANNEL_COLUMNS_MAX);
	}
	for (uint32_t i = 0; i < dictionary->site_limit; i++) {
		if (!dictionary->sites[i])
			continue;
		out_span(&line->scratch, dictionary->sites[i]->target);
		widen(line, &line->target_columns, TARGET_COLUMNS_MAX);
	}
	text_line_source(&line->scratch, meta);
	widen(line, &line->source_columns, SOURCE_COLUMNS_MAX);
	line->have_carried |= meta->clock.mode.bytes && !span_is(meta->clock.mode, "exact");
}

/* ---- open and close ---------------------------------------------------------------------------
 */

void text_line_fini(struct text_line *line)
{
	out_fini(&line->scratch);
	out_fini(&line->escaped);
	out_fini(&line->whole);
	stamps_fini(&line->stamps);
}

int text_line_init(struct text_line *line, const struct format_env *env, bool iso)
{
	enum time_mode mode = iso && env->time == TIME_BOTH ? TIME_DAY_UTC : env->time;

	*line = (struct text_line){.columns = env->columns,
				   .colour = env->colour,
				   .narrow = env->width && env->width < WIDE_COLUMNS,
				   .iso = iso};
	out_init(&line->scratch, -1);
	out_init(&line->escaped, -1);
	out_init(&line->whole, -1);
	if (stamps_init(&line->stamps, env->dumps, env->dump_count, mode))
		return -ENOMEM;
	for (size_t i = 0; i < env->dump_count; i++)
		measure(line, env->dumps[i]);
	if (iso)
		line->thread_columns = line->target_columns = line->channel_columns = 0;
	if (env->dump_count < 2 && !iso)
		line->source_columns = 0;
	return 0;
}

/* ---- times ------------------------------------------------------------------------------------
 */

/* A time of day: is one shown, and whose? */
bool text_line_shows_day(const struct text_line *line)
{
	const enum time_mode mode = line->stamps.mode;

	if (line->iso)
		return false;
	return mode == TIME_DAY_UTC || mode == TIME_DAY_LOCAL || !line->stamps.have_base ||
	       (mode == TIME_BOTH && !line->narrow);
}

bool text_line_shows_times(const struct text_line *line)
{
	bool shown = !line->columns;

	for (uint32_t i = 0; line->columns && i < line->columns->count && !shown; i++)
		shown = line->columns->column[i].kind == COLUMN_TIME;
	return shown;
}

static size_t stamp_columns(enum time_mode mode)
{
	return mode == TIME_UNIX || mode == TIME_MONOTONIC ? UNIX_COLUMNS : RELATIVE_COLUMNS;
}

void text_line_times(struct text_line *line, struct out *out, const struct meta *meta, int64_t ns,
		     int64_t before_ns, bool carried)
{
	const bool lone = line->stamps.mode != TIME_BOTH || line->narrow || line->iso;
	const size_t columns = line->iso ? 0 : stamp_columns(line->stamps.mode);
	const char *mark = !line->have_carried ? "" : carried ? "~" : " ";

	line->out = out;
	if (lone || line->stamps.have_base) {
		if (lone && carried)
			out_char(&line->scratch, '~');
		stamp_write(&line->stamps, &line->scratch, meta, ns, before_ns, line->iso);
		if (line->scratch.bytes < columns)
			out_pad(line->out, ' ', columns - line->scratch.bytes);
		out_span(line->out, span_of(&line->scratch));
		out_char(line->out, ' ');
		line->scratch.bytes = 0;
	}
	if (lone)
		return;
	colour(line, TEXT_DIM);
	out_text(line->out, mark);
	when_time(line->out, ns);
	colour(line, TEXT_RESET);
	out_char(line->out, ' ');
}

/* ---- the line ---------------------------------------------------------------------------------
 */

static bool is_plain(struct span span)
{
	static const char fine[] = "_-./:@%+#~^*()[]{}<>!?$&;|";

	for (size_t i = 0; i < span.bytes; i++) {
		unsigned char c = (unsigned char)span.data[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
		    (c == '\0' || !strchr(fine, c)))
			return false;
	}
	return span.bytes > 0;
}

void text_value(struct out *out, struct out *scratch, const struct value *value)
{
	struct span span;

	scratch->bytes = 0;
	value_write(scratch, value);
	span = span_of(scratch);
	if (is_plain(span)) {
		out_span(out, span);
	} else {
		out_char(out, '"');
		out_escaped(out, span, '"');
		out_char(out, '"');
	}
	scratch->bytes = 0;
}

static void put_field(struct text_line *line, const struct value *value)
{
	colour(line, TEXT_DIM);
	out_escaped(line->out, value->name, '=');
	out_char(line->out, '=');
	colour(line, TEXT_RESET);
	text_value(line->out, &line->scratch, value);
}

static void put_fields(struct text_line *line, const struct record *record)
{
	for (uint32_t i = 0; i < record->count; i++) {
		out_text(line->out, i ? " " : "  ");
		put_field(line, &record->value[i]);
	}
}

static void put_level(struct text_line *line, enum site_level level)
{
	const char *name = level_name(level);
	size_t length = strlen(name);

	colour(line, level_colours[level]);
	out_text(line->out, name);
	colour(line, TEXT_RESET);
	out_pad(line->out, ' ', length < 5 ? 6 - length : 1);
}

static void put_message(struct text_line *line, const struct record *record)
{
	const struct site *site = record->event.site;
	bool grave = site->level >= LEVEL_ERROR && site->level != LEVEL_UNKNOWN;

	message_write(&line->scratch, site, record->value, record->count);
	if (grave)
		colour(line, TEXT_BOLD);
	out_escaped(line->out, span_of(&line->scratch), 0);
	if (grave)
		colour(line, TEXT_RESET);
	line->scratch.bytes = 0;
}

void text_brief(struct out *out, struct record *record)
{
	struct text_line line = {.out = out};

	out_init(&line.scratch, -1);
	out_init(&line.escaped, -1);
	record_decode(record);
	put_level(&line, record->event.site->level);
	put_message(&line, record);
	if (!record->event.site->printf)
		put_fields(&line, record);
	out_fini(&line.scratch);
	out_fini(&line.escaped);
}

/* Is it the event that a rule waited for, and that its dump was taken for? */
static bool is_trigger(const struct event *event)
{
	const struct meta_trigger *trigger = &dump_meta(event->dump)->trigger;

	return trigger->time_ns.known && (int64_t)trigger->time_ns.bits == event->time_ns &&
	       trigger->site.bits == event->site->id && trigger->tid.known &&
	       event->thread->tid.known && trigger->tid.bits == event->thread->tid.bits;
}

static void put_trigger(struct text_line *line, const struct event *event)
{
	colour(line, TEXT_BOLD);
	out_text(line->out, "  <- rule ");
	out_escaped(line->out, dump_meta(event->dump)->trigger.rule, 0);
	colour(line, TEXT_RESET);
}

/* All that a line has behind its times. */
static void put_line(struct text_line *line, struct record *record, bool with_fields)
{
	const struct event *event = &record->event;

	put_level(line, event->site->level);
	if (line->source_columns) {
		text_line_source(&line->scratch, dump_meta(event->dump));
		put_column(line, line->iso ? 0 : line->source_columns);
	}
	write_thread(&line->scratch, event->thread);
	put_column(line, line->thread_columns);
	if (event->channel)
		write_channel(&line->scratch, event->channel);
	if (event->channel || line->channel_columns)
		put_column(line, line->channel_columns);
	colour(line, TEXT_BLUE);
	out_span(&line->scratch, event->site->target);
	put_column(line, line->target_columns);
	colour(line, TEXT_RESET);
	if (!line->iso)
		out_char(line->out, ' ');
	put_message(line, record);
	if (!event->site->printf && with_fields)
		put_fields(line, record);
	if (event->flags & DUMP_EVENT_TRUNCATED) {
		colour(line, TEXT_DIM);
		out_text(line->out, "  (cut)");
		colour(line, TEXT_RESET);
	}
	if (is_trigger(event))
		put_trigger(line, event);
}

/* ---- --fields ---------------------------------------------------------------------------------
 */

static void put_cell(struct text_line *line, const struct column *column, struct record *record)
{
	const struct cell cell = column_cell(column, record, &line->scratch);

	switch (cell.kind) {
	case CELL_MISSING:
		out_char(line->out, '-');
		break;
	case CELL_TEXT:
		out_escaped(line->out, cell.text, 0);
		break;
	case CELL_UINT:
		out_uint(line->out, cell.number);
		break;
	case CELL_INT:
		out_int(line->out, (int64_t)cell.number);
		break;
	case CELL_VALUE:
		put_field(line, cell.value);
		break;
	}
	line->scratch.bytes = 0;
}

/* Those that have a width are lined up; a field that an event does not have takes no room. */
static void put_chosen(struct text_line *line, const struct column *column, struct record *record,
		       int64_t before_ns)
{
	const struct event *event = &record->event;

	switch (column->kind) {
	case COLUMN_TIME:
		text_line_times(line, line->out, dump_meta(event->dump), event->time_ns, before_ns,
				event->flags & DUMP_EVENT_CARRIED);
		return;
	case COLUMN_LEVEL:
		put_level(line, event->site->level);
		return;
	case COLUMN_TARGET:
		colour(line, TEXT_BLUE);
		out_span(&line->scratch, event->site->target);
		put_column(line, line->target_columns);
		colour(line, TEXT_RESET);
		return;
	case COLUMN_MSG:
		put_message(line, record);
		break;
	case COLUMN_FIELDS:
		for (uint32_t i = 0; i < record->count; i++) {
			out_text(line->out, i ? " " : "");
			put_field(line, &record->value[i]);
		}
		break;
	case COLUMN_FIELD:
		if (column_cell(column, record, &line->scratch).kind == CELL_MISSING)
			return;
		put_cell(line, column, record);
		break;
	default:
		put_cell(line, column, record);
		break;
	}
	out_char(line->out, ' ');
}

static void put_columns(struct text_line *line, struct out *out, struct record *record,
			int64_t before_ns)
{
	struct span whole;

	line->whole.bytes = 0;
	line->out = &line->whole;
	for (uint32_t i = 0; i < line->columns->count; i++)
		put_chosen(line, &line->columns->column[i], record, before_ns);
	whole = span_of(&line->whole);
	while (whole.bytes && whole.data[whole.bytes - 1] == ' ')
		whole.bytes--;
	out_span(out, whole);
}

static void put_whole(struct text_line *line, struct out *out, struct record *record,
		      int64_t before_ns, bool with_fields)
{
	const struct event *event = &record->event;

	text_line_times(line, out, dump_meta(event->dump), event->time_ns, before_ns,
			event->flags & DUMP_EVENT_CARRIED);
	put_line(line, record, with_fields);
}

void text_line_write(struct text_line *line, struct out *out, struct record *record,
		     int64_t before_ns)
{
	record_decode(record);
	if (line->columns)
		put_columns(line, out, record, before_ns);
	else
		put_whole(line, out, record, before_ns, true);
}

void text_line_head(struct text_line *line, struct out *out, struct record *record,
		    int64_t before_ns)
{
	record_decode(record);
	put_whole(line, out, record, before_ns, false);
}
