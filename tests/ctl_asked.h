/* SPDX-License-Identifier: MIT */
/*
 * ctl_asked.h - for the tests of ttlog-ctl: what it answers, to whom, about a service that is told what
 * to do.
 */
#ifndef TESTS_CTL_ASKED_H
#define TESTS_CTL_ASKED_H

#include "tests/told_service.h"

#define ANSWER_BYTES (1 << 16)

static char control[100];
static char ctl_program[PATH_MAX]; /* where any user can execute it */

static void prepare(void)
{
	char command[2 * PATH_MAX + 32];

	recorder_prepare();
	setenv("TTLOG_BUFFER_SIZE", "1M", 1);
	snprintf(control, sizeof(control), "%s/control.sock", recorder_folder);
	snprintf(ctl_program, sizeof(ctl_program), "%s/ttlog-ctl", recorder_folder);
	snprintf(command, sizeof(command), "cp '%.*sttlog-ctl' '%s'",
		 (int)(strrchr(recorder_program, '/') + 1 - recorder_program), recorder_program,
		 ctl_program);
	cr_assert_eq(system(command), 0);
}

static void obey(void)
{
	char order;

	ready();
	while (read(order_fd, &order, 1) == 1) {
		switch (order) {
		case 'f': /* more than the region has room for */
			for (int i = 0; i < 100000; i++)
				ttlog_info("filling", "i", i);
			break;
		case 'd':
			ttlog_debug("a debug event");
			break;
		case 'w': /* until the level has changed, which nothing of ours asks for */
			while (ttlog_enabled(TTLOG_DEBUG))
				;
			break;
		case 'k':
			kill(getpid(), SIGKILL);
			break;
		case 'x':
			_exit(0);
		}
		ready();
	}
}

static void order(const struct told *told, char what)
{
	cr_assert_eq(write(told->orders, &what, 1), 1);
}

static void expect_done(const struct told *told)
{
	char byte;

	cr_assert_eq(read(told->service.said, &byte, 1), 1);
}

struct answer {
	int status;
	char text[ANSWER_BYTES], errors[4096];
};

static void read_all(int fd, char *text, size_t bytes)
{
	size_t count = 0;
	ssize_t got;

	while ((got = read(fd, text + count, bytes - 1 - count)) > 0)
		count += (size_t)got;
	text[count] = '\0';
	close(fd);
}

/* As that user (0: as we are). Its lines on stderr are few, so nobody waits for anybody. */
static struct answer *ask_as(uid_t user, const char *const *arguments)
{
	static struct answer answer;
	const char *argv[RECORDER_ARGS_MAX] = {ctl_program};
	int out[2], err[2];
	pid_t pid;

	for (int i = 1; *arguments && i < RECORDER_ARGS_MAX - 1; i++)
		argv[i] = *arguments++;
	cr_assert_eq(pipe2(out, O_CLOEXEC), 0);
	cr_assert_eq(pipe2(err, O_CLOEXEC), 0);
	pid = fork_child();
	if (!pid) {
		dup2(out[1], STDOUT_FILENO);
		dup2(err[1], STDERR_FILENO);
		if (user && (setregid(user, user) || setreuid(user, user)))
			_exit(122);
		execv(ctl_program, (char *const *)(uintptr_t)argv);
		_exit(121);
	}
	close(out[1]);
	close(err[1]);
	read_all(out[0], answer.text, sizeof(answer.text));
	read_all(err[0], answer.errors, sizeof(answer.errors));
	cr_assert_eq(waitpid(pid, &answer.status, 0), pid);
	cr_assert(WIFEXITED(answer.status), "%#x", answer.status);
	answer.status = WEXITSTATUS(answer.status);
	return &answer;
}

#define ARGS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define ASK(...) ask_as(0, ARGS(__VA_ARGS__))

/* The value of a key in the first object, as its bytes. */
static const char *value_of(const struct answer *answer, const char *key, char value[64])
{
	char quoted[64];
	const char *at;

	snprintf(quoted, sizeof(quoted), "\"%s\":", key);
	at = strstr(answer->text, quoted);
	cr_assert(at, "%s is not in %s", key, answer->text);
	at += strlen(quoted);
	*(char *)mempcpy(value, at, strcspn(at, ",}") < 63 ? strcspn(at, ",}") : 63) = '\0';
	return value;
}

static unsigned long long number_of(const struct answer *answer, const char *key)
{
	char value[64];

	return strtoull(value_of(answer, key, value), NULL, 10);
}

static void expect_status(const struct answer *answer, int status)
{
	cr_assert_eq(answer->status, status, "%d: %s%s", answer->status, answer->text,
		     answer->errors);
}

#endif
