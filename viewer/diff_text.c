/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <string.h>

#include "viewer/count_text.h"
#include "viewer/diff.h"
#include "viewer/text_line.h"
#include "viewer/when.h"

#define NAME_COLUMNS 6
#define RATE_COLUMNS 10
#define NUMBER_COLUMNS 11
#define CHANGE_COLUMNS 9

static const char *const names[DIFF_SIDES] = {"this", "that"};

struct page {
	const struct diff *diff;
	struct out *out, cell;
};

static void end_cell(struct page *page, size_t columns)
{
	out_pad(page->out, ' ', page->cell.bytes < columns ? columns - page->cell.bytes : 1);
	out_span(page->out, span_of(&page->cell));
	page->cell.bytes = 0;
}

/* False: no rows, no heading. */
static bool put_heading(struct page *page, const char *title, size_t rows)
{
	const bool colour = page->diff->colour;

	if (!rows)
		return false;
	out_text(page->out, colour ? "\n" TEXT_BOLD : "\n");
	out_text(page->out, title);
	out_text(page->out, colour ? TEXT_RESET "\n" : "\n");
	return true;
}

static void put_more(struct page *page, uint64_t more)
{
	if (!more)
		return;
	out_count(&page->cell, more, 0);
	end_cell(page, RATE_COLUMNS);
	out_text(page->out, "  more of them: --limit=N\n");
}

/* ---- both sides -------------------------------------------------------------------------------
 */

static void put_window(struct page *page, const struct diff_side *side)
{
	const double seconds = ((double)side->to_ns - (double)side->from_ns) / 1e9;

	out_pad(page->out, ' ', NAME_COLUMNS);
	out_count(page->out, side->events, 0);
	out_text(page->out, side->events == 1 ? " event" : " events");
	if (side->known && seconds > 0) {
		out_text(page->out, " in ");
		when_duration(page->out, side->from_ns, side->to_ns);
		out_text(page->out, ", ");
		when_date(page->out, side->from_ns);
		out_char(page->out, ' ');
		when_time(page->out, side->from_ns);
		out_text(page->out, " to ");
		when_time(page->out, side->to_ns);
		out_text(page->out, " UTC");
	}
	out_char(page->out, '\n');
}

/* Where the ring has forgotten some of it. */
static void put_reach(struct page *page, const struct diff_side *side)
{
	static const char *const whats[DIFF_PACES] = {"", " of warnings and errors"};

	for (int pace = 0; pace < DIFF_PACES && side->known; pace++) {
		if (side->since_ns[pace] <= side->from_ns)
			continue;
		out_pad(page->out, ' ', NAME_COLUMNS);
		if (side->since_ns[pace] >= side->to_ns) {
			out_printf(page->out, "all%s of that time was overwritten\n", whats[pace]);
			continue;
		}
		out_printf(page->out, "of that%s the last ", pace ? "," : "");
		out_text(page->out, pace ? "of warnings and errors, " : "");
		when_duration(page->out, side->since_ns[pace], side->to_ns);
		out_text(page->out, ": the rest was overwritten\n");
	}
}

static void put_side(struct page *page, int which)
{
	const struct diff_side *side = &page->diff->side[which];
	const struct meta *meta = dump_meta(side->dump);
	const char *path = dump_path(side->dump);

	out_printf(page->out, "%-*s", NAME_COLUMNS, names[which]);
	text_line_source(&page->cell, meta);
	out_escaped(page->out, span_of(&page->cell), 0);
	page->cell.bytes = 0;
	out_text(page->out, meta->death_ns.known ? ", died: " : ", lived: ");
	out_escaped(page->out, meta->reason, 0);
	out_text(page->out, page->diff->alone ? which ? "; before" : "; its end" : "");
	out_text(page->out, "; ");
	out_escaped(page->out, (struct span){path, strlen(path)}, 0);
	out_char(page->out, '\n');
	put_window(page, side);
	put_reach(page, side);
}

/* ---- rates ------------------------------------------------------------------------------------
 */

static const char *colour_of(const struct diff_row *row)
{
	if (row->change == DIFF_NEW || row->change == DIFF_MORE)
		return row->level == LEVEL_WARN				       ? "\033[33m"
		       : row->level > LEVEL_WARN && row->level < LEVEL_UNKNOWN ? "\033[31m"
									       : "";
	return row->change == DIFF_GONE ? TEXT_DIM : "";
}

static void put_times(struct out *out, const struct diff_row *row)
{
	const double more = row->rate[DIFF_THIS] / row->rate[DIFF_THAT];
	const double times = more < 1 ? 1 / more : more;

	if (row->change == DIFF_MORE || row->change == DIFF_LESS)
		out_printf(out, times < 100 ? "%c %.1f" : "%c %.3g", more < 1 ? '/' : 'x', times);
	else if (row->change != DIFF_ALIKE)
		out_text(out, diff_change_name(row->change));
}

static void put_rate(struct page *page, const struct diff_row *row, int side)
{
	if (row->events[side])
		count_rate(&page->cell, row->rate[side]);
	else
		out_char(&page->cell, '-');
	end_cell(page, RATE_COLUMNS);
}

static void put_row(struct page *page, const struct diff_row *row, const struct group_by *by)
{
	const char *colour = page->diff->colour ? colour_of(row) : "";

	out_text(page->out, colour);
	put_rate(page, row, DIFF_THIS);
	put_rate(page, row, DIFF_THAT);
	put_times(&page->cell, row);
	end_cell(page, CHANGE_COLUMNS);
	out_count(&page->cell, row->events[DIFF_THIS], 0);
	end_cell(page, RATE_COLUMNS);
	if (by)
		count_key(page->out, by, row->group);
	else
		out_printf(page->out, "  %s", level_name(row->level));
	out_text(page->out, *colour ? TEXT_RESET "\n" : "\n");
}

static void put_titles(struct page *page)
{
	out_printf(page->out, "%*s%*s%*s%*s", RATE_COLUMNS, "this/s", RATE_COLUMNS, "that/s",
		   CHANGE_COLUMNS, "change", RATE_COLUMNS, "events");
}

static void put_rows(struct page *page, const char *title, const struct diff_rows *rows,
		     const struct group_by *by)
{
	const size_t limit = rows->count < page->diff->limit ? rows->count : page->diff->limit;

	if (!put_heading(page, title, rows->count))
		return;
	put_titles(page);
	count_titles(page->out, by);
	for (size_t i = 0; i < limit; i++)
		put_row(page, &rows->row[i], by);
	put_more(page, rows->count - limit);
	if (rows->others)
		out_text(page->out, "          others: too many to tell them apart\n");
}

static void put_levels(struct page *page)
{
	const struct diff *diff = page->diff;

	if (!put_heading(page, "levels", diff->level_count))
		return;
	put_titles(page);
	out_text(page->out, "  level\n");
	for (size_t i = 0; i < diff->level_count; i++)
		put_row(page, &diff->level[i], NULL);
}

/* ---- numbers ----------------------------------------------------------------------------------
 */

static void put_percentiles(struct page *page, const struct diff_number *number, double share)
{
	for (int i = 0; i < DIFF_SIDES; i++) {
		count_number(&page->cell, sketch_percentile(number->sketch[i], share));
		end_cell(page, NUMBER_COLUMNS);
	}
}

static void put_numbers(struct page *page)
{
	const struct diff *diff = page->diff;
	const size_t limit = diff->number_count < diff->limit ? diff->number_count : diff->limit;

	if (!put_heading(page, "numbers that moved", diff->number_count))
		return;
	out_printf(page->out, "%*s%*s%*s%*s  field", NUMBER_COLUMNS, "this p50", NUMBER_COLUMNS,
		   "that p50", NUMBER_COLUMNS, "this p99", NUMBER_COLUMNS, "that p99");
	count_titles(page->out, &diff->by_site);
	for (size_t i = 0; i < limit; i++) {
		put_percentiles(page, &diff->number[i], 0.5);
		put_percentiles(page, &diff->number[i], 0.99);
		out_text(page->out, "  ");
		out_escaped(page->out, diff->number[i].name, 0);
		count_key(page->out, &diff->by_site, diff->number[i].site);
		out_char(page->out, '\n');
	}
	put_more(page, diff->number_count - limit);
}

/* ---- values -----------------------------------------------------------------------------------
 */

static void put_share(struct page *page, double share)
{
	if (share == 0)
		out_char(&page->cell, '-');
	else if (share < 0.001)
		out_text(&page->cell, "<0.1 %");
	else
		out_printf(&page->cell, "%.1f %%", 100 * share);
	end_cell(page, RATE_COLUMNS);
}

static void put_shift(struct page *page, const struct diff_shift *shift)
{
	put_share(page, shift->row.rate[DIFF_THIS]);
	put_share(page, shift->row.rate[DIFF_THAT]);
	put_times(&page->cell, &shift->row);
	end_cell(page, CHANGE_COLUMNS);
	out_count(&page->cell, shift->row.events[DIFF_THIS], 0);
	end_cell(page, RATE_COLUMNS);
	out_text(page->out, "  ");
	out_escaped(page->out, shift->name, '=');
	out_char(page->out, '=');
	text_value(page->out, &page->cell, shift->value);
	count_key(page->out, &page->diff->by_site, shift->row.group);
	out_char(page->out, '\n');
}

static void put_shifts(struct page *page)
{
	const struct diff *diff = page->diff;
	const struct diff_shifts *shifts = &diff->shifts;
	const size_t limit = shifts->count < diff->limit ? shifts->count : diff->limit;

	if (!put_heading(page, "values that moved", shifts->count))
		return;
	out_printf(page->out, "%*s%*s%*s%*s  value", RATE_COLUMNS, "this", RATE_COLUMNS, "that",
		   CHANGE_COLUMNS, "change", RATE_COLUMNS, "events");
	count_titles(page->out, &diff->by_site);
	for (size_t i = 0; i < limit; i++)
		put_shift(page, &shifts->shift[i]);
	put_more(page, shifts->count - limit);
}

/* ---- all --------------------------------------------------------------------------------------
 */

static void put_alike(struct page *page)
{
	const struct diff *diff = page->diff;
	const struct {
		uint64_t count;
		const char *what;
	} rows[] = {
		{diff->sites.alike, "sites"},
		{diff->threads.alike, "threads"},
		{diff->alike_numbers, "numbers"},
		{diff->rising_numbers, "numbers that only rise, not compared"},
		{diff->shifts.alike, "fields by their values"},
		{diff->shifts.crowded, "fields of too many values to compare"},
	};
	bool any = false;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		if (!rows[i].count)
			continue;
		out_text(page->out, any ? ", " : "\nalike, or too few to say: ");
		any = true;
		out_count(page->out, rows[i].count, 0);
		out_printf(page->out, " %s", rows[i].what);
	}
	out_text(page->out, any ? "\n" : "");
}

void diff_text(struct diff *diff)
{
	struct page page = {.diff = diff, .out = diff->out};

	out_init(&page.cell, -1);
	for (int i = 0; i < DIFF_SIDES; i++)
		put_side(&page, i);
	put_rows(&page, "sites", &diff->sites, &diff->by_site);
	put_shifts(&page);
	put_numbers(&page);
	put_rows(&page, "threads", &diff->threads, &diff->by_thread);
	put_levels(&page);
	put_alike(&page);
	if (page.cell.error && !diff->out->error)
		diff->out->error = page.cell.error;
	out_fini(&page.cell);
}
