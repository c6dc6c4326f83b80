/* SPDX-License-Identifier: MIT */
/* adopt_take.c - see adopt_take.h. */
#include "recorder/adopt_take.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "recorder/hold.h"
#include "recorder/rings.h"

static bool is_over(int pidfd)
{
	struct pollfd poll_fd = {.fd = pidfd, .events = POLLIN};

	return poll(&poll_fd, 1, 0) > 0 && poll_fd.revents;
}

/* Only of something that has our name: opening a device or a FIFO does things. */
static int open_by_proc(const struct adopt_find *find)
{
	char path[48];
	struct stat status;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)find->pid, find->fd);
	if (stat(path, &status))
		return -errno;
	if (!S_ISREG(status.st_mode) || status.st_ino != find->inode)
		return -ESTALE;
	fd = open(path, O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

static int get_descriptor(const struct adopt_find *find, int pidfd)
{
	const int fd = pidfd_getfd(pidfd, find->fd, 0);

	if (fd >= 0)
		return fd;
	return errno == ENOSYS || errno == EPERM ? open_by_proc(find) : errno == EBADF ? -ESTALE : -errno;
}

static int map_region(struct adopt_taken *taken)
{
	struct stat status;

	if (fstat(taken->region_fd, &status))
		return -errno;
	taken->inode = status.st_ino;
	return rings_map(taken->region_fd, &taken->geometry, &taken->base);
}

static int take_region(const struct adopt_find *find, uint64_t audience, struct adopt_taken *taken)
{
	int err;

	taken->region_fd = get_descriptor(find, taken->pidfd);
	if (taken->region_fd < 0)
		return taken->region_fd;
	err = map_region(taken);
	if (err)
		return err;
	if (taken->inode != find->inode)
		return -ESTALE;
	if (audience && taken->geometry.recorder_hash != audience)
		return -ENOTSUP;
	taken->hold_fd = hold_region(taken->region_fd);
	return taken->hold_fd < 0 ? taken->hold_fd : 0;
}

static int take(const struct adopt_find *find, uint64_t audience, struct adopt_taken *taken)
{
	int err;

	taken->pid = find->pid;
	taken->pidfd = pidfd_open(find->pid, 0);
	if (taken->pidfd < 0)
		return -errno;
	err = take_region(find, audience, taken);
	if (!err)
		err = identity_read(find->pid, &taken->identity);
	if (err)
		return err;
	taken->control_fd = adopt_take_control(find->pid, taken->pidfd);
	taken->root_fd = modules_open_root(find->pid);
	(void)modules_read(find->pid, taken->root_fd, &taken->modules);
	/* All of it was about this process if it is there still. */
	return is_over(taken->pidfd) ? -ESRCH : 0;
}

int adopt_take(const struct adopt_find *find, uint64_t audience, struct adopt_taken *ret_taken)
{
	struct adopt_taken taken = {.pidfd = -1, .region_fd = -1, .hold_fd = -1, .root_fd = -1,
				    .control_fd = -1};
	int err = take(find, audience, &taken);

	if (err)
		adopt_taken_free(&taken);
	*ret_taken = taken;
	return err;
}

/* Of the process as it is now. */
static int renew(struct adopt_taken *taken)
{
	struct identity now = {0};
	const int err = identity_read(taken->pid, &now);

	if (err || is_over(taken->pidfd) || now.start_ticks != taken->identity.start_ticks) {
		identity_free(&now);
		return err ? err : -ESRCH;
	}
	identity_free(&taken->identity);
	taken->identity = now;
	taken->control_fd = adopt_take_control(taken->pid, taken->pidfd);
	taken->root_fd = modules_open_root(taken->pid);
	(void)modules_read(taken->pid, taken->root_fd, &taken->modules);
	return 0;
}

int adopt_complete(struct adopt_taken *taken, bool *ret_dead)
{
	int err = map_region(taken);

	if (err)
		return err;
	taken->hold_fd = hold_region(taken->region_fd);
	if (taken->hold_fd < 0)
		return taken->hold_fd;
	err = renew(taken);
	*ret_dead = is_over(taken->pidfd);
	return *ret_dead ? 0 : err;
}

static void close_one(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void adopt_taken_free(struct adopt_taken *taken)
{
	close_one(&taken->pidfd);
	close_one(&taken->region_fd);
	close_one(&taken->hold_fd);
	close_one(&taken->root_fd);
	close_one(&taken->control_fd);
	if (taken->base)
		rings_unmap(taken->base, &taken->geometry);
	taken->base = NULL;
	identity_free(&taken->identity);
	modules_release(taken->modules);
	taken->modules = NULL;
}
