/* SPDX-License-Identifier: MIT */
/*
 * hello.h - what a client says on the socket, checked.
 *
 * Pure: bytes in, a message out. A message is hostile until it went through here, and whatever
 * comes out is within its bounds: strings end, are valid UTF-8 and hold no control characters.
 */
#ifndef RECORDER_HELLO_H
#define RECORDER_HELLO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/ttlog_abi.h"

#define HELLO_BYTES_MAX 4096 /* a longer message is damaged */

struct hello_message {
	enum ttlog_message_kind kind; /* one that a client sends */
	/* HELLO */
	uint64_t region_bytes;
	uint64_t channel_bytes;
	uint32_t level;
	uint32_t flush_interval_s;
	enum ttlog_clock_source clock_source;
	enum ttlog_clock_mode clock_mode;
	char service[TTLOG_SERVICE_BYTES]; /* never empty; of a LAST_DEATH too */
	char group[TTLOG_GROUP_BYTES];	   /* "": none */
	/* SNAPSHOT */
	char reason[TTLOG_REASON_BYTES]; /* never empty */
};

/*
 * 0 or a negative errno: -EBADMSG (damaged or not ours), -EPROTONOSUPPORT (a version we don't
 * speak).
 */
int hello_check(const void *bytes, size_t count, struct hello_message *ret_message);

/* Is it one that a connection begins with? The others come behind a HELLO. */
bool hello_is_first(const struct hello_message *message);

/*
 * Is it one that may come alone, too, on a connection of its own? The recorder that the process once
 * said hello to is gone, and another one has adopted its region.
 */
bool hello_is_alone(const struct hello_message *message);

/* A service's name made so: printable, ended, never empty. Both are TTLOG_SERVICE_BYTES. */
void hello_service(char *to, const char *from);
/* A group's name the same way, but it may be empty. Both are TTLOG_GROUP_BYTES. */
void hello_group(char *to, const char *from);

/* The answer to a hello. flags: TTLOG_WELCOME_... */
struct ttlog_welcome hello_welcome(int status, uint32_t flags);

#endif
