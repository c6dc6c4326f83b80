// SPDX-License-Identifier: MIT
/*
 * watch_load.c - what this kernel has, and what is to be loaded into it.
 *
 * Found in the kernel's BTF and by asking for it, never by the kernel's version.
 */
#include "recorder/watch_load.h"

#ifdef TTLOG_HAVE_BPF

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bpf/ttlog_bpf.h"

#include "bpf/ttlog.skel.h"
#include "lib/ttlog.h"
#include "recorder/capability.h"
#include "recorder/pretend.h"

/* How many arguments the tracepoint has in this kernel; negative: it has no such tracepoint. */
static int tracepoint_arguments(const struct btf *btf, const char *name)
{
	const struct btf_type *type;
	char full[64];
	int id;

	snprintf(full, sizeof(full), "btf_trace_%s", name);
	id = btf__find_by_name_kind(btf, full, BTF_KIND_TYPEDEF);
	if (id < 0)
		return -ENOENT;
	type = btf__type_by_id(btf, btf__type_by_id(btf, (__u32)id)->type);
	if (!type || !btf_is_ptr(type))
		return -ENOENT;
	type = btf__type_by_id(btf, type->type);
	if (!type || !btf_is_func_proto(type))
		return -ENOENT;
	return btf_vlen(type) - 1; /* the first is the tracepoint's own */
}

/* Five megabytes to read through, so it is kept until watch_load_done(). */
static struct btf *kernel_btf;

static const struct btf *kernel_types(void)
{
	if (pretend(PRETEND_NO_BTF))
		return NULL;
	if (!kernel_btf)
		kernel_btf = btf__load_vmlinux_btf();
	return kernel_btf;
}

void watch_load_done(void)
{
	btf__free(kernel_btf);
	kernel_btf = NULL;
}

static int choose(struct ttlog_bpf *skeleton, unsigned int without, char *why_not,
		  size_t why_not_bytes)
{
	static const char *const needed[] = {"signal_generate", "signal_deliver",
					     "sched_process_exec", "sched_process_exit"};
	const struct btf *btf = kernel_types();
	int arguments = 0, victim;

	if (!btf) {
		snprintf(why_not, why_not_bytes, "kernel has no BTF (/sys/kernel/btf/vmlinux)");
		return -ENOENT;
	}
	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]) && arguments >= 0; i++) {
		arguments = tracepoint_arguments(btf, needed[i]);
		if (arguments < 0)
			snprintf(why_not, why_not_bytes, "kernel has no tracepoint %s", needed[i]);
	}
	skeleton->rodata->can_walk_mappings =
		!(without & WATCH_PART_WALK) &&
		btf__find_by_name_kind(btf, "bpf_iter_task_vma_new", BTF_KIND_FUNC) > 0 &&
		!pretend(PRETEND_NO_MAPPING_WALK);
	victim = without & WATCH_PART_VICTIM ? 0 : tracepoint_arguments(btf, "mark_victim");
	bpf_program__set_autoload(skeleton->progs.ttlog_task_rename,
				  tracepoint_arguments(btf, "task_rename") == 2);
	if (arguments < 0)
		return -ENOENT;
	/* The thread's id alone before 6.9, and before the 6.6 that took the change over. */
	bpf_program__set_autoload(skeleton->progs.ttlog_mark_victim, victim >= 2);
	bpf_program__set_autoload(skeleton->progs.ttlog_mark_victim_id, victim == 1);
	if (pretend(PRETEND_UNSEEN_SIGNALS))
		bpf_program__set_autoload(skeleton->progs.ttlog_signal_generate, false);
	if (pretend(PRETEND_NO_GROUP_DEAD))
		arguments = 1;
	bpf_program__set_autoload(skeleton->progs.ttlog_exit_group_dead, arguments >= 2);
	bpf_program__set_autoload(skeleton->progs.ttlog_exit_live, arguments < 2);
	return 0;
}

/* As a program of that kind it may do nothing of what it does, so the verifier really refuses it.
 */
static void be_refused(struct ttlog_bpf *skeleton)
{
	const enum bpf_prog_type wrong = BPF_PROG_TYPE_SOCKET_FILTER;

	if (pretend(PRETEND_REFUSED_WALK) && skeleton->rodata->can_walk_mappings)
		bpf_program__set_type(skeleton->progs.ttlog_signal_deliver, wrong);
	if (!pretend(PRETEND_REFUSED_VICTIM))
		return;
	bpf_program__set_type(skeleton->progs.ttlog_mark_victim, wrong);
	bpf_program__set_type(skeleton->progs.ttlog_mark_victim_id, wrong);
}

/*
 * Functions that the kernel may lack are looked for in its modules too, which takes CAP_SYS_ADMIN,
 * and libbpf 1.1 gives up where that is refused instead of going on without. It looks only once,
 * and for an attach target as well: who lets it look for one that nobody has gets that behind him.
 * What it read for that it forgets when it loads, and only then.
 */
static void look_through_modules(struct ttlog_bpf *skeleton)
{
	bpf_program__set_attach_target(skeleton->progs.ttlog_signal_generate, 0, "ttlog_nothing");
}

int watch_load_control_map(__u32 flags)
{
	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = flags);

	if (flags & BPF_F_MMAPABLE && pretend(PRETEND_NO_MMAPABLE_MAPS))
		return -EINVAL;
	return bpf_map_create(BPF_MAP_TYPE_ARRAY, "ttlog_control", sizeof(__u32),
			      sizeof(struct ttlog_control), 1, &options);
}

int watch_load_open(struct ttlog_bpf **ret_skeleton, unsigned int without, char *why_not,
		    size_t why_not_bytes)
{
	struct ttlog_bpf *skeleton;
	int err;

	if (pretend(PRETEND_NO_BPF)) {
		snprintf(why_not, why_not_bytes, "bpf() is refused");
		return -EPERM;
	}
	skeleton = ttlog_bpf__open();
	if (!skeleton) {
		err = -errno;
		snprintf(why_not, why_not_bytes, "the BPF object can't be opened: %s",
			 strerror(-err));
		return err;
	}
	err = choose(skeleton, without, why_not, why_not_bytes);
	if (err) {
		ttlog_bpf__destroy(skeleton);
		return err;
	}
	be_refused(skeleton);
	*ret_skeleton = skeleton;
	return 0;
}

int watch_load(struct ttlog_bpf *skeleton, bool *ret_without_control_maps)
{
	/* All that the kernel keeps of it is its shape. */
	int pattern = watch_load_control_map(BPF_F_MMAPABLE);
	int err;

	*ret_without_control_maps = pattern == -EINVAL;
	if (pattern == -EINVAL)
		pattern = watch_load_control_map(0);
	if (pattern < 0)
		return pattern;
	if (pretend(PRETEND_SMALL_BUFFER))
		bpf_map__set_max_entries(skeleton->maps.events, (__u32)sysconf(_SC_PAGESIZE));
	err = bpf_map__set_inner_map_fd(skeleton->maps.controls, pattern);
	if (!err && pretend(PRETEND_NO_TASK_STORAGE))
		err = -EINVAL; /* as bpf() has it for a kind of map that it does not know */
	if (!err && !skeleton->rodata->can_walk_mappings)
		look_through_modules(skeleton);
	if (!err)
		err = ttlog_bpf__load(skeleton);
	close(pattern);
	return err;
}

/* ---- kinds of maps ----------------------------------------------------------------------------
 */

static const struct {
	enum bpf_map_type type;
	const char *name;
} map_kinds[] = {
	{BPF_MAP_TYPE_TASK_STORAGE, "task storage"},
	{BPF_MAP_TYPE_RINGBUF, "ring buffer"},
	{BPF_MAP_TYPE_HASH_OF_MAPS, "hash of maps"},
	{BPF_MAP_TYPE_LRU_HASH, "LRU hash"},
};

const char *watch_load_map_kind(unsigned int index, bool *ret_there)
{
	if (index >= sizeof(map_kinds) / sizeof(map_kinds[0]))
		return NULL;
	*ret_there = libbpf_probe_bpf_map_type(map_kinds[index].type, NULL) > 0;
	if (map_kinds[index].type == BPF_MAP_TYPE_TASK_STORAGE && pretend(PRETEND_NO_TASK_STORAGE))
		*ret_there = false;
	return map_kinds[index].name;
}

static const char *missing_map_kind(void)
{
	const char *name;
	bool there;

	for (unsigned int i = 0; (name = watch_load_map_kind(i, &there)); i++)
		if (!there)
			return name;
	return NULL;
}

int watch_load_explain(int err, char *why_not, size_t why_not_bytes)
{
	const char *missing = capability_missing_for_bpf();

	/* Kernels differ in which of the verifier's rules a missing capability breaks first. */
	if (err == -EPERM || missing) {
		snprintf(why_not, why_not_bytes, "%s",
			 missing ? missing
				 : "bpf() is refused, by a seccomp filter or a security module");
		return -EPERM;
	}
	missing = missing_map_kind();
	if (missing)
		snprintf(why_not, why_not_bytes, "kernel has no BPF %s", missing);
	else if (err == -EACCES || err == -EINVAL)
		snprintf(why_not, why_not_bytes, "the verifier refuses the BPF program: %s",
			 strerror(-err));
	else
		snprintf(why_not, why_not_bytes, "the kernel refuses the BPF program: %s",
			 strerror(-err));
	return missing ? -EOPNOTSUPP : err;
}

#endif
