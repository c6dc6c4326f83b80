/* SPDX-License-Identifier: MIT */
#include "viewer/info.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "viewer/fault.h"
#include "viewer/text_line.h"
#include "viewer/info_group.h"
#include "viewer/info_history.h"
#include "viewer/info_scene.h"
#include "viewer/when.h"

#define LABEL_COLUMNS 13
#define THREADS_SHOWN 32
#define CHANNELS_SHOWN 32

static void label(struct out *out, const char *text)
{
	out_text(out, "  ");
	out_text(out, text);
	out_pad(out, ' ', LABEL_COLUMNS - strlen(text));
}

static void line_span(struct out *out, const char *text, struct span span)
{
	if (!span.bytes)
		return;
	label(out, text);
	out_escaped(out, span, 0);
	out_char(out, '\n');
}

static void put_moment(struct out *out, struct number ns)
{
	when_date(out, (int64_t)ns.bits);
	out_char(out, ' ');
	when_time(out, (int64_t)ns.bits);
	out_text(out, " UTC");
}

/* 1,234,567 */
static void put_count(struct out *out, struct number count)
{
	char digits[32];
	size_t at = sizeof(digits);
	uint64_t left = count.bits;

	if (!count.known) {
		out_text(out, "not known");
		return;
	}
	for (unsigned int i = 0; left || !i; i++, left /= 10) {
		if (i && i % 3 == 0)
			digits[--at] = ',';
		digits[--at] = (char)('0' + left % 10);
	}
	out_bytes(out, digits + at, sizeof(digits) - at);
}

static void put_column(struct out *out, struct number count, size_t columns)
{
	struct out cell;

	out_init(&cell, -1);
	put_count(&cell, count);
	out_pad(out, ' ', cell.bytes < columns ? columns - cell.bytes : 1);
	out_span(out, span_of(&cell));
	out_fini(&cell);
}

static void put_name(struct out *out, struct span name, size_t columns)
{
	size_t taken;

	out_text(out, "  ");
	taken = out_escaped(out, name, 0);
	out_pad(out, ' ', taken < columns ? columns - taken : 1);
}

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

static void put_bytes(struct out *out, const char *before, struct number bytes, const char *behind)
{
	const uint64_t kib = bytes.bits >> 10;

	if (!bytes.known)
		return;
	out_text(out, before);
	if (kib < 10240)
		out_printf(out, "%" PRIu64 " KiB", kib);
	else
		out_printf(out, "%" PRIu64 " MiB", kib >> 10);
	out_text(out, behind);
}

static void put_container(struct out *out, struct span runtime, struct span id, struct span pod)
{
	if (!id.bytes && !pod.bytes)
		return;
	label(out, "container");
	out_escaped(out, id, 0);
	if (runtime.bytes) {
		out_text(out, id.bytes ? " (" : "(");
		out_escaped(out, runtime, 0);
		out_char(out, ')');
	}
	if (pod.bytes) {
		out_text(out, id.bytes ? ", pod " : "pod ");
		out_escaped(out, pod, 0);
	}
	out_char(out, '\n');
}

static void put_ancestry(struct out *out, const char *what, const struct meta_actor *actor)
{
	if (!actor->have_parents)
		return;
	label(out, what);
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
	line_span(out, "  cgroup", actor->cgroup);
	put_container(out, actor->container_runtime, actor->container_id, actor->pod_uid);
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
static void put_fault(struct out *out, struct dump *dump)
{
	struct out words;

	out_init(&words, -1);
	if (fault_explain(&words, &dump_meta(dump)->cause, dump_scene(dump))) {
		label(out, "fault");
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
	label(out, "memory");
	put_bytes(out, "", oom->anonymous_bytes, " anonymous, ");
	put_bytes(out, "", oom->file_bytes, " of files, ");
	put_bytes(out, "", oom->shared_bytes, " shared, ");
	put_bytes(out, "", oom->total_bytes, " mapped");
	out_char(out, '\n');
	if (!oom->limit_bytes.known)
		return;
	label(out, "limit");
	put_bytes(out, "", oom->limit_bytes, "");
	put_bytes(out, ", ", oom->usage_bytes, " used");
	if (oom->limit_cgroup.bytes) {
		out_text(out, ", of ");
		out_escaped(out, oom->limit_cgroup, 0);
	}
	out_char(out, '\n');
}

static void put_memory(struct out *out, const struct meta_process *process)
{
	const struct meta_memory *end = &process->memory_at_death;

	if (!process->memory.total_bytes.known && !end->peak_bytes.known)
		return;
	label(out, "resident");
	put_bytes(out, "", process->memory.peak_bytes, " when it registered");
	put_bytes(out, process->memory.peak_bytes.known ? ", " : "", end->peak_bytes,
		  " at the most");
	out_char(out, '\n');
}

static void put_user(struct out *out, const struct meta_process *process)
{
	if (!process->uid.known)
		return;
	label(out, "user");
	out_printf(out, "uid %" PRIu64, process->uid.bits);
	if (process->gid.known)
		out_printf(out, ", gid %" PRIu64, process->gid.bits);
	if (process->ppid.known)
		out_printf(out, ", parent pid %" PRIu64, process->ppid.bits);
	out_char(out, '\n');
}

static void put_who(struct out *out, const struct meta *meta)
{
	label(out, "process");
	out_escaped(out, meta->service, 0);
	if (meta->pid.known)
		out_printf(out, ", pid %" PRIu64, meta->pid.bits);
	if (meta->hostname.bytes) {
		out_text(out, ", on ");
		out_escaped(out, meta->hostname, 0);
	}
	out_char(out, '\n');
	line_span(out, "command", meta->process.cmdline);
	line_span(out, "executable", meta->process.exe);
	line_span(out, "folder", meta->process.cwd);
	line_span(out, "cgroup", meta->process.cgroup);
	put_container(out, meta->process.container_runtime, meta->process.container_id,
		      meta->process.pod_uid);
	put_user(out, &meta->process);
	put_memory(out, &meta->process);
}

static void put_when(struct out *out, const struct meta *meta)
{
	const struct number *start = &meta->process.start_ns;
	const struct number *end = meta->death_ns.known ? &meta->death_ns : &meta->created_ns;

	if (start->known) {
		label(out, "started");
		put_moment(out, *start);
		out_char(out, '\n');
	}
	if (!end->known)
		return;
	label(out, meta->death_ns.known ? "died" : "seen");
	put_moment(out, *end);
	if (start->known) {
		out_text(out, meta->death_ns.known ? ", after " : ", running for ");
		when_duration(out, (int64_t)start->bits, (int64_t)end->bits);
	}
	out_char(out, '\n');
}

/* 0.2 us, rounded up. */
static void put_microseconds(struct out *out, uint64_t ns)
{
	uint64_t tenths = ns / 100 + (ns % 100 != 0);

	out_printf(out, "%" PRIu64 ".%" PRIu64 " us", tenths / 10, tenths % 10);
}

static void put_clock(struct out *out, const struct meta_clock *clock)
{
	if (!clock->source.bytes)
		return;
	label(out, "clock");
	out_escaped(out, clock->source, 0);
	if (clock->error_ns.known) {
		out_text(out, ", right to ");
		put_microseconds(out, clock->error_ns.bits);
	}
	if (span_is(clock->mode, "sparse"))
		out_text(out, "; sparse: \"~\" is the time of an earlier event of the thread");
	else if (span_is(clock->mode, "coarse"))
		out_text(out,
			 "; coarse: \"~\" may be some ms old, or the time of an earlier event");
	out_char(out, '\n');
}

/* It died like this before, and was started again. */
static void put_loop(struct out *out, const struct meta *meta)
{
	if (!meta->loop_count.known || meta->loop_count.bits < 2)
		return;
	label(out, "crash loop");
	out_printf(out, "death %" PRIu64, meta->loop_count.bits);
	if (meta->loop_since_ns.known) {
		out_text(out, " since ");
		put_moment(out, meta->loop_since_ns);
	}
	out_char(out, '\n');
}

/* What is not there because nobody could see it is said, so that nobody looks for it. */
static void put_found(struct out *out, const struct meta *meta)
{
	const struct span found = meta->recorder.found;

	if (!found.bytes && !meta->cause.unwatched)
		return;
	label(out, "ring");
	if (span_is(found, "kept"))
		out_text(out, "kept by the service manager while no recorder ran");
	else if (span_is(found, "adopted"))
		out_text(out, "adopted: it was there before the recorder knew of it");
	else
		out_text(out, "handed over too late");
	out_char(out, '\n');
	if (!meta->cause.unwatched)
		return;
	label(out, "unwatched");
	out_text(out, "nobody saw the death: no time of it, sender, stack or modules\n");
}

static void put_dump(struct out *out, struct dump *dump)
{
	const struct meta *meta = dump_meta(dump);
	const char *path = dump_path(dump);

	label(out, "dump");
	out_escaped(out, (struct span){path, strlen(path)}, 0);
	out_char(out, '\n');
	line_span(out, "written", meta->created_at);
	line_span(out, "reason", meta->reason);
	line_span(out, "signature", meta->signature);
	put_loop(out, meta);
	line_span(out, "confidence", meta->cause.confidence);
	line_span(out, "recorder", meta->recorder.rung);
	put_found(out, meta);
	put_clock(out, &meta->clock);
}

static void line_count(struct out *out, const char *text, struct number count)
{
	label(out, text);
	put_count(out, count);
	out_char(out, '\n');
}

static void put_counts(struct out *out, struct dump *dump)
{
	const struct meta *meta = dump_meta(dump);
	const struct number read = {dump_events_read(dump), true};

	label(out, "events");
	put_count(out, meta->events);
	if (!meta->events.known || meta->events.bits != read.bits) {
		out_text(out, ", of which can be read ");
		put_count(out, read);
	}
	out_char(out, '\n');
	line_count(out, "overwritten", meta->overwritten);
	line_count(out, "dropped", meta->dropped);
	line_count(out, "truncated", meta->truncated);
	line_count(out, "torn", meta->torn);
	if (meta->cause.evidence_lost.bits)
		line_count(out, "unsent", meta->cause.evidence_lost);
}

/* From when to when something was lost. */
static void put_span_of_time(struct out *out, const char *what, struct number first,
			     struct number last)
{
	if (!first.known || !last.known)
		return;
	out_printf(out, "  %s ", what);
	put_moment(out, first);
	out_text(out, " to ");
	put_moment(out, last);
}

static void put_lanes(struct out *out, const struct meta *meta)
{
	if (!meta->lane_count)
		return;
	out_text(out, "\n  lane                  events    overwritten        dropped\n");
	for (uint64_t i = 0; i < meta->lane_count; i++) {
		const struct meta_lane *lane = &meta->lanes[i];

		put_name(out, lane->name, 14);
		put_column(out, lane->events, 14);
		put_column(out, lane->overwritten, 15);
		put_column(out, lane->dropped, 15);
		put_span_of_time(out, "overwritten:", lane->overwritten_first_ns,
				 lane->overwritten_last_ns);
		put_span_of_time(out, "dropped:", lane->dropped_first_ns, lane->dropped_last_ns);
		out_char(out, '\n');
	}
}

static void put_channel_counts(struct out *out, const struct meta_channels *channels)
{
	if (!channels->opened.known)
		return;
	label(out, "channels");
	put_count(out, channels->open);
	out_text(out, " open, ");
	put_count(out, channels->opened);
	out_text(out, " opened in all, ");
	put_count(out, channels->replaced);
	out_text(out, " replaced, ");
	put_count(out, channels->refused);
	out_text(out, " refused\n");
}

static void put_channels(struct out *out, const struct meta_channels *channels)
{
	uint64_t more = channels->unlisted.bits;

	if (!channels->list_count)
		return;
	out_text(out, "\n  channel               events    overwritten       diverted\n");
	for (uint64_t i = 0; i < channels->list_count && i < CHANNELS_SHOWN; i++) {
		const struct meta_channel *channel = &channels->list[i];

		put_name(out, channel->name, 14);
		put_column(out, (struct number){channel->events.bits, true}, 14);
		put_column(out, (struct number){channel->overwritten.bits, true}, 15);
		put_column(out, (struct number){channel->diverted.bits, true}, 15);
		put_span_of_time(out, "overwritten:", channel->overwritten_first_ns,
				 channel->overwritten_last_ns);
		put_span_of_time(out, "diverted:", channel->diverted_first_ns,
				 channel->diverted_last_ns);
		out_char(out, '\n');
	}
	if (channels->list_count > CHANNELS_SHOWN)
		more += channels->list_count - CHANNELS_SHOWN;
	if (more)
		out_printf(out, "  and %" PRIu64 " more\n", more);
}

/* Who was active last comes first. */
static int compare_threads(const void *a, const void *b)
{
	const struct meta_thread *left = *(const struct meta_thread *const *)a;
	const struct meta_thread *right = *(const struct meta_thread *const *)b;
	int64_t l = (int64_t)left->last_ns.bits, r = (int64_t)right->last_ns.bits;

	if (l != r)
		return l > r ? -1 : 1;
	return (left > right) - (left < right);
}

static void put_thread(struct out *out, const struct meta *meta, struct last *last,
		       const struct meta_thread *thread)
{
	struct record *record = last_record(last, (uint64_t)(thread - meta->threads));

	put_name(out, thread->name, 16);
	out_printf(out, "%12" PRIu64, thread->tid.bits);
	put_column(out, thread->events, 15);
	if (thread->last_ns.known) {
		out_text(out, "  ");
		if (meta->death_ns.known) {
			out_char(out, 'T');
			when_relative(out, (int64_t)thread->last_ns.bits,
				      (int64_t)meta->death_ns.bits);
			out_text(out, "  ");
		}
		when_time(out, (int64_t)thread->last_ns.bits);
	}
	if (record) {
		out_text(out, "  ");
		text_brief(out, record);
	}
	out_char(out, '\n');
}

static void put_threads(struct out *out, const struct meta *meta, struct last *last)
{
	const struct meta_thread **order;
	uint64_t count = meta->thread_count;

	order = calloc(count + 1, sizeof(*order));
	if (!count || !order)
		goto out;
	for (uint64_t i = 0; i < count; i++)
		order[i] = &meta->threads[i];
	qsort(order, count, sizeof(*order), compare_threads);
	out_text(out, "\n  thread                   tid         events  last event\n");
	for (uint64_t i = 0; i < count && i < THREADS_SHOWN; i++)
		put_thread(out, meta, last, order[i]);
	if (count > THREADS_SHOWN)
		out_printf(out, "  and %" PRIu64 " more\n", count - THREADS_SHOWN);
out:
	free(order);
}

void info_text(struct out *out, struct dump *dump, struct last *last, const struct redo *redo,
	       bool colour, bool all_threads)
{
	const struct meta *meta = dump_meta(dump);

	put_verdict(out, meta, colour);
	put_fault(out, dump);
	put_sender(out, meta);
	put_oom(out, &meta->cause.oom);
	if (meta->cause.sender.pid.known || span_is(meta->cause.how, "fault"))
		out_char(out, '\n');
	info_scene_text(out, dump_scene(dump), redo, all_threads);
	put_who(out, meta);
	put_when(out, meta);
	info_group_text(out, meta);
	put_dump(out, dump);
	put_counts(out, dump);
	put_channel_counts(out, &meta->channels);
	put_lanes(out, meta);
	info_history_text(out, meta);
	put_channels(out, &meta->channels);
	put_threads(out, meta, last);
}
