/* SPDX-License-Identifier: MIT */
/* ctl_viewer.c - ttlog-view at the other end of a pipe: it has the filters and the formats. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "recorder/ctl_live.h"

#define ARGUMENTS_MAX 128
#define NAME "ttlog-view"

/* The one that lies beside us is of our version. */
static void run(char *const *argv)
{
	char path[PATH_MAX];
	const ssize_t bytes = readlink("/proc/self/exe", path, sizeof(path) - sizeof(NAME));
	char *slash;

	if (bytes > 0) {
		path[bytes] = '\0';
		slash = strrchr(path, '/');
		if (slash) {
			strcpy(slash + 1, NAME);
			execv(path, argv);
		}
	}
	execvp(NAME, argv);
	ctl_say("can't run " NAME ": %s", strerror(errno));
	_exit(CTL_EXIT_REFUSED);
}

/* ^C and the end of the group are for us: it goes on until it has shown all that we give it. */
static void become_viewer(int fd, char *const *argv)
{
	sigset_t none;

	sigemptyset(&none);
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGPIPE, SIG_DFL);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (dup2(fd, STDIN_FILENO) < 0)
		_exit(CTL_EXIT_REFUSED);
	run(argv);
}

int ctl_viewer_open(struct ctl_viewer *ret_viewer, const char *const *arguments, const char *more)
{
	const char *argv[ARGUMENTS_MAX + 6] = {NAME, "--no-pager"};
	int fd[2], count = 2;

	if (more)
		argv[count++] = more;
	for (; *arguments && count < ARGUMENTS_MAX; arguments++)
		argv[count++] = *arguments;
	if (*arguments)
		return -E2BIG;
	argv[count++] = "--";
	argv[count++] = "-";
	if (pipe2(fd, O_CLOEXEC))
		return -errno;
	ret_viewer->pid = fork();
	if (!ret_viewer->pid)
		become_viewer(fd[0], (char *const *)(uintptr_t)argv);
	close(fd[0]);
	if (ret_viewer->pid < 0) {
		close(fd[1]);
		return -EAGAIN;
	}
	ret_viewer->fd = fd[1];
	return 0;
}

int ctl_viewer_close(struct ctl_viewer *viewer)
{
	int status = 0;

	close(viewer->fd);
	while (waitpid(viewer->pid, &status, 0) < 0)
		if (errno != EINTR)
			return CTL_EXIT_REFUSED;
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	/* Who reads us has had enough: `| head`. */
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGPIPE ? CTL_EXIT_FINE
								  : CTL_EXIT_REFUSED;
}
