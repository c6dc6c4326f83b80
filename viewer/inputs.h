/* SPDX-License-Identifier: MIT */
/*
 * inputs.h - which files: those that were named, the dumps in a folder that was, or of the folder that a
 * recorder writes to by default.
 */
#ifndef VIEWER_INPUTS_H
#define VIEWER_INPUTS_H

#include <stdbool.h>
#include <stddef.h>

#define INPUTS_MAX 65536

struct inputs {
	char **paths;
	size_t count;
	bool missing; /* a folder could not be read, or had no dumps; it was said */
};

/* TTLOG_SNAPSHOT_DIR, or where a recorder writes to when nobody says. */
const char *inputs_folder(void);
/*
 * Without paths: the newest dump of inputs_folder(), or with `all`, all of them. Files of a folder (*.bin)
 * come by the time in their names, oldest first. 0, or -ENOMEM.
 */
int inputs_open(struct inputs *inputs, char *const *paths, size_t count, bool all);
void inputs_close(struct inputs *inputs);

/* "ttlog-view: PATH: WHY" to the standard error, escaped. */
void inputs_complain(const char *path, const char *why);

#endif
