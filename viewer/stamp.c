/* SPDX-License-Identifier: MIT */
#include "viewer/stamp.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "viewer/when.h"

#define CREATED_SLACK_NS INT64_C(10000000000)

static int compare_marks(const void *a, const void *b)
{
	const struct stamp_mark *left = a, *right = b;

	return (left->ns > right->ns) - (left->ns < right->ns);
}

int stamps_init(struct stamps *stamps, struct dump *const *dumps, size_t dump_count,
		enum time_mode mode)
{
	*stamps = (struct stamps){.mode = mode};
	stamps->marks = calloc(dump_count + 1, sizeof(*stamps->marks));
	if (!stamps->marks)
		return -ENOMEM;
	for (size_t i = 0; i < dump_count; i++) {
		const struct meta *meta = dump_meta(dumps[i]);
		bool dead = meta->death_ns.known;
		struct number when = dead ? meta->death_ns : meta->created_ns;

		if (when.known)
			stamps->marks[stamps->mark_count++] =
				(struct stamp_mark){(int64_t)when.bits, meta, dead};
	}
	qsort(stamps->marks, stamps->mark_count, sizeof(*stamps->marks), compare_marks);
	for (size_t i = 0; i < stamps->mark_count; i++) {
		stamps->base_ns = stamps->marks[i].ns;
		stamps->have_base = true;
		if (stamps->marks[i].dead)
			break;
	}
	return 0;
}

void stamps_fini(struct stamps *stamps)
{
	free(stamps->marks);
	stamps->marks = NULL;
}

/* Where the newest reading's time ends: a little behind the moment that the dump was written in. */
static int64_t last_end(const struct meta *meta)
{
	const struct meta_clock *clock = &meta->clock;
	const struct meta_point *last;
	int64_t offset, end;

	if (!clock->points_kept || !meta->created_ns.known)
		return INT64_MAX;
	last = &clock->points[clock->points_kept - 1];
	if (__builtin_sub_overflow(last->realtime_ns, last->monotonic_ns, &offset) ||
	    __builtin_sub_overflow((int64_t)meta->created_ns.bits, offset, &end) ||
	    __builtin_add_overflow(end, CREATED_SLACK_NS, &end))
		return INT64_MAX;
	return end;
}

bool stamp_monotonic(const struct meta *meta, int64_t ns, int64_t *ret_ns)
{
	const struct meta_clock *clock = &meta->clock;
	int64_t offset, found, end = last_end(meta);

	for (uint64_t i = clock->points_kept; i--; end = clock->points[i].monotonic_ns) {
		const struct meta_point *point = &clock->points[i];

		if (__builtin_sub_overflow(point->realtime_ns, point->monotonic_ns, &offset) ||
		    __builtin_sub_overflow(ns, offset, &found))
			continue;
		/* What is before the first reading is told by it, too. */
		if (found < end && (found >= point->monotonic_ns || i == 0)) {
			*ret_ns = found;
			return true;
		}
	}
	return false;
}

static void write_seconds(struct out *out, int64_t ns)
{
	int64_t seconds;
	uint32_t left;

	when_split(ns, &seconds, &left);
	/* -1 and 0.75 s are -0.25 s */
	if (seconds < 0 && left) {
		seconds++;
		left = 1000000000 - left;
		if (!seconds)
			out_char(out, '-');
	}
	out_int(out, seconds);
	out_printf(out, ".%06u", (unsigned int)(left / 1000));
}

static void write_day_time(struct out *out, int64_t ns, bool local, bool dated)
{
	if (local)
		when_local(out, ns, dated);
	else if (dated)
		when_rfc3339(out, ns);
	else
		when_time(out, ns);
}

void stamp_write(const struct stamps *stamps, struct out *out, const struct meta *meta, int64_t ns,
		 int64_t before_ns, bool dated)
{
	int64_t monotonic;

	switch (stamps->mode) {
	case TIME_BOTH:
	case TIME_CRASH:
		if (stamps->have_base) {
			out_char(out, 'T');
			when_relative(out, ns, stamps->base_ns);
			return;
		}
		break;
	case TIME_DELTA:
		when_relative(out, ns, before_ns);
		return;
	case TIME_UNIX:
		write_seconds(out, ns);
		return;
	case TIME_MONOTONIC:
		if (stamp_monotonic(meta, ns, &monotonic))
			write_seconds(out, monotonic);
		else
			out_char(out, '-');
		return;
	case TIME_DAY_LOCAL:
	case TIME_DAY_UTC:
	case TIME_COUNT:
		break;
	}
	write_day_time(out, ns, stamps->mode == TIME_DAY_LOCAL, dated);
}
