/* SPDX-License-Identifier: MIT */
/* A daemon that is told by SIGHUP to read its configuration again. */
#include "tests/service_process.h"

static char config_path[128];

static void prepare(void)
{
	recorder_prepare();
	snprintf(config_path, sizeof(config_path), "%s/recorder.conf", recorder_folder);
}

TestSuite(reload, .init = prepare, .fini = recorder_clean, .timeout = 150);

static void configure(const char *text)
{
	FILE *file = fopen(config_path, "w");

	cr_assert(file);
	cr_assert_geq(fputs(text, file), 0);
	cr_assert_eq(fclose(file), 0);
	cr_assert_eq(chmod(config_path, 0644), 0);
}

static void leave(void)
{
	ready();
	_exit(0);
}

/* A process that ends well; the line that the recorder says about it. */
static void one_clean_exit(struct recorder_process *recorder, const char *words, char *line)
{
	struct service service;

	start_service(&service, leave);
	reap(&service);
	expect_line(recorder, words, line, LINE_BYTES);
}

/* How a process ended that is nobody's child is for the kernel program to say. */
static void start_with_bpf(struct recorder_process *recorder)
{
	const char *const arguments[] = {"--config", config_path,    "--socket", recorder_socket,
					 "--dir",    recorder_dumps, NULL};
	char line[LINE_BYTES];

	start_program(recorder, arguments);
	expect_line(recorder, "listening on", line, sizeof(line));
	if (!strstr(line, "with eBPF")) {
		stop_recorder(recorder);
		recorder_clean(); /* a skipped test has no fini */
		cr_skip("%s", line);
	}
}

Test(reload, changes_what_is_dumped_while_clients_record)
{
	struct recorder_process recorder;
	struct service service;
	char line[LINE_BYTES];

	configure("dump-on-exit = no\nverbose = yes\n");
	start_with_bpf(&recorder);
	start_service(&service, live);
	one_clean_exit(&recorder, "no dump", line);

	configure("dump-on-exit = yes\nverbose = yes\n");
	cr_assert_eq(kill(recorder.pid, SIGHUP), 0);
	expect_line(&recorder, "the configuration was read again", line, sizeof(line));
	one_clean_exit(&recorder, ".bin", line);
	check_dump(line, "-exit-0.bin", "the last words");

	/* One that makes no sense leaves it as it is, and everybody lives on. */
	configure("dump-on-exit = no\nnonsense\n");
	cr_assert_eq(kill(recorder.pid, SIGHUP), 0);
	expect_line(&recorder, "recorder.conf:2: ", line, sizeof(line));
	expect_line(&recorder, "stays as it was", line, sizeof(line));
	one_clean_exit(&recorder, ".bin", line);
	cr_assert_eq(kill(service.pid, SIGKILL), 0);
	reap(&service);
	expect_killed(&recorder, line, sizeof(line), "the last words");
	stop_recorder(&recorder);
}

Test(reload, a_recorder_with_a_bad_file_does_not_start)
{
	struct recorder_process recorder;
	char line[LINE_BYTES];

	configure("max-clients = many\n");
	start_program(&recorder, (const char *const[]){"--config", config_path, NULL});
	expect_line(&recorder, "recorder.conf:1: 'many' makes no sense", line, sizeof(line));
	cr_expect_eq(end_status(&recorder), 2 << 8);
	close(recorder.stderr_fd);
}

/* What it prints, with the exit status of the shell. */
static const char *check_config(const char *arguments, int *ret_status)
{
	static char text[65536];
	char command[PATH_MAX + 256];
	size_t bytes;
	FILE *out;

	snprintf(command, sizeof(command), "%s --config %s --check-config %s 2>&1",
		 recorder_program, config_path, arguments);
	out = popen(command, "r");
	cr_assert(out);
	bytes = fread(text, 1, sizeof(text) - 1, out);
	text[bytes] = '\0';
	*ret_status = pclose(out);
	return text;
}

/* The line of that key says that value, and ends with who said so. */
static void expect_value(const char *text, const char *key, const char *value, const char *who)
{
	char start[64], line[512] = "";
	const char *at = text;

	snprintf(start, sizeof(start), "\n%s ", key);
	at = strstr(text, start);
	cr_assert(at, "no %s in %s", key, text);
	snprintf(line, sizeof(line), "%.*s", (int)strcspn(at + 1, "\n"), at + 1);
	cr_expect(strstr(line, value), "%s", line);
	cr_expect_str_eq(strstr(line, " # ") ? line + strlen(line) - strlen(who) : line, who);
}

Test(reload, check_config_says_what_is_in_force_and_who_said_so)
{
	char where[200];
	const char *text;
	int status;

	configure("max-region = 5M\ndir = /from/file\n");
	text = check_config("--dir /from/line", &status);
	cr_expect_eq(status, 0);
	snprintf(where, sizeof(where), "# %s:1", config_path);
	expect_value(text, "max-region", "= 5M ", where);
	expect_value(text, "dir", "= /from/line ", "# command line");
	expect_value(text, "max-clients", "= 4096 ", "# default");
	cr_expect(!strncmp(text, "socket ", 7) && strstr(text, "# $TTLOG_SOCKET\n"), "%s", text);

	configure("max-region = 5X\nmax-clients = 0\n");
	text = check_config("", &status);
	cr_expect_eq(status, 2 << 8);
	cr_expect(strstr(text, "recorder.conf:1: ") && strstr(text, "recorder.conf:2: "), "%s",
		  text);
	cr_expect_null(strstr(text, " # "), "nothing is in force: %s", text);
}
