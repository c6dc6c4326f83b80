/* SPDX-License-Identifier: MIT */
/* view_shown.h - dumps as ttlog-view shows them, in a folder of the test's own. Included once a program. */
#ifndef TESTS_VIEW_SHOWN_H
#define TESTS_VIEW_SHOWN_H

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
static char output[1 << 18], complaint[1 << 14];
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
	snprintf(command, sizeof(command), "cd %s && V=%s T=%s && { %s; } >out 2>err", folder, program,
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

static void save(const char *name)
{
	char path[PATH_MAX + 16];
	size_t bytes;
	unsigned char *data = made_dump(&bytes);
	int fd;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	cr_assert_eq(write(fd, data, bytes), (ssize_t)bytes);
	close(fd);
	free(data);
}

/* Requests with a span each, one that does not end, a printf; a death, an event behind it; losses. */
static __attribute__((unused)) void make_plain(void)
{
	static const uint8_t begin_types[] = {TTLOG_TYPE_STRING, TTLOG_TYPE_U32, 0};
	static const char *const begin_names[] = {"span", "id"};
	static const uint8_t end_types[] = {TTLOG_TYPE_STRING, TTLOG_TYPE_I32, TTLOG_TYPE_F64, 0};
	static const char *const end_names[] = {"span", "status", "ms"};
	static const uint8_t printf_types[] = {TTLOG_TYPE_I32, TTLOG_TYPE_STRING, 0};
	const double ms = 1.5;
	struct made_event *event;

	made_begin();
	made_site(TTLOG_INFO, "http", "Request", begin_types, begin_names);
	made_site(TTLOG_ERROR, "http", "Request done", end_types, end_names);
	made_site(TTLOG_WARN, "main", "%03d tries for %s", printf_types, NULL);
	for (unsigned int i = 0; i < 3; i++) {
		event = made_event(999000000 + i * 10000, i & 1, 1);
		made_text(event, 0, "begin");
		event->value[1].bits = i;
		if (i == 2)
			break;
		event = made_event(999000000 + i * 10000 + 4000, i & 1, 2);
		made_text(event, 0, "end");
		event->value[1].bits = i ? 500 : 200;
		memcpy(&event->value[2].bits, &ms, sizeof(ms));
	}
	event = made_event(1000001000, 1, 3);
	event->value[0].bits = 7;
	made_text(event, 1, "/a b");
	made.lane[0].overwritten = 1000;
	made.lane[0].overwritten_first = 100000000;
	made.lane[0].overwritten_last = 900000000;
	made.lane[0].dropped = 7;
	made.lane[0].dropped_first = 999005000;
	made.lane[0].dropped_last = 999006000;
	made.totals.overwritten = 1000;
	made.totals.dropped = 7;
}

#define HOSTILE_EVENTS 6

/* Whatever a name or a value may be, of every type, at its ends. */
static __attribute__((unused)) void make_hostile(void)
{
	static const uint8_t types[] = {
		TTLOG_TYPE_BOOL,   TTLOG_TYPE_CHAR,    TTLOG_TYPE_I64,	 TTLOG_TYPE_U64,    TTLOG_TYPE_F32,
		TTLOG_TYPE_F64,	   TTLOG_TYPE_F64,     TTLOG_TYPE_F64,	 TTLOG_TYPE_STRING, TTLOG_TYPE_STRING,
		TTLOG_TYPE_STRING, TTLOG_TYPE_BYTES,   TTLOG_TYPE_POINTER, TTLOG_TYPE_INTERNED,
		TTLOG_TYPE_INTERNED, TTLOG_TYPE_STRING, TTLOG_TYPE_I8,	 TTLOG_TYPE_U8, TTLOG_TYPE_BYTES, 0};
	static const char *const names[] = {
		"bool",	 "char", "i64",	    "u64",   "f32",  "nan",  "inf",    "f64",	 "=cmd|' /C calc'!A0", "a b",
		"a=\"b", "",	 "event",   "int",   "\xff\n\033[2J", "ph", "ts", "a_b__10", "a.b/c-d"};
	static const char hostile[] = "=1+1\033]0;x\a\r\n\"quoted\",\\ \xff\xc0\x80 \xe2\x80\xae\xf0\x9f\x92\xa5 \x7f\xc2\x9b";
	static const uint8_t printf_types[] = {TTLOG_TYPE_STRING, TTLOG_TYPE_I32, 0};
	const double reals[] = {NAN, -INFINITY, -0.1};
	struct made_event *event;

	made_begin();
	made.facts.service = "=ser\"vice\xff\n";
	made.facts.hostname = "host,\"1\"\033";
	made.facts.process.cmdline = "a\nb=c\n\nMESSAGE=forged";
	memcpy(made.thread[0].name, "@th\nr,ead", 10);
	made.string[0] = "in\tterned\n_PID=1";
	made.string_count = 1;
	made_site(TTLOG_FATAL, "-tar\x1bget\"", "=mess\"age\\ \xc3\xbc\n\r\xff, { }; /* // ", types, names);
	made_site(TTLOG_TRACE, "", "", (const uint8_t[]){0}, (const char *const[]){""});
	made_site(TTLOG_DEBUG, "p,q", "%s %n %d%%", printf_types, NULL);
	for (unsigned int i = 0; i < HOSTILE_EVENTS - 2; i++) {
		event = made_event(i ? 999999999 + i : 0, 0, 1);
		event->value[0].bits = i & 1;
		event->value[1].bits = i == 0 ? 0 : i == 1 ? 0xff : i == 2 ? '=' : 'x';
		event->value[2].bits = i & 1 ? (uint64_t)INT64_MIN : INT64_MAX;
		event->value[3].bits = UINT64_MAX;
		event->value[4].bits = i & 1 ? 0x7f800000 : 0x3dcccccd;
		for (unsigned int j = 0; j < 3; j++)
			memcpy(&event->value[5 + j].bits, &reals[j], sizeof(reals[j]));
		made_text(event, 8, hostile);
		event->value[9].data = "nul\0inside";
		event->value[9].size = 10;
		made_text(event, 10, "");
		event->value[11].data = "\x00\xff\n";
		event->value[11].size = 3;
		event->value[12].bits = UINT64_MAX;
		event->value[13].bits = MADE_STRINGS_FROM;
		event->value[14].bits = 12345;
		made_text(event, 15, i == 1 ? "B" : "E");
		event->value[16].bits = (uint64_t)INT8_MIN;
		event->value[17].bits = UINT8_MAX;
		event->value[18].data = "";
	}
	made_event(1000000010, 1, 2);
	event = made_event(1000000011, 1, 3);
	made_text(event, 0, hostile);
	event->value[1].bits = (uint64_t)-1;
}

static void setup(void)
{
	char self[PATH_MAX] = {0};

	cr_assert_gt(readlink("/proc/self/exe", self, sizeof(self) - 1), 0);
	snprintf(program, sizeof(program), "%s/ttlog-view", dirname(dirname(self)));
	cr_assert_not_null(realpath("tests", scripts), "started where the sources are not");
	strcpy(folder, "/tmp/test_shown.XXXXXX");
	cr_assert_not_null(mkdtemp(folder));
	unsetenv("NO_COLOR");
	setenv("TZ", "Europe/Berlin", 1);
	make_plain();
	save("plain.bin");
	make_hostile();
	save("hostile.bin");
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
