/* SPDX-License-Identifier: MIT */
/* format_lines.h - formats of plain lines: all of an event, or its message alone. */
#ifndef VIEWER_FORMAT_LINES_H
#define VIEWER_FORMAT_LINES_H

#include "viewer/format.h"

/* A paragraph an event: what text has, then each column and field on a line of its own. */
extern const struct format verbose_format;
/* The message alone; with --fields, these and nothing but spaces between them. */
extern const struct format cat_format;

#endif
