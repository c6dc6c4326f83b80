/* SPDX-License-Identifier: MIT */
/* The maps of dump_format.h as tables. */
#include "viewer/meta.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "recorder/dump_format.h"
#include "viewer/decode_keys.h"

static const struct decode_key parent_keys[] = {
	NUMBER(meta_parent, pid),
	SPAN(meta_parent, comm),
	END,
};

static int decode_parents(struct decode *cursor, void *to)
{
	struct meta_actor *actor = to;
	struct token token;
	int error = decode_next(cursor, &token);

	if (error || token.kind != TOKEN_ARRAY)
		return -EBADMSG;
	actor->have_parents = true;
	for (uint64_t i = 0; i < token.number && !error; i++) {
		if (actor->parent_count < META_PARENTS_MAX)
			error = decode_map(cursor, parent_keys,
					   &actor->parents[actor->parent_count++]);
		else
			error = decode_skip(cursor);
	}
	return error;
}

static const struct decode_key actor_keys[] = {
	NUMBER(meta_actor, pid),	 NUMBER(meta_actor, tid),
	NUMBER(meta_actor, uid),	 NUMBER(meta_actor, gid),
	SPAN(meta_actor, comm),		 SPAN(meta_actor, exe),
	SPAN(meta_actor, cgroup),	 SPAN(meta_actor, container_runtime),
	SPAN(meta_actor, container_id),	 SPAN(meta_actor, pod_uid),
	CALL("parents", decode_parents), END,
};

static const struct decode_key oom_keys[] = {
	MAP(meta_oom, trigger, actor_keys), NUMBER(meta_oom, total_bytes),
	NUMBER(meta_oom, anonymous_bytes),  NUMBER(meta_oom, file_bytes),
	NUMBER(meta_oom, shared_bytes),	    NUMBER(meta_oom, swap_bytes),
	NUMBER(meta_oom, limit_bytes),	    NUMBER(meta_oom, usage_bytes),
	NUMBER(meta_oom, limit_level),	    NUMBER(meta_oom, limit_cgroup_id),
	SPAN(meta_oom, limit_cgroup),	    END,
};

/* How many items the array has. */
static int decode_count(struct decode *cursor, struct number *ret_count)
{
	struct decode value = *cursor;
	struct token token;

	if (decode_next(&value, &token) == 0 && token.kind == TOKEN_ARRAY)
		*ret_count = (struct number){token.number, true};
	return decode_skip(cursor);
}

static int decode_evidence(struct decode *cursor, void *to)
{
	struct meta_cause *cause = to;

	return decode_count(cursor, &cause->evidence_count);
}

static const struct decode_key cause_keys[] = {
	SPAN(meta_cause, how),
	SPAN(meta_cause, confidence),
	SPAN(meta_cause, sentence),
	SPAN(meta_cause, signal_name),
	SPAN(meta_cause, code_name),
	NUMBER(meta_cause, signal),
	NUMBER(meta_cause, code),
	NUMBER(meta_cause, exit_code),
	NUMBER(meta_cause, fault_address),
	NUMBER(meta_cause, ip),
	NUMBER(meta_cause, sp),
	TRUTH(meta_cause, core_dumped),
	TRUTH(meta_cause, stack_overflow),
	TRUTH(meta_cause, raised_again),
	TRUTH(meta_cause, by_tracer),
	TRUTH(meta_cause, unwatched),
	MAP(meta_cause, oom, oom_keys),
	MAP(meta_cause, sender, actor_keys),
	MAP(meta_cause, thread, actor_keys),
	CALL("evidence", decode_evidence),
	NUMBER(meta_cause, evidence_forgotten),
	NUMBER(meta_cause, evidence_lost),
	END,
};

static const struct decode_key memory_keys[] = {
	NUMBER(meta_memory, total_bytes),
	NUMBER(meta_memory, anonymous_bytes),
	NUMBER(meta_memory, file_bytes),
	NUMBER(meta_memory, shared_bytes),
	NUMBER(meta_memory, swap_bytes),
	NUMBER(meta_memory, peak_bytes),
	END,
};

/* name -> [soft, hard], each a number or "unlimited" */
static int decode_limit(struct decode *cursor, struct meta_limit *limit)
{
	struct token name, pair, value[2];
	struct decode items;
	int error = decode_next(cursor, &name);

	if (error || name.kind != TOKEN_TEXT)
		return -EBADMSG;
	items = *cursor;
	if (decode_next(&items, &pair) == 0 && pair.kind == TOKEN_ARRAY && pair.number == 2 &&
	    decode_next(&items, &value[0]) == 0 && decode_next(&items, &value[1]) == 0) {
		limit->name = name.span;
		limit->soft = (struct number){value[0].number, value[0].kind == TOKEN_UINT};
		limit->hard = (struct number){value[1].number, value[1].kind == TOKEN_UINT};
	}
	return decode_skip(cursor);
}

static int decode_limits(struct decode *cursor, void *to)
{
	struct meta_process *process = to;
	struct token token;
	int error = decode_next(cursor, &token);

	if (error || token.kind != TOKEN_MAP)
		return -EBADMSG;
	for (uint64_t i = 0; i < token.number && !error; i++) {
		struct meta_limit limit = {0};

		error = decode_limit(cursor, &limit);
		if (limit.name.bytes && process->limit_count < META_LIMITS_MAX)
			process->limits[process->limit_count++] = limit;
	}
	return error;
}

static const struct decode_key process_keys[] = {
	SPAN(meta_process, comm),
	SPAN(meta_process, exe),
	SPAN(meta_process, cmdline),
	SPAN(meta_process, cwd),
	SPAN(meta_process, cgroup),
	SPAN(meta_process, container_runtime),
	SPAN(meta_process, container_id),
	SPAN(meta_process, pod_uid),
	NUMBER(meta_process, uid),
	NUMBER(meta_process, gid),
	NUMBER(meta_process, ppid),
	NUMBER(meta_process, start_ns),
	NUMBER(meta_process, ns_pid),
	MAP(meta_process, memory, memory_keys),
	MAP(meta_process, memory_at_death, memory_keys),
	CALL("limits", decode_limits),
	END,
};

static const struct decode_key thread_keys[] = {
	SPAN(meta_thread, name),       NUMBER(meta_thread, tid),     NUMBER(meta_thread, events),
	NUMBER(meta_thread, first_ns), NUMBER(meta_thread, last_ns), END,
};

static const struct decode_key lane_keys[] = {
	SPAN(meta_lane, name),
	NUMBER(meta_lane, events),
	NUMBER(meta_lane, overwritten),
	NUMBER(meta_lane, dropped),
	NUMBER(meta_lane, truncated),
	NUMBER(meta_lane, recycled),
	NUMBER(meta_lane, overwritten_first_ns),
	NUMBER(meta_lane, overwritten_last_ns),
	NUMBER(meta_lane, dropped_first_ns),
	NUMBER(meta_lane, dropped_last_ns),
	END,
};

static const struct decode_key recorder_keys[] = {
	SPAN(meta_recorder, version),
	SPAN(meta_recorder, rung),
	SPAN(meta_recorder, found),
	NUMBER(meta_recorder, region_bytes),
	NUMBER(meta_recorder, dict_full),
	END,
};

/* A negative time is one before 1970. */
static bool is_time(const struct token *token)
{
	return (token->kind == TOKEN_UINT || token->kind == TOKEN_NEGATIVE) &&
	       token->number <= INT64_MAX;
}

static int64_t time_from(const struct token *token)
{
	return token->kind == TOKEN_UINT ? (int64_t)token->number : -1 - (int64_t)token->number;
}

/* [ticks, monotonic ns, realtime ns]; one of another kind is left out. */
static int decode_point(struct decode *cursor, struct meta_clock *clock)
{
	struct decode items = *cursor;
	struct token array, token[3];

	if (decode_next(&items, &array) == 0 && array.kind == TOKEN_ARRAY && array.number == 3 &&
	    decode_next(&items, &token[0]) == 0 && decode_next(&items, &token[1]) == 0 &&
	    decode_next(&items, &token[2]) == 0 && is_time(&token[1]) && is_time(&token[2]))
		clock->points[clock->points_kept++] =
			(struct meta_point){time_from(&token[1]), time_from(&token[2])};
	return decode_skip(cursor);
}

static int decode_points(struct decode *cursor, void *to)
{
	struct meta_clock *clock = to;
	struct decode start = *cursor;
	struct token token;
	int error = decode_next(cursor, &token);

	if (error || token.kind != TOKEN_ARRAY || clock->points) {
		*cursor = start;
		return decode_skip(cursor);
	}
	clock->point_count = (struct number){token.number, true};
	clock->points = calloc((token.number < META_POINTS_MAX ? token.number : META_POINTS_MAX) + 1,
			       sizeof(*clock->points));
	if (!clock->points)
		return -ENOMEM;
	for (uint64_t i = 0; i < token.number && !error; i++)
		error = i < META_POINTS_MAX ? decode_point(cursor, clock) : decode_skip(cursor);
	return error;
}

static const struct decode_key clock_keys[] = {
	SPAN(meta_clock, source),
	SPAN(meta_clock, mode),
	NUMBER(meta_clock, error_ns),
	CALL("points", decode_points),
	END,
};

static int decode_threads(struct decode *cursor, void *to)
{
	struct meta *meta = to;

	return decode_array(cursor, thread_keys, sizeof(*meta->threads), DUMP_THREADS_MAX,
			    (void **)&meta->threads, &meta->thread_count);
}

static int decode_lanes(struct decode *cursor, void *to)
{
	struct meta *meta = to;

	return decode_array(cursor, lane_keys, sizeof(*meta->lanes), DUMP_LANES_MAX,
			    (void **)&meta->lanes, &meta->lane_count);
}

static const struct decode_key channel_keys[] = {
	SPAN(meta_channel, name),
	NUMBER(meta_channel, events),
	NUMBER(meta_channel, budget_bytes),
	NUMBER(meta_channel, overwritten),
	NUMBER(meta_channel, diverted),
	NUMBER(meta_channel, opened_ns),
	NUMBER(meta_channel, closed_ns),
	NUMBER(meta_channel, overwritten_first_ns),
	NUMBER(meta_channel, overwritten_last_ns),
	NUMBER(meta_channel, diverted_first_ns),
	NUMBER(meta_channel, diverted_last_ns),
	END,
};

static int decode_channel_list(struct decode *cursor, void *to)
{
	struct meta_channels *channels = to;

	return decode_array(cursor, channel_keys, sizeof(*channels->list), DUMP_CHANNELS_MAX,
			    (void **)&channels->list, &channels->list_count);
}

static const struct decode_key channels_keys[] = {
	NUMBER(meta_channels, open),
	NUMBER(meta_channels, opened),
	NUMBER(meta_channels, replaced),
	NUMBER(meta_channels, refused),
	NUMBER(meta_channels, unlisted),
	CALL("list", decode_channel_list),
	END,
};

static const struct decode_key gap_keys[] = {
	NUMBER(meta_gap, lane),	    NUMBER(meta_gap, events), NUMBER(meta_gap, first_ns),
	NUMBER(meta_gap, last_ns), END,
};

static int decode_gaps(struct decode *cursor, void *to)
{
	struct meta_history *history = to;

	return decode_array(cursor, gap_keys, sizeof(*history->gaps), DUMP_GAPS_MAX,
			    (void **)&history->gaps, &history->gap_count);
}

static const struct decode_key history_keys[] = {
	NUMBER(meta_history, budget_bytes),
	NUMBER(meta_history, bytes),
	CALL("gaps", decode_gaps),
	END,
};

static const struct decode_key group_keys[] = {
	SPAN(meta_group, set),
	SPAN(meta_group, role),
	SPAN(meta_group, by),
	SPAN(meta_group, name),
	SPAN(meta_group, first_service),
	SPAN(meta_group, first_sentence),
	NUMBER(meta_group, first_pid),
	NUMBER(meta_group, copied),
	NUMBER(meta_group, left_out),
	END,
};

static const struct decode_key meta_keys[] = {
	{"ttlog", DECODE_NUMBER, offsetof(struct meta, format), NULL, NULL},
	SPAN(meta, service),
	SPAN(meta, hostname),
	SPAN(meta, created_at),
	SPAN(meta, reason),
	NUMBER(meta, pid),
	NUMBER(meta, created_ns),
	NUMBER(meta, death_ns),
	NUMBER(meta, events),
	NUMBER(meta, overwritten),
	NUMBER(meta, dropped),
	NUMBER(meta, truncated),
	NUMBER(meta, torn),
	MAP(meta, cause, cause_keys),
	MAP(meta, trigger, meta_trigger_keys),
	MAP(meta, process, process_keys),
	MAP(meta, group, group_keys),
	MAP(meta, recorder, recorder_keys),
	MAP(meta, clock, clock_keys),
	CALL("threads", decode_threads),
	NUMBER(meta, threads_unlisted),
	CALL("lanes", decode_lanes),
	MAP(meta, channels, channels_keys),
	MAP(meta, history, history_keys),
	END,
};

static const struct decode_key summary_keys[] = {
	SPAN(meta, service),
	SPAN(meta, created_at),
	SPAN(meta, reason),
	NUMBER(meta, pid),
	NUMBER(meta, events),
	{"how", DECODE_SPAN, offsetof(struct meta, cause.how), NULL, NULL},
	SPAN(meta, signature),
	SPAN(meta, loop),
	NUMBER(meta, loop_count),
	NUMBER(meta, loop_since_ns),
	{"set", DECODE_SPAN, offsetof(struct meta, group.set), NULL, NULL},
	{"set_role", DECODE_SPAN, offsetof(struct meta, group.role), NULL, NULL},
	{"start_ns", DECODE_NUMBER, offsetof(struct meta, process.start_ns), NULL, NULL},
	END,
};

int meta_decode(struct meta *meta, const unsigned char *data, size_t bytes)
{
	struct decode cursor = {data, data + bytes};

	return decode_map(&cursor, meta_keys, meta);
}

int meta_decode_summary(struct meta *meta, const unsigned char *data, size_t bytes)
{
	struct decode cursor = {data, data + bytes};
	int error = decode_map(&cursor, summary_keys, meta);

	if (span_is(meta->signature, "0000000000000000"))
		meta->signature = (struct span){0};
	return error ? error : cursor.at == cursor.end ? 0 : -EBADMSG;
}

/* Room for all that there may be, once: who has an event points to its thread. */
static int make_room(struct meta *meta)
{
	struct meta_thread *threads;

	if (meta->threads_before)
		return 0;
	threads = calloc(DUMP_THREADS_MAX, sizeof(*threads));
	if (!threads)
		return -ENOMEM;
	if (!meta->threads)
		meta->threads = calloc(1, sizeof(*meta->threads));
	if (!meta->threads) {
		free(threads);
		return -ENOMEM;
	}
	memcpy(threads, meta->threads, meta->thread_count * sizeof(*threads));
	meta->threads_before = meta->threads;
	meta->threads = threads;
	return 0;
}

struct meta_kept {
	struct meta_kept *next;
	unsigned char bytes[];
};

/* Behind those that there are, as many as there is room for. */
static int append(struct meta *meta, const struct meta *more)
{
	const uint64_t room = DUMP_THREADS_MAX - meta->thread_count;
	const uint64_t count = more->thread_count < room ? more->thread_count : room;
	const int error = count ? make_room(meta) : -EBADMSG;

	if (error)
		return error;
	memcpy(meta->threads + meta->thread_count, more->threads, count * sizeof(*more->threads));
	meta->thread_count += count;
	return 0;
}

int meta_add_threads(struct meta *meta, const unsigned char *data, size_t bytes)
{
	static const struct decode_key keys[] = {CALL("threads", decode_threads), END};
	struct meta_kept *kept;
	struct meta more = {0};
	struct decode cursor;
	int error;

	if (bytes > DUMP_FRAME_BYTES_MAX - meta->kept_bytes)
		return -EBADMSG;
	kept = malloc(sizeof(*kept) + bytes);
	if (!kept)
		return -ENOMEM;
	memcpy(kept->bytes, data, bytes);
	cursor = (struct decode){kept->bytes, kept->bytes + bytes};
	error = decode_map(&cursor, keys, &more);
	if (!error)
		error = append(meta, &more);
	free(more.threads);
	if (error) {
		free(kept);
		return error;
	}
	kept->next = meta->kept;
	meta->kept = kept;
	meta->kept_bytes += bytes;
	return 0;
}

void meta_fini(struct meta *meta)
{
	free(meta->threads);
	free(meta->threads_before);
	while (meta->kept) {
		struct meta_kept *kept = meta->kept;

		meta->kept = kept->next;
		free(kept);
	}
	free(meta->lanes);
	free(meta->history.gaps);
	free(meta->channels.list);
	free(meta->clock.points);
}
