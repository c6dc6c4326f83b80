/* SPDX-License-Identifier: MIT */
/*
 * descriptors.h - the descriptors of another process, for who may not list them.
 *
 * /proc/PID/fd of another user's process takes CAP_DAC_READ_SEARCH; pidfd_getfd(2), CAP_SYS_PTRACE
 * alone: number after number is taken, looked at without touching the file, and closed. For a
 * worker, and only of processes that are known to have what is looked for.
 */
#ifndef RECORDER_DESCRIPTORS_H
#define RECORDER_DESCRIPTORS_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * number: in that process; fd: ours, closed behind the call; link: what /proc/self/fd says it is. True
 * ends it.
 */
typedef bool (*descriptors_fn)(void *context, int number, int fd, const char *link);

/* 0 or a negative errno: -ESRCH, -EPERM. */
int descriptors_each(pid_t pid, descriptors_fn fn, void *context);

#endif
