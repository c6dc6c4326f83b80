/* SPDX-License-Identifier: MIT */
/* ctl_words.c - lines on stderr, and numbers for people: two figures are enough. */
#include <inttypes.h>
#include <stdarg.h>

#include "recorder/ctl.h"
#include "recorder/log.h"

void ctl_say(const char *format, ...)
{
	va_list arguments;
	char text[1024];

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	log_clean(text, LOG_CLEAN_LINE);
	fprintf(stderr, "ttlog-ctl: %s\n", text);
}

const char *ctl_words_duration(uint64_t ms, char words[CTL_WORDS_BYTES])
{
	const uint64_t s = ms / 1000;

	if (ms < 1000)
		snprintf(words, CTL_WORDS_BYTES, "%" PRIu64 "ms", ms);
	else if (s < 60)
		snprintf(words, CTL_WORDS_BYTES, "%" PRIu64 ".%" PRIu64 "s", s, ms % 1000 / 100);
	else if (s < 3600)
		snprintf(words, CTL_WORDS_BYTES, "%" PRIu64 "min %" PRIu64 "s", s / 60, s % 60);
	else if (s < 86400)
		snprintf(words, CTL_WORDS_BYTES, "%" PRIu64 "h %" PRIu64 "min", s / 3600,
			 s % 3600 / 60);
	else
		snprintf(words, CTL_WORDS_BYTES, "%" PRIu64 "d %" PRIu64 "h", s / 86400,
			 s % 86400 / 3600);
	return words;
}

const char *ctl_words_bytes(uint64_t bytes, char words[CTL_WORDS_BYTES])
{
	static const char units[] = "KMGTPE";
	double value = (double)bytes;
	unsigned int unit = 0;

	if (bytes < 1024) {
		snprintf(words, CTL_WORDS_BYTES, "%" PRIu64 "B", bytes);
		return words;
	}
	for (value /= 1024; value >= 1024; value /= 1024)
		unit++;
	snprintf(words, CTL_WORDS_BYTES, "%.1f%c", value, units[unit]);
	return words;
}
