// SPDX-License-Identifier: MIT
/* stacks.c - two readings of an iterator: whose tasks they are, then the tasks. */
#include "recorder/stacks.h"

#include <errno.h>

#ifdef TTLOG_HAVE_BPF

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bpf/stacks.skel.h"

/* The kernel hands out whole tasks, in at most eight of its pages: 64 KiB pages are the largest. */
#define BUFFER_BYTES (8u * 65536)

struct stacks {
	struct stacks_bpf *skeleton;
	pthread_mutex_t lock; /* its globals are for one reading */
	_Alignas(8) unsigned char buffer[BUFFER_BYTES];
};

int stacks_open(struct stacks **ret_stacks, struct watch *watch)
{
	struct stacks *stacks = calloc(1, sizeof(*stacks));
	int err = -ENOMEM;

	if (!stacks)
		return err;
	pthread_mutex_init(&stacks->lock, NULL);
	stacks->skeleton = stacks_bpf__open();
	if (stacks->skeleton)
		err = bpf_map__reuse_fd(stacks->skeleton->maps.clients, watch_clients_fd(watch));
	if (!err)
		err = stacks_bpf__load(stacks->skeleton);
	if (!err)
		err = stacks_bpf__attach(stacks->skeleton);
	if (err) {
		stacks_close(stacks);
		return err == -EINVAL ? -EOPNOTSUPP : err;
	}
	*ret_stacks = stacks;
	return 0;
}

void stacks_close(struct stacks *stacks)
{
	if (!stacks)
		return;
	stacks_bpf__destroy(stacks->skeleton);
	pthread_mutex_destroy(&stacks->lock);
	free(stacks);
}

static size_t record_bytes(const struct ttlog_bpf_scene *record)
{
	return record->kind == TTLOG_BPF_THREAD ? sizeof(struct ttlog_bpf_thread)
						: sizeof(struct ttlog_bpf_page);
}

/* Whole records, as they were written. */
static void hand_out(const unsigned char *at, size_t bytes, watch_scene_fn fn, void *context)
{
	while (bytes >= sizeof(struct ttlog_bpf_scene)) {
		const struct ttlog_bpf_scene *record = (const void *)at;
		const size_t size = record_bytes(record);

		if (size > bytes)
			return;
		if (fn)
			fn(context, record, size);
		at += size;
		bytes -= size;
	}
}

static int read_all(struct stacks *stacks, watch_scene_fn fn, void *context)
{
	const int fd = bpf_iter_create(bpf_link__fd(stacks->skeleton->links.ttlog_stacks));
	ssize_t count;

	if (fd < 0)
		return -errno;
	do {
		count = read(fd, stacks->buffer, sizeof(stacks->buffer));
		if (count > 0)
			hand_out(stacks->buffer, (size_t)count, fn, context);
	} while (count > 0 || (count < 0 && (errno == EINTR || errno == EAGAIN)));
	count = count < 0 ? -errno : 0;
	close(fd);
	return (int)count;
}

int stacks_take(struct stacks *stacks, uint64_t client_id, watch_scene_fn fn, void *context)
{
	int err;

	pthread_mutex_lock(&stacks->lock);
	__atomic_store_n(&stacks->skeleton->bss->wanted, client_id, __ATOMIC_RELAXED);
	__atomic_store_n(&stacks->skeleton->bss->wanted_tgid, 0, __ATOMIC_SEQ_CST);
	err = read_all(stacks, NULL, NULL);
	if (!err && !__atomic_load_n(&stacks->skeleton->bss->wanted_tgid, __ATOMIC_SEQ_CST))
		err = -ESRCH;
	if (!err)
		err = read_all(stacks, fn, context);
	pthread_mutex_unlock(&stacks->lock);
	return err;
}

#else

int stacks_open(struct stacks **ret_stacks, struct watch *watch)
{
	(void)ret_stacks, (void)watch;
	return -ENOSYS;
}

void stacks_close(struct stacks *stacks)
{
	(void)stacks;
}

int stacks_take(struct stacks *stacks, uint64_t client_id, watch_scene_fn fn, void *context)
{
	(void)stacks, (void)client_id, (void)fn, (void)context;
	return -ENOSYS;
}

#endif
