/* SPDX-License-Identifier: MIT */
/* identity.c - /proc/PID, read once. */
#include "recorder/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/ttlog_abi.h"
#include "recorder/log.h"

#define MAPS_BYTES (1u << 20)

/* What fits of the file, with a NUL behind it. The count of bytes, or a negative errno. */
static ssize_t read_file(int dir_fd, const char *name, char *buffer, size_t bytes)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);
	size_t count = 0;
	ssize_t got;

	if (fd < 0)
		return -errno;
	do {
		got = read(fd, buffer + count, bytes - 1 - count);
		if (got < 0)
			got = -errno;
		else
			count += (size_t)got;
	} while (got > 0 && count < bytes - 1);
	close(fd);
	buffer[count] = '\0';
	return got < 0 ? got : (ssize_t)count;
}

static char *copy_text(const char *text)
{
	char *copy = strdup(text);

	if (copy)
		log_clean(copy, LOG_CLEAN_TEXT);
	return copy;
}

static char *read_comm(int dir_fd)
{
	char comm[64];

	if (read_file(dir_fd, "comm", comm, sizeof(comm)) < 0)
		return NULL;
	comm[strcspn(comm, "\n")] = '\0';
	return copy_text(comm);
}

static char *read_exe(int dir_fd)
{
	char exe[PATH_MAX];
	const ssize_t count = readlinkat(dir_fd, "exe", exe, sizeof(exe) - 1);

	if (count < 0)
		return NULL;
	exe[count] = '\0';
	return copy_text(exe);
}

/* Arguments are joined by spaces, as ps does. */
static char *read_cmdline(int dir_fd)
{
	char cmdline[IDENTITY_CMDLINE_BYTES];
	ssize_t count = read_file(dir_fd, "cmdline", cmdline, sizeof(cmdline));

	if (count <= 0)
		return NULL;
	while (count && !cmdline[count - 1])
		count--;
	for (ssize_t i = 0; i < count; i++)
		if (!cmdline[i])
			cmdline[i] = ' ';
	return copy_text(cmdline);
}

/* The line of cgroup v2 ("0::/..."), else the first one, whose controllers are kept with it. */
static char *read_cgroup(int dir_fd)
{
	char text[PATH_MAX + 1024], *line;

	if (read_file(dir_fd, "cgroup", text, sizeof(text)) <= 0)
		return NULL;
	line = strncmp(text, "0::", 3) ? strstr(text, "\n0::") : text;
	if (line)
		line += *line == '\n' ? 4 : 3;
	else
		line = text;
	line[strcspn(line, "\n")] = '\0';
	return copy_text(line);
}

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	if (clock_gettime(clock, &now))
		return 0;
	return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

/* proc(5): field 4 is the parent, field 22 the start in ticks since boot; comm may hold ") (". */
static int read_stat(int dir_fd, struct identity *identity)
{
	const uint64_t tick_ns = UINT64_C(1000000000) / (uint64_t)sysconf(_SC_CLK_TCK);
	char text[1024], *at;
	uint64_t since_boot_ns;

	if (read_file(dir_fd, "stat", text, sizeof(text)) <= 0)
		return -ESRCH;
	at = strrchr(text, ')');
	if (!at || sscanf(at,
			  ") %*c %" SCNu32 " %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d "
			  "%*d %*d %*d %*d %*d %" SCNu64,
			  &identity->ppid, &identity->start_ticks) != 2)
		return 0;
	since_boot_ns = clock_ns(CLOCK_BOOTTIME) - identity->start_ticks * tick_ns;
	identity->start_ns = clock_ns(CLOCK_REALTIME) - since_boot_ns;
	return 0;
}

static void read_owner(int dir_fd, struct identity *identity)
{
	char text[4096], *at;

	if (read_file(dir_fd, "status", text, sizeof(text)) <= 0)
		return;
	at = strstr(text, "\nUid:");
	if (at)
		sscanf(at, "\nUid: %*u %" SCNu32, &identity->uid);
	at = strstr(text, "\nGid:");
	if (at)
		sscanf(at, "\nGid: %*u %" SCNu32, &identity->gid);
}

static int open_process(pid_t pid)
{
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d", (int)pid);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int identity_read(pid_t pid, struct identity *ret_identity)
{
	struct identity identity = {0};
	const int dir_fd = open_process(pid);
	int err;

	if (dir_fd < 0)
		return dir_fd == -ENOENT ? -ESRCH : dir_fd;
	err = read_stat(dir_fd, &identity);
	if (!err) {
		read_owner(dir_fd, &identity);
		identity.comm = read_comm(dir_fd);
		identity.exe = read_exe(dir_fd);
		identity.cmdline = read_cmdline(dir_fd);
		identity.cgroup = read_cgroup(dir_fd);
		*ret_identity = identity;
	}
	close(dir_fd);
	return err;
}

void identity_free(struct identity *identity)
{
	free(identity->comm);
	free(identity->exe);
	free(identity->cmdline);
	free(identity->cgroup);
	*identity = (struct identity){0};
}

/* "start-end perms offset dev inode   /memfd:ttlog (deleted)" */
static bool is_region_line(const char *line, ino_t inode)
{
	unsigned long long found;

	return strstr(line, " /memfd:" TTLOG_MEMFD_NAME " ") &&
	       sscanf(line, "%*s %*s %*s %*s %llu", &found) == 1 && found == inode;
}

int identity_maps_region(pid_t pid, ino_t inode)
{
	const int dir_fd = open_process(pid);
	char *text = malloc(MAPS_BYTES), *rest;
	int result = -ENOMEM;
	ssize_t count;

	if (dir_fd < 0 || !text) {
		result = dir_fd < 0 ? dir_fd : -ENOMEM;
		goto out;
	}
	count = read_file(dir_fd, "maps", text, MAPS_BYTES);
	/* An empty list is that of a process without memory: a zombie, or a kernel thread. */
	result = count < 0 ? (int)count : !count ? -ESRCH : count == MAPS_BYTES - 1 ? -E2BIG : 0;
	if (count < 0)
		goto out;
	for (char *line = strtok_r(text, "\n", &rest); line && result != 1;
	     line = strtok_r(NULL, "\n", &rest))
		if (is_region_line(line, inode))
			result = 1;
out:
	free(text);
	if (dir_fd >= 0)
		close(dir_fd);
	return result;
}

bool identity_is_dumping_core(pid_t pid)
{
	const int dir_fd = open_process(pid);
	char text[4096], *at = NULL;

	if (dir_fd < 0)
		return false;
	if (read_file(dir_fd, "status", text, sizeof(text)) > 0)
		at = strstr(text, "\nCoreDumping:");
	close(dir_fd);
	return at && atoi(at + strlen("\nCoreDumping:")) == 1;
}
