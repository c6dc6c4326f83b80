/* SPDX-License-Identifier: MIT */
/*
 * store.h - dump files in a folder: named, atomic, private, never overwritten.
 */
#ifndef RECORDER_STORE_H
#define RECORDER_STORE_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define STORE_NOBODY ((uid_t)-1)

struct store {
	int dir_fd;
	gid_t group;  /* that may read dumps; STORE_NOBODY: none */
	bool readers; /* a dump may have one */
	char path[PATH_MAX];
};

struct store_file {
	int fd;	      /* write the dump here */
	uid_t reader; /* who may read it beside us, if the store has readers; STORE_NOBODY: nobody
		       */
	char temporary[64];
};

/*
 * Opens the folder (made 0700 if it is missing, its parents 0755), removes what a killed recorder
 * left half-written there. 0 or a negative errno.
 */
int store_open(struct store *ret_store, const char *path);
void store_close(struct store *store);
/*
 * Who else may read dumps. A group: they are 0640, the folder 02750, so that files have that group
 * from the start. Readers: an access control list names each file's (0640 in the eyes of ls, with a
 * +), and the folder may be searched by all, but not listed. The files stay ours: nobody else may
 * write. 0, or a negative errno: -EPERM (the folder is not ours), -EACCES (all may write there),
 * ...
 */
int store_share(struct store *store, gid_t group, bool readers);

/* A new hidden file, 0600. 0 or a negative errno. */
int store_create(struct store *store, struct store_file *ret_file);
/*
 * fsync, gives it its name (ttlog-<pid>-<time>-<reason>.bin; reason may be anything: what is not
 * [a-z0-9_.-] becomes '_'), fsync of the folder. Never replaces a file. ret_name gets the full
 * path. After an error nothing is visible and nothing is left. Closes the file in any case.
 */
int store_commit(struct store *store, struct store_file *file, uint32_t pid, uint64_t created_ns,
		 const char *reason, char ret_name[PATH_MAX]);
void store_abandon(struct store *store, struct store_file *file);

#endif
