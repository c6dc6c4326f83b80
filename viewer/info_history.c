/* SPDX-License-Identifier: MIT */
/* info_history.c - see info_history.h. */
#include "viewer/info_history.h"

#include <inttypes.h>
#include <string.h>

#include "viewer/format_json.h"
#include "viewer/when.h"

#define GAPS_SHOWN 32

/* The lane that the dump names so; one that it does not know has no name. */
static struct span lane_name(const struct meta *meta, struct number lane)
{
	static const char other[] = "other";

	if (lane.known && lane.bits < meta->lane_count)
		return meta->lanes[lane.bits].name;
	return (struct span){other, sizeof(other) - 1};
}

static void put_gap(struct out *out, const struct meta *meta, const struct meta_gap *gap)
{
	size_t taken;

	out_text(out, "  ");
	taken = out_escaped(out, lane_name(meta, gap->lane), 0);
	out_pad(out, ' ', taken < 14 ? 14 - taken : 1);
	out_printf(out, "%14" PRIu64, gap->events.bits);
	if (gap->first_ns.known && gap->last_ns.known) {
		out_text(out, "  from ");
		when_moment(out, gap->first_ns);
		out_text(out, " to ");
		when_moment(out, gap->last_ns);
	}
	out_char(out, '\n');
}

void info_history_text(struct out *out, const struct meta *meta)
{
	const struct meta_history *history = &meta->history;

	if (!history->budget_bytes.known)
		return;
	out_printf(out, "\n  beside the ring %" PRIu64 " bytes were kept, of %" PRIu64 " at most\n",
		   history->bytes.bits, history->budget_bytes.bits);
	if (!history->gap_count)
		return;
	out_text(out, "  in lane            are missing\n");
	for (uint64_t i = 0; i < history->gap_count && i < GAPS_SHOWN; i++)
		put_gap(out, meta, &history->gaps[i]);
	if (history->gap_count > GAPS_SHOWN)
		out_printf(out, "  and %" PRIu64 " gaps more\n", history->gap_count - GAPS_SHOWN);
}

void info_history_json(struct out *out, const struct meta *meta)
{
	const struct meta_history *history = &meta->history;

	json_key(out, "history");
	if (!history->budget_bytes.known) {
		out_text(out, "null");
		return;
	}
	out_char(out, '{');
	json_number(out, "budget_bytes", history->budget_bytes);
	json_number(out, "bytes", history->bytes);
	json_key(out, "gaps");
	out_char(out, '[');
	for (uint64_t i = 0; i < history->gap_count; i++) {
		out_text(out, i ? ",{" : "{");
		json_span(out, "lane", lane_name(meta, history->gaps[i].lane));
		json_number(out, "events", history->gaps[i].events);
		json_ns(out, "first_ns", history->gaps[i].first_ns);
		json_ns(out, "last_ns", history->gaps[i].last_ns);
		out_char(out, '}');
	}
	out_text(out, "]}");
}
