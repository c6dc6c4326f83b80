/* SPDX-License-Identifier: MIT */
/* log.c - lines for people, on stderr. */
#include "recorder/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

_Atomic bool log_verbose;

/*
 * Bytes of the UTF-8 character at `at`, 0 if there is none: the table of RFC 3629, which leaves out
 * surrogates, overlong forms and what lies above U+10FFFF. A NUL ends every loop, so nothing is
 * read behind the string.
 */
static size_t utf8_bytes(const unsigned char *at)
{
	size_t bytes;

	if (at[0] < 0x80)
		return 1;
	if (at[0] < 0xc2 || at[0] > 0xf4)
		return 0;
	bytes = at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;
	for (size_t i = 1; i < bytes; i++)
		if ((at[i] & 0xc0) != 0x80)
			return 0;
	if ((at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xed && at[1] > 0x9f) ||
	    (at[0] == 0xf0 && at[1] < 0x90) || (at[0] == 0xf4 && at[1] > 0x8f))
		return 0;
	return bytes;
}

/* C0, DEL, and the C1 controls, which some terminals obey. */
static bool is_control(const unsigned char *at)
{
	return at[0] < 0x20 || at[0] == 0x7f || (at[0] == 0xc2 && at[1] < 0xa0);
}

void log_clean(char *text, enum log_clean how)
{
	unsigned char *at = (unsigned char *)text;

	while (*at) {
		size_t bytes = utf8_bytes(at);

		if (!bytes || (how == LOG_CLEAN_LINE && is_control(at))) {
			memset(at, '?', bytes ? bytes : 1);
			bytes = 1;
		}
		at += bytes;
	}
}

static void say(const char *format, va_list arguments)
{
	static const char prefix[] = "ttlog-recorder: ";
	const int saved = errno;
	char line[LOG_LINE_BYTES];
	char *end = stpcpy(line, prefix);
	ssize_t written;

	vsnprintf(end, sizeof(line) - sizeof(prefix), format, arguments);
	log_clean(line, LOG_CLEAN_LINE);
	end = stpcpy(strchr(line, '\0'), "\n");
	/* A message that can't be written has nowhere else to go. */
	written = write(STDERR_FILENO, line, (size_t)(end - line));
	(void)written;
	errno = saved;
}

void log_say(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	say(format, arguments);
	va_end(arguments);
}

void log_detail(const char *format, ...)
{
	va_list arguments;

	if (!log_verbose)
		return;
	va_start(arguments, format);
	say(format, arguments);
	va_end(arguments);
}
