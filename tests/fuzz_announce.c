/* SPDX-License-Identifier: MIT */
/*
 * What ends up in lines, messages and answers, from any bytes: names of clients, paths, the summary of
 * a file that somebody has put into the folder, and the words of a configuration.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "recorder/announce_file.h"
#include "recorder/announce_line.h"
#include "recorder/dumper.h"
#include "recorder/group.h"
#include "recorder/last_deaths.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int truth)
{
	if (!truth)
		abort();
}

static void require_clean(const char *text, size_t bytes)
{
	require(memchr(text, '\0', bytes) != NULL);
	for (; *text; text++)
		require((unsigned char)*text >= 0x20 && *text != 0x7f);
}

/* The next text of the input; "" when there is none left. */
static const char *next_text(char **at, char *end)
{
	char *text = *at;
	const size_t length = strnlen(text, (size_t)(end - text));

	*at = text + length + (text + length < end);
	return text < end ? text : "";
}

static void require_fields(const char *message, size_t bytes)
{
	const char *at = message, *end = message + bytes;

	while (at < end) {
		const char *line = memchr(at, '\n', (size_t)(end - at));
		uint64_t length = 0;

		require(line != NULL && *at >= 'A' && *at <= 'Z');
		if (!memchr(at, '=', (size_t)(line - at))) {
			require(end - line > 9);
			for (int i = 0; i < 8; i++)
				length |= (uint64_t)(unsigned char)line[1 + i] << 8 * i;
			require(length < (uint64_t)(end - line - 9));
			line += 9 + length;
			require(*line == '\n');
		}
		at = line + 1;
	}
}

static void try_texts(char *text, size_t size)
{
	char line[ANNOUNCE_LINE_BYTES + 1], syslog[ANNOUNCE_SYSLOG_BYTES];
	char journal[ANNOUNCE_JOURNAL_BYTES], *end = text + size;
	struct verdict verdict = {.how = VERDICT_SIGNAL, .have_signal = true, .have_sender = true};
	struct subject subject = {0};
	struct obituary obituary = {.subject = &subject, .verdict = &verdict};
	size_t bytes;

	snprintf(subject.service, sizeof(subject.service), "%s", next_text(&text, end));
	obituary.dump = next_text(&text, end);
	obituary.reason = next_text(&text, end);
	memcpy(verdict.sender.comm, text, (size_t)(end - text) < 16 ? (size_t)(end - text) : 16);
	next_text(&text, end);
	subject.identity.exe = (char *)(uintptr_t)next_text(&text, end);
	subject.identity.cgroup = (char *)(uintptr_t)next_text(&text, end);
	bytes = announce_line(&obituary, line);
	require(bytes <= ANNOUNCE_LINE_BYTES && strlen(line) == bytes && line[bytes - 1] == '\n');
	line[bytes - 1] = '\0';
	require_clean(line, sizeof(line));
	require(announce_syslog(&obituary, syslog) < sizeof(syslog));
	require_clean(syslog, sizeof(syslog));
	bytes = announce_journal(&obituary, journal);
	require(bytes <= sizeof(journal));
	require_fields(journal, bytes);
}

static void try_summary(const uint8_t *data, size_t size)
{
	const struct ttlog_death_answer *answer;
	struct last_deaths *deaths;
	struct summary summary;

	if (summary_parse(data, size, &summary))
		return;
	require_clean(summary.set, sizeof(summary.set));
	require_clean(summary.set_role, sizeof(summary.set_role));
	require_clean(summary.confidence, sizeof(summary.confidence));
	require(summary.signal >= 0 && summary.signal <= 64);
	require(summary.exit_code >= -1 && summary.exit_code <= 255);
	require(!last_deaths_open(&deaths));
	last_deaths_remember(deaths, &summary, "/a/path");
	answer = last_deaths_find(deaths, summary.uid, summary.service);
	if (answer) {
		require_clean(answer->how, sizeof(answer->how));
		require_clean(answer->confidence, sizeof(answer->confidence));
		require_clean(answer->reason, sizeof(answer->reason));
		require_clean(answer->signature, sizeof(answer->signature));
		require_clean(answer->sentence, sizeof(answer->sentence));
	}
	last_deaths_close(deaths);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	unsigned int by;

	require(text != NULL);
	if (size)
		memcpy(text, data, size);
	text[size] = '\0';
	if (!group_parse(text, &by))
		require(by < 8);
	if (!announce_file_check(text))
		require(strlen(text) < 8192);
	try_texts(text, size);
	try_summary(data, size);
	free(text);
	return 0;
}
