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

/* The three clocks at one moment, as close together as could be had in a few tries. */
void ttlog_clock_read(enum ttlog_clock_source source, struct ttlog_clock_point *ret_point);

/*
 * Nanoseconds of CLOCK_MONOTONIC for ticks, from two points (the line through both, which also
 * serves before the first and behind the second). With points closer than a millisecond, or in the
 * wrong order, or without a second point (all zero), ticks count as given by fallback_hz, from the
 * second point if there is one. Ticks of TTLOG_CLOCK_MONOTONIC are the result, whatever the points
 * say. Never overflows: the result is kept within 0..INT64_MAX. Earlier ticks never give a later
 * time.
 */
struct ttlog_clock_line {
	enum ttlog_clock_source source;
	struct ttlog_clock_point first, second;
	uint64_t fallback_hz; /* ticks a second; 0 = 1 GHz */
};

int64_t ttlog_clock_monotonic_ns(const struct ttlog_clock_line *line, uint64_t ticks);
/* The same in CLOCK_REALTIME, by the offset of the second point. */
int64_t ttlog_clock_realtime_ns(const struct ttlog_clock_line *line, uint64_t ticks);

/* Ticks a second of the TSC or counter, measured if the hardware does not say; a few ms. */
uint64_t ttlog_clock_hz(enum ttlog_clock_source source);

#endif
