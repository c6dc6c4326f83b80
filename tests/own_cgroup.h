/* SPDX-License-Identifier: MIT */
/* own_cgroup.h - a control group that a test makes for its service. */
#ifndef TESTS_OWN_CGROUP_H
#define TESTS_OWN_CGROUP_H

#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char group[PATH_MAX]; /* its folder; "": none yet */

/* Into a file of it. */
static bool put(const char *file, const char *text)
{
	char path[PATH_MAX + 64];
	bool is_done;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", group, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	is_done = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	if (fd >= 0)
		close(fd);
	return is_done;
}

#endif
