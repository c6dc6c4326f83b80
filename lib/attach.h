/* SPDX-License-Identifier: MIT */
/*
 * attach.h - the client's end of the socket to the recorder.
 *
 * Raw system calls only: the wrappers of libc are cancellation points. Nothing here waits longer
 * than hello_timeout_ms in all.
 */
#ifndef TTLOG_ATTACH_H
#define TTLOG_ATTACH_H

#include <stddef.h>
#include <stdint.h>

#include "lib/settings.h"

/*
 * Asks for a region. 0: *ret_region_fd is one, *ret_control_fd the control map or -1; the caller
 * closes both. A negative errno: no recorder, it refused, or it took too long (-ETIMEDOUT: it is
 * still connected, and takes a region by ttlog_attach_offer()).
 */
int ttlog_attach(const struct ttlog_settings *settings, enum ttlog_clock_source source,
		 int *ret_region_fd, int *ret_control_fd);

/* Hands a region of our own to a recorder that is connected. 0 or a negative errno. */
int ttlog_attach_offer(int region_fd);

/*
 * By the socket, or where its recorder is gone or never was there by a new one, for this message
 * alone: the region may have been adopted. 0 or a negative errno: -ENOTCONN, -EAGAIN.
 */
int ttlog_attach_snapshot(const struct ttlog_settings *settings, const char *reason);
/* Waits for its dump; see ttlog_snapshot_wait(). */
int ttlog_attach_snapshot_wait(const struct ttlog_settings *settings, const char *reason,
			       uint32_t timeout_ms, char *path, size_t path_bytes);
/*
 * Something of the ledger is for the recorder to look at: by the socket, or, when its recorder is gone,
 * by one of its own, and by a call.
 */
void ttlog_attach_notice(const struct ttlog_settings *settings);
void ttlog_attach_goodbye(void);

/*
 * On a connection of its own: how did the last process of this service's name end? 0 and the answer,
 * whose texts end, or a negative errno: -ENOENT, -ENOTCONN, -ETIMEDOUT.
 */
int ttlog_attach_last_death(const struct ttlog_settings *settings,
			    struct ttlog_death_answer *ret_answer);

/*
 * Says that there is a region which no recorder was given, or news in it: one with a kernel program
 * hears it and adopts the region, wherever this process is. Two system calls that change nothing.
 */
void ttlog_attach_call(void);

/* In a forked child: the socket is the parent's. */
void ttlog_attach_forget(void);

/*
 * A descriptor that the program may have closed, or closed and opened as something else: remembered
 * with the inode that it should be.
 */
struct ttlog_attach_fd {
	int fd; /* -1 = none */
	uint64_t device, inode;
};

/*
 * Takes the descriptor over. It is moved out of the way of the standard files: what a daemon that
 * has closed them prints must not land in here. Where there is no room for that it is closed.
 */
void ttlog_attach_fd_keep(struct ttlog_attach_fd *keep, int fd);
/* The descriptor if it is still ours, else -1. */
int ttlog_attach_fd_get(const struct ttlog_attach_fd *keep);
void ttlog_attach_fd_close(struct ttlog_attach_fd *keep);

#endif
