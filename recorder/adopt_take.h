/* SPDX-License-Identifier: MIT */
/*
 * adopt_take.h - takes a region out of a process that did not hand it over, and checks it.
 *
 * For a worker. By pidfd_getfd(2) (Linux 5.6, CAP_SYS_PTRACE for other users' processes), or by
 * /proc where that is not to be had.
 */
#ifndef RECORDER_ADOPT_TAKE_H
#define RECORDER_ADOPT_TAKE_H

#include <stdbool.h>

#include "lib/region.h"
#include "recorder/adopt_find.h"
#include "recorder/identity.h"
#include "recorder/modules.h"

/* All of it belongs to whoever has it; what he takes over he sets to -1 or NULL. */
struct adopt_taken {
	pid_t pid;
	int pidfd;
	int region_fd;	/* the client's open file description */
	int hold_fd;	/* ours: the sign that we hold it */
	int control_fd; /* of the map over its control page; -1: it has none */
	void *base;
	ino_t inode;
	struct ttlog_geometry geometry;
	struct identity identity;
	struct modules *modules;
	int root_fd;
	bool was_there; /* before we began to look: an earlier recorder may have watched it */
};

/*
 * audience: the recorder_hash of the regions that are wanted; 0: all. 0 or a negative errno: -ESRCH
 * (it died), -EBUSY (somebody holds it), -ENOTSUP (it is for another recorder), -ESTALE (the
 * descriptor is another one by now), and what ttlog_region_map() says.
 */
int adopt_take(const struct adopt_find *find, uint64_t audience, struct adopt_taken *ret_taken);
/*
 * The rest, for a region and a pidfd that were kept for us with the identity that the process had:
 * what it is now if it still lives. 0 or a negative errno.
 */
int adopt_complete(struct adopt_taken *taken, bool *ret_dead);
/* -1: the process has no control map, or not one that we would touch. */
int adopt_take_control(pid_t pid, int pidfd);
void adopt_taken_free(struct adopt_taken *taken);

#endif
