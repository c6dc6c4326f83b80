/* SPDX-License-Identifier: MIT */
/*
 * identity.h - who a process is: what /proc says of it while it lives.
 *
 * Read when it registers; after its death there is nobody left to ask. The process wrote some of it
 * itself (comm, cmdline), so it is a claim, bounded and made valid UTF-8.
 */
#ifndef RECORDER_IDENTITY_H
#define RECORDER_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define IDENTITY_CMDLINE_BYTES 4096

#define IDENTITY_LIMITS_MAX 16
#define IDENTITY_UNLIMITED UINT64_MAX

struct identity {
	char *comm, *exe, *cmdline, *cwd, *cgroup; /* NULL: not known */
	char *memory_cgroup; /* what its memory is charged to; with cgroup v2 the same */
	uint32_t uid, gid, ppid;
	bool is_plain; /* one user, one group, and nothing that user might not see of it: no set-uid */
	uint32_t ns_pid; /* in its own pid namespace; 0 = unknown */
	struct {
		const char *name; /* "cpu", "stack", ...: as setrlimit(2) calls them, in its units */
		uint64_t soft, hard;
	} limit[IDENTITY_LIMITS_MAX];
	unsigned int limit_count;
	struct {
		uint64_t total_bytes, anonymous_bytes, file_bytes, shared_bytes, swap_bytes;
		uint64_t peak_bytes; /* the most that was resident at a time */
	} memory;
	uint64_t start_ns;    /* CLOCK_REALTIME, as exact as the kernel's clock tick; 0 = unknown */
	uint64_t start_ticks; /* as in /proc/PID/stat: with the pid, who it is */
};

/*
 * Fills what can be read. The caller makes sure (by a pidfd) that the pid still was that process
 * afterwards. 0 or a negative errno: -ESRCH (there is no such process).
 */
int identity_read(pid_t pid, struct identity *ret_identity);
void identity_free(struct identity *identity);

#define IDENTITY_ANY_REGION 0 /* as an inode */

/*
 * Has that process a region of ours in its memory? 1, 0, or a negative errno: -E2BIG (not found in
 * the first megabyte of its list).
 */
int identity_maps_region(pid_t pid, ino_t inode);
/* The same, and has it a mapping that begins at that offset of the region? */
int identity_maps_region_at(pid_t pid, ino_t inode, uint64_t offset);

/* A core of it is being written: dead, but not for the pidfd yet. */
bool identity_is_dumping_core(pid_t pid);
/* By a signal or by a debugger. */
bool identity_is_stopped(pid_t pid);

#endif
