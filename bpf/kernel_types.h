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
	long counter;
} KERNEL atomic_long_t;

typedef struct {
	unsigned int val;
} KERNEL kuid_t, kgid_t;

struct sigaction {
	void *sa_handler;
	unsigned long sa_flags;
} KERNEL;

struct k_sigaction {
	struct sigaction sa;
} KERNEL;

struct sighand_struct {
	struct k_sigaction action[64];
} KERNEL;

struct rlimit {
	unsigned long rlim_cur;
	unsigned long rlim_max;
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

struct list_head {
	struct list_head *next;
} KERNEL;

struct sigqueue {
	struct list_head list;
	struct kernel_siginfo info;
} KERNEL;

struct sigpending {
	struct list_head list;
} KERNEL;

struct signal_struct {
	struct sigpending shared_pending;
	atomic_t live;
	int group_exit_code;
	unsigned int flags;
	unsigned long maxrss;
	struct rlimit rlim[16];
} KERNEL;

/* ---- memory. A name behind ___ is another shape that the struct had ---- */

struct percpu_counter {
	__s64 count;
} KERNEL;

struct mm_rss_stat {
	atomic_long_t count[4];
} KERNEL;

struct mm_struct {
	struct file *exe_file;
	unsigned long total_vm;
	unsigned long start_brk, brk, start_stack;
	unsigned long env_start, env_end;
	int map_count;
	struct percpu_counter rss_stat[4]; /* from 6.2 on */
} KERNEL;

struct mm_struct___before_6_2 {
	struct mm_rss_stat rss_stat;
} KERNEL;

/* ---- cgroups ---- */

struct kernfs_node {
	__u64 id;
	const char *name;
	struct kernfs_node *__parent; /* from 6.15 on */
} KERNEL;

struct kernfs_node___before_6_15 {
	struct kernfs_node *parent;
} KERNEL;

struct cgroup {
	struct kernfs_node *kn;
} KERNEL;

struct cgroup_subsys_state {
	struct cgroup *cgroup;
} KERNEL;

enum cgroup_subsys_id {
	memory_cgrp_id = 1, /* relocated by name */
};

struct css_set {
	struct cgroup_subsys_state *subsys[1];
	struct cgroup *dfl_cgrp;
} KERNEL;

struct page_counter {
	atomic_long_t usage;
	unsigned long max;
	struct page_counter *parent;
} KERNEL;

struct mem_cgroup {
	struct cgroup_subsys_state css;
	struct page_counter memory;
} KERNEL;

struct cred {
	kuid_t uid;
	kgid_t gid;
} KERNEL;

struct dentry;

struct inode;

struct qstr {
	const unsigned char *name;
} KERNEL;

struct dentry {
	struct dentry *d_parent;
	struct qstr d_name;
	struct inode *d_inode;
} KERNEL;

struct super_block {
	unsigned int s_dev;
} KERNEL;

struct inode {
	unsigned long i_ino;
	struct super_block *i_sb;
} KERNEL;

struct vfsmount {
	struct dentry *mnt_root;
} KERNEL;

struct mount {
	struct mount *mnt_parent;
	struct dentry *mnt_mountpoint;
	struct vfsmount mnt;
} KERNEL;

struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
} KERNEL;

struct file {
	unsigned int f_mode;
	struct path f_path;
} KERNEL;

/* Linux 6.5 */
struct backing_file {
	struct path user_path;
} KERNEL;

struct vm_area_struct {
	unsigned long vm_start;
	unsigned long vm_end;
	unsigned long vm_flags;
	unsigned long vm_pgoff;
	struct file *vm_file;
} KERNEL;

struct fs_struct {
	struct path root;
} KERNEL;

struct mm_context___x86 {
	void *vdso;
} KERNEL;

struct mm_struct___x86 {
	struct mm_context___x86 context;
} KERNEL;

struct upid {
	int nr;
} KERNEL;

struct pid {
	unsigned int level;
	struct upid numbers[1];
} KERNEL;

struct seccomp {
	int mode;
} KERNEL;

struct task_struct {
	void *stack;
	unsigned int flags;
	unsigned int ptrace;
	int exit_code;
	int pid;
	int tgid;
	int pdeath_signal;
	struct seccomp seccomp;
	struct pid *thread_pid;
	struct mm_struct *mm;
	struct task_struct *real_parent;
	struct task_struct *parent; /* the tracer, if there is one */
	struct task_struct *group_leader;
	const struct cred *cred;
	char comm[TTLOG_BPF_COMM_BYTES];
	struct signal_struct *signal;
	struct sighand_struct *sighand;
	struct sigpending pending;
	sigset_t blocked;
	sigset_t real_blocked;
	struct css_set *cgroups;
	unsigned long sas_ss_sp;
	__kernel_size_t sas_ss_size;
	struct fs_struct *fs;
	struct bpf_local_storage *bpf_storage;
} KERNEL;

struct thread_struct___x86 {
	unsigned long fsbase;
	unsigned long trap_nr;
	unsigned long cr2;
	unsigned long error_code;
} KERNEL;

struct task_struct___x86 {
	struct thread_struct___x86 thread;
} KERNEL;

struct thread_struct___arm64 {
	unsigned long fault_address;
	unsigned long fault_code;
} KERNEL;

struct task_struct___arm64 {
	struct thread_struct___arm64 thread;
} KERNEL;

struct pt_regs___x86 {
	unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di, ip, sp;
} KERNEL;

struct pt_regs___arm64 {
	__u64 regs[31];
	__u64 sp;
	__u64 pc;
} KERNEL;

struct linux_binprm;

#endif
