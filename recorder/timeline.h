/* SPDX-License-Identifier: MIT */
/*
 * timeline.h - the moments at which the clocks were read: what ticks meant, from then to now.
 *
 * Pure: points in, a line and what it may be wrong by out. The kernel steers CLOCK_MONOTONIC
 * against the counter, and CLOCK_REALTIME is set; so there is a list, and between two points the
 * clocks are taken to be straight. What that is worth is seen at the points: how far each lies from
 * where its neighbours would have it.
 */
#ifndef RECORDER_TIMELINE_H
#define RECORDER_TIMELINE_H

#include <stdint.h>

#include "lib/clock.h"

#define TIMELINE_POINTS_MAX 1024

struct timeline {
	enum ttlog_clock_source source;
	uint64_t hz; /* ticks a second, about; for as long as the points say nothing */
	uint32_t count;
	uint32_t restarts; /* the ticks had gone back: what was before is forgotten */
	struct ttlog_clock_point point[TIMELINE_POINTS_MAX];
	struct {
		uint32_t reading_ns; /* so far apart may the point's clocks have been read */
		uint32_t thinned_ns; /* so far off the line may be what was thinned out before it */
	} doubt[TIMELINE_POINTS_MAX];
};

void timeline_init(struct timeline *timeline, enum ttlog_clock_source source, uint64_t hz);

/*
 * Appends a reading that took width_ticks; a full timeline gives the point up that says least.
 * Returns how far it lies from where the line so far would have had it, in nanoseconds beyond what
 * the readings themselves may be off by: 0 as long as nobody steers the clock.
 *
 * An offset of the wall clock that differs by no more than the readings may is kept as it was:
 * CLOCK_REALTIME and CLOCK_MONOTONIC go at the same speed, and differ by a constant until somebody
 * sets the one. Where the monotonic clock stood still while the ticks went on (a suspended machine)
 * a second point is put where it began to, so that what came before has its right time.
 */
uint64_t timeline_add(struct timeline *timeline, const struct ttlog_clock_point *point,
		      uint64_t width_ticks);

/* Points into the timeline. */
struct ttlog_clock_line timeline_line(const struct timeline *timeline,
				      enum ttlog_clock_source source);

/*
 * What times between these ticks may be wrong by (UINT64_MAX: nobody knows): the readings, what was thinned out, and
 * by how much the line bends at the points around, beyond what the readings explain. A clock that is
 * steered there and back between two points is not seen.
 */
uint64_t timeline_error_ns(const struct timeline *timeline, enum ttlog_clock_source source,
			   uint64_t first_ticks, uint64_t last_ticks);

#endif
