/* SPDX-License-Identifier: MIT */
/* plugin_fault.c - preloaded: the call that fault_control.h names fails, once. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/fault_control.h"

#define SHOWN __attribute__((visibility("default")))

extern void *__libc_malloc(size_t bytes);
extern void *__libc_calloc(size_t count, size_t bytes);
extern void *__libc_realloc(void *old, size_t bytes);

static struct fault_control *control;

__attribute__((constructor)) static void open_control(void)
{
	const char *path = getenv("TTLOG_FAULT_FILE");
	const int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *page;

	if (fd < 0)
		return;
	page = mmap(NULL, sizeof(*control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (page != MAP_FAILED)
		control = page;
}

/* Is it this one? Then errno says why it failed. */
static int fails(enum fault_kind kind)
{
	if (!control || atomic_load(&control->kind) != kind ||
	    atomic_fetch_sub(&control->countdown, 1) != 1)
		return 0;
	atomic_fetch_add(&control->hits, 1);
	errno = kind == FAULT_MEMORY ? ENOMEM : atomic_load(&control->error);
	return 1;
}

static int is_file(int fd)
{
	const int saved = errno;
	struct stat status;
	const int is = !fstat(fd, &status) && S_ISREG(status.st_mode);

	errno = saved;
	return is;
}

SHOWN void *malloc(size_t bytes)
{
	return fails(FAULT_MEMORY) ? NULL : __libc_malloc(bytes);
}

SHOWN void *calloc(size_t count, size_t bytes)
{
	return fails(FAULT_MEMORY) ? NULL : __libc_calloc(count, bytes);
}

SHOWN void *realloc(void *old, size_t bytes)
{
	return fails(FAULT_MEMORY) ? NULL : __libc_realloc(old, bytes);
}

SHOWN ssize_t write(int fd, const void *bytes, size_t count)
{
	if (control && atomic_load(&control->kind) == FAULT_WRITE && is_file(fd) &&
	    fails(FAULT_WRITE))
		return -1;
	return syscall(SYS_write, fd, bytes, count);
}

SHOWN int fsync(int fd)
{
	return fails(FAULT_SYNC) ? -1 : (int)syscall(SYS_fsync, fd);
}

SHOWN int renameat2(int old_fd, const char *from, int new_fd, const char *to, unsigned int flags)
{
	return fails(FAULT_NAME) ? -1
				 : (int)syscall(SYS_renameat2, old_fd, from, new_fd, to, flags);
}

SHOWN int linkat(int old_fd, const char *from, int new_fd, const char *to, int flags)
{
	return fails(FAULT_NAME) ? -1 : (int)syscall(SYS_linkat, old_fd, from, new_fd, to, flags);
}

static int mode_of(int flags, va_list arguments)
{
	return flags & (O_CREAT | __O_TMPFILE) ? va_arg(arguments, int) : 0;
}

SHOWN int openat(int dir_fd, const char *path, int flags, ...)
{
	va_list arguments;
	int mode;

	va_start(arguments, flags);
	mode = mode_of(flags, arguments);
	va_end(arguments);
	return fails(FAULT_DESCRIPTORS) ? -1 : (int)syscall(SYS_openat, dir_fd, path, flags, mode);
}

SHOWN int open(const char *path, int flags, ...)
{
	va_list arguments;
	int mode;

	va_start(arguments, flags);
	mode = mode_of(flags, arguments);
	va_end(arguments);
	return fails(FAULT_DESCRIPTORS) ? -1
					: (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

SHOWN int pipe2(int fds[2], int flags)
{
	return fails(FAULT_DESCRIPTORS) ? -1 : (int)syscall(SYS_pipe2, fds, flags);
}

SHOWN int memfd_create(const char *name, unsigned int flags)
{
	return fails(FAULT_DESCRIPTORS) ? -1 : (int)syscall(SYS_memfd_create, name, flags);
}

SHOWN int accept4(int fd, struct sockaddr *address, socklen_t *bytes, int flags)
{
	return fails(FAULT_DESCRIPTORS) ? -1 : (int)syscall(SYS_accept4, fd, address, bytes, flags);
}
