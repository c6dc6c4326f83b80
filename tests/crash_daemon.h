/* SPDX-License-Identifier: MIT */
/* crash_daemon.h - a folder, a recorder that works there as a daemon, and what it holds. */
#ifndef TTLOG_TESTS_CRASH_DAEMON_H
#define TTLOG_TESTS_CRASH_DAEMON_H

#include <dirent.h>
#include <inttypes.h>
#include <libgen.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WAIT_MS 120000 /* for what happens soon on a machine that does little else */
#define SKIPPED 77

static char bin_dir[256], work_dir[64], socket_path[96], dump_dir[96];
static int failures;

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The programs lie beside the folder of tests. */
static bool daemon_prepare(const char *argv0)
{
	char self[256];

	snprintf(self, sizeof(self), "%s", argv0);
	snprintf(bin_dir, sizeof(bin_dir), "%s/..", dirname(self));
	snprintf(work_dir, sizeof(work_dir), "/tmp/ttlog-crash-XXXXXX");
	if (!mkdtemp(work_dir))
		return false;
	snprintf(socket_path, sizeof(socket_path), "%s/sock", work_dir);
	snprintf(dump_dir, sizeof(dump_dir), "%s/dumps", work_dir);
	return mkdir(dump_dir, 0700) == 0;
}

/* With two more arguments, or one and NULL. -1: it did not start. */
static pid_t daemon_start(const char *option, const char *argument)
{
	int64_t end = now_ms() + WAIT_MS;
	char program[300];
	pid_t pid;

	snprintf(program, sizeof(program), "%s/ttlog-recorder", bin_dir);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execl(program, "ttlog-recorder", "--keep-loop=0", "--keep-free=0", "--keep-files=0",
		      "--keep-service-files=0", "--keep-bytes=0", "--keep-service-bytes=0",
		      "--socket", socket_path, "--dir", dump_dir, option, argument, (char *)NULL);
		_exit(127);
	}
	/* The socket is there when it listens. */
	while (access(socket_path, F_OK) != 0 && now_ms() < end && waitpid(pid, NULL, WNOHANG) == 0)
		poll(NULL, 0, 5);
	return access(socket_path, F_OK) == 0 ? pid : -1;
}

/* Descriptors of a process, and a few more, always as many; 0: it is gone. */
static unsigned int count_fds(pid_t pid)
{
	unsigned int count = 0;
	char path[64];
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	dir = opendir(path);
	while (dir && readdir(dir))
		count++;
	if (dir)
		closedir(dir);
	return count;
}

/* Ends it, in order. What it leaves behind is a failure. */
static void daemon_end(pid_t pid)
{
	char command[300];
	int status = 0;

	kill(pid, SIGTERM);
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status)) {
		printf("the recorder ended with status %x\n", (unsigned int)status);
		failures++;
	}
	if (access(socket_path, F_OK) == 0) {
		printf("the recorder left its socket\n");
		failures++;
	}
	snprintf(command, sizeof(command), "rm -rf '%s'", work_dir);
	if (system(command))
		failures++;
}

#endif
