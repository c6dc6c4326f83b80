/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/*
 * scene.bpf.h - a dying thread as it is: registers, the pages of its stack, its name.
 *
 * All of it runs in the thread itself, in signal_deliver: interrupts are off and the siglock is held,
 * so only what is in memory can be read, and state in the task storage needs no lock.
 */
#ifndef TTLOG_SCENE_BPF_H
#define TTLOG_SCENE_BPF_H

#include "bpf/event.bpf.h"
#include "bpf/modules.bpf.h"
#include "bpf/more.bpf.h"
#include "bpf/registers.bpf.h"

#define SA_ONSTACK 0x08000000ul

static __always_inline bool on_alternate_stack(struct task_struct *task, __u64 sp)
{
	return sp - BPF_CORE_READ(task, sas_ss_sp) < BPF_CORE_READ(task, sas_ss_size);
}

/* A handler begins: when it dies on its own stack, the stack that it interrupted matters more. */
static __always_inline void note_handler(struct ttlog_bpf_client *client, struct task_struct *task,
					 struct k_sigaction *action)
{
	__u32 index = (__u32)task->pid & (TTLOG_BPF_INTERRUPTED - 1);
	__u64 sp = 0, pc = 0;

	if (!((unsigned long)BPF_CORE_READ(action, sa.sa_flags) & SA_ONSTACK) ||
	    !where(task, &sp, &pc) || on_alternate_stack(task, sp))
		return;
	client->scene.interrupted[index].sp = sp;
	client->scene.interrupted[index].tid = task->pid;
}

static __always_inline void fill_code(struct ttlog_bpf_thread *thread, __u64 pc)
{
	thread->code_bytes = TTLOG_BPF_CODE_BYTES;
	thread->code_address = pc - TTLOG_BPF_CODE_BYTES / 2;
	if (!bpf_probe_read_user(thread->code, sizeof(thread->code), (void *)thread->code_address))
		return;
	/* The other page is not there. These bytes are on one page with pc. */
	thread->code_address = pc & ~(__u64)(TTLOG_BPF_CODE_BYTES - 1);
	if (!bpf_probe_read_user(thread->code, sizeof(thread->code), (void *)thread->code_address))
		return;
	thread->code_address = 0;
	thread->code_bytes = 0;
}

static __always_inline void fill_thread(struct ttlog_bpf_thread *thread, struct task_struct *task,
					const struct ttlog_bpf_client *client, bool fatal)
{
	void *regs = (void *)bpf_task_pt_regs(task);
	struct pt_regs___x86 *x86 = regs;
	struct pt_regs___arm64 *arm64 = regs;
	__u32 index = (__u32)task->pid & (TTLOG_BPF_INTERRUPTED - 1);
	__u64 sp = 0, pc = 0;

	__builtin_memset(thread, 0, sizeof(*thread));
	thread->head.client_id = client->client_id;
	thread->head.kind = TTLOG_BPF_THREAD;
	thread->head.tid = task->pid;
	thread->flags = fatal ? TTLOG_BPF_THREAD_FATAL : 0;
	bpf_probe_read_kernel(thread->comm, sizeof(thread->comm), &task->comm);
	if (!where(task, &sp, &pc))
		return;
	if (bpf_core_field_exists(x86->ip))
		fill_x86(thread, task, x86);
	else
		fill_arm64(thread, task, arm64);
	fill_environment(thread, task);
	thread->alternate_stack = BPF_CORE_READ(task, sas_ss_sp);
	thread->alternate_stack_bytes = BPF_CORE_READ(task, sas_ss_size);
	if (on_alternate_stack(task, sp) && client->scene.interrupted[index].tid == (__u32)task->pid)
		thread->interrupted_sp = client->scene.interrupted[index].sp;
	fill_code(thread, pc);
}

/* One page of a stack, if it is in memory; 1: it is, and there was no room. See struct ttlog_place. */
__noinline __u32 send_page(__u64 client_id, __u32 tid, __u64 address)
{
	struct ttlog_bpf_page *page;
	__u64 word;

	if (bpf_probe_read_user(&word, sizeof(word), (void *)address))
		return 0;
	page = bpf_ringbuf_reserve(&scenes, sizeof(*page), 0);
	if (!page)
		return 1;
	page->head.client_id = client_id;
	page->head.kind = TTLOG_BPF_PAGE;
	page->head.tid = tid;
	page->address = address;
	if (bpf_probe_read_user(page->data, sizeof(page->data), (void *)address))
		bpf_ringbuf_discard(page, BPF_RB_NO_WAKEUP);
	else
		bpf_ringbuf_submit(page, BPF_RB_NO_WAKEUP);
	return 0;
}

/*
 * Those pages of that many that are in memory; on a stack overflow the first is not. What is there
 * and could not be sent is counted.
 */
static __always_inline void send_stack(struct ttlog_bpf_client *client, __u32 tid, __u64 sp,
				       unsigned int count)
{
	__u64 address = (sp - TTLOG_BPF_RED_ZONE) & ~(__u64)(TTLOG_BPF_PAGE_BYTES - 1);

	for (unsigned int i = 0; i < count; i++, address += TTLOG_BPF_PAGE_BYTES)
		client->scene.pages_unsent += send_page(client->client_id, tid, address);
}

/* The signal was sent to it, or it came to be the one that dumps core. */
static __always_inline bool takes_it(const struct ttlog_bpf_client *client, struct task_struct *task,
				     int taken)
{
	return taken != SIGKILL || client->fatal.target.tid == (__u32)task->pid;
}

/*
 * Of the thread that runs this. Its record is reserved before its pages and released behind them: they
 * come in one piece, and wake the recorder once.
 */
__noinline int send_scene(struct ttlog_bpf_client *client, int taken)
{
	struct task_struct *task = bpf_get_current_task_btf();
	const bool crowded = bpf_ringbuf_query(&scenes, BPF_RB_AVAIL_DATA) >
			     TTLOG_BPF_SCENES_BYTES / 2;
	struct ttlog_bpf_thread *thread;
	__u64 interrupted_sp, sp = 0, pc = 0;
	bool fatal;

	if (!client)
		return 0;
	fatal = takes_it(client, task, taken);
	thread = fatal || client->scene.threads < TTLOG_BPF_THREADS
			 ? bpf_ringbuf_reserve(&scenes, sizeof(*thread), 0)
			 : 0;
	if (!thread) {
		client->scene.threads_unsent++;
		return 0;
	}
	client->scene.threads++;
	fill_thread(thread, task, client, fatal);
	interrupted_sp = thread->interrupted_sp;
	if (!where(task, &sp, &pc)) {
		bpf_ringbuf_submit(thread, BPF_RB_FORCE_WAKEUP);
		return 0;
	}
	if (fatal) {
		send_stack(client, task->pid, sp, TTLOG_BPF_PAGES_FATAL);
		if (interrupted_sp)
			send_stack(client, task->pid, interrupted_sp, TTLOG_BPF_PAGES_FATAL);
	} else if (!crowded) {
		send_stack(client, task->pid, sp, TTLOG_BPF_PAGES_OTHERS);
	} else {
		client->scene.pages_unsent += TTLOG_BPF_PAGES_OTHERS;
	}
	bpf_ringbuf_submit(thread, BPF_RB_FORCE_WAKEUP);
	return 0;
}

/* Before its DEATH: what is missing. */
static __always_inline void send_unsent(const struct ttlog_bpf_client *client)
{
	struct ttlog_bpf_scene_unsent unsent = {
		.head = {.client_id = client->client_id, .kind = TTLOG_BPF_SCENE_UNSENT},
		.threads = client->scene.threads_unsent,
		.pages = client->scene.pages_unsent,
		.modules = client->scene.modules_unsent,
	};

	if (!unsent.threads && !unsent.pages && !unsent.modules)
		return;
	__sync_fetch_and_add(&counters.scene_unsent,
			     unsent.threads + unsent.pages + unsent.modules);
	bpf_ringbuf_output(&scenes, &unsent, sizeof(unsent), 0);
}

#endif
