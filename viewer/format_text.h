/* SPDX-License-Identifier: MIT */
/*
 * format_text.h - events as lines for people (text_line.h), and the deaths where they fell.
 *
 * T is the first death among the dumps, or without one the last snapshot.
 */
#ifndef VIEWER_FORMAT_TEXT_H
#define VIEWER_FORMAT_TEXT_H

#include "viewer/format.h"

extern const struct format text_format, short_iso_format;

#endif
