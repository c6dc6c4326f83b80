// SPDX-License-Identifier: MIT
/* watch_none.c - watch.h without the kernel side (make BPF=0): there is never a watch to call these with. */
#include "recorder/watch.h"

#ifndef TTLOG_HAVE_BPF

#include <errno.h>
#include <stdio.h>

int watch_open(struct watch **ret_watch, watch_fn fn, void *context, int verbose, char *why_not,
	       size_t why_not_bytes)
{
	(void)ret_watch, (void)fn, (void)context, (void)verbose;
	snprintf(why_not, why_not_bytes, "built without BPF (make BPF=0)");
	return -ENOSYS;
}

void watch_close(struct watch *watch)
{
	(void)watch;
}

bool watch_freezes(const struct watch *watch)
{
	(void)watch;
	return false;
}

const char *watch_without(const struct watch *watch)
{
	(void)watch;
	return NULL;
}

bool watch_knows_walk(const struct watch *watch)
{
	(void)watch;
	return false;
}

void watch_set_scenes(struct watch *watch, watch_scene_fn fn)
{
	(void)watch, (void)fn;
}

int watch_clients_fd(const struct watch *watch)
{
	(void)watch;
	return -ENOSYS;
}

int watch_fd(const struct watch *watch)
{
	(void)watch;
	return -ENOSYS;
}

int watch_dispatch(struct watch *watch)
{
	(void)watch;
	return -ENOSYS;
}

int watch_calls_fd(const struct watch *watch)
{
	(void)watch;
	return -ENOSYS;
}

bool watch_take_calls(struct watch *watch, watch_call_fn fn, void *context)
{
	(void)watch, (void)fn, (void)context;
	return true;
}

int watch_add(struct watch *watch, int pidfd, uint64_t client_id, const void *control,
	      size_t control_bytes, int *ret_control_fd)
{
	(void)watch, (void)pidfd, (void)client_id, (void)control, (void)control_bytes;
	(void)ret_control_fd;
	return -ENOSYS;
}

int watch_add_again(struct watch *watch, int pidfd, uint64_t client_id, int control_fd)
{
	(void)watch, (void)pidfd, (void)client_id, (void)control_fd;
	return -ENOSYS;
}

void watch_remove(struct watch *watch, int pidfd, uint64_t client_id)
{
	(void)watch, (void)pidfd, (void)client_id;
}

void watch_settle(struct watch *watch)
{
	(void)watch;
}

uint64_t watch_lost(const struct watch *watch)
{
	(void)watch;
	return 0;
}

uint64_t watch_shed(const struct watch *watch)
{
	(void)watch;
	return 0;
}

uint64_t watch_scenes_lost(const struct watch *watch)
{
	(void)watch;
	return 0;
}

#endif
