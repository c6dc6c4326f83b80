/* SPDX-License-Identifier: MIT */
/*
 * How the process died, who did it, with the evidence; and what the process was. In the order in which a
 * person would ask.
 */
#include "recorder/dump_cause.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "recorder/container.h"
#include "recorder/identity.h"

#define NAME_BYTES 32

static void pair_comm(struct pack *pack, struct pack_map *map, const char *comm)
{
	pack_key(pack, map, "comm");
	pack_string(pack, comm, strnlen(comm, TTLOG_BPF_COMM_BYTES));
}

static void pair_path(struct pack *pack, struct pack_map *map, const char *key, const char *path)
{
	if (path[0])
		pack_pair_string(pack, map, key, path);
}

static void container_pairs(struct pack *pack, struct pack_map *map, const char *cgroup)
{
	struct container container;

	if (!container_of_cgroup(cgroup, &container))
		return;
	pack_pair_string(pack, map, "container_runtime", container.runtime);
	pair_path(pack, map, "container_id", container.id);
	pair_path(pack, map, "pod_uid", container.pod_uid);
}

static void parents(struct pack *pack, struct pack_map *map, const struct ttlog_bpf_more *more)
{
	const uint32_t count =
		more->parent_count < TTLOG_BPF_PARENTS ? more->parent_count : TTLOG_BPF_PARENTS;

	pack_key(pack, map, "parents");
	pack_array(pack, count);
	for (uint32_t i = 0; i < count; i++) {
		struct pack_map inner = pack_map_begin(pack);

		pack_pair_uint(pack, &inner, "pid", more->parent[i].pid);
		pair_comm(pack, &inner, more->parent[i].comm);
		pack_map_end(pack, &inner);
	}
}

/* more: what is known of that actor beside, or NULL. */
static void actor(struct pack *pack, struct pack_map *map, const char *key,
		  const struct ttlog_bpf_actor *who, const struct evidence_more *more)
{
	struct pack_map inner;

	pack_key(pack, map, key);
	inner = pack_map_begin(pack);
	pack_pair_uint(pack, &inner, "pid", who->pid);
	pack_pair_uint(pack, &inner, "tid", who->tid);
	pack_pair_uint(pack, &inner, "uid", who->uid);
	pack_pair_uint(pack, &inner, "gid", who->gid);
	pair_comm(pack, &inner, who->comm);
	pack_pair_known(pack, &inner, "cgroup_id", who->cgroup_id);
	if (more && more->kind != TTLOG_BPF_OOM && more->kind != TTLOG_BPF_DEATH) {
		pair_path(pack, &inner, "exe", more->exe);
		pair_path(pack, &inner, "cgroup", more->cgroup);
		container_pairs(pack, &inner, more->cgroup);
		parents(pack, &inner, &more->more);
	}
	pack_map_end(pack, &inner);
}

static void pair_pages(struct pack *pack, struct pack_map *map, const char *key, uint64_t pages)
{
	pack_pair_known(pack, map, key, pages * (uint64_t)sysconf(_SC_PAGESIZE));
}

static void memory_pairs(struct pack *pack, struct pack_map *map, const struct ttlog_bpf_more *more)
{
	pair_pages(pack, map, "total_bytes", more->total_pages);
	pair_pages(pack, map, "anonymous_bytes", more->anonymous_pages);
	pair_pages(pack, map, "file_bytes", more->file_pages);
	pair_pages(pack, map, "shared_bytes", more->shared_pages);
	pair_pages(pack, map, "swap_bytes", more->swap_pages);
	pair_pages(pack, map, "peak_bytes", more->peak_pages);
}

static void limit_pairs(struct pack *pack, struct pack_map *map, const struct ttlog_bpf_more *more)
{
	if (!more->limit_pages)
		return;
	pair_pages(pack, map, "limit_bytes", more->limit_pages);
	pair_pages(pack, map, "usage_bytes", more->usage_pages);
	pack_pair_uint(pack, map, "limit_level", more->limit_level);
	pack_pair_known(pack, map, "limit_cgroup_id", more->limit_cgroup_id);
}

static void memory(struct pack *pack, struct pack_map *map, const struct ttlog_bpf_more *more)
{
	struct pack_map inner;

	pack_key(pack, map, "memory");
	inner = pack_map_begin(pack);
	memory_pairs(pack, &inner, more);
	limit_pairs(pack, &inner, more);
	pack_map_end(pack, &inner);
}

static void evidence_event(struct pack *pack, const struct evidence *seen,
			   const struct ttlog_bpf_event *event)
{
	const struct evidence_more *more = verdict_more(seen, event);
	struct pack_map map = pack_map_begin(pack);

	pack_pair_uint(pack, &map, "time_ns", event->time_ns);
	pack_pair_uint(pack, &map, "kind", event->kind);
	pack_pair_uint(pack, &map, "flags", event->flags);
	pack_pair_int(pack, &map, "signal", event->signal);
	pack_pair_int(pack, &map, "code", event->code);
	pack_pair_int(pack, &map, "error", event->error);
	pack_pair_int(pack, &map, "result", event->result);
	pack_pair_int(pack, &map, "exit_code", event->exit_code);
	pack_pair_uint(pack, &map, "info_pid", event->info_pid);
	pack_pair_uint(pack, &map, "info_uid", event->info_uid);
	pack_pair_known(pack, &map, "fault_address", event->fault_address);
	pack_pair_known(pack, &map, "ip", event->ip);
	pack_pair_known(pack, &map, "sp", event->sp);
	pack_pair_known(pack, &map, "signal_time_ns", event->signal_time_ns);
	if (event->target.tid)
		actor(pack, &map, "target", &event->target, NULL);
	if (event->sender.tid)
		actor(pack, &map, "sender", &event->sender, more);
	if (more)
		memory(pack, &map, &more->more);
	pack_map_end(pack, &map);
}

static void evidence(struct pack *pack, struct pack_map *map, const struct evidence *seen)
{
	pack_key(pack, map, "evidence");
	pack_array(pack, seen->count);
	for (unsigned int i = 0; i < seen->count; i++)
		evidence_event(pack, seen, &seen->event[i]);
	pack_pair_uint(pack, map, "evidence_forgotten", seen->forgotten);
	pack_pair_uint(pack, map, "evidence_lost", seen->lost);
}

static void cause_signal(struct pack *pack, struct pack_map *map, const struct verdict *verdict)
{
	char name[NAME_BYTES];

	pack_pair_int(pack, map, "signal", verdict->signal);
	pack_pair_string(pack, map, "signal_name",
			   verdict_signal_name(verdict->signal, name, sizeof(name)));
	if (!verdict->code_unknown) {
		pack_pair_int(pack, map, "code", verdict->code);
		pack_pair_string(pack, map, "code_name",
				 verdict_code_name(verdict->signal, verdict->code));
	}
	pack_pair_bool(pack, map, "core_dumped", verdict->core_dumped);
}

static const struct evidence_more *more_at(const struct dump_facts *facts, unsigned int place)
{
	return facts->evidence && place && place <= EVIDENCE_MORE_MAX
		       ? &facts->evidence->more[place - 1]
		       : NULL;
}

/* The path of the cgroup so many levels above that one; false: there are not so many. */
static bool cgroup_above(const char *path, uint32_t levels, char *buffer, size_t bytes)
{
	size_t length = strlen(path);

	for (; levels; levels--) {
		while (length > 1 && path[length - 1] != '/')
			length--;
		if (length <= 1)
			break;
		length--;
	}
	snprintf(buffer, bytes, "%.*s", length ? (int)length : 1, length ? path : "/");
	return levels <= 1;
}

static void oom(struct pack *pack, struct pack_map *map, const struct dump_facts *facts)
{
	const struct verdict *verdict = &facts->verdict;
	const struct evidence_more *more = more_at(facts, verdict->oom_more);
	const char *cgroup = facts->identity ? facts->identity->memory_cgroup : NULL;
	struct pack_map inner;
	char path[EVIDENCE_PATH_BYTES];

	pack_key(pack, map, "oom");
	inner = pack_map_begin(pack);
	actor(pack, &inner, "trigger", &verdict->trigger, more_at(facts, verdict->sender_more));
	if (more) {
		memory_pairs(pack, &inner, &more->more);
		limit_pairs(pack, &inner, &more->more);
	}
	if (more && more->more.limit_pages && cgroup &&
	    cgroup_above(cgroup, more->more.limit_level, path, sizeof(path)))
		pack_pair_string(pack, &inner, "limit_cgroup", path);
	pack_map_end(pack, &inner);
}

void dump_cause_encode(struct pack *pack, struct pack_map *map, const struct dump_facts *facts)
{
	const struct verdict *verdict = &facts->verdict;
	char sentence[512];
	struct pack_map inner;

	dump_sentence(verdict, sentence, sizeof(sentence));
	pack_key(pack, map, "cause");
	inner = pack_map_begin(pack);
	pack_pair_string(pack, &inner, "how", verdict_how_name(verdict->how));
	pack_pair_string(pack, &inner, "confidence",
			   verdict_confidence_name(verdict->confidence));
	pack_pair_string(pack, &inner, "sentence", sentence);
	if (verdict->have_signal)
		cause_signal(pack, &inner, verdict);
	if (verdict->have_exit_code)
		pack_pair_int(pack, &inner, "exit_code", verdict->exit_code);
	if (verdict->have_fault_address)
		pack_pair_uint(pack, &inner, "fault_address", verdict->fault_address);
	pack_pair_known(pack, &inner, "ip", verdict->ip);
	pack_pair_known(pack, &inner, "sp", verdict->sp);
	if (verdict->have_sender)
		actor(pack, &inner, "sender", &verdict->sender,
		      more_at(facts, verdict->sender_more));
	if (verdict->thread.tid)
		actor(pack, &inner, "thread", &verdict->thread, NULL);
	pack_pair_true(pack, &inner, "stack_overflow", verdict->stack_overflow);
	pack_pair_true(pack, &inner, "raised_again", verdict->raised_again);
	pack_pair_true(pack, &inner, "by_tracer", verdict->by_tracer);
	pack_pair_true(pack, &inner, "unwatched", verdict->unwatched);
	if (verdict->how == VERDICT_OOM)
		oom(pack, &inner, facts);
	if (facts->evidence)
		evidence(pack, &inner, facts->evidence);
	pack_map_end(pack, &inner);
}

/* ---- the process ------------------------------------------------------------------------------ */

static void limit_value(struct pack *pack, uint64_t value)
{
	if (value == IDENTITY_UNLIMITED)
		pack_string(pack, "unlimited", strlen("unlimited"));
	else
		pack_uint(pack, value);
}

static void limits(struct pack *pack, struct pack_map *map, const struct identity *identity)
{
	struct pack_map inner;

	if (!identity->limit_count)
		return;
	pack_key(pack, map, "limits");
	inner = pack_map_begin(pack);
	for (unsigned int i = 0; i < identity->limit_count; i++) {
		pack_key(pack, &inner, identity->limit[i].name);
		pack_array(pack, 2);
		limit_value(pack, identity->limit[i].soft);
		limit_value(pack, identity->limit[i].hard);
	}
	pack_map_end(pack, &inner);
}

/* At registration, of /proc; the names are those of the figures at death. */
static void memory_then(struct pack *pack, struct pack_map *map, const struct identity *identity)
{
	struct pack_map inner;

	pack_key(pack, map, "memory");
	inner = pack_map_begin(pack);
	pack_pair_known(pack, &inner, "total_bytes", identity->memory.total_bytes);
	pack_pair_known(pack, &inner, "anonymous_bytes", identity->memory.anonymous_bytes);
	pack_pair_known(pack, &inner, "file_bytes", identity->memory.file_bytes);
	pack_pair_known(pack, &inner, "shared_bytes", identity->memory.shared_bytes);
	pack_pair_known(pack, &inner, "swap_bytes", identity->memory.swap_bytes);
	pack_pair_known(pack, &inner, "peak_bytes", identity->memory.peak_bytes);
	pack_map_end(pack, &inner);
}

/*
 * Before 6.16 the memory is gone when a death is told of, but for its peak; then the figures are those
 * of the fatal signal.
 */
static void memory_at_death(struct pack *pack, struct pack_map *map, const struct dump_facts *facts)
{
	const struct evidence_more *death = more_at(facts, facts->verdict.memory_more);
	const struct evidence_more *signal = more_at(facts, facts->verdict.sender_more);
	struct ttlog_bpf_more figures = {0};
	struct pack_map inner;

	if (death)
		figures = death->more;
	if (!figures.total_pages && signal)
		figures = signal->more;
	if (death)
		figures.peak_pages = death->more.peak_pages;
	if (!death && !signal)
		return;
	pack_key(pack, map, "memory_at_death");
	inner = pack_map_begin(pack);
	memory_pairs(pack, &inner, &figures);
	pack_map_end(pack, &inner);
}

static void identity_pairs(struct pack *pack, struct pack_map *map, const struct identity *identity)
{
	pack_pair_string(pack, map, "cwd", identity->cwd);
	pack_pair_known(pack, map, "ns_pid", identity->ns_pid);
	limits(pack, map, identity);
	memory_then(pack, map, identity);
}

void dump_process_encode(struct pack *pack, struct pack_map *map, const struct dump_facts *facts)
{
	struct pack_map inner;

	pack_key(pack, map, "process");
	inner = pack_map_begin(pack);
	pack_pair_string(pack, &inner, "comm", facts->process.comm);
	pack_pair_string(pack, &inner, "exe", facts->process.exe);
	pack_pair_string(pack, &inner, "cmdline", facts->process.cmdline);
	pack_pair_string(pack, &inner, "cgroup", facts->process.cgroup);
	pack_pair_uint(pack, &inner, "uid", facts->process.uid);
	pack_pair_uint(pack, &inner, "gid", facts->process.gid);
	pack_pair_known(pack, &inner, "ppid", facts->process.ppid);
	pack_pair_known(pack, &inner, "start_ns", facts->process.start_ns);
	container_pairs(pack, &inner, facts->process.cgroup);
	if (facts->identity)
		identity_pairs(pack, &inner, facts->identity);
	memory_at_death(pack, &inner, facts);
	pack_map_end(pack, &inner);
}
