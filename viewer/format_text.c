/* SPDX-License-Identifier: MIT */
#include "viewer/format_text.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "viewer/text_line.h"
#include "viewer/when.h"

struct format_text {
	struct out *out;
	struct text_line line;
	size_t mark_next;
	int64_t before_ns; /* of the line above */
	bool have_before, reverse;
	int64_t day; /* of the line above; INT64_MIN = none */
};

static void text_close(void *state)
{
	struct format_text *text = state;

	if (!text)
		return;
	text_line_fini(&text->line);
	free(text);
}

static int open_as(void **ret_state, const struct format_env *env, bool iso)
{
	struct format_text *text = calloc(1, sizeof(*text));

	if (!text)
		return -ENOMEM;
	if (text_line_init(&text->line, env, iso)) {
		text_close(text);
		return -ENOMEM;
	}
	text->out = env->out;
	text->reverse = env->reverse;
	text->day = INT64_MIN;
	*ret_state = text;
	return 0;
}

static int text_open(void **ret_state, const struct format_env *env)
{
	return open_as(ret_state, env, false);
}

static int short_iso_open(void **ret_state, const struct format_env *env)
{
	return open_as(ret_state, env, true);
}

static void colour(const struct format_text *text, const char *code)
{
	if (text->line.colour)
		out_text(text->out, code);
}

static int64_t day_of(int64_t ns, bool local)
{
	int64_t seconds;
	uint32_t left;
	struct tm tm;
	time_t time;

	when_split(ns, &seconds, &left);
	time = seconds;
	if (local && localtime_r(&time, &tm))
		seconds += tm.tm_gmtoff;
	return (seconds - (seconds % 86400 + 86400) % 86400) / 86400;
}

/* The day has a line of its own when it changes. */
static void put_day(struct format_text *text, int64_t ns)
{
	const bool local = text->line.stamps.mode == TIME_DAY_LOCAL;
	const int64_t day = day_of(ns, local);

	if (day == text->day)
		return;
	colour(text, TEXT_DIM);
	out_text(text->out, "-- ");
	if (local)
		when_local_date(text->out, ns);
	else
		when_date(text->out, ns);
	out_text(text->out, local ? " local time --" : " UTC --");
	colour(text, TEXT_RESET);
	out_char(text->out, '\n');
	text->day = day;
}

static void put_mark(struct format_text *text, const struct stamp_mark *mark)
{
	struct span sentence = mark->meta->cause.sentence;
	struct out *scratch = &text->line.escaped;

	if (text_line_shows_day(&text->line))
		put_day(text, mark->ns);
	text_line_times(&text->line, text->out, mark->meta, mark->ns,
			text->have_before ? text->before_ns : mark->ns, false);
	colour(text, mark->dead ? TEXT_DEATH : TEXT_BOLD);
	out_text(text->out, "===== ");
	scratch->bytes = 0;
	text_line_source(scratch, mark->meta);
	out_escaped(text->out, span_of(scratch), 0);
	scratch->bytes = 0;
	out_text(text->out, ": ");
	if (!sentence.bytes)
		sentence = mark->dead ? (struct span){"how it died is not known", 24}
				      : (struct span){"written", 7};
	out_escaped(text->out, sentence, 0);
	out_text(text->out, " =====");
	colour(text, TEXT_RESET);
	out_char(text->out, '\n');
	text->before_ns = mark->ns;
	text->have_before = true;
}

/* NULL: all were shown. The last comes first when events do. */
static const struct stamp_mark *next_mark(const struct format_text *text)
{
	const size_t count = text->line.stamps.mark_count;

	if (text->mark_next == count)
		return NULL;
	return &text->line.stamps.marks[text->reverse ? count - 1 - text->mark_next
						      : text->mark_next];
}

static int text_event(void *state, struct record *record)
{
	struct format_text *text = state;
	const int64_t ns = record->event.time_ns;
	const struct stamp_mark *mark;

	for (mark = next_mark(text); mark && (text->reverse ? mark->ns >= ns : mark->ns < ns);
	     mark = next_mark(text)) {
		put_mark(text, mark);
		text->mark_next++;
	}
	if (text_line_shows_day(&text->line) && text_line_shows_times(&text->line))
		put_day(text, ns);
	text_line_write(&text->line, text->out, record, text->have_before ? text->before_ns : ns);
	out_char(text->out, '\n');
	text->before_ns = ns;
	text->have_before = true;
	return text->line.scratch.error;
}

/* The deaths that no event came after. */
static int text_end(void *state, bool complete)
{
	struct format_text *text = state;

	for (; complete && next_mark(text); text->mark_next++)
		put_mark(text, next_mark(text));
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

const struct format short_iso_format = {
	.name = "short-iso",
	.help = "the same, each line with its whole time",
	.flags = FORMAT_PEOPLE,
	.open = short_iso_open,
	.event = text_event,
	.end = text_end,
	.close = text_close,
};
