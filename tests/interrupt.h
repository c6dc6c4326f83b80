/* SPDX-License-Identifier: MIT */
/*
 * interrupt.h - a signal behind every single instruction of a piece of code.
 *
 * A traced child runs rounds: something to prepare, interrupt_here(), the piece, interrupt_end().
 * In round k the tracer lets k x stride instructions pass, then delivers SIGUSR1. The rounds are
 * over when the piece is shorter than that; then the child checks what it has recorded and exits
 * with 0.
 */
#ifndef TTLOG_TESTS_INTERRUPT_H
#define TTLOG_TESTS_INTERRUPT_H

#include <sched.h>
#include <sys/mman.h>
#include <sys/ptrace.h>

#include "tests/own_region.h"

struct interrupt {
	volatile uint32_t over;	     /* no more rounds */
	volatile uint32_t delivered; /* signals */
	volatile uint32_t inside;    /* the piece */
};

static struct interrupt *interrupt_;

/* What the child does from here to interrupt_end() is interrupted. */
__attribute__((unused)) static void interrupt_here(void)
{
	interrupt_->inside = 1;
	syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGSTOP);
}

__attribute__((unused)) static void interrupt_end(void)
{
	interrupt_->inside = 0;
}

/* Tracer and traced take turns: on one processor that is faster. */
static void interrupt_begin(void)
{
	cpu_set_t set;

	if (ptrace(PTRACE_CONT, 0, 0, 0) < 0 && errno == ENOSYS)
		cr_skip("no ptrace(): %s", strerror(errno));
	interrupt_ = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	cr_assert_neq(interrupt_, MAP_FAILED);
	CPU_ZERO(&set);
	CPU_SET(sched_getcpu(), &set);
	sched_setaffinity(0, sizeof(set), &set);
}

/* The next time that the child stops, or -1: it has ended. */
static int interrupt_wait(pid_t pid, int *ret_status)
{
	while (waitpid(pid, ret_status, 0) < 0)
		cr_assert_eq(errno, EINTR);
	return WIFSTOPPED(*ret_status) ? WSTOPSIG(*ret_status) : -1;
}

/* Steps, from a stop in interrupt_here(); false if the child came to the end of the piece on the
 * way. */
static bool interrupt_step(pid_t pid, uint64_t instructions)
{
	int status;

	ptrace(PTRACE_SETOPTIONS, pid, 0, (long)PTRACE_O_EXITKILL);
	for (uint64_t i = 0; i < instructions; i++) {
		cr_assert_eq(ptrace(PTRACE_SINGLESTEP, pid, 0, 0), 0);
		if (interrupt_wait(pid, &status) != SIGTRAP || !interrupt_->inside)
			return false;
	}
	return true;
}

/* The child of this process that runs run() as the traced one. Returns the number of rounds. */
__attribute__((unused)) static uint32_t interrupt_each(void (*run)(void), uint32_t stride)
{
	uint32_t round = 0;
	int status, stop;
	pid_t pid;

#ifdef __SANITIZE_ADDRESS__
	/* Its instructions are three times as many; as many rounds will do. */
	stride = stride > 1 ? stride * 3 : 1;
#endif
	interrupt_begin();
	pid = fork();
	if (pid == 0) {
		CHILD_CHECK(ptrace(PTRACE_TRACEME, 0, 0, 0) == 0);
		run();
		_exit(0);
	}
	while ((stop = interrupt_wait(pid, &status)) >= 0) {
		if (stop != SIGSTOP) {
			/* The child's own signals. */
			cr_assert_eq(ptrace(PTRACE_CONT, pid, 0, (long)stop), 0);
		} else if (!interrupt_->over && interrupt_step(pid, (uint64_t)round++ * stride)) {
			interrupt_->delivered++;
			cr_assert_eq(ptrace(PTRACE_CONT, pid, 0, (long)SIGUSR1), 0);
		} else {
			interrupt_->over = 1;
			cr_assert_eq(ptrace(PTRACE_CONT, pid, 0, 0), 0);
		}
	}
	cr_assert(WIFEXITED(status), "killed by signal %d in round %u", WTERMSIG(status), round);
	cr_assert_eq(WEXITSTATUS(status), 0, "a check at a line that is %d modulo 250, round %u",
		     WEXITSTATUS(status) - 1, round);
	munmap(interrupt_, 4096);
	return round;
}

#endif
