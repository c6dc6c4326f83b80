/* SPDX-License-Identifier: MIT */
/* What /proc says of a process, however it calls itself. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/ttlog_abi.h"
#include "recorder/identity.h"

TestSuite(identity, .timeout = 120);

/* A child that has become what the test wants, waits, and is killed by drop(). */
static pid_t spawn(void (*become)(void))
{
	int ready[2];
	char byte;
	pid_t pid;

	cr_assert_eq(pipe2(ready, O_CLOEXEC), 0);
	pid = fork();
	if (!pid) {
		become();
		prctl(PR_SET_PDEATHSIG, SIGKILL); /* a new uid has cleared it */
		if (write(ready[1], "", 1) == 1)
			pause();
		_exit(1);
	}
	close(ready[1]);
	cr_assert_eq(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return pid;
}

static void drop(pid_t pid)
{
	kill(pid, SIGKILL);
	cr_assert_eq(waitpid(pid, NULL, 0), pid);
}

static void call_itself_names(void)
{
	prctl(PR_SET_NAME, ") R 1 (\n\xff");
}

Test(identity, is_not_fooled_by_a_name)
{
	struct identity identity;
	pid_t pid = spawn(call_itself_names);

	cr_assert_eq(identity_read(pid, &identity), 0);
	cr_assert_eq(identity.ppid, (uint32_t)getpid());
	cr_assert_str_eq(identity.comm, ") R 1 (");
	cr_assert_gt(identity.start_ticks, 0);
	identity_free(&identity);
	drop(pid);
}

static void become_nobody(void)
{
	if (setregid(65534, 65534) || setreuid(65534, 65534))
		_exit(77);
}

Test(identity, knows_user_group_and_program)
{
	struct identity identity;
	char exe[4096] = "";
	pid_t pid;

	if (geteuid())
		cr_skip("changing the user needs root");
	pid = spawn(become_nobody);
	cr_assert_eq(identity_read(pid, &identity), 0);
	cr_assert_eq(identity.uid, 65534);
	cr_assert_eq(identity.gid, 65534);
	cr_assert_gt(readlink("/proc/self/exe", exe, sizeof(exe) - 1), 0);
	cr_assert_str_eq(identity.exe, exe);
	cr_assert_eq(identity.cgroup[0], '/', "%s", identity.cgroup);
	identity_free(&identity);
	drop(pid);
}

static void wait_only(void)
{
}

Test(identity, knows_when_it_started)
{
	struct timespec before, after;
	struct identity identity;
	const uint64_t slack_ns =
		50000000; /* the kernel's tick is 10 ms, the clock may be slewed */
	pid_t pid;

	clock_gettime(CLOCK_REALTIME, &before);
	pid = spawn(wait_only);
	clock_gettime(CLOCK_REALTIME, &after);
	cr_assert_eq(identity_read(pid, &identity), 0);
	cr_assert_geq(identity.start_ns + slack_ns,
		      (uint64_t)before.tv_sec * 1000000000 + (uint64_t)before.tv_nsec);
	cr_assert_leq(identity.start_ns,
		      (uint64_t)after.tv_sec * 1000000000 + (uint64_t)after.tv_nsec + slack_ns);
	identity_free(&identity);
	drop(pid);
}

Test(identity, cuts_endless_arguments)
{
	struct identity identity;
	char *text = malloc(100001);
	int in[2], out[2];
	char byte;
	pid_t pid;

	memset(text, 'a', 100000);
	text[100000] = '\0';
	cr_assert(!pipe(in) && !pipe(out));
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(in[0], STDIN_FILENO);
		dup2(out[1], STDOUT_FILENO);
		execlp("sh", "sh", "-c", "echo x; read never", text, NULL);
		_exit(1);
	}
	cr_assert_eq(read(out[0], &byte, 1), 1); /* the exec is over */
	cr_assert_eq(identity_read(pid, &identity), 0);
	cr_assert_eq(strlen(identity.cmdline), IDENTITY_CMDLINE_BYTES - 1);
	cr_assert_eq(strncmp(identity.cmdline, "sh -c echo x; read never aaa", 28), 0);
	identity_free(&identity);
	drop(pid);
	free(text);
	close(in[0]);
	close(in[1]);
	close(out[0]);
	close(out[1]);
}

static void map_region(void)
{
	int fd = memfd_create(TTLOG_MEMFD_NAME, MFD_CLOEXEC);

	if (ftruncate(fd, 4096) || mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED)
		_exit(1);
}

/* The child's, read the way a person would. */
static ino_t find_inode(pid_t pid)
{
	char command[128];
	unsigned long long inode = 0;
	FILE *out;

	snprintf(command, sizeof(command), "awk '/memfd:ttlog/ {print $5}' /proc/%d/maps",
		 (int)pid);
	out = popen(command, "r");
	cr_assert_eq(fscanf(out, "%llu", &inode), 1);
	pclose(out);
	return (ino_t)inode;
}

Test(identity, sees_a_region_in_its_memory)
{
	pid_t pid = spawn(map_region), other = spawn(wait_only);
	const ino_t region_inode = find_inode(pid);

	cr_assert_eq(identity_maps_region(pid, region_inode), 1);
	cr_assert_eq(identity_maps_region(pid, region_inode + 1), 0);
	cr_assert_eq(identity_maps_region(other, region_inode), 0);
	drop(other);
	kill(pid, SIGKILL);
	waitid(P_PID, (id_t)pid, &(siginfo_t){0}, WEXITED | WNOWAIT);
	cr_assert_eq(identity_maps_region(pid, region_inode), -ESRCH, "a zombie has no memory");
	drop(pid);
}

static void map_too_much(void)
{
	for (int i = 0; i < 30000; i++)
		if (mmap(NULL, 4096, i & 1 ? PROT_READ : PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			 0) == MAP_FAILED)
			_exit(1);
}

Test(identity, does_not_read_an_endless_list_of_memory)
{
	pid_t pid = spawn(map_too_much);

	cr_assert_eq(identity_maps_region(pid, 1), -E2BIG);
	drop(pid);
}

static void limit_itself(void)
{
	const struct rlimit little = {1, 2}, none = {RLIM_INFINITY, RLIM_INFINITY};

	if (chdir("/proc") || setrlimit(RLIMIT_MEMLOCK, &little) || setrlimit(RLIMIT_CPU, &none))
		_exit(1);
}

Test(identity, knows_folder_limits_and_memory)
{
	struct identity identity;
	pid_t pid = spawn(limit_itself);
	unsigned int seen = 0;

	cr_assert_eq(identity_read(pid, &identity), 0);
	cr_assert_str_eq(identity.cwd, "/proc");
	cr_assert_eq(identity.ns_pid, (uint32_t)pid, "%u", identity.ns_pid);
	for (unsigned int i = 0; i < identity.limit_count; i++) {
		if (!strcmp(identity.limit[i].name, "memlock")) {
			cr_expect_eq(identity.limit[i].soft, 1);
			cr_expect_eq(identity.limit[i].hard, 2);
			seen++;
		} else if (!strcmp(identity.limit[i].name, "cpu")) {
			cr_expect_eq(identity.limit[i].soft, IDENTITY_UNLIMITED);
			cr_expect_eq(identity.limit[i].hard, IDENTITY_UNLIMITED);
			seen++;
		}
	}
	cr_assert_eq(seen, 2);
	cr_assert_gt(identity.memory.total_bytes, identity.memory.anonymous_bytes);
	cr_assert_geq(identity.memory.peak_bytes,
		      identity.memory.anonymous_bytes + identity.memory.file_bytes);
	identity_free(&identity);
	drop(pid);
}

Test(identity, says_that_nobody_is_there)
{
	struct identity identity;
	pid_t pid = spawn(wait_only);

	drop(pid);
	cr_assert_eq(identity_read(pid, &identity), -ESRCH);
	cr_assert_eq(identity_maps_region(pid, 1), -ENOENT);
	cr_assert(!identity_is_dumping_core(pid));
	cr_assert(!identity_is_dumping_core(getpid()));
}
