// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * stacks.bpf.c - where the threads of a living client are: registers and pages of their stacks, as
 * the records of ttlog_bpf_scene.h, to whoever reads the iterator.
 *
 * Nobody is stopped. The registers are those of the last time that a thread entered the kernel: of
 * one that waits they are what they are, of one that runs they are as old as its last timer
 * interrupt, and its stack is that of now. A page that is not in memory is fetched: who reads may
 * wait for it.
 */
#include <stdbool.h>
#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "bpf/kernel_types.h"
#include "bpf/registers.bpf.h"
#include "bpf/ttlog_bpf.h"

#define PF_EXITING 0x4u /* include/linux/sched.h */

char LICENSE[] SEC("license") = "Dual MIT/GPL";

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
} KERNEL;

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
} KERNEL;

/* That of ttlog.bpf.c: the recorder puts it in its place. */
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct ttlog_bpf_client);
} clients SEC(".maps");

__u64 wanted; /* whose: a client's id */
/*
 * His number, which the first of two readings finds out, and nothing else: a sleepable program may
 * ask for the storage of the task that it is handed, and not for that task's leader's.
 */
int wanted_tgid; /* 0: not known yet */

/* One reader at a time; too large for a stack. */
struct ttlog_bpf_thread thread;
struct ttlog_bpf_page page;

static __always_inline void put_stack(struct seq_file *seq, struct task_struct *task, __u64 sp)
{
	__u64 address = (sp - TTLOG_BPF_RED_ZONE) & ~(__u64)(TTLOG_BPF_PAGE_BYTES - 1);

	for (unsigned int i = 0; i < TTLOG_BPF_PAGES_OTHERS; i++, address += TTLOG_BPF_PAGE_BYTES) {
		if (bpf_copy_from_user_task(page.data, sizeof(page.data), (void *)address, task, 0))
			continue;
		page.head.client_id = wanted;
		page.head.kind = TTLOG_BPF_PAGE;
		page.head.tid = task->pid;
		page.address = address;
		bpf_seq_write(seq, &page, sizeof(page));
	}
}

static __always_inline void find(struct task_struct *task)
{
	const struct ttlog_bpf_client *client =
		task->pid == task->tgid ? bpf_task_storage_get(&clients, task, 0, 0) : 0;

	if (client && client->client_id == wanted)
		wanted_tgid = task->tgid;
}

SEC("iter.s/task")
int ttlog_stacks(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct seq_file *seq = ctx->meta->seq;
	__u64 sp = 0, pc = 0;
	void *regs;

	if (!task || task->flags & PF_EXITING)
		return 0;
	if (task->tgid != wanted_tgid) {
		if (!wanted_tgid)
			find(task);
		return 0;
	}
	if (!where(task, &sp, &pc))
		return 0;
	__builtin_memset(&thread, 0, sizeof(thread));
	thread.head.client_id = wanted;
	thread.head.kind = TTLOG_BPF_THREAD;
	thread.head.tid = task->pid;
	bpf_probe_read_kernel(thread.comm, sizeof(thread.comm), &task->comm);
	regs = (void *)bpf_task_pt_regs(task);
	if (bpf_core_field_exists(((struct pt_regs___x86 *)regs)->ip))
		fill_x86(&thread, task, regs);
	else
		fill_arm64(&thread, task, regs);
	/* Of its last fault, which was none that mattered. */
	thread.fault_address = thread.error_code = thread.trap = 0;
	fill_environment(&thread, task);
	thread.alternate_stack = BPF_CORE_READ(task, sas_ss_sp);
	thread.alternate_stack_bytes = BPF_CORE_READ(task, sas_ss_size);
	thread.code_address = pc & ~(__u64)(TTLOG_BPF_CODE_BYTES - 1);
	if (!bpf_copy_from_user_task(thread.code, sizeof(thread.code), (void *)thread.code_address,
				     task, 0))
		thread.code_bytes = TTLOG_BPF_CODE_BYTES;
	bpf_seq_write(seq, &thread, sizeof(thread));
	put_stack(seq, task, sp);
	return 0;
}
