/* SPDX-License-Identifier: MIT */
/*
 * step_tracer.h - a process that is run one instruction at a time, and its regions.
 *
 * One at a time: it waits for any child. Whatever the kernel refuses ends the test with a message;
 * a tracee never outlives it (PTRACE_O_EXITKILL).
 */
#ifndef STEP_TRACER_H
#define STEP_TRACER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/region.h"

/* A region of the traced process, or of its forked child. */
struct stepper_region {
	unsigned char *base; /* NULL: none yet */
	struct ttlog_geometry geometry;
	uint64_t inode;
};

struct stepper {
	pid_t pid;	   /* the process that was started */
	pid_t tid;	   /* who is stepped: one of its threads, or its forked child */
	pid_t stepped_pid; /* the process of that */
	bool is_over;	   /* the one that is stepped has exited */
	uint64_t steps;	   /* since it stopped itself, a few instructions before the piece */
	uint64_t pc;	   /* what it executes next, as of stepper_where(); 0 = not known */
	struct stepper_region region[2]; /* of pid; of its child */
};

/*
 * The way that a piece took, to get to a place of it quickly in the next process: those run the
 * same image at the same addresses. steps and pc count from the stop, `lead` of them before the
 * piece.
 */
struct stepper_path {
	uint64_t *pc;
	uint64_t count, room;
	uint32_t *visits; /* to the same place, earlier */
	uint64_t visits_count;
	uint64_t lead;
};

/* Can this machine step at all? */
bool stepper_is_possible(void);

/* Runs run() in a new process, up to the moment before its piece. */
void stepper_start(struct stepper *stepper, void (*run)(void));
/* Asks what it executes next. */
void stepper_where(struct stepper *stepper);
/* Adds where it is now to the path; stepper_where() was called. */
void stepper_path_add(const struct stepper *stepper, struct stepper_path *path);
/*
 * To behind that many instructions of the piece. False: the piece was over before; the stepper is
 * closed.
 */
bool stepper_go(struct stepper *stepper, struct stepper_path *path, uint64_t instruction);
/* One instruction, after delivering signal unless it is 0. False: the piece is over. */
bool stepper_step(struct stepper *stepper, int signal);
/* To the end of run(), after delivering signal unless it is 0. False: it died on the way. */
bool stepper_finish(struct stepper *stepper, int signal);
/* SIGKILL for the process that is stepped. The regions stay mapped. */
void stepper_kill(struct stepper *stepper);
/* Maps regions that came into being since. */
void stepper_look(struct stepper *stepper);
/* Ends all of it. */
void stepper_close(struct stepper *stepper);

/* In the traced process: the calling thread is the one to step, from here on. */
void stepper_stop_here(void);
/* In a child that a handler made, at its end; and in its parent, which waits for that. */
_Noreturn void stepper_child_is_done(void);
void stepper_child_wait(void);
/* Ends run(); does not return. */
_Noreturn void stepper_end_here(void);

#endif
