// SPDX-License-Identifier: MIT
/*
 * watch_attach.c - attaches the kernel program and takes it away again.
 *
 * Owns the links, but that of ttlog_task_rename. By bpf_raw_tracepoint_open(), which is what links of
 * such programs are made of: the recorder's seccomp filter lets through that and no other command
 * that attaches.
 */
#include "recorder/watch_attach.h"

#ifdef TTLOG_HAVE_BPF

#include <assert.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdint.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "bpf/ttlog_bpf.h"

#include "bpf/ttlog.skel.h"

static void detach(struct watch_attach *attach)
{
	while (attach->count)
		close(attach->fds[--attach->count]);
}

static int attach_all(struct watch_attach *attach)
{
	const struct ttlog_bpf *skeleton = attach->skeleton;
	struct bpf_program *program;
	int fd;

	if (attach->count)
		return 0;
	bpf_object__for_each_program(program, skeleton->obj) {
		if (bpf_program__fd(program) < 0 || program == skeleton->progs.ttlog_task_rename)
			continue;
		assert(attach->count < WATCH_ATTACH_PROGRAMS);
		fd = bpf_raw_tracepoint_open(NULL, bpf_program__fd(program));
		if (fd < 0) {
			detach(attach);
			return fd;
		}
		attach->fds[attach->count++] = fd;
	}
	return 0;
}

/* Those that are not clients. */
static int attach_rename(struct ttlog_bpf *skeleton)
{
	if (bpf_program__fd(skeleton->progs.ttlog_task_rename) < 0)
		return 0;
	skeleton->links.ttlog_task_rename = bpf_program__attach(skeleton->progs.ttlog_task_rename);
	return skeleton->links.ttlog_task_rename ? 0 : -errno;
}

int watch_attach_init(struct watch_attach *attach, struct ttlog_bpf *skeleton)
{
	int err;

	*attach = (struct watch_attach){.skeleton = skeleton};
	attach->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (attach->timer_fd < 0)
		return -errno;
	err = attach_rename(skeleton);
	if (!err)
		err = attach_all(attach);
	detach(attach);
	return err;
}

void watch_attach_fini(struct watch_attach *attach)
{
	detach(attach);
	if (attach->timer_fd >= 0)
		close(attach->timer_fd);
	attach->timer_fd = -1;
}

int watch_attach_come(struct watch_attach *attach)
{
	int err = attach_all(attach);

	if (!err)
		attach->clients++;
	return err;
}

void watch_attach_go(struct watch_attach *attach)
{
	const struct itimerspec linger = {.it_value = {.tv_sec = WATCH_ATTACH_LINGER_S}};

	/* Detached at a wrong time is a death that nobody sees; attached at a wrong time is not. */
	if (!attach->clients || --attach->clients)
		return;
	timerfd_settime(attach->timer_fd, 0, &linger, NULL);
}

void watch_attach_look(struct watch_attach *attach)
{
	uint64_t expired;

	if (read(attach->timer_fd, &expired, sizeof(expired)) == sizeof(expired) && !attach->clients)
		detach(attach);
}

#endif
