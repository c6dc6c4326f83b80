/* SPDX-License-Identifier: MIT */
/*
 * confine.h - what the recorder gives up once everything is open: capabilities, new privileges,
 * system calls that it has no use for, core dumps.
 *
 * It reads memory and messages of strangers for as long as it lives; should one of them take it
 * over in spite of all care, it is to hold little. What it starts later is confined too: its
 * unwinding child (unwind_jail.c), which gives up the rest. What was started before is not.
 */
#ifndef RECORDER_CONFINE_H
#define RECORDER_CONFINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONFINE_FOLDERS_MAX 8
#define CONFINE_TEXT_BYTES 256

struct confine_plan {
	bool watches;	    /* the kernel program is loaded */
	bool unwinds;	    /* a child becomes the user whose stacks it looks at */
	bool debuginfod;    /* and asks servers for files */
	bool has_command;   /* of `run`: signals are passed on to it, whoever it has become */
	bool changes_owner; /* of dumps */
	/* Where files are made and removed; those of other users need a capability. */
	int folder_fds[CONFINE_FOLDERS_MAX];
	unsigned int folder_count;
};

/* A negative descriptor is left out. */
void confine_add_folder(struct confine_plan *plan, int folder_fd);

/*
 * For the whole process, and for ever. Legal while there is one thread: others would keep what they
 * have. 0 or a negative errno: -EBUSY (there are other threads). Without a seccomp in the kernel it
 * does the rest.
 */
int confine(const struct confine_plan *plan);

/* What is in force in this thread, for people: "holds CAP_BPF; no new privileges; ...". */
void confine_describe(char *ret_text, size_t bytes);

/* confine_calls.c: the filter for system calls. 0, -ENOSYS (this kernel has none) or another errno.
 */
int confine_calls(bool debuginfod);

#endif
