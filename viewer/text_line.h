/* SPDX-License-Identifier: MIT */
/*
 * text_line.h - one event as one line for people: times, level, thread, target, message, fields.
 *
 *   T-1.234567  02:32:01.123456 INFO  worker-3/77  database  Request processed  status=200
 * method=GET
 *
 * A time that was carried over from an earlier reading of the clock has a "~" in front. Columns are
 * as wide as the dumps' threads, channels and targets, within bounds. Everything from a dump is
 * escaped.
 */
#ifndef VIEWER_TEXT_LINE_H
#define VIEWER_TEXT_LINE_H

#include "viewer/columns.h"
#include "viewer/stamp.h"

struct text_line {
	struct out *out;
	struct out scratch, escaped, whole;
	const struct columns *columns; /* NULL: all that a line has */
	bool colour, narrow;
	bool iso;	       /* with its whole time, and nothing lined up */
	size_t source_columns; /* 0: one dump, no column */
	size_t thread_columns, target_columns;
	size_t channel_columns; /* 0: no channels, no column */
	bool have_carried; /* a dump with times that are not the events' own: "~", or its room */
	struct stamps stamps;
};

/* 0 or -ENOMEM; then nothing is left to be freed. */
int text_line_init(struct text_line *line, const struct format_env *env, bool iso);
void text_line_fini(struct text_line *line);

/* Without its end. before_ns: the time of the line above. */
void text_line_write(struct text_line *line, struct out *out, struct record *record,
		     int64_t before_ns);

/* The same up to the message, whatever --fields say. */
void text_line_head(struct text_line *line, struct out *out, struct record *record,
		    int64_t before_ns);

/* The parts that other lines have too. */
void text_line_times(struct text_line *line, struct out *out, const struct meta *meta, int64_t ns,
		     int64_t before_ns, bool carried);
void text_line_source(struct out *out, const struct meta *meta); /* service[pid], not escaped */
bool text_line_shows_times(const struct text_line *line);
bool text_line_shows_day(const struct text_line *line); /* times of day, without the day */

/* What follows the times and the thread: level, message, fields. Without colours. */
void text_brief(struct out *out, struct record *record);
/* A value as it stands behind a field's name: in quotes where it has to be. */
void text_value(struct out *out, struct out *scratch, const struct value *value);

#define TEXT_RESET "\033[0m"
#define TEXT_DIM "\033[2m"
#define TEXT_BOLD "\033[1m"
#define TEXT_BLUE "\033[34m"
#define TEXT_DEATH "\033[1;31m"

#endif
