/* SPDX-License-Identifier: MIT */
/*
 * listener.c - a listening socket that appears at its path in one step.
 *
 * The socket is bound under a name of its own, made ready, and renamed to the path. Where something
 * is in the way that nobody listens to, the two names are exchanged, and what came out is asked
 * again: if it answers after all, another recorder was faster, and gets its name back. Three at a
 * time would exchange each other's sockets away, so one at a time does that, who has the lock: a
 * file in the folder, which is there as long as somebody starts.
 */
#include "recorder/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define BACKLOG 512 /* the kernel's somaxconn caps it */
#define LOCK_TRIES 5000
#define LOCK_PAUSE_NS 2000000

/* Through /proc a folder's descriptor can be named in a socket address, however long its path. */
static void address_of(int dir_fd, const char *name, struct sockaddr_un *ret_address)
{
	*ret_address = (struct sockaddr_un){.sun_family = AF_UNIX};
	/* 14 + 10 + 1 characters, and the name is checked to fit. */
	snprintf(ret_address->sun_path, sizeof(ret_address->sun_path), "/proc/self/fd/%d/%.80s",
		 dir_fd, name);
}

static int open_folder(const char *path, size_t bytes)
{
	char folder[PATH_MAX];
	int fd;

	memcpy(folder, path, bytes);
	folder[bytes] = '\0';
	for (char *at = folder + 1; bytes > 1 && (at = strchr(at, '/')); at++) {
		*at = '\0';
		if (mkdir(folder, 0755) && errno != EEXIST)
			return -errno;
		*at = '/';
	}
	/* The last one is for clients of all users, whatever our umask is. */
	if (bytes > 1 && !mkdir(folder, 0755)) {
		if (chmod(folder, 0755))
			return -errno;
	} else if (bytes > 1 && errno != EEXIST) {
		return -errno;
	}
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Splits the path and opens its folder. */
static int take_path(struct listener *listener, const char *path)
{
	const struct sockaddr_un address;
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;

	if (strlen(path) >= sizeof(address.sun_path) || strlen(name) > 80)
		return -ENAMETOOLONG;
	if (!*name)
		return -EISDIR;
	strcpy(listener->name, name);
	if (!slash)
		listener->dir_fd = open_folder(".", 1);
	else
		listener->dir_fd = open_folder(path, slash == path ? 1 : (size_t)(slash - path));
	return listener->dir_fd < 0 ? listener->dir_fd : 0;
}

/* 1: somebody listens, 0: nobody does, or a negative errno. */
static int is_alive(int dir_fd, const char *name)
{
	struct sockaddr_un address;
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int err = 0;

	if (fd < 0)
		return -errno;
	address_of(dir_fd, name, &address);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)))
		err = -errno;
	close(fd);
	if (err == -ECONNREFUSED || err == -ENOENT)
		return 0;
	/* Connected; or its queue is full, or it is a socket of another type: alive all the same.
	 */
	if (!err || err == -EAGAIN || err == -EPROTOTYPE)
		return 1;
	return err;
}

static int replace(struct listener *listener, const char *temporary)
{
	const int dir_fd = listener->dir_fd;
	struct stat status;
	int alive;

	if (fstatat(dir_fd, listener->name, &status, AT_SYMLINK_NOFOLLOW))
		return errno == ENOENT ? -EAGAIN : -errno;
	if (!S_ISSOCK(status.st_mode))
		return -EEXIST;
	alive = is_alive(dir_fd, listener->name);
	if (alive)
		return alive < 0 ? alive : -EADDRINUSE;
	if (renameat2(dir_fd, temporary, dir_fd, listener->name, RENAME_EXCHANGE)) {
		if (errno == ENOENT)
			return -EAGAIN;
		/* No exchange on this file system: the moment of doubt stays. */
		return renameat(dir_fd, temporary, dir_fd, listener->name) ? -errno : 0;
	}
	alive = is_alive(dir_fd, temporary);
	if (alive) {
		renameat2(dir_fd, temporary, dir_fd, listener->name, RENAME_EXCHANGE);
		return alive < 0 ? alive : -EADDRINUSE;
	}
	unlinkat(dir_fd, temporary, 0);
	return 0;
}

/* Does that name still mean the file that is open? */
static bool is_named(int dir_fd, const char *name, int fd)
{
	struct stat open_status, status;

	return !fstat(fd, &open_status) && !fstatat(dir_fd, name, &status, AT_SYMLINK_NOFOLLOW) &&
	       open_status.st_dev == status.st_dev && open_status.st_ino == status.st_ino;
}

/*
 * The lock, or -1: whoever may write to the folder can keep it from us, and could as well have the
 * path itself; who starts does without then, after 10 s.
 */
static int lock(int dir_fd, const char *name)
{
	const int flags = O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
	const struct timespec pause = {.tv_nsec = LOCK_PAUSE_NS};

	for (int i = 0; i < LOCK_TRIES; i++) {
		const int fd = openat(dir_fd, name, flags, 0600);

		if (fd < 0)
			return -1;
		if (!flock(fd, LOCK_EX | LOCK_NB) && is_named(dir_fd, name, fd))
			return fd;
		/* Somebody has it, or had it, and has removed it. */
		close(fd);
		nanosleep(&pause, NULL);
	}
	return -1;
}

static void unlock(int dir_fd, const char *name, int fd)
{
	if (fd < 0)
		return;
	unlinkat(dir_fd, name, 0);
	close(fd);
}

static int give_name(struct listener *listener, const char *temporary)
{
	const int dir_fd = listener->dir_fd;
	char name[NAME_MAX + 1];
	int err, lock_fd;

	snprintf(name, sizeof(name), ".%.80s.lock", listener->name);
	lock_fd = lock(dir_fd, name);
	do {
		err = 0;
		if (renameat2(dir_fd, temporary, dir_fd, listener->name, RENAME_NOREPLACE))
			err = errno == EEXIST ? replace(listener, temporary) : -errno;
	} while (err == -EAGAIN); /* what was in the way has gone meanwhile */
	unlock(dir_fd, name, lock_fd);
	return err;
}

static int bind_and_listen(struct listener *listener, const char *temporary)
{
	struct sockaddr_un address;
	struct stat status;

	address_of(listener->dir_fd, temporary, &address);
	unlinkat(listener->dir_fd, temporary, 0); /* of a killed recorder with our pid */
	if (bind(listener->fd, (struct sockaddr *)&address, sizeof(address)) ||
	    fchmodat(listener->dir_fd, temporary, 0666, 0) || listen(listener->fd, BACKLOG) ||
	    fstatat(listener->dir_fd, temporary, &status, AT_SYMLINK_NOFOLLOW))
		return -errno;
	listener->device = status.st_dev;
	listener->inode = status.st_ino;
	return 0;
}

static int open_type(struct listener *ret_listener, const char *path, int type)
{
	struct listener listener = {.fd = -1, .dir_fd = -1};
	char temporary[64];
	int err;

	snprintf(temporary, sizeof(temporary), ".ttlog-recorder-%d%s", (int)getpid(),
		 type == SOCK_STREAM ? "-stream" : "");
	err = take_path(&listener, path);
	if (err)
		goto out;
	listener.fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	err = listener.fd < 0 ? -errno : bind_and_listen(&listener, temporary);
	if (!err)
		err = give_name(&listener, temporary);
	if (err)
		unlinkat(listener.dir_fd, temporary, 0);
out:
	if (err) {
		if (listener.fd >= 0)
			close(listener.fd);
		if (listener.dir_fd >= 0)
			close(listener.dir_fd);
		return err;
	}
	*ret_listener = listener;
	return 0;
}

int listener_open(struct listener *ret_listener, const char *path)
{
	return open_type(ret_listener, path, SOCK_SEQPACKET);
}

int listener_open_stream(struct listener *ret_listener, const char *path)
{
	return open_type(ret_listener, path, SOCK_STREAM);
}

void listener_take(struct listener *ret_listener, int fd)
{
	*ret_listener = (struct listener){.fd = fd, .dir_fd = -1};
}

void listener_close(struct listener *listener)
{
	struct stat status;

	if (listener->fd < 0)
		return;
	if (listener->dir_fd >= 0 &&
	    !fstatat(listener->dir_fd, listener->name, &status, AT_SYMLINK_NOFOLLOW) &&
	    status.st_dev == listener->device && status.st_ino == listener->inode)
		unlinkat(listener->dir_fd, listener->name, 0);
	close(listener->fd);
	if (listener->dir_fd >= 0)
		close(listener->dir_fd);
	listener->fd = listener->dir_fd = -1;
}
