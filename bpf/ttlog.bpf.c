// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * ttlog.bpf.c - tells the recorder of fatal signals, deaths and execs of its clients.
 *
 * Six tracepoints; what each does is in the headers beside it. A task that is no client costs one
 * failed lookup. Where kernels differ, watch.c chooses the program. No helper younger than 5.15; kfuncs
 * only in modules.bpf.h, where watch.c has found them.
 */
#include <stdbool.h>
#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "bpf/calls.bpf.h"
#include "bpf/deaths.bpf.h"
#include "bpf/event.bpf.h"
#include "bpf/kernel_types.h"
#include "bpf/maps.bpf.h"
#include "bpf/more.bpf.h"
#include "bpf/scene.bpf.h"
#include "bpf/signals.bpf.h"
#include "bpf/ttlog_bpf.h"

/* A tracepoint has the arguments that it has, and BPF_PROG makes a parameter of each. */
#pragma clang diagnostic ignored "-Wunused-parameter"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

SEC("tp_btf/signal_generate")
int BPF_PROG(ttlog_signal_generate, int signal, struct kernel_siginfo *info,
	     struct task_struct *task, int group, int result)
{
	struct ttlog_bpf_client *client = client_of(task);

	if (!client || (result != TRACE_SIGNAL_DELIVERED && result != TRACE_SIGNAL_LOSE_INFO))
		return 0;
	if (signal < 1 || signal > 64 || (BIT(signal) & HARMLESS))
		return 0;
	return generated(ctx, client, task, signal, group, result);
}

SEC("tp_btf/signal_deliver")
int BPF_PROG(ttlog_signal_deliver, int taken, struct kernel_siginfo *info,
	     struct k_sigaction *action)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct ttlog_bpf_client *client = client_of(task);
	int signal;

	if (!client)
		return 0;
	if (taken != SIGKILL && (__u64)BPF_CORE_READ(action, sa.sa_handler) != SIG_DFL) {
		note_handler(client, task, action);
		return 0;
	}
	signal = true_signal(task, taken, raw_argument(ctx, 1));
	if (signal < 1 || signal > 64 || (BIT(signal) & HARMLESS))
		return 0;
	if (taken != SIGKILL && (task->signal->flags & SIGNAL_UNKILLABLE))
		return 0;
	if (is_news(client, task, taken, signal))
		delivered(ctx, client, task, taken, signal);
	send_scene(client, taken);
	send_modules(client, BENCH_DELIVER);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(ttlog_exit_group_dead, struct task_struct *task, bool group_dead)
{
	return exiting(task, group_dead);
}

/* Kernels before 6.16 don't say it. Two threads that exit at once may both find nobody alive. */
SEC("tp_btf/sched_process_exit")
int BPF_PROG(ttlog_exit_live, struct task_struct *task)
{
	return exiting(task, task->signal->live.counter == 0);
}

SEC("tp_btf/mark_victim")
int BPF_PROG(ttlog_mark_victim, struct task_struct *task, unsigned int uid)
{
	struct ttlog_bpf_client *client = client_of(task);

	return client ? chosen(client, task) : 0;
}

/* Before 6.9, and before the 6.6 that took it over. */
SEC("tp_btf/mark_victim")
int BPF_PROG(ttlog_mark_victim_id, int tid)
{
	return chosen_by_id(tid);
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(ttlog_sched_process_exec, struct task_struct *task, int old_pid,
	     struct linux_binprm *bprm)
{
	struct ttlog_bpf_client *client = client_of(task);

	if (!client && task->pid != old_pid)
		client = inherit(task);
	return client ? became_another(client, task) : 0;
}

/* Where it is missing nobody is heard, see watch_load.c. */
SEC("tp_btf/task_rename")
int BPF_PROG(ttlog_task_rename, struct task_struct *task, const char *to)
{
	return renamed(task, to);
}
