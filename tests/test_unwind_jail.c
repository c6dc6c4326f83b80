/* SPDX-License-Identifier: MIT */
/* What the child that unwinds can't do, tried from inside. */
#include <criterion/criterion.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "recorder/unwind_parts.h"

static bool has_line(const char *text, const char *name, const char *value)
{
	const char *at = strstr(text, name);

	return at && !strncmp(at + strlen(name), value, strlen(value));
}

/* In the jail: 0, or the number of what it could do and should not. */
static int try_things(const char *status, const char *limits, uid_t uid)
{
	char ids[64];

	snprintf(ids, sizeof(ids), "%u\t%u\t%u\t%u\n", uid, uid, uid, uid);
	if (!has_line(status, "CapEff:\t", "0000000000000000\n") ||
	    !has_line(status, "CapPrm:\t", "0000000000000000\n") ||
	    !has_line(status, "CapAmb:\t", "0000000000000000\n"))
		return 1;
	if (!has_line(status, "NoNewPrivs:\t", "1\n"))
		return 2;
	if (!has_line(status, "Groups:\t", " \n"))
		return 3;
	if (!has_line(status, "Uid:\t", ids) || !has_line(status, "Gid:\t", ids))
		return 4;
	if (uid && (!setuid(0) || open("/etc/shadow", O_RDONLY) >= 0))
		return 5;
	if (!has_line(limits, "Max core file size ", "       0                    0 ") ||
	    !has_line(limits, "Max file size ", "            0                    0 ") ||
	    !has_line(limits, "Max cpu time ", "             5                    5 "))
		return 6;
	return 0;
}

static int try_calls(void)
{
	/* That folder is everybody's. */
	if (open("/dev/null", O_WRONLY) >= 0 ||
	    open("/tmp/ttlog-unwind-jail", O_RDWR | O_CREAT, 0600) >= 0)
		return 11;
	if (socket(AF_UNIX, SOCK_STREAM, 0) >= 0 || socket(AF_INET, SOCK_DGRAM, 0) >= 0)
		return 12;
	if (!kill(getppid(), 0) || errno != EPERM)
		return 13;
	if (fork() >= 0)
		return 14;
	if (open("/etc/hostname", O_RDONLY) < 0)
		return 15;
	return 0;
}

static bool read_all(int fd, char text[8192])
{
	const ssize_t length = pread(fd, text, 8191, 0);

	if (length <= 0)
		return false;
	text[length] = '\0';
	return true;
}

static int live_in_jail(uid_t uid)
{
	struct unwind_jail jail = {.uid = uid, .gid = uid, .seconds = 5};
	const int status_fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	const int limits_fd = open("/proc/self/limits", O_RDONLY | O_CLOEXEC);
	char status[8192], limits[8192];
	int result;

	if (unwind_jail(&jail))
		return 100;
	if (!read_all(status_fd, status) || !read_all(limits_fd, limits))
		return 101;
	result = try_things(status, limits, uid);
	if (!result && !UNWIND_SANITIZED)
		result = has_line(status, "Seccomp:\t", "2\n") ? try_calls() : 10;
	return result;
}

static int exit_status_of(int (*life)(uid_t), uid_t uid)
{
	const pid_t pid = fork();
	int status;

	cr_assert_geq(pid, 0);
	if (!pid)
		_exit(life(uid));
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFEXITED(status), "status 0x%x", status);
	return WEXITSTATUS(status);
}

Test(unwind_jail, can_open_nothing_to_write_and_reaches_nobody)
{
	int could;

	if (geteuid())
		cr_skip("only root can become somebody else: skipped");
	could = exit_status_of(live_in_jail, 65534);
	cr_assert_eq(could, 0, "it could do number %d", could);
}

/* The root of a container may be the machine's. */
Test(unwind_jail, has_no_rights_of_root_either)
{
	int could;

	if (geteuid())
		cr_skip("only root can stay root: skipped");
	could = exit_status_of(live_in_jail, 0);
	cr_assert_eq(could, 0, "it could do number %d", could);
}
