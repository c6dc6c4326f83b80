/* SPDX-License-Identifier: MIT */
/*
 * systemd.h - what a service manager and the recorder say to each other, without a library:
 * LISTEN_FDS, NOTIFY_SOCKET, WATCHDOG_USEC, and the store of descriptors (sd_listen_fds(3),
 * sd_notify(3)).
 *
 * The environment is read once, and emptied: no child takes itself for the service. Nothing here
 * waits: what the manager has no room for stands in a queue.
 */
#ifndef RECORDER_SYSTEMD_H
#define RECORDER_SYSTEMD_H

#include <stdbool.h>

#include "recorder/loop.h"

#define SYSTEMD_NAME_BYTES 64 /* of what is in the store */
#define SYSTEMD_FDS_A_NAME 3

struct systemd;

/* Descriptors that the manager kept for an earlier recorder, or that have a name of ours. */
struct systemd_kept {
	char name[SYSTEMD_NAME_BYTES];
	int fd[SYSTEMD_FDS_A_NAME]; /* in no order; -1: none. Taken over by setting it to -1 */
};

/* Without a manager it has nothing to tell and nobody to tell it to. 0 or -ENOMEM. */
int systemd_open(struct systemd **ret_systemd);
void systemd_close(struct systemd *systemd); /* NULL is fine, for all of these */

/* A listening SOCK_SEQPACKET socket that is the caller's from now on, or -1. */
int systemd_take_listener(struct systemd *systemd);
/* The path it is bound to, NULL: there is none. */
const char *systemd_listener_path(const struct systemd *systemd);
/* NULL: there are no more. */
struct systemd_kept *systemd_kept(struct systemd *systemd, unsigned int index);

/* From now on what is queued leaves when it can, and the watchdog is fed by the loop. */
int systemd_start(struct systemd *systemd, struct loop *loop);

/* Lines of sd_notify(3): "READY=1", "STATUS=...". */
void systemd_notify(struct systemd *systemd, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Is there a manager that may keep descriptors? */
bool systemd_stores(const struct systemd *systemd);
/* Asks it to; they stay the caller's. 0 or a negative errno. */
int systemd_store(struct systemd *systemd, const char *name, const int *fd, unsigned int count);
/* All of that name. */
void systemd_forget(struct systemd *systemd, const char *name);

#endif
