/* SPDX-License-Identifier: MIT */
/* test_process_files.c - the one descriptor of a region, and programs that close what they don't
 * know. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "lib/process.h"
#include "tests/own_region.h"

static void number(uint64_t n)
{
	ttlog_info("numbered", "n", n);
}

static void child_number(uint64_t n)
{
	ttlog_info("child", "n", n);
}

Test(process_files, a_program_that_closes_everything_goes_on_recording)
{
	for (uint64_t i = 0; i < 100; i++)
		number(i);
	pid_t pid = fork();

	if (pid == 0) {
		for (uint64_t i = 0; i < 100; i++)
			child_number(i);
		close_range(0, ~0u, 0);
		for (uint64_t i = 100; i < 20000; i++)
			child_number(i);
		CHILD_CHECK(numbered_now("child").count == 20000);
		CHILD_CHECK(ttlog_snapshot("reason") == -ENOTCONN);
		ttlog_close();
		_exit(0);
	}
	expect_success(pid);
}

Test(process_files, a_descriptor_number_that_the_program_uses_again_is_its_own)
{
	pid_t pid;

	number(0);
	pid = fork();
	if (pid == 0) {
		pid_t grandchild;
		int last;

		child_number(0);
		close_range(3, ~0u, 0);
		do
			last = open("/dev/null", O_RDONLY);
		while (last < 100);
		/* The grandchild lets go of what it has inherited, and of nothing else. */
		grandchild = fork();
		if (grandchild == 0) {
			child_number(1);
			for (int fd = 3; fd <= 100; fd++) {
				struct stat status;

				CHILD_CHECK(fstat(fd, &status) == 0 && S_ISCHR(status.st_mode));
			}
			_exit(0);
		}
		expect_success(grandchild);
		_exit(0);
	}
	expect_success(pid);
}

static uint32_t regions_open(int *ret_fd)
{
	uint32_t count = 0;

	for (int fd = 0; fd < 256; fd++) {
		char path[64], target[64] = "";

		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		if (readlink(path, target, sizeof(target) - 1) > 0 &&
		    strstr(target, "memfd:ttlog")) {
			*ret_fd = fd;
			count++;
		}
	}
	return count;
}

Test(process_files, a_child_holds_one_descriptor_of_a_region_its_own)
{
	pid_t pid;
	int fd = -1;

	number(0);
	cr_assert_eq(regions_open(&fd), 1);
	cr_expect_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	pid = fork();
	if (pid == 0) {
		struct stat status;

		CHILD_CHECK(regions_open(&fd) == 0);
		child_number(0);
		CHILD_CHECK(regions_open(&fd) == 1);
		CHILD_CHECK(fstat(fd, &status) == 0 &&
			    status.st_size == (off_t)ttlog_place_.geometry.region_bytes);
		_exit(0);
	}
	expect_success(pid);
}

Test(process_files, a_daemon_without_standard_files_does_not_print_into_its_region)
{
	pid_t pid = fork();

	if (pid == 0) {
		int fd = -1;

		close_range(0, ~0u, 0);
		child_number(0);
		CHILD_CHECK(write(STDOUT_FILENO, "text for nobody", 15) < 0);
		CHILD_CHECK(write(STDERR_FILENO, "text for nobody", 15) < 0);
		CHILD_CHECK(regions_open(&fd) == 1 && fd > STDERR_FILENO);
		CHILD_CHECK(numbered_now("child").count == 1);
		_exit(0);
	}
	expect_success(pid);
}
