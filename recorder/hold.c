/* SPDX-License-Identifier: MIT */
/* hold.c - see hold.h. */
#include "recorder/hold.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

int hold_region(int region_fd)
{
	char path[40];
	int fd, err;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", region_fd);
	fd = open(path, O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	if (!flock(fd, LOCK_EX | LOCK_NB))
		return fd;
	err = errno == EWOULDBLOCK ? -EBUSY : -errno;
	close(fd);
	return err;
}
