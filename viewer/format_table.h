/* SPDX-License-Identifier: MIT */
/*
 * format_table.h - events as cells: CSV, with a line of names on top, and logfmt.
 *
 * CSV is RFC 4180, with LF at the end of a line. A text cell that a spreadsheet would take for a
 * formula (it begins with = + - @, a tab or a carriage return) gets a ' in front. Both are always
 * valid UTF-8: bytes that are not become U+FFFD.
 */
#ifndef VIEWER_FORMAT_TABLE_H
#define VIEWER_FORMAT_TABLE_H

#include "viewer/format.h"

extern const struct format csv_format, logfmt_format;

/* A cell of CSV; a text that a spreadsheet would take for a formula is disarmed. */
void format_csv_cell(struct out *out, struct span span, bool text);

#endif
