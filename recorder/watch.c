// SPDX-License-Identifier: MIT
/*
 * watch.c - loads the eBPF program, tells it who the clients are, hands its events out.
 *
 * Owns everything that is BPF in the recorder. All differences between kernels are found in the
 * kernel's BTF, here. Without TTLOG_HAVE_BPF (make BPF=0) it says so and knows no libbpf.
 */
#include "recorder/watch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef TTLOG_HAVE_BPF

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/mman.h>

#include "bpf/ttlog.skel.h"
#include "lib/ttlog.h"
#include "recorder/controls.h"
#include "recorder/watch_attach.h"
#include "recorder/watch_load.h"

_Static_assert(offsetof(struct ttlog_control, freeze) == TTLOG_BPF_FREEZE_OFFSET,
	       "the kernel program sets the word that clients look at");

struct watch {
	struct ttlog_bpf *skeleton;
	struct watch_attach attach;
	struct ring_buffer *ring, *scenes, *calls;
	int epoll_fd; /* of ring, scenes and the timer of attach */
	struct controls *controls;
	watch_fn fn;
	watch_scene_fn scene_fn;
	watch_call_fn call_fn;
	void *call_context;
	uint64_t told_calls_lost;
	void *context;
	bool dispatching;
	bool without_control_maps; /* nobody could map them: the recorder freezes by itself */
	unsigned int without; /* enum watch_part */
	uint64_t told_lost;
};

/* libbpf has one print function for the process, and so this is no member of anything. */
static int verbosity;

static int print(enum libbpf_print_level level, const char *format, va_list arguments)
{
	if (!verbosity || level == LIBBPF_DEBUG)
		return 0;
	return vfprintf(stderr, format, arguments);
}

/* ---- opening ---------------------------------------------------------------------------------- */

/* One client's control page: zeros, and what the caller has for its first bytes. */
static int control_create(const void *bytes, size_t count)
{
	void *page;
	int fd = watch_load_control_map(BPF_F_MMAPABLE);

	if (fd < 0 || count == 0)
		return fd;
	page = mmap(NULL, sizeof(struct ttlog_control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (page == MAP_FAILED) {
		int err = -errno;

		close(fd);
		return err;
	}
	memcpy(page, bytes, count < sizeof(struct ttlog_control) ? count
								   : sizeof(struct ttlog_control));
	munmap(page, sizeof(struct ttlog_control));
	return fd;
}

static bool is_whole(const struct ttlog_bpf_record *record, size_t bytes)
{
	const size_t head = offsetof(struct ttlog_bpf_record, names);

	return bytes >= head && record->more.parent_count <= TTLOG_BPF_PARENTS &&
	       (uint64_t)record->more.exe_bytes + record->more.cgroup_bytes <= bytes - head;
}

/* The end of a client: what the kernel program told of its threads is on the other ring buffer. */
static int on_event(void *context, void *data, size_t bytes)
{
	struct watch *watch = context;
	const struct ttlog_bpf_event *event = data;

	if (bytes < sizeof(*event) || ((event->flags & TTLOG_BPF_MORE) && !is_whole(data, bytes)))
		return 0;
	if (event->kind == TTLOG_BPF_DEATH)
		ring_buffer__consume(watch->scenes);
	watch->fn(watch->context, event);
	return 0;
}

/* What a record of that kind has at least. */
static size_t scene_bytes(uint32_t kind)
{
	switch (kind) {
	case TTLOG_BPF_THREAD:
		return sizeof(struct ttlog_bpf_thread);
	case TTLOG_BPF_PAGE:
		return sizeof(struct ttlog_bpf_page);
	case TTLOG_BPF_MODULE:
		return TTLOG_BPF_MODULE_BYTES(0);
	case TTLOG_BPF_MODULES_END:
		return sizeof(struct ttlog_bpf_scene);
	default:
		return sizeof(struct ttlog_bpf_scene_unsent);
	}
}

static int on_scene(void *context, void *data, size_t bytes)
{
	const struct ttlog_bpf_scene *record = data;
	struct watch *watch = context;

	if (watch->scene_fn && bytes >= sizeof(*record) && bytes >= scene_bytes(record->kind))
		watch->scene_fn(watch->context, record, bytes);
	return 0;
}

void watch_set_scenes(struct watch *watch, watch_scene_fn fn)
{
	watch->scene_fn = fn;
}

static int on_call(void *context, void *data, size_t bytes)
{
	const struct ttlog_bpf_call *call = data;
	struct watch *watch = context;

	if (watch->call_fn && bytes >= sizeof(*call))
		watch->call_fn(watch->call_context, call->pid);
	return 0;
}

static int join(int epoll_fd, int fd)
{
	struct epoll_event event = {.events = EPOLLIN};

	return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

static int open_rings(struct watch *watch)
{
	const struct ttlog_bpf *skeleton = watch->skeleton;
	int err;

	watch->ring = ring_buffer__new(bpf_map__fd(skeleton->maps.events), on_event, watch, NULL);
	if (!watch->ring)
		return -errno;
	watch->scenes = ring_buffer__new(bpf_map__fd(skeleton->maps.scenes), on_scene, watch, NULL);
	if (!watch->scenes)
		return -errno;
	watch->calls = ring_buffer__new(bpf_map__fd(skeleton->maps.calls), on_call, watch, NULL);
	if (!watch->calls)
		return -errno;
	watch->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (watch->epoll_fd < 0)
		return -errno;
	err = join(watch->epoll_fd, ring_buffer__epoll_fd(watch->ring));
	if (!err)
		err = join(watch->epoll_fd, ring_buffer__epoll_fd(watch->scenes));
	return err ? err : join(watch->epoll_fd, watch->attach.timer_fd);
}

static int load(struct watch *watch, char *why_not, size_t why_not_bytes)
{
	int err;

	err = watch_load_open(&watch->skeleton, watch->without, why_not, why_not_bytes);
	if (err)
		return err;
	err = watch_load(watch->skeleton, &watch->without_control_maps);
	if (!err)
		err = watch_attach_init(&watch->attach, watch->skeleton);
	if (!err)
		return 0;
	watch_attach_fini(&watch->attach);
	err = watch_load_explain(err, why_not, why_not_bytes);
	ttlog_bpf__destroy(watch->skeleton);
	watch->skeleton = NULL;
	return err;
}

/* All of it, or as much as the verifier takes. */
static int load_most(struct watch *watch, char *why_not, size_t why_not_bytes)
{
	int err;

	for (;;) {
		err = load(watch, why_not, why_not_bytes);
		if (!err || err == -EPERM || err == -ENOENT || err == -EOPNOTSUPP ||
		    watch->without == WATCH_PARTS_ALL)
			return err;
		watch->without++;
	}
}

static int start(struct watch *watch, char *why_not, size_t why_not_bytes)
{
	int err;

	err = load_most(watch, why_not, why_not_bytes);
	watch_load_done();
	if (err)
		return err;
	err = open_rings(watch);
	if (err) {
		snprintf(why_not, why_not_bytes, "no ring buffer: %s", strerror(-err));
		return err;
	}
	err = controls_open(&watch->controls, bpf_map__fd(watch->skeleton->maps.controls));
	if (err)
		snprintf(why_not, why_not_bytes, "no thread: %s", strerror(-err));
	return err;
}

int watch_open(struct watch **ret_watch, watch_fn fn, void *context, int verbose, char *why_not,
	       size_t why_not_bytes)
{
	struct watch *watch = calloc(1, sizeof(*watch));
	int err;

	if (why_not_bytes)
		why_not[0] = '\0';
	if (!watch) {
		snprintf(why_not, why_not_bytes, "out of memory");
		return -ENOMEM;
	}
	watch->epoll_fd = -1;
	watch->attach.timer_fd = -1;
	watch->fn = fn;
	watch->context = context;
	verbosity = verbose;
	libbpf_set_print(print);
	err = start(watch, why_not, why_not_bytes);
	if (err) {
		watch_close(watch);
		return err;
	}
	*ret_watch = watch;
	return 0;
}

void watch_close(struct watch *watch)
{
	if (!watch)
		return;
	controls_close(watch->controls);
	ring_buffer__free(watch->ring);
	ring_buffer__free(watch->scenes);
	ring_buffer__free(watch->calls);
	if (watch->epoll_fd >= 0)
		close(watch->epoll_fd);
	watch_attach_fini(&watch->attach);
	ttlog_bpf__destroy(watch->skeleton);
	free(watch);
}

/* ---- events ----------------------------------------------------------------------------------- */

bool watch_freezes(const struct watch *watch)
{
	return !watch->without_control_maps;
}

const char *watch_without(const struct watch *watch)
{
	static const char *const words[] = {
		[WATCH_PART_WALK] = "libraries that were loaded late",
		[WATCH_PART_VICTIM] = "whom the OOM killer chose",
		[WATCH_PARTS_ALL] = "libraries that were loaded late, whom the OOM killer chose",
	};

	return words[watch->without];
}

int watch_clients_fd(const struct watch *watch)
{
	return bpf_map__fd(watch->skeleton->maps.clients);
}

bool watch_knows_walk(const struct watch *watch)
{
	return watch->skeleton->rodata->can_walk_mappings || (watch->without & WATCH_PART_WALK);
}

int watch_fd(const struct watch *watch)
{
	return watch->epoll_fd;
}

/* While something was lost the ring buffer was full, so this comes behind what it held then. */
static void tell_of_unsent(struct watch *watch)
{
	const struct ttlog_bpf_event event = {.kind = TTLOG_BPF_UNSENT};
	uint64_t lost = __atomic_load_n(&watch->skeleton->bss->counters.lost, __ATOMIC_RELAXED);

	if (lost != watch->told_lost)
		watch->fn(watch->context, &event);
	watch->told_lost = lost;
}

int watch_dispatch(struct watch *watch)
{
	int count;

	/* From within fn, libbpf would hand out the same event again. */
	if (watch->dispatching)
		return 0;
	watch->dispatching = true;
	watch_attach_look(&watch->attach);
	ring_buffer__consume(watch->scenes);
	count = ring_buffer__consume(watch->ring);
	tell_of_unsent(watch);
	watch->dispatching = false;
	return count;
}

/* Runs of a program that the kernel skipped because another run was under way on that CPU. */
static uint64_t missed_runs(const struct bpf_program *program)
{
	struct bpf_prog_info info = {0};
	__u32 bytes = sizeof(info);
	int fd = bpf_program__fd(program);

	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &bytes))
		return 0;
	return info.recursion_misses;
}

uint64_t watch_lost(const struct watch *watch)
{
	uint64_t lost = __atomic_load_n(&watch->skeleton->bss->counters.lost, __ATOMIC_RELAXED) +
			__atomic_load_n(&watch->skeleton->bss->counters.unseen, __ATOMIC_RELAXED);
	struct bpf_program *program;

	bpf_object__for_each_program(program, watch->skeleton->obj)
		lost += missed_runs(program);
	return lost;
}

uint64_t watch_shed(const struct watch *watch)
{
	return __atomic_load_n(&watch->skeleton->bss->counters.shed, __ATOMIC_RELAXED);
}

uint64_t watch_scenes_lost(const struct watch *watch)
{
	return __atomic_load_n(&watch->skeleton->bss->counters.scene_unsent, __ATOMIC_RELAXED);
}

/* ---- calls ------------------------------------------------------------------------------------ */

int watch_calls_fd(const struct watch *watch)
{
	return bpf_program__fd(watch->skeleton->progs.ttlog_task_rename) < 0
		       ? -ENOENT
		       : ring_buffer__epoll_fd(watch->calls);
}

bool watch_take_calls(struct watch *watch, watch_call_fn fn, void *context)
{
	uint64_t lost;

	watch->call_fn = fn;
	watch->call_context = context;
	ring_buffer__consume(watch->calls);
	lost = __atomic_load_n(&watch->skeleton->bss->counters.calls_lost, __ATOMIC_RELAXED);
	if (lost == watch->told_calls_lost)
		return true;
	watch->told_calls_lost = lost;
	return false;
}

/* ---- clients ---------------------------------------------------------------------------------- */

/* A pidfd is readable when its whole group is dead. */
static int is_dead(int pidfd)
{
	struct pollfd poll_fd = {.fd = pidfd, .events = POLLIN};

	return poll(&poll_fd, 1, 0) > 0 && (poll_fd.revents & (POLLIN | POLLHUP));
}

static void forget(struct watch *watch, int pidfd, uint64_t client_id)
{
	int clients = bpf_map__fd(watch->skeleton->maps.clients);
	struct ttlog_bpf_client client;

	/* It may have been registered again meanwhile, under another id. */
	if (!bpf_map_lookup_elem(clients, &pidfd, &client) && client.client_id == client_id)
		bpf_map_delete_elem(clients, &pidfd);
	/* Without memory for the request it stays, as one entry of thousands. */
	(void)controls_drop(watch->controls, client_id);
}

/* The control map, if there is one, then the process. */
static int enter(struct watch *watch, int pidfd, uint64_t client_id, int control_fd)
{
	struct ttlog_bpf_client client = {.client_id = client_id};
	int clients = bpf_map__fd(watch->skeleton->maps.clients);
	int err = control_fd >= 0 ? controls_put(watch->controls, client_id, control_fd) : 0;

	if (err)
		return err;
	err = bpf_map_update_elem(clients, &pidfd, &client, BPF_ANY);
	if (err == -ENOENT)
		err = -ESRCH; /* reaped */
	/* Who was dead before it was known sends nothing. Between the two, the pidfd tells. */
	if (!err && is_dead(pidfd))
		err = -ESRCH;
	if (err)
		forget(watch, pidfd, client_id);
	return err;
}

/* The programs run before they know it: nothing of what happens to a client is missed. */
static int add(struct watch *watch, int pidfd, uint64_t client_id, int control_fd)
{
	int err = watch_attach_come(&watch->attach);

	if (err)
		return err;
	err = enter(watch, pidfd, client_id, control_fd);
	if (err)
		watch_attach_go(&watch->attach);
	return err;
}

int watch_add(struct watch *watch, int pidfd, uint64_t client_id, const void *control,
	      size_t control_bytes, int *ret_control_fd)
{
	int fd = -1, err;

	if (!watch->without_control_maps) {
		fd = control_create(control, control_bytes);
		if (fd < 0)
			return fd;
	}
	err = add(watch, pidfd, client_id, fd);
	if (!err) {
		*ret_control_fd = fd;
		return 0;
	}
	if (fd >= 0)
		close(fd);
	return err;
}

int watch_add_again(struct watch *watch, int pidfd, uint64_t client_id, int control_fd)
{
	return add(watch, pidfd, client_id, watch->without_control_maps ? -1 : control_fd);
}

void watch_remove(struct watch *watch, int pidfd, uint64_t client_id)
{
	forget(watch, pidfd, client_id);
	watch_attach_go(&watch->attach);
}

void watch_settle(struct watch *watch)
{
	controls_settle(watch->controls);
}

#endif
