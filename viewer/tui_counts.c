/* SPDX-License-Identifier: MIT */
/* tui_counts.c - what the census has counted, as text: statistics, histogram, threads. */
#include <inttypes.h>

#include "viewer/tui.h"
#include "viewer/when.h"

#define NAME_COLUMNS 24
#define HISTOGRAM_ROWS_MAX 128

void tui_put_padded(struct out *out, struct span text, size_t columns)
{
	size_t taken = out_escaped(out, text, 0);

	out_pad(out, ' ', taken < columns ? columns - taken : 0);
}

static void heading(struct out *out, const char *text)
{
	out_printf(out, TEXT_BOLD "%s" TEXT_RESET "\n", text);
}

static void put_progress(struct tui *tui, struct out *out)
{
	out_text(out, TEXT_BOLD);
	out_count(out, tui->census->events, 0);
	out_text(out, " events" TEXT_RESET);
	if (tui->census->events < paged_events(tui->paged) && tui_census_is_complete(tui->census)) {
		out_text(out, " that are shown, of ");
		out_count(out, paged_events(tui->paged), 0);
	}
	if (!tui_census_is_complete(tui->census))
		out_printf(out, ", counting: %" PRIu64 "%%",
			   tui->census->seen * 100 / (paged_total(tui->paged) + 1));
	out_char(out, '\n');
}

static void put_levels(struct tui *tui, struct out *out)
{
	for (int i = LEVEL_FATAL; i >= LEVEL_TRACE; i--) {
		if (!tui->census->levels[i])
			continue;
		out_printf(out, "  %-6s", level_name((enum site_level)i));
		out_count(out, tui->census->levels[i], 14);
		out_char(out, '\n');
	}
}

static void put_range(struct out *out, const struct census_group *group, struct tui *tui)
{
	int64_t base;

	if (!paged_base(tui->paged, &base))
		return;
	out_text(out, "  T");
	when_relative(out, group->first_ns, base);
	out_text(out, " .. T");
	when_relative(out, group->last_ns, base);
}

void tui_make_stats(struct tui *tui)
{
	static uint16_t order[CENSUS_GROUPS_MAX + 1];
	struct tui_pane *pane = &tui->pane;
	struct out *out = &pane->text;
	const struct census_groups *sites = &tui->census->sites;
	size_t count = tui_census_order(sites, order);

	put_progress(tui, out);
	put_levels(tui, out);
	heading(out, "sites, the busiest first; Enter shows only that one, x hides it");
	pane->first_choice = SIZE_MAX; /* they follow */
	pane->choices = count;
	for (size_t i = 0; i < count; i++) {
		const struct census_group *group = &sites->group[order[i]];
		const struct site *site = group->key;

		out_count(out, group->events, 12);
		out_char(out, ' ');
		if (site) {
			out_printf(out, " %-5s ", level_name(site->level));
			out_text(out, TEXT_BLUE);
			tui_put_padded(out, site->target, 10);
			out_text(out, TEXT_RESET " ");
			out_escaped(out, site->message, 0);
			out_text(out, TEXT_DIM);
			put_range(out, group, tui);
			out_text(out, TEXT_RESET);
		} else {
			out_text(out, " others");
		}
		out_char(out, '\n');
	}
}

static void put_bar(struct out *out, uint64_t part, uint64_t whole, size_t columns)
{
	size_t length = whole ? (size_t)((double)part / (double)whole * (double)columns) : 0;

	out_pad(out, '#', part && !length ? 1 : length);
}

static size_t histogram_rows(const struct tui *tui)
{
	size_t rows = tui->screen.rows > 8 ? tui->screen.rows - 6 : 2, each = 1;

	rows = rows < HISTOGRAM_ROWS_MAX ? rows : HISTOGRAM_ROWS_MAX;
	while (CENSUS_BUCKETS / each > rows)
		each *= 2;
	return CENSUS_BUCKETS / each;
}

void tui_make_histogram(struct tui *tui)
{
	const struct tui_census *census = tui->census;
	const size_t rows = histogram_rows(tui), each = CENSUS_BUCKETS / rows;
	uint64_t sums[HISTOGRAM_ROWS_MAX][CENSUS_GRAVES] = {{0}}, most = 0;
	struct out *out = &tui->pane.text;
	size_t columns = tui->screen.columns > 70 ? tui->screen.columns - 56 : 14;
	int64_t base;

	for (size_t i = 0; i < CENSUS_BUCKETS; i++)
		for (size_t grave = 0; grave < CENSUS_GRAVES; grave++)
			sums[i / each][grave] += census->buckets[i][grave];
	for (size_t i = 0; i < rows; i++)
		most = sums[i][CENSUS_ALL] > most ? sums[i][CENSUS_ALL] : most;
	put_progress(tui, out);
	out_printf(out, TEXT_DIM "%18s %12s %8s %8s" TEXT_RESET "\n", "from", "events", "warnings",
		   "errors");
	tui->pane.first_choice = SIZE_MAX;
	tui->pane.choices = rows;
	for (size_t i = 0; i < rows; i++) {
		const int64_t ns =
			(int64_t)((uint64_t)census->first_ns + i * each * census->bucket_ns);

		tui->scratch.bytes = 0;
		if (paged_base(tui->paged, &base)) {
			out_char(&tui->scratch, 'T');
			when_relative(&tui->scratch, ns, base);
		} else {
			when_time(&tui->scratch, ns);
		}
		out_pad(out, ' ', tui->scratch.bytes < 18 ? 18 - tui->scratch.bytes : 0);
		out_span(out, span_of(&tui->scratch));
		out_count(out, sums[i][CENSUS_ALL], 13);
		out_text(out, sums[i][CENSUS_WARN] ? "\033[33m" : TEXT_DIM);
		out_count(out, sums[i][CENSUS_WARN], 9);
		out_text(out, TEXT_RESET);
		out_text(out, sums[i][CENSUS_ERROR] ? "\033[31m" : TEXT_DIM);
		out_count(out, sums[i][CENSUS_ERROR], 9);
		out_text(out, TEXT_RESET " ");
		put_bar(out, sums[i][CENSUS_ALL], most, columns);
		out_char(out, '\n');
	}
}

static uint64_t events_of_thread(const struct tui *tui, const struct meta_thread *thread)
{
	const struct census_groups *threads = &tui->census->threads;

	for (size_t i = 0; i < threads->count; i++)
		if (threads->group[i].key == thread)
			return threads->group[i].events;
	return 0;
}

/* The thread of that number, counted through all dumps. False: there is none. */
bool tui_thread_find(const struct tui *tui, size_t number, size_t *ret_source, uint64_t *ret_index)
{
	for (size_t source = 0; source + 1 < paged_sources(tui->paged); source++) {
		const uint64_t count = dump_meta(paged_dump(tui->paged, source))->thread_count;

		if (number < count) {
			*ret_source = source;
			*ret_index = number;
			return true;
		}
		number -= (size_t)count;
	}
	return false;
}

static void put_thread(struct tui *tui, struct out *out, size_t number, size_t source,
		       uint64_t index)
{
	const struct meta *meta = dump_meta(paged_dump(tui->paged, source));
	const struct meta_thread *thread = &meta->threads[index];
	const bool off = tui_filter_thread_is_off(&tui->filter, source, index);

	out_printf(out, " %s ", off ? "off" : "on ");
	if (number < 9)
		out_printf(out, "%zu ", number + 1);
	else
		out_text(out, "  ");
	tui_put_padded(out, thread->name, NAME_COLUMNS);
	out_printf(out, " %8" PRIu64 " ", thread->tid.bits);
	out_count(out, thread->events.bits, 14);
	out_count(out, events_of_thread(tui, thread), 14);
	if (paged_sources(tui->paged) > 2) {
		out_text(out, "  ");
		tui->scratch.bytes = 0;
		text_line_source(&tui->scratch, meta);
		out_escaped(out, span_of(&tui->scratch), 0);
	}
	out_char(out, '\n');
}

void tui_make_threads(struct tui *tui)
{
	struct out *out = &tui->pane.text;
	size_t source, number = 0;
	uint64_t index;

	put_progress(tui, out);
	out_printf(out, TEXT_DIM "       %-*s %8s %14s %13s" TEXT_RESET "\n", NAME_COLUMNS, "name",
		   "tid", "events", "shown");
	tui->pane.first_choice = SIZE_MAX;
	for (; tui_thread_find(tui, number, &source, &index); number++)
		put_thread(tui, out, number, source, index);
	tui->pane.choices = number;
}

/* ---- the line that is chosen ------------------------------------------------------------------
 */

const struct site *tui_chosen_site(const struct tui *tui)
{
	static uint16_t order[CENSUS_GROUPS_MAX + 1];
	const struct census_groups *sites = &tui->census->sites;
	size_t count = tui_census_order(sites, order);

	return tui->pane.cursor < count ? sites->group[order[tui->pane.cursor]].key : NULL;
}

int64_t tui_chosen_time(const struct tui *tui)
{
	const size_t each = CENSUS_BUCKETS / histogram_rows(tui);

	return (int64_t)((uint64_t)tui->census->first_ns +
			 tui->pane.cursor * each * tui->census->bucket_ns);
}
