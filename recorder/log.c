/* SPDX-License-Identifier: MIT */
/* log.c - lines for people, on stderr. */
#include "recorder/log.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

_Atomic bool log_verbose, log_quiet;
_Atomic int log_patience_ms = 20;
static _Atomic uint64_t lost;
static bool to_journal; /* set once, before the first thread */

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

/* "DEVICE:INODE", in decimal, of what systemd connected to the journal. */
void log_open(void)
{
	const char *stream = secure_getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat stat;
	int end = 0;

	to_journal = stream && sscanf(stream, "%llu:%llu%n", &device, &inode, &end) == 2 &&
		     !stream[end] && !fstat(STDERR_FILENO, &stat) && stat.st_dev == device &&
		     stat.st_ino == inode;
}

static bool is_wanted(enum log_level level)
{
	if (level >= LOG_LEVEL_DETAIL)
		return log_verbose;
	return level < LOG_LEVEL_SAY || !log_quiet;
}

uint64_t log_lost_count(void)
{
	return lost;
}

static bool has_room(int patience_ms)
{
	struct pollfd poll_fd = {.fd = STDERR_FILENO, .events = POLLOUT};

	return poll(&poll_fd, 1, patience_ms) > 0;
}

/* A message that can't be written has nowhere else to go. */
static bool write_line(const char *line, size_t bytes)
{
	return write(STDERR_FILENO, line, bytes) > 0;
}

static void tell_lost(uint64_t count)
{
	char line[128];
	const int bytes = snprintf(line, sizeof(line),
				   "%sttlog-recorder: nobody read %llu line%s before this: lost\n",
				   to_journal ? "<4>" : "", (unsigned long long)count,
				   count == 1 ? "" : "s");

	write_line(line, (size_t)bytes);
}

/*
 * A pipe whose reader has stopped, or a terminal after a ^S, must not stop a recorder: a line waits a
 * moment, those behind it not even that. What is ready takes a line whole (LOG_LINE_BYTES); threads
 * come one at a time, for room that one has seen is taken by the next.
 */
static void put(const char *line, size_t bytes)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static uint64_t untold;

	pthread_mutex_lock(&lock);
	if (!has_room(untold ? 0 : log_patience_ms)) {
		lost++;
		untold++;
	} else {
		if (untold)
			tell_lost(untold);
		/* That may have been all the room. */
		if (!untold || has_room(0)) {
			write_line(line, bytes);
			untold = 0;
		} else {
			lost++;
			untold = 1;
		}
	}
	pthread_mutex_unlock(&lock);
}

void log_at(enum log_level level, const char *format, ...)
{
	const int saved = errno;
	char line[LOG_LINE_BYTES];
	va_list arguments;
	size_t bytes = 0;

	if (!is_wanted(level))
		return;
	if (to_journal)
		bytes = (size_t)snprintf(line, sizeof(line), "<%d>", (int)level);
	bytes += (size_t)snprintf(line + bytes, sizeof(line) - bytes, "ttlog-recorder: ");
	va_start(arguments, format);
	vsnprintf(line + bytes, sizeof(line) - bytes - 1, format, arguments);
	va_end(arguments);
	log_clean(line, LOG_CLEAN_LINE);
	bytes = (size_t)(stpcpy(strchr(line, '\0'), "\n") - line);
	put(line, bytes);
	errno = saved;
}

bool log_rate_take(struct log_rate *rate, enum log_level level)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	const int saved = errno;
	struct timespec now = {0};
	unsigned int left_out = 0;
	bool fine;

	if (!is_wanted(level))
		return false;
	clock_gettime(CLOCK_MONOTONIC, &now);
	pthread_mutex_lock(&lock);
	if ((uint64_t)now.tv_sec >= rate->since_s + LOG_BURST_SECONDS) {
		left_out = rate->count > LOG_BURST ? rate->count - LOG_BURST : 0;
		*rate = (struct log_rate){.since_s = (uint64_t)now.tv_sec};
	}
	fine = rate->count < LOG_BURST;
	rate->count += rate->count < UINT_MAX;
	pthread_mutex_unlock(&lock);
	if (left_out)
		log_at(level, "%u more lines like the next one were left out", left_out);
	errno = saved;
	return fine;
}
