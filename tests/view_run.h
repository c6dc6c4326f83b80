/* SPDX-License-Identifier: MIT */
/* view_run.h - ttlog-view as a user runs it, in a folder of the test's own. Included once a program. */
#ifndef TESTS_VIEW_RUN_H
#define TESTS_VIEW_RUN_H

#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "tests/made_dump.h"

static char folder[PATH_MAX], program[PATH_MAX], scripts[PATH_MAX];
static char output[1 << 20], complaint[1 << 14];
static int status;

static void read_back(const char *name, char *buffer, size_t bytes)
{
	char path[PATH_MAX + 16];
	ssize_t got;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	got = read(fd, buffer, bytes - 1);
	cr_assert_geq(got, 0);
	buffer[got] = '\0';
	/* It would hide what is behind it. */
	for (ssize_t i = 0; i < got; i++)
		if (!buffer[i])
			buffer[i] = '\1';
	close(fd);
}

/* Runs a command in the folder with a shell; $V is ttlog-view, $T the folder of tests' scripts. */
static __attribute__((format(printf, 1, 2))) void shell(const char *format, ...)
{
	char line[PATH_MAX], command[5 * PATH_MAX];
	va_list list;

	va_start(list, format);
	cr_assert_lt(vsnprintf(line, sizeof(line), format, list), (int)sizeof(line));
	va_end(list);
	snprintf(command, sizeof(command), "cd %s && export V=%s T=%s && { %s; } >out 2>err", folder, program,
		 scripts, line);
	status = system(command);
	cr_assert(WIFEXITED(status), "died of signal %d: %s", WTERMSIG(status), line);
	status = WEXITSTATUS(status);
	read_back("out", output, sizeof(output));
	read_back("err", complaint, sizeof(complaint));
}

/* A program of someone else's, without which the test can't be. */
static __attribute__((unused)) void need(const char *command)
{
	shell("%s >/dev/null 2>&1", command);
	if (status)
		cr_skip("there is no %s", command);
}

static __attribute__((unused)) void expect_shown(const char *arguments, const char *wanted)
{
	shell("$V %s", arguments);
	cr_expect_eq(status, 0, "%s: %s", arguments, complaint);
	cr_expect_str_empty(complaint);
	cr_expect_str_eq(output, wanted, "%s:\n%s", arguments, output);
}

/* Wrong use: nothing is shown, and what is right is said. */
static __attribute__((unused)) void expect_refused(const char *arguments, const char *why)
{
	shell("$V %s", arguments);
	cr_expect_eq(status, 2, "%s: %d", arguments, status);
	cr_expect_str_empty(output);
	cr_expect(strstr(complaint, why), "%s: %s", arguments, complaint);
}

static void write_file(const char *name, const void *data, size_t bytes)
{
	char path[PATH_MAX + 64];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	cr_assert_eq(write(fd, data, bytes), (ssize_t)bytes);
	close(fd);
}

/* What is made, as a dump; its size. */
static __attribute__((unused)) size_t save(const char *name)
{
	size_t bytes;
	unsigned char *data = made_dump(&bytes);

	write_file(name, data, bytes);
	free(data);
	return bytes;
}

/* The program is beside the test's own folder. */
static void begin_folder(void)
{
	char self[PATH_MAX] = {0};

	cr_assert_gt(readlink("/proc/self/exe", self, sizeof(self) - 1), 0);
	snprintf(program, sizeof(program), "%s/ttlog-view", dirname(dirname(self)));
	cr_assert_not_null(realpath("tests", scripts), "started where the sources are not");
	strcpy(folder, "/tmp/test_view.XXXXXX");
	cr_assert_not_null(mkdtemp(folder));
	unsetenv("NO_COLOR");
	unsetenv("PAGER");
	unsetenv("TTLOG_PAGER");
}

static void teardown(void)
{
	char command[PATH_MAX + 16];

	snprintf(command, sizeof(command), "rm -r %s", folder);
	cr_expect_eq(system(command), 0);
	free(made.event);
	made.event = NULL;
}

#endif
