/* SPDX-License-Identifier: MIT */
/* A service that dies again and again, a real recorder, and what an operator finds in the morning.
 */
#include "tests/service_process.h"

static struct recorder_process recorder;

TestSuite(keep_loop, .init = recorder_prepare, .fini = recorder_clean, .timeout = 300);

#define FIRST 3
#define CRASHES_MAX 16 /* by then a minute would have to go by between two of them */

static void crash(void)
{
	ready();
	abort();
}

static void crash_otherwise(void)
{
	ready();
	raise(SIGTERM);
}

/* What ttlog-ctl prints; its exit status in *ret_status. */
static const char *control(const char *arguments, int *ret_status)
{
	static char text[65536];
	char command[PATH_MAX * 2];
	size_t bytes;
	FILE *pipe;

	snprintf(command, sizeof(command), "%.*s/ttlog-ctl list --dumps --dir %s %s 2>&1",
		 (int)(strrchr(recorder_program, '/') - recorder_program), recorder_program,
		 recorder_dumps, arguments);
	pipe = popen(command, "r");
	cr_assert(pipe);
	bytes = fread(text, 1, sizeof(text) - 1, pipe);
	text[bytes] = '\0';
	*ret_status = WEXITSTATUS(pclose(pipe));
	return text;
}

static unsigned int count_lines(const char *text)
{
	unsigned int count = 0;

	for (; (text = strchr(text, '\n')); text++)
		count++;
	return count;
}

/* True: dumped. */
static bool die_once(void (*life)(void))
{
	struct service service;
	char line[LINE_BYTES];

	start_service(&service, life);
	reap(&service);
	do
		expect_line(&recorder, "", line, sizeof(line));
	while (!strstr(line, ".bin") && !strstr(line, ": not dumped"));
	return strstr(line, ".bin") != NULL;
}

Test(keep_loop, the_first_are_dumped_then_fewer_and_all_are_counted)
{
	const char *const arguments[] = {"--keep-loop=3", "--no-unwind", NULL};
	unsigned int deaths = 0, dumped = 0;
	const char *text;
	char expected[64];
	int status;

	setenv("TTLOG_BUFFER_SIZE", "1M", 1);
	start_recorder(&recorder, arguments);
	while (dumped == deaths) {
		cr_assert_lt(deaths, CRASHES_MAX, "each is dumped");
		dumped += die_once(crash);
		deaths++;
	}
	cr_assert_gt(deaths, FIRST);
	cr_assert(die_once(crash_otherwise), "another death is no part of that loop");
	stop_recorder(&recorder);

	text = control("", &status);
	cr_expect_eq(status, 0, "%s", text);
	cr_expect(strstr(text, "SIGNATURE"), "%s", text);
	cr_expect(strstr(text, "orders"), "%s", text);
	cr_expect(strstr(text, "SIGABRT"), "%s", text);
	text = control("--json", &status);
	cr_expect_eq(count_lines(text), count_dumps(".bin"), "%s", text);
	/* All aborts have one signature, and the SIGTERM another. Unwinding may be late on a busy
	 * machine. */
	text = control("--json --group-by signature", &status);
	cr_expect_eq(count_lines(text), 2, "%s", text);
	snprintf(expected, sizeof(expected), "\"deaths\":%u,\"files\":%u,", dumped,
		 count_dumps("-abort"));
	cr_expect(strstr(text, expected), "%s: %s", expected, text);
	text = control("no-such-service", &status);
	cr_expect_eq(status, 1, "%s", text);
	text = control("orders --group-by colour", &status);
	cr_expect_eq(status, 2, "%s", text);
}

Test(keep_loop, goes_on_counting_where_another_recorder_stopped)
{
	const char *const arguments[] = {"--keep-loop=3", "--no-unwind", NULL};
	const char *text;
	int status;

	setenv("TTLOG_BUFFER_SIZE", "1M", 1);
	for (unsigned int i = 0; i < FIRST; i++) {
		start_recorder(&recorder, arguments);
		cr_assert(die_once(crash));
		stop_recorder(&recorder);
	}
	text = control("--json --group-by signature", &status);
	cr_expect_eq(count_lines(text), 1, "%s", text);
	cr_expect(strstr(text, "\"deaths\":3,\"files\":3,"), "%s", text);
}
