/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/*
 * event.bpf.h - how an event is made and sent: who it is about, what siginfo and registers say, and the
 * freeze word that goes with it.
 */
#ifndef TTLOG_EVENT_BPF_H
#define TTLOG_EVENT_BPF_H

#include <stdbool.h>
#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "bpf/maps.bpf.h"

#define PF_EXITING 0x4u		/* include/linux/sched.h */
#define SIGNAL_GROUP_EXIT 0x4u	/* include/linux/sched/signal.h */
#define SIGNAL_UNKILLABLE 0x40u /* init of a pid namespace */
#define TRACE_SIGNAL_DELIVERED 0 /* include/trace/events/signal.h */
#define TRACE_SIGNAL_LOSE_INFO 4 /* delivered too, but its siginfo could not be queued */

#define SIGKILL 9
#define SI_USER 0
#define SI_KERNEL 0x80
#define SI_QUEUE (-1)
#define SI_TKILL (-6)

#define BIT(signal) (1ull << ((signal) - 1))
/* What does not end a process by default: CHLD, CONT, STOP, TSTP, TTIN, TTOU, URG, WINCH. */
#define HARMLESS (BIT(17) | BIT(18) | BIT(19) | BIT(20) | BIT(21) | BIT(22) | BIT(23) | BIT(28))
/* What the hardware raises, with an address: ILL, TRAP, BUS, FPE, SEGV. */
#define FAULTS (BIT(4) | BIT(5) | BIT(7) | BIT(8) | BIT(11))
/* What dumps core, so that a thread takes it by itself: QUIT, ABRT, XCPU, XFSZ, SYS, the faults. */
#define DUMPS_CORE (FAULTS | BIT(3) | BIT(6) | BIT(24) | BIT(25) | BIT(31))

static __always_inline void begin(struct ttlog_bpf_event *event,
				  const struct ttlog_bpf_client *client, __u32 kind)
{
	event->client_id = client->client_id;
	event->time_ns = bpf_ktime_get_ns();
	event->kind = kind;
}

static __always_inline void fill_target(struct ttlog_bpf_actor *actor, struct task_struct *task)
{
	actor->pid = task->tgid;
	actor->tid = task->pid;
	actor->uid = BPF_CORE_READ(task, cred, uid.val);
	actor->gid = BPF_CORE_READ(task, cred, gid.val);
	actor->cgroup_id = BPF_CORE_READ(task, cgroups, dfl_cgrp, kn, id);
	bpf_probe_read_kernel(actor->comm, sizeof(actor->comm), &task->comm);
}

static __always_inline void fill_current(struct ttlog_bpf_actor *actor)
{
	__u64 pid_tgid = bpf_get_current_pid_tgid();
	__u64 uid_gid = bpf_get_current_uid_gid();

	actor->pid = pid_tgid >> 32;
	actor->tid = (__u32)pid_tgid;
	actor->uid = (__u32)uid_gid;
	actor->gid = uid_gid >> 32;
	actor->cgroup_id = bpf_get_current_cgroup_id();
	bpf_get_current_comm(actor->comm, sizeof(actor->comm));
}

/*
 * The verifier takes the siginfo of a tp_btf program for a valid pointer and folds tests for its two
 * special values away; read back from the context it is a plain number.
 */
static __always_inline __u64 raw_argument(const void *ctx, int index)
{
	__u64 value = 0;

	bpf_probe_read_kernel(&value, sizeof(value), (const __u64 *)ctx + index);
	return value;
}

static __always_inline void fill_siginfo(struct ttlog_bpf_event *event, __u64 raw)
{
	const struct kernel_siginfo *info = (const struct kernel_siginfo *)raw;

	if (raw == 0) {
		event->flags |= TTLOG_BPF_INFO_NONE;
		return;
	}
	if (raw == 1) {
		event->flags |= TTLOG_BPF_INFO_KERNEL;
		return;
	}
	event->code = BPF_CORE_READ(info, si_code);
	event->error = BPF_CORE_READ(info, si_errno);
	if (event->code == SI_USER || event->code == SI_QUEUE || event->code == SI_TKILL) {
		event->info_pid = BPF_CORE_READ(info, _sifields._kill._pid);
		event->info_uid = BPF_CORE_READ(info, _sifields._kill._uid);
	} else if (event->code > 0 && (BIT(event->signal) & FAULTS)) {
		event->fault_address = (__u64)BPF_CORE_READ(info, _sifields._sigfault._addr);
	}
}

/*
 * A system call makes its siginfo on the kernel stack of its caller; a timer has had it for long, in
 * memory of its own. 32 KiB is the largest stack; behind a smaller one is a guard, and nobody's siginfo.
 */
static __always_inline __u32 whose_siginfo(__u64 raw)
{
	const struct task_struct *current_task = (const struct task_struct *)bpf_get_current_task();
	const __u64 stack = (__u64)BPF_CORE_READ(current_task, stack);

	return raw > 1 && raw >= stack && raw - stack < (32 << 10) ? TTLOG_BPF_ON_STACK : 0;
}

/* Of user space, and so only of a task that is running this. */
static __always_inline void fill_registers(struct ttlog_bpf_event *event, struct task_struct *task)
{
	void *regs = (void *)bpf_task_pt_regs(task);
	struct pt_regs___x86 *x86 = regs;
	struct pt_regs___arm64 *arm64 = regs;

	if (bpf_core_field_exists(x86->ip)) {
		event->ip = BPF_CORE_READ(x86, ip);
		event->sp = BPF_CORE_READ(x86, sp);
	} else if (bpf_core_field_exists(arm64->pc)) {
		event->ip = BPF_CORE_READ(arm64, pc);
		event->sp = BPF_CORE_READ(arm64, sp);
	} else {
		return;
	}
	event->flags |= TTLOG_BPF_REGISTERS;
}

static __always_inline void send(struct ttlog_bpf_event *event)
{
	if (bpf_ringbuf_output(&events, event, sizeof(*event), 0))
		__sync_fetch_and_add(&counters.lost, 1);
	else
		__sync_fetch_and_add(&counters.sent, 1);
}

/* Pairs with the client's load of its freeze word. The recorder thaws. */
static __always_inline void freeze(struct ttlog_bpf_event *event)
{
	void *control = bpf_map_lookup_elem(&controls, &event->client_id);
	__u32 zero = 0;
	__u32 *word;

	if (!control)
		return;
	word = bpf_map_lookup_elem(control, &zero);
	if (!word)
		return;
	if (!(__sync_fetch_and_or(word + TTLOG_BPF_FREEZE_OFFSET / 4, 1) & 1))
		event->flags |= TTLOG_BPF_FROZE;
}

#endif
