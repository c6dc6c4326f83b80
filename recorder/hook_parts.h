/* SPDX-License-Identifier: MIT */
/* hook_parts.h - between hook.c and its helper, hook_child.c. Nobody else includes this. */
#ifndef RECORDER_HOOK_PARTS_H
#define RECORDER_HOOK_PARTS_H

#include <stdint.h>
#include <sys/types.h>

#define HOOK_MESSAGE_BYTES 16384
#define HOOK_VARIABLES_MAX 32

/* One packet: this, then the environment, each NAME=value with its NUL. */
struct hook_request {
	uint32_t ticket;
	uint32_t variables;
};

struct hook_answer {
	uint32_t ticket;
	int32_t status; /* as waitpid() gives it; -1: it could not be started */
	uint32_t timed_out;
};

struct hook_helper {
	const char *command;
	uid_t uid;
	gid_t gid;
	unsigned int timeout_s;
	int socket_fd;
};

/* The helper's life, from fork() to the recorder's end. */
void hook_help(const struct hook_helper *helper) __attribute__((noreturn));

#endif
