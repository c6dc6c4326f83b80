// SPDX-License-Identifier: MIT
/*
 * The kernel program as a guest: what it takes to load it, when it is in anybody's way, what it leaves.
 */
#include "tests/watch_client.h"

#include <dirent.h>
#include <grp.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <stdlib.h>

TestSuite(watch_attach, .init = open_watch, .fini = close_watch, .timeout = 120);

static void exit_with_seven(void)
{
	_exit(7);
}

static void live_on(void)
{
	for (;;)
		pause();
}

/* ---- what it leaves --------------------------------------------------------------------------- */

static unsigned int count_descriptors(void)
{
	DIR *folder = opendir("/proc/self/fd");
	unsigned int count = 0;

	cr_assert_not_null(folder);
	while (readdir(folder))
		count++;
	closedir(folder);
	return count;
}

static void one_client(void)
{
	struct client client;

	start(&client, exit_with_seven);
	reap(&client);
	finish(&client);
	watch_settle(watch);
}

Test(watch_attach, leaves_no_descriptor_behind)
{
	unsigned int before, without;

	close_watch();
	without = count_descriptors();
	open_watch();
	cr_assert_gt(count_descriptors(), without);
	one_client();
	before = count_descriptors(); /* the programs stay attached for some seconds */
	one_client();
	cr_assert_eq(count_descriptors(), before);
	close_watch();
	watch = NULL;
	cr_assert_eq(count_descriptors(), without);
}

/* ---- in nobody's way -------------------------------------------------------------------------- */

/* Attached programs: a descriptor of each says so. */
static unsigned int count_links(void)
{
	DIR *folder = opendir("/proc/self/fdinfo");
	char path[300], line[128];
	unsigned int count = 0;

	cr_assert_not_null(folder);
	for (const struct dirent *entry; (entry = readdir(folder));) {
		FILE *file;

		snprintf(path, sizeof(path), "/proc/self/fdinfo/%s", entry->d_name);
		file = fopen(path, "r");
		while (file && fgets(line, sizeof(line), file))
			count += !strncmp(line, "link_type:", strlen("link_type:"));
		if (file)
			fclose(file);
	}
	closedir(folder);
	return count;
}

static void wait_until_detached(unsigned int count)
{
	struct pollfd poll_fd = {.fd = watch_fd(watch), .events = POLLIN};

	while (count_links() != count) {
		cr_assert_eq(poll(&poll_fd, 1, 60000), 1, "%u programs are attached still",
			     count_links());
		watch_dispatch(watch);
	}
}

Test(watch_attach, is_attached_only_while_there_are_clients)
{
	const unsigned int idle = count_links();
	struct client first, second;

	cr_assert_leq(idle, 1, "who calls for a recorder is heard all the time");
	for (int round = 0; round < 2; round++) {
		seen.count = 0;
		spawn(&first, exit_with_seven);
		enrol(&first, 1);
		cr_assert_geq(count_links(), idle + 4);
		let_go(&first);
		check_death(&first, reap(&first));
		spawn(&second, live_on);
		enrol(&second, 2);
		finish(&first);
		cr_assert_geq(count_links(), idle + 4, "there is the second one");
		kill(second.pid, SIGKILL);
		seen.count = 0;
		check_death(&second, reap(&second));
		finish(&second);
		cr_assert_geq(count_links(), idle + 4, "for some seconds more");
		wait_until_detached(idle);
	}
}

/* ---- what it needs ---------------------------------------------------------------------------- */

/* How many instructions the verifier looked at, paths and turns counted; 0: no program of ours. */
static unsigned int verified(const char *descriptor)
{
	struct bpf_prog_info info = {0};
	union bpf_attr attributes = {0};
	char path[300], target[64] = "";

	snprintf(path, sizeof(path), "/proc/self/fd/%s", descriptor);
	if (readlink(path, target, sizeof(target) - 1) < 0 || !strstr(target, "bpf-prog"))
		return 0;
	attributes.info.bpf_fd = (__u32)atoi(descriptor);
	attributes.info.info_len = sizeof(info);
	attributes.info.info = (__u64)(uintptr_t)&info;
	cr_assert_eq(syscall(SYS_bpf, BPF_OBJ_GET_INFO_BY_FD, &attributes, sizeof(attributes)), 0);
	return info.verified_insns;
}

/*
 * Each start of a recorder waits for it, and an emulated machine for seconds: 15,078 in all on 6.18,
 * and 127,668 before the steps of each walk were functions that the verifier reads once.
 */
Test(watch_attach, takes_the_verifier_few_steps)
{
	DIR *folder = opendir("/proc/self/fd");
	unsigned int steps, count = 0, sum = 0;

	cr_assert_not_null(folder);
	for (const struct dirent *entry; (entry = readdir(folder));) {
		steps = verified(entry->d_name);
		count += steps > 0;
		sum += steps;
	}
	closedir(folder);
	if (!count)
		cr_skip("the kernel does not say: before 5.16");
	cr_expect_geq(count, 5);
	cr_expect_lt(sum, 30000, "%u programs, %u steps", count, sum);
}

/* As the recorder runs: nobody, with nothing but these capabilities. */
static int open_as_nobody(uint64_t capabilities, char why_not[256])
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {0};

	for (int i = 0; i < 2; i++) {
		data[i].effective = (uint32_t)(capabilities >> i * 32);
		data[i].permitted = data[i].effective;
	}
	if (prctl(PR_SET_KEEPCAPS, 1) || setgroups(0, NULL) || setgid(65534) || setuid(65534) ||
	    syscall(SYS_capset, &header, data))
		return -ENOTSUP;
	return watch_open(&watch, on_event, &seen, 0, why_not, 256);
}

static int try_as_nobody(uint64_t capabilities, char why_not[256])
{
	char *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status;
	pid_t pid;

	cr_assert_neq(shared, MAP_FAILED);
	pid = fork();
	if (pid == 0)
		_exit(-open_as_nobody(capabilities, shared) & 0xff);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	memcpy(why_not, shared, 256);
	munmap(shared, 4096);
	return -WEXITSTATUS(status);
}

#define CAPABILITY(number) (UINT64_C(1) << (number))

Test(watch_attach, needs_cap_bpf_and_cap_perfmon_and_says_so)
{
	char why_not[256];

	cr_assert_eq(try_as_nobody(0, why_not), -EPERM);
	cr_assert_not_null(strstr(why_not, "CAP_BPF and CAP_PERFMON"), "%s", why_not);
	cr_assert_eq(try_as_nobody(CAPABILITY(CAP_BPF), why_not), -EPERM);
	cr_assert_not_null(strstr(why_not, "CAP_PERFMON is missing"), "%s", why_not);
	cr_assert_eq(try_as_nobody(CAPABILITY(CAP_PERFMON), why_not), -EPERM);
	cr_assert_not_null(strstr(why_not, "CAP_BPF is missing"), "%s", why_not);
	cr_assert_eq(try_as_nobody(CAPABILITY(CAP_BPF) | CAPABILITY(CAP_PERFMON), why_not), 0, "%s",
		     why_not);
}
