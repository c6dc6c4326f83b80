/* SPDX-License-Identifier: MIT */
#include "viewer/info.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "viewer/text_line.h"
#include "viewer/info_cause.h"
#include "viewer/info_group.h"
#include "viewer/info_history.h"
#include "viewer/info_parts.h"
#include "viewer/info_scene.h"
#include "viewer/when.h"

#define THREADS_SHOWN 32
#define CHANNELS_SHOWN 32

static void put_count(struct out *out, struct number count)
{
	if (count.known)
		out_count(out, count.bits, 0);
	else
		out_text(out, "not known");
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

static void put_memory(struct out *out, const struct meta_process *process)
{
	const struct meta_memory *end = &process->memory_at_death;

	if (!process->memory.total_bytes.known && !end->peak_bytes.known)
		return;
	info_label(out, "resident");
	info_bytes(out, "", process->memory.peak_bytes, " when it registered");
	info_bytes(out, process->memory.peak_bytes.known ? ", " : "", end->peak_bytes,
		  " at the most");
	out_char(out, '\n');
}

static void put_user(struct out *out, const struct meta_process *process)
{
	if (!process->uid.known)
		return;
	info_label(out, "user");
	out_printf(out, "uid %" PRIu64, process->uid.bits);
	if (process->gid.known)
		out_printf(out, ", gid %" PRIu64, process->gid.bits);
	if (process->ppid.known)
		out_printf(out, ", parent pid %" PRIu64, process->ppid.bits);
	out_char(out, '\n');
}

static void put_who(struct out *out, const struct meta *meta)
{
	info_label(out, "process");
	out_escaped(out, meta->service, 0);
	if (meta->pid.known)
		out_printf(out, ", pid %" PRIu64, meta->pid.bits);
	if (meta->hostname.bytes) {
		out_text(out, ", on ");
		out_escaped(out, meta->hostname, 0);
	}
	out_char(out, '\n');
	info_line(out, "command", meta->process.cmdline);
	info_line(out, "executable", meta->process.exe);
	info_line(out, "folder", meta->process.cwd);
	info_line(out, "cgroup", meta->process.cgroup);
	info_container(out, meta->process.container_runtime, meta->process.container_id,
		      meta->process.pod_uid);
	put_user(out, &meta->process);
	put_memory(out, &meta->process);
}

static void put_when(struct out *out, const struct meta *meta)
{
	const struct number *start = &meta->process.start_ns;
	const struct number *end = meta->death_ns.known ? &meta->death_ns : &meta->created_ns;

	if (start->known) {
		info_label(out, "started");
		when_moment(out, *start);
		out_char(out, '\n');
	}
	if (!end->known)
		return;
	info_label(out, meta->death_ns.known ? "died" : "seen");
	when_moment(out, *end);
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
	info_label(out, "clock");
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
	info_label(out, "crash loop");
	out_printf(out, "death %" PRIu64, meta->loop_count.bits);
	if (meta->loop_since_ns.known) {
		out_text(out, " since ");
		when_moment(out, meta->loop_since_ns);
	}
	out_char(out, '\n');
}

static void put_recorder(struct out *out, const struct meta_recorder *recorder)
{
	if (!recorder->rung.bytes && !recorder->version.bytes)
		return;
	info_label(out, "recorder");
	out_escaped(out, recorder->rung, 0);
	if (recorder->version.bytes) {
		out_text(out, recorder->rung.bytes ? ", version " : "version ");
		out_escaped(out, recorder->version, 0);
	}
	out_char(out, '\n');
}

/* What is not there because nobody could see it is said, so that nobody looks for it. */
static void put_found(struct out *out, const struct meta *meta)
{
	const struct span found = meta->recorder.found;

	if (!found.bytes && !meta->cause.unwatched)
		return;
	info_label(out, "ring");
	if (span_is(found, "kept"))
		out_text(out, "kept by the service manager while no recorder ran");
	else if (span_is(found, "adopted"))
		out_text(out, "adopted: it was there before the recorder knew of it");
	else
		out_text(out, "handed over too late");
	out_char(out, '\n');
	if (!meta->cause.unwatched)
		return;
	info_label(out, "unwatched");
	out_text(out, "nobody saw the death: no time of it, sender, stack or modules\n");
}

static void put_dump(struct out *out, struct dump *dump)
{
	const struct meta *meta = dump_meta(dump);
	const char *path = dump_path(dump);

	info_label(out, "dump");
	out_escaped(out, (struct span){path, strlen(path)}, 0);
	out_char(out, '\n');
	info_line(out, "written", meta->created_at);
	info_line(out, "reason", meta->reason);
	info_line(out, "signature", meta->signature);
	put_loop(out, meta);
	info_line(out, "confidence", meta->cause.confidence);
	put_recorder(out, &meta->recorder);
	put_found(out, meta);
	put_clock(out, &meta->clock);
}

static void line_count(struct out *out, const char *text, struct number count)
{
	info_label(out, text);
	put_count(out, count);
	out_char(out, '\n');
}

static void put_counts(struct out *out, struct dump *dump)
{
	const struct meta *meta = dump_meta(dump);
	const struct number read = {dump_events_read(dump), true};

	info_label(out, "events");
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
	when_moment(out, first);
	out_text(out, " to ");
	when_moment(out, last);
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
	info_label(out, "channels");
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

	info_cause_text(out, meta, dump_scene(dump), colour);
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
