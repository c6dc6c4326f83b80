/* SPDX-License-Identifier: MIT */
/* `ttlog-recorder run`: what the command inherits, hears and leaves, as it would without us. */
#include <pty.h>
#include <sys/mman.h>
#include <termios.h>

#include "lib/ttlog.h"
#include "tests/recorder_process.h"

#define LINE_BYTES 2048

static char self[PATH_MAX];

static void prepare(void)
{
	ssize_t count = readlink("/proc/self/exe", self, sizeof(self) - 1);

	cr_assert_gt(count, 0);
	recorder_prepare();
	cr_assert_eq(mkdir(recorder_dumps, 0777), 0);
	cr_assert_eq(chmod(recorder_dumps, 0777), 0);
}

TestSuite(run, .init = prepare, .fini = recorder_clean, .timeout = 120);

/*
 * Starts a program with its stdout in a pipe, under a recorder or plainly, and reads that. Its exit
 * status, as a shell has it.
 */
static int run_command(struct recorder_process *recorder, bool plain, const char *const *argv,
		       char *output, size_t bytes)
{
	const char *arguments[RECORDER_ARGS_MAX] = {"run", "-d", recorder_dumps, "--"};
	int out[2], saved = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0), status;
	size_t count = 0;
	ssize_t got;

	for (int i = 4; argv[i - 4]; i++)
		arguments[i] = argv[i - 4];
	cr_assert_eq(pipe2(out, O_CLOEXEC), 0);
	dup2(out[1], STDOUT_FILENO);
	if (plain)
		start_file(recorder, argv[0], argv + 1);
	else
		start_program(recorder, arguments);
	dup2(saved, STDOUT_FILENO);
	close(saved);
	close(out[1]);
	while ((got = read(out[0], output + count, bytes - 1 - count)) > 0)
		count += (size_t)got;
	output[count] = '\0';
	close(out[0]);
	status = end_status(recorder);
	cr_assert(WIFEXITED(status), "%#x", status);
	return WEXITSTATUS(status);
}

static int run_script(struct recorder_process *recorder, const char *script, char *output,
		      size_t bytes)
{
	return run_command(recorder, false, (const char *const[]){"sh", "-c", script, NULL}, output,
			   bytes);
}

static unsigned int count_private_folders(void)
{
	unsigned int count = 0;
	DIR *dir = opendir(recorder_folder);

	for (const struct dirent *entry; (entry = readdir(dir));)
		count += !strncmp(entry->d_name, "ttlog-run-", 10);
	closedir(dir);
	return count;
}

Test(run, exits_as_the_command_does)
{
	static const struct {
		const char *script;
		int status;
	} row[] = {
		{"exit 0", 0},		{"exit 3", 3},		{"exit 255", 255},
		{"kill -TERM $$", 143}, {"kill -KILL $$", 137}, {"exec /nonexistent", 127},
	};
	struct recorder_process recorder;
	char output[64];

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		const int status = run_script(&recorder, row[i].script, output, sizeof(output));

		cr_expect_eq(status, row[i].status, "%s: %d", row[i].script, status);
		close(recorder.stderr_fd);
	}
}

Test(run, says_like_a_shell_that_a_command_can_not_be_run)
{
	static const struct {
		const char *command, *words;
		int status;
	} row[] = {
		{"/nonexistent", "No such file", 127},
		{"ttlog-there-is-no-such-command", "No such file", 127},
		{"/etc/passwd", "Permission denied", 126},
		{"/", "Permission denied", 126},
	};
	struct recorder_process recorder;
	char line[LINE_BYTES];

	setenv("TMPDIR", recorder_folder, 1);
	setenv("PATH", "/usr/bin:/bin",
	       1); /* a folder that may not be searched says something else */
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		const char *const arguments[] = {"run", "-d", recorder_dumps, row[i].command, NULL};

		start_program(&recorder, arguments);
		expect_line(&recorder, row[i].words, line, sizeof(line));
		cr_expect_eq(WEXITSTATUS(end_status(&recorder)), row[i].status, "%s",
			     row[i].command);
		close(recorder.stderr_fd);
	}
	cr_assert_eq(count_private_folders(), 0);
}

Test(run, says_when_nothing_was_recorded_and_leaves_nothing_behind)
{
	struct recorder_process recorder;
	char line[LINE_BYTES], output[256], *slash;
	struct stat status;

	setenv("TMPDIR", recorder_folder, 1);
	cr_assert_eq(run_script(&recorder, "echo $TTLOG_SOCKET; test -S $TTLOG_SOCKET", output,
				sizeof(output)),
		     0);
	expect_line(&recorder, "nothing was recorded", line, sizeof(line));
	cr_assert_eq(strncmp(output, recorder_folder, strlen(recorder_folder)), 0, "%s", output);
	slash = strrchr(output, '/');
	*slash = '\0';
	cr_assert_eq(stat(output, &status), -1, "the private folder is left behind");
	cr_assert_eq(count_private_folders(), 0);
	cr_assert_eq(count_dumps(""), 0);
	close(recorder.stderr_fd);
}

/* ---- what the command inherits ---- */

Test(run, hands_down_signals_limits_and_descriptors_as_they_were)
{
	static const char *const looks[][4] = {
		{"grep", "Sig[BI]", "/proc/self/status"},
		{"grep", "open files", "/proc/self/limits"},
		{"ls", "/proc/self/fd"},
		{"grep", "NSpgid", "/proc/self/status"},
	};
	struct recorder_process recorder;
	struct rlimit files = {.rlim_cur = 333, .rlim_max = 4444};
	char plain[1024], under[1024];
	sigset_t set;

	/* Something to hand down, whatever it is. */
	signal(SIGCHLD, SIG_DFL);
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &files), 0);
	for (size_t i = 0; i < sizeof(looks) / sizeof(looks[0]); i++) {
		cr_assert_eq(run_command(&recorder, true, looks[i], plain, sizeof(plain)), 0);
		close(recorder.stderr_fd);
		cr_assert_eq(run_command(&recorder, false, looks[i], under, sizeof(under)), 0);
		close(recorder.stderr_fd);
		cr_assert_gt(strlen(plain), 0);
		cr_assert_str_eq(under, plain);
	}
}

/* A shell without job control starts its background jobs so, and some daemons everything. */
Test(run, sees_the_end_of_the_command_with_sigchld_ignored)
{
	struct recorder_process recorder;
	char output[256];

	signal(SIGCHLD, SIG_IGN);
	start_program(&recorder,
		      (const char *const[]){"run", "-d", recorder_dumps, "grep", "-q",
					    "SigIgn:.*[13579bdf]....$", "/proc/self/status", NULL});
	signal(SIGCHLD, SIG_DFL);
	cr_assert_eq(WEXITSTATUS(end_status(&recorder)), 0,
		     "SIGCHLD is still ignored in the command");
	cr_assert(!next_line(&recorder, "nothing at all", output, sizeof(output)));
	close(recorder.stderr_fd);
}

Test(run, keeps_stdin_and_the_arguments)
{
	struct recorder_process recorder;
	const char *const arguments[] = {"run",	      "-d", recorder_dumps, "grep", "-e",
					 "-v --help", NULL};
	int in[2];

	cr_assert_eq(pipe2(in, O_CLOEXEC), 0);
	dup2(in[0], STDIN_FILENO);
	cr_assert_eq(write(in[1], "x -v --help x\n", 14), 14);
	close(in[1]);
	start_program(&recorder, arguments);
	cr_assert_eq(WEXITSTATUS(end_status(&recorder)), 0);
	close(recorder.stderr_fd);
	close(in[0]);
}

/* ---- signals ---- */

/* This test program again, as a command: see client() below. */
static void start_client(struct recorder_process *recorder, const char *const *more,
			 const char *what)
{
	const char *arguments[RECORDER_ARGS_MAX] = {"run", "-d", recorder_dumps};
	int count = 3;

	while (*more)
		arguments[count++] = *more++;
	arguments[count++] = self;
	setenv("TTLOG_TEST_CLIENT", what, 1);
	start_program(recorder, arguments);
	unsetenv("TTLOG_TEST_CLIENT");
}

#define NONE ((const char *const[]){NULL})

static const struct {
	int number;
	const char *word;
} heard[] = {
	{SIGTERM, "got-TERM-"}, {SIGHUP, "got-HUP-"},	{SIGUSR1, "got-USR1-"},
	{SIGUSR2, "got-USR2-"}, {SIGQUIT, "got-QUIT-"}, {SIGINT, "got-INT-"},
};

#define HEARD_COUNT (sizeof(heard) / sizeof(heard[0]))

/* Until SIGINT. A shell in `read` may miss a signal that comes before its read(2). */
static void hear_signals(void)
{
	sigset_t set;
	int number = 0;

	sigemptyset(&set);
	for (size_t i = 0; i < HEARD_COUNT; i++)
		sigaddset(&set, heard[i].number);
	sigprocmask(SIG_BLOCK, &set, NULL);
	alarm(100); /* should the test fail to end it */
	fprintf(stderr, "ready\n");
	while (number != SIGINT) {
		number = sigwaitinfo(&set, NULL);
		for (size_t i = 0; i < HEARD_COUNT; i++)
			if (heard[i].number == number)
				fprintf(stderr, "%s\n", heard[i].word);
	}
	_exit(6);
}

Test(run, passes_on_signals_that_were_sent_to_it_alone)
{
	struct recorder_process recorder;
	char line[LINE_BYTES];

	start_client(&recorder, NONE, "signals");
	expect_line(&recorder, "ready", line, sizeof(line));
	for (size_t i = 0; i < HEARD_COUNT; i++) {
		cr_assert_eq(kill(recorder.pid, heard[i].number), 0);
		expect_line(&recorder, heard[i].word, line, sizeof(line));
	}
	cr_assert_eq(WEXITSTATUS(end_status(&recorder)), 6);
	close(recorder.stderr_fd);
}

/* Reads until it says that. */
static void expect_on_terminal(int terminal, const char *words)
{
	static char text[8192];
	static size_t count;

	while (!strstr(text, words)) {
		struct pollfd poll_fd = {.fd = terminal, .events = POLLIN};
		ssize_t got;

		cr_assert_eq(poll(&poll_fd, 1, RECORDER_WAIT_MS), 1, "no '%s' in: %s", words, text);
		got = read(terminal, text + count, sizeof(text) - 1 - count);
		cr_assert_gt(got, 0, "no '%s' in: %s", words, text);
		count += (size_t)got;
	}
}

static void count_interrupts(void)
{
	sigset_t set;
	int count = 0;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	alarm(100);
	printf("ready\n");
	fflush(stdout);
	while (sigwaitinfo(&set, NULL) == SIGINT) {
		printf("int-%d-\n", ++count);
		fflush(stdout);
	}
	printf("end-%d-\n", count);
	fflush(stdout);
	_exit(5);
}

/*
 * Ctrl-C reaches the whole foreground group: the command must not get it a second time from us. The
 * recorder is stopped until the command has had its own, or the two would be one; and takes SIGINT
 * before the SIGUSR1 that it does pass on.
 */
Test(run, leaves_the_terminals_signals_to_the_terminal)
{
	int terminal, status;
	pid_t pid = forkpty(&terminal, NULL, NULL, NULL);

	cr_assert_geq(pid, 0);
	if (!pid) {
		setenv("TTLOG_TEST_CLIENT", "terminal", 1);
		execl(recorder_program, "ttlog-recorder", "run", "--no-bpf", "-d", recorder_dumps,
		      self, NULL);
		_exit(121);
	}
	expect_on_terminal(terminal, "ready");
	cr_assert_eq(kill(pid, SIGSTOP), 0);
	cr_assert_eq(write(terminal, "\x03", 1), 1);
	expect_on_terminal(terminal, "int-1-");
	cr_assert_eq(kill(pid, SIGUSR1), 0);
	cr_assert_eq(kill(pid, SIGCONT), 0);
	expect_on_terminal(terminal, "end-1-");
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert_eq(WEXITSTATUS(status), 5, "%#x", status);
	close(terminal);
}

/* ---- dumps ---- */

/* Outlives the command, which waits until it has recorded, and tells the test who it is. */
static void leave_a_survivor(void)
{
	int recorded[2];
	char byte;

	if (pipe2(recorded, O_CLOEXEC) || fork()) {
		close(recorded[1]);
		_exit(read(recorded[0], &byte, 1) == 1 ? 0 : 96);
	}
	ttlog_info("a survivor's words");
	alarm(100); /* should the test fail to end it */
	printf("%d\n", (int)getpid());
	fflush(stdout);
	dup2(open("/dev/null", O_RDWR), STDERR_FILENO);
	dup2(STDERR_FILENO, STDOUT_FILENO);
	if (write(recorded[1], "", 1) == 1)
		pause();
	_exit(97);
}

static void have_a_child(void)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		ttlog_info("a child's words");
		_exit(7);
	}
	_exit(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 7 ? 0 : 96);
}

static void __attribute__((constructor)) client(void)
{
	const char *what = getenv("TTLOG_TEST_CLIENT");
	const struct rlimit no_core = {0};

	if (!what)
		return;
	setrlimit(RLIMIT_CORE, &no_core);
	if (ttlog_init("command"))
		_exit(98);
	ttlog_info("the last words", "what", what);
	if (!strcmp(what, "signals"))
		hear_signals();
	if (!strcmp(what, "terminal"))
		count_interrupts();
	if (!strcmp(what, "abort"))
		abort();
	if (!strcmp(what, "child"))
		have_a_child();
	if (!strcmp(what, "survivor"))
		leave_a_survivor();
	_exit(atoi(what));
}

static void check_client(const char *const *more, const char *what, int status, const char *reason)
{
	struct recorder_process recorder;
	char line[LINE_BYTES];

	start_client(&recorder, more, what);
	expect_line(&recorder, "command (pid", line, sizeof(line));
	check_dump(line, reason, "the last words");
	cr_assert_eq(WEXITSTATUS(end_status(&recorder)), status);
	close(recorder.stderr_fd);
}

Test(run, always_dumps_the_command_whichever_rung_it_is_on)
{
	check_client(NONE, "0", 0, "-exit-0");
	check_client(NONE, "3", 3, "-exit-3");
	check_client(NONE, "abort", 134, "ab"); /* or sigabrt, where eBPF is not to be had */
	check_client((const char *const[]){"--no-bpf", NULL}, "0", 0, "-exit-0");
	check_client((const char *const[]){"--no-bpf", NULL}, "3", 3, "-exit-3");
	check_client((const char *const[]){"--no-bpf", NULL}, "abort", 134, "-sigabrt");
	cr_assert_eq(count_dumps(""), 6);
}

Test(run, dumps_the_children_of_the_command_too)
{
	struct recorder_process recorder;
	char line[LINE_BYTES];

	start_client(&recorder, NONE, "child");
	for (int i = 0; i < 2; i++) { /* in any order: two workers write them */
		expect_line(&recorder, "command (pid", line, sizeof(line));
		if (strstr(line, "-exit-7"))
			check_dump(line, "-exit-7", "a child's words");
		else
			check_dump(line, "-exit-0", "the last words");
	}
	cr_assert_eq(WEXITSTATUS(end_status(&recorder)), 0);
	cr_assert_eq(count_dumps(""), 2);
	close(recorder.stderr_fd);
}

Test(run, counts_those_who_outlive_the_command)
{
	struct recorder_process recorder;
	char line[LINE_BYTES], text[32] = "";
	int out[2], saved = dup(STDOUT_FILENO);

	cr_assert_eq(pipe2(out, O_CLOEXEC), 0);
	dup2(out[1], STDOUT_FILENO);
	start_client(&recorder, NONE, "survivor");
	dup2(saved, STDOUT_FILENO);
	close(saved);
	close(out[1]);
	expect_line(&recorder, "1 process of it lives on", line, sizeof(line));
	cr_assert_eq(WEXITSTATUS(end_status(&recorder)), 0);
	cr_assert_gt(read(out[0], text, sizeof(text) - 1), 0);
	cr_assert_gt(atoi(text), 1);
	cr_assert_eq(kill(atoi(text), SIGKILL), 0);
	close(out[0]);
	close(recorder.stderr_fd);
}

/* A copy that everybody may execute, wherever the tree lies. */
static void copy_program(char path[PATH_MAX], const char *name)
{
	char command[3 * PATH_MAX], copy[PATH_MAX];

	snprintf(copy, sizeof(copy), "%s/%s", recorder_folder, name);
	snprintf(command, sizeof(command), "install -m 755 '%s' '%s'", path, copy);
	cr_assert_eq(system(command), 0);
	strcpy(path, copy);
}

Test(run, works_without_privileges_and_says_what_is_lost)
{
	struct recorder_process recorder;
	char line[LINE_BYTES];

	if (geteuid()) {
		recorder_clean();
		cr_skip("becoming nobody needs root");
	}
	copy_program(recorder_program, "ttlog-recorder");
	copy_program(self, "client");
	recorder_user = 65534;
	start_client(&recorder, NONE, "3");
	expect_line(&recorder, "without eBPF", line, sizeof(line));
	cr_assert(strstr(line, "senders of signals"), "%s", line);
	expect_line(&recorder, "command (pid", line, sizeof(line));
	check_dump(line, "-exit-3", "the last words");
	cr_assert_eq(WEXITSTATUS(end_status(&recorder)), 3);
	close(recorder.stderr_fd);
}
