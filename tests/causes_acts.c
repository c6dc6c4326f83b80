// SPDX-License-Identifier: MIT
/* causes_acts.c - what is done to clients from outside. */
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/causes.h"

/* ---- plain signals ---------------------------------------------------------------------------- */

static void send_signal(int number)
{
	if (kill(cause_shared->client, number))
		cause_give_up("kill");
}

void act_kill(void)
{
	send_signal(SIGKILL);
}

void act_term(void)
{
	send_signal(SIGTERM);
}

void act_int(void)
{
	send_signal(SIGINT);
}

void act_hup(void)
{
	send_signal(SIGHUP);
}

void act_pipe(void)
{
	send_signal(SIGPIPE);
}

void act_alrm(void)
{
	send_signal(SIGALRM);
}

void act_signal(void)
{
	send_signal(cause_shared->signal);
}

void act_queue(void)
{
	if (sigqueue(cause_shared->client, SIGTERM, (union sigval){.sival_int = 42}))
		cause_give_up("sigqueue");
}

/* Whoever may send a signal may say that it was a timer's. */
void act_forge(void)
{
	siginfo_t info = {.si_signo = SIGTERM, .si_code = SI_TIMER};

	if (syscall(SYS_rt_sigqueueinfo, cause_shared->client, SIGTERM, &info))
		cause_give_up("rt_sigqueueinfo");
}

void act_go(void)
{
	cause_shared->go = 1;
}

/* By a process that is reaped while the recorder could not look at it. */
void act_signal_and_be_gone(void)
{
	pid_t sender;

	kill(cause_recorder, SIGSTOP);
	sender = cause_fork();
	if (!sender) {
		cause_shared->other = getpid();
		prctl(PR_SET_NAME, "assassin");
		send_signal(cause_shared->signal);
		_exit(0);
	}
	waitpid(sender, NULL, 0);
	kill(cause_recorder, SIGCONT);
}

/* ---- tracers ---------------------------------------------------------------------------------- */

static pid_t fork_tracer(void)
{
	pid_t tracer = cause_fork();

	if (tracer)
		return tracer;
	cause_shared->other = getpid();
	prctl(PR_SET_NAME, "debugger");
	alarm(CAUSE_WAIT_MS / 1000);
	/* It stops for a signal: only there another one can be put in. */
	if (ptrace(PTRACE_ATTACH, cause_shared->client, NULL, NULL) ||
	    waitpid(cause_shared->client, NULL, __WALL) != cause_shared->client ||
	    ptrace(PTRACE_SETOPTIONS, cause_shared->client, NULL, PTRACE_O_EXITKILL))
		_exit(94);
	return 0;
}

void act_trace_and_kill(void)
{
	pid_t tracer = fork_tracer();

	if (!tracer) {
		ptrace(PTRACE_CONT, cause_shared->client, NULL, SIGKILL);
		waitpid(cause_shared->client, NULL, __WALL);
		_exit(0);
	}
	waitpid(tracer, NULL, 0);
}

void act_trace_and_leave(void)
{
	pid_t tracer = fork_tracer();

	if (!tracer)
		_exit(0);
	waitpid(tracer, NULL, 0);
}

/* ---- parents and namespaces ------------------------------------------------------------------- */

static void die_when_told(void)
{
	cause_await(&cause_shared->go, 1);
	_exit(0);
}

static void start_with_death_signal(void (*life)(void), int number)
{
	if (cause_fork())
		return;
	cause_shared->other = getpid();
	prctl(PR_SET_NAME, "forebear");
	if (!fork()) {
		prctl(PR_SET_PDEATHSIG, number);
		cause_client(life);
	}
	die_when_told();
}

void start_under_a_parent(void (*life)(void))
{
	start_with_death_signal(life, SIGKILL);
}

void start_under_a_parent_softly(void (*life)(void))
{
	start_with_death_signal(life, SIGTERM);
}

static pid_t clone_into_namespace(void)
{
	return (pid_t)syscall(SYS_clone, CLONE_NEWPID | SIGCHLD, NULL, NULL, NULL, NULL);
}

void start_in_a_namespace(void (*life)(void))
{
	pid_t init = clone_into_namespace();

	if (init < 0)
		cause_give_up("clone");
	if (init)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, "tiny-init");
	cause_shared->other = cause_own_pid();
	if (!fork())
		cause_client(life);
	die_when_told();
}

void start_as_init(void (*life)(void))
{
	pid_t init = clone_into_namespace();

	if (init < 0)
		cause_give_up("clone");
	if (!init) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		cause_client(life);
	}
}

const char *no_pid_namespaces(void)
{
	return access("/proc/self/ns/pid", F_OK) ? "no pid namespaces" : NULL;
}

const char *no_seccomp(void)
{
	return prctl(PR_GET_SECCOMP) < 0 ? "no seccomp" : NULL;
}

const char *no_core_files(void)
{
	struct rlimit limit;
	char pattern[128] = "|";
	int fd;

	if (getrlimit(RLIMIT_CORE, &limit) || !limit.rlim_max)
		return "no core files are allowed here (RLIMIT_CORE)";
	fd = open("/proc/sys/kernel/core_pattern", O_RDONLY | O_CLOEXEC);

	if (fd >= 0 && read(fd, pattern, sizeof(pattern) - 1) > 0 && pattern[0] != '|' &&
	    !strchr(pattern, '/')) {
		close(fd);
		return NULL;
	}
	if (fd >= 0)
		close(fd);
	return "core files go elsewhere here (kernel.core_pattern)";
}
