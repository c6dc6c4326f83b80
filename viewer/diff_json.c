/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <string.h>

#include "viewer/diff.h"
#include "viewer/format_json.h"
#include "viewer/stats.h"
#include "viewer/when.h"

static const char *const names[DIFF_SIDES] = {"this", "that"};

static void put_moment(struct out *out, const char *key, const char *key_ns, int64_t ns, bool known)
{
	json_key(out, key);
	if (known) {
		out_char(out, '"');
		when_rfc3339(out, ns);
		out_char(out, '"');
	} else {
		out_text(out, "null");
	}
	json_ns(out, key_ns, (struct number){(uint64_t)ns, known});
}

static void put_side(struct out *out, const struct diff_side *side)
{
	const struct meta *meta = dump_meta(side->dump);
	const char *path = dump_path(side->dump);
	static const char *const reaches[DIFF_PACES] = {"main_since_ns", "alert_since_ns"};

	out_char(out, '{');
	json_span(out, "file", (struct span){path, strlen(path)});
	json_known(out, "service", meta->service);
	json_number(out, "pid", meta->pid);
	json_known(out, "host", meta->hostname);
	json_known(out, "reason", meta->reason);
	json_truth(out, "died", meta->death_ns.known);
	put_moment(out, "from", "from_ns", side->from_ns, side->known);
	put_moment(out, "to", "to_ns", side->to_ns, side->known);
	for (int pace = 0; pace < DIFF_PACES; pace++)
		json_ns(out, reaches[pace],
			(struct number){(uint64_t)side->since_ns[pace], side->known});
	stats_json_uint(out, "events", side->events);
	stats_json_uint(out, "older", side->older);
	out_char(out, '}');
}

/* An object a side, with what is put into it. */
static void put_rates(struct out *out, const struct diff_row *row)
{
	json_span(out, "change",
		  (struct span){diff_change_name(row->change),
				strlen(diff_change_name(row->change))});
	for (int i = 0; i < DIFF_SIDES; i++) {
		json_key(out, names[i]);
		out_char(out, '{');
		stats_json_uint(out, "events", row->events[i]);
		stats_json_real(out, "rate", row->rate[i]);
		out_char(out, '}');
	}
	stats_json_real(out, "ratio", row->rate[DIFF_THIS] / row->rate[DIFF_THAT]);
}

static void put_rows(const struct diff *diff, const char *key, const struct diff_rows *rows,
		     const struct group_by *by)
{
	const size_t limit = rows->count < diff->limit ? rows->count : diff->limit;
	struct out *out = diff->out;

	json_key(out, key);
	out_text(out, "{\"rows\":[");
	for (size_t i = 0; i < limit; i++) {
		out_text(out, i ? ",{" : "{");
		stats_json_key(out, by, rows->row[i].group);
		put_rates(out, &rows->row[i]);
		out_char(out, '}');
	}
	out_char(out, ']');
	stats_json_uint(out, "unlisted", rows->count - limit);
	stats_json_uint(out, "alike", rows->alike);
	json_truth(out, "others", rows->others);
	out_char(out, '}');
}

static void put_levels(const struct diff *diff)
{
	struct out *out = diff->out;

	json_key(out, "levels");
	out_char(out, '{');
	for (size_t i = 0; i < diff->level_count; i++) {
		json_key(out, level_name(diff->level[i].level));
		out_char(out, '{');
		put_rates(out, &diff->level[i]);
		out_char(out, '}');
	}
	out_char(out, '}');
}

static void put_numbers(const struct diff *diff)
{
	const size_t limit = diff->number_count < diff->limit ? diff->number_count : diff->limit;
	struct out *out = diff->out;

	json_key(out, "numbers");
	out_text(out, "{\"rows\":[");
	for (size_t i = 0; i < limit; i++) {
		const struct diff_number *number = &diff->number[i];

		out_text(out, i ? ",{" : "{");
		json_span(out, "field", number->name);
		stats_json_key(out, &diff->by_site, number->site);
		for (int side = 0; side < DIFF_SIDES; side++) {
			const struct sketch *sketch = number->sketch[side];

			json_key(out, names[side]);
			out_char(out, '{');
			stats_json_uint(out, "values", sketch->values);
			stats_json_number(out, "p50", sketch_percentile(sketch, 0.5), sketch->real);
			stats_json_number(out, "p99", sketch_percentile(sketch, 0.99),
					  sketch->real);
			out_char(out, '}');
		}
		out_char(out, '}');
	}
	out_char(out, ']');
	stats_json_uint(out, "unlisted", diff->number_count - limit);
	stats_json_uint(out, "alike", diff->alike_numbers);
	stats_json_uint(out, "rising", diff->rising_numbers);
	out_char(out, '}');
}

static void put_shift(const struct diff *diff, const struct diff_shift *shift, struct out *scratch)
{
	struct out *out = diff->out;
	const char *change = diff_change_name(shift->row.change);

	json_span(out, "field", shift->name);
	json_key(out, "value");
	format_json_value(out, scratch, shift->value);
	json_span(out, "change", (struct span){change, strlen(change)});
	stats_json_key(out, &diff->by_site, shift->row.group);
	for (int side = 0; side < DIFF_SIDES; side++) {
		json_key(out, names[side]);
		out_char(out, '{');
		stats_json_uint(out, "events", shift->row.events[side]);
		stats_json_real(out, "share", shift->row.rate[side]);
		out_char(out, '}');
	}
}

static void put_shifts(const struct diff *diff)
{
	const struct diff_shifts *shifts = &diff->shifts;
	const size_t limit = shifts->count < diff->limit ? shifts->count : diff->limit;
	struct out *out = diff->out, scratch;

	out_init(&scratch, -1);
	json_key(out, "values");
	out_text(out, "{\"rows\":[");
	for (size_t i = 0; i < limit; i++) {
		out_text(out, i ? ",{" : "{");
		put_shift(diff, &shifts->shift[i], &scratch);
		out_char(out, '}');
	}
	out_char(out, ']');
	stats_json_uint(out, "unlisted", shifts->count - limit);
	stats_json_uint(out, "alike", shifts->alike);
	stats_json_uint(out, "crowded", shifts->crowded);
	out_char(out, '}');
	if (scratch.error && !out->error)
		out->error = scratch.error;
	out_fini(&scratch);
}

void diff_json(struct diff *diff)
{
	struct out *out = diff->out;

	out_char(out, '{');
	for (int i = 0; i < DIFF_SIDES; i++) {
		json_key(out, names[i]);
		put_side(out, &diff->side[i]);
	}
	put_rows(diff, "sites", &diff->sites, &diff->by_site);
	put_shifts(diff);
	put_numbers(diff);
	put_rows(diff, "threads", &diff->threads, &diff->by_thread);
	put_levels(diff);
	out_text(out, "}\n");
}
