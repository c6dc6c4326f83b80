/* SPDX-License-Identifier: MIT */
#include "viewer/pager.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *wanted_pager(void)
{
	const char *pager = secure_getenv("TTLOG_PAGER");

	if (!pager)
		pager = secure_getenv("PAGER");
	if (!pager)
		pager = "less";
	return *pager && strcmp(pager, "cat") != 0 ? pager : NULL;
}

/* In the child: never returns. */
static void become(const char *command, int input)
{
	dup2(input, STDIN_FILENO);
	setenv("LESS", "FRSX", 0);
	execl("/bin/sh", "sh", "-c", command, (char *)NULL);
	_exit(127);
}

void pager_open(struct pager *pager)
{
	const char *command = wanted_pager();
	int fds[2];

	*pager = (struct pager){.fd = STDOUT_FILENO};
	if (!command || !isatty(STDOUT_FILENO) || pipe2(fds, O_CLOEXEC))
		return;
	pager->pid = fork();
	if (pager->pid == 0)
		become(command, fds[0]);
	close(fds[0]);
	if (pager->pid < 0) {
		close(fds[1]);
		pager->pid = 0;
		return;
	}
	pager->fd = fds[1];
	/* Whoever leaves the pager has seen enough; who interrupts it wants the pager to know. */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGINT, SIG_IGN);
}

void pager_close(struct pager *pager)
{
	if (!pager->pid)
		return;
	close(pager->fd);
	while (waitpid(pager->pid, NULL, 0) < 0 && errno == EINTR)
		;
	*pager = (struct pager){.fd = STDOUT_FILENO};
}
