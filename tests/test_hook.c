/* SPDX-License-Identifier: MIT */
/* The command after a dump: what it may, what it is told, when it ends, and that a recorder runs
 * it. */
#include "recorder/counters.h"
#include "recorder/hook.h"
#include "tests/service_process.h"

static struct loop *loop;
static struct hook *hook;
static char result[120];

/* A folder that anybody may write to. */
static void prepare(void)
{
	recorder_prepare();
	cr_assert_eq(chmod(recorder_folder, 0777), 0);
	snprintf(result, sizeof(result), "%s/result", recorder_folder);
	setenv("RESULT_OF_TEST", "must not be seen", 1);
}

static void clean(void)
{
	hook_close(hook);
	loop_close(loop);
	hook = NULL;
	loop = NULL;
	recorder_clean();
}

TestSuite(hook, .init = prepare, .fini = clean, .timeout = 180);

static void start(const char *command, uint64_t timeout_s)
{
	const struct hook_options options = {
		.command = command, .user = "nobody", .timeout_s = timeout_s};

	cr_assert_eq(hook_open(&hook, &options), 0);
	cr_assert_eq(loop_open(&loop), 0);
	cr_assert_eq(hook_attach(hook, loop), 0);
}

static void settle(void)
{
	while (hook_pending(hook))
		cr_assert_eq(loop_once(loop, RECORDER_WAIT_MS), 0);
}

static const struct hook_facts facts = {
	.dump = "/var/dumps/a.bin",
	.service = "orders\nTTLOG_PID=1",
	.reason = "sigsegv",
	.how = "fault",
	.signal = "SIGSEGV",
	.signature = "0011223344556677",
	.sentence = "it \x1b[31mdied",
	.pid = 4242,
	.exit_code = -1,
};

static const char *read_result(void)
{
	static char text[8192];
	const int fd = open(result, O_RDONLY | O_CLOEXEC);
	const ssize_t bytes = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	text[bytes > 0 ? bytes : 0] = '\0';
	if (fd >= 0)
		close(fd);
	return text;
}

static const char *command_with(const char *format)
{
	static char command[512];

	snprintf(command, sizeof(command), format, result);
	return command;
}

Test(hook, tells_the_facts_without_control_characters_and_nothing_else)
{
	const char *text;

	start(command_with("env >%s"), 30);
	hook_run(hook, &facts, -1);
	settle();
	text = read_result();
	cr_expect(strstr(text, "\nTTLOG_DUMP=/var/dumps/a.bin\n"), "%s", text);
	cr_expect(strstr(text, "TTLOG_SERVICE=orders?TTLOG_PID=1\n"), "%s", text);
	cr_expect(strstr(text, "TTLOG_SENTENCE=it ?[31mdied\n"), "%s", text);
	cr_expect(strstr(text, "\nTTLOG_PID=4242\n"), "%s", text);
	cr_expect(strstr(text, "TTLOG_SIGNAL=SIGSEGV\n"), "%s", text);
	cr_expect_null(strstr(text, "TTLOG_EXIT_CODE"), "%s", text);
	cr_expect_null(strstr(text, "RESULT_OF_TEST"), "%s", text);
	cr_expect_eq(counters.hooks_run, 1);
	cr_expect_eq(counters.hooks_failed, 0);
}

Test(hook, has_no_privileges_no_descriptors_and_a_session_of_its_own)
{
	const int leaked = open("/dev/null", O_RDONLY); /* not closed by an exec */
	const char *text;

	start(command_with("{ grep -E '^(Uid|Cap|NoNew)' /proc/self/status; ls /proc/self/fd; "
			   "awk '{print \"session\", $6 == $5}' /proc/$$/stat; ulimit -c; } >%s"),
	      30);
	hook_run(hook, &facts, -1);
	settle();
	close(leaked);
	text = read_result();
	for (const char *at = text; (at = strstr(at, "Cap")); at++) {
		if (strncmp(at, "CapBnd", 6) != 0)
			cr_expect(strstr(at, "0000000000000000"), "%s", at);
		if (!strncmp(at, "CapEff", 6))
			cr_expect_eq(strncmp(at, "CapEff:\t0000000000000000", 24), 0, "%s", text);
	}
	cr_expect(strstr(text, "NoNewPrivs:\t1"), "%s", text);
	if (!geteuid())
		cr_expect(strstr(text, "Uid:\t65534\t65534\t65534\t65534"), "%s", text);
	/* ls has its own fd of the folder as 3. */
	cr_expect(strstr(text, "\n0\n1\n2\n3\nsession 1\n0\n"), "%s", text);
}

Test(hook, gets_the_dump_as_its_input)
{
	char path[120];
	int fd;

	snprintf(path, sizeof(path), "%s/secret", recorder_folder);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	cr_assert_eq(write(fd, "the dump", 8), 8);
	close(fd);
	start(command_with("cat >%s"), 30);
	hook_run(hook, &facts, open(path, O_RDONLY | O_CLOEXEC));
	settle();
	cr_expect_str_eq(read_result(), "the dump");
}

Test(hook, is_killed_with_its_children_when_its_time_is_over)
{
	unsigned int runs = 0;

	start(command_with("sleep 1000 & echo $! >%s; wait"), 1);
	/* On a busy machine it may be killed before it got anywhere. */
	do {
		hook_run(hook, &facts, -1);
		settle();
		cr_assert_eq(counters.hooks_failed, ++runs);
	} while (!strchr(read_result(), '\n') && runs < 30);
	const pid_t grandchild = atoi(read_result());

	cr_assert_gt(grandchild, 1);
	/* Its new parent may have to reap it first. */
	for (int i = 0; i < 600 && !kill(grandchild, 0); i++) {
		char state_path[64], state[256] = "";
		int fd;

		snprintf(state_path, sizeof(state_path), "/proc/%d/stat", (int)grandchild);
		fd = open(state_path, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || read(fd, state, sizeof(state) - 1) <= 0 || strstr(state, ") Z")) {
			close(fd);
			return;
		}
		close(fd);
		poll(NULL, 0, 100);
	}
	cr_expect_eq(kill(grandchild, 0), -1, "it lives on");
}

Test(hook, counts_what_fails)
{
	start("exit 3", 30);
	hook_run(hook, &facts, -1);
	settle();
	cr_expect_eq(counters.hooks_run, 1);
	cr_expect_eq(counters.hooks_failed, 1);
}

Test(hook, runs_four_at_a_time_lets_others_wait_and_counts_those_beyond)
{
	const unsigned int ordered = HOOK_RUNNING_MAX + HOOK_WAITING_MAX + 10;
	char gate[120];

	snprintf(gate, sizeof(gate), "%s/gate", recorder_folder);
	cr_assert_eq(mkfifo(gate, 0666), 0);
	cr_assert_eq(chmod(gate, 0666), 0);
	char command[400];

	/* Each waits until the gate has a writer. */
	snprintf(command, sizeof(command), "read x <%s; echo done >>%s", gate, result);
	start(command, 60);
	for (unsigned int i = 0; i < ordered; i++)
		hook_run(hook, &facts, -1);
	cr_expect_eq(hook_pending(hook), HOOK_RUNNING_MAX + HOOK_WAITING_MAX);
	cr_expect_eq(counters.hooks_failed, 10);
	const int fd = open(gate, O_RDWR | O_CLOEXEC);

	for (unsigned int i = 0; i < ordered; i++)
		cr_assert_eq(write(fd, "go\n", 3), 3);
	settle();
	close(fd);
	unsigned int count = 0;

	for (const char *at = read_result(); (at = strstr(at, "done\n")); at++)
		count++;
	cr_expect_geq(count, 1);
	cr_expect_eq(counters.hooks_run, HOOK_RUNNING_MAX + HOOK_WAITING_MAX);
	cr_expect_eq(hook_pending(hook), 0);
}

Test(hook, a_helper_that_dies_is_said_and_survived)
{
	start("kill -9 $PPID", 60);
	hook_run(hook, &facts, -1);
	settle();
	hook_run(hook, &facts, -1);
	cr_expect_eq(hook_pending(hook), 0);
	cr_expect_eq(counters.hooks_failed, 2);
}

Test(hook, knows_no_user_that_there_is_not)
{
	const struct hook_options options = {
		.command = "true", .user = "no-such-user-here", .timeout_s = 1};

	cr_expect_eq(hook_open(&hook, &options), -ENOENT);
}

/* ---- with a recorder -------------------------------------------------------------------- */

static void crash(void)
{
	ready();
	raise(SIGABRT);
}

Test(hook, a_recorder_runs_it_after_each_dump)
{
	struct recorder_process recorder;
	struct service service;
	char command[600], line[LINE_BYTES];
	const char *const arguments[] = {"--on-dump", command, NULL};
	const char *text;

	snprintf(command, sizeof(command),
		 "{ lz4 -dc | grep -ac 'the last words'; env; } >%s.tmp && mv %s.tmp %s", result,
		 result, result);
	start_recorder(&recorder, arguments);
	start_service(&service, crash);
	reap(&service);
	expect_line(&recorder, ".bin", line, sizeof(line));
	/* It waits for commands that run. */
	cr_assert_eq(kill(recorder.pid, SIGTERM), 0);
	cr_assert_eq(end_status(&recorder), 0);
	close(recorder.stderr_fd);
	text = read_result();
	cr_expect(text[0] >= '1' && text[0] <= '9', "%s", text);
	cr_expect(strstr(text, "\nTTLOG_SERVICE=orders\n"), "%s", text);
	cr_expect(strstr(text, "\nTTLOG_SIGNATURE="), "%s", text);
	cr_expect(strstr(text, strrchr(line, ' ') + 1), "%s: %s", line, text);
}
