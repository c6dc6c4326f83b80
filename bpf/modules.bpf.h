/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/*
 * modules.bpf.h - what a client has mapped to execute, at its death, with paths as it sees them.
 *
 * The list of its mappings can be walked from 6.7 on (bpf_iter_task_vma): at signal_deliver, until
 * stable kernels of 2026 refuse it while interrupts are off (-EBUSY, seen on 6.18.44); and at
 * sched_process_exit where that comes before exit_mm(), from 6.16 on. Both are tried. watch.c says
 * whether the kernel has the walk; what it can't do is dead code to the verifier.
 *
 * A kernel that locks one mapping at a time (the stable ones of 2026) ends the walk, as if there were
 * no more, at one that another thread is changing. So they are counted, and a walk that saw fewer than
 * there are is begun again where it ended, and then again by the next thread that exits.
 */
#ifndef TTLOG_MODULES_BPF_H
#define TTLOG_MODULES_BPF_H

#include "bpf/event.bpf.h"
#include "bpf/more.bpf.h"

#define VM_EXEC 4ul
#define VM_ACCESS 15ul /* read, write, execute, shared */
#define FMODE_BACKING (1u << 25) /* the file below one of overlayfs */
#define PATH_STEPS 48		 /* folders and mounts on the way up */

const volatile bool can_walk_mappings = false;

struct bpf_iter_task_vma {
	__u64 opaque[1];
} __attribute__((aligned(8)));

extern int bpf_iter_task_vma_new(struct bpf_iter_task_vma *walk, struct task_struct *task,
				 __u64 from) __ksym __weak;
extern struct vm_area_struct *bpf_iter_task_vma_next(struct bpf_iter_task_vma *walk) __ksym __weak;
extern void bpf_iter_task_vma_destroy(struct bpf_iter_task_vma *walk) __ksym __weak;

/* One module while it is put together, and what must survive a step of the walk. */
struct workbench {
	__u32 looked_at, sent, path_bytes, zero;
	__u64 end; /* of the last one */
	struct ttlog_bpf_module module;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 2); /* the exit of one thread may be interrupted by another's signal */
	__type(key, __u32);
	__type(value, struct workbench);
} workbenches SEC(".maps");

enum workbench_of { BENCH_DELIVER, BENCH_EXIT };

static __always_inline struct workbench *workbench(__u32 whose)
{
	return bpf_map_lookup_elem(&workbenches, &whose);
}

/* As the process knows the file: overlayfs maps the one below. */
static __always_inline const struct path *path_of(const struct file *file)
{
	const struct backing_file *backing = (const struct backing_file *)file;

	if (bpf_core_field_exists(backing->user_path) &&
	    (BPF_CORE_READ(file, f_mode) & FMODE_BACKING))
		return (const struct path *)((const char *)file +
					     bpf_core_field_offset(struct backing_file, user_path));
	return (const struct path *)((const char *)file +
				     bpf_core_field_offset(struct file, f_path));
}

/* A name, or the way from a mount to what it is mounted on. 0: that was the root; negative: no path. */
__noinline int step_path(struct workbench *bench, struct ttlog_place *place)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct dentry *dentry, *parent;
	const char *mount, *above;
	const struct mount *outer;
	__u32 at;
	long bytes;

	if (!bench || !place)
		return -1;
	dentry = (struct dentry *)place->at;
	mount = (const char *)place->mount;
	outer = (const struct mount *)(mount - bpf_core_field_offset(struct mount, mnt));
	if (dentry == BPF_CORE_READ(task, fs, root.dentry) &&
	    mount == (const char *)BPF_CORE_READ(task, fs, root.mnt))
		return 0;
	parent = BPF_CORE_READ(dentry, d_parent);
	if (dentry == parent || dentry == BPF_CORE_READ((const struct vfsmount *)mount, mnt_root)) {
		above = (const char *)BPF_CORE_READ(outer, mnt_parent);
		if (above == (const char *)outer)
			return 0;
		place->at = (__u64)BPF_CORE_READ(outer, mnt_mountpoint);
		place->mount = (__u64)(above + bpf_core_field_offset(struct mount, mnt));
		return 1;
	}
	at = bench->path_bytes;
	if (at >= TTLOG_BPF_PATH_BYTES)
		return -1;
	bytes = bpf_probe_read_kernel_str(bench->module.path + at, TTLOG_BPF_NAME_BYTES,
					  BPF_CORE_READ(dentry, d_name.name));
	if (bytes <= 1 || bytes > (long)TTLOG_BPF_NAME_BYTES)
		return -1;
	bench->path_bytes = at + (__u32)bytes;
	place->at = (__u64)parent;
	return 1;
}

/*
 * Writes the names from the file up to the process's root into the workbench, and says how many bytes
 * they have; 0: it has no path.
 */
static __always_inline __u32 write_path(struct workbench *bench, const struct path *path)
{
	struct ttlog_place place = {
		.at = (__u64)BPF_CORE_READ(path, dentry),
		.mount = (__u64)BPF_CORE_READ(path, mnt),
	};
	int more = 1;

	bench->path_bytes = 0;
	for (int i = 0; i < PATH_STEPS && more > 0; i++)
		more = step_path(bench, &place);
	return more ? 0 : bench->path_bytes;
}

static __always_inline bool is_vdso(struct task_struct *task, __u64 start)
{
	struct mm_struct *mm = BPF_CORE_READ(task, mm);
	struct mm_struct___x86 *arch = (void *)mm;

	/* arm64 keeps it under the same name. */
	return bpf_core_field_exists(arch->context.vdso) &&
	       (__u64)BPF_CORE_READ(arch, context.vdso) == start;
}

/* Has it the address that was the fault? What else it is. */
static __always_inline __u32 fault_flags(const struct ttlog_bpf_client *client,
					 const struct vm_area_struct *mapping)
{
	const __u64 start = BPF_CORE_READ(mapping, vm_start), end = BPF_CORE_READ(mapping, vm_end);
	struct mm_struct *mm = BPF_CORE_READ((struct task_struct *)bpf_get_current_task_btf(), mm);
	const __u64 stack = BPF_CORE_READ(mm, start_stack);
	__u32 flags = TTLOG_BPF_MODULE_FAULT;

	if (!client->fatal.fault_address || client->fatal.fault_address < start ||
	    client->fatal.fault_address >= end)
		return 0;
	if (start <= stack && stack < end)
		flags |= TTLOG_BPF_MODULE_STACK;
	if (start < BPF_CORE_READ(mm, brk) && end > BPF_CORE_READ(mm, start_brk))
		flags |= TTLOG_BPF_MODULE_HEAP;
	return flags;
}

static __always_inline void send_module(struct ttlog_bpf_client *client, struct workbench *bench,
					const struct vm_area_struct *mapping, __u32 flags)
{
	struct ttlog_bpf_module *module = &bench->module;
	struct file *file = BPF_CORE_READ(mapping, vm_file);
	__u32 bytes = 0;

	module->head.client_id = client->client_id;
	module->head.kind = TTLOG_BPF_MODULE;
	module->start = BPF_CORE_READ(mapping, vm_start);
	module->end = BPF_CORE_READ(mapping, vm_end);
	module->page_offset = BPF_CORE_READ(mapping, vm_pgoff);
	module->inode = 0;
	module->device = 0;
	module->flags = flags;
	module->access = (__u32)(BPF_CORE_READ(mapping, vm_flags) & VM_ACCESS);
	if (file) {
		const struct path *path = path_of(file);
		struct inode *inode = BPF_CORE_READ(path, dentry, d_inode);

		module->inode = BPF_CORE_READ(inode, i_ino);
		module->device = BPF_CORE_READ(inode, i_sb, s_dev);
		bytes = write_path(bench, path);
	} else if (is_vdso(bpf_get_current_task_btf(), module->start)) {
		module->flags |= TTLOG_BPF_MODULE_VDSO;
	}
	/* Nothing new, but the verifier of 6.12 does not see it otherwise. */
	barrier_var(bytes);
	bytes &= TTLOG_BPF_PATH_ROOM - 1;
	module->path_bytes = bytes;
	if (bench->sent >= TTLOG_BPF_MODULES ||
	    bpf_ringbuf_output(&scenes, module, TTLOG_BPF_MODULE_BYTES(bytes), BPF_RB_NO_WAKEUP))
		client->scene.modules_unsent++;
	else
		bench->sent++;
}

/* One mapping; 0: no further. */
__noinline int look_at(struct ttlog_bpf_client *client, struct workbench *bench, __u64 address)
{
	const struct vm_area_struct *mapping = (const struct vm_area_struct *)address;
	__u32 flags;

	if (!client || !bench)
		return 0;
	if (++bench->looked_at > TTLOG_BPF_MAPPINGS) {
		client->scene.modules_unsent++;
		return 0;
	}
	bench->end = BPF_CORE_READ(mapping, vm_end);
	flags = fault_flags(client, mapping);
	if (flags || (BPF_CORE_READ(mapping, vm_flags) & VM_EXEC))
		send_module(client, bench, mapping, flags);
	return 1;
}

static __always_inline bool saw_all(struct task_struct *task, const struct workbench *bench)
{
	return bench->looked_at >= (__u32)BPF_CORE_READ(task, mm, map_count);
}

/* From where the one before ended. */
static __always_inline void walk_on(struct ttlog_bpf_client *client, struct task_struct *task,
				    struct workbench *bench)
{
	struct bpf_iter_task_vma walk;
	struct vm_area_struct *mapping;
	__u64 address;

	bpf_iter_task_vma_new(&walk, task, bench->end);
	while ((mapping = bpf_iter_task_vma_next(&walk))) {
		/* As a plain number, which is all that such a function takes. */
		bpf_probe_read_kernel(&address, sizeof(address), &mapping);
		if (!look_at(client, bench, address))
			break;
	}
	bpf_iter_task_vma_destroy(&walk);
}

static __always_inline void send_end(struct ttlog_bpf_client *client)
{
	struct ttlog_bpf_scene end = {.client_id = client->client_id, .kind = TTLOG_BPF_MODULES_END};

	bpf_ringbuf_output(&scenes, &end, sizeof(end), BPF_RB_NO_WAKEUP);
}

/* Once; if it can't be done here and now, or not to the end, a later call may do it. */
__noinline int send_modules(struct ttlog_bpf_client *client, __u32 whose)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct workbench *bench = workbench(whose);

	if (!client || !can_walk_mappings || !bench || client->scene.modules_told ||
	    client->scene.walks >= TTLOG_BPF_WALKS ||
	    __sync_lock_test_and_set(&client->scene.modules_told, 1))
		return 0;
	bench->looked_at = bench->sent = 0;
	bench->end = 0;
	walk_on(client, task, bench);
	if (bench->looked_at && !saw_all(task, bench))
		walk_on(client, task, bench);
	if (bench->looked_at && saw_all(task, bench)) {
		send_end(client);
		return 0;
	}
	/* Not even begun: that takes no time, and the next may be luckier. */
	if (bench->looked_at)
		client->scene.walks++;
	client->scene.modules_told = 0;
	return 0;
}

#endif
