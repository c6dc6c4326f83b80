/* SPDX-License-Identifier: MIT */
/*
 * look_pace.h - how often the ring of a living client is looked at for events.
 *
 * Every 100 ms while events come, sooner where a lap of the ring takes less than 400 ms, and less
 * and less often, up to every second, while nothing comes. Pure.
 */
#ifndef RECORDER_LOOK_PACE_H
#define RECORDER_LOOK_PACE_H

#include <stdint.h>

#include "lib/region.h"

#define LOOK_MIN_NS UINT64_C(5000000)
#define LOOK_IDLE_GRID_NS UINT64_C(250000000) /* at which all that are idle are looked at together */

/* When to look at these lanes again: that many events came in the interval before. */
uint64_t look_pace(const struct ttlog_geometry *geometry, uint32_t lanes, uint64_t interval_ns,
		   uint64_t events);

#endif
