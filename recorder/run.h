/* SPDX-License-Identifier: MIT */
/*
 * run.h - `ttlog-recorder run`: one command with a recorder of its own.
 *
 * The command keeps our stdin, stdout, stderr, process group and terminal, and gets back the signal
 * mask, dispositions and limits that we were started with.
 */
#ifndef RECORDER_RUN_H
#define RECORDER_RUN_H

#include <signal.h>

#include "recorder/recorder.h"

/* What the command is to inherit: taken before the recorder changes anything of it. */
struct run_inheritance {
	sigset_t mask;
	struct sigaction child; /* SIGCHLD's: if it was ignored, nobody could be waited for */
};

/* Blocks the signals that will be passed on or endured. First of all, before any thread. */
void run_prepare(struct run_inheritance *ret_inheritance);

/* A socket path in a new 0700 folder. 0 or a negative errno. */
int run_make_socket_path(char path[PATH_MAX]);
void run_remove_socket_path(const char *path); /* with its folder, after the socket is gone */

/*
 * Runs the command to its end and beyond: until the dumps of all dead clients are written. The exit
 * status that a shell would give: 128 + signal, 127 not found, 126 not executable.
 */
int run_command(struct recorder *recorder, const struct run_inheritance *inheritance,
		const struct recorder_options *options, char *const argv[]);

#endif
