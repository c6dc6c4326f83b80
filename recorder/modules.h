/* SPDX-License-Identifier: MIT */
/*
 * modules.h - what a process has mapped to execute, and which build of it.
 *
 * Read when it registers, when the files are surely the right ones, and again for a snapshot: on kernels
 * whose program can't walk the mappings at the death this is what is known. A list does not change; who
 * uses one holds it.
 */
#ifndef RECORDER_MODULES_H
#define RECORDER_MODULES_H

#include "recorder/scene.h"

struct modules {
	unsigned int holders; /* the loop's own, as in dumper.h */
	struct scene_module *list;
	unsigned int count, left_out;
};

/*
 * The executable mappings of the process as /proc/PID/maps has them, with the build-ids of the files.
 * root_fd: where its paths start; -1: where ours do. 0 or a negative errno: -EACCES, -ESRCH, ... Held
 * once.
 */
int modules_read(pid_t pid, int root_fd, struct modules **ret_modules);
void modules_release(struct modules *modules); /* NULL is fine */

/* Where the paths of a process start, as O_PATH; -1: where ours do, or it may not be known. */
int modules_open_root(pid_t pid);

/*
 * The build-id of the file that was mapped, if that is still what is found at its path. Opens nothing
 * but regular files. Leaves it unknown otherwise.
 */
void modules_find_build_id(struct scene_module *module, int root_fd);

/* A copy with a path of its own. 0 or -ENOMEM. */
int modules_copy(struct scene_module *ret_module, const struct scene_module *module);

#endif
