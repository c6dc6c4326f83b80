/* SPDX-License-Identifier: MIT */
#include "viewer/info_cause.h"

#include <inttypes.h>

#include "viewer/fault.h"
#include "viewer/info_parts.h"

static void put_verdict(struct out *out, const struct meta *meta, bool colour)
{
	static const char unknown[] = "how it ended is not known";
	struct span sentence = meta->cause.sentence;

	if (!sentence.bytes)
		sentence = (struct span){unknown, sizeof(unknown) - 1};
	if (colour)
		out_text(out, span_is(meta->cause.how, "alive") ? "\033[1m" : "\033[1;31m");
	out_escaped(out, sentence, 0);
	if (colour)
		out_text(out, "\033[0m");
	out_text(out, "\n\n");
}

static void put_ancestry(struct out *out, const char *what, const struct meta_actor *actor)
{
	if (!actor->have_parents)
		return;
	info_label(out, what);
	out_escaped(out, actor->exe.bytes ? actor->exe : actor->comm, 0);
	for (uint64_t i = 0; i < actor->parent_count; i++) {
		out_text(out, i ? " < " : ", child of ");
		out_escaped(out, actor->parents[i].comm, 0);
		if (actor->parents[i].pid.known)
			out_printf(out, " (%" PRIu64 ")", actor->parents[i].pid.bits);
	}
	out_char(out, '\n');
}

/* Of somebody else: where they come from. */
static void put_actor(struct out *out, const char *what, const struct meta_actor *actor)
{
	put_ancestry(out, what, actor);
	if (!actor->have_parents)
		return;
	info_line(out, "  cgroup", actor->cgroup);
	info_container(out, actor->container_runtime, actor->container_id, actor->pod_uid);
}

/* What is said of the process is not said twice. */
static void put_sender(struct out *out, const struct meta *meta)
{
	const struct meta_actor *sender = &meta->cause.sender;

	if (sender->pid.known && meta->pid.known && sender->pid.bits == meta->pid.bits)
		put_ancestry(out, "itself", sender);
	else
		put_actor(out, "sender", sender);
}

/* With a line behind it, for what follows is the stack, or about something else. */
static void put_fault(struct out *out, const struct meta *meta,
		      const struct meta_scene *scene)
{
	struct out words;

	out_init(&words, -1);
	if (fault_explain(&words, &meta->cause, scene)) {
		info_label(out, "fault");
		out_span(out, span_of(&words));
		out_char(out, '\n');
	}
	out_fini(&words);
}

static void put_oom(struct out *out, const struct meta_oom *oom)
{
	if (!oom->trigger.pid.known)
		return;
	put_actor(out, "trigger", &oom->trigger);
	info_label(out, "memory");
	info_bytes(out, "", oom->anonymous_bytes, " anonymous, ");
	info_bytes(out, "", oom->file_bytes, " of files, ");
	info_bytes(out, "", oom->shared_bytes, " shared, ");
	info_bytes(out, "", oom->total_bytes, " mapped");
	out_char(out, '\n');
	if (!oom->limit_bytes.known)
		return;
	info_label(out, "limit");
	info_bytes(out, "", oom->limit_bytes, "");
	info_bytes(out, ", ", oom->usage_bytes, " used");
	if (oom->limit_cgroup.bytes) {
		out_text(out, ", of ");
		out_escaped(out, oom->limit_cgroup, 0);
	}
	out_char(out, '\n');
}

void info_cause_text(struct out *out, const struct meta *meta, const struct meta_scene *scene,
		     bool colour)
{
	put_verdict(out, meta, colour);
	put_fault(out, meta, scene);
	put_sender(out, meta);
	put_oom(out, &meta->cause.oom);
	if (meta->cause.sender.pid.known || span_is(meta->cause.how, "fault"))
		out_char(out, '\n');
}
