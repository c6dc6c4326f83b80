/* SPDX-License-Identifier: MIT */
#include "viewer/diff.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "viewer/inputs.h"

/* ---- since when nothing is missing ------------------------------------------------------------
 */

static bool is_alert(const struct meta_lane *lane)
{
	return lane->name.bytes >= 5 && memcmp(lane->name.data, "alert", 5) == 0;
}

static void raise_to(int64_t *since_ns, const struct diff_side *side, struct number lost,
		     struct number last_ns)
{
	const int64_t ns = (int64_t)last_ns.bits;

	if (lost.known && lost.bits && last_ns.known && ns > *since_ns)
		*since_ns = ns < side->to_ns ? ns : side->to_ns;
}

static void find_since(struct diff_side *side)
{
	const struct meta *meta = dump_meta(side->dump);

	for (int pace = 0; pace < DIFF_PACES; pace++)
		side->since_ns[pace] = side->from_ns;
	for (uint64_t i = 0; i < meta->lane_count; i++) {
		const struct meta_lane *lane = &meta->lanes[i];

		if (is_alert(lane))
			raise_to(&side->since_ns[DIFF_PACE_ALERT], side, lane->overwritten,
				 lane->overwritten_last_ns);
		else if (span_is(lane->name, "main"))
			raise_to(&side->since_ns[DIFF_PACE_MAIN], side, lane->overwritten,
				 lane->overwritten_last_ns);
	}
}

static int64_t since_of(const struct diff_side *side, const struct event *event)
{
	int64_t since_ns = side->from_ns;

	if (!event->channel)
		return side->since_ns[diff_pace(event->site->level)];
	raise_to(&since_ns, side, event->channel->overwritten, event->channel->overwritten_last_ns);
	return since_ns;
}

/* ---- counting ---------------------------------------------------------------------------------
 */

static int count_event(struct diff_side *side, struct record *record)
{
	const struct event *event = &record->event;
	const int64_t since_ns = since_of(side, event);
	struct group *group = NULL;
	int error;

	if (event->time_ns < since_ns) {
		side->older++;
		return 0;
	}
	side->events++;
	side->levels[event->site->level]++;
	error = groups_add(&side->sites, record, &group);
	if (error)
		return error;
	if (group->events == 1 || since_ns < group->since_ns)
		group->since_ns = since_ns;
	if (group != &side->sites.others)
		error = diff_values_add(&side->values, (uint32_t)(group - side->sites.list), record);
	if (error)
		return error;
	if (event->time_ns < diff_whole_ns(side))
		return 0;
	error = groups_add(&side->threads, record, &group);
	if (!error)
		group->since_ns = diff_whole_ns(side);
	return error;
}

/* From the query's bounds, and what the dump has; the end is T, but what comes behind it counts. */
static void find_window(struct diff_side *side, const struct query *query)
{
	const struct meta *meta = dump_meta(side->dump);
	const struct number end = meta->death_ns.known ? meta->death_ns : meta->created_ns;
	const struct dump_extent *extents;
	const size_t count = dump_extents(side->dump, &extents);
	int64_t first_ns = INT64_MAX;

	query_bounds(query, &side->from_ns, &side->to_ns);
	for (size_t i = 0; i < count; i++)
		first_ns = extents[i].first_ns < first_ns ? extents[i].first_ns : first_ns;
	side->known = count > 0;
	if (side->known && first_ns > side->from_ns)
		side->from_ns = first_ns;
	if (end.known && (int64_t)end.bits < side->to_ns)
		side->to_ns = (int64_t)end.bits;
}

static int count_selected(struct diff_side *side, struct select *select, bool around)
{
	struct record *record = calloc(1, sizeof(*record));
	int64_t last_ns = INT64_MIN;
	int error = record ? 0 : -ENOMEM;

	if (side->known)
		find_since(side);
	while (!error && select_next(select, record)) {
		const int64_t ns = record->event.time_ns;

		if (!side->known && ns > side->from_ns)
			side->from_ns = ns;
		if (!side->known)
			find_since(side);
		side->known = true;
		last_ns = ns > last_ns ? ns : last_ns;
		error = count_event(side, record);
	}
	free(record);
	if (around || side->to_ns == INT64_MAX)
		side->to_ns = last_ns;
	return error ? error : select_error(select);
}

static int count(struct diff *diff, struct diff_side *side, struct options *options)
{
	struct selection *selection = &options->select;
	struct select *select = NULL;
	/* So many events around a time have no other bounds than their own. */
	const bool around = selection->around && !selection->context_ns;
	int error = groups_open(&side->sites, &diff->by_site);

	if (!error)
		error = groups_open(&side->threads, &diff->by_thread);
	if (error)
		return error;
	side->sites.measures = true;
	side->sites.measured = options->columns;
	diff_values_init(&side->values, options->columns);
	error = select_open(&select, selection, &side->dump, 1);
	if (!error) {
		find_window(side, &selection->query);
		side->known &= !around;
		error = count_selected(side, select, around);
	}
	select_close(select);
	return error;
}

/* ---- which of what ----------------------------------------------------------------------------
 */

static bool died(const struct dump *dump)
{
	return dump_meta(dump)->death_ns.known;
}

/* An earlier snapshot of the process that died: what it has is in both, and tells nothing. */
static void skip_shared(const struct diff *diff, int64_t t_ns, int64_t *from_ns)
{
	const struct meta *this = dump_meta(diff->side[DIFF_THIS].dump);
	const struct meta *that = dump_meta(diff->side[DIFF_THAT].dump);
	const int64_t end_ns = (int64_t)that->created_ns.bits;

	if (diff->alone || !this->pid.known || this->pid.bits != that->pid.bits ||
	    !this->process.start_ns.known ||
	    this->process.start_ns.bits != that->process.start_ns.bits ||
	    !span_equal(this->hostname, that->hostname))
		return;
	if (!that->death_ns.known && that->created_ns.known && end_ns < t_ns && end_ns > *from_ns)
		*from_ns = end_ns;
}

/* Where nobody said when: the time before T. */
static int bound_this(struct diff *diff, struct options *options)
{
	struct diff_side *side = &diff->side[DIFF_THIS];
	const struct when_base base = select_base(&side->dump, 1);
	int64_t window_ns = diff->alone ? DIFF_END_NS : DIFF_WINDOW_NS, whole_ns, from_ns;

	if (options->time_count || options->select.around || !base.death_ns)
		return 0;
	/* There must be something before it to compare it with. */
	find_window(side, &options->select.query);
	find_since(side);
	if (diff->alone && side->known &&
	    !__builtin_sub_overflow(base.death_ns, diff_whole_ns(side), &whole_ns) &&
	    whole_ns / 2 < window_ns)
		window_ns = whole_ns / 2;
	if (__builtin_sub_overflow(base.death_ns, window_ns, &from_ns))
		return 0;
	skip_shared(diff, base.death_ns, &from_ns);
	return select_add_bound(&options->select, QUERY_GREATER_EQUAL, from_ns);
}

/* The times that were asked for are those of "this" alone. */
static int count_both(struct diff *diff, struct options *options)
{
	int error = bound_this(diff, options);

	if (!error)
		error = count(diff, &diff->side[DIFF_THIS], options);
	query_truncate(&options->select.query, options->untimed);
	options->select.around = false;
	if (!error && diff->alone)
		error = select_add_bound(&options->select, QUERY_LESS,
					 diff->side[DIFF_THIS].from_ns);
	return error ? error : count(diff, &diff->side[DIFF_THAT], options);
}

/* 0, -EINVAL, or what opening has. *ret_own is to be closed. */
static int choose(struct diff *diff, const struct options *options, struct dump *const *dumps,
		  size_t dump_count, struct dump **ret_own)
{
	const char *why;
	int error;

	if (dump_count == 2) {
		const bool swap = died(dumps[1]) && !died(dumps[0]);

		diff->side[DIFF_THIS].dump = dumps[swap];
		diff->side[DIFF_THAT].dump = dumps[!swap];
		return 0;
	}
	if (dump_count != 1 || (options->path_count && strcmp(options->paths[0], "-") == 0)) {
		inputs_complain("--diff",
				"takes two dumps, of a death and of a healthy process; or "
				"one file, whose end is compared with what was before");
		return -EINVAL;
	}
	error = dump_open(ret_own, dump_path(dumps[0]), &why);
	if (error)
		inputs_complain(dump_path(dumps[0]), why);
	diff->alone = true;
	diff->side[DIFF_THIS].dump = dumps[0];
	diff->side[DIFF_THAT].dump = *ret_own;
	return error;
}

int diff_run(struct out *out, struct options *options, struct dump *const *dumps, size_t dump_count,
	     struct shown *ret_shown)
{
	struct diff diff = {.out = out, .limit = options->diff_rows, .colour = options->colour};
	struct dump *own = NULL;
	int error = choose(&diff, options, dumps, dump_count, &own);

	if (!error)
		error = group_by_parse(&diff.by_site, "site");
	if (!error)
		error = group_by_parse(&diff.by_thread, "thread");
	if (!error)
		error = count_both(&diff, options);
	if (!error)
		error = diff_compare(&diff);
	if (!error) {
		*ret_shown = (struct shown){.events = diff.side[DIFF_THIS].events};
		if (options->json)
			diff_json(&diff);
		else
			diff_text(&diff);
	}
	diff_rows_fini(&diff);
	for (int i = 0; i < DIFF_SIDES; i++) {
		groups_close(&diff.side[i].sites);
		groups_close(&diff.side[i].threads);
		diff_values_fini(&diff.side[i].values);
	}
	group_by_fini(&diff.by_site);
	group_by_fini(&diff.by_thread);
	dump_close(own);
	return error ? error : out->error;
}
