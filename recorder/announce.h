/* SPDX-License-Identifier: MIT */
/*
 * announce.h - one line of verdict for each death, where people and their tools look: a file (the
 * termination log of a container), syslog, the journal.
 *
 * The loop's thread; nothing in here waits. A file is written by a worker, a message that its reader
 * has no room for stands in a queue, and what has waited too long is given up and counted.
 */
#ifndef RECORDER_ANNOUNCE_H
#define RECORDER_ANNOUNCE_H

#include "recorder/announce_file.h"
#include "recorder/loop.h"
#include "recorder/obituary.h"
#include "recorder/workers.h"

struct announce;

/* What is NULL is not wanted. */
struct announce_options {
	const char *file;    /* with %s for the service, %u for the user, %% for % */
	const char *syslog;  /* the path of a datagram socket: /dev/log */
	const char *journal; /* the same: /run/systemd/journal/socket */
};

/*
 * Opens the folder of the file; the rest may come and go as it likes. *ret_announce is NULL if
 * nothing is wanted. 0 or a negative errno, of *ret_failed: one of the options' paths, or NULL.
 */
int announce_open(struct announce **ret_announce, struct loop *loop, struct workers *workers,
		  const struct announce_options *options, const char **ret_failed);
/* The folder of the file, -1: none. */
int announce_folder_fd(const struct announce *announce);
void announce_death(struct announce *announce, const struct obituary *obituary);
/* Before workers_close(): no more jobs are given to it. NULL is fine, here and below. */
void announce_wind_down(struct announce *announce);
/* Behind it. What still waits gets one more chance. */
void announce_close(struct announce *announce);

#endif
