/* SPDX-License-Identifier: MIT */
/*
 * What a dump says of the process, the cause of its death and the losses: one map, written in the
 * order in which a person would ask.
 */
#include "recorder/dump_meta.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "recorder/dump_format.h"

#define NAME_BYTES 32

static void pair_string_bytes(struct encode *encode, struct encode_map *map, const char *key,
			      const char *data, size_t limit)
{
	encode_key(encode, map, key);
	encode_string(encode, data, strnlen(data, limit));
}

static void format_rfc3339(uint64_t realtime_ns, char *buffer, size_t bytes)
{
	time_t seconds = (time_t)(realtime_ns / 1000000000);
	char date[24];
	struct tm tm;

	gmtime_r(&seconds, &tm);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(buffer, bytes, "%s.%06uZ", date, (unsigned int)(realtime_ns % 1000000000 / 1000));
}

static uint64_t realtime_of(const struct dump_facts *facts, uint64_t monotonic_ns)
{
	const struct ttlog_clock_point *point = &facts->clock.second;

	return monotonic_ns - point->monotonic_ns + point->realtime_ns;
}

static uint64_t end_of(const struct verdict *verdict)
{
	if (verdict->how == VERDICT_ALIVE)
		return 0;
	return verdict->signal_ns ? verdict->signal_ns : verdict->death_ns;
}

void dump_meta_summary(struct encode *encode, const struct dump_facts *facts, uint64_t events)
{
	struct encode_map map = encode_map_begin(encode);
	char created[40];

	format_rfc3339(facts->created_ns, created, sizeof(created));
	encode_pair_string(encode, &map, "service", facts->service);
	encode_pair_uint(encode, &map, "pid", facts->pid);
	encode_pair_string(encode, &map, "created_at", created);
	encode_pair_string(encode, &map, "reason", facts->reason);
	encode_pair_string(encode, &map, "how", verdict_how_name(facts->verdict.how));
	encode_pair_uint(encode, &map, "events", events);
	encode_map_end(encode, &map);
}

static void actor(struct encode *encode, struct encode_map *map, const char *key,
		  const struct ttlog_bpf_actor *who)
{
	struct encode_map inner;

	encode_key(encode, map, key);
	inner = encode_map_begin(encode);
	encode_pair_uint(encode, &inner, "pid", who->pid);
	encode_pair_uint(encode, &inner, "tid", who->tid);
	encode_pair_uint(encode, &inner, "uid", who->uid);
	encode_pair_uint(encode, &inner, "gid", who->gid);
	pair_string_bytes(encode, &inner, "comm", who->comm, sizeof(who->comm));
	encode_pair_known(encode, &inner, "cgroup_id", who->cgroup_id);
	encode_map_end(encode, &inner);
}

static void evidence_event(struct encode *encode, const struct ttlog_bpf_event *event)
{
	struct encode_map map = encode_map_begin(encode);

	encode_pair_uint(encode, &map, "time_ns", event->time_ns);
	encode_pair_uint(encode, &map, "kind", event->kind);
	encode_pair_uint(encode, &map, "flags", event->flags);
	encode_pair_int(encode, &map, "signal", event->signal);
	encode_pair_int(encode, &map, "code", event->code);
	encode_pair_int(encode, &map, "error", event->error);
	encode_pair_int(encode, &map, "result", event->result);
	encode_pair_int(encode, &map, "exit_code", event->exit_code);
	encode_pair_uint(encode, &map, "info_pid", event->info_pid);
	encode_pair_uint(encode, &map, "info_uid", event->info_uid);
	encode_pair_known(encode, &map, "fault_address", event->fault_address);
	encode_pair_known(encode, &map, "ip", event->ip);
	encode_pair_known(encode, &map, "sp", event->sp);
	encode_pair_known(encode, &map, "signal_time_ns", event->signal_time_ns);
	if (event->target.tid)
		actor(encode, &map, "target", &event->target);
	if (event->sender.tid)
		actor(encode, &map, "sender", &event->sender);
	encode_map_end(encode, &map);
}

static void evidence(struct encode *encode, struct encode_map *map, const struct evidence *seen)
{
	encode_key(encode, map, "evidence");
	encode_array(encode, seen->count);
	for (unsigned int i = 0; i < seen->count; i++)
		evidence_event(encode, &seen->event[i]);
	encode_pair_uint(encode, map, "evidence_forgotten", seen->forgotten);
	encode_pair_uint(encode, map, "evidence_lost", seen->lost);
}

static void cause_signal(struct encode *encode, struct encode_map *map, const struct verdict *verdict)
{
	char name[NAME_BYTES];

	encode_pair_int(encode, map, "signal", verdict->signal);
	encode_pair_string(encode, map, "signal_name",
			   verdict_signal_name(verdict->signal, name, sizeof(name)));
	encode_pair_int(encode, map, "code", verdict->code);
	encode_pair_string(encode, map, "code_name",
			   verdict_code_name(verdict->signal, verdict->code));
	encode_key(encode, map, "core_dumped");
	encode_bool(encode, verdict->core_dumped);
}

static void cause(struct encode *encode, struct encode_map *map, const struct dump_facts *facts)
{
	const struct verdict *verdict = &facts->verdict;
	char sentence[512];
	struct encode_map inner;

	dump_sentence(verdict, sentence, sizeof(sentence));
	encode_key(encode, map, "cause");
	inner = encode_map_begin(encode);
	encode_pair_string(encode, &inner, "how", verdict_how_name(verdict->how));
	encode_pair_string(encode, &inner, "confidence",
			   verdict_confidence_name(verdict->confidence));
	encode_pair_string(encode, &inner, "sentence", sentence);
	if (verdict->have_signal)
		cause_signal(encode, &inner, verdict);
	if (verdict->have_exit_code)
		encode_pair_int(encode, &inner, "exit_code", verdict->exit_code);
	if (verdict->have_fault_address)
		encode_pair_uint(encode, &inner, "fault_address", verdict->fault_address);
	encode_pair_known(encode, &inner, "ip", verdict->ip);
	encode_pair_known(encode, &inner, "sp", verdict->sp);
	if (verdict->have_sender)
		actor(encode, &inner, "sender", &verdict->sender);
	if (verdict->thread.tid)
		actor(encode, &inner, "thread", &verdict->thread);
	if (facts->evidence)
		evidence(encode, &inner, facts->evidence);
	encode_map_end(encode, &inner);
}

static void process(struct encode *encode, struct encode_map *map, const struct dump_facts *facts)
{
	struct encode_map inner;

	encode_key(encode, map, "process");
	inner = encode_map_begin(encode);
	encode_pair_string(encode, &inner, "comm", facts->process.comm);
	encode_pair_string(encode, &inner, "exe", facts->process.exe);
	encode_pair_string(encode, &inner, "cmdline", facts->process.cmdline);
	encode_pair_string(encode, &inner, "cgroup", facts->process.cgroup);
	encode_pair_uint(encode, &inner, "uid", facts->process.uid);
	encode_pair_uint(encode, &inner, "gid", facts->process.gid);
	encode_pair_known(encode, &inner, "ppid", facts->process.ppid);
	encode_pair_known(encode, &inner, "start_ns", facts->process.start_ns);
	encode_map_end(encode, &inner);
}

static void pair_ticks(struct encode *encode, struct encode_map *map, const char *key,
		       const struct dump_facts *facts, uint64_t ticks)
{
	if (ticks)
		encode_pair_int(encode, map, key, ttlog_clock_realtime_ns(&facts->clock, ticks));
}

static void threads(struct encode *encode, struct encode_map *map, const struct ttlog_reader *reader,
		    const struct dump_facts *facts)
{
	uint32_t count = ttlog_reader_thread_count(reader);
	uint32_t listed = count < DUMP_THREADS_MAX ? count : DUMP_THREADS_MAX;

	encode_key(encode, map, "threads");
	encode_array(encode, listed);
	for (uint32_t i = 0; i < listed; i++) {
		const struct ttlog_reader_thread *thread = ttlog_reader_thread(reader, i);
		struct encode_map inner = encode_map_begin(encode);

		encode_pair_uint(encode, &inner, "tid", thread->tid);
		pair_string_bytes(encode, &inner, "name", thread->name, sizeof(thread->name));
		encode_pair_uint(encode, &inner, "events", thread->events);
		pair_ticks(encode, &inner, "first_ns", facts, thread->first_ticks);
		pair_ticks(encode, &inner, "last_ns", facts, thread->last_ticks);
		encode_map_end(encode, &inner);
	}
	encode_pair_known(encode, map, "threads_unlisted", count - listed);
}

static void lanes(struct encode *encode, struct encode_map *map, const struct ttlog_reader *reader,
		  const struct dump_facts *facts)
{
	uint32_t count = ttlog_reader_lane_count(reader);

	encode_key(encode, map, "lanes");
	encode_array(encode, count);
	for (uint32_t i = 0; i < count; i++) {
		const struct ttlog_reader_lane *lane = ttlog_reader_lane(reader, i);
		struct encode_map inner = encode_map_begin(encode);

		encode_pair_string(encode, &inner, "name", ttlog_lane_name(i));
		encode_pair_uint(encode, &inner, "events", lane->events);
		encode_pair_uint(encode, &inner, "overwritten", lane->overwritten);
		pair_ticks(encode, &inner, "overwritten_first_ns", facts, lane->overwritten_first);
		pair_ticks(encode, &inner, "overwritten_last_ns", facts, lane->overwritten_last);
		encode_pair_uint(encode, &inner, "dropped", lane->dropped);
		pair_ticks(encode, &inner, "dropped_first_ns", facts, lane->dropped_first);
		pair_ticks(encode, &inner, "dropped_last_ns", facts, lane->dropped_last);
		encode_pair_uint(encode, &inner, "truncated", lane->truncated);
		encode_pair_uint(encode, &inner, "recycled", lane->recycled_while_read);
		encode_map_end(encode, &inner);
	}
}

static void clock_point(struct encode *encode, const struct ttlog_clock_point *point)
{
	encode_array(encode, 3);
	encode_uint(encode, point->ticks);
	encode_uint(encode, point->monotonic_ns);
	encode_uint(encode, point->realtime_ns);
}

static void clock_line(struct encode *encode, struct encode_map *map,
		       const struct ttlog_clock_line *line)
{
	const char *source = line->source == TTLOG_CLOCK_TSC	  ? "tsc"
			     : line->source == TTLOG_CLOCK_CNTVCT ? "cntvct"
								  : "monotonic";
	struct encode_map inner;

	encode_key(encode, map, "clock");
	inner = encode_map_begin(encode);
	encode_pair_string(encode, &inner, "source", source);
	encode_key(encode, &inner, "points");
	encode_array(encode, 2);
	clock_point(encode, &line->first);
	clock_point(encode, &line->second);
	encode_map_end(encode, &inner);
}

static void recorder(struct encode *encode, struct encode_map *map, const struct dump_facts *facts,
		     uint64_t dict_full)
{
	struct encode_map inner;

	encode_key(encode, map, "recorder");
	inner = encode_map_begin(encode);
	encode_pair_string(encode, &inner, "version", facts->recorder_version);
	encode_pair_string(encode, &inner, "rung", facts->rung);
	encode_pair_known(encode, &inner, "region_bytes", facts->region_bytes);
	encode_pair_uint(encode, &inner, "dict_full", dict_full);
	encode_map_end(encode, &inner);
}

void dump_meta_encode(struct encode *encode, const struct ttlog_reader *reader,
		      const struct dump_facts *facts)
{
	uint64_t end_ns = end_of(&facts->verdict);
	struct ttlog_reader_totals totals;
	char created[40];
	struct encode_map map;

	ttlog_reader_totals(reader, &totals);
	format_rfc3339(facts->created_ns, created, sizeof(created));
	map = encode_map_begin(encode);
	encode_pair_uint(encode, &map, "ttlog", DUMP_VERSION);
	encode_pair_string(encode, &map, "service", facts->service);
	encode_pair_string(encode, &map, "hostname", facts->hostname);
	encode_pair_uint(encode, &map, "pid", facts->pid);
	encode_pair_string(encode, &map, "created_at", created);
	encode_pair_uint(encode, &map, "created_ns", facts->created_ns);
	encode_pair_string(encode, &map, "reason", facts->reason);
	cause(encode, &map, facts);
	if (end_ns)
		encode_pair_uint(encode, &map, "death_ns", realtime_of(facts, end_ns));
	encode_pair_uint(encode, &map, "events", totals.events);
	encode_pair_uint(encode, &map, "overwritten", totals.overwritten);
	encode_pair_uint(encode, &map, "dropped", totals.dropped);
	encode_pair_uint(encode, &map, "truncated", totals.truncated);
	encode_pair_uint(encode, &map, "torn", totals.torn);
	process(encode, &map, facts);
	lanes(encode, &map, reader, facts);
	clock_line(encode, &map, &facts->clock);
	recorder(encode, &map, facts, totals.dict_full);
	threads(encode, &map, reader, facts);
	encode_map_end(encode, &map);
}
