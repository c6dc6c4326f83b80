/* SPDX-License-Identifier: MIT */
/*
 * announce_file.h - files with the newest verdicts: whole lines, at most ANNOUNCE_LINE_BYTES of them,
 * the newest last.
 *
 * A file is replaced by a new one at each death, so that a reader finds the old lines or the new ones.
 * Where that can't be done (a file that is mounted for itself, a folder that is not ours), it is
 * written over in one piece. Its name may be a client's: then what is no letter, digit, dot, dash or
 * underscore becomes one, and there are at most ANNOUNCE_FILES_MAX of them.
 */
#ifndef RECORDER_ANNOUNCE_FILE_H
#define RECORDER_ANNOUNCE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "recorder/workers.h"

#define ANNOUNCE_FILES_MAX 256

struct announce_files;

/* Is it a path that can be used? %s and %u only behind the last slash. 0 or -EINVAL. */
int announce_file_check(const char *pattern);

/* 0 or a negative errno, of the folder. */
int announce_files_open(struct announce_files **ret_files, struct workers *workers,
			const char *pattern);
int announce_files_folder_fd(const struct announce_files *files);
/* A line with its newline. */
void announce_files_add(struct announce_files *files, const char *service, uid_t uid,
			const char *line, size_t bytes);
/* See announce.h. NULL is fine for both. */
void announce_files_wind_down(struct announce_files *files);
void announce_files_close(struct announce_files *files);

#endif
