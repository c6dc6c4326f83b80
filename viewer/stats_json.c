/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <errno.h>

#include "viewer/format_json.h"
#include "viewer/stats.h"
#include "viewer/when.h"

void stats_json_uint(struct out *out, const char *key, uint64_t number)
{
	json_number(out, key, (struct number){number, true});
}

void stats_json_real(struct out *out, const char *key, double number)
{
	json_key(out, key);
	if (isfinite(number))
		out_printf(out, "%.9g", number);
	else
		out_text(out, "null");
}

void stats_json_number(struct out *out, const char *key, long double number, bool real)
{
	json_key(out, key);
	out_printf(out, real ? "%.17Lg" : "%.0Lf", number);
}

static void put_times(struct out *out, uint64_t events, int64_t first_ns, int64_t last_ns)
{
	const struct number first = {(uint64_t)first_ns, events > 0};
	const struct number last = {(uint64_t)last_ns, events > 0};
	const char *const keys[] = {"first", "last"};
	const int64_t times[] = {first_ns, last_ns};

	for (int i = 0; i < 2; i++) {
		json_key(out, keys[i]);
		if (events) {
			out_char(out, '"');
			when_rfc3339(out, times[i]);
			out_char(out, '"');
		} else {
			out_text(out, "null");
		}
	}
	json_ns(out, "first_ns", first);
	json_ns(out, "last_ns", last);
}

static void put_measure(struct out *out, const struct group_measure *measure)
{
	const struct sketch *sketch = &measure->sketch;

	out_json_string(out, measure->name);
	out_text(out, ":{");
	stats_json_uint(out, "values", sketch->values);
	stats_json_number(out, "min", sketch->min, sketch->real);
	stats_json_real(out, "mean", (double)(sketch->sum / sketch->values));
	stats_json_number(out, "p50", sketch_percentile(sketch, 0.5), sketch->real);
	stats_json_number(out, "p95", sketch_percentile(sketch, 0.95), sketch->real);
	stats_json_number(out, "p99", sketch_percentile(sketch, 0.99), sketch->real);
	stats_json_number(out, "max", sketch->max, sketch->real);
	stats_json_real(out, "error", sketch_error(sketch));
	out_char(out, '}');
}

void stats_json_key(struct out *out, const struct group_by *by, const struct group *group)
{
	struct span key = {group->key, group->key_bytes}, text;

	json_key(out, "key");
	out_char(out, '{');
	for (uint32_t i = 0; i < by->count; i++) {
		enum group_part_kind kind = group_next_part(&key, &text);

		if (i)
			out_char(out, ',');
		out_json_string(out, group_part_name(&by->part[i]));
		out_char(out, ':');
		if (kind == GROUP_TEXT)
			out_json_string(out, text);
		else if (kind == GROUP_RAW)
			out_span(out, text);
		else
			out_text(out, "null");
	}
	out_char(out, '}');
}

static void put_group(struct out *out, const struct stats *stats, const struct stats_table *table,
		      const struct group *group)
{
	out_char(out, '{');
	stats_json_key(out, table->by, group);
	stats_json_uint(out, "events", group->events);
	stats_json_real(out, "rate", stats_rate(stats, group->events));
	put_times(out, group->events, group->first_ns, group->last_ns);
	if (table->groups.measures) {
		json_key(out, "fields");
		out_char(out, '{');
		for (uint32_t i = 0; i < group->measure_count; i++) {
			if (i)
				out_char(out, ',');
			put_measure(out, group->measures[i]);
		}
		out_char(out, '}');
		stats_json_uint(out, "unmeasured", group->unmeasured);
	}
	out_char(out, '}');
}

/* 0 or -ENOMEM. */
static int put_table(struct out *out, const struct stats *stats, struct stats_table *table)
{
	const uint64_t count = table->groups.count < table->top ? table->groups.count : table->top;
	struct group **order = groups_order(&table->groups);

	if (!order)
		return -ENOMEM;
	json_key(out, "by");
	out_char(out, '[');
	for (uint32_t i = 0; i < table->by->count; i++) {
		if (i)
			out_char(out, ',');
		out_json_string(out, group_part_name(&table->by->part[i]));
	}
	out_char(out, ']');
	json_key(out, "groups");
	out_char(out, '[');
	for (uint64_t i = 0; i < count; i++) {
		if (i)
			out_char(out, ',');
		put_group(out, stats, table, order[i]);
	}
	out_char(out, ']');
	stats_json_uint(out, "unlisted", table->groups.count - count);
	stats_json_uint(out, "others", table->groups.others.events);
	free(order);
	return 0;
}

static void put_levels(struct out *out, const char *key, const uint64_t *levels)
{
	json_key(out, key);
	out_char(out, '{');
	for (int i = LEVEL_UNKNOWN; i >= LEVEL_TRACE; i--)
		if (levels[i])
			stats_json_uint(out, level_name((enum site_level)i), levels[i]);
	out_char(out, '}');
}

static void put_lost(struct out *out, const struct stats *stats)
{
	const struct stats_lost lost = stats_lost(stats);

	json_key(out, "lost");
	out_char(out, '{');
	stats_json_uint(out, "overwritten", lost.overwritten);
	stats_json_uint(out, "dropped", lost.dropped);
	stats_json_uint(out, "truncated", lost.truncated);
	stats_json_uint(out, "torn", lost.torn);
	stats_json_uint(out, "gaps", lost.gaps);
	stats_json_uint(out, "gap_events", lost.gap_events);
	out_char(out, '}');
}

static int put_histogram(struct out *out, const struct stats *stats)
{
	struct histogram_rows rows;
	bool any = false;
	int error = histogram_rows(&stats->histogram, HISTOGRAM_ROWS_MAX, &rows);

	if (error)
		return error;
	json_key(out, "histogram");
	out_char(out, '{');
	json_ns(out, "width_ns", (struct number){rows.width_ns, true});
	json_key(out, "rows");
	out_char(out, '[');
	for (size_t i = 0; i < rows.count; i++) {
		uint64_t events = 0;

		for (int level = 0; level < LEVEL_COUNT; level++)
			events += rows.rows[i].levels[level];
		if (!events)
			continue;
		out_text(out, any ? ",{" : "{");
		any = true;
		json_ns(out, "from_ns",
			(struct number){(uint64_t)rows.start_ns + i * rows.width_ns, true});
		stats_json_uint(out, "events", events);
		put_levels(out, "levels", rows.rows[i].levels);
		out_char(out, '}');
	}
	out_text(out, "]}");
	histogram_rows_fini(&rows);
	return 0;
}

int stats_json_end(void *state, bool complete)
{
	struct stats *stats = state;
	struct out *out = stats->env.out;
	int error = 0;

	(void)complete;
	out_char(out, '{');
	stats_json_uint(out, "events", stats->events);
	stats_json_real(out, "rate", stats_rate(stats, stats->events));
	put_times(out, stats->events, stats->first_ns, stats->last_ns);
	if (stats->wish->stats) {
		put_levels(out, "levels", stats->levels);
		put_lost(out, stats);
	}
	for (size_t i = 0; i < stats->table_count && !error; i++) {
		struct stats_table *table = &stats->tables[i];

		if (table->key) {
			json_key(out, table->key);
			out_char(out, '{');
		}
		error = put_table(out, stats, table);
		if (table->key)
			out_char(out, '}');
	}
	if (stats->wish->histogram && !error)
		error = put_histogram(out, stats);
	out_text(out, "}\n");
	return error;
}
