/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/*
 * deaths.bpf.h - the end of a client: its last thread exits, or an exec makes it another program.
 */
#ifndef TTLOG_DEATHS_BPF_H
#define TTLOG_DEATHS_BPF_H

#include "bpf/event.bpf.h"
#include "bpf/more.bpf.h"
#include "bpf/scene.bpf.h"

#define SECCOMP_MODE_DEAD 3 /* include/linux/seccomp.h, from 5.16 on */

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

/* Seccomp's strict mode, and a filter that kills a thread, end it as exit() would, without a signal. */
static __always_inline bool seccomp_ended(struct task_struct *task)
{
	struct task_struct *leader = task->group_leader;

	return bpf_core_field_exists(leader->seccomp.mode) &&
	       BPF_CORE_READ(leader, seccomp.mode) == SECCOMP_MODE_DEAD;
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
	send_unsent(client);
	begin(&event, client, TTLOG_BPF_DEATH);
	event.exit_code = exit_code_of(task);
	recall(&event, client);
	if (seccomp_ended(task))
		event.flags |= TTLOG_BPF_SECCOMP_DEAD;
	freeze(&event);
	fill_target(&event.target, task);
	send_with_memory(&event, task);
	return 0;
}

static __always_inline int exiting(struct task_struct *task, bool group_dead)
{
	struct ttlog_bpf_client *client = client_of(task);

	if (!client)
		return 0;
	if (client->fatal.kind)
		send_modules(client, BENCH_EXIT);
	if (!group_dead) {
		leader_left(task, client);
		return 0;
	}
	return __sync_lock_test_and_set(&client->dead, 1) ? 0 : died(client, task);
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

#endif
