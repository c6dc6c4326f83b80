/* SPDX-License-Identifier: MIT */
/*
 * announce_post.h - datagrams to a local socket that may be full, slow, or not there.
 *
 * The path is looked up for each message, so that its owner may be started again. What can't be
 * delivered now waits, bounded in number and time; then it is lost, and counted.
 */
#ifndef RECORDER_ANNOUNCE_POST_H
#define RECORDER_ANNOUNCE_POST_H

#include <stddef.h>
#include <stdint.h>
#include <sys/un.h>

#include "recorder/counters.h"
#include "recorder/loop.h"

#define POST_QUEUE_MAX 64
#define POST_WAIT_MS 30000

struct post_message {
	struct post_message *next;
	uint64_t since_ms;
	size_t bytes;
	char data[];
};

struct post {
	struct loop *loop;
	enum counters_verdict_to to;
	struct sockaddr_un address;
	int fd;
	struct post_message *first, **last;
	unsigned int count;
	int err; /* of the newest try */
	uint64_t pause_ms;
	struct loop_timer timer;
};

/* 0 or a negative errno: -ENAMETOOLONG, -EMFILE, ... */
int post_open(struct post *ret_post, struct loop *loop, enum counters_verdict_to to,
	      const char *path);
void post_send(struct post *post, const char *data, size_t bytes);
/* What waits is tried once more. */
void post_close(struct post *post);

#endif
