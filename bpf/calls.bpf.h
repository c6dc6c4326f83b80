/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/*
 * calls.bpf.h - a process says its own name: it has a region that no recorder holds.
 *
 * Anybody may say so as often as he likes. That costs others nothing: a ring buffer of its own, and
 * one call a process in a while. Who is a client already is not heard.
 */
#ifndef TTLOG_CALLS_BPF_H
#define TTLOG_CALLS_BPF_H

#include <stdbool.h>
#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "bpf/maps.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32); /* tgid */
	__type(value, __u64);
} callers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, TTLOG_BPF_CALLS_BYTES);
} calls SEC(".maps");

/* Has it called a moment ago? */
static __always_inline bool called(__u32 tgid)
{
	__u64 now = bpf_ktime_get_ns();
	__u64 *last = bpf_map_lookup_elem(&callers, &tgid);

	if (last && now - *last < TTLOG_BPF_CALL_CALM_NS)
		return true;
	bpf_map_update_elem(&callers, &tgid, &now, BPF_ANY);
	return false;
}

/* Shapes of pt_regs beside those of event.bpf.h. */
struct pt_regs___x86_call {
	unsigned long orig_ax;
} KERNEL;

struct pt_regs___arm64_call {
	__s32 syscallno;
} KERNEL;

/*
 * An exec sets the name too, and often to what it was: a shell runs a script, a wrapper its program.
 * By the number of the system call, of 64-bit programs; those of 32 bits are taken for callers.
 */
static __always_inline bool is_exec(struct task_struct *task)
{
	void *regs = (void *)bpf_task_pt_regs(task);
	struct pt_regs___x86_call *x86 = regs;
	struct pt_regs___arm64_call *arm64 = regs;

	if (bpf_core_field_exists(x86->orig_ax)) {
		__u64 number = BPF_CORE_READ(x86, orig_ax);

		return number == 59 || number == 322; /* execve, execveat */
	}
	if (bpf_core_field_exists(arm64->syscallno)) {
		__s32 number = BPF_CORE_READ(arm64, syscallno);

		return number == 221 || number == 281;
	}
	return false;
}

static __always_inline int renamed(struct task_struct *task, const char *to)
{
	__u64 before[2] = {}, after[2] = {};
	struct ttlog_bpf_call call = {};

	bpf_probe_read_kernel(before, sizeof(before), &task->comm);
	bpf_probe_read_kernel_str(after, sizeof(after), to);
	/* What stands behind the end of a name is not said to be zero. */
	for (int i = 0; i < 16; i++) {
		char one = ((char *)before)[i];

		if (one != ((char *)after)[i])
			return 0;
		if (!one)
			break;
	}
	/* The registers are those of whoever runs this, which is who gives himself a name. */
	if (client_of(task) || is_exec(bpf_get_current_task_btf()))
		return 0;
	call.pid = task->tgid;
	if (called(call.pid))
		return 0;
	if (bpf_ringbuf_output(&calls, &call, sizeof(call), 0))
		__sync_fetch_and_add(&counters.calls_lost, 1);
	return 0;
}

#endif
