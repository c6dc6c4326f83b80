/* SPDX-License-Identifier: MIT */
/*
 * cgroup.h - the files of a process's control group, in either hierarchy, or in both of a hybrid
 * one.
 *
 * What is read there is the kernel's, and may be gone at any moment; the group may change, too.
 */
#ifndef RECORDER_CGROUP_H
#define RECORDER_CGROUP_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct cgroup_folder {
	char path[PATH_MAX];
	bool is_unified; /* of cgroup v2 */
};

/*
 * Where that controller's files are for that process; "": those of cgroup v2. A controller that no
 * hierarchy of v1 has is looked for in v2. 0 or a negative errno: -ENOENT (not mounted, or not
 * within what is mounted here), -ESRCH.
 */
int cgroup_find(pid_t pid, const char *controller, struct cgroup_folder *ret_folder);

/* A file that is one number; "max" is UINT64_MAX. 0 or a negative errno: -EBADMSG. */
int cgroup_read_number(const struct cgroup_folder *folder, const char *name, uint64_t *ret_number);
/* "key number" in a file of lines. 0 or a negative errno: -ENOENT (no such key). */
int cgroup_read_key(const struct cgroup_folder *folder, const char *name, const char *key,
		    uint64_t *ret_number);

/* Does a freezer hold it? */
bool cgroup_is_frozen(pid_t pid);

#endif
