/* SPDX-License-Identifier: MIT */
#include <inttypes.h>

#include "viewer/format_json.h"
#include "viewer/info.h"
#include "viewer/fault.h"
#include "viewer/info_group.h"
#include "viewer/info_history.h"
#include "viewer/info_scene.h"
#include "viewer/info_trigger.h"

static void put_parents(struct out *out, const struct meta_actor *actor)
{
	json_key(out, "parents");
	out_char(out, '[');
	for (uint64_t i = 0; i < actor->parent_count; i++) {
		out_text(out, i ? ",{" : "{");
		json_number(out, "pid", actor->parents[i].pid);
		json_span(out, "comm", actor->parents[i].comm);
		out_char(out, '}');
	}
	out_char(out, ']');
}

static void put_actor(struct out *out, const char *key, const struct meta_actor *actor)
{
	json_key(out, key);
	if (!actor->tid.known && !actor->pid.known) {
		out_text(out, "null");
		return;
	}
	out_char(out, '{');
	json_number(out, "pid", actor->pid);
	json_span(out, "comm", actor->comm);
	json_number(out, "uid", actor->uid);
	json_number(out, "gid", actor->gid);
	json_number(out, "tid", actor->tid);
	/* Of a thread of the process itself these are said elsewhere. */
	if (actor->have_parents) {
		json_known(out, "exe", actor->exe);
		json_known(out, "cgroup", actor->cgroup);
		json_known(out, "container_id", actor->container_id);
		json_known(out, "container_runtime", actor->container_runtime);
		json_known(out, "pod_uid", actor->pod_uid);
		put_parents(out, actor);
	}
	out_char(out, '}');
}

static void put_oom(struct out *out, const struct meta_oom *oom)
{
	json_key(out, "oom");
	if (!oom->trigger.pid.known) {
		out_text(out, "null");
		return;
	}
	out_char(out, '{');
	put_actor(out, "trigger", &oom->trigger);
	json_number(out, "total_bytes", oom->total_bytes);
	json_number(out, "anonymous_bytes", oom->anonymous_bytes);
	json_number(out, "file_bytes", oom->file_bytes);
	json_number(out, "shared_bytes", oom->shared_bytes);
	json_number(out, "swap_bytes", oom->swap_bytes);
	json_number(out, "limit_bytes", oom->limit_bytes);
	json_number(out, "usage_bytes", oom->usage_bytes);
	json_known(out, "limit_cgroup", oom->limit_cgroup);
	out_char(out, '}');
}

static void put_fault(struct out *out, const struct meta_cause *cause,
		      const struct meta_scene *scene)
{
	struct out words;

	out_init(&words, -1);
	fault_explain(&words, cause, scene);
	json_known(out, "fault", span_of(&words));
	out_fini(&words);
}

static void put_cause(struct out *out, const struct meta_cause *cause,
		      const struct meta_scene *scene)
{
	json_key(out, "cause");
	out_char(out, '{');
	json_known(out, "how", cause->how);
	json_number(out, "signal", cause->signal);
	json_known(out, "signal_name", cause->signal_name);
	json_signed(out, "code", cause->code);
	json_known(out, "code_name", cause->code_name);
	json_number(out, "exit_code", cause->exit_code);
	json_address(out, "fault_address", cause->fault_address);
	put_fault(out, cause, scene);
	json_truth(out, "core_dumped", cause->core_dumped);
	json_truth(out, "stack_overflow", cause->stack_overflow);
	json_truth(out, "raised_again", cause->raised_again);
	json_truth(out, "by_tracer", cause->by_tracer);
	json_truth(out, "unwatched", cause->unwatched);
	put_actor(out, "sender", &cause->sender);
	put_actor(out, "thread", &cause->thread);
	put_oom(out, &cause->oom);
	json_address(out, "ip", cause->ip);
	json_address(out, "sp", cause->sp);
	json_number(out, "evidence_lost", cause->evidence_lost);
	json_known(out, "confidence", cause->confidence);
	json_known(out, "sentence", cause->sentence);
	out_char(out, '}');
}

static void put_memory(struct out *out, const char *key, const struct meta_memory *memory)
{
	json_key(out, key);
	if (!memory->total_bytes.known && !memory->peak_bytes.known) {
		out_text(out, "null");
		return;
	}
	out_char(out, '{');
	json_number(out, "total_bytes", memory->total_bytes);
	json_number(out, "anonymous_bytes", memory->anonymous_bytes);
	json_number(out, "file_bytes", memory->file_bytes);
	json_number(out, "shared_bytes", memory->shared_bytes);
	json_number(out, "swap_bytes", memory->swap_bytes);
	json_number(out, "peak_bytes", memory->peak_bytes);
	out_char(out, '}');
}

/* Null is unlimited. */
static void put_limits(struct out *out, const struct meta_process *process)
{
	json_key(out, "limits");
	out_char(out, '[');
	for (uint64_t i = 0; i < process->limit_count; i++) {
		out_text(out, i ? ",{" : "{");
		json_span(out, "name", process->limits[i].name);
		json_number(out, "soft", process->limits[i].soft);
		json_number(out, "hard", process->limits[i].hard);
		out_char(out, '}');
	}
	out_char(out, ']');
}

static void put_process(struct out *out, const struct meta_process *process)
{
	json_key(out, "process");
	out_char(out, '{');
	json_known(out, "comm", process->comm);
	json_known(out, "exe", process->exe);
	json_known(out, "cmdline", process->cmdline);
	json_known(out, "cwd", process->cwd);
	json_known(out, "cgroup", process->cgroup);
	json_known(out, "container_id", process->container_id);
	json_known(out, "container_runtime", process->container_runtime);
	json_known(out, "pod_uid", process->pod_uid);
	json_number(out, "uid", process->uid);
	json_number(out, "gid", process->gid);
	json_number(out, "ppid", process->ppid);
	json_number(out, "ns_pid", process->ns_pid);
	json_ns(out, "start_ns", process->start_ns);
	put_memory(out, "memory", &process->memory);
	put_memory(out, "memory_at_death", &process->memory_at_death);
	put_limits(out, process);
	out_char(out, '}');
}

/* Null: it has none, or it is not known. */
static void put_last(struct out *out, struct out *scratch, struct record *record)
{
	json_key(out, "last_event");
	if (record)
		format_json_object(out, scratch, record);
	else
		out_text(out, "null");
}

static void put_threads(struct out *out, const struct meta *meta, struct last *last)
{
	struct out scratch;

	out_init(&scratch, -1);
	json_key(out, "threads");
	out_char(out, '[');
	for (uint64_t i = 0; i < meta->thread_count; i++) {
		out_text(out, i ? ",{" : "{");
		json_number(out, "tid", meta->threads[i].tid);
		json_span(out, "name", meta->threads[i].name);
		json_number(out, "events", meta->threads[i].events);
		json_ns(out, "first_ns", meta->threads[i].first_ns);
		json_ns(out, "last_ns", meta->threads[i].last_ns);
		put_last(out, &scratch, last_record(last, i));
		out_char(out, '}');
	}
	out_char(out, ']');
	out_fini(&scratch);
}

static void put_lanes(struct out *out, const struct meta *meta)
{
	json_key(out, "lanes");
	out_char(out, '[');
	for (uint64_t i = 0; i < meta->lane_count; i++) {
		const struct meta_lane *lane = &meta->lanes[i];

		out_text(out, i ? ",{" : "{");
		json_span(out, "name", lane->name);
		json_number(out, "events", lane->events);
		json_number(out, "overwritten", lane->overwritten);
		json_ns(out, "overwritten_first_ns", lane->overwritten_first_ns);
		json_ns(out, "overwritten_last_ns", lane->overwritten_last_ns);
		json_number(out, "dropped", lane->dropped);
		json_ns(out, "dropped_first_ns", lane->dropped_first_ns);
		json_ns(out, "dropped_last_ns", lane->dropped_last_ns);
		json_number(out, "truncated", lane->truncated);
		json_number(out, "recycled", lane->recycled);
		out_char(out, '}');
	}
	out_char(out, ']');
}

/* Null in a dump that does not say. */
static void put_clock(struct out *out, const struct meta_clock *clock)
{
	static const char exact[] = "exact";

	json_key(out, "clock");
	if (!clock->source.bytes) {
		out_text(out, "null");
		return;
	}
	out_char(out, '{');
	json_span(out, "source", clock->source);
	json_span(out, "mode",
		  clock->mode.bytes ? clock->mode : (struct span){exact, sizeof(exact) - 1});
	json_number(out, "error_ns", clock->error_ns);
	json_number(out, "points", clock->point_count);
	out_char(out, '}');
}

static void put_channels(struct out *out, const struct meta_channels *channels)
{
	json_key(out, "channels");
	if (!channels->opened.known) {
		out_text(out, "null");
		return;
	}
	out_char(out, '{');
	json_number(out, "open", channels->open);
	json_number(out, "opened", channels->opened);
	json_number(out, "replaced", channels->replaced);
	json_number(out, "refused", channels->refused);
	json_number(out, "unlisted", (struct number){channels->unlisted.bits, true});
	json_key(out, "list");
	out_char(out, '[');
	for (uint64_t i = 0; i < channels->list_count; i++) {
		const struct meta_channel *channel = &channels->list[i];

		out_text(out, i ? ",{" : "{");
		json_span(out, "name", channel->name);
		json_number(out, "events", (struct number){channel->events.bits, true});
		json_number(out, "budget_bytes", channel->budget_bytes);
		json_number(out, "overwritten", (struct number){channel->overwritten.bits, true});
		json_ns(out, "overwritten_first_ns", channel->overwritten_first_ns);
		json_ns(out, "overwritten_last_ns", channel->overwritten_last_ns);
		json_number(out, "diverted", (struct number){channel->diverted.bits, true});
		json_ns(out, "diverted_first_ns", channel->diverted_first_ns);
		json_ns(out, "diverted_last_ns", channel->diverted_last_ns);
		json_ns(out, "opened_ns", channel->opened_ns);
		json_ns(out, "closed_ns", channel->closed_ns);
		out_char(out, '}');
	}
	out_text(out, "]}");
}

/* Null for a death that was not one of many. */
static void put_loop(struct out *out, const struct meta *meta)
{
	json_key(out, "loop");
	if (!meta->loop_count.known) {
		out_text(out, "null");
		return;
	}
	out_char(out, '{');
	json_known(out, "id", meta->loop);
	json_number(out, "count", meta->loop_count);
	json_ns(out, "since_ns", meta->loop_since_ns);
	out_char(out, '}');
}

void info_json(struct out *out, struct dump *dump, struct last *last, const struct redo *redo)
{
	const struct meta *meta = dump_meta(dump);
	const struct number read = {dump_events_read(dump), true};

	out_char(out, '{');
	json_span(out, "service", meta->service);
	json_span(out, "hostname", meta->hostname);
	json_number(out, "pid", meta->pid);
	json_known(out, "created_at", meta->created_at);
	json_known(out, "reason", meta->reason);
	json_known(out, "signature", meta->signature);
	put_loop(out, meta);
	json_ns(out, "death_ns", meta->death_ns);
	json_number(out, "events", meta->events);
	json_number(out, "events_read", read);
	json_number(out, "overwritten", meta->overwritten);
	json_number(out, "dropped", meta->dropped);
	json_number(out, "truncated", meta->truncated);
	json_number(out, "torn", meta->torn);
	put_cause(out, &meta->cause, dump_scene(dump));
	info_trigger_json(out, meta);
	info_group_json(out, meta);
	put_process(out, &meta->process);
	info_scene_json(out, dump_scene(dump), redo);
	put_threads(out, meta, last);
	put_lanes(out, meta);
	info_history_json(out, meta);
	put_channels(out, &meta->channels);
	put_clock(out, &meta->clock);
	json_known(out, "recorder_version", meta->recorder.version);
	json_known(out, "rung", meta->recorder.rung);
	json_known(out, "found", meta->recorder.found);
	out_text(out, "}\n");
}
