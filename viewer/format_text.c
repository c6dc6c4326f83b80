/* SPDX-License-Identifier: MIT */
#include "viewer/format_text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "viewer/message.h"
#include "viewer/when.h"

#define RELATIVE_COLUMNS 12
#define SOURCE_COLUMNS_MAX 24
#define THREAD_COLUMNS_MAX 24
#define TARGET_COLUMNS_MAX 16
#define CHANNEL_COLUMNS_MAX 16

/* A death, or a snapshot, on its way to be drawn. */
struct mark {
	int64_t ns;
	const struct meta *meta;
	bool dead;
};

struct format_text {
	struct out *out;
	struct out scratch, escaped;
	bool colour;
	size_t source_columns; /* 0: one dump, no column */
	size_t thread_columns, target_columns;
	size_t channel_columns; /* 0: no channels, no column */
	int64_t base_ns;
	bool have_base;
	bool have_carried;  /* a dump with times that are not the events' own: "~", or its room */
	struct mark *marks; /* by time */
	size_t mark_count, mark_next;
	int64_t day; /* of the line above; INT64_MIN = none */
};

/* ---- colours ----------------------------------------------------------------------------------
 */

#define RESET "\033[0m"
#define DIM "\033[2m"
#define BOLD "\033[1m"
#define BLUE "\033[34m"
#define DEATH "\033[1;31m"

static const char *const level_colours[LEVEL_COUNT] = {
	[LEVEL_TRACE] = "\033[2m",    [LEVEL_DEBUG] = "\033[36m", [LEVEL_INFO] = "\033[32m",
	[LEVEL_WARN] = "\033[33m",    [LEVEL_ERROR] = "\033[31m", [LEVEL_FATAL] = "\033[1;37;41m",
	[LEVEL_UNKNOWN] = "\033[35m",
};

static void colour(const struct format_text *text, const char *code)
{
	if (text->colour)
		out_text(text->out, code);
}

/* ---- columns ----------------------------------------------------------------------------------
 */

static size_t larger(size_t a, size_t b)
{
	return a > b ? a : b;
}

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

static void write_source(struct out *out, const struct meta *meta)
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
static void put_column(struct format_text *text, size_t columns)
{
	size_t taken = out_escaped(text->out, span_of(&text->scratch), 0);

	out_pad(text->out, ' ', taken < columns ? columns - taken : 0);
	out_char(text->out, ' ');
	text->scratch.bytes = 0;
}

/* How wide is what is in the scratch, escaped? */
static void widen(struct format_text *text, size_t *columns)
{
	*columns = larger(*columns, out_escaped(&text->escaped, span_of(&text->scratch), 0));
	text->scratch.bytes = text->escaped.bytes = 0;
}

static void measure(struct format_text *text, struct dump *dump)
{
	const struct meta *meta = dump_meta(dump);
	const struct dictionary *dictionary = dump_dictionary(dump);

	for (uint64_t i = 0; i < meta->thread_count; i++) {
		write_thread(&text->scratch, &meta->threads[i]);
		widen(text, &text->thread_columns);
	}
	for (uint64_t i = 0; i < meta->channels.list_count; i++) {
		write_channel(&text->scratch, &meta->channels.list[i]);
		widen(text, &text->channel_columns);
	}
	for (uint32_t i = 0; i < dictionary->site_limit; i++) {
		if (!dictionary->sites[i])
			continue;
		out_span(&text->scratch, dictionary->sites[i]->target);
		widen(text, &text->target_columns);
	}
	write_source(&text->scratch, meta);
	widen(text, &text->source_columns);
	text->have_carried |= meta->clock.mode.bytes && !span_is(meta->clock.mode, "exact");
}

/* ---- marks ------------------------------------------------------------------------------------
 */

static int compare_marks(const void *a, const void *b)
{
	const struct mark *left = a, *right = b;

	return (left->ns > right->ns) - (left->ns < right->ns);
}

static void add_mark(struct format_text *text, const struct meta *meta)
{
	bool dead = meta->death_ns.known;
	const struct number *when = dead ? &meta->death_ns : &meta->created_ns;

	if (when->known)
		text->marks[text->mark_count++] = (struct mark){(int64_t)when->bits, meta, dead};
}

static void choose_base(struct format_text *text)
{
	qsort(text->marks, text->mark_count, sizeof(*text->marks), compare_marks);
	for (size_t i = 0; i < text->mark_count; i++) {
		text->base_ns = text->marks[i].ns;
		text->have_base = true;
		if (text->marks[i].dead)
			return;
	}
}

static void text_close(void *state)
{
	struct format_text *text = state;

	if (!text)
		return;
	out_fini(&text->scratch);
	out_fini(&text->escaped);
	free(text->marks);
	free(text);
}

static int text_open(void **ret_state, const struct format_env *env)
{
	struct format_text *text = calloc(1, sizeof(*text));

	if (!text)
		return -ENOMEM;
	out_init(&text->scratch, -1);
	out_init(&text->escaped, -1);
	text->marks = calloc(env->dump_count + 1, sizeof(*text->marks));
	if (!text->marks) {
		text_close(text);
		return -ENOMEM;
	}
	text->out = env->out;
	text->colour = env->colour;
	text->day = INT64_MIN;
	for (size_t i = 0; i < env->dump_count; i++) {
		measure(text, env->dumps[i]);
		add_mark(text, dump_meta(env->dumps[i]));
	}
	choose_base(text);
	text->thread_columns = smaller(text->thread_columns, THREAD_COLUMNS_MAX);
	text->channel_columns = smaller(text->channel_columns, CHANNEL_COLUMNS_MAX);
	text->target_columns = smaller(text->target_columns, TARGET_COLUMNS_MAX);
	text->source_columns = smaller(text->source_columns, SOURCE_COLUMNS_MAX);
	if (env->dump_count < 2)
		text->source_columns = 0;
	*ret_state = text;
	return 0;
}

/* ---- lines ------------------------------------------------------------------------------------
 */

/* The day has a line of its own when it changes; then the two times. */
static void put_times(struct format_text *text, int64_t ns, bool carried)
{
	int64_t seconds, day;
	uint32_t left;

	when_split(ns, &seconds, &left);
	day = (seconds - (seconds % 86400 + 86400) % 86400) / 86400;
	if (day != text->day) {
		colour(text, DIM);
		out_text(text->out, "-- ");
		when_date(text->out, ns);
		out_text(text->out, " UTC --");
		colour(text, RESET);
		out_char(text->out, '\n');
		text->day = day;
	}
	if (text->have_base) {
		out_char(&text->scratch, 'T');
		when_relative(&text->scratch, ns, text->base_ns);
		out_pad(text->out, ' ',
			text->scratch.bytes < RELATIVE_COLUMNS
				? RELATIVE_COLUMNS - text->scratch.bytes
				: 0);
		out_span(text->out, span_of(&text->scratch));
		out_char(text->out, ' ');
		text->scratch.bytes = 0;
	}
	colour(text, DIM);
	if (text->have_carried)
		out_char(text->out, carried ? '~' : ' ');
	when_time(text->out, ns);
	colour(text, RESET);
	out_char(text->out, ' ');
}

static void put_mark(struct format_text *text, const struct mark *mark)
{
	struct span sentence = mark->meta->cause.sentence;

	put_times(text, mark->ns, false);
	colour(text, mark->dead ? DEATH : BOLD);
	out_text(text->out, "===== ");
	write_source(&text->scratch, mark->meta);
	out_escaped(text->out, span_of(&text->scratch), 0);
	text->scratch.bytes = 0;
	out_text(text->out, ": ");
	if (!sentence.bytes)
		sentence = mark->dead ? (struct span){"how it died is not known", 24}
				      : (struct span){"written", 7};
	out_escaped(text->out, sentence, 0);
	out_text(text->out, " =====");
	colour(text, RESET);
	out_char(text->out, '\n');
}

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

static void put_value(struct format_text *text, const struct value *value)
{
	struct span span;

	value_write(&text->scratch, value);
	span = span_of(&text->scratch);
	if (is_plain(span)) {
		out_span(text->out, span);
	} else {
		out_char(text->out, '"');
		out_escaped(text->out, span, '"');
		out_char(text->out, '"');
	}
	text->scratch.bytes = 0;
}

static void put_fields(struct format_text *text, const struct record *record)
{
	for (uint32_t i = 0; i < record->count; i++) {
		out_text(text->out, i ? " " : "  ");
		colour(text, DIM);
		out_escaped(text->out, record->value[i].name, '=');
		out_char(text->out, '=');
		colour(text, RESET);
		put_value(text, &record->value[i]);
	}
}

static void put_level(struct format_text *text, enum site_level level)
{
	const char *name = level_name(level);
	size_t length = strlen(name);

	colour(text, level_colours[level]);
	out_text(text->out, name);
	colour(text, RESET);
	out_pad(text->out, ' ', length < 5 ? 6 - length : 1);
}

static void put_message(struct format_text *text, const struct record *record)
{
	const struct site *site = record->event.site;
	bool grave = site->level >= LEVEL_ERROR && site->level != LEVEL_UNKNOWN;

	message_write(&text->scratch, site, record->value, record->count);
	if (grave)
		colour(text, BOLD);
	out_escaped(text->out, span_of(&text->scratch), 0);
	if (grave)
		colour(text, RESET);
	text->scratch.bytes = 0;
}

void format_text_brief(struct out *out, struct record *record)
{
	struct format_text text = {.out = out};

	out_init(&text.scratch, -1);
	out_init(&text.escaped, -1);
	record_decode(record);
	put_level(&text, record->event.site->level);
	put_message(&text, record);
	if (!record->event.site->printf)
		put_fields(&text, record);
	out_fini(&text.scratch);
	out_fini(&text.escaped);
}

static int text_event(void *state, struct record *record)
{
	struct format_text *text = state;
	const struct event *event = &record->event;

	while (text->mark_next < text->mark_count &&
	       text->marks[text->mark_next].ns < event->time_ns)
		put_mark(text, &text->marks[text->mark_next++]);
	record_decode(record);
	put_times(text, event->time_ns, event->flags & DUMP_EVENT_CARRIED);
	put_level(text, event->site->level);
	if (text->source_columns) {
		write_source(&text->scratch, dump_meta(event->dump));
		put_column(text, text->source_columns);
	}
	write_thread(&text->scratch, event->thread);
	put_column(text, text->thread_columns);
	if (event->channel)
		write_channel(&text->scratch, event->channel);
	if (event->channel || text->channel_columns)
		put_column(text, text->channel_columns);
	colour(text, BLUE);
	out_span(&text->scratch, event->site->target);
	put_column(text, text->target_columns);
	colour(text, RESET);
	out_char(text->out, ' ');
	put_message(text, record);
	if (!event->site->printf)
		put_fields(text, record);
	if (event->flags & DUMP_EVENT_TRUNCATED) {
		colour(text, DIM);
		out_text(text->out, "  (cut)");
		colour(text, RESET);
	}
	out_char(text->out, '\n');
	return text->scratch.error;
}

/* The deaths that no event came after. */
static int text_end(void *state, bool complete)
{
	struct format_text *text = state;

	while (complete && text->mark_next < text->mark_count)
		put_mark(text, &text->marks[text->mark_next++]);
	return 0;
}

const struct format text_format = {
	.name = "text",
	.help = "lines for people, and the death where it fell",
	.flags = FORMAT_PEOPLE,
	.open = text_open,
	.event = text_event,
	.end = text_end,
	.close = text_close,
};
