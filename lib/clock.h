/* SPDX-License-Identifier: MIT */
/* clock.h - ticks, and what they mean in nanoseconds. Async-signal-safe. */
#ifndef TTLOG_CLOCK_H
#define TTLOG_CLOCK_H

#include <stdint.h>

#include "lib/ttlog_abi.h"

/* The best clock that can be trusted on this machine; found once, remembered. */
enum ttlog_clock_source ttlog_clock_source(void);

/* Now, in ticks of that clock. */
uint64_t ttlog_clock_ticks(enum ttlog_clock_source source);

/*
 * Returns when the ticks are past these, at once where each reading is a new one. The counter of arm64
 * goes at 24 MHz to 1 GHz, and two events may be of the same tick: 42 ns at most. Gives up on a clock
 * that stands still.
 */
void ttlog_clock_pass(enum ttlog_clock_source source, uint64_t ticks);

/* About half a second, in ticks, without measuring anything: between a quarter and two seconds. */
uint64_t ttlog_clock_half_second(enum ttlog_clock_source source);

/*
 * The three clocks at one moment, as close together as could be had in a few tries. Returns how many
 * ticks that took: the clocks are apart by half of it at the most.
 */
uint64_t ttlog_clock_read(enum ttlog_clock_source source, struct ttlog_clock_point *ret_point);

/*
 * What ticks mean: the broken line through points, oldest first. Neither ticks nor monotonic_ns may
 * go back from one point to the next. In front of the first point and behind the last the line goes
 * on as it does there over a second; with less than a millisecond to go by, ticks count as given by
 * fallback_hz. Ticks of TTLOG_CLOCK_MONOTONIC are the result, whatever the points say.
 */
struct ttlog_clock_line {
	enum ttlog_clock_source source;
	uint32_t point_count;
	const struct ttlog_clock_point *point;
	uint64_t fallback_hz; /* ticks a second; 0 = 1 GHz */
};

/*
 * Nanoseconds of CLOCK_MONOTONIC. Never overflows: the result is kept within 0..INT64_MAX. Earlier
 * ticks never give a later time.
 */
int64_t ttlog_clock_monotonic_ns(const struct ttlog_clock_line *line, uint64_t ticks);
/*
 * The same in CLOCK_REALTIME, as the wall clock was then: by the offset of the newest point that is
 * not later (of the first, if all are). It goes back where the wall clock was set back, and only
 * there.
 */
int64_t ttlog_clock_realtime_ns(const struct ttlog_clock_line *line, uint64_t ticks);
/* CLOCK_REALTIME at that time of CLOCK_MONOTONIC. */
int64_t ttlog_clock_realtime_of(const struct ttlog_clock_line *line, uint64_t monotonic_ns);

/* Ticks a second of the TSC or counter, measured if the hardware does not say; a few ms. */
uint64_t ttlog_clock_hz(enum ttlog_clock_source source);

#endif
