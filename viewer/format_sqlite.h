/* SPDX-License-Identifier: MIT */
/*
 * format_sqlite.h - a database in a file, for questions that take a query.
 *
 *   dumps    dump (1, 2, ... as named), path, service, host, pid, reason, created_ns, death_ns, how, signal,
 *            sentence, events, overwritten, dropped
 *   events   event, dump, seq, ts_ns, ts, level, severity, target, msg, tid, thread, channel, lane, file,
 *            line, func, fields (JSON)
 *   fields   event, name, value: of its own type, one a row
 *
 * Values are bound, never made part of a statement. Text is UTF-8, without NUL: behind one there would be
 * what the shell of SQLite does not show.
 */
#ifndef VIEWER_FORMAT_SQLITE_H
#define VIEWER_FORMAT_SQLITE_H

#include "viewer/format.h"

extern const struct format sqlite_format;

/* With SQLite: what is in `out` becomes this text, whole to its readers: without NUL, always UTF-8. */
void format_sqlite_text(struct out *out, struct span span);

#endif
