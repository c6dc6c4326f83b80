/* SPDX-License-Identifier: MIT */
/*
 * What a client does not wait for: recorders that accept nobody, are stopped, or answer in bits. It
 * would wait a minute if it waited at all; the suite's timeout tells the difference, no clock.
 */
#include <sys/socket.h>
#include <sys/un.h>

#include "tests/service_process.h"

TestSuite(patience, .init = recorder_prepare, .fini = recorder_clean, .timeout = 50);

static int listen_with(int backlog)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	cr_assert_geq(fd, 0);
	strcpy(address.sun_path, recorder_socket);
	cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	cr_assert_eq(listen(fd, backlog), 0);
	return fd;
}

static int knock(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	strcpy(address.sun_path, recorder_socket);
	if (!connect(fd, (struct sockaddr *)&address, sizeof(address)))
		return fd;
	close(fd);
	return -1;
}

/* All that a program calls, again and again; its events are in its own memory. */
static void record_and_ask(void)
{
	struct ttlog_stats stats = {.size = sizeof(stats)};

	for (int i = 0; i < 1000; i++) {
		ttlog_info("counted", "i", i);
		(void)ttlog_snapshot("impatient");
		ttlog_set_level(TTLOG_DEBUG);
	}
	if (ttlog_get_stats(&stats) || stats.retained < 1000)
		_exit(96);
	ttlog_close();
	ready();
	_exit(0);
}

static void expect_no_wait(void)
{
	struct service service;
	int status;

	start_service(&service, record_and_ask);
	cr_assert_eq(waitpid(service.pid, &status, 0), service.pid);
	cr_assert_eq(status, 0, "%#x", status);
	close(service.said);
}

Test(patience, has_none_for_a_recorder_with_a_full_queue)
{
	const int fd = listen_with(1);
	int guest[64], count = 0;

	while (count < 64 && (guest[count] = knock()) >= 0)
		count++;
	cr_assert_lt(count, 64, "the queue is never full");
	expect_no_wait();
	while (count--)
		close(guest[count]);
	close(fd);
}

Test(patience, has_a_bound_for_a_recorder_that_accepts_nobody)
{
	const int fd = listen_with(64);

	setenv("TTLOG_HELLO_TIMEOUT", "50", 1);
	expect_no_wait();
	close(fd);
}

Test(patience, has_a_bound_for_a_recorder_that_is_stopped)
{
	struct recorder_process recorder;

	start_recorder(&recorder, NONE);
	setenv("TTLOG_HELLO_TIMEOUT", "50", 1);
	cr_assert_eq(kill(recorder.pid, SIGSTOP), 0);
	expect_no_wait();
	cr_assert_eq(kill(recorder.pid, SIGCONT), 0);
	stop_recorder(&recorder);
}

/* Its pipe has one page, and nobody reads that: still it does what it is there for. */
Test(patience, a_recorder_has_none_for_who_does_not_read_what_it_says, .timeout = 200)
{
	struct recorder_process recorder;
	struct service service;

	start_recorder(&recorder, NONE);
	cr_assert_geq(fcntl(recorder.stderr_fd, F_SETPIPE_SZ, 1), 0);
	for (unsigned int i = 1; i <= 30; i++) {
		start_service(&service, live);
		cr_assert_eq(kill(service.pid, SIGKILL), 0);
		reap(&service);
		while (count_dumps(".bin") < i)
			poll(NULL, 0, 10);
	}
	stop_recorder(&recorder);
}

static void answer_with_a_byte(int listen_fd)
{
	const int fd = accept(listen_fd, NULL, NULL);
	char bytes[4096];

	if (fd < 0 || recv(fd, bytes, sizeof(bytes), 0) <= 0)
		_exit(1);
	for (int i = 0; i < 24; i++)
		(void)!send(fd, "L", 1, MSG_NOSIGNAL);
	pause();
	_exit(1);
}

Test(patience, has_none_for_an_answer_in_bits)
{
	const int fd = listen_with(64);
	const pid_t pid = fork_child();

	if (!pid)
		answer_with_a_byte(fd);
	expect_no_wait();
	cr_assert_eq(kill(pid, SIGKILL), 0);
	cr_assert_eq(waitpid(pid, NULL, 0), pid);
	close(fd);
}
