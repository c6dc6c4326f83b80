/* SPDX-License-Identifier: MIT */
/*
 * log.h - one line on stderr, whole, with nothing in it that a terminal would obey.
 *
 * Names that clients choose end up in messages: bytes that are no printable UTF-8 become '?'. Any
 * thread.
 */
#ifndef RECORDER_LOG_H
#define RECORDER_LOG_H

#include <stdbool.h>
#include <stddef.h>

#define LOG_LINE_BYTES 8192 /* a longer line is cut */

extern _Atomic bool log_verbose; /* changed by SIGHUP */

/* "ttlog-recorder: ", the message, a newline, in one write(). errno is kept. */
void log_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same, with -v only. */
void log_detail(const char *format, ...) __attribute__((format(printf, 1, 2)));

enum log_clean { LOG_CLEAN_TEXT, LOG_CLEAN_LINE };

/*
 * Makes `text` valid UTF-8 in place, '?' for each byte that is not; with LOG_CLEAN_LINE control
 * characters go the same way.
 */
void log_clean(char *text, enum log_clean how);

#endif
