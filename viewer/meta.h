/* SPDX-License-Identifier: MIT */
/*
 * meta.h - what a dump says of the process: its metadata map, decoded.
 *
 * Numbers that the dump does not have are not `known`, texts are empty. Spans point into bytes that
 * live as long as the dump is open.
 */
#ifndef VIEWER_META_H
#define VIEWER_META_H

#include "viewer/decode.h"
#include "viewer/meta_trigger.h"

#define META_PARENTS_MAX 16
#define META_LIMITS_MAX 16
#define META_POINTS_MAX 65536

struct meta_parent {
	struct number pid;
	struct span comm;
};

struct meta_actor {
	struct number pid, tid, uid, gid;
	struct span comm, exe, cgroup, container_runtime, container_id, pod_uid;
	struct meta_parent parents[META_PARENTS_MAX]; /* nearest first */
	uint64_t parent_count;
	bool have_parents;
};

struct meta_memory {
	struct number total_bytes, anonymous_bytes, file_bytes, shared_bytes, swap_bytes;
	struct number peak_bytes;
};

struct meta_oom {
	struct meta_actor trigger;
	struct number total_bytes, anonymous_bytes, file_bytes, shared_bytes, swap_bytes;
	struct number limit_bytes, usage_bytes, limit_level, limit_cgroup_id;
	struct span limit_cgroup;
};

struct meta_cause {
	struct span how, confidence, sentence, signal_name, code_name;
	struct number signal, code, exit_code, fault_address, ip, sp;
	bool core_dumped, stack_overflow, raised_again, by_tracer, unwatched;
	struct meta_actor sender, thread;
	struct meta_oom oom;
	struct number evidence_count, evidence_forgotten, evidence_lost;
};

struct meta_limit {
	struct span name;
	struct number soft, hard; /* not known: unlimited */
};

struct meta_process {
	struct span comm, exe, cmdline, cwd, cgroup, container_runtime, container_id, pod_uid;
	struct number uid, gid, ppid, start_ns, ns_pid;
	struct meta_memory memory, memory_at_death;
	struct meta_limit limits[META_LIMITS_MAX];
	uint64_t limit_count;
};

struct meta_thread {
	struct span name;
	struct number tid, events, first_ns, last_ns;
};

struct meta_lane {
	struct span name;
	struct number events, overwritten, dropped, truncated, recycled;
	struct number overwritten_first_ns, overwritten_last_ns, dropped_first_ns, dropped_last_ns;
};

struct meta_channel {
	struct span name;
	struct number events, budget_bytes, overwritten, diverted, opened_ns, closed_ns;
	struct number overwritten_first_ns, overwritten_last_ns, diverted_first_ns, diverted_last_ns;
};

struct meta_channels {
	struct number open, opened, replaced, refused, unlisted; /* opened: known if there were any */
	struct meta_channel *list;
	uint64_t list_count;
};

struct meta_recorder {
	struct span version, rung, found;
	struct number region_bytes, dict_full;
};

/* Events that are missing between others that are there. */
struct meta_gap {
	struct number lane, events, first_ns, last_ns;
};

struct meta_history {
	struct number budget_bytes, bytes;
	struct meta_gap *gaps;
	uint64_t gap_count;
};

/* Of a death, and of those who worked with who died. */
struct meta_group {
	struct span set, role, by, name, first_service, first_sentence; /* no set: it is of none */
	struct number first_pid, copied, left_out;
};

/* A reading of both clocks. */
struct meta_point {
	int64_t monotonic_ns, realtime_ns;
};

struct meta_clock {
	struct span source, mode;
	struct number error_ns, point_count;
	struct meta_point *points; /* oldest first; META_POINTS_MAX of them at the most */
	uint64_t points_kept;
};

struct meta {
	struct number format; /* known only with real metadata, not with a summary */
	struct span service, hostname, created_at, reason;
	struct span signature, loop; /* of the summary alone, and so is loop_... */
	struct number loop_count, loop_since_ns;
	struct number pid, created_ns, death_ns;
	struct number events, overwritten, dropped, truncated, torn;
	struct meta_cause cause;
	struct meta_trigger trigger;
	struct meta_process process;
	struct meta_group group;
	struct meta_recorder recorder;
	struct meta_clock clock;
	struct meta_thread *threads;
	struct meta_thread *threads_before; /* where they were: events may still point there */
	struct meta_kept *kept;		    /* what the names of more threads point into */
	size_t kept_bytes;
	uint64_t thread_count;
	struct number threads_unlisted;
	struct meta_channels channels;
	struct meta_history history;
	struct meta_lane *lanes;
	uint64_t lane_count;
};

/* Fills what is in the map. 0 or a negative errno; what was filled before an error stays. */
int meta_decode(struct meta *meta, const unsigned char *data, size_t bytes);
/* The same for the few keys of the summary in the file's head. */
int meta_decode_summary(struct meta *meta, const unsigned char *data, size_t bytes);
/* A map with more threads, behind those that there are. Copies what it needs. 0 or a negative errno. */
int meta_add_threads(struct meta *meta, const unsigned char *data, size_t bytes);
void meta_fini(struct meta *meta);

#endif
