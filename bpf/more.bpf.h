/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/*
 * more.bpf.h - what goes with an event that only this moment knows: the sender's executable, cgroup and
 * parents, and the target's memory with the memory cgroup that is full.
 *
 * All of it is read with bpf_probe_read_kernel() under nobody's lock: a name may be torn by a rename,
 * a chain may lead nowhere. Every walk is bounded; what can't be read is left out.
 */
#ifndef TTLOG_MORE_BPF_H
#define TTLOG_MORE_BPF_H

#include "bpf/event.bpf.h"

#define EXE_STEPS 40	/* names and mounts */
#define CGROUP_STEPS 16
#define LIMIT_STEPS 12
#define RLIMIT_CPU 0
#define MM_FILEPAGES 0 /* include/linux/mm_types_task.h */
#define MM_ANONPAGES 1
#define MM_SWAPENTS 2
#define MM_SHMEMPAGES 3

/* Too large for the stack. With interrupts off, as in the two signal programs, nobody else is on it. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct ttlog_bpf_record);
} scratch SEC(".maps");

/* Of 6.6 and before, where mark_victim says no more than this: whom the kernel kills, as thread id. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, struct ttlog_bpf_event);
} victims SEC(".maps");

/* ---- names ------------------------------------------------------------------------------------ */

/*
 * Behind those before, unless there is no room or it can't be read. How many bytes there are is kept in
 * memory: what it may be in a register differs on each path that the verifier follows, and then it
 * follows them all.
 */
static __always_inline void put_name(struct ttlog_bpf_record *record, volatile __u32 *end,
				     const void *name)
{
	__u32 at = *end;
	long bytes;

	if (at >= TTLOG_BPF_NAMES_BYTES)
		return;
	bytes = bpf_probe_read_kernel_str(&record->names[at & (TTLOG_BPF_NAMES_BYTES - 1)],
					  TTLOG_BPF_NAME_BYTES, name);
	if (bytes > 0)
		*end = at + (__u32)bytes;
}

/*
 * How far a walk has come, in kernel addresses.
 *
 * Each step of one is a function that is not static: the verifier reads that once, whoever calls it how
 * often, where it would read a loop's body again for each turn and for each way that leads there. Such
 * a function takes numbers, and pointers to memory of ours, which may be NULL to its eyes; a task or a
 * mapping comes as a number, and is read like any address.
 */
struct ttlog_place {
	__u64 at;    /* a dentry, a kernfs_node, a task, a page_counter */
	__u64 mount; /* of the dentry */
};

/* A name of the executable's path, or the way from a mount to what it is mounted on; 0: the root. */
__noinline int step_exe(struct ttlog_bpf_record *record, struct ttlog_place *place)
{
	struct dentry *dentry, *parent;
	struct mount *mount, *above;

	if (!record || !place)
		return 0;
	dentry = (struct dentry *)place->at;
	mount = (struct mount *)place->mount;
	parent = BPF_CORE_READ(dentry, d_parent);
	if (dentry != parent && dentry != BPF_CORE_READ(mount, mnt.mnt_root)) {
		put_name(record, &record->more.exe_bytes, BPF_CORE_READ(dentry, d_name.name));
		place->at = (__u64)parent;
		return 1;
	}
	above = BPF_CORE_READ(mount, mnt_parent);
	if (!above || above == mount)
		return 0;
	place->at = (__u64)BPF_CORE_READ(mount, mnt_mountpoint);
	place->mount = (__u64)above;
	return 1;
}

/* Up to the root of its mount namespace. */
static __always_inline void put_exe(struct ttlog_bpf_record *record, struct task_struct *task)
{
	struct file *file = BPF_CORE_READ(task, mm, exe_file);
	char *vfsmount = (char *)BPF_CORE_READ(file, f_path.mnt);
	struct ttlog_place place = {
		.at = (__u64)BPF_CORE_READ(file, f_path.dentry),
		.mount = (__u64)(vfsmount - bpf_core_field_offset(struct mount, mnt)),
	};

	if (!place.at || !vfsmount)
		return;
	for (int i = 0; i < EXE_STEPS; i++)
		if (!step_exe(record, &place))
			break;
}

static __always_inline struct kernfs_node *parent_of_node(struct kernfs_node *node)
{
	struct kernfs_node___before_6_15 *before = (void *)node;

	if (bpf_core_field_exists(before->parent))
		return BPF_CORE_READ(before, parent);
	return BPF_CORE_READ(node, __parent);
}

/* What a task's memory is charged to; NULL where the kernel has no memory controller. */
static __always_inline struct cgroup_subsys_state *memory_of(struct task_struct *task)
{
	struct cgroup_subsys_state *css = 0;
	const char *set;

	if (!bpf_core_enum_value_exists(enum cgroup_subsys_id, memory_cgrp_id))
		return 0;
	set = (const char *)BPF_CORE_READ(task, cgroups);
	set += bpf_core_field_offset(struct css_set, subsys) +
	       bpf_core_enum_value(enum cgroup_subsys_id, memory_cgrp_id) * sizeof(css);
	bpf_probe_read_kernel(&css, sizeof(css), set);
	return css;
}

__noinline int step_cgroup(struct ttlog_bpf_record *record, struct ttlog_place *place)
{
	struct kernfs_node *node, *parent;

	if (!record || !place)
		return 0;
	node = (struct kernfs_node *)place->at;
	parent = parent_of_node(node);
	if (!parent)
		return 0;
	put_name(record, &record->more.cgroup_bytes, BPF_CORE_READ(node, name));
	place->at = (__u64)parent;
	return 1;
}

/* That of cgroup v2; where all live in its root and are told apart in v1, the memory controller's. */
static __always_inline void put_cgroup(struct ttlog_bpf_record *record, struct task_struct *task)
{
	struct kernfs_node *node = BPF_CORE_READ(task, cgroups, dfl_cgrp, kn);
	struct ttlog_place place = {0};

	if (!parent_of_node(node))
		node = BPF_CORE_READ(memory_of(task), cgroup, kn);
	place.at = (__u64)node;
	for (int i = 0; i < CGROUP_STEPS; i++)
		if (!step_cgroup(record, &place))
			break;
}

__noinline int step_parent(struct ttlog_bpf_parent *to, struct ttlog_place *place)
{
	struct task_struct *task, *parent;

	if (!to || !place)
		return 0;
	task = (struct task_struct *)place->at;
	parent = BPF_CORE_READ(task, real_parent, group_leader);
	to->pid = BPF_CORE_READ(parent, tgid);
	if (!to->pid)
		return 0;
	BPF_CORE_READ_INTO(&to->comm, parent, comm);
	place->at = (__u64)parent;
	return 1;
}

static __always_inline void put_parents(struct ttlog_bpf_more *more, struct task_struct *task)
{
	struct ttlog_place place = {.at = (__u64)task};
	__u32 i;

	for (i = 0; i < TTLOG_BPF_PARENTS; i++)
		if (!step_parent(&more->parent[i], &place))
			break;
	more->parent_count = i;
}

/* ---- memory ----------------------------------------------------------------------------------- */

/*
 * The kernel's counters lag behind by some pages for each CPU. Not bpf_core_type_exists(): for a type
 * that the kernel has not, libbpf looks into all modules, which takes CAP_SYS_ADMIN.
 */
#define PAGES(mm, kind)                                                                            \
	({                                                                                         \
		struct mm_struct___before_6_2 *before_ = (void *)(mm);                             \
		__s64 pages_ = bpf_core_field_exists(before_->rss_stat.count)                      \
				       ? BPF_CORE_READ(before_, rss_stat.count[kind].counter)      \
				       : BPF_CORE_READ(mm, rss_stat[kind].count);                  \
		pages_ > 0 ? (__u64)pages_ : 0;                                                    \
	})

static __always_inline void put_memory(struct ttlog_bpf_more *more, struct task_struct *task)
{
	struct mm_struct *mm = BPF_CORE_READ(task, mm);

	if (!mm)
		return;
	more->total_pages = BPF_CORE_READ(mm, total_vm);
	more->anonymous_pages = PAGES(mm, MM_ANONPAGES);
	more->file_pages = PAGES(mm, MM_FILEPAGES);
	more->shared_pages = PAGES(mm, MM_SHMEMPAGES);
	more->swap_pages = PAGES(mm, MM_SWAPENTS);
}

/* The nearest that is full, but for what a CPU keeps in stock. */
static __always_inline void put_limit(struct ttlog_bpf_more *more, struct task_struct *task)
{
	char *css = (char *)memory_of(task);
	const unsigned long to_memory = bpf_core_field_offset(struct mem_cgroup, memory) -
					bpf_core_field_offset(struct mem_cgroup, css);
	struct page_counter *counter = (void *)(css + to_memory);

	if (!css)
		return;
	for (__u32 i = 0; i < LIMIT_STEPS && counter; i++) {
		__u64 usage = (__u64)BPF_CORE_READ(counter, usage.counter);
		__u64 max = BPF_CORE_READ(counter, max);

		if (usage + max / 128 + 64 >= max) {
			struct cgroup_subsys_state *full = (void *)((char *)counter - to_memory);

			more->limit_pages = max;
			more->usage_pages = usage;
			more->limit_level = i;
			more->limit_cgroup_id = BPF_CORE_READ(full, cgroup, kn, id);
			return;
		}
		counter = BPF_CORE_READ(counter, parent);
	}
}

/* ---- what sets one cause apart from another --------------------------------------------------- */

/* Of a pid namespace, and not of the first. SIGNAL_UNKILLABLE is gone when it exits. */
static __always_inline bool is_init(struct task_struct *task)
{
	const char *pid = (const char *)BPF_CORE_READ(task, group_leader, thread_pid);
	const __u32 level = BPF_CORE_READ((struct pid *)pid, level);
	int nr = 0;

	if (!level || level > 32)
		return false;
	bpf_probe_read_kernel(&nr, sizeof(nr),
			      pid + bpf_core_field_offset(struct pid, numbers) +
				      level * bpf_core_type_size(struct upid) +
				      bpf_core_field_offset(struct upid, nr));
	return nr == 1;
}

static __always_inline __u32 circumstances(const struct ttlog_bpf_event *event,
					   struct task_struct *task)
{
	struct task_struct *sender = bpf_get_current_task_btf();
	__u32 flags = 0;
	char byte;

	if (sender->flags & PF_EXITING)
		flags |= TTLOG_BPF_SENDER_EXITING;
	if (is_init(sender))
		flags |= TTLOG_BPF_SENDER_INIT;
	if (BPF_CORE_READ(task, pdeath_signal) == event->signal)
		flags |= TTLOG_BPF_PARENT_DEATH;
	if (~BPF_CORE_READ(task, signal, rlim[RLIMIT_CPU].rlim_max) ||
	    ~BPF_CORE_READ(task, signal, rlim[RLIMIT_CPU].rlim_cur))
		flags |= TTLOG_BPF_CPU_LIMIT;
	if ((event->flags & TTLOG_BPF_REGISTERS) && event->code > 0 &&
	    bpf_probe_read_user(&byte, 1, (void *)event->sp))
		flags |= TTLOG_BPF_STACK_GONE;
	return flags;
}

/* ---- sending ---------------------------------------------------------------------------------- */

static __always_inline void count_sent(long err)
{
	if (err)
		__sync_fetch_and_add(&counters.lost, 1);
	else
		__sync_fetch_and_add(&counters.sent, 1);
}

/* With interrupts off: what the task `of_sender` is, and the memory of the task `of_target`. */
__noinline int send_with_sender(struct ttlog_bpf_event *event, __u64 of_target, __u64 of_sender)
{
	struct task_struct *target = (struct task_struct *)of_target;
	struct task_struct *sender = (struct task_struct *)of_sender;
	__u32 zero = 0, bytes = __builtin_offsetof(struct ttlog_bpf_record, names);
	struct ttlog_bpf_record *record = bpf_map_lookup_elem(&scratch, &zero);

	if (!event || !record)
		return 0;
	record->event = *event;
	record->event.flags |= TTLOG_BPF_MORE;
	__builtin_memset(&record->more, 0, sizeof(record->more));
	put_parents(&record->more, sender);
	put_memory(&record->more, target);
	if (event->flags & TTLOG_BPF_INFO_KERNEL)
		put_limit(&record->more, target);
	put_exe(record, sender);
	record->more.cgroup_bytes = record->more.exe_bytes; /* where they begin */
	put_cgroup(record, sender);
	bytes += record->more.cgroup_bytes;
	record->more.cgroup_bytes -= record->more.exe_bytes;
	if (bytes > sizeof(*record))
		bytes = sizeof(*record);
	count_sent(bpf_ringbuf_output(&events, record, bytes, 0));
	return 0;
}

/* Anywhere: the memory of `target` alone. */
static __always_inline void send_with_memory(const struct ttlog_bpf_event *event,
					     struct task_struct *target)
{
	const __u32 bytes = __builtin_offsetof(struct ttlog_bpf_record, names);
	struct ttlog_bpf_record *record = bpf_ringbuf_reserve(&events, bytes, 0);

	/* One test: the verifier of 6.1 thinks that a second one may come out otherwise. */
	if (!record) {
		count_sent(-1);
		return;
	}
	count_sent(0);
	record->event = *event;
	record->event.flags |= TTLOG_BPF_MORE;
	__builtin_memset(&record->more, 0, sizeof(record->more));
	put_memory(&record->more, target);
	record->more.peak_pages = BPF_CORE_READ(target, signal, maxrss);
	if (event->kind == TTLOG_BPF_OOM)
		put_limit(&record->more, target);
	bpf_ringbuf_submit(record, 0);
}

/* ---- for want of memory ----------------------------------------------------------------------- */

/* Runs in the context of whoever asked for memory when there was none. */
static __always_inline int chosen(struct ttlog_bpf_client *client, struct task_struct *victim)
{
	struct ttlog_bpf_event event = {};

	begin(&event, client, TTLOG_BPF_OOM);
	fill_target(&event.target, victim);
	fill_current(&event.sender);
	send_with_memory(&event, victim);
	return 0;
}

/* The same where the kernel says nothing but a thread's id: it was sent a SIGKILL just before. */
static __always_inline int chosen_by_id(int tid)
{
	__u32 key = tid;
	struct ttlog_bpf_event *killed = bpf_map_lookup_elem(&victims, &key), event;

	if (!killed)
		return 0;
	event = *killed;
	event.kind = TTLOG_BPF_OOM;
	event.flags = 0;
	event.signal = 0;
	event.time_ns = bpf_ktime_get_ns();
	fill_current(&event.sender);
	count_sent(bpf_ringbuf_output(&events, &event, sizeof(event), 0));
	bpf_map_delete_elem(&victims, &key);
	return 0;
}

static __always_inline void remember_victim(const struct ttlog_bpf_event *event)
{
	__u32 tid = event->target.tid;

	if (event->signal == SIGKILL && (event->flags & TTLOG_BPF_INFO_KERNEL))
		bpf_map_update_elem(&victims, &tid, event, BPF_ANY);
}

#endif
