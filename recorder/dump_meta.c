/* SPDX-License-Identifier: MIT */
/*
 * What a dump says of the process, the cause of its death and the losses: one map, written in the
 * order in which a person would ask.
 */
#include "recorder/dump_meta.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "recorder/dump_cause.h"
#include "recorder/dump_channels.h"
#include "recorder/dump_format.h"
#include "recorder/dump_occasion.h"
#include "recorder/dump_set.h"
#include "recorder/log.h"
#include "recorder/signature.h"

static void pair_string_bytes(struct pack *pack, struct pack_map *map, const char *key,
			      const char *data, size_t limit)
{
	pack_key(pack, map, key);
	pack_string(pack, data, strnlen(data, limit));
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

static struct ttlog_clock_line line_of(const struct dump_facts *facts)
{
	return timeline_line(facts->timeline, facts->clock_source);
}

static uint64_t realtime_of(const struct dump_facts *facts, uint64_t monotonic_ns)
{
	const struct ttlog_clock_line line = line_of(facts);

	return (uint64_t)ttlog_clock_realtime_of(&line, monotonic_ns);
}

static uint64_t end_of(const struct verdict *verdict)
{
	if (verdict->how == VERDICT_ALIVE)
		return 0;
	return verdict->signal_ns ? verdict->signal_ns : verdict->death_ns;
}

static void pair_sentence(struct pack *pack, struct pack_map *map, const struct verdict *verdict)
{
	char sentence[DUMP_SUMMARY_TEXT_MAX + 1];

	dump_sentence(verdict, sentence, sizeof(sentence));
	log_clean(sentence, LOG_CLEAN_LINE); /* it may have been cut inside of a character */
	pack_pair_string(pack, map, "sentence", sentence);
}

static void pair_loop(struct pack *pack, struct pack_map *map, const struct dump_facts *facts)
{
	char key[SIGNATURE_BYTES];

	if (!facts->loop_count)
		return;
	snprintf(key, sizeof(key), "%016" PRIx64, facts->loop_key);
	pack_pair_string(pack, map, "loop", key);
	pack_pair_uint(pack, map, "loop_since_ns", facts->loop_since_ns);
	pack_pair_uint(pack, map, "loop_count", facts->loop_count);
}

static void pair_death(struct pack *pack, struct pack_map *map, const struct dump_facts *facts)
{
	const struct verdict *verdict = &facts->verdict;
	const uint64_t end_ns = end_of(verdict);

	pack_pair_known(pack, map, "start_ns", facts->process.start_ns);
	if (verdict->how == VERDICT_ALIVE)
		return;
	if (end_ns)
		pack_pair_uint(pack, map, "death_ns", realtime_of(facts, end_ns));
	pack_pair_string(pack, map, "confidence", verdict_confidence_name(verdict->confidence));
	if (verdict->have_signal)
		pack_pair_int(pack, map, "signal", verdict->signal);
	if (verdict->have_exit_code)
		pack_pair_int(pack, map, "exit_code", verdict->exit_code);
	if (verdict->have_fault_address)
		pack_pair_uint(pack, map, "fault_address", verdict->fault_address);
}

static const char *role_name(enum dump_set_role role)
{
	static const char *const names[] = {
		[DUMP_SET_FIRST] = "first",
		[DUMP_SET_DIED] = "died",
		[DUMP_SET_ALIVE] = "alive",
	};

	return names[role];
}

static void pair_set(struct pack *pack, struct pack_map *map, const struct dump_set *set)
{
	if (!set)
		return;
	pack_pair_string(pack, map, "set", set->name);
	pack_pair_string(pack, map, "set_role", role_name(set->role));
}

static void group(struct pack *pack, struct pack_map *map, const struct dump_set *set)
{
	struct pack_map inner;

	if (!set)
		return;
	pack_key(pack, map, "group");
	inner = pack_map_begin(pack);
	pack_pair_string(pack, &inner, "set", set->name);
	pack_pair_string(pack, &inner, "role", role_name(set->role));
	pack_pair_string(pack, &inner, "by", set->by);
	if (set->group[0])
		pack_pair_string(pack, &inner, "name", set->group);
	pack_pair_uint(pack, &inner, "first_pid", set->first_pid);
	pack_pair_string(pack, &inner, "first_service", set->first_service);
	pack_pair_string(pack, &inner, "first_sentence", set->first_sentence);
	pack_pair_uint(pack, &inner, "copied", set->copied);
	pack_pair_uint(pack, &inner, "left_out", set->left_out);
	pack_map_end(pack, &inner);
}

void dump_meta_summary(struct pack *pack, const struct dump_facts *facts, uint64_t events)
{
	static const char unknown[] = "0000000000000000";
	struct pack_map map = pack_map_begin(pack);
	char created[40];

	_Static_assert(sizeof(unknown) == DUMP_SIGNATURE_DIGITS + 1, "the digits have their room");
	format_rfc3339(facts->created_ns, created, sizeof(created));
	pack_pair_string(pack, &map, "signature", unknown);
	pack_pair_string(pack, &map, "service", facts->service);
	pack_pair_uint(pack, &map, "pid", facts->pid);
	pack_pair_uint(pack, &map, "uid", facts->process.uid);
	pack_pair_string(pack, &map, "created_at", created);
	pack_pair_uint(pack, &map, "created_ns", facts->created_ns);
	pack_pair_string(pack, &map, "reason", facts->reason);
	pack_pair_string(pack, &map, "how", verdict_how_name(facts->verdict.how));
	pair_sentence(pack, &map, &facts->verdict);
	pack_pair_uint(pack, &map, "events", events);
	pair_loop(pack, &map, facts);
	pair_death(pack, &map, facts);
	pair_set(pack, &map, facts->set);
	pack_map_end(pack, &map);
}

static void pair_ticks(struct pack *pack, struct pack_map *map, const char *key,
		       const struct dump_facts *facts, uint64_t ticks)
{
	const struct ttlog_clock_line line = line_of(facts);

	if (ticks)
		pack_pair_int(pack, map, key, ttlog_clock_realtime_ns(&line, ticks));
}

static void threads(struct pack *pack, struct pack_map *map, const struct ttlog_reader *reader,
		    const struct dump_facts *facts)
{
	uint32_t count = ttlog_reader_thread_count(reader);
	uint32_t listed = count < DUMP_THREADS_MAX ? count : DUMP_THREADS_MAX;

	pack_key(pack, map, "threads");
	pack_array(pack, listed);
	for (uint32_t i = 0; i < listed; i++) {
		const struct ttlog_reader_thread *thread = ttlog_reader_thread(reader, i);
		struct pack_map inner = pack_map_begin(pack);

		pack_pair_uint(pack, &inner, "tid", thread->tid);
		pair_string_bytes(pack, &inner, "name", thread->name, sizeof(thread->name));
		pack_pair_uint(pack, &inner, "events", thread->events);
		pair_ticks(pack, &inner, "first_ns", facts, thread->first_ticks);
		pair_ticks(pack, &inner, "last_ns", facts, thread->last_ticks);
		pack_map_end(pack, &inner);
	}
	pack_pair_known(pack, map, "threads_unlisted", count - listed);
}

static void lanes(struct pack *pack, struct pack_map *map, const struct ttlog_reader *reader,
		  const struct dump_facts *facts)
{
	uint32_t count = ttlog_reader_lane_count(reader);

	pack_key(pack, map, "lanes");
	pack_array(pack, count);
	for (uint32_t i = 0; i < count; i++) {
		const struct ttlog_reader_lane *lane = ttlog_reader_lane(reader, i);
		struct pack_map inner = pack_map_begin(pack);

		pack_pair_string(pack, &inner, "name", ttlog_lane_name(i));
		pack_pair_uint(pack, &inner, "events", lane->events);
		pack_pair_uint(pack, &inner, "overwritten", lane->overwritten);
		pair_ticks(pack, &inner, "overwritten_first_ns", facts, lane->overwritten_first);
		pair_ticks(pack, &inner, "overwritten_last_ns", facts, lane->overwritten_last);
		pack_pair_uint(pack, &inner, "dropped", lane->dropped);
		pair_ticks(pack, &inner, "dropped_first_ns", facts, lane->dropped_first);
		pair_ticks(pack, &inner, "dropped_last_ns", facts, lane->dropped_last);
		pack_pair_uint(pack, &inner, "truncated", lane->truncated);
		pack_pair_uint(pack, &inner, "recycled", lane->recycled_while_read);
		pack_map_end(pack, &inner);
	}
}

static void gap(struct pack *pack, const struct ttlog_reader_gap *gap,
		const struct dump_facts *facts)
{
	struct pack_map inner = pack_map_begin(pack);

	pack_pair_uint(pack, &inner, "lane", gap->lane);
	pack_pair_uint(pack, &inner, "events", gap->count);
	pair_ticks(pack, &inner, "first_ns", facts, gap->first_ticks);
	pair_ticks(pack, &inner, "last_ns", facts, gap->last_ticks);
	pack_map_end(pack, &inner);
}

static void history(struct pack *pack, struct pack_map *map, const struct ttlog_reader *reader,
		    const struct dump_facts *facts)
{
	const uint32_t count = ttlog_reader_gap_count(reader);
	struct pack_map inner;

	if (!facts->history_budget_bytes)
		return;
	pack_key(pack, map, "history");
	inner = pack_map_begin(pack);
	pack_pair_uint(pack, &inner, "budget_bytes", facts->history_budget_bytes);
	pack_pair_uint(pack, &inner, "bytes", facts->history_bytes);
	pack_key(pack, &inner, "gaps");
	pack_array(pack, count);
	for (uint32_t i = 0; i < count; i++)
		gap(pack, ttlog_reader_gap(reader, i), facts);
	pack_map_end(pack, &inner);
}

static void clock_point(struct pack *pack, const struct ttlog_clock_point *point)
{
	pack_array(pack, 3);
	pack_uint(pack, point->ticks);
	pack_uint(pack, point->monotonic_ns);
	pack_uint(pack, point->realtime_ns);
}

/* The oldest that the dump tells the time of. */
static uint64_t oldest_ticks(const struct ttlog_reader *reader,
			     const struct ttlog_reader_totals *totals)
{
	uint64_t oldest = totals->events ? totals->first_ticks : UINT64_MAX;

	for (uint32_t i = 0; i < ttlog_reader_lane_count(reader); i++) {
		const struct ttlog_reader_lane *lane = ttlog_reader_lane(reader, i);

		if (lane->overwritten_first && lane->overwritten_first < oldest)
			oldest = lane->overwritten_first;
		if (lane->dropped_first && lane->dropped_first < oldest)
			oldest = lane->dropped_first;
	}
	return oldest;
}

/* The last point that is not later; one before the last at the latest. */
static uint32_t first_point(const struct ttlog_clock_line *line, uint64_t ticks)
{
	uint32_t first = 0;

	while (first + 2 < line->point_count &&
	       (line->source == TTLOG_CLOCK_MONOTONIC ? line->point[first + 1].monotonic_ns
						      : line->point[first + 1].ticks) <= ticks)
		first++;
	return first;
}

static void clock_map(struct pack *pack, struct pack_map *map, const struct ttlog_reader *reader,
		      const struct dump_facts *facts, const struct ttlog_reader_totals *totals)
{
	static const char *const modes[] = {
		[TTLOG_CLOCK_EXACT] = "exact",
		[TTLOG_CLOCK_SPARSE] = "sparse",
		[TTLOG_CLOCK_COARSE] = "coarse",
	};
	const struct ttlog_clock_line line = line_of(facts);
	const char *source = line.source == TTLOG_CLOCK_TSC	 ? "tsc"
			     : line.source == TTLOG_CLOCK_CNTVCT ? "cntvct"
								 : "monotonic";
	const uint64_t error_ns = timeline_error_ns(facts->timeline, line.source,
						    totals->first_ticks, totals->last_ticks);
	uint32_t first = first_point(&line, oldest_ticks(reader, totals));
	struct pack_map inner;

	pack_key(pack, map, "clock");
	inner = pack_map_begin(pack);
	pack_pair_string(pack, &inner, "source", source);
	pack_pair_string(pack, &inner, "mode",
			 modes[facts->clock_mode <= TTLOG_CLOCK_COARSE ? facts->clock_mode : 0]);
	if (totals->events && error_ns != UINT64_MAX)
		pack_pair_uint(pack, &inner, "error_ns", error_ns);
	pack_key(pack, &inner, "points");
	pack_array(pack, line.point_count - first);
	for (uint32_t i = first; i < line.point_count; i++)
		clock_point(pack, &line.point[i]);
	pack_map_end(pack, &inner);
}

static void recorder(struct pack *pack, struct pack_map *map, const struct dump_facts *facts,
		     uint64_t dict_full)
{
	struct pack_map inner;

	pack_key(pack, map, "recorder");
	inner = pack_map_begin(pack);
	pack_pair_string(pack, &inner, "version", facts->recorder_version);
	pack_pair_string(pack, &inner, "rung", facts->rung);
	pack_pair_string(pack, &inner, "found", facts->found);
	pack_pair_known(pack, &inner, "region_bytes", facts->region_bytes);
	pack_pair_uint(pack, &inner, "dict_full", dict_full);
	pack_map_end(pack, &inner);
}

void dump_meta_encode(struct pack *pack, const struct ttlog_reader *reader,
		      const struct dump_facts *facts)
{
	uint64_t end_ns = end_of(&facts->verdict);
	const struct ttlog_clock_line line = line_of(facts);
	struct ttlog_reader_totals totals;
	char created[40];
	struct pack_map map;

	ttlog_reader_totals(reader, &totals);
	format_rfc3339(facts->created_ns, created, sizeof(created));
	map = pack_map_begin(pack);
	pack_pair_uint(pack, &map, "ttlog", DUMP_VERSION);
	pack_pair_string(pack, &map, "service", facts->service);
	pack_pair_string(pack, &map, "hostname", facts->hostname);
	pack_pair_uint(pack, &map, "pid", facts->pid);
	pack_pair_string(pack, &map, "created_at", created);
	pack_pair_uint(pack, &map, "created_ns", facts->created_ns);
	pack_pair_string(pack, &map, "reason", facts->reason);
	dump_cause_encode(pack, &map, facts);
	if (end_ns) /* or the other: a map has room for so many */
		pack_pair_uint(pack, &map, "death_ns", realtime_of(facts, end_ns));
	else
		dump_occasion_encode(pack, &map, &facts->verdict.occasion);
	pack_pair_uint(pack, &map, "events", totals.events);
	pack_pair_uint(pack, &map, "overwritten", totals.overwritten);
	pack_pair_uint(pack, &map, "dropped", totals.dropped);
	pack_pair_uint(pack, &map, "truncated", totals.truncated);
	pack_pair_uint(pack, &map, "torn", totals.torn);
	group(pack, &map, facts->set);
	dump_process_encode(pack, &map, facts);
	lanes(pack, &map, reader, facts);
	history(pack, &map, reader, facts);
	dump_channels_encode(pack, &map, reader, &line);
	clock_map(pack, &map, reader, facts, &totals);
	recorder(pack, &map, facts, totals.dict_full);
	threads(pack, &map, reader, facts);
	pack_map_end(pack, &map);
}
