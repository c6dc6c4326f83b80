/* SPDX-License-Identifier: MIT */
/*
 * listener.h - the recorder's socket in the file system.
 *
 * Takes the place of a dead recorder's socket, never of a living one's: two recorders that start at
 * the same moment can't both believe that the path is theirs.
 */
#ifndef RECORDER_LISTENER_H
#define RECORDER_LISTENER_H

#include <limits.h>
#include <sys/types.h>

struct listener {
	int fd;	    /* -1: closed */
	int dir_fd; /* of the folder that the socket is in */
	char name[NAME_MAX + 1];
	dev_t device; /* of the socket's file: removed at the end only if it still is ours */
	ino_t inode;
};

/*
 * Makes the folder (0755, with its parents) and the socket (0666), listens. 0 or a negative errno:
 * -EADDRINUSE (somebody listens there), -EEXIST (the path is no socket), -ENAMETOOLONG (a client
 * could not name it).
 */
int listener_open(struct listener *ret_listener, const char *path);
/* The same for a stream of bytes. */
int listener_open_stream(struct listener *ret_listener, const char *path);
/* One that somebody else has bound, and will remove. */
void listener_take(struct listener *ret_listener, int fd);
/* Stops listening and removes the file. A closed one is fine. */
void listener_close(struct listener *listener);

#endif
