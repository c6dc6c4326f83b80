/* SPDX-License-Identifier: MIT */
/*
 * watch_load.h - what of the kernel program this kernel can take; for watch.c, and for
 * watch_check.c, which asks piece by piece. Nobody else includes this. There is nothing behind it
 * with BPF=0.
 */
#ifndef RECORDER_WATCH_LOAD_H
#define RECORDER_WATCH_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

struct ttlog_bpf;

/* What the recorder can do without, where a verifier does not take it. */
enum watch_part {
	WATCH_PART_WALK = 1,   /* of the mappings, at a death */
	WATCH_PART_VICTIM = 2, /* whom the OOM killer chose */
};
#define WATCH_PARTS_ALL 3u

/*
 * Opened, and of programs for the same tracepoint the one for this kernel is marked to be loaded, but
 * for the parts in `without`. 0 or a negative errno, and why_not in one line: -EPERM, -ENOENT (no BTF,
 * no such tracepoint).
 */
int watch_load_open(struct ttlog_bpf **ret_skeleton, unsigned int without, char *why_not,
		    size_t why_not_bytes);
/* Behind the last of some calls of watch_load_open(), which share what they read of the kernel. */
void watch_load_done(void);
/* All that is marked, without attaching it. 0 or a negative errno, for watch_load_explain(). */
int watch_load(struct ttlog_bpf *skeleton, bool *ret_without_control_maps);

/*
 * An array of one control page. flags 0, where there is no BPF_F_MMAPABLE: only its shape is of use
 * then. A descriptor or a negative errno.
 */
int watch_load_control_map(__u32 flags);

/* The name of the index-th kind of map that is needed, and whether the kernel has it. NULL: no
 * more. */
const char *watch_load_map_kind(unsigned int index, bool *ret_there);

/*
 * In words, why loading gave `err`. A negative errno: -EPERM (privileges), -EOPNOTSUPP (a kind of map),
 * or `err`, which fewer parts may mend.
 */
int watch_load_explain(int err, char *why_not, size_t why_not_bytes);

#endif
