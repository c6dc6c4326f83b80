/* SPDX-License-Identifier: MIT */
/*
 * test_confine.c - what a confined recorder can't do: tried from inside, and in the real daemon by
 * a tracer who makes its system calls for it.
 */
#include <linux/bpf.h>
#include <linux/capability.h>
#include <pthread.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#ifdef __x86_64__
#include <sys/user.h>
#endif

#include "recorder/capability.h"
#include "recorder/confine.h"
#include "tests/service_process.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

#define BIT(capability) (UINT64_C(1) << (capability))

TestSuite(confine, .timeout = 120);

/* ---- from inside ------------------------------------------------------------------------ */

/* The number of the first thing that life() could do, or 0. */
static int first_possible(int (*life)(void))
{
	const pid_t pid = fork_child();
	int status;

	if (!pid)
		_exit(life());
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFEXITED(status), "status %#x", status);
	return WEXITSTATUS(status);
}

static int enter(void)
{
	struct confine_plan plan = {.watches = true, .unwinds = true};

	return confine(&plan);
}

#if !SANITIZED /* whose own calls are not in the list, and who may have threads */

static bool refused(long result)
{
	return result == -1 && errno == EPERM;
}

static int try_refused(void)
{
	union bpf_attr attr = {.prog_type = BPF_PROG_TYPE_SOCKET_FILTER};

	if (enter())
		return 100;
	if (!refused(ptrace(PTRACE_ATTACH, getppid(), NULL, NULL)))
		return 1;
	if (!refused(syscall(SYS_process_vm_writev, getppid(), NULL, 0, NULL, 0, 0)))
		return 2;
	if (!refused(mount("none", "/tmp", "tmpfs", 0, NULL)) || !refused(umount("/proc")))
		return 3;
	if (!refused(unshare(CLONE_NEWUSER)) || !refused(setns(0, 0)))
		return 4;
	if (!refused(syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, NULL)))
		return 5;
	if (!refused(socket(AF_PACKET, SOCK_RAW, 0)) || !refused(socket(AF_NETLINK, SOCK_RAW, 0)))
		return 6;
	if (!refused(syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr))) ||
	    !refused(syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr))))
		return 7;
	if (!refused(syscall(SYS_init_module, NULL, 0, "")) ||
	    !refused(syscall(SYS_kexec_load, 0, 0, NULL, 0)) ||
	    !refused(syscall(SYS_reboot, 0, 0, 0, NULL)))
		return 8;
	if (!refused(syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0)) ||
	    !refused(syscall(SYS_userfaultfd, 0)) || !refused(syscall(SYS_io_uring_setup, 1, NULL)))
		return 9;
	if (!refused(syscall(SYS_mknodat, AT_FDCWD, "/tmp/ttlog-node", S_IFREG | 0600, 0)))
		return 10;
	/* A later kernel's, and the clone whose flags can't be seen: libc does without. */
	if (syscall(SYS_clone3, NULL, 0) != -1 || errno != ENOSYS || syscall(999) != -1 ||
	    errno != ENOSYS)
		return 11;
	return 0;
}

Test(confine, system_calls_that_it_has_no_use_for_are_refused)
{
	int could;

	could = first_possible(try_refused);
	cr_assert_eq(could, 0, "it could do number %d", could);
}

#endif

static void *do_nothing(void *argument)
{
	return argument;
}

/* What it lives by, threads and children among them. */
static int try_needed(void)
{
	pthread_t thread;
	int status;
	pid_t pid;

	if (enter())
		return 100;
	if (pthread_create(&thread, NULL, do_nothing, NULL) || pthread_join(thread, NULL))
		return 1;
	if (system("exit 7") != 7 << 8)
		return 2;
	pid = fork();
	if (!pid)
		_exit(5);
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 5 << 8)
		return 3;
	if (socket(AF_UNIX, SOCK_STREAM, 0) < 0 || socket(AF_INET, SOCK_STREAM, 0) < 0)
		return 4;
	return 0;
}

Test(confine, threads_children_and_sockets_are_to_be_had)
{
	int could_not = first_possible(try_needed);

	cr_assert_eq(could_not, 0, "number %d failed", could_not);
}

#if !SANITIZED

static int try_with_a_thread(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, (void *(*)(void *))(uintptr_t)pause, NULL))
		return 100;
	return enter() == -EBUSY ? 0 : 1;
}

/* It would keep what the first one gives up. */
Test(confine, is_refused_to_a_process_with_threads)
{
	cr_assert_eq(first_possible(try_with_a_thread), 0);
}

#endif

static int try_rights(void)
{
	struct rlimit core;

	if (enter())
		return 100;
	for (int i = 0; i < 64; i++)
		if (capability_have(i) && i != CAP_BPF && i != CAP_SYS_PTRACE &&
		    i != CAP_DAC_READ_SEARCH && i != CAP_KILL && i != CAP_SYS_RESOURCE)
			return 1 + i;
	if (!capability_have(CAP_BPF) || !capability_have(CAP_SYS_PTRACE))
		return 70;
	if (getrlimit(RLIMIT_CORE, &core) || core.rlim_max)
		return 71;
	return !setuid(1) ? 72 : 0;
}

Test(confine, keeps_few_capabilities_and_dumps_no_core)
{
	int could;

	if (geteuid())
		cr_skip("only root has capabilities to lose");
	could = first_possible(try_rights);
	cr_assert_eq(could, 0, "it could do number %d", could);
}

/* ---- whose folder it is ----------------------------------------------------------------- */

static char others[64];

static int try_others_folder(void)
{
	struct confine_plan plan = {0};
	const int fd = open(others, O_RDONLY | O_DIRECTORY);

	if (fd < 0)
		return 100;
	confine_add_folder(&plan, fd);
	confine_add_folder(&plan, -1);
	if (confine(&plan))
		return 101;
	return openat(fd, "file", O_WRONLY | O_CREAT, 0600) < 0 ? 1 : 0;
}

static int try_own_folder(void)
{
	struct confine_plan plan = {0};
	const int fd = open("/", O_RDONLY | O_DIRECTORY);

	confine_add_folder(&plan, fd);
	if (fd < 0 || confine(&plan))
		return 100;
	return openat(AT_FDCWD, others, O_RDONLY | O_DIRECTORY) < 0; /* to read is still allowed */
}

static int try_another_folder(void)
{
	const int err = try_own_folder();
	char path[80];

	snprintf(path, sizeof(path), "%s/not-to-be", others);
	return err ? err : open(path, O_WRONLY | O_CREAT, 0600) >= 0;
}

Test(confine, can_write_into_a_strangers_folder_only_if_it_is_the_one_for_dumps)
{
	char command[128];

	if (geteuid())
		cr_skip("only root writes into everybody's folders");
	strcpy(others, "/tmp/ttlog-test-confine-XXXXXX");
	cr_assert(mkdtemp(others));
	cr_assert_eq(chown(others, 65534, 65534), 0);
	cr_expect_eq(first_possible(try_others_folder), 0);
	cr_expect_eq(first_possible(try_another_folder), 0);
	snprintf(command, sizeof(command), "rm -rf %s", others);
	cr_assert_eq(system(command), 0);
}

/* ---- the real daemon -------------------------------------------------------------------- */

static bool status_has(pid_t pid, const char *name, const char *value)
{
	char path[64], line[256];
	bool found = false;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	file = fopen(path, "re");
	cr_assert(file);
	while (!found && fgets(line, sizeof(line), file))
		found = !strncmp(line, name, strlen(name)) &&
			strtoull(line + strlen(name) + 1, NULL, 16) == strtoull(value, NULL, 16);
	fclose(file);
	return found;
}

static uint64_t effective_of(pid_t pid)
{
	char path[64], line[256];
	unsigned long long set = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	file = fopen(path, "re");
	cr_assert(file);
	while (fgets(line, sizeof(line), file))
		sscanf(line, "CapEff: %llx", &set);
	fclose(file);
	return set;
}

static void expect_rights(pid_t pid, uint64_t effective, uint64_t permitted)
{
	char words[2][32];

	snprintf(words[0], sizeof(words[0]), "%llx", (unsigned long long)effective);
	snprintf(words[1], sizeof(words[1]), "%llx", (unsigned long long)permitted);
	cr_expect(status_has(pid, "CapEff:", words[0]), "CapEff is not %s", words[0]);
	cr_expect(status_has(pid, "CapPrm:", words[1]), "CapPrm is not %s", words[1]);
	cr_expect(status_has(pid, "CapBnd:", words[1]), "CapBnd is not %s", words[1]);
	cr_expect(status_has(pid, "CapInh:", "0"));
	cr_expect(status_has(pid, "CapAmb:", "0"));
	cr_expect(status_has(pid, "NoNewPrivs:", "1"));
	cr_expect(SANITIZED || status_has(pid, "Seccomp:", "2"), "no filter");
}

/* All threads of it. */
static void expect_rights_of_all(pid_t pid, uint64_t effective, uint64_t permitted)
{
	unsigned int count = 0;
	char path[64];
	DIR *tasks;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	tasks = opendir(path);
	cr_assert(tasks);
	for (const struct dirent *entry; (entry = readdir(tasks));) {
		if (entry->d_name[0] == '.')
			continue;
		expect_rights((pid_t)atoi(entry->d_name), effective, permitted);
		count++;
	}
	closedir(tasks);
	cr_expect_geq(count, 5, "%u threads", count);
}

#define OF_DAEMON (BIT(CAP_SYS_PTRACE) | BIT(CAP_DAC_READ_SEARCH) | BIT(CAP_SYS_RESOURCE))
#define OF_CHILD (BIT(CAP_SETUID) | BIT(CAP_SETGID) | BIT(CAP_SYS_CHROOT))

Test(confine, the_daemon_has_what_it_needs_and_no_more, .init = recorder_prepare,
     .fini = recorder_clean)
{
	struct recorder_process recorder;
	struct service service;
	char line[LINE_BYTES];
	uint64_t of_daemon;

	if (geteuid()) {
		recorder_clean();
		cr_skip("only root has capabilities to lose");
	}
	start_recorder(&recorder, NONE);
	start_service(&service, live);
	of_daemon = OF_DAEMON | BIT(CAP_KILL) | BIT(CAP_BPF);
	/* What a container was not given, and what the kernel has no use for. */
	of_daemon &= effective_of(recorder.pid) | ~(BIT(CAP_BPF) | BIT(CAP_SYS_RESOURCE));
	expect_rights_of_all(recorder.pid, of_daemon, of_daemon | OF_CHILD);
	cr_assert_eq(kill(service.pid, SIGKILL), 0);
	reap(&service);
	expect_killed(&recorder, line, sizeof(line), "the last words");
	stop_recorder(&recorder);
	start_recorder(&recorder, (const char *const[]){"--no-bpf", "--no-unwind", NULL});
	start_service(&service, live);
	of_daemon &= OF_DAEMON;
	expect_rights_of_all(recorder.pid, of_daemon, of_daemon);
	cr_assert_eq(kill(service.pid, SIGKILL), 0);
	reap(&service);
	expect_killed(&recorder, line, sizeof(line), "the last words");
	stop_recorder(&recorder);
}

Test(confine, the_command_of_run_keeps_its_rights, .init = recorder_prepare, .fini = recorder_clean)
{
	const char *const arguments[] = {"run",
					 "--dir",
					 recorder_folder,
					 "--",
					 "sh",
					 "-c",
					 "grep -E '^(CapEff|CapBnd|NoNewPrivs|"
					 "Seccomp)' /proc/self/status >&2; exit 3",
					 NULL};
	struct recorder_process recorder;
	char line[LINE_BYTES], bounding[LINE_BYTES];
	int status;

	start_program(&recorder, arguments);
	expect_line(&recorder, "CapEff:", line, sizeof(line));
	if (!geteuid()) {
		expect_line(&recorder, "CapBnd:", bounding, sizeof(bounding));
		cr_expect_str_eq(line + strlen("CapEff:"), bounding + strlen("CapBnd:"));
		cr_expect(strtoull(line + strlen("CapEff:"), NULL, 16) & BIT(CAP_CHOWN));
	}
	expect_line(&recorder, "NoNewPrivs:\t0", line, sizeof(line));
	expect_line(&recorder, "Seccomp:\t0", line, sizeof(line));
	status = end_status(&recorder);
	cr_expect_eq(WEXITSTATUS(status), 3);
	close(recorder.stderr_fd);
}

/* Dumps are given to a group that it is no member of, at a time when it has given up the rest. */
Test(confine, the_daemon_can_give_dumps_to_a_group, .init = recorder_prepare,
     .fini = recorder_clean)
{
	struct recorder_process recorder;
	struct service service;
	char line[LINE_BYTES];
	struct stat status;

	if (geteuid()) {
		recorder_clean();
		cr_skip("only root gives files to any group");
	}
	start_recorder(&recorder, (const char *const[]){"--dump-group", "65534", NULL});
	start_service(&service, live);
	cr_assert_eq(kill(service.pid, SIGKILL), 0);
	reap(&service);
	expect_line(&recorder, ".bin", line, sizeof(line));
	cr_assert_eq(stat(strrchr(line, ' ') + 1, &status), 0, "%s", line);
	cr_expect_eq(status.st_gid, 65534);
	cr_expect_eq(status.st_mode & 07777, 0640, "%o", status.st_mode);
	stop_recorder(&recorder);
}

#if defined(__x86_64__) && !SANITIZED

/* Stops it where it waits in a system call: the instruction before is `syscall`, two bytes. */
static void stop_in_a_call(pid_t pid, struct user_regs_struct *ret_registers)
{
	int status;

	for (int i = 0; i < RECORDER_WAIT_MS / 10; i++) {
		cr_assert_eq(ptrace(PTRACE_SEIZE, pid, NULL, (void *)PTRACE_O_TRACESYSGOOD), 0);
		cr_assert_eq(ptrace(PTRACE_INTERRUPT, pid, NULL, NULL), 0);
		cr_assert_eq(waitpid(pid, &status, __WALL), pid);
		cr_assert_eq(ptrace(PTRACE_GETREGS, pid, NULL, ret_registers), 0);
		errno = 0;
		if ((long)ret_registers->orig_rax >= 0 &&
		    (ptrace(PTRACE_PEEKTEXT, pid, (void *)(ret_registers->rip - 2), NULL) &
		     0xffff) == 0x050f)
			return;
		cr_assert_eq(ptrace(PTRACE_DETACH, pid, NULL, NULL), 0);
		poll(NULL, 0, 10);
	}
	cr_assert_fail("it never waits");
}

/* It is made to do another call, at the same instruction. */
static long call_in(pid_t pid, long number)
{
	struct user_regs_struct saved, registers;
	int status;

	stop_in_a_call(pid, &saved);
	registers = saved;
	/* Interrupted, it would be started again by the kernel; not while this says it is no call.
	 */
	registers.orig_rax = (unsigned long)-1;
	registers.rax = (unsigned long)number;
	registers.rdi = registers.rsi = registers.rdx = registers.r10 = 0;
	registers.rip -= 2;
	cr_assert_eq(ptrace(PTRACE_SETREGS, pid, NULL, &registers), 0);
	for (int stops = 0; stops < 2; stops++) { /* before it, and behind */
		cr_assert_eq(ptrace(PTRACE_SYSCALL, pid, NULL, NULL), 0);
		cr_assert_eq(waitpid(pid, &status, __WALL), pid);
		cr_assert(WIFSTOPPED(status), "%#x", status);
		cr_assert_eq(WSTOPSIG(status), SIGTRAP | 0x80, "%#x", status);
	}
	cr_assert_eq(ptrace(PTRACE_GETREGS, pid, NULL, &registers), 0);
	cr_assert_eq(ptrace(PTRACE_SETREGS, pid, NULL, &saved), 0);
	cr_assert_eq(ptrace(PTRACE_DETACH, pid, NULL, NULL), 0);
	return (long)registers.rax;
}

Test(confine, the_daemon_itself_gets_nothing_that_is_forbidden, .init = recorder_prepare,
     .fini = recorder_clean)
{
	static const long forbidden[] = {
		SYS_ptrace,	 SYS_mount,  SYS_unshare,	  SYS_setns,  SYS_reboot,
		SYS_init_module, SYS_keyctl, SYS_perf_event_open, SYS_swapon, SYS_process_vm_readv,
	};
	struct recorder_process recorder;
	struct service service;
	char line[LINE_BYTES];

	if (geteuid()) {
		recorder_clean();
		cr_skip("needs root, to trace a process that is confined");
	}
	start_recorder(&recorder, NONE);
	cr_expect_eq(call_in(recorder.pid, SYS_getpid), recorder.pid);
	for (size_t i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++)
		cr_expect_eq(call_in(recorder.pid, forbidden[i]), -EPERM, "%ld", forbidden[i]);
	/* And goes on. */
	start_service(&service, live);
	cr_assert_eq(kill(service.pid, SIGKILL), 0);
	reap(&service);
	expect_killed(&recorder, line, sizeof(line), "the last words");
	stop_recorder(&recorder);
}

#endif
