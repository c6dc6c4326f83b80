/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/*
 * signals.bpf.h - what a signal will do to a client, when it is sent and when it is taken.
 *
 * signal_generate and signal_deliver run under the siglock of the target with interrupts off, so
 * what they keep in the task storage needs no lock of its own.
 */
#ifndef TTLOG_SIGNALS_BPF_H
#define TTLOG_SIGNALS_BPF_H

#include "bpf/event.bpf.h"
#include "bpf/more.bpf.h"

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
	event.flags |= whose_siginfo(raw_argument(ctx, 1));
	fill_target(&event.target, task);
	fill_current(&event.sender);
	if (event.sender.tid == event.target.tid)
		fill_registers(&event, task);
	event.flags |= circumstances(&event, task);
	remember(client, &event);
	remember_victim(&event);
	if (event.flags & TTLOG_BPF_HANDLED)
		send(&event);
	else if ((event.flags & TTLOG_BPF_FATAL) || worth_telling(client, signal, event.time_ns))
		send_with_sender(&event, raw_argument(ctx, 2), bpf_get_current_task());
	return 0;
}

/*
 * Each thread of a dying group takes a SIGKILL that nobody sent: for a fatal signal, for
 * exit_group(), for an exec. The first sort says in the group's exit code which signal it was.
 */
static __always_inline int true_signal(struct task_struct *task, int signal, __u64 raw_info)
{
	/* One with a siginfo was put there by a tracer. */
	if (signal != SIGKILL || raw_info > 1)
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

#define QUEUE_STEPS 32

/*
 * The siginfo of a signal that waits there; 0: it has none, or too many wait. Whoever holds the siglock
 * may ask. A function of its own for the verifier's sake, see struct ttlog_place.
 */
__noinline __u64 queued_siginfo(__u64 queue, __s32 signal)
{
	const __u64 head = queue + bpf_core_field_offset(struct sigpending, list);
	__u64 at = head;

	for (int i = 0; i < QUEUE_STEPS; i++) {
		const struct sigqueue *entry;

		at = (__u64)BPF_CORE_READ((struct list_head *)at, next);
		if (!at || at == head)
			return 0;
		entry = (struct sigqueue *)(at - bpf_core_field_offset(struct sigqueue, list));
		if (BPF_CORE_READ(entry, info.si_signo) == signal)
			return (__u64)entry + bpf_core_field_offset(struct sigqueue, info);
	}
	return 0;
}

/* Of the one that a SIGKILL of nobody's stands for, which stays where it was queued. Of current. */
static __always_inline __u64 waiting_siginfo(int signal)
{
	const __u64 task = bpf_get_current_task();
	__u64 info = queued_siginfo((__u64)BPF_CORE_READ((struct task_struct *)task, signal) +
					    bpf_core_field_offset(struct signal_struct,
								  shared_pending),
				    signal);

	return info ? info
		    : queued_siginfo(task + bpf_core_field_offset(struct task_struct, pending),
				     signal);
}

/* Who takes it is who did it: a fault. What the kernel sent for other reasons has a code above 0 too. */
static __always_inline bool is_own_doing(const struct ttlog_bpf_event *taken)
{
	return taken->code > 0 && (taken->code != SI_KERNEL || (BIT(taken->signal) & FAULTS));
}

/* Keeps what is known best of the fatal signal for the DEATH to come. */
static __always_inline void settle(struct ttlog_bpf_client *client, struct ttlog_bpf_event *taken)
{
	if (client->fatal.kind && client->fatal.signal == taken->signal) {
		if (is_own_doing(taken)) {
			taken->sender = taken->target;
			client->fatal = *taken;
			return;
		}
	} else if (client->pending.kind && client->pending.signal == taken->signal) {
		client->fatal = client->pending; /* knows the sender; becomes fatal only now */
		client->fatal.time_ns = taken->time_ns;
	} else {
		if (is_own_doing(taken)) {
			taken->sender = taken->target;
		} else if (!(taken->flags & TTLOG_BPF_TRACER)) {
			taken->flags |= TTLOG_BPF_UNSEEN;
			__sync_fetch_and_add(&counters.unseen, 1);
		}
		client->fatal = *taken;
		return;
	}
	client->fatal.kind = TTLOG_BPF_DELIVER;
	client->fatal.ip = taken->ip;
	client->fatal.sp = taken->sp;
	client->fatal.flags |= taken->flags & (TTLOG_BPF_REGISTERS | TTLOG_BPF_FATAL);
}

/* A signal that nobody sent, with a siginfo that the kernel made up for it: ptrace_signal() does. */
static __always_inline bool is_tracers(const struct ttlog_bpf_client *client,
				       struct task_struct *task,
				       const struct ttlog_bpf_event *taken)
{
	if (!task->ptrace || taken->code != SI_USER || (taken->flags & TTLOG_BPF_NO_SIGINFO))
		return false;
	return !(client->pending.kind && client->pending.signal == taken->signal);
}

static __always_inline int delivered(void *ctx, struct ttlog_bpf_client *client,
				     struct task_struct *task, int taken, int signal)
{
	struct ttlog_bpf_event event = {};
	__u64 info;

	begin(&event, client, TTLOG_BPF_DELIVER);
	event.signal = signal;
	event.flags = TTLOG_BPF_FATAL;
	freeze(&event);
	fill_target(&event.target, task);
	info = taken == signal ? raw_argument(ctx, 1) : waiting_siginfo(signal);
	if (info > 1)
		fill_siginfo(&event, info);
	else
		event.flags |= TTLOG_BPF_NO_SIGINFO;
	if (taken == signal) {
		fill_registers(&event, task);
		event.flags |= circumstances(&event, task);
		event.flags &= ~(TTLOG_BPF_SENDER_EXITING | TTLOG_BPF_SENDER_INIT);
	}
	if (taken == signal && is_tracers(client, task, &event)) {
		event.flags |= TTLOG_BPF_TRACER;
		fill_target(&event.sender, task->parent);
		settle(client, &event);
		send_with_sender(&event, bpf_get_current_task(),
				 (__u64)BPF_CORE_READ(task, parent));
		return 0;
	}
	settle(client, &event);
	send(&event);
	return 0;
}

#endif
