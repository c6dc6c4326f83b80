/* SPDX-License-Identifier: MIT */
/* group_sets.h - the sets whose pause goes on, and of whom they were. For group.c alone. */
#ifndef RECORDER_GROUP_SETS_H
#define RECORDER_GROUP_SETS_H

#include <stdbool.h>
#include <sys/types.h>

#include "recorder/group.h"

/* By what somebody belongs to others. Texts are never NULL. */
struct group_self {
	uid_t uid;
	uint32_t pid, ppid;
	uint64_t start_ticks;
	const char *group, *cgroup;
	char pod_uid[40];
};

struct group_set {
	uint64_t opened_ms;
	struct dump_set set;
	struct group_self origin; /* who died first; its texts are below */
	char group[TTLOG_GROUP_BYTES];
	char *cgroup;
};

struct groups {
	unsigned int count;
	struct group_set set[GROUP_SETS_MAX];
};

/* Forgets those that nobody can join any more, and whose pause is over. */
void group_sets_expire(struct groups *groups, uint64_t now_ms, uint64_t pause_ms);
/* For one more of that user's? */
bool group_sets_have_room(const struct groups *groups, uid_t uid);
/* 0 or -ENOMEM. */
int group_sets_add(struct groups *groups, const struct group_self *origin,
		   const struct dump_set *set, uint64_t now_ms);

#endif
