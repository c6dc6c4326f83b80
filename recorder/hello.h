/* SPDX-License-Identifier: MIT */
/*
 * hello.h - what a client says on the socket, checked.
 *
 * Pure: bytes in, a message out. A message is hostile until it went through here, and whatever
 * comes out is within its bounds: strings end, are valid UTF-8 and hold no control characters.
 */
#ifndef RECORDER_HELLO_H
#define RECORDER_HELLO_H

#include <stddef.h>
#include <stdint.h>

#include "lib/ttlog_abi.h"

#define HELLO_BYTES_MAX 4096 /* a longer message is damaged */

struct hello_message {
	enum ttlog_message_kind kind; /* HELLO, SNAPSHOT, GOODBYE or REGION */
	/* HELLO */
	uint64_t region_bytes;
	uint64_t channel_bytes;
	uint32_t level;
	uint32_t flush_interval_s;
	enum ttlog_clock_source clock_source;
	enum ttlog_clock_mode clock_mode;
	char service[TTLOG_SERVICE_BYTES]; /* never empty */
	/* SNAPSHOT */
	char reason[TTLOG_REASON_BYTES]; /* never empty */
};

/*
 * 0 or a negative errno: -EBADMSG (damaged or not ours), -EPROTONOSUPPORT (a version we don't
 * speak).
 */
int hello_check(const void *bytes, size_t count, struct hello_message *ret_message);

/* A service's name made so: printable, ended, never empty. Both are TTLOG_SERVICE_BYTES. */
void hello_service(char *to, const char *from);

/* The answer to a hello. flags: TTLOG_WELCOME_... */
struct ttlog_welcome hello_welcome(int status, uint32_t flags);

#endif
