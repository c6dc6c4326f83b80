/* SPDX-License-Identifier: MIT */
/*
 * kernel_types.h - the kernel's structs as far as they are read, and no further.
 *
 * Declared by hand, in any order: each access is relocated at load time to where the running kernel
 * has the field (CO-RE), so there is no vmlinux.h and nothing that belongs to one version.
 */
#ifndef TTLOG_KERNEL_TYPES_H
#define TTLOG_KERNEL_TYPES_H

#include <linux/types.h>

#include "bpf/ttlog_bpf.h"

#ifdef __bpf__
#define KERNEL __attribute__((preserve_access_index))
#else
#define KERNEL /* compiled alone, to see that it can be */
#endif

typedef struct {
	unsigned long sig[1];
} KERNEL sigset_t;

typedef struct {
	int counter;
} KERNEL atomic_t;

typedef struct {
	unsigned int val;
} KERNEL kuid_t, kgid_t;

struct sigaction {
	void *sa_handler;
} KERNEL;

struct k_sigaction {
	struct sigaction sa;
} KERNEL;

struct sighand_struct {
	struct k_sigaction action[64];
} KERNEL;

struct signal_struct {
	atomic_t live;
	int group_exit_code;
	unsigned int flags;
} KERNEL;

struct kernfs_node {
	__u64 id;
} KERNEL;

struct cgroup {
	struct kernfs_node *kn;
} KERNEL;

struct css_set {
	struct cgroup *dfl_cgrp;
} KERNEL;

struct cred {
	kuid_t uid;
	kgid_t gid;
} KERNEL;

struct task_struct {
	unsigned int flags;
	unsigned int ptrace;
	int exit_code;
	int pid;
	int tgid;
	struct task_struct *group_leader;
	const struct cred *cred;
	char comm[TTLOG_BPF_COMM_BYTES];
	struct signal_struct *signal;
	struct sighand_struct *sighand;
	sigset_t blocked;
	sigset_t real_blocked;
	struct css_set *cgroups;
} KERNEL;

struct kernel_siginfo {
	int si_signo;
	int si_errno;
	int si_code;
	union {
		struct {
			int _pid;
			unsigned int _uid;
		} _kill;
		struct {
			void *_addr;
		} _sigfault;
	} _sifields;
} KERNEL;

struct pt_regs___x86 {
	unsigned long ip;
	unsigned long sp;
} KERNEL;

struct pt_regs___arm64 {
	__u64 pc;
	__u64 sp;
} KERNEL;

struct linux_binprm;

#endif
