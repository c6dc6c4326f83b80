/* SPDX-License-Identifier: MIT */
/*
 * format_text.h - events as lines for people: columns, colours, and the deaths where they fell.
 *
 *   T-1.234567  02:32:01.123456 INFO  worker-3/77  database  Request processed  status=200 method=GET
 *
 * A time that was carried over from an earlier reading of the clock has a "~" in front.
 * T is the first death among the dumps, or without one the last snapshot.
 */
#ifndef VIEWER_FORMAT_TEXT_H
#define VIEWER_FORMAT_TEXT_H

#include "viewer/dump_reader.h"
#include "viewer/out.h"

struct format_text;

/* 0 or -ENOMEM. The dumps stay open until the close. */
int format_text_open(struct format_text **ret_text, struct out *out, struct dump *const *dumps,
		     size_t dump_count, bool colour);
void format_text_event(struct format_text *text, struct record *record);
/* What follows the times and the thread in such a line: level, message, fields. Without colours. */
void format_text_brief(struct out *out, struct record *record);
/* Draws the deaths that no event came after. Not called when events were left out at the end. */
void format_text_end(struct format_text *text);
void format_text_close(struct format_text *text); /* NULL is fine */

#endif
