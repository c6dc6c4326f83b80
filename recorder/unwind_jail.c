/* SPDX-License-Identifier: MIT */
/*
 * unwind_jail.c - what the unwinding child can't do.
 *
 * It reads files that a stranger wrote, with parsers that were not written for it. When one of them
 * takes it over it has no more than that stranger had: the same user's files to read, inside the
 * same root, no other process to touch, nothing to write, a bounded piece of time and memory.
 *
 * The id alone would not do: root of a container without a user namespace is the machine's root. So
 * there are a filter for system calls and, where we may, a chroot.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "recorder/unwind_parts.h"

#define NOBODY 65534
#define FILES_MAX 1024
#define DATA_BYTES_MAX (UINT64_C(1) << 30)
/* Debug information is mapped, not read: it may be larger than memory. */
#define SPACE_BYTES_MAX (UINT64_C(16) << 30)
#define CACHE_BYTES_MAX (UINT64_C(4) << 30) /* a file that debuginfod fetched */

static int limit(int resource, uint64_t value)
{
	struct rlimit old, new = {.rlim_cur = value, .rlim_max = value};

	if (getrlimit(resource, &old))
		return -errno;
	if (old.rlim_max < new.rlim_max)
		new.rlim_cur = new.rlim_max = old.rlim_max;
	return setrlimit(resource, &new) ? -errno : 0;
}

static int set_limits(const struct unwind_jail *jail)
{
	int err = limit(RLIMIT_CPU, jail->seconds);

	if (!err)
		err = limit(RLIMIT_CORE, 0);
	if (!err)
		err = limit(RLIMIT_FSIZE, jail->debuginfod ? CACHE_BYTES_MAX : 0);
	if (!err)
		err = limit(RLIMIT_NOFILE, FILES_MAX);
	if (!err && !UNWIND_SANITIZED)
		err = limit(RLIMIT_DATA, DATA_BYTES_MAX);
	if (!err && !UNWIND_SANITIZED)
		err = limit(RLIMIT_AS, SPACE_BYTES_MAX);
	return err;
}

/* If memory gets short, it is this process that nobody needs. */
static void volunteer(void)
{
	const int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	ssize_t written = fd < 0 ? 0 : write(fd, "1000", 4);

	(void)written;
	if (fd >= 0)
		close(fd);
}

/* What libdw opens by itself (.dwo files) is then in the process's root, too. */
static void enter_root(struct unwind_jail *jail)
{
	/* Servers are found by files of our own root. */
	if (!jail->has_root || jail->debuginfod)
		return;
	if (fchdir(UNWIND_ROOT_FD) || chroot("."))
		return;
	jail->in_root = true;
	close(UNWIND_ROOT_FD);
}

/* Of whom can't be told, or has no number here, we are nobody. */
static int become(uid_t uid, gid_t gid)
{
	const bool was_root = !geteuid();

	if (uid == (uid_t)-1)
		uid = NOBODY;
	if (gid == (gid_t)-1)
		gid = NOBODY;
	if (!setgroups(0, NULL) && !setresgid(gid, gid, gid) && !setresuid(uid, uid, uid))
		return 0;
	if (!was_root)
		return 0; /* the recorder has no rights itself, but for those that go now */
	if (setresgid(NOBODY, NOBODY, NOBODY) || setresuid(NOBODY, NOBODY, NOBODY))
		return -errno;
	return 0;
}

static int drop_capabilities(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	const struct __user_cap_data_struct none[2] = {0};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (syscall(SYS_capset, &head, none))
		return -errno;
	/* Others of this user may not look into it, or hold it. */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
		return -errno;
	return 0;
}

/* ---- system calls ----------------------------------------------------------------------- */

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#endif

#define LOAD(field)                                                                                \
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (unsigned int)offsetof(struct seccomp_data, field))
#define ALLOW BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define REFUSE BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM)
#define KILL BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS)
#define MAY(name) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##name, 0, 1), ALLOW

/* What reads and allocates. Memory that was written never becomes code. */
#ifdef ARCHITECTURE
static int filter_calls(bool with_openat2)
{
	struct sock_filter code[] = {
		LOAD(arch),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0),
		KILL,
		LOAD(nr),
		MAY(read),
		MAY(pread64),
		MAY(readv),
		MAY(preadv),
		MAY(write),
		MAY(close),
		MAY(fstat),
		MAY(newfstatat),
		MAY(statx),
		MAY(lseek),
		MAY(fcntl),
		MAY(munmap),
		MAY(mremap),
		MAY(madvise),
		MAY(brk),
		MAY(readlinkat),
		MAY(faccessat),
		MAY(getrandom),
		MAY(futex),
		MAY(clock_gettime),
		MAY(exit),
		MAY(exit_group),
		MAY(rt_sigreturn),
		MAY(restart_syscall),
		/* Its arguments are in memory, where a filter can't look. But without it no file of
		 * another root can be found, and whose recorder may not chroot() is not root. */
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
		BPF_STMT(BPF_RET | BPF_K,
			 with_openat2 ? SECCOMP_RET_ALLOW : SECCOMP_RET_ERRNO | EPERM),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 0, 4),
		LOAD(args[2]),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, O_ACCMODE | O_CREAT | O_TRUNC, 0, 1),
		REFUSE,
		ALLOW,
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mprotect, 0, 4),
		LOAD(args[2]),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 0, 1),
		REFUSE,
		ALLOW,
		REFUSE,
	};
	const struct sock_fprog program = {
		.len = sizeof(code) / sizeof(code[0]),
		.filter = code,
	};

	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0))
		return errno == EINVAL ? 0 : -errno; /* EINVAL: a kernel without filters */
	return 0;
}
#else
static int filter_calls(bool with_openat2)
{
	(void)with_openat2;
	return 0;
}
#endif

int unwind_jail(struct unwind_jail *jail)
{
	int err;

	volunteer();
	enter_root(jail);
	err = become(jail->uid, jail->gid);
	if (!err)
		err = drop_capabilities();
	if (!err)
		err = set_limits(jail);
	/* Not before: who becomes somebody else is asked again. */
	if (!err && jail->dies_with_parent && prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0))
		err = -errno;
	if (err)
		return err;
	alarm(jail->seconds);
	/* debuginfod's library has threads and sockets. */
	if (jail->debuginfod || UNWIND_SANITIZED)
		return 0;
	return filter_calls(jail->has_root && !jail->in_root);
}
