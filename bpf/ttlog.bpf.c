// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * ttlog.bpf.c - tells the recorder of fatal signals, deaths and execs of its clients.
 *
 * Four tracepoints. A task that is no client costs one failed lookup. Where kernels differ, watch.c
 * chooses the program. No kfuncs, no helper younger than 5.15.
 *
 * signal_generate and signal_deliver run under the siglock of the target with interrupts off, so
 * what they keep in the task storage needs no lock of its own.
 */
#include <stdbool.h>
#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "bpf/kernel_types.h"
#include "bpf/ttlog_bpf.h"

/* A tracepoint has the arguments that it has, and BPF_PROG makes a parameter of each. */
#pragma clang diagnostic ignored "-Wunused-parameter"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

#define PF_EXITING 0x4u		/* include/linux/sched.h */
#define SIGNAL_GROUP_EXIT 0x4u	/* include/linux/sched/signal.h */
#define SIGNAL_UNKILLABLE 0x40u /* init of a pid namespace */
#define TRACE_SIGNAL_DELIVERED 0 /* include/trace/events/signal.h */
#define TRACE_SIGNAL_LOSE_INFO 4 /* delivered too, but its siginfo could not be queued */

#define SIGKILL 9
#define SI_USER 0
#define SI_QUEUE (-1)
#define SI_TKILL (-6)

#define BIT(signal) (1ull << ((signal) - 1))
/* What does not end a process by default: CHLD, CONT, STOP, TSTP, TTIN, TTOU, URG, WINCH. */
#define HARMLESS (BIT(17) | BIT(18) | BIT(19) | BIT(20) | BIT(21) | BIT(22) | BIT(23) | BIT(28))
/* What the hardware raises, with an address: ILL, TRAP, BUS, FPE, SEGV. */
#define FAULTS (BIT(4) | BIT(5) | BIT(7) | BIT(8) | BIT(11))
/* What dumps core, so that a thread takes it by itself: QUIT, ABRT, XCPU, XFSZ, SYS, the faults. */
#define DUMPS_CORE (FAULTS | BIT(3) | BIT(6) | BIT(24) | BIT(25) | BIT(31))

/* ---- maps ------------------------------------------------------------------------------------- */

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct ttlog_bpf_client);
} clients SEC(".maps");

/* watch.c gives it its inner map. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH_OF_MAPS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 16384);
	__uint(key_size, sizeof(__u64));
	__uint(value_size, sizeof(__u32));
} controls SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, __u64);
} execs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} events SEC(".maps");

struct ttlog_bpf_counters counters;

/* ---- what an event is made of ----------------------------------------------------------------- */

static __always_inline struct ttlog_bpf_client *client_of(struct task_struct *task)
{
	return bpf_task_storage_get(&clients, task->group_leader, 0, 0);
}

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

/* ---- signals ---------------------------------------------------------------------------------- */

#define SIG_DFL 0

static __always_inline __u64 handler_of(struct task_struct *task, int signal)
{
	/*
	 * An index that is not constant is nothing CO-RE can relocate: size and offsets it can.
	 * Kernel 6.1 allows no such arithmetic on a typed pointer, so this one is read as a number.
	 */
	const __u64 offset = bpf_core_field_offset(struct sighand_struct, action) +
			     bpf_core_field_offset(struct k_sigaction, sa.sa_handler);
	const __u64 size = bpf_core_type_size(struct k_sigaction);
	const char *sighand = (const char *)BPF_CORE_READ(task, sighand);
	__u64 handler = ~0ull;

	bpf_probe_read_kernel(&handler, sizeof(handler), sighand + offset + (signal - 1) * size);
	return handler;
}

/*
 * Will it end the process, as far as can be said now? SIGKILL does. Others may be blocked by this
 * thread and not by another one, waited for, or swallowed by a debugger: signal_deliver will tell.
 */
static __always_inline bool is_fatal(struct task_struct *task, int signal, int group)
{
	if (signal == SIGKILL)
		return group || !(task->flags & PF_EXITING);
	if (task->ptrace || (task->flags & PF_EXITING))
		return false;
	return !((task->blocked.sig[0] | task->real_blocked.sig[0]) & BIT(signal));
}

/* For signals that end nobody yet: true if there is room, and it has been quiet. */
static __always_inline bool worth_telling(struct ttlog_bpf_client *client, int signal, __u64 now)
{
	__u32 index = signal;

	if (index >= TTLOG_BPF_SIGNALS)
		return false;
	if ((client->calm_ns[index] && now - client->calm_ns[index] < TTLOG_BPF_CALM_NS) ||
	    bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA) > (1 << 19)) {
		__sync_fetch_and_add(&counters.shed, 1);
		return false;
	}
	client->calm_ns[index] = now;
	return true;
}

/* What will become of it, as flags. */
static __always_inline __u32 outlook(struct task_struct *task, int signal, int group)
{
	if (signal != SIGKILL && handler_of(task, signal) != SIG_DFL)
		return TTLOG_BPF_HANDLED;
	return is_fatal(task, signal, group) ? TTLOG_BPF_FATAL : 0;
}

/* Keeps what may turn out to be the cause, for the DEATH. */
static __always_inline void remember(struct ttlog_bpf_client *client,
				     const struct ttlog_bpf_event *event)
{
	if (event->flags & TTLOG_BPF_FATAL) {
		/* A SIGKILL that comes while the core is dumped does not change the cause. */
		if (client->fatal.kind && client->fatal.signal != event->signal)
			client->pending = client->fatal;
		client->fatal = *event;
	} else if (!(event->flags & TTLOG_BPF_HANDLED)) {
		client->pending = *event;
	}
}

static __always_inline int generated(void *ctx, struct ttlog_bpf_client *client,
				     struct task_struct *task, int signal, int group, int result)
{
	struct ttlog_bpf_event event = {};

	begin(&event, client, TTLOG_BPF_SIGNAL);
	event.signal = signal;
	event.result = result;
	event.flags = outlook(task, signal, group) | (group ? TTLOG_BPF_GROUP : 0);
	/* First of all, so that nothing that tells of the death is evicted while it is looked at. */
	if (event.flags & TTLOG_BPF_FATAL)
		freeze(&event);
	/* A runtime may take faults by the thousand: they are not what it will die of. */
	if ((event.flags & TTLOG_BPF_HANDLED) && !worth_telling(client, signal, event.time_ns))
		return 0;
	fill_siginfo(&event, raw_argument(ctx, 1));
	fill_target(&event.target, task);
	fill_current(&event.sender);
	if (event.sender.tid == event.target.tid)
		fill_registers(&event, task);
	remember(client, &event);
	if ((event.flags & (TTLOG_BPF_FATAL | TTLOG_BPF_HANDLED)) ||
	    worth_telling(client, signal, event.time_ns))
		send(&event);
	return 0;
}

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

/*
 * Each thread of a dying group takes a SIGKILL that nobody sent: for a fatal signal, for
 * exit_group(), for an exec. The first sort says in the group's exit code which signal it was.
 */
static __always_inline int true_signal(struct task_struct *task, int signal)
{
	if (signal != SIGKILL)
		return signal;
	if (!(task->signal->flags & SIGNAL_GROUP_EXIT))
		return 0;
	return task->signal->group_exit_code & 0x7f;
}

/*
 * Is there anything to tell of a thread that takes its client's fatal signal? Of those that dump
 * core only: one that was sent from elsewhere came without registers, and of two threads that fault
 * together the first to come here is the one that dies of it.
 */
static __always_inline bool is_news(const struct ttlog_bpf_client *client, struct task_struct *task,
				    int taken, int signal)
{
	if (!client->fatal.kind || client->fatal.signal != signal)
		return true;
	if (taken == SIGKILL || !(BIT(signal) & DUMPS_CORE) ||
	    client->fatal.kind != TTLOG_BPF_SIGNAL)
		return false;
	return !(client->fatal.flags & TTLOG_BPF_REGISTERS) ||
	       client->fatal.target.tid != (__u32)task->pid;
}

/* Keeps what is known best of the fatal signal for the DEATH to come. */
static __always_inline void settle(struct ttlog_bpf_client *client, struct ttlog_bpf_event *taken)
{
	if (client->fatal.kind && client->fatal.signal == taken->signal) {
		if (taken->code > 0) {
			/* A fault: who takes it is who did it. */
			taken->sender = taken->target;
			client->fatal = *taken;
			return;
		}
	} else if (client->pending.kind && client->pending.signal == taken->signal) {
		client->fatal = client->pending; /* knows the sender; becomes fatal only now */
		client->fatal.time_ns = taken->time_ns;
	} else {
		client->fatal = *taken;
		return;
	}
	client->fatal.kind = TTLOG_BPF_DELIVER;
	client->fatal.ip = taken->ip;
	client->fatal.sp = taken->sp;
	client->fatal.flags |= taken->flags & (TTLOG_BPF_REGISTERS | TTLOG_BPF_FATAL);
}

static __always_inline int delivered(void *ctx, struct ttlog_bpf_client *client,
				     struct task_struct *task, int taken, int signal)
{
	struct ttlog_bpf_event event = {};

	begin(&event, client, TTLOG_BPF_DELIVER);
	event.signal = signal;
	event.flags = TTLOG_BPF_FATAL;
	freeze(&event);
	fill_target(&event.target, task);
	if (taken == signal) {
		fill_siginfo(&event, raw_argument(ctx, 1));
		fill_registers(&event, task);
	}
	settle(client, &event);
	send(&event);
	return 0;
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
	signal = true_signal(task, taken);
	if (signal < 1 || signal > 64 || (BIT(signal) & HARMLESS))
		return 0;
	if (taken != SIGKILL && ((__u64)BPF_CORE_READ(action, sa.sa_handler) != SIG_DFL ||
				 (task->signal->flags & SIGNAL_UNKILLABLE)))
		return 0;
	if (!is_news(client, task, taken, signal))
		return 0;
	return delivered(ctx, client, task, taken, signal);
}

/* ---- deaths ----------------------------------------------------------------------------------- */

/* As wait(2) will have it: the group's code once there is one, else that of the leader. */
static __always_inline int exit_code_of(struct task_struct *task)
{
	if (task->signal->flags & SIGNAL_GROUP_EXIT)
		return task->signal->group_exit_code;
	return task->group_leader->exit_code;
}

/* The signal that the exit code names, if it was seen; no other is to blame. */
static __always_inline void recall(struct ttlog_bpf_event *event,
				   const struct ttlog_bpf_client *client)
{
	int signal = event->exit_code & 0x7f;
	__u64 death_ns = event->time_ns;
	int exit_code = event->exit_code;

	if (!signal)
		return;
	if (client->fatal.kind && client->fatal.signal == signal)
		*event = client->fatal;
	else if (client->pending.kind && client->pending.signal == signal)
		*event = client->pending;
	else
		return;
	event->kind = TTLOG_BPF_DEATH;
	event->flags = (event->flags & ~TTLOG_BPF_FROZE) | TTLOG_BPF_HAS_SIGNAL;
	event->exit_code = exit_code;
	event->signal_time_ns = event->time_ns;
	event->time_ns = death_ns;
}

/* An exec by another thread will take the leader's place, but not its storage. */
static __always_inline void leader_left(struct task_struct *task,
					const struct ttlog_bpf_client *client)
{
	__u32 tgid = task->tgid;

	if (task->pid == task->tgid && !(task->signal->flags & SIGNAL_GROUP_EXIT))
		bpf_map_update_elem(&execs, &tgid, &client->client_id, BPF_ANY);
}

static __always_inline int died(struct ttlog_bpf_client *client, struct task_struct *task)
{
	struct ttlog_bpf_event event = {};
	__u32 tgid = task->tgid;

	bpf_map_delete_elem(&execs, &tgid);
	begin(&event, client, TTLOG_BPF_DEATH);
	event.exit_code = exit_code_of(task);
	recall(&event, client);
	freeze(&event);
	fill_target(&event.target, task);
	send(&event);
	return 0;
}

static __always_inline int exiting(struct task_struct *task, bool group_dead)
{
	struct ttlog_bpf_client *client = client_of(task);

	if (!client)
		return 0;
	if (!group_dead) {
		leader_left(task, client);
		return 0;
	}
	return __sync_lock_test_and_set(&client->dead, 1) ? 0 : died(client, task);
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

/* ---- exec ------------------------------------------------------------------------------------- */

/* The new leader is another task than the one that was registered: register it. */
static __always_inline struct ttlog_bpf_client *inherit(struct task_struct *task)
{
	struct ttlog_bpf_client *client;
	__u32 tgid = task->tgid;
	__u64 *id = bpf_map_lookup_elem(&execs, &tgid);

	if (!id)
		return 0;
	client = bpf_task_storage_get(&clients, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (client)
		client->client_id = *id;
	bpf_map_delete_elem(&execs, &tgid);
	return client;
}

static __always_inline int became_another(const struct ttlog_bpf_client *client,
					  struct task_struct *task)
{
	struct ttlog_bpf_event event = {};

	begin(&event, client, TTLOG_BPF_EXEC);
	fill_target(&event.target, task);
	send(&event);
	return 0;
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
