/* SPDX-License-Identifier: MIT */
/* The daemon and clients whose end is no death, or whose beginning was not by the book. */
#include "tests/service_process.h"

TestSuite(recorder_ends, .init = recorder_prepare, .fini = recorder_clean, .timeout = 150);

static void become_another(void)
{
	ready();
	execl("/bin/sh", "sh", "-c", "read never", NULL);
}

/* On either rung; what happens to the new program is nobody's business. */
static void check_exec(const char *const *arguments)
{
	struct recorder_process recorder;
	struct service service;
	char line[LINE_BYTES];
	int in[2];

	start_recorder(&recorder, arguments);
	cr_assert_eq(pipe2(in, O_CLOEXEC), 0);
	dup2(in[0], STDIN_FILENO); /* that the shell waits at */
	start_service(&service, become_another);
	expect_line(&recorder, "exec", line, sizeof(line));
	check_dump(line, "-exec.bin", "the last words");
	cr_assert_eq(kill(service.pid, SIGKILL), 0);
	reap(&service);
	stop_recorder(&recorder);
	cr_assert_eq(count_dumps(""), 1);
	close(in[0]);
	close(in[1]);
}

Test(recorder_ends, dumps_what_an_exec_replaces)
{
	check_exec(NONE);
}

Test(recorder_ends, dumps_what_an_exec_replaces_without_bpf_too)
{
	check_exec((const char *const[]){"--no-bpf", NULL});
}

static void begin_anew(void)
{
	ttlog_close();
	ttlog_info("unheard");
	if (ttlog_init("orders"))
		_exit(96);
	ttlog_info("second life");
	live();
}

Test(recorder_ends, keeps_the_region_of_a_client_that_said_goodbye)
{
	struct recorder_process recorder;
	struct service service;
	char line[LINE_BYTES];

	start_recorder(&recorder, NONE);
	start_service(&service, begin_anew);
	cr_assert_eq(kill(service.pid, SIGKILL), 0);
	reap(&service);
	expect_killed(&recorder, line, sizeof(line), "second life");
	check_dump(line, "", "the last words");
	stop_recorder(&recorder);
	cr_assert_eq(count_dumps(""), 1);
}

/* The exec is over before the recorder comes to the hello: it finds a stranger, and the old region.
 */
Test(recorder_ends, knows_an_exec_that_was_before_it_watched)
{
	struct recorder_process recorder;
	struct service service;
	char line[LINE_BYTES], byte;
	int in[2];

	start_recorder(&recorder, NONE);
	setenv("TTLOG_HELLO_TIMEOUT", "50", 1);
	cr_assert_eq(pipe2(in, O_CLOEXEC), 0);
	dup2(in[0], STDIN_FILENO);
	cr_assert_eq(kill(recorder.pid, SIGSTOP), 0);
	start_service(&service, become_another);
	cr_assert_eq(read(service.said, &byte, 1), 0, "the exec has closed it");
	cr_assert_eq(kill(recorder.pid, SIGCONT), 0);
	expect_line(&recorder, "(exec)", line, sizeof(line));
	check_dump(line, "-exec.bin", "the last words");
	cr_assert_eq(kill(service.pid, SIGKILL), 0);
	reap(&service);
	stop_recorder(&recorder);
	cr_assert_eq(count_dumps(""), 1);
	close(in[0]);
	close(in[1]);
}

/* The hello times out, the service makes its own region, and the recorder takes that one over. */
Test(recorder_ends, takes_the_region_of_a_client_that_could_not_wait)
{
	struct recorder_process recorder;
	struct service service;
	char line[LINE_BYTES];

	start_recorder(&recorder, NONE);
	setenv("TTLOG_HELLO_TIMEOUT", "50", 1);
	cr_assert_eq(kill(recorder.pid, SIGSTOP), 0);
	start_service(&service, live);
	cr_assert_eq(kill(recorder.pid, SIGCONT), 0);
	expect_line(&recorder, "region of its own", line, sizeof(line));
	cr_assert_eq(kill(service.pid, SIGKILL), 0);
	reap(&service);
	expect_killed(&recorder, line, sizeof(line), "the last words");
	stop_recorder(&recorder);
}
