/* SPDX-License-Identifier: MIT */
/*
 * test_disk.c - a daemon whose calls fail, one after the other: no memory, no descriptors, a disk
 * that is full or broken. It says so, leaves no half of a dump, and serves the next one.
 *
 * The daemon has plugin_fault.so in front of libc. For each kind of fault the first call after a
 * client's death fails, then the second of the next death, and so on, until a death comes to its
 * end without one.
 */
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sched.h>

#include "tests/fault_control.h"
#include "tests/honest_service.h"

static struct recorder_process recorder;
static struct fault_control *control;
static char figures[96]; /* the address of its metrics, behind "unix:" */

static void prepare_faults(void)
{
	char plugin[PATH_MAX + 32], path[96];
	int fd;

	recorder_prepare();
	setenv("TTLOG_BUFFER_SIZE", "1M", 1);
	snprintf(path, sizeof(path), "%s/fault", recorder_folder);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	cr_assert_eq(ftruncate(fd, 4096), 0);
	control = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	cr_assert_neq(control, MAP_FAILED);
	close(fd);
	setenv("TTLOG_FAULT_FILE", path, 1);
	strcpy(plugin, recorder_program);
	strcpy(strrchr(plugin, '/'), "/tests/plugin_fault.so");
	setenv("LD_PRELOAD", plugin, 1);
	snprintf(figures, sizeof(figures), "unix:%s/metrics.sock", recorder_folder);
	start_recorder(&recorder, (const char *const[]){"--no-unwind", "--keep-loop", "0",
							"--metrics", figures, NULL});
	unsetenv("LD_PRELOAD");
}

static void finish_faults(void)
{
	stop_recorder(&recorder);
	recorder_clean();
}

TestSuite(disk, .timeout = 300);

static void arm(enum fault_kind kind, int error, int n)
{
	atomic_store(&control->hits, 0);
	atomic_store(&control->error, error);
	atomic_store(&control->countdown, n);
	atomic_store(&control->kind, kind);
}

/* Was there a fault? */
static bool disarm(void)
{
	atomic_store(&control->kind, FAULT_NONE);
	return atomic_load(&control->hits);
}

/* Of those who died: dumps with that result, as /metrics has it. */
static unsigned long count_of(const char *result)
{
	static const char request[] = "GET /metrics HTTP/1.0\r\n\r\n";
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	static char text[1 << 18];
	size_t have = 0;
	ssize_t count;
	char key[80];
	const char *at;

	strcpy(address.sun_path, figures + strlen("unix:"));
	cr_assert_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	cr_assert_eq(send(fd, request, strlen(request), MSG_NOSIGNAL), (ssize_t)strlen(request));
	while ((count = recv(fd, text + have, sizeof(text) - 1 - have, 0)) > 0)
		have += (size_t)count;
	text[have] = '\0';
	close(fd);
	snprintf(key, sizeof(key), "ttlog_dumps_total{trigger=\"death\",result=\"%s\"} ", result);
	at = strstr(text, key);
	cr_assert(at, "%s is not in: %s", key, text);
	return strtoul(at + strlen(key), NULL, 10);
}

/* What it says of a death, whatever that is. */
static void find_end_of(pid_t pid, char line[LINE_BYTES])
{
	char words[32];

	snprintf(words, sizeof(words), "(pid %d): ", (int)pid);
	do
		expect_line(&recorder, words, line, LINE_BYTES);
	while (!strstr(line, ".bin") && !strstr(line, "could not be written") &&
	       !strstr(line, "no memory for its dump"));
}

/* True while there is a fault to meet. */
static bool die_with(enum fault_kind kind, int error, int n)
{
	const unsigned long written = count_of("written"), failed = count_of("failed");
	struct service service;
	char line[LINE_BYTES];
	bool hit;

	start_service(&service, honest_life);
	arm(kind, error, n);
	cr_assert_eq(kill(service.pid, SIGKILL), 0);
	reap(&service);
	find_end_of(service.pid, line);
	hit = disarm();
	cr_assert_eq(count_dumps(".tmp"), 0, "fault %d leaves a half of a dump", n);
	if (strstr(line, ".bin")) {
		expect_honest_events(strrchr(line, ' ') + 1);
		cr_assert_eq(count_of("written"), written + 1);
		return hit;
	}
	cr_assert(hit, "without a fault: %s", line);
	/* Why, in words; and counted, once. */
	cr_assert(strstr(line, kind == FAULT_MEMORY ? "memory" : strerror(error)), "%s", line);
	cr_assert_eq(count_of("failed"), failed + 1, "fault %d: %s", n, line);
	cr_assert_eq(count_of("written"), written);
	return hit;
}

/* How often a call was met: one kind of fault, at each of them in turn. */
static void fail_each(enum fault_kind kind, int error)
{
	int n = 1;

	while (die_with(kind, error, n))
		n++;
	cr_assert_gt(n, 1, "no call was met");
	expect_honest_service(&recorder);
}

Test(disk, that_fails_at_a_write_loses_one_dump, .init = prepare_faults, .fini = finish_faults)
{
	fail_each(FAULT_WRITE, ENOSPC);
	fail_each(FAULT_WRITE, EIO);
	fail_each(FAULT_WRITE, EDQUOT);
}

Test(disk, that_fails_at_the_end_loses_one_dump, .init = prepare_faults, .fini = finish_faults)
{
	fail_each(FAULT_SYNC, EIO);
	fail_each(FAULT_SYNC, ENOSPC);
	fail_each(FAULT_NAME, ENOSPC);
	fail_each(FAULT_NAME, EIO);
	fail_each(FAULT_NAME, EROFS);
}

Test(disk, descriptors_that_run_out_lose_one_dump, .init = prepare_faults, .fini = finish_faults)
{
	fail_each(FAULT_DESCRIPTORS, EMFILE);
	fail_each(FAULT_DESCRIPTORS, ENFILE);
}

Test(disk, memory_that_runs_out_loses_one_dump, .init = prepare_faults, .fini = finish_faults)
{
	fail_each(FAULT_MEMORY, ENOMEM);
}

/* Somebody comes in a bad moment: served or not, the next one is. */
static bool come_with(enum fault_kind kind, int error, int n)
{
	struct service service;
	bool hit;

	arm(kind, error, n);
	start_service(&service, live);
	hit = disarm();
	cr_assert_eq(kill(service.pid, SIGKILL), 0);
	reap(&service);
	expect_honest_service(&recorder);
	return hit;
}

Test(disk, memory_and_descriptors_may_run_out_when_somebody_comes, .init = prepare_faults,
     .fini = finish_faults)
{
	int n;

	for (n = 1; come_with(FAULT_DESCRIPTORS, EMFILE, n);)
		n++;
	cr_assert_gt(n, 1);
	for (n = 1; come_with(FAULT_MEMORY, ENOMEM, n);)
		n++;
	cr_assert_eq(count_dumps(".tmp"), 0);
}

/* ---- real disks ------------------------------------------------------------------------- */

static void remount(unsigned long flags, const char *data)
{
	cr_assert_eq(mount("ttlog-test", recorder_dumps, "tmpfs", MS_REMOUNT | flags, data), 0,
		     "%s", strerror(errno));
}

static void expect_failure(const char *why)
{
	struct service service;
	char line[LINE_BYTES];

	start_service(&service, honest_life);
	cr_assert_eq(kill(service.pid, SIGKILL), 0);
	reap(&service);
	find_end_of(service.pid, line);
	cr_assert(strstr(line, why), "%s", line);
}

Test(disk, that_is_full_or_read_only_says_so_and_may_become_better, .init = recorder_prepare,
     .fini = recorder_clean)
{
	setenv("TTLOG_BUFFER_SIZE", "1M", 1);
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL)) {
		recorder_clean();
		cr_skip("mounting needs root");
	}
	cr_assert_eq(mkdir(recorder_dumps, 0700), 0);
	cr_assert_eq(mount("ttlog-test", recorder_dumps, "tmpfs", 0, "size=8k"), 0);
	start_recorder(&recorder,
		       (const char *const[]){"--keep-free", "0", "--keep-loop", "0", NULL});
	expect_failure(strerror(ENOSPC));
	cr_assert_eq(count_dumps("ttlog"), 0, "something is left");
	remount(0, "size=64m");
	expect_honest_service(&recorder);
	remount(MS_RDONLY, "size=64m");
	expect_failure(strerror(EROFS));
	remount(0, "size=64m");
	expect_honest_service(&recorder);
	stop_recorder(&recorder);
	cr_assert_eq(umount2(recorder_dumps, MNT_DETACH), 0);
}

/* Its floor is above what they leave: nothing is written until they go. */
Test(disk, that_others_fill_keeps_its_floor, .init = recorder_prepare, .fini = recorder_clean)
{
	char path[160];
	int fd;

	setenv("TTLOG_BUFFER_SIZE", "1M", 1);
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL)) {
		recorder_clean();
		cr_skip("mounting needs root");
	}
	cr_assert_eq(mkdir(recorder_dumps, 0700), 0);
	cr_assert_eq(mount("ttlog-test", recorder_dumps, "tmpfs", 0, "size=32m"), 0);
	start_recorder(&recorder, (const char *const[]){"--keep-free", "16M", NULL});
	expect_honest_service(&recorder);
	cr_assert_eq(count_dumps(".bin"), 1);
	snprintf(path, sizeof(path), "%s/of-somebody-else", recorder_dumps);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	cr_assert_eq(posix_fallocate(fd, 0, 20 << 20), 0);
	close(fd);
	/* What there was would not help, so it stays. */
	expect_failure(strerror(ENOSPC));
	cr_assert_eq(count_dumps(".bin"), 1);
	cr_assert_eq(count_dumps(".tmp"), 0);
	cr_assert_eq(unlink(path), 0);
	expect_honest_service(&recorder);
	stop_recorder(&recorder);
	cr_assert_eq(umount2(recorder_dumps, MNT_DETACH), 0);
}

Test(disk, a_folder_that_vanishes_is_made_again, .init = recorder_prepare, .fini = recorder_clean)
{
	char moved[100];

	setenv("TTLOG_BUFFER_SIZE", "1M", 1);
	start_recorder(&recorder, NONE);
	expect_honest_service(&recorder);
	snprintf(moved, sizeof(moved), "rm -rf %s", recorder_dumps);
	cr_assert_eq(system(moved), 0);
	expect_honest_service(&recorder);
	stop_recorder(&recorder);
}
