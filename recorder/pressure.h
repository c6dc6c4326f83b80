/* SPDX-License-Identifier: MIT */
/* pressure.h - how near a process's control group is to its memory limit, before the OOM killer is.
 */
#ifndef RECORDER_PRESSURE_H
#define RECORDER_PRESSURE_H

#include <stdint.h>
#include <sys/types.h>

struct pressure {
	uint64_t usage_bytes, limit_bytes;
};

/*
 * The share of the limit that is in use, in percent, of its group or of that group above it which
 * is nearest to its own; without what the kernel can take back at once (inactive file pages). Of
 * both hierarchies. Negative: nothing limits it, or nobody knows. ret_pressure
 * has the numbers behind the share.
 */
int pressure_percent(pid_t pid, struct pressure *ret_pressure);

#endif
