/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/* registers.bpf.h - what a thread had in its registers when it last entered the kernel. */
#ifndef TTLOG_REGISTERS_BPF_H
#define TTLOG_REGISTERS_BPF_H

#include <stdbool.h>
#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "bpf/kernel_types.h"
#include "bpf/ttlog_bpf.h"

static __always_inline void fill_x86(struct ttlog_bpf_thread *thread, struct task_struct *task,
				     struct pt_regs___x86 *regs)
{
	struct task_struct___x86 *arch = (void *)task;

	thread->registers[0] = BPF_CORE_READ(regs, ax);
	thread->registers[1] = BPF_CORE_READ(regs, dx);
	thread->registers[2] = BPF_CORE_READ(regs, cx);
	thread->registers[3] = BPF_CORE_READ(regs, bx);
	thread->registers[4] = BPF_CORE_READ(regs, si);
	thread->registers[5] = BPF_CORE_READ(regs, di);
	thread->registers[6] = BPF_CORE_READ(regs, bp);
	thread->registers[7] = BPF_CORE_READ(regs, sp);
	thread->registers[8] = BPF_CORE_READ(regs, r8);
	thread->registers[9] = BPF_CORE_READ(regs, r9);
	thread->registers[10] = BPF_CORE_READ(regs, r10);
	thread->registers[11] = BPF_CORE_READ(regs, r11);
	thread->registers[12] = BPF_CORE_READ(regs, r12);
	thread->registers[13] = BPF_CORE_READ(regs, r13);
	thread->registers[14] = BPF_CORE_READ(regs, r14);
	thread->registers[15] = BPF_CORE_READ(regs, r15);
	thread->registers[16] = BPF_CORE_READ(regs, ip);
	thread->register_count = 17;
	/* Of the last time that the thread was set aside: right unless it writes fs by itself. */
	thread->fs_base = BPF_CORE_READ(arch, thread.fsbase);
	thread->fault_address = BPF_CORE_READ(arch, thread.cr2);
	thread->error_code = BPF_CORE_READ(arch, thread.error_code);
	thread->trap = BPF_CORE_READ(arch, thread.trap_nr);
}

static __always_inline void fill_arm64(struct ttlog_bpf_thread *thread, struct task_struct *task,
				       struct pt_regs___arm64 *regs)
{
	struct task_struct___arm64 *arch = (void *)task;

	bpf_core_read(thread->registers, sizeof(regs->regs), &regs->regs);
	thread->registers[31] = BPF_CORE_READ(regs, sp);
	thread->registers[32] = BPF_CORE_READ(regs, pc);
	thread->register_count = 33;
	thread->fault_address = BPF_CORE_READ(arch, thread.fault_address);
	thread->error_code = BPF_CORE_READ(arch, thread.fault_code);
}

/* People keep passwords there: the recorder erases it from the stack. */
static __always_inline void fill_environment(struct ttlog_bpf_thread *thread,
					     struct task_struct *task)
{
	thread->environment_start = BPF_CORE_READ(task, mm, env_start);
	thread->environment_end = BPF_CORE_READ(task, mm, env_end);
}

/* Its sp and pc of user space; false: a machine that is not known. */
static __always_inline bool where(struct task_struct *task, __u64 *ret_sp, __u64 *ret_pc)
{
	void *regs = (void *)bpf_task_pt_regs(task);
	struct pt_regs___x86 *x86 = regs;
	struct pt_regs___arm64 *arm64 = regs;

	if (bpf_core_field_exists(x86->ip)) {
		*ret_sp = BPF_CORE_READ(x86, sp);
		*ret_pc = BPF_CORE_READ(x86, ip);
	} else if (bpf_core_field_exists(arm64->pc)) {
		*ret_sp = BPF_CORE_READ(arm64, sp);
		*ret_pc = BPF_CORE_READ(arm64, pc);
	} else {
		return false;
	}
	return true;
}

#endif
