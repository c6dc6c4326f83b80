/* SPDX-License-Identifier: MIT */
#include "viewer/select.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "viewer/backward.h"
#include "viewer/kept.h"
#include "viewer/merge.h"

#define KEPT_BYTES_MAX (48u << 20) /* where nobody said how many */

struct select {
	struct selection *selection;
	struct dump *const *dumps;
	size_t count;
	int64_t from_ns, to_ns;	     /* what the query allows */
	struct backward **backwards; /* of each dump; NULL: they can't be read so */
	struct merge *merge;
	bool ranged;		     /* dumps were read elsewhere than from their start */
	bool filtered;		     /* the merge gives what matches, and nothing else */
	bool kept;		     /* what was kept is all there is to give */
	struct keep keep;
	size_t given;	/* of those that were kept */
	bool turned;	/* these are given from the last to the first */
	uint64_t left;	/* of a limit, of what the merge gives */
	bool cut_short; /* a limit ended it */
	int error;
	struct record record;
};

struct when_base select_base(struct dump *const *dumps, size_t count)
{
	struct when_base base = {0};
	bool dead = false, any = false;

	for (size_t i = 0; i < count; i++) {
		const struct meta *meta = dump_meta(dumps[i]);
		const struct number *when = meta->death_ns.known ? &meta->death_ns : &meta->created_ns;
		int64_t ns = (int64_t)when->bits;

		if (!when->known)
			continue;
		/* The first death is T; without one, the first that was asked. */
		if (!any || (meta->death_ns.known && (!dead || ns < base.death_ns)) ||
		    (!meta->death_ns.known && !dead && ns < base.death_ns))
			base.death_ns = ns;
		dead |= meta->death_ns.known;
		if (meta->created_ns.known && (int64_t)meta->created_ns.bits > ns)
			ns = (int64_t)meta->created_ns.bits;
		base.end_ns = any && base.end_ns > ns ? base.end_ns : ns;
		any = true;
	}
	return base;
}

/* ---- directions -------------------------------------------------------------------------------
 */

static bool next_backward(void *context, struct event *ret_event)
{
	return backward_next(context, ret_event);
}

static void close_backwards(struct select *select)
{
	for (size_t i = 0; i < select->count && select->backwards; i++) {
		if (select->backwards[i] && !select->error)
			select->error = backward_error(select->backwards[i]);
		backward_close(select->backwards[i]);
	}
	free(select->backwards);
	select->backwards = NULL;
}

/* A merge of what matches in that time, newest first. -EINVAL: a dump can't be read backward. */
static int merge_backward(struct select *select, int64_t from_ns, int64_t to_ns)
{
	struct merge_source *sources = calloc(select->count + 1, sizeof(*sources));
	size_t from, to;
	int error = 0;

	select->backwards = calloc(select->count + 1, sizeof(struct backward *));
	if (!sources || !select->backwards)
		error = -ENOMEM;
	for (size_t i = 0; i < select->count && !error; i++) {
		const struct dump_extent *extents;

		if (!dump_extents(select->dumps[i], &extents))
			error = -EINVAL;
		backward_range(select->dumps[i], from_ns, to_ns, &from, &to);
		if (!error)
			error = backward_open(&select->backwards[i], select->dumps[i],
					      &select->selection->query, from, to);
		sources[i] = (struct merge_source){next_backward, select->backwards[i]};
	}
	if (!error) {
		select->ranged = true;
		error = merge_open_sources(&select->merge, sources, select->count, true);
	}
	free(sources);
	if (error)
		close_backwards(select);
	select->filtered = !error;
	return error;
}

static bool next_forward(void *context, struct event *ret_event)
{
	return dump_next_unrefused(context, ret_event);
}

/* A merge of all that may be in that time and match, and more. */
static int merge_forward(struct select *select, int64_t from_ns, int64_t to_ns)
{
	struct merge_source *sources = calloc(select->count + 1, sizeof(*sources));
	const struct dump_extent *extents;
	size_t from, to, count;
	int error = sources ? 0 : -ENOMEM;

	for (size_t i = 0; i < select->count && !error; i++) {
		count = dump_extents(select->dumps[i], &extents);
		backward_range(select->dumps[i], from_ns, to_ns, &from, &to);
		/* All of it is read without the index, which may be damaged, as all of it may. */
		if (from > 0 || to < count || select->ranged)
			error = dump_range(select->dumps[i], from, to);
		sources[i] = (struct merge_source){next_forward, select->dumps[i]};
	}
	select->filtered = false;
	if (!error)
		error = merge_open_sources(&select->merge, sources, select->count, false);
	free(sources);
	return error;
}

static void merge_end(struct select *select)
{
	merge_close(select->merge);
	select->merge = NULL;
	close_backwards(select);
}

/* The next of the merge that matches. */
static bool merged(struct select *select, struct record *record)
{
	while (merge_next(select->merge, &record->event)) {
		record->decoded = false;
		if (select->filtered || query_match(&select->selection->query, record))
			return true;
	}
	return false;
}

/* ---- what has to be known before the first event is given --------------------------------------
 */

/* Until there are `limit`, or the end. */
static int keep_merged(struct select *select, uint64_t limit)
{
	int error = 0;

	for (uint64_t i = 0; i < limit && !error && merged(select, &select->record); i++)
		error = keep_add(&select->keep, &select->record.event);
	return error;
}

static void keep_limit(struct select *select, uint64_t limit, bool known)
{
	select->kept = true;
	select->keep.limit = limit;
	select->keep.bytes_max = known ? 0 : KEPT_BYTES_MAX;
}

/* The newest, by reading backward as far as they reach; else by reading all. */
static int prepare_newest(struct select *select)
{
	const struct selection *selection = select->selection;
	int error = merge_backward(select, select->from_ns, select->to_ns);

	keep_limit(select, selection->limit, true);
	if (error == -EINVAL) {
		error = merge_forward(select, select->from_ns, select->to_ns);
		select->turned = selection->reverse;
		return error ? error : keep_merged(select, UINT64_MAX);
	}
	select->turned = !selection->reverse;
	return error ? error : keep_merged(select, selection->limit);
}

/* All, or the oldest, newest first. */
static int prepare_reverse(struct select *select)
{
	const struct selection *selection = select->selection;
	uint64_t limit = selection->limited ? selection->limit : UINT64_MAX;
	int error;

	if (!selection->limited) {
		error = merge_backward(select, select->from_ns, select->to_ns);
		if (error != -EINVAL)
			return error;
	}
	select->turned = true;
	keep_limit(select, limit, selection->limited);
	error = merge_forward(select, select->from_ns, select->to_ns);
	return error ? error : keep_merged(select, limit);
}

/* The last before the time and the first from it on, in one go: all before it is read. */
static int keep_around(struct select *select, int64_t ns)
{
	const uint64_t context = select->selection->context;
	struct keep before = {.limit = context};
	uint64_t behind = 0;
	int error = merge_forward(select, select->from_ns, select->to_ns);

	while (!error && behind < context && merged(select, &select->record)) {
		if (select->record.event.time_ns < ns && !behind)
			error = keep_add(&before, &select->record.event);
		else if (++behind)
			error = keep_add(&select->keep, &select->record.event);
	}
	/* In front of those behind, which are as many at the most. */
	if (!error) {
		struct keep all = {.limit = 2 * context};

		for (size_t i = 0; i < before.count && !error; i++)
			error = keep_add(&all, keep_get(&before, i));
		for (size_t i = 0; i < select->keep.count && !error; i++)
			error = keep_add(&all, keep_get(&select->keep, i));
		keep_fini(&select->keep);
		select->keep = all;
	}
	keep_fini(&before);
	return error;
}

static int prepare_around(struct select *select)
{
	const struct selection *selection = select->selection;
	const int64_t ns = when_resolve(&selection->around_when, &selection->query.base);
	struct keep newest = {.limit = selection->context};
	int error;

	keep_limit(select, 2 * selection->context, true);
	select->turned = selection->reverse;
	error = merge_backward(select, select->from_ns, ns < select->to_ns ? ns : select->to_ns);
	if (error == -EINVAL)
		return keep_around(select, ns);
	while (!error && newest.count < selection->context && merged(select, &select->record))
		if (select->record.event.time_ns < ns)
			error = keep_add(&newest, &select->record.event);
	merge_end(select);
	for (size_t i = newest.count; i-- && !error;)
		error = keep_add(&select->keep, keep_get(&newest, i));
	keep_fini(&newest);
	if (!error)
		error = merge_forward(select, ns > select->from_ns ? ns : select->from_ns,
				      select->to_ns);
	for (uint64_t i = 0; i < selection->context && !error && merged(select, &select->record);)
		if (select->record.event.time_ns >= ns) {
			error = keep_add(&select->keep, &select->record.event);
			i++;
		}
	return error;
}

int select_add_bound(struct selection *selection, enum query_op op, int64_t ns)
{
	struct query_error error;
	char text[48];

	ns = ns > 0 ? ns : 0;
	snprintf(text, sizeof(text), "@%" PRId64 ".%09" PRId64, ns / 1000000000, ns % 1000000000);
	return query_add_test(&selection->query, QUERY_TIME, op, text, &error);
}

/* So long on both sides is a question of times, like others. */
static int bound_around(struct selection *selection)
{
	const int64_t ns = when_resolve(&selection->around_when, &selection->query.base);
	int64_t from, to;
	int error;

	if (__builtin_sub_overflow(ns, selection->context_ns, &from))
		from = INT64_MIN;
	if (__builtin_add_overflow(ns, selection->context_ns, &to))
		to = INT64_MAX;
	selection->around = false;
	error = select_add_bound(selection, QUERY_GREATER_EQUAL, from);
	return error ? error : select_add_bound(selection, QUERY_LESS_EQUAL, to);
}

static int prepare(struct select *select)
{
	const struct selection *selection = select->selection;

	select->left = selection->limited ? selection->limit : UINT64_MAX;
	select->cut_short = selection->around;
	if (selection->around)
		return prepare_around(select);
	if (selection->limited && !selection->oldest)
		return prepare_newest(select);
	if (selection->reverse)
		return prepare_reverse(select);
	return merge_forward(select, select->from_ns, select->to_ns);
}

int select_open(struct select **ret_select, struct selection *selection, struct dump *const *dumps,
		size_t count)
{
	struct select *select = calloc(1, sizeof(*select));
	struct when_base base = select_base(dumps, count);
	int error;

	if (!select)
		return -ENOMEM;
	select->selection = selection;
	select->dumps = dumps;
	select->count = count;
	query_resolve(&selection->query, &base);
	error = selection->around && selection->context_ns ? bound_around(selection) : 0;
	query_bounds(&selection->query, &select->from_ns, &select->to_ns);
	if (!error)
		error = prepare(select);
	if (select->kept)
		merge_end(select);
	error = error ? error : select->error;
	if (error)
		select_close(select);
	else
		*ret_select = select;
	return error;
}

void select_close(struct select *select)
{
	if (!select)
		return;
	merge_end(select);
	keep_fini(&select->keep);
	free(select);
}

static bool next_kept(struct select *select, struct record *record)
{
	size_t index = select->given;

	if (index == select->keep.count)
		return false;
	select->given++;
	record->event = *keep_get(&select->keep,
				  select->turned ? select->keep.count - 1 - index : index);
	record->decoded = false;
	return true;
}

bool select_next(struct select *select, struct record *record)
{
	if (select->kept)
		return next_kept(select, record);
	if (!select->left) {
		select->cut_short = true;
		return false;
	}
	if (!merged(select, record)) {
		for (size_t i = 0; i < select->count && select->backwards && !select->error; i++)
			select->error = backward_error(select->backwards[i]);
		return false;
	}
	select->left--;
	/* Nobody asks again when there were as many as wanted. */
	select->cut_short = !select->left;
	return true;
}

int select_error(const struct select *select)
{
	return select->error;
}

bool select_complete(const struct select *select)
{
	return !select->cut_short && select->to_ns >= select->selection->query.base.death_ns;
}
