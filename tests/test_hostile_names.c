/* SPDX-License-Identifier: MIT */
/*
 * Names that clients give themselves, and traps in the folder of dumps: where the recorder writes,
 * and what it says, is its own affair.
 */
#include <time.h>

#include "tests/hostile_peer.h"

TestSuite(hostile_names, .init = prepare, .fini = finish, .timeout = 240);

/* ---- names ------------------------------------------------------------------------------ */

static const char *const names[] = {
	"../../../etc/cron.d/x",
	"/etc/passwd",
	"a/b/c",
	".",
	"..",
	"-rf",
	"$(reboot)",
	"`id`;'\"",
	"x\ny: killed\n",
	"\x1b[2J",
	"\xff\xfe\xfd",
	"\xc0\xaf\xed\xa0\x80",
	"\xf0\x9f\x92\xa9",
	"%s%n%s%n%x",
	" ",
	"{\"a\":1}",
};

static unsigned int name_index;

static void live_under_a_name(int said)
{
	struct ttlog_hello hello = hello_by_hand("");
	struct ttlog_welcome welcome;
	int fd = peer_connect(recorder_socket), fds[2];

	strncpy(hello.service, names[name_index], sizeof(hello.service) - 1);
	if (send(fd, &hello, sizeof(hello), 0) < 0 ||
	    receive_welcome(fd, &welcome, fds) != sizeof(welcome) || welcome.status)
		_exit(2);
	say_ready(said);
	pause();
}

/* Of the whole folder nothing but the dump has changed, and the line about it is one line. */
Test(hostile_names, may_be_anything)
{
	static char info[1 << 20];
	char line[LINE_BYTES], in_folder[PATH_MAX];
	pid_t pid;

	snprintf(in_folder, sizeof(in_folder), "%s/ttlog-", recorder_dumps);
	for (name_index = 0; name_index < sizeof(names) / sizeof(names[0]); name_index++) {
		pid = start_peer(live_under_a_name);
		end_process(pid);
		find_dump_of(&recorder, pid, line, sizeof(line));
		cr_assert(strstr(line, in_folder), "%s", line);
		cr_assert_null(strchr(strstr(line, in_folder) + strlen(in_folder), '/'));
		for (const char *at = line; *at; at++)
			cr_assert((unsigned char)*at >= ' ' && *at != 0x7f, "%#x", *at);
		cr_assert(view_info(strstr(line, recorder_dumps), info, sizeof(info)));
		for (const char *at = info; *at; at++)
			cr_assert((unsigned char)*at >= ' ' || *at == '\n', "%#x", *at);
	}
	cr_assert_eq(count_dumps(""), name_index);
	expect_honest_service(&recorder);
}

/* ---- traps in the folder ---------------------------------------------------------------- */

static void plant(const char *target, const char *name)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", recorder_dumps, name);
	cr_assert_eq(symlink(target, path), 0, "%s: %s", path, strerror(errno));
}

/* Everybody may write there, as into /tmp, and the names of what comes next can be guessed. */
Test(hostile_names, links_can_not_lead_dumps_astray)
{
	char target[100], name[128], line[LINE_BYTES], seconds[32];
	const time_t now = time(NULL);
	struct service service;
	struct stat status;
	struct tm utc;
	int fd;

	snprintf(target, sizeof(target), "%s/precious", recorder_folder);
	fd = open(target, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	cr_assert_geq(fd, 0);
	close(fd);
	cr_assert_eq(chmod(recorder_dumps, 01777), 0);
	for (int i = 0; i < 32; i++) {
		snprintf(name, sizeof(name), ".ttlog-%d-%d.tmp", (int)recorder.pid, i);
		plant(target, name);
	}
	start_service(&service, honest_life);
	for (int i = 0; i < 90; i++) {
		const time_t then = now + i;

		gmtime_r(&then, &utc);
		strftime(seconds, sizeof(seconds), "%Y%m%d%H%M%S", &utc);
		snprintf(name, sizeof(name), "ttlog-%d-%s-sigkill.bin", (int)service.pid, seconds);
		plant(target, name);
		snprintf(name, sizeof(name), "ttlog-%d-%s-unknown.bin", (int)service.pid, seconds);
		plant(target, name);
	}
	cr_assert_eq(kill(service.pid, SIGKILL), 0);
	find_dump_of(&recorder, service.pid, line, sizeof(line));
	reap(&service);
	expect_honest_events(strrchr(line, ' ') + 1);
	cr_assert_eq(lstat(strrchr(line, ' ') + 1, &status), 0);
	cr_assert(S_ISREG(status.st_mode));
	cr_assert_eq(stat(target, &status), 0);
	cr_assert_eq(status.st_size, 0, "it was written to");
	cr_assert_eq(status.st_mode & 07777, 0644);
	/* stop_recorder() wants none left; these are not the recorder's. */
	snprintf(name, sizeof(name), "find %s -type l -delete", recorder_dumps);
	cr_assert_eq(system(name), 0);
}
