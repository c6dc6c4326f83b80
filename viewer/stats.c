/* SPDX-License-Identifier: MIT */
#include "viewer/stats.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

struct stats_lost stats_lost(const struct stats *stats)
{
	struct stats_lost lost = {0};

	for (size_t i = 0; i < stats->env.dump_count; i++) {
		const struct meta *meta = dump_meta(stats->env.dumps[i]);

		lost.overwritten += meta->overwritten.bits;
		lost.dropped += meta->dropped.bits;
		lost.truncated += meta->truncated.bits;
		lost.torn += meta->torn.bits;
		lost.gaps += meta->history.gap_count;
		for (uint64_t j = 0; j < meta->history.gap_count; j++)
			lost.gap_events += meta->history.gaps[j].events.bits;
	}
	return lost;
}

double stats_rate(const struct stats *stats, uint64_t events)
{
	const uint64_t span_ns = (uint64_t)stats->last_ns - (uint64_t)stats->first_ns;

	return span_ns ? (double)events * 1e9 / (double)span_ns : (double)NAN;
}

/* by: NULL is what somebody asked for. */
static int add_table(struct stats *stats, const char *key, const char *title, const char *by)
{
	struct stats_table *table = &stats->tables[stats->table_count];
	int error = 0;

	table->key = key;
	table->title = title;
	table->by = by ? &table->own : &stats->wish->by;
	table->top = stats->wish->top_said ? stats->wish->top : by ? STATS_TOP : UINT64_MAX;
	if (by)
		error = group_by_parse(&table->own, by);
	if (!error)
		error = groups_open(&table->groups, table->by);
	if (error) {
		group_by_fini(&table->own);
		return error;
	}
	table->groups.measures = !by;
	table->groups.measured = stats->env.columns;
	stats->table_count++;
	return 0;
}

static int open_tables(struct stats *stats)
{
	const bool several = stats->env.dump_count > 1;
	int error = 0;

	if (stats->wish->stats) {
		error = add_table(stats, "targets", "targets", "target");
		if (!error)
			error = add_table(stats, "sites", "busiest sites", "site");
		if (!error && several)
			error = add_table(stats, "processes", "processes", "service,pid");
		if (!error)
			error = add_table(stats, "threads", "threads",
					  several ? "thread,tid,service,pid" : "thread,tid");
	}
	if (!error && stats->wish->by.count)
		error = add_table(stats, NULL, NULL, NULL);
	if (!error && stats->wish->histogram)
		error = histogram_open(&stats->histogram);
	return error;
}

static void stats_close(void *state)
{
	struct stats *stats = state;

	if (!stats)
		return;
	for (size_t i = 0; i < stats->table_count; i++) {
		groups_close(&stats->tables[i].groups);
		group_by_fini(&stats->tables[i].own);
	}
	histogram_close(&stats->histogram);
	free(stats);
}

static int stats_open(void **ret_state, const struct format_env *env)
{
	struct stats *stats = calloc(1, sizeof(*stats));
	int error;

	if (!stats)
		return -ENOMEM;
	stats->env = *env;
	stats->wish = env->stats;
	error = open_tables(stats);
	if (error)
		stats_close(stats);
	else
		*ret_state = stats;
	return error;
}

static int stats_event(void *state, struct record *record)
{
	struct stats *stats = state;
	const struct event *event = &record->event;
	int error = 0;

	if (!stats->events || event->time_ns < stats->first_ns) {
		stats->first_ns = event->time_ns;
		stats->first_dump = event->dump;
	}
	if (!stats->events || event->time_ns >= stats->last_ns) {
		stats->last_ns = event->time_ns;
		stats->last_dump = event->dump;
	}
	stats->events++;
	stats->levels[event->site->level]++;
	if (stats->wish->histogram)
		histogram_add(&stats->histogram, event->time_ns, event->site->level);
	for (size_t i = 0; i < stats->table_count && !error; i++)
		error = groups_add(&stats->tables[i].groups, record, NULL);
	return error;
}

const struct format stats_text_format = {
	.name = "text",
	.flags = FORMAT_PEOPLE,
	.open = stats_open,
	.event = stats_event,
	.end = stats_text_end,
	.close = stats_close,
};

const struct format stats_json_format = {
	.name = "json",
	.open = stats_open,
	.event = stats_event,
	.end = stats_json_end,
	.close = stats_close,
};
