/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "viewer/count_text.h"
#include "viewer/stats.h"
#include "viewer/text_line.h"
#include "viewer/when.h"

#define COUNT_COLUMNS 12
#define TIME_COLUMNS 17
#define CHART_ROWS 24
#define CHART_COLUMNS 80 /* where there is no terminal */
#define CHART_BAR_MIN 10

struct page {
	const struct stats *stats;
	struct out *out, cell;
	struct stamps stamps;
};

/* Lined up to the right, or to the left of what follows. */
static void put_cell(struct page *page, size_t columns, bool right)
{
	size_t pad = page->cell.bytes < columns ? columns - page->cell.bytes : 0;

	out_pad(page->out, ' ', right ? pad : 0);
	out_span(page->out, span_of(&page->cell));
	out_pad(page->out, ' ', right ? 0 : pad);
	page->cell.bytes = 0;
}

static void put_count(struct page *page, uint64_t count)
{
	out_count(&page->cell, count, 0);
	put_cell(page, COUNT_COLUMNS, true);
}

static void put_rate(struct page *page, uint64_t events)
{
	count_rate(&page->cell, stats_rate(page->stats, events));
	put_cell(page, COUNT_COLUMNS, true);
}

static void write_time(struct page *page, struct out *out, const struct dump *dump, int64_t ns)
{
	stamp_write(&page->stamps, out, dump_meta(dump), ns, ns, false);
}

static void put_time(struct page *page, const struct dump *dump, int64_t ns)
{
	write_time(page, &page->cell, dump, ns);
	put_cell(page, TIME_COLUMNS, true);
}

static void put_heading(struct page *page, const char *text)
{
	const bool colour = page->stats->env.colour;

	out_text(page->out, colour ? "\n" TEXT_BOLD : "\n");
	out_text(page->out, text);
	out_text(page->out, colour ? TEXT_RESET "\n" : "\n");
}

/* ---- groups -----------------------------------------------------------------------------------
 */

static void put_title(struct page *page, const struct stats_table *table)
{
	put_heading(page, table->title ? table->title : "groups");
	out_printf(page->out, "%*s%*s%*s%*s", COUNT_COLUMNS, "events", COUNT_COLUMNS, "a second",
		   TIME_COLUMNS, "first", TIME_COLUMNS, "last");
	count_titles(page->out, table->by);
}

static void put_number(struct out *out, const char *name, long double number)
{
	out_printf(out, "  %s ", name);
	count_number(out, number);
}

static void put_measure(struct page *page, const struct group_measure *measure)
{
	const struct sketch *sketch = &measure->sketch;

	out_pad(page->out, ' ', COUNT_COLUMNS + 2);
	out_escaped(page->out, measure->name, 0);
	put_number(page->out, "min", sketch->min);
	put_number(page->out, "mean", sketch->sum / sketch->values);
	put_number(page->out, "p50", sketch_percentile(sketch, 0.5));
	put_number(page->out, "p95", sketch_percentile(sketch, 0.95));
	put_number(page->out, "p99", sketch_percentile(sketch, 0.99));
	put_number(page->out, "max", sketch->max);
	out_text(page->out, "  of ");
	out_count(page->out, sketch->values, 0);
	if (sketch->shift)
		out_printf(page->out, "  (percentiles within %.3g %%)", 100 * sketch_error(sketch));
	out_char(page->out, '\n');
}

static void put_group(struct page *page, const struct stats_table *table, const struct group *group)
{
	put_count(page, group->events);
	put_rate(page, group->events);
	put_time(page, group->first_dump, group->first_ns);
	put_time(page, group->last_dump, group->last_ns);
	count_key(page->out, table->by, group);
	out_char(page->out, '\n');
	for (uint32_t i = 0; i < group->measure_count; i++)
		put_measure(page, group->measures[i]);
	if (group->unmeasured)
		out_printf(page->out, "%*s  and %llu numbers more, of too many fields\n",
			   COUNT_COLUMNS, "", (unsigned long long)group->unmeasured);
}

/* 0 or -ENOMEM. */
static int put_table(struct page *page, struct stats_table *table)
{
	struct groups *groups = &table->groups;
	const uint64_t count = groups->count < table->top ? groups->count : table->top;
	struct group **order = groups_order(groups);

	if (!order)
		return -ENOMEM;
	put_title(page, table);
	for (uint64_t i = 0; i < count && !page->out->error; i++)
		put_group(page, table, order[i]);
	if (count < groups->count) {
		put_count(page, groups->count - count);
		out_text(page->out, "  more of them: --top=N\n");
	}
	if (groups->others.events) {
		put_count(page, groups->others.events);
		out_printf(page->out, "  others: no room for more than %u groups\n", groups->count);
	}
	free(order);
	return 0;
}

/* ---- all of them ------------------------------------------------------------------------------
 */

static void put_summary(struct page *page)
{
	const struct stats *stats = page->stats;

	out_count(page->out, stats->events, 0);
	out_text(page->out, stats->events == 1 ? " event" : " events");
	if (stats->events) {
		out_text(page->out, " from ");
		write_time(page, page->out, stats->first_dump, stats->first_ns);
		out_text(page->out, " to ");
		write_time(page, page->out, stats->last_dump, stats->last_ns);
	}
	if (!isnan(stats_rate(stats, 1))) {
		out_text(page->out, ", in ");
		when_duration(page->out, stats->first_ns, stats->last_ns);
		out_printf(page->out, ": %.*f a second",
			   stats_rate(stats, stats->events) < 1000 ? 2 : 0,
			   stats_rate(stats, stats->events));
	}
	out_char(page->out, '\n');
}

static void put_levels(struct page *page)
{
	put_heading(page, "levels");
	for (int i = LEVEL_UNKNOWN; i >= LEVEL_TRACE; i--) {
		if (!page->stats->levels[i])
			continue;
		put_count(page, page->stats->levels[i]);
		put_rate(page, page->stats->levels[i]);
		out_printf(page->out, "  %s\n", level_name((enum site_level)i));
	}
}

static void put_lost(struct page *page)
{
	const struct stats_lost lost = stats_lost(page->stats);
	const struct {
		uint64_t count;
		const char *what;
	} rows[] = {
		{lost.overwritten, "overwritten by newer ones"},
		{lost.dropped, "dropped: there was no room"},
		{lost.truncated, "with values that were cut"},
		{lost.torn, "torn: their writer never finished them"},
		{lost.gap_events, "missing between others"},
	};
	bool any = false;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		if (!rows[i].count)
			continue;
		if (!any)
			put_heading(page, "what is not there, of all in the dumps");
		any = true;
		put_count(page, rows[i].count);
		out_printf(page->out, "  %s\n", rows[i].what);
	}
	if (lost.gaps)
		out_printf(page->out, "%*s  in %llu gaps: --info has them\n", COUNT_COLUMNS, "",
			   (unsigned long long)lost.gaps);
}

/* ---- over time --------------------------------------------------------------------------------
 */

static uint64_t events_of(const struct histogram_bin *row)
{
	uint64_t events = 0;

	for (int i = 0; i < LEVEL_COUNT; i++)
		events += row->levels[i];
	return events;
}

/* The worst first. Each level has its share of the columns; whoever is there has one at least. */
static void put_bar(struct page *page, const struct histogram_bin *row, uint64_t most,
		    size_t columns)
{
	static const char letters[LEVEL_COUNT] = {'t', 'd', 'i', 'W', 'E', 'F', '?'};
	static const char *const colours[LEVEL_COUNT] = {TEXT_DIM,   TEXT_DIM,	 "", "\033[33m",
							 "\033[31m", TEXT_DEATH, ""};
	const bool colour = page->stats->env.colour;
	size_t left = columns;

	for (int i = LEVEL_UNKNOWN; i >= LEVEL_TRACE; i--) {
		size_t length = (size_t)((double)row->levels[i] / (double)most * (double)columns);

		length = !length && row->levels[i] ? 1 : length;
		length = length < left ? length : left;
		left -= length;
		if (!length)
			continue;
		out_text(page->out, colour ? colours[i] : "");
		out_pad(page->out, letters[i], length);
		out_text(page->out, colour && *colours[i] ? TEXT_RESET : "");
	}
}

static void put_rows(struct page *page, const struct histogram_rows *rows)
{
	const size_t width = page->stats->env.width ? page->stats->env.width : CHART_COLUMNS;
	const size_t taken = TIME_COLUMNS + COUNT_COLUMNS + 2;
	const size_t columns = width > taken + CHART_BAR_MIN ? width - taken - 1 : CHART_BAR_MIN;
	uint64_t most = 1;

	for (size_t i = 0; i < rows->count; i++)
		if (events_of(&rows->rows[i]) > most)
			most = events_of(&rows->rows[i]);
	for (size_t i = 0; i < rows->count && !page->out->error; i++) {
		put_time(page, page->stats->first_dump,
			 (int64_t)((uint64_t)rows->start_ns + i * rows->width_ns));
		put_count(page, events_of(&rows->rows[i]));
		if (events_of(&rows->rows[i]))
			out_text(page->out, "  ");
		put_bar(page, &rows->rows[i], most, columns);
		out_char(page->out, '\n');
	}
}

static int put_histogram(struct page *page)
{
	struct histogram_rows rows;
	int error = histogram_rows(&page->stats->histogram, CHART_ROWS, &rows);

	if (error || !rows.count)
		return error;
	put_heading(page, "events over time");
	out_printf(page->out,
		   "each row is %.9g s; F fatal, E error, W warn, i info, d debug, t trace\n",
		   (double)rows.width_ns / 1e9);
	put_rows(page, &rows);
	histogram_rows_fini(&rows);
	return 0;
}

int stats_text_end(void *state, bool complete)
{
	struct stats *stats = state;
	struct page page = {.stats = stats, .out = stats->env.out};
	const enum time_mode mode = stats->env.time == TIME_DELTA ? TIME_CRASH : stats->env.time;
	int error = stamps_init(&page.stamps, stats->env.dumps, stats->env.dump_count, mode);

	(void)complete;
	if (error)
		return error;
	out_init(&page.cell, -1);
	put_summary(&page);
	if (stats->wish->stats) {
		if (stats->events)
			put_levels(&page);
		put_lost(&page);
	}
	for (size_t i = 0; i < stats->table_count && !error && stats->events; i++)
		error = put_table(&page, &stats->tables[i]);
	if (stats->wish->histogram && !error)
		error = put_histogram(&page);
	if (!error)
		error = page.cell.error;
	out_fini(&page.cell);
	stamps_fini(&page.stamps);
	return error;
}
