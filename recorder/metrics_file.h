/* SPDX-License-Identifier: MIT */
/*
 * metrics_file.h - figures in a file, for node_exporter's textfile collector: written anew every so
 * often, under another name first, so that whoever reads it sees all of it.
 */
#ifndef RECORDER_METRICS_FILE_H
#define RECORDER_METRICS_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "recorder/workers.h"

struct metrics_file;

/* due() is called now and every interval_s: whoever gets it calls metrics_file_write(). 0 or
 * -errno. */
int metrics_file_open(struct metrics_file **ret_file, struct loop *loop, struct workers *workers,
		      const char *path, uint64_t interval_s, loop_timer_fn due, void *context);
/* Takes the text. Left out while the one before is still being written. */
void metrics_file_write(struct metrics_file *file, char *text, size_t bytes);
int metrics_file_folder_fd(const struct metrics_file *file);
/* Removes the file: the figures of nobody. Before the workers are closed. NULL is fine. */
void metrics_file_close(struct metrics_file *file);

#endif
