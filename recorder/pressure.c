/* SPDX-License-Identifier: MIT */
/* pressure.c - memory.current and memory.max, or what v1 calls them, from the group up to the root.
 */
#include "recorder/pressure.h"

#include <string.h>

#include "recorder/cgroup.h"

#define LEVELS_MAX 32
#define UNLIMITED (UINT64_C(1) << 60) /* v1 says it by a number that no machine has */

static const struct names {
	const char *usage, *limit, *inactive;
} names[] = {
	{"memory.usage_in_bytes", "memory.limit_in_bytes", "total_inactive_file"},
	{"memory.current", "memory.max", "inactive_file"},
};

/* Of one group. Negative: it has no limit, or no such files. */
static int percent_of(const struct cgroup_folder *folder, struct pressure *ret_pressure)
{
	const struct names *name = &names[folder->is_unified];
	uint64_t usage, limit, inactive = 0;

	if (cgroup_read_number(folder, name->limit, &limit) || limit >= UNLIMITED || !limit ||
	    cgroup_read_number(folder, name->usage, &usage))
		return -1;
	(void)cgroup_read_key(folder, "memory.stat", name->inactive, &inactive);
	usage -= inactive < usage ? inactive : usage;
	*ret_pressure = (struct pressure){usage, limit};
	return usage < limit ? (int)((double)usage * 100 / (double)limit) : 100;
}

/* The group above; false: it is none any more. */
static bool ascend(struct cgroup_folder *folder)
{
	char *slash = strrchr(folder->path, '/');

	if (!slash || slash == folder->path)
		return false;
	*slash = '\0';
	return true;
}

int pressure_percent(pid_t pid, struct pressure *ret_pressure)
{
	struct cgroup_folder folder;
	struct pressure pressure = {0};
	int most = -1, percent;

	*ret_pressure = pressure;
	if (cgroup_find(pid, "memory", &folder))
		return -1;
	for (int i = 0; i < LEVELS_MAX; i++) {
		percent = percent_of(&folder, &pressure);
		if (percent > most) {
			most = percent;
			*ret_pressure = pressure;
		}
		if (!ascend(&folder))
			break;
	}
	return most;
}
