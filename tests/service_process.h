/* SPDX-License-Identifier: MIT */
/* service_process.h - a client: records, says that it did, then does what the test wants of it. */
#ifndef TESTS_SERVICE_PROCESS_H
#define TESTS_SERVICE_PROCESS_H

#include "lib/ttlog.h"
#include "tests/recorder_process.h"

#define LINE_BYTES 2048
#define NONE ((const char *const[]){NULL})

struct service {
	pid_t pid;
	int said;
};

static int ready_fd;

static __attribute__((unused)) void ready(void)
{
	if (write(ready_fd, "", 1) != 1)
		_exit(99);
}

static __attribute__((unused)) void start_service(struct service *ret_service, void (*life)(void))
{
	int said[2];
	char byte;

	cr_assert_eq(pipe2(said, O_CLOEXEC), 0);
	ret_service->pid = fork_child();
	if (!ret_service->pid) {
		ready_fd = said[1];
		if (ttlog_init("orders"))
			_exit(98);
		ttlog_info("the last words", "number", 42);
		life();
		_exit(97);
	}
	close(said[1]);
	ret_service->said = said[0];
	cr_assert_eq(read(said[0], &byte, 1), 1, "the service did not get that far");
}

static __attribute__((unused)) void reap(struct service *service)
{
	cr_assert_eq(waitpid(service->pid, NULL, 0), service->pid);
	close(service->said);
}

static __attribute__((unused)) void live(void)
{
	ready();
	pause();
}

/* How it ended is known on the upper rung, and on the lower one by newer kernels. */
static __attribute__((unused)) void expect_death_line(struct recorder_process *recorder,
						      char *ret_line, size_t line_bytes)
{
	do
		expect_line(recorder, ".bin", ret_line, line_bytes);
	while (!strstr(ret_line, "-sigkill.bin") && !strstr(ret_line, "-unknown.bin"));
}

static __attribute__((unused)) void expect_killed(struct recorder_process *recorder, char *ret_line,
						  size_t line_bytes, const char *content)
{
	expect_death_line(recorder, ret_line, line_bytes);
	check_dump(ret_line, "", content);
}

#endif
