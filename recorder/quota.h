/* SPDX-License-Identifier: MIT */
/*
 * quota.h - what one user may take of the recorder: places in the table of clients, bytes of
 * memory.
 *
 * So that nobody's fork bomb shuts the others out. Whose the recorder itself is, and root, could
 * stop it in simpler ways: the default shares leave them out, a limit that was given does not. The
 * loop's own, no locks. Users that have nothing are not kept.
 */
#ifndef RECORDER_QUOTA_H
#define RECORDER_QUOTA_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "recorder/workers.h"

struct quota_limits {
	uint32_t clients_max; /* of all users together; places, taken or not */
	uint64_t bytes_max;   /* of all users together */
	/* Of one user; 0: half of the above, but for root and the recorder's own user. */
	uint32_t clients_max_per_uid;
	uint64_t bytes_max_per_uid;
};

struct quota_user {
	struct quota_user *next;
	struct quota *quota;
	uid_t uid;
	uint32_t holders, clients;
	uint64_t bytes;
	struct workers_share regions, dumps; /* its turns with those who make and write them */
	uint64_t looks_at_s; /* the second in which there were `looks`; see ask.c */
	unsigned int looks;
	bool said_clients, said_bytes;	     /* on stderr, once until it has less again */
};

struct quota {
	struct quota_limits limits;
	uint64_t bytes; /* taken now, by all */
	struct quota_user *users;
};

void quota_init(struct quota *quota, const struct quota_limits *limits);

/* Who holds a user gives it back with quota_put(). NULL: no memory. */
struct quota_user *quota_get(struct quota *quota, uid_t uid);
struct quota_user *quota_hold(struct quota_user *user);
void quota_put(struct quota_user *user); /* NULL is fine */

/* One more connection: 0 or -EDQUOT. */
int quota_connect(struct quota_user *user);
void quota_disconnect(struct quota_user *user);

/* 0, -ENOSPC (nobody gets so much any more) or -EDQUOT (this user doesn't). */
int quota_take(struct quota_user *user, uint64_t bytes);
void quota_give(struct quota_user *user, uint64_t bytes);

#endif
