/* SPDX-License-Identifier: MIT */
/* run.c - starts the command, passes signals on, ends as it ended. */
#include "recorder/run.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "recorder/log.h"

#define RUN_LOG_PATIENCE_MS 5000

struct run {
	struct recorder *recorder;
	pid_t pid;
	int pidfd, signal_fd;
	struct loop_source *pidfd_source, *signal_source;
	bool ended;
	int status; /* as waitpid() gives it */
};

static const int passed_on[] = {SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGQUIT, SIGINT};

static void fill_set(sigset_t *set)
{
	sigemptyset(set);
	for (size_t i = 0; i < sizeof(passed_on) / sizeof(passed_on[0]); i++)
		sigaddset(set, passed_on[i]);
}

/* Blocked, not ignored: a disposition would have to be given back, a mask is given back anyway. */
void run_prepare(struct run_inheritance *ret_inheritance)
{
	const struct sigaction plain = {.sa_handler = SIG_DFL};
	sigset_t set;

	fill_set(&set);
	sigaddset(&set, SIGPIPE);
	sigprocmask(SIG_BLOCK, &set, &ret_inheritance->mask);
	sigaction(SIGCHLD, &plain, &ret_inheritance->child);
}

int run_make_socket_path(char path[PATH_MAX])
{
	const char *parent = secure_getenv("TMPDIR");

	/* A socket's address has room for 107 characters. */
	if (!parent || !*parent || strlen(parent) > 64)
		parent = "/tmp";
	snprintf(path, PATH_MAX, "%s/ttlog-run-XXXXXX", parent);
	if (!mkdtemp(path))
		return -errno;
	strcat(path, "/recorder.sock");
	return 0;
}

void run_remove_socket_path(const char *path)
{
	char folder[PATH_MAX];

	snprintf(folder, sizeof(folder), "%s", path);
	*strrchr(folder, '/') = '\0';
	rmdir(folder);
}

/* ---- the child -------------------------------------------------------------------------- */

/* Between fork and exec, with threads in the parent: system calls only. */
static void __attribute__((noreturn))
become(const struct run *run, const struct run_inheritance *inheritance, char *const argv[],
       int report_fd)
{
	int err;
	ssize_t written;

	sigaction(SIGCHLD, &inheritance->child, NULL);
	setrlimit(RLIMIT_NOFILE, &run->recorder->file_limit);
	sigprocmask(SIG_SETMASK, &inheritance->mask, NULL);
	execvp(argv[0], argv);
	err = errno;
	written = write(report_fd, &err, sizeof(err));
	(void)written;
	_exit(127);
}

/* 0, or a negative errno: of fork(), or of the exec. */
static int start(struct run *run, const struct run_inheritance *inheritance, char *const argv[])
{
	int report[2], err = 0;
	ssize_t got;

	if (pipe2(report, O_CLOEXEC))
		return -errno;
	run->pid = fork();
	if (run->pid < 0)
		err = -errno;
	else if (!run->pid)
		become(run, inheritance, argv, report[1]);
	close(report[1]);
	if (!err) {
		/* Nothing comes through when the exec worked and closed the other end. */
		do
			got = read(report[0], &err, sizeof(err));
		while (got < 0 && errno == EINTR);
		err = got == sizeof(err) ? -err : 0;
		if (err)
			waitpid(run->pid, NULL, 0);
	}
	close(report[0]);
	return err;
}

/* ---- while it runs ---------------------------------------------------------------------- */

static void command_ended(void *context, uint32_t events)
{
	struct run *run = context;
	siginfo_t info = {0};

	(void)events;
	if (waitid(P_PIDFD, (id_t)run->pidfd, &info, WEXITED | WNOHANG) || !info.si_pid)
		return;
	run->status = info.si_code == CLD_EXITED
			      ? info.si_status << 8
			      : info.si_status | (info.si_code == CLD_DUMPED ? 0x80 : 0);
	run->ended = true;
	loop_remove(run->pidfd_source);
	run->pidfd_source = NULL;
	clients_note_exit(run->recorder->clients, run->pid, run->status);
	loop_stop(run->recorder->loop);
}

/* What the kernel sent (the terminal's keys), it sent to the command's whole group. */
static void signal_came(void *context, uint32_t events)
{
	struct run *run = context;
	struct signalfd_siginfo info;

	(void)events;
	while (read(run->signal_fd, &info, sizeof(info)) == sizeof(info)) {
		if (run->ended) {
			run->recorder->impatient = true;
			continue;
		}
		if (info.ssi_code == SI_KERNEL)
			continue;
		pidfd_send_signal(run->pidfd, (int)info.ssi_signo, NULL, 0);
	}
}

static int add_sources(struct run *run)
{
	struct loop *loop = run->recorder->loop;
	sigset_t set;
	int err;

	fill_set(&set);
	run->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (run->signal_fd < 0)
		return -errno;
	err = loop_add(loop, run->signal_fd, EPOLLIN, signal_came, run, &run->signal_source);
	if (!err)
		err = loop_add(loop, run->pidfd, EPOLLIN, command_ended, run, &run->pidfd_source);
	return err;
}

static void report(const struct run *run, const char *command)
{
	const unsigned int living = clients_living_count(run->recorder->clients);

	if (!clients_registered_count(run->recorder->clients))
		log_say("%s: nothing was recorded: no process of it is linked with libttlog",
			command);
	if (living)
		log_say("%u process%s of it live%s on, unrecorded from now on", living,
			living == 1 ? "" : "es", living == 1 ? "s" : "");
}

static int exit_status(const struct run *run)
{
	return WIFEXITED(run->status) ? WEXITSTATUS(run->status) : 128 + WTERMSIG(run->status);
}

static int run_to_end(struct run *run, const struct recorder_options *options, const char *command)
{
	int err = add_sources(run);

	/* The command has started: it has kept what we give up now. */
	if (!err)
		err = recorder_begin(run->recorder, options, true);
	if (!err)
		err = loop_run(run->recorder->loop);
	if (err) { /* never seen: the command must not be left without a parent that waits */
		log_error("the recorder failed: %s; waiting for %s without it", strerror(-err),
			  command);
		waitpid(run->pid, &run->status, 0);
		return exit_status(run);
	}
	if (recorder_settle(run->recorder))
		log_warn("interrupted: dumps may be missing");
	report(run, command);
	return exit_status(run);
}

int run_command(struct recorder *recorder, const struct run_inheritance *inheritance,
		const struct recorder_options *options, char *const argv[])
{
	struct run run = {.recorder = recorder, .pidfd = -1, .signal_fd = -1};
	int status, err;

	/* It may fill the pipe that we share with it, and what we say is where the dump is. */
	log_patience_ms = RUN_LOG_PATIENCE_MS;
	/* This command is here to be recorded: it may wait for it a little longer than others. */
	if (setenv("TTLOG_SOCKET", options->socket, 1) || setenv("TTLOG_HELLO_TIMEOUT", "2000", 0))
		return 125;
	err = start(&run, inheritance, argv);
	if (err) {
		log_error("%s: %s", argv[0], strerror(-err));
		return err == -ENOENT ? 127 : 126;
	}
	run.pidfd = pidfd_open(run.pid, 0);
	if (run.pidfd < 0) {
		log_error("pidfd_open: %s", strerror(errno));
		waitpid(run.pid, &run.status, 0);
		return exit_status(&run);
	}
	status = run_to_end(&run, options, argv[0]);
	loop_remove(run.pidfd_source);
	loop_remove(run.signal_source);
	if (run.signal_fd >= 0)
		close(run.signal_fd);
	close(run.pidfd);
	return status;
}
