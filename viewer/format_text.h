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

#include "viewer/format.h"

extern const struct format text_format;

/* What follows the times and the thread in such a line: level, message, fields. Without colours. */
void format_text_brief(struct out *out, struct record *record);

#endif
