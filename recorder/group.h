/* SPDX-License-Identifier: MIT */
/*
 * group.h - one death, and a dump of each who worked with who died.
 *
 * Who belongs together is declared (TTLOG_GROUP), or a matter of fact: the same cgroup or pod, parent
 * and child. A declared name is a claim, so it counts among one user's processes only, unless the
 * configuration says otherwise.
 *
 * A set is bounded in members and bytes. Who dies within GROUP_JOIN_MS of the first belongs to its set
 * and makes none; who dies later, but within the pause, makes none either, and that is counted. The
 * loop's own.
 */
#ifndef RECORDER_GROUP_H
#define RECORDER_GROUP_H

#include <stdbool.h>
#include <stdint.h>

#include "recorder/dump_set.h"

struct client;
struct groups;
struct verdict;

#define GROUP_JOIN_MS 10000
#define GROUP_MEMBERS_MAX 256
#define GROUP_SETS_MAX 64 /* whose pause goes on */
#define GROUP_SETS_MAX_PER_UID (GROUP_SETS_MAX / 4)

enum group_by {
	GROUP_DECLARED = 1,
	GROUP_CGROUP = 2, /* or pod */
	GROUP_FAMILY = 4,
};

struct group_limits {
	unsigned int by; /* enum group_by; 0: no groups */
	bool all_users;	 /* a declared name counts among all */
	uint64_t members_max, bytes_max, pause_ms;
};

/* "off", or some of "declared,cgroup,family". 0 or -EINVAL. */
int group_parse(const char *text, unsigned int *ret_by);

int groups_open(struct groups **ret_groups);
void groups_close(struct groups *groups); /* NULL is fine */

/* What a death means for its group. */
struct group_plan {
	bool has_set; /* the dump of who died is of `set` */
	bool is_new;  /* and the members are to be copied */
	struct dump_set set;
	unsigned int count;
	struct client *member[GROUP_MEMBERS_MAX];
};

/* Before the dump of who died is ordered; he is in the table still. */
void group_plan(struct client *dead, const struct verdict *verdict, struct group_plan *ret_plan);
/* Behind it: orders the dumps of the others, if there is one of his. */
void group_carry_out(struct client *dead, struct group_plan *plan, bool is_dumped);

#endif
