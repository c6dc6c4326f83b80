/* SPDX-License-Identifier: MIT */
/*
 * adopt_find.h - where in /proc regions are, by their name. Knows nothing of clients.
 *
 * What it finds is a hint: a name is a claim of the process, and whatever was true has changed when
 * the caller comes to it. For a worker: a machine with many processes takes a while.
 */
#ifndef RECORDER_ADOPT_FIND_H
#define RECORDER_ADOPT_FIND_H

#include <stdint.h>
#include <sys/types.h>

/* Of one process; whoever opens more of that name has to do without. */
#define ADOPT_FINDS_A_PROCESS 8
#define ADOPT_FINDS_MAX 65536

struct adopt_find {
	pid_t pid;
	int fd; /* in that process */
	ino_t inode;
};

/* Zero-initialise. */
struct adopt_finds {
	struct adopt_find *find;
	unsigned int count, capacity;
	unsigned int forbidden; /* processes that we may not look into */
};

/*
 * Adds what is open in that process, has our name, and is in its memory. 0 or a negative errno:
 * -ESRCH, -EACCES, -ENOMEM, -E2BIG (there are ADOPT_FINDS_MAX).
 */
int adopt_find_in(struct adopt_finds *finds, pid_t pid);
/* The same of every process but ourselves. 0 or a negative errno. */
int adopt_find_all(struct adopt_finds *finds);
void adopt_finds_free(struct adopt_finds *finds);

#endif
