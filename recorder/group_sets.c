/* SPDX-License-Identifier: MIT */
/* group_sets.c - a short array. */
#include "recorder/group_sets.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int groups_open(struct groups **ret_groups)
{
	*ret_groups = calloc(1, sizeof(**ret_groups));
	return *ret_groups ? 0 : -ENOMEM;
}

void groups_close(struct groups *groups)
{
	for (unsigned int i = 0; groups && i < groups->count; i++)
		free(groups->set[i].cgroup);
	free(groups);
}

/* The origin's texts move with it. */
static void refer(struct group_set *set)
{
	set->origin.group = set->group;
	set->origin.cgroup = set->cgroup;
}

void group_sets_expire(struct groups *groups, uint64_t now_ms, uint64_t pause_ms)
{
	unsigned int count = 0;

	if (pause_ms < GROUP_JOIN_MS)
		pause_ms = GROUP_JOIN_MS;
	for (unsigned int i = 0; i < groups->count; i++) {
		if (now_ms - groups->set[i].opened_ms >= pause_ms) {
			free(groups->set[i].cgroup);
			continue;
		}
		if (count != i)
			groups->set[count] = groups->set[i];
		refer(&groups->set[count++]);
	}
	groups->count = count;
}

bool group_sets_have_room(const struct groups *groups, uid_t uid)
{
	unsigned int own = 0;

	for (unsigned int i = 0; i < groups->count; i++)
		own += groups->set[i].origin.uid == uid;
	return groups->count < GROUP_SETS_MAX && own < GROUP_SETS_MAX_PER_UID;
}

int group_sets_add(struct groups *groups, const struct group_self *origin,
		   const struct dump_set *set, uint64_t now_ms)
{
	struct group_set *place = &groups->set[groups->count];
	char *cgroup = strdup(origin->cgroup);

	if (!cgroup)
		return -ENOMEM;
	*place = (struct group_set){
		.opened_ms = now_ms, .set = *set, .origin = *origin, .cgroup = cgroup};
	memcpy(place->group, origin->group, strnlen(origin->group, sizeof(place->group) - 1));
	refer(place);
	groups->count++;
	return 0;
}
