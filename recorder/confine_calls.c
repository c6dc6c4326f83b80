/* SPDX-License-Identifier: MIT */
/*
 * confine_calls.c - the system calls of a recorder, of its workers and of the child that unwinds.
 *
 * A list of what is allowed: all that a trace of the tests showed, and what other versions of libc
 * use in their stead. For the rest there is EPERM, and a line in the kernel's log (type=1326), not
 * death: a call that nobody thought of, from a libc of next year, must not cost all clients their
 * rings, and an intruder gets nothing by an error. What is newer than this list is answered with
 * ENOSYS, as the kernel before it would have, so that libc does it the older way.
 *
 * Written out, without libseccomp: the kernel remembers which calls are always allowed, so a plain
 * list costs nothing, and there are few tests of arguments.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "recorder/confine.h"

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#endif

/* Numbers above are of kernels after 5.17, or of x86-64's other ABI. */
#define LAST_CALL 450
#define FILTER_MAX 640
/* Those that make a namespace. CLONE_NEWTIME has a bit of the old clone()'s signal. */
#define CLONE_NAMESPACES                                                                           \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |             \
	 CLONE_NEWPID | CLONE_NEWNET)

#ifdef ARCHITECTURE

struct filter {
	struct sock_filter code[FILTER_MAX];
	unsigned short count;
};

static const int calls[] = {
	/* files */
	SYS_read,
	SYS_write,
	SYS_readv,
	SYS_writev,
	SYS_pread64,
	SYS_pwrite64,
	SYS_preadv,
	SYS_pwritev,
	SYS_preadv2,
	SYS_pwritev2,
	SYS_close,
	SYS_close_range,
	SYS_lseek,
	SYS_openat,
	SYS_openat2,
	SYS_fstat,
	SYS_newfstatat,
	SYS_statx,
	SYS_fstatfs,
	SYS_statfs,
	SYS_fcntl,
	SYS_flock,
	SYS_fsync,
	SYS_fdatasync,
	SYS_sync_file_range,
	SYS_ftruncate,
	SYS_fallocate,
	SYS_fadvise64,
	SYS_fchmod,
	SYS_fchmodat,
	SYS_fchown,
	SYS_fchownat,
	SYS_renameat2,
	SYS_renameat,
	SYS_linkat,
	SYS_symlinkat,
	SYS_unlinkat,
	SYS_mkdirat,
	SYS_readlinkat,
	SYS_faccessat,
	SYS_faccessat2,
	SYS_getdents64,
	SYS_utimensat,
	SYS_umask,
	SYS_getcwd,
	SYS_chdir,
	SYS_fchdir,
	SYS_dup,
	SYS_dup3,
	SYS_pipe2,
	SYS_ioctl,
	SYS_splice,
	SYS_sendfile,
	SYS_copy_file_range,
	SYS_memfd_create,
	SYS_inotify_init1,
	SYS_inotify_add_watch,
	SYS_inotify_rm_watch,
	SYS_fgetxattr,
	SYS_fsetxattr, /* who may read a dump */
	SYS_getxattr,
	/* memory */
	SYS_mmap,
	SYS_munmap,
	SYS_mremap,
	SYS_mprotect,
	SYS_madvise,
	SYS_brk,
	SYS_msync,
	SYS_mincore,
	SYS_mlock,
	SYS_munlock,
	SYS_membarrier,
	/* sockets; what may be opened is told below */
	SYS_bind,
	SYS_listen,
	SYS_accept,
	SYS_accept4,
	SYS_connect,
	SYS_shutdown,
	SYS_sendmsg,
	SYS_sendto,
	SYS_sendmmsg,
	SYS_recvmsg,
	SYS_recvfrom,
	SYS_recvmmsg,
	SYS_getsockopt,
	SYS_setsockopt,
	SYS_getsockname,
	SYS_getpeername,
	SYS_socketpair,
	/* waiting */
	SYS_epoll_create1,
	SYS_epoll_ctl,
	SYS_epoll_pwait,
	SYS_ppoll,
	SYS_pselect6,
	SYS_eventfd2,
	SYS_signalfd4,
	SYS_timerfd_create,
	SYS_timerfd_settime,
	SYS_timerfd_gettime,
	SYS_timer_create, /* on the processor time of a client */
	SYS_timer_settime,
	SYS_timer_delete,
	SYS_futex,
	SYS_nanosleep,
	SYS_clock_nanosleep,
	SYS_clock_gettime,
	SYS_clock_getres,
	SYS_gettimeofday,
	SYS_restart_syscall,
	SYS_sched_yield,
	SYS_setitimer,
	/* processes: children, clients by pidfd, and signals */
	SYS_execve,
	SYS_exit,
	SYS_exit_group,
	SYS_wait4,
	SYS_waitid,
	SYS_kill,
	SYS_tgkill,
	SYS_tkill,
	SYS_pidfd_open,
	SYS_pidfd_getfd,
	SYS_pidfd_send_signal,
	SYS_rt_sigaction,
	SYS_rt_sigprocmask,
	SYS_rt_sigreturn,
	SYS_rt_sigpending,
	SYS_rt_sigtimedwait,
	SYS_rt_sigsuspend,
	SYS_sigaltstack,
	SYS_set_tid_address,
	SYS_set_robust_list,
	SYS_get_robust_list,
	SYS_rseq,
	SYS_getpid,
	SYS_gettid,
	SYS_getppid,
	SYS_setsid,
	SYS_setpgid,
	SYS_getpgid,
	SYS_getsid,
	SYS_prlimit64,
	SYS_getrlimit,
	SYS_setrlimit,
	SYS_getrusage,
	SYS_times,
	SYS_sched_getaffinity,
	SYS_sched_getscheduler,
	SYS_sched_getparam,
	SYS_getpriority,
	SYS_setpriority,
	SYS_ioprio_set,
	SYS_uname,
	SYS_sysinfo,
	SYS_getrandom,
	SYS_getcpu,
	SYS_prctl,
	SYS_seccomp,
	/* who we are, and who the unwinding child becomes */
	SYS_getuid,
	SYS_geteuid,
	SYS_getgid,
	SYS_getegid,
	SYS_getresuid,
	SYS_getresgid,
	SYS_getgroups,
	SYS_setresuid,
	SYS_setresgid,
	SYS_setgroups,
	SYS_chroot,
	SYS_capget,
	SYS_capset,
#ifdef __x86_64__
	/* what arm64 does without */
	SYS_open,
	SYS_creat,
	SYS_stat,
	SYS_lstat,
	SYS_access,
	SYS_readlink,
	SYS_unlink,
	SYS_rename,
	SYS_link,
	SYS_mkdir,
	SYS_rmdir,
	SYS_chmod,
	SYS_chown,
	SYS_getdents,
	SYS_dup2,
	SYS_pipe,
	SYS_epoll_wait,
	SYS_poll,
	SYS_select,
	SYS_eventfd,
	SYS_alarm,
	SYS_arch_prctl,
	SYS_getpgrp,
	SYS_fork,
	SYS_vfork,
	SYS_time,
#endif
};

/* What works on maps that are there, or makes one; nothing that puts a program into the kernel. */
static const unsigned int bpf_commands[] = {
	BPF_MAP_CREATE,	      BPF_MAP_LOOKUP_ELEM,    BPF_MAP_UPDATE_ELEM, BPF_MAP_DELETE_ELEM,
	BPF_MAP_GET_NEXT_KEY, BPF_OBJ_GET_INFO_BY_FD, BPF_MAP_FREEZE,	   BPF_MAP_LOOKUP_BATCH,
	BPF_MAP_UPDATE_BATCH, BPF_MAP_DELETE_BATCH,   BPF_ITER_CREATE,
	BPF_RAW_TRACEPOINT_OPEN, /* of what was loaded before: watch_attach.c */
};

static void put(struct filter *filter, struct sock_filter instruction)
{
	if (filter->count < FILTER_MAX)
		filter->code[filter->count] = instruction;
	filter->count++; /* beyond the end it is too large, and found to be so */
}

#define PUT(filter, ...) put(filter, (struct sock_filter)__VA_ARGS__)

static void put_load(struct filter *filter, size_t offset)
{
	PUT(filter, BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (unsigned int)offset));
}

static void put_return(struct filter *filter, unsigned int action)
{
	PUT(filter, BPF_STMT(BPF_RET | BPF_K, action));
}

static void put_if_equal(struct filter *filter, unsigned int value, unsigned int action)
{
	PUT(filter, BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1));
	put_return(filter, action);
}

/* That call, allowed for some values of its first argument; the rest is refused. */
static void put_if_first_is(struct filter *filter, unsigned int call, const unsigned int *values,
			    unsigned int count)
{
	PUT(filter, BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, (uint8_t)(2 * count + 2)));
	put_load(filter, offsetof(struct seccomp_data, args[0]));
	for (unsigned int i = 0; i < count; i++)
		put_if_equal(filter, values[i], SECCOMP_RET_ALLOW);
	put_return(filter, SECCOMP_RET_ERRNO | EPERM);
}

static void put_clone(struct filter *filter)
{
	PUT(filter, BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 4));
	put_load(filter, offsetof(struct seccomp_data, args[0]));
	PUT(filter, BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, CLONE_NAMESPACES, 0, 1));
	put_return(filter, SECCOMP_RET_ERRNO | EPERM);
	put_return(filter, SECCOMP_RET_ALLOW);
}

static void put_head(struct filter *filter)
{
	*filter = (struct filter){0};
	put_load(filter, offsetof(struct seccomp_data, arch));
	PUT(filter, BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0));
	put_return(filter, SECCOMP_RET_KILL_PROCESS);
	put_load(filter, offsetof(struct seccomp_data, nr));
}

/*
 * A filter of its own, as it is nothing to log. clone3()'s flags are in memory, where a filter
 * can't look: libc takes clone() then.
 */
static void fill_with_newer(struct filter *filter, unsigned int newer, unsigned int other)
{
	PUT(filter, BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, LAST_CALL, 0, 1));
	put_return(filter, newer);
	put_if_equal(filter, SYS_clone3, newer);
	if (other)
		put_return(filter, other);
}

static void fill(struct filter *filter, bool debuginfod)
{
	/* Netlink is how addresses of the machine are found before a server is. */
	static const unsigned int families[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		put_if_equal(filter, (unsigned int)calls[i], SECCOMP_RET_ALLOW);
	put_clone(filter);
	put_if_first_is(filter, SYS_socket, families, debuginfod ? 4 : 3);
	put_if_first_is(filter, SYS_bpf, bpf_commands,
			sizeof(bpf_commands) / sizeof(bpf_commands[0]));
	put_return(filter, SECCOMP_RET_ERRNO | EPERM);
}

static int install(struct filter *filter, unsigned int flags)
{
	struct sock_fprog program = {.len = filter->count, .filter = filter->code};

	if (filter->count > FILTER_MAX)
		return -E2BIG;
	if (!syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program))
		return 0;
	/* Before 4.14 it had no flag for the log; emulators have no filters. */
	if (errno == EINVAL && !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0))
		return 0;
	return errno == EINVAL || errno == ENOSYS ? -ENOSYS : -errno;
}

int confine_calls(bool debuginfod)
{
	struct filter filter;
	int err;

	put_head(&filter);
	fill_with_newer(&filter, SECCOMP_RET_ERRNO | ENOSYS, SECCOMP_RET_ALLOW);
	err = install(&filter, 0);
	if (err)
		return err;
	put_head(&filter);
	fill_with_newer(&filter, SECCOMP_RET_ALLOW, 0);
	fill(&filter, debuginfod);
	return install(&filter, SECCOMP_FILTER_FLAG_LOG);
}

#else

int confine_calls(bool debuginfod)
{
	(void)debuginfod;
	return -ENOSYS;
}

#endif
