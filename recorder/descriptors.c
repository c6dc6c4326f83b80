/* SPDX-License-Identifier: MIT */
/* descriptors.c - see descriptors.h. */
#include "recorder/descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#define NUMBERS_MAX 65536u /* of one process */

/* Its table is so large: no number is above that. */
static unsigned int numbers_of(pid_t pid)
{
	char path[40], text[4096];
	const char *at;
	ssize_t count;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	count = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (fd >= 0)
		close(fd);
	if (count <= 0)
		return 0;
	text[count] = '\0';
	at = strstr(text, "\nFDSize:");
	const unsigned long size = at ? strtoul(at + strlen("\nFDSize:"), NULL, 10) : NUMBERS_MAX;

	return size < NUMBERS_MAX ? (unsigned int)size : NUMBERS_MAX;
}

static bool look(int fd, int number, descriptors_fn fn, void *context)
{
	char path[40], link[64];
	ssize_t bytes;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	bytes = readlink(path, link, sizeof(link) - 1);
	link[bytes > 0 ? bytes : 0] = '\0';
	return fn(context, number, fd, link);
}

int descriptors_each(pid_t pid, descriptors_fn fn, void *context)
{
	const unsigned int numbers = numbers_of(pid);
	const int pidfd = pidfd_open(pid, 0);
	bool over = false;
	int err = 0;

	if (pidfd < 0)
		return -errno;
	for (unsigned int i = 0; i < numbers && !over && !err; i++) {
		const int fd = pidfd_getfd(pidfd, (int)i, 0);

		if (fd < 0) {
			err = errno == EBADF ? 0 : -errno;
			continue;
		}
		over = look(fd, (int)i, fn, context);
		close(fd);
	}
	close(pidfd);
	return err;
}
