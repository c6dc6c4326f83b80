/* SPDX-License-Identifier: MIT */
/*
 * keep_index.h - the dumps in a folder, by what their summaries say.
 *
 * Only regular files with the names and the first bytes of dumps are seen; links are not followed,
 * nothing that blocks is opened. The recorder has one of its own folder; ttlog-ctl makes one for
 * each listing. No locks.
 */
#ifndef RECORDER_KEEP_INDEX_H
#define RECORDER_KEEP_INDEX_H

#include <sys/types.h>

#include "recorder/summary.h"

#define KEEP_INDEX_MAX 100000 /* dumps that are looked at; the folder may have more */
#define KEEP_ANYBODY ((uid_t)-1)

struct keep_dump {
	char *name; /* in the folder */
	ino_t inode;
	uint64_t modified_ns; /* with the inode and the size: whether it still is that file */
	uint64_t bytes;
	struct summary summary; /* created_ns is that of the name, if the file does not say */
	bool seen;		/* by the scan that goes on */
};

struct keep_index {
	struct keep_dump **dump; /* oldest first */
	size_t count, capacity;
	size_t unreadable; /* files named like dumps that are none, or may not be read */
	size_t left_out;   /* beyond KEEP_INDEX_MAX */
};

/*
 * Brings the index up to what is there: adds, forgets, leaves alone what has not changed. owner:
 * only files of that user. 0 or a negative errno. Zero-initialise the index before the first time.
 */
int keep_index_scan(struct keep_index *index, int dir_fd, uid_t owner);
/* One file more. 0 or a negative errno: -EEXIST (known), -EBADMSG (no dump), -EPERM (another's). */
int keep_index_add(struct keep_index *index, int dir_fd, const char *name, uid_t owner);
/* Forgets one; the file stays. */
void keep_index_remove(struct keep_index *index, size_t at);
void keep_index_fini(struct keep_index *index);

/* Is there still that very file, under that name? */
struct stat;
bool keep_index_is_there(const struct keep_dump *dump, int dir_fd, struct stat *ret_status);

/* Is it a name that a recorder gives? ttlog-<pid>-<YYYYMMDDHHMMSS>-<reason>.bin */
bool keep_index_is_name(const char *name);

#endif
