/* SPDX-License-Identifier: MIT */
/* Any bytes as the head of a dump: refused, or texts that end and numbers that are what they say. */
#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "recorder/log.h"
#include "recorder/summary.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int truth)
{
	if (!truth)
		abort();
}

/* Ends within its room, and is printable: cleaning it again changes nothing. */
static void check_text(const char *text, size_t room)
{
	char again[DUMP_SUMMARY_TEXT_MAX + 1];

	require(memchr(text, '\0', room) != NULL);
	strcpy(again, text);
	log_clean(again, LOG_CLEAN_LINE);
	require(!strcmp(again, text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct summary summary, again;
	const int err = summary_parse(data, size, &summary);

	require(err == 0 || err == -EBADMSG || err == -EPROTONOSUPPORT);
	if (err)
		return 0;
	check_text(summary.service, sizeof(summary.service));
	check_text(summary.reason, sizeof(summary.reason));
	check_text(summary.how, sizeof(summary.how));
	check_text(summary.sentence, sizeof(summary.sentence));
	require(!summary.signature[0] || strlen(summary.signature) == DUMP_SIGNATURE_DIGITS);
	for (const char *at = summary.signature; *at; at++)
		require(isxdigit((unsigned char)*at) && !isupper((unsigned char)*at));
	/* What is behind the first frame is not looked at. */
	const size_t frame = 8 + (data[4] | (size_t)data[5] << 8 | (size_t)data[6] << 16);

	require(frame <= size);
	require(summary_parse(data, frame, &again) == 0);
	require(!strcmp(again.sentence, summary.sentence) && again.pid == summary.pid &&
		again.events == summary.events && again.created_ns == summary.created_ns);
	return 0;
}
