// SPDX-License-Identifier: MIT
/* causes_groups.c - surroundings that kill: control groups, and a machine that is full. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/causes.h"

#define ROOM_BYTES (24 << 20)
#define CONTAINER "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define POD "6b1d2f3a_0a1b_4c2d_8e3f_a0b1c2d3e4f5"

/* ---- a machine of our own ---------------------------------------------------------------------- */

#define HUGE_PAGES "/proc/sys/vm/nr_hugepages"
#define LEFT_KB (96 << 10)

static bool filled;

static bool reserve_huge_pages(long count)
{
	char text[32];
	const int fd = open(HUGE_PAGES, O_WRONLY | O_CLOEXEC);
	const int length = snprintf(text, sizeof(text), "%ld", count);
	const bool done = fd >= 0 && write(fd, text, (size_t)length) == length;

	if (fd >= 0)
		close(fd);
	return done;
}

/* Huge pages that nobody uses are gone for all others, and need not be written to. */
void act_fill_the_machine(void)
{
	char text[4096] = "";
	const int fd = open("/proc/meminfo", O_RDONLY | O_CLOEXEC);
	const char *free_kb;

	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
		cause_give_up("/proc/meminfo");
	close(fd);
	filled = true;
	free_kb = strstr(text, "MemFree:");
	if (!free_kb || !reserve_huge_pages((atol(free_kb + strlen("MemFree:")) - LEFT_KB) / 2048))
		cause_give_up(HUGE_PAGES);
	act_go();
}

const char *no_machine_of_our_own(void)
{
	if (!getenv("TTLOG_OWN_MACHINE"))
		return "takes the memory of a whole machine";
	return access(HUGE_PAGES, W_OK) ? "the kernel has no huge pages to fill it with" : NULL;
}

/* ---- cgroups ---------------------------------------------------------------------------------- */

static char made[4][256]; /* groups to remove again, outermost first */
static unsigned int made_count;
static char mounted[128];

/* Where a hierarchy of that type is mounted, with that option if it is of v1. */
static bool find_mount(const char *type, const char *option, char *path, size_t bytes)
{
	char line[1024], where[512], kind[64], options[512];
	FILE *mounts = fopen("/proc/self/mounts", "re");
	bool found = false;

	while (mounts && !found && fgets(line, sizeof(line), mounts)) {
		if (sscanf(line, "%*s %511s %63s %511s", where, kind, options) != 3 ||
		    strcmp(kind, type) || (option && !strstr(options, option)))
			continue;
		found = (size_t)snprintf(path, bytes, "%s", where) < bytes;
	}
	if (mounts)
		fclose(mounts);
	return found;
}

/* Cgroup v2, mounted by ourselves if nobody has. */
static bool find_unified(char *path, size_t bytes)
{
	if (find_mount("cgroup2", NULL, path, bytes))
		return true;
	snprintf(mounted, sizeof(mounted), "%s/cgroup2", cause_folder);
	mkdir(mounted, 0700);
	if (mount("none", mounted, "cgroup2", 0, NULL)) {
		mounted[0] = '\0';
		return false;
	}
	snprintf(path, bytes, "%s", mounted);
	return true;
}

static bool write_text(const char *folder, const char *file, const char *text)
{
	char path[512];
	bool written;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", folder, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	written = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	if (fd >= 0)
		close(fd);
	return written;
}

static const char *make_group(const char *above, const char *name)
{
	char *path = made[made_count];

	snprintf(path, sizeof(made[0]), "%s/%s", above, name);
	if (mkdir(path, 0755) && errno != EEXIST)
		cause_give_up("mkdir of a cgroup");
	made_count++;
	return path;
}

static void join(const char *group)
{
	if (!write_text(group, "cgroup.procs", "0"))
		_exit(95);
}

/* Who is killed is gone from its cgroup a moment later. */
void acts_clean(void)
{
	if (filled)
		filled = !reserve_huge_pages(0);
	for (int tries = 0; made_count && tries < CAUSE_WAIT_MS / 10; tries++) {
		if (!rmdir(made[made_count - 1]) || errno != EBUSY)
			made_count--;
		else
			poll(NULL, 0, 10);
	}
	made_count = 0;
	if (mounted[0])
		umount2(mounted, MNT_DETACH);
	mounted[0] = '\0';
}

const char *no_user_cgroups(void)
{
	char path[256];

	return find_unified(path, sizeof(path)) ? NULL : "no cgroup v2 to be had";
}

const char *no_cgroup_kill(void)
{
	char path[512];
	const char *group;
	bool there;

	if (no_user_cgroups())
		return no_user_cgroups();
	find_unified(path, sizeof(path));
	group = make_group(path, "ttlog-causes-try");
	snprintf(path, sizeof(path), "%s/cgroup.kill", group);
	there = !access(path, W_OK);
	acts_clean();
	return there ? NULL : "no cgroup.kill (Linux 5.14)";
}

void act_cgroup_kill(void)
{
	char path[256], pid[16];
	const char *group;

	find_unified(path, sizeof(path));
	group = make_group(path, "ttlog-causes");
	snprintf(pid, sizeof(pid), "%d", cause_shared->client);
	if (!write_text(group, "cgroup.procs", pid) || !write_text(group, "cgroup.kill", "1"))
		cause_give_up("cgroup.kill");
}

void act_kill_from_a_container(void)
{
	char path[256];
	const char *group;
	pid_t sender;

	find_unified(path, sizeof(path));
	group = make_group(path, "docker-" CONTAINER ".scope");
	sender = cause_fork();
	if (!sender) {
		join(group);
		cause_shared->other = getpid();
		act_term();
		_exit(0);
	}
	waitpid(sender, NULL, 0);
}

void start_in_a_pod(void (*life)(void))
{
	char path[256];

	find_unified(path, sizeof(path));
	make_group(path, "kubepods-burstable-pod" POD ".slice");
	snprintf(path, sizeof(path), "%s", made[0]);
	make_group(path, "cri-containerd-" CONTAINER ".scope");
	if (!cause_fork()) {
		join(made[1]);
		cause_client(life);
	}
}

/* ---- memory cgroups --------------------------------------------------------------------------- */

static bool limit_is(const char *group, const char *file)
{
	char path[512], text[64] = "";
	int fd;

	snprintf(path, sizeof(path), "%s/%s", group, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	if (read(fd, text, sizeof(text) - 1) < 0)
		text[0] = '\0';
	close(fd);
	return strtol(text, NULL, 10) == ROOM_BYTES;
}

/* A group with a limit, which is read back: a file of that name may be just a file. NULL: no. */
static const char *make_room(void)
{
	char path[256], limit[32];
	const char *group, *file = "memory.limit_in_bytes";

	if (!find_mount("cgroup", "memory", path, sizeof(path))) {
		if (!find_unified(path, sizeof(path)))
			return NULL;
		file = "memory.max";
		write_text(path, "cgroup.subtree_control", "+memory");
	}
	group = make_group(path, "ttlog-causes-memory");
	snprintf(limit, sizeof(limit), "%d", ROOM_BYTES);
	write_text(group, file, limit);
	write_text(group, "memory.swap.max", "0");
	return limit_is(group, file) ? group : NULL;
}

const char *no_memory_cgroups(void)
{
	const char *group = make_room();

	acts_clean();
	return group ? NULL : "no memory cgroups to be had";
}

void start_with_little_memory(void (*life)(void))
{
	const char *group = make_room();

	if (!cause_fork()) {
		join(group);
		cause_client(life);
	}
}

/* The eater comes once the client is settled, which has asked to be chosen first. */
void start_beside_an_eater(void (*life)(void))
{
	const char *group = make_room();

	if (!cause_fork()) {
		join(group);
		cause_client(life);
	}
	if (!cause_fork()) {
		join(group);
		cause_shared->other = getpid();
		prctl(PR_SET_NAME, "eater");
		cause_await(&cause_shared->step, 2);
		life_eats_memory();
		_exit(0);
	}
}
