/* SPDX-License-Identifier: MIT */
/* adopt_find.c - see adopt_find.h. */
#include "recorder/adopt_find.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/ttlog_abi.h"
#include "recorder/descriptors.h"
#include "recorder/identity.h"

#define DESCRIPTORS_MAX (1u << 20) /* of one process that are looked at: the kernel's nr_open */
#define LINK "/memfd:" TTLOG_MEMFD_NAME " (deleted)"

static int add(struct adopt_finds *finds, const struct adopt_find *find)
{
	if (finds->count >= ADOPT_FINDS_MAX)
		return -E2BIG;
	if (finds->count == finds->capacity) {
		const unsigned int capacity = finds->capacity ? finds->capacity * 2 : 16;
		struct adopt_find *larger =
			reallocarray(finds->find, capacity, sizeof(*finds->find));

		if (!larger)
			return -ENOMEM;
		finds->find = larger;
		finds->capacity = capacity;
	}
	finds->find[finds->count++] = *find;
	return 0;
}

static bool has_our_name(int dir_fd, const char *name)
{
	char link[sizeof(LINK) + 1];
	const ssize_t bytes = readlinkat(dir_fd, name, link, sizeof(link));

	return bytes == sizeof(LINK) - 1 && !memcmp(link, LINK, sizeof(LINK) - 1);
}

/* A descriptor that is only kept (by a service manager, for us) is not what its holder records into. */
static int look_at(struct adopt_finds *finds, int dir_fd, pid_t pid, const char *name)
{
	struct adopt_find find = {.pid = pid, .fd = atoi(name)};
	struct stat status;
	int mapped;

	if (fstatat(dir_fd, name, &status, 0))
		return 0;
	find.inode = status.st_ino;
	mapped = identity_maps_region(pid, find.inode);
	return mapped == 1 || mapped == -E2BIG ? add(finds, &find) : 0;
}

struct search {
	struct adopt_finds *finds;
	pid_t pid;
	unsigned int named;
	int err;
};

static bool look_by_number(void *context, int number, int fd, const char *link)
{
	struct search *search = context;
	struct adopt_find find = {.pid = search->pid, .fd = number};
	struct stat status;
	int mapped;

	if (strcmp(link, LINK) || fstat(fd, &status))
		return false;
	find.inode = status.st_ino;
	mapped = identity_maps_region(search->pid, find.inode);
	if (mapped == 1 || mapped == -E2BIG)
		search->err = add(search->finds, &find);
	return search->err || ++search->named == ADOPT_FINDS_A_PROCESS;
}

/* Its list is closed to us. What it has in its memory may be open to us, and then so is the rest. */
static int find_by_number(struct adopt_finds *finds, pid_t pid)
{
	struct search search = {.finds = finds, .pid = pid};
	const int mapped = identity_maps_region(pid, IDENTITY_ANY_REGION);
	int err;

	if (mapped != 1)
		return mapped == -E2BIG ? 0 : mapped;
	err = descriptors_each(pid, look_by_number, &search);
	return search.err ? search.err : err;
}

int adopt_find_in(struct adopt_finds *finds, pid_t pid)
{
	unsigned int named = 0, seen = 0;
	struct dirent *entry;
	char path[40];
	int err = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	dir = opendir(path);
	if (!dir && errno == EACCES)
		return find_by_number(finds, pid);
	if (!dir)
		return errno == ENOENT ? -ESRCH : -errno;
	while (!err && named < ADOPT_FINDS_A_PROCESS && seen < DESCRIPTORS_MAX &&
	       (entry = readdir(dir))) {
		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		seen++;
		if (!has_our_name(dirfd(dir), entry->d_name))
			continue;
		named++;
		err = look_at(finds, dirfd(dir), pid, entry->d_name);
	}
	closedir(dir);
	return err;
}

int adopt_find_all(struct adopt_finds *finds)
{
	const pid_t own = getpid();
	struct dirent *entry;
	DIR *dir = opendir("/proc");
	int err = 0;

	if (!dir)
		return -errno;
	while (err != -ENOMEM && err != -E2BIG && (entry = readdir(dir))) {
		const pid_t pid = isdigit((unsigned char)entry->d_name[0]) ? atoi(entry->d_name) : 0;

		if (pid <= 0 || pid == own)
			continue;
		err = adopt_find_in(finds, pid);
		finds->forbidden += err == -EACCES || err == -EPERM;
	}
	closedir(dir);
	return err == -ENOMEM || err == -E2BIG ? err : 0;
}

void adopt_finds_free(struct adopt_finds *finds)
{
	free(finds->find);
	*finds = (struct adopt_finds){0};
}
