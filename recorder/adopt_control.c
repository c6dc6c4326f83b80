/* SPDX-License-Identifier: MIT */
/*
 * adopt_control.c - the control map that an earlier recorder laid over a client's control page.
 *
 * The client keeps its descriptor open, marked as ours by a signal number that nobody else gives a
 * BPF map. Only an array is taken: its pages are always there, which is not so of all maps.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "recorder/adopt_take.h"
#include "recorder/descriptors.h"

#define LINK "anon_inode:bpf-map"
#define TRIES_MAX 16
#define DESCRIPTORS_MAX 65536

static bool is_map(int dir_fd, const char *name)
{
	char link[sizeof(LINK) + 1];

	return readlinkat(dir_fd, name, link, sizeof(link)) == sizeof(LINK) - 1 &&
	       !memcmp(link, LINK, sizeof(LINK) - 1);
}

static unsigned long number_in(const char *text, const char *key)
{
	const char *at = strstr(text, key);

	return at ? strtoul(at + strlen(key), NULL, 10) : 0;
}

static bool is_control_map(int fd)
{
	char path[40], text[1024];
	ssize_t bytes;
	int info_fd;

	snprintf(path, sizeof(path), "%d", fd);
	info_fd = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (info_fd < 0)
		return false;
	const bool map = is_map(info_fd, path);

	close(info_fd);
	if (!map || fcntl(fd, F_GETSIG) != TTLOG_CONTROL_MARK)
		return false;
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	info_fd = open(path, O_RDONLY | O_CLOEXEC);
	bytes = info_fd < 0 ? -1 : read(info_fd, text, sizeof(text) - 1);
	if (info_fd >= 0)
		close(info_fd);
	if (bytes <= 0)
		return false;
	text[bytes] = '\0';
	return number_in(text, "\nmap_type:") == 2 /* BPF_MAP_TYPE_ARRAY */ &&
	       number_in(text, "\nvalue_size:") == TTLOG_CONTROL_BYTES &&
	       number_in(text, "\nmax_entries:") == 1;
}

static bool look_by_number(void *context, int number, int fd, const char *link)
{
	int *taken_fd = context;

	(void)number;
	if (!strcmp(link, LINK) && is_control_map(fd))
		*taken_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	return *taken_fd >= 0;
}

static int take_by_number(pid_t pid)
{
	int fd = -1;

	(void)descriptors_each(pid, look_by_number, &fd);
	return fd;
}

int adopt_take_control(pid_t pid, int pidfd)
{
	unsigned int tries = 0, seen = 0;
	struct dirent *entry;
	char path[40];
	int fd = -1;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	dir = opendir(path);
	if (!dir && errno == EACCES)
		return take_by_number(pid);
	while (dir && fd < 0 && tries < TRIES_MAX && seen++ < DESCRIPTORS_MAX &&
	       (entry = readdir(dir))) {
		if (!isdigit((unsigned char)entry->d_name[0]) || !is_map(dirfd(dir), entry->d_name))
			continue;
		tries++;
		fd = pidfd_getfd(pidfd, atoi(entry->d_name), 0);
		if (fd >= 0 && !is_control_map(fd)) {
			close(fd);
			fd = -1;
		}
	}
	if (dir)
		closedir(dir);
	return fd;
}
