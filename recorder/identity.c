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
#include <sys/stat.h>
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

static char *read_link(int dir_fd, const char *name)
{
	char path[PATH_MAX];
	const ssize_t count = readlinkat(dir_fd, name, path, sizeof(path) - 1);

	if (count < 0)
		return NULL;
	path[count] = '\0';
	return copy_text(path);
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

/* "3:cpu,memory:/a/b": the path, if that controller is among them; "" is that of cgroup v2. */
static char *cgroup_of(char *text, const char *controller)
{
	const size_t length = strlen(controller);
	char *rest, *path;

	for (char *line = text; line; line = rest) {
		rest = strchr(line, '\n');
		if (rest)
			*rest++ = '\0';
		line = strchr(line, ':');
		path = line ? strchr(line + 1, ':') : NULL;
		if (!path)
			continue;
		*path++ = '\0';
		for (char *at = line + 1, *end; at; at = *end ? end + 1 : NULL) {
			end = at + strcspn(at, ",");
			if ((size_t)(end - at) == length && !memcmp(at, controller, length))
				return path;
		}
	}
	return NULL;
}

static char *read_cgroup(int dir_fd, const char *controller)
{
	char text[PATH_MAX + 1024], *path;

	if (read_file(dir_fd, "cgroup", text, sizeof(text)) <= 0)
		return NULL;
	path = cgroup_of(text, controller);
	return path ? copy_text(path) : NULL;
}

/* Where all live in the root of cgroup v2, those of v1 tell them apart: the memory controller's. */
static void read_cgroups(int dir_fd, struct identity *identity)
{
	identity->cgroup = read_cgroup(dir_fd, "");
	identity->memory_cgroup = read_cgroup(dir_fd, "memory");
	if (!identity->cgroup)
		identity->cgroup = read_cgroup(dir_fd, "name=systemd");
	if (!identity->memory_cgroup && identity->cgroup)
		identity->memory_cgroup = strdup(identity->cgroup);
	if (identity->memory_cgroup && (!identity->cgroup || !strcmp(identity->cgroup, "/"))) {
		free(identity->cgroup);
		identity->cgroup = strdup(identity->memory_cgroup);
	}
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

static uint64_t kib_of(const char *status, const char *name)
{
	const char *at = strstr(status, name);

	return at ? strtoull(at + strlen(name), NULL, 10) << 10 : 0;
}

/* All four ids of a line the same. */
static bool is_one(const char *status, const char *name, const char *format)
{
	const char *at = strstr(status, name);
	uint32_t id[4];

	return at && sscanf(at, format, &id[0], &id[1], &id[2], &id[3]) == 4 && id[0] == id[1] &&
	       id[0] == id[2] && id[0] == id[3];
}

/* What a user may not attach to, set-uid programs above all, has files in /proc that are root's. */
static bool is_plain(int dir_fd, const char *status, uint32_t uid)
{
	struct stat owner;

	return is_one(status, "\nUid:", "\nUid: %" SCNu32 "%" SCNu32 "%" SCNu32 "%" SCNu32) &&
	       is_one(status, "\nGid:", "\nGid: %" SCNu32 "%" SCNu32 "%" SCNu32 "%" SCNu32) &&
	       !fstatat(dir_fd, "status", &owner, 0) && owner.st_uid == uid;
}

static void read_status(int dir_fd, struct identity *identity)
{
	char text[4096], *at;

	if (read_file(dir_fd, "status", text, sizeof(text)) <= 0)
		return;
	at = strstr(text, "\nUid:");
	if (at)
		sscanf(at, "\nUid: %*u %" SCNu32, &identity->uid);
	identity->is_plain = is_plain(dir_fd, text, identity->uid);
	at = strstr(text, "\nGid:");
	if (at)
		sscanf(at, "\nGid: %*u %" SCNu32, &identity->gid);
	/* One for each namespace that it is in, the innermost last. */
	at = strstr(text, "\nNSpid:");
	for (at = at ? at + strlen("\nNSpid:") : NULL; at && *at == '\t';)
		identity->ns_pid = (uint32_t)strtoul(at + 1, &at, 10);
	identity->memory.total_bytes = kib_of(text, "\nVmSize:");
	identity->memory.peak_bytes = kib_of(text, "\nVmHWM:");
	identity->memory.anonymous_bytes = kib_of(text, "\nRssAnon:");
	identity->memory.file_bytes = kib_of(text, "\nRssFile:");
	identity->memory.shared_bytes = kib_of(text, "\nRssShmem:");
	identity->memory.swap_bytes = kib_of(text, "\nVmSwap:");
}

static uint64_t limit_of(char **at)
{
	*at += strspn(*at, " ");
	if (strncmp(*at, "unlimited", strlen("unlimited")))
		return strtoull(*at, at, 10);
	*at += strlen("unlimited");
	return IDENTITY_UNLIMITED;
}

static void read_limits(int dir_fd, struct identity *identity)
{
	static const struct {
		const char *line, *name;
	} known[] = {
		{"\nMax cpu time ", "cpu"},	      {"\nMax data size ", "data"},
		{"\nMax stack size ", "stack"},	      {"\nMax core file size ", "core"},
		{"\nMax processes ", "nproc"},	      {"\nMax open files ", "nofile"},
		{"\nMax locked memory ", "memlock"},  {"\nMax address space ", "as"},
		{"\nMax pending signals ", "sigpending"},
	};
	char text[4096];

	if (read_file(dir_fd, "limits", text, sizeof(text)) <= 0)
		return;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		char *at = strstr(text, known[i].line);
		const unsigned int count = identity->limit_count;

		if (!at)
			continue;
		at += strlen(known[i].line);
		identity->limit[count].name = known[i].name;
		identity->limit[count].soft = limit_of(&at);
		identity->limit[count].hard = limit_of(&at);
		identity->limit_count++;
	}
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
		read_status(dir_fd, &identity);
		read_limits(dir_fd, &identity);
		read_cgroups(dir_fd, &identity);
		identity.comm = read_comm(dir_fd);
		identity.exe = read_link(dir_fd, "exe");
		identity.cwd = read_link(dir_fd, "cwd");
		identity.cmdline = read_cmdline(dir_fd);
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
	free(identity->cwd);
	free(identity->cgroup);
	free(identity->memory_cgroup);
	*identity = (struct identity){0};
}

/* "start-end perms offset dev inode   /memfd:ttlog (deleted)" */
static bool is_region_line(const char *line, ino_t inode, uint64_t offset)
{
	unsigned long long found, from;

	return strstr(line, " /memfd:" TTLOG_MEMFD_NAME " ") &&
	       sscanf(line, "%*s %*s %llx %*s %llu", &from, &found) == 2 &&
	       (inode == IDENTITY_ANY_REGION || found == inode) &&
	       (offset == UINT64_MAX || from == offset);
}

int identity_maps_region(pid_t pid, ino_t inode)
{
	return identity_maps_region_at(pid, inode, UINT64_MAX);
}

int identity_maps_region_at(pid_t pid, ino_t inode, uint64_t offset)
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
		if (is_region_line(line, inode, offset))
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

bool identity_is_stopped(pid_t pid)
{
	const int dir_fd = open_process(pid);
	char text[1024], *at = NULL;

	if (dir_fd < 0)
		return false;
	/* Behind the name, which may hold anything. */
	if (read_file(dir_fd, "stat", text, sizeof(text)) > 0)
		at = strrchr(text, ')');
	close(dir_fd);
	return at && at[1] == ' ' && (at[2] == 'T' || at[2] == 't');
}
