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
#include <stdint.h>

#define LOG_LINE_BYTES 4096  /* a longer line is cut: a pipe that has room takes so much at once */
#define LOG_BURST 30	     /* lines of one kind that log_limited() lets pass... */
#define LOG_BURST_SECONDS 10 /* ...in so much time */

/* As syslog numbers them, and as the journal takes them in front of a line: "<4>". */
enum log_level {
	LOG_LEVEL_ERROR = 3,   /* something that was wanted does not happen */
	LOG_LEVEL_WARNING = 4, /* something is lost */
	LOG_LEVEL_SAY = 6,     /* what a recorder does: --quiet leaves it out */
	LOG_LEVEL_DETAIL = 7,  /* --verbose only */
};

extern _Atomic bool log_verbose, log_quiet; /* changed by SIGHUP */

/*
 * Before the first line: is stderr the journal's own ($JOURNAL_STREAM says which file that is)?
 * Then each line begins with its level.
 */
void log_open(void);

/*
 * How long a line waits for a reader who does not come, once; default 20. Whoever waits in here
 * does nothing else.
 */
extern _Atomic int log_patience_ms;
/* Lines that were given up. The next that is read is told of them. */
uint64_t log_lost_count(void);

/*
 * "ttlog-recorder: ", the message, a newline, in one write(). errno is kept. Not in a forked child of
 * a process with threads.
 */
void log_at(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));
#define log_error(...) log_at(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...) log_at(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_say(...) log_at(LOG_LEVEL_SAY, __VA_ARGS__)
#define log_detail(...) log_at(LOG_LEVEL_DETAIL, __VA_ARGS__)

struct log_rate {
	uint64_t since_s;
	unsigned int count; /* since then */
};

/* For lines that a client can cause as often as it likes. What is left out is counted and said. */
#define log_limited(level, ...)                                                                    \
	do {                                                                                       \
		static struct log_rate log_rate_here;                                              \
		if (log_rate_take(&log_rate_here, level))                                          \
			log_at(level, __VA_ARGS__);                                                \
	} while (0)
bool log_rate_take(struct log_rate *rate, enum log_level level);

enum log_clean { LOG_CLEAN_TEXT, LOG_CLEAN_LINE };

/*
 * Makes `text` valid UTF-8 in place, '?' for each byte that is not; with LOG_CLEAN_LINE control
 * characters go the same way.
 */
void log_clean(char *text, enum log_clean how);

#endif
