/* SPDX-License-Identifier: MIT */
#include "recorder/timeline.h"

#include <stdbool.h>
#include <string.h>

#define NS_PER_S UINT64_C(1000000000)
#define ASLEEP_NS_MIN UINT64_C(1000000) /* a shorter sleep is a bend like any other */

void timeline_init(struct timeline *timeline, enum ttlog_clock_source source, uint64_t hz)
{
	timeline->source = source;
	timeline->hz = hz ? hz : NS_PER_S;
	timeline->count = 0;
	timeline->restarts = 0;
}

struct ttlog_clock_line timeline_line(const struct timeline *timeline,
				      enum ttlog_clock_source source)
{
	return (struct ttlog_clock_line){
		.source = source,
		.point_count = timeline->count,
		.point = timeline->point,
		.fallback_hz = timeline->hz,
	};
}

static uint64_t distance(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint32_t to_32(uint64_t ns)
{
	return ns > UINT32_MAX ? UINT32_MAX : (uint32_t)ns;
}

/* number * multiplier / divisor, at most UINT64_MAX. */
static uint64_t scale(uint64_t number, uint64_t multiplier, uint64_t divisor)
{
	unsigned __int128 scaled = (unsigned __int128)number * multiplier / divisor;

	return scaled > UINT64_MAX ? UINT64_MAX : (uint64_t)scaled;
}

static uint64_t beyond(uint64_t ns, uint64_t explained_ns)
{
	return ns > explained_ns ? ns - explained_ns : 0;
}

static int64_t offset_of(const struct ttlog_clock_point *point)
{
	return (int64_t)(point->realtime_ns - point->monotonic_ns);
}

/* Between this point and the one before the monotonic clock stood still. */
static bool is_asleep(const struct timeline *timeline, uint32_t at)
{
	return timeline->point[at].monotonic_ns == timeline->point[at - 1].monotonic_ns;
}

/* ---- bends -------------------------------------------------------------------------------- */

/*
 * The point that makes, with `at`, a stretch on that side of at least wanted_ns; the farthest there
 * is; `at` itself if there is none.
 */
static uint32_t stretch(const struct timeline *timeline, uint32_t at, bool is_left,
			uint64_t wanted_ns)
{
	const struct ttlog_clock_point *point = timeline->point;
	uint32_t end = at;

	while (distance(point[end].monotonic_ns, point[at].monotonic_ns) < wanted_ns) {
		if (is_left ? end == 0 || is_asleep(timeline, end)
			    : end + 1 == timeline->count || is_asleep(timeline, end + 1))
			break;
		end = is_left ? end - 1 : end + 1;
	}
	return end;
}

/*
 * How far a straight line would miss the other end of the segment that ends at `segment`, if it went
 * on from there as it does beside it, on the left or on the right.
 */
static uint64_t bend(const struct timeline *timeline, uint32_t segment, bool is_left)
{
	const struct ttlog_clock_point *first = &timeline->point[segment - 1], *last = first + 1;
	uint64_t ns = last->monotonic_ns - first->monotonic_ns;
	uint32_t near = is_left ? segment - 1 : segment;
	uint32_t other = is_left ? segment : segment - 1;
	uint32_t far = stretch(timeline, near, is_left, ns);
	uint64_t far_ns = distance(timeline->point[far].monotonic_ns, timeline->point[near].monotonic_ns);
	uint64_t far_ticks = distance(timeline->point[far].ticks, timeline->point[near].ticks);
	uint64_t readings_ns =
		(uint64_t)timeline->doubt[near].reading_ns + timeline->doubt[other].reading_ns;

	if (far_ns == 0 || far_ticks == 0)
		return 0;
	/* A short stretch makes much of how its ends were read. */
	readings_ns += scale((uint64_t)timeline->doubt[near].reading_ns +
				     timeline->doubt[far].reading_ns,
			     ns, far_ns);
	return beyond(distance(scale(last->ticks - first->ticks, far_ns, far_ticks), ns),
		      readings_ns);
}

static uint64_t segment_error_ns(const struct timeline *timeline, uint32_t segment)
{
	if (is_asleep(timeline, segment))
		return 0;
	return larger(timeline->doubt[segment - 1].reading_ns, timeline->doubt[segment].reading_ns) +
	       timeline->doubt[segment].thinned_ns +
	       larger(bend(timeline, segment, true), bend(timeline, segment, false));
}

/* What the line is worth that far outside of the points: the readings at its ends, prolonged. */
static uint64_t outside_error_ns(const struct timeline *timeline, uint64_t ticks)
{
	const struct ttlog_clock_point *point = timeline->point;
	uint32_t last = timeline->count - 1;
	bool is_left = ticks < point[0].ticks;
	uint32_t edge = is_left ? 0 : last;
	uint32_t far = stretch(timeline, edge, !is_left, NS_PER_S);
	uint64_t base = distance(point[far].ticks, point[edge].ticks);

	if (ticks >= point[0].ticks && ticks <= point[last].ticks)
		return 0;
	return timeline->doubt[edge].reading_ns +
	       scale(distance(ticks, point[edge].ticks),
		     timeline->doubt[edge].reading_ns + timeline->doubt[far].reading_ns,
		     base ? base : 1);
}

uint64_t timeline_error_ns(const struct timeline *timeline, enum ttlog_clock_source source,
			   uint64_t first_ticks, uint64_t last_ticks)
{
	uint64_t error_ns;

	if (timeline->count == 0)
		return UINT64_MAX;
	if (source == TTLOG_CLOCK_MONOTONIC)
		return timeline->doubt[0].reading_ns;
	error_ns = larger(outside_error_ns(timeline, first_ticks),
			  outside_error_ns(timeline, last_ticks));
	for (uint32_t i = 1; i < timeline->count; i++)
		if (timeline->point[i].ticks >= first_ticks &&
		    timeline->point[i - 1].ticks <= last_ticks)
			error_ns = larger(error_ns, segment_error_ns(timeline, i));
	return larger(error_ns, timeline->doubt[0].reading_ns);
}

/* ---- adding ------------------------------------------------------------------------------- */

/* What would be wrong between its neighbours without it. UINT64_MAX: it must stay. */
static uint64_t price(const struct timeline *timeline, uint32_t at)
{
	const struct ttlog_clock_point *point = &timeline->point[at];
	uint64_t ticks = point[1].ticks - point[-1].ticks, straight_ns;

	if (offset_of(point) != offset_of(point - 1) || is_asleep(timeline, at) ||
	    is_asleep(timeline, at + 1) || ticks == 0)
		return UINT64_MAX;
	straight_ns = point[-1].monotonic_ns +
		      scale(point->ticks - point[-1].ticks,
			    point[1].monotonic_ns - point[-1].monotonic_ns, ticks);
	return larger(timeline->doubt[at].thinned_ns, timeline->doubt[at + 1].thinned_ns) +
	       distance(straight_ns, point->monotonic_ns);
}

/* The ends stay; where all must stay the oldest goes. */
static void thin_out(struct timeline *timeline)
{
	uint64_t least = UINT64_MAX;
	uint32_t found = 0;

	for (uint32_t i = 1; i + 1 < timeline->count; i++) {
		uint64_t ns = price(timeline, i);

		if (ns < least) {
			least = ns;
			found = i;
		}
	}
	if (found)
		timeline->doubt[found + 1].thinned_ns = to_32(least);
	timeline->count--;
	memmove(&timeline->point[found], &timeline->point[found + 1],
		(timeline->count - found) * sizeof(timeline->point[0]));
	memmove(&timeline->doubt[found], &timeline->doubt[found + 1],
		(timeline->count - found) * sizeof(timeline->doubt[0]));
}

static void append(struct timeline *timeline, const struct ttlog_clock_point *point,
		   uint64_t reading_ns)
{
	if (timeline->count == TIMELINE_POINTS_MAX)
		thin_out(timeline);
	timeline->point[timeline->count] = *point;
	timeline->doubt[timeline->count].reading_ns = to_32(reading_ns);
	timeline->doubt[timeline->count].thinned_ns = 0;
	timeline->count++;
}

/*
 * Where the line so far has the new point. Less than half of the way gone: no clock is steered like
 * that, it stood still.
 */
static void append_sleep(struct timeline *timeline, const struct ttlog_clock_point *point,
			 uint64_t reading_ns)
{
	const struct ttlog_clock_point last = timeline->point[timeline->count - 1];
	const struct ttlog_clock_line line = timeline_line(timeline, timeline->source);
	uint64_t expected_ns =
		(uint64_t)ttlog_clock_monotonic_ns(&line, point->ticks) - last.monotonic_ns;
	uint64_t passed_ns = point->monotonic_ns - last.monotonic_ns;
	struct ttlog_clock_point asleep = {.monotonic_ns = point->monotonic_ns};

	if (timeline->source == TTLOG_CLOCK_MONOTONIC || expected_ns < ASLEEP_NS_MIN ||
	    passed_ns >= expected_ns / 2)
		return;
	asleep.ticks = last.ticks + scale(point->ticks - last.ticks, passed_ns, expected_ns);
	asleep.realtime_ns = asleep.monotonic_ns + (uint64_t)offset_of(&last);
	append(timeline, &asleep, reading_ns);
}

uint64_t timeline_add(struct timeline *timeline, const struct ttlog_clock_point *reading,
		      uint64_t width_ticks)
{
	uint64_t reading_ns = scale(width_ticks, NS_PER_S, timeline->hz) / 2 + 1;
	struct ttlog_clock_point point = *reading;
	const struct ttlog_clock_point *last;

	if (timeline->count == 0) {
		append(timeline, &point, reading_ns);
		return 0;
	}
	last = &timeline->point[timeline->count - 1];
	if (point.ticks < last->ticks) {
		timeline->restarts++;
		timeline->count = 0;
		append(timeline, &point, reading_ns);
		return 0;
	}
	if (point.ticks == last->ticks || point.monotonic_ns <= last->monotonic_ns)
		return 0;
	if (distance((uint64_t)offset_of(&point) + (UINT64_C(1) << 63),
		     (uint64_t)offset_of(last) + (UINT64_C(1) << 63)) <=
	    reading_ns + timeline->doubt[timeline->count - 1].reading_ns)
		point.realtime_ns = point.monotonic_ns + (uint64_t)offset_of(last);
	append_sleep(timeline, &point, reading_ns);
	append(timeline, &point, reading_ns);
	return is_asleep(timeline, timeline->count - 1) ? 0
							: bend(timeline, timeline->count - 1, true);
}
