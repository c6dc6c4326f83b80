/* SPDX-License-Identifier: MIT */
/* step.c - see step.h. */
#include "bench/step.h"

#ifdef STEP_HERE

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/measure.h"

#define BREAKPOINT 0xccu /* int3; the processor stops behind it */

void step_me(void)
{
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
		_exit(1);
}

static void wait_stopped(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		measure_die("waitpid", errno);
	if (!WIFSTOPPED(status) || WSTOPSIG(status) != SIGTRAP)
		measure_die("the stepped child stopped for another reason", EPROTO);
}

static void go_on(int request, pid_t pid)
{
	if (ptrace(request, pid, NULL, NULL) != 0)
		measure_die("ptrace", errno);
	wait_stopped(pid);
}

static bool at_breakpoint(pid_t pid)
{
	uint64_t ip, word;

	errno = 0;
	ip = (uint64_t)ptrace(PTRACE_PEEKUSER, pid, (void *)(16 * sizeof(long)), NULL); /* rip */
	word = (uint64_t)ptrace(PTRACE_PEEKTEXT, pid, (void *)ip, NULL);
	if (errno)
		measure_die("ptrace", errno);
	return (word & 0xff) == BREAKPOINT;
}

/* From behind one breakpoint to the next, and over it. */
uint32_t step_turn(pid_t pid)
{
	uint32_t steps = 0;

	while (!at_breakpoint(pid)) {
		go_on(PTRACE_SINGLESTEP, pid);
		steps++;
	}
	go_on(PTRACE_CONT, pid);
	return steps;
}

void step_begin(pid_t pid, unsigned int turns)
{
	wait_stopped(pid);
	for (unsigned int i = 0; i < turns; i++)
		go_on(PTRACE_CONT, pid);
}

#endif
