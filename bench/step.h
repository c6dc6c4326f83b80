/* SPDX-License-Identifier: MIT */
/*
 * step.h - counts the instructions of a loop's turns: a child runs the loop with a breakpoint in
 * it, its parent steps it from one to the next. Exact, and the same on a busy machine. x86-64 only.
 * For C and C++.
 */
#ifndef BENCH_STEP_H
#define BENCH_STEP_H

#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__x86_64__)
#define STEP_HERE 1

static inline __attribute__((always_inline)) void step_breakpoint(void)
{
	__asm__ volatile("int3" ::: "memory");
}

/* step_<name>(from, count): the statement, in which i is the number of the turn, behind a
 * breakpoint. */
#define STEP_LOOP(name, statement) \
	static __attribute__((noinline)) void step_##name(uint64_t from, uint64_t count) \
	{ \
		for (uint64_t i = from; i < from + count; i++) { \
			step_breakpoint(); \
			statement; \
		} \
	}

void step_me(void); /* in the child, before its loop: this thread alone is stepped from now on */

/* In the parent: waits for the first breakpoint, and lets so many turns pass. */
void step_begin(pid_t pid, unsigned int turns);
/* Instructions of the next turn. Ends the program if the child stops for any other reason. */
uint32_t step_turn(pid_t pid);

#endif

#ifdef __cplusplus
}
#endif

#endif
