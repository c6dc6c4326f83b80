/* SPDX-License-Identifier: MIT */
/*
 * hook_child.c - the helper: an ordinary user who starts commands, and ends them in time.
 *
 * A command has a session of its own. What is left of its process group when it ends, or when its
 * time is over, is killed; what has left that group is an ordinary process of an ordinary user.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "recorder/hook.h"
#include "recorder/hook_parts.h"
#include "recorder/now.h"

#define FILES_MAX 256
#define FILE_BYTES_MAX (UINT64_C(4) << 30) /* a command may copy a dump */

struct running {
	pid_t pid; /* 0: free */
	uint32_t ticket;
	uint64_t deadline_ms;
	bool timed_out;
};

static struct running running[HOOK_RUNNING_MAX];

/* ---- giving up rights ------------------------------------------------------------------- */

static int drop_rights(const struct hook_helper *helper)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	const struct __user_cap_data_struct none[2] = {0};
	const bool was_root = !geteuid();

	if (setgroups(0, NULL) || setresgid(helper->gid, helper->gid, helper->gid) ||
	    setresuid(helper->uid, helper->uid, helper->uid)) {
		if (was_root)
			return -errno;
		/* An ordinary user stays who he is. */
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (syscall(SYS_capset, &head, none))
		return -errno;
	return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) ? -errno : 0;
}

static void limit(int resource, uint64_t value)
{
	struct rlimit old, wanted = {.rlim_cur = value, .rlim_max = value};

	if (!getrlimit(resource, &old) && old.rlim_max < wanted.rlim_max)
		wanted.rlim_cur = wanted.rlim_max = old.rlim_max;
	setrlimit(resource, &wanted);
}

/* ---- one command ------------------------------------------------------------------------ */

static void __attribute__((noreturn))
become(const struct hook_helper *helper, char **variables, int dump_fd)
{
	char *const argv[] = {"sh", "-c", (char *)(uintptr_t)helper->command, NULL};
	sigset_t none;

	setsid();
	if (dump_fd < 0)
		dump_fd = open("/dev/null", O_RDONLY);
	if (dup2(dump_fd, STDIN_FILENO) < 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0 || chdir("/"))
		_exit(126);
	syscall(SYS_close_range, 3U, ~0U, 0U);
	limit(RLIMIT_CORE, 0);
	limit(RLIMIT_CPU, helper->timeout_s);
	limit(RLIMIT_NOFILE, FILES_MAX);
	limit(RLIMIT_FSIZE, FILE_BYTES_MAX);
	umask(077);
	signal(SIGPIPE, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execve("/bin/sh", argv, variables);
	_exit(127);
}

static void answer(const struct hook_helper *helper, uint32_t ticket, int status, bool timed_out)
{
	const struct hook_answer message = {
		.ticket = ticket, .status = status, .timed_out = timed_out};

	/* Whoever does not listen any more has gone. */
	send(helper->socket_fd, &message, sizeof(message), MSG_NOSIGNAL);
}

static void start(const struct hook_helper *helper, uint32_t ticket, char **variables, int dump_fd)
{
	struct running *free_one = NULL;
	pid_t pid = -1;

	for (unsigned int i = 0; i < HOOK_RUNNING_MAX && !free_one; i++)
		if (!running[i].pid)
			free_one = &running[i];
	if (free_one)
		pid = fork();
	if (!pid)
		become(helper, variables, dump_fd);
	if (pid < 0) {
		answer(helper, ticket, -1, false);
		return;
	}
	*free_one = (struct running){
		.pid = pid,
		.ticket = ticket,
		.deadline_ms = now_ms() + UINT64_C(1000) * helper->timeout_s,
	};
}

/* The recorder wrote it; still it is counted. */
static int take_variables(char *text, size_t bytes, uint32_t count,
			  char *ret_variables[HOOK_VARIABLES_MAX + 1])
{
	char *at = text, *const end = text + bytes;

	if (count > HOOK_VARIABLES_MAX || !bytes || end[-1])
		return -EBADMSG;
	for (uint32_t i = 0; i < count; i++) {
		if (at >= end)
			return -EBADMSG;
		ret_variables[i] = at;
		at += strlen(at) + 1;
	}
	ret_variables[count] = NULL;
	return 0;
}

/* False: the recorder has gone. */
static bool take_request(const struct hook_helper *helper)
{
	static char text[HOOK_MESSAGE_BYTES];
	char *variables[HOOK_VARIABLES_MAX + 1];
	struct hook_request request;
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec parts[] = {{&request, sizeof(request)}, {text, sizeof(text)}};
	struct msghdr message = {.msg_iov = parts,
				 .msg_iovlen = 2,
				 .msg_control = &control,
				 .msg_controllen = sizeof(control)};
	const ssize_t got = recvmsg(helper->socket_fd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	const struct cmsghdr *extra;
	int dump_fd = -1;

	if (got < 0)
		return errno == EAGAIN || errno == EINTR;
	extra = CMSG_FIRSTHDR(&message);
	if (extra && extra->cmsg_type == SCM_RIGHTS && extra->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(&dump_fd, CMSG_DATA(extra), sizeof(dump_fd));
	if (got >= (ssize_t)sizeof(request)) {
		if (take_variables(text, (size_t)got - sizeof(request), request.variables,
				   variables))
			answer(helper, request.ticket, -1, false);
		else
			start(helper, request.ticket, variables, dump_fd);
	}
	if (dump_fd >= 0)
		close(dump_fd);
	return got > 0;
}

/* ---- all of them ------------------------------------------------------------------------ */

static void reap(const struct hook_helper *helper)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (unsigned int i = 0; i < HOOK_RUNNING_MAX; i++) {
			if (running[i].pid != pid)
				continue;
			kill(-pid, SIGKILL); /* what it left behind in its group */
			answer(helper, running[i].ticket, status, running[i].timed_out);
			running[i].pid = 0;
		}
}

/* Returns the milliseconds until the next one is due; -1: none runs. */
static int kill_late(void)
{
	const uint64_t now = now_ms();
	int64_t next_ms = -1;

	for (unsigned int i = 0; i < HOOK_RUNNING_MAX; i++) {
		int64_t left_ms = (int64_t)(running[i].deadline_ms - now);

		if (!running[i].pid)
			continue;
		if (left_ms <= 0) {
			running[i].timed_out = true;
			kill(-running[i].pid, SIGKILL);
			kill(running[i].pid, SIGKILL); /* it had no time for its setsid() */
			left_ms = 1000;		       /* it will be reaped; if not, again */
		}
		if (next_ms < 0 || left_ms < next_ms)
			next_ms = left_ms;
	}
	return (int)next_ms;
}

static bool any_runs(void)
{
	for (unsigned int i = 0; i < HOOK_RUNNING_MAX; i++)
		if (running[i].pid)
			return true;
	return false;
}

static void __attribute__((noreturn)) serve(const struct hook_helper *helper, int signal_fd)
{
	struct pollfd fds[] = {{.fd = signal_fd, .events = POLLIN},
			       {.fd = helper->socket_fd, .events = POLLIN}};
	struct signalfd_siginfo info;

	while (fds[1].fd >= 0 || any_runs()) {
		if (poll(fds, 2, kill_late()) < 0 && errno != EINTR)
			_exit(1);
		while (read(signal_fd, &info, sizeof(info)) > 0)
			;
		reap(helper);
		/* Gone: what runs has its time, and then nobody is left to run for. */
		if (fds[1].fd >= 0 && fds[1].revents && !take_request(helper))
			fds[1].fd = -1;
	}
	_exit(0);
}

void hook_help(const struct hook_helper *helper)
{
	struct hook_helper own = *helper;
	sigset_t set;
	int signal_fd;

	/* The terminal's keys are for the recorder, who tells by hanging up. */
	setsid();
	prctl(PR_SET_NAME, "ttlog-hook", 0, 0, 0);
	if (own.socket_fd != 3 && (dup3(own.socket_fd, 3, O_CLOEXEC) < 0))
		_exit(1);
	own.socket_fd = 3;
	syscall(SYS_close_range, 4U, ~0U, 0U);
	if (drop_rights(&own))
		_exit(1);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_SETMASK, &set, NULL);
	signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (signal_fd < 0)
		_exit(1);
	serve(&own, signal_fd);
}
