/* SPDX-License-Identifier: MIT */
/* view_dump.h - bytes as a file that the viewer's reader opens. */
#ifndef TESTS_VIEW_DUMP_H
#define TESTS_VIEW_DUMP_H

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "viewer/dump_reader.h"

/* Opens bytes as a dump; what dump_open() returned. */
static inline int view_bytes(struct dump **ret_dump, const void *data, size_t bytes,
			     const char **ret_why)
{
	char path[64];
	int fd = memfd_create("view", MFD_CLOEXEC);
	int error;

	if (fd < 0 || (bytes && write(fd, data, bytes) != (ssize_t)bytes))
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	error = dump_open(ret_dump, path, ret_why);
	close(fd);
	return error;
}

#endif
