/* SPDX-License-Identifier: MIT */
/* announce.c - to whom a verdict goes. */
#include "recorder/announce.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "recorder/announce_line.h"
#include "recorder/announce_post.h"
#include "recorder/counters.h"
#include "recorder/dumper.h"

struct announce {
	struct announce_files *files; /* NULL: none */
	struct post syslog, journal;
	bool to_syslog, to_journal;
};

static int open_all(struct announce *announce, struct loop *loop, struct workers *workers,
		    const struct announce_options *options, const char **ret_failed)
{
	int err = 0;

	if (options->file) {
		*ret_failed = options->file;
		err = announce_files_open(&announce->files, workers, options->file);
	}
	if (!err && options->syslog) {
		*ret_failed = options->syslog;
		announce->to_syslog = true;
		err = post_open(&announce->syslog, loop, COUNTERS_VERDICT_SYSLOG, options->syslog);
	}
	if (!err && options->journal) {
		*ret_failed = options->journal;
		announce->to_journal = true;
		err = post_open(&announce->journal, loop, COUNTERS_VERDICT_JOURNAL,
				options->journal);
	}
	return err;
}

int announce_open(struct announce **ret_announce, struct loop *loop, struct workers *workers,
		  const struct announce_options *options, const char **ret_failed)
{
	struct announce *announce;
	int err;

	*ret_announce = NULL;
	*ret_failed = NULL;
	if (!options->file && !options->syslog && !options->journal)
		return 0;
	announce = calloc(1, sizeof(*announce));
	if (!announce)
		return -ENOMEM;
	err = open_all(announce, loop, workers, options, ret_failed);
	if (err)
		announce_close(announce);
	else
		*ret_announce = announce;
	return err;
}

int announce_folder_fd(const struct announce *announce)
{
	return announce ? announce_files_folder_fd(announce->files) : -1;
}

static void to_file(struct announce *announce, const struct obituary *obituary)
{
	const struct subject *subject = obituary->subject;
	char line[ANNOUNCE_LINE_BYTES + 1];
	const size_t bytes = announce_line(obituary, line);

	announce_files_add(announce->files, subject->service, subject->identity.uid, line, bytes);
}

static void to_syslog(struct announce *announce, const struct obituary *obituary)
{
	char message[ANNOUNCE_SYSLOG_BYTES];

	post_send(&announce->syslog, message, announce_syslog(obituary, message));
}

static void to_journal(struct announce *announce, const struct obituary *obituary)
{
	char message[ANNOUNCE_JOURNAL_BYTES];

	post_send(&announce->journal, message, announce_journal(obituary, message));
}

void announce_death(struct announce *announce, const struct obituary *obituary)
{
	if (!announce)
		return;
	if (announce->files)
		to_file(announce, obituary);
	if (announce->to_syslog)
		to_syslog(announce, obituary);
	if (announce->to_journal)
		to_journal(announce, obituary);
}

void announce_wind_down(struct announce *announce)
{
	if (announce)
		announce_files_wind_down(announce->files);
}

void announce_close(struct announce *announce)
{
	if (!announce)
		return;
	announce_files_close(announce->files);
	if (announce->to_syslog)
		post_close(&announce->syslog);
	if (announce->to_journal)
		post_close(&announce->journal);
	free(announce);
}
