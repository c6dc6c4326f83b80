/* SPDX-License-Identifier: MIT */
/*
 * hook.h - the operator's command after each dump.
 *
 * A helper is forked before the recorder has threads, descriptors or anything else to lose, and
 * becomes an ordinary user at once; it starts the commands, so that they never have more than that
 * user has, and the recorder never needs the right to start them. The line is the operator's and
 * goes through /bin/sh; what clients choose is only ever in the environment, without control
 * characters.
 *
 * The dump is the command's standard input, open for reading: it need not be readable for that
 * user.
 *
 * HOOK_RUNNING_MAX commands at a time, HOOK_WAITING_MAX wait, what comes then is counted and
 * said. The loop's own, no locks.
 */
#ifndef RECORDER_HOOK_H
#define RECORDER_HOOK_H

#include <stdbool.h>
#include <stdint.h>

#include "recorder/loop.h"

#define HOOK_RUNNING_MAX 4
#define HOOK_WAITING_MAX 64

struct hook;

struct hook_options {
	const char *command;
	const char *user; /* a name or a number */
	uint64_t timeout_s;
};

/* Cut, and made printable. NULL and "": not set. */
struct hook_facts {
	const char *dump, *service, *hostname, *exe, *reason, *how, *signal, *signature, *sentence;
	uint32_t pid, uid;
	uint64_t bytes, loop_count;
	int exit_code; /* -1: none */
};

/*
 * Legal while there is one thread. Says on stderr what is wrong. 0 or a negative errno: -ENOENT
 * (there is no such user). hook_attach() makes it work.
 */
int hook_open(struct hook **ret_hook, const struct hook_options *options);
int hook_attach(struct hook *hook, struct loop *loop);
/* Those that wait are dropped; no new ones. */
void hook_stop(struct hook *hook);
/* Commands that run or wait. */
unsigned int hook_pending(const struct hook *hook);
void hook_close(struct hook *hook); /* NULL is fine, as in the two above */

/* Takes the descriptor, open for reading; -1: the command gets /dev/null. */
void hook_run(struct hook *hook, const struct hook_facts *facts, int dump_fd);

#endif
