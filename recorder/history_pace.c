/* SPDX-License-Identifier: MIT */
/* history_pace.c - see history_pace.h. */
#include "recorder/history_pace.h"

#define MS UINT64_C(1000000)
#define INTERVAL_MAX (10000 * MS)
#define LOOKS_A_LAP 8
/* A writer that nobody has seen yet: 32 bytes each microsecond, and two looks in each lap of it. */
#define READY_NS_A_BYTE (1000 / 32 / 2)
/* What laps in less than a minute is no idle client's: 200 events a second in 1 MiB. */
#define BUSY_LAP_NS (60000 * MS)
#define CALM_SHARE 8
#define PAUSE_MIN (1000 * MS)
#define PAUSE_MAX (64000 * MS)
/* Told again before that: it runs all the time. */
#define STEADY_NS (8000 * MS)

static uint64_t within(uint64_t value, uint64_t least, uint64_t most)
{
	if (value < least)
		return least;
	return value > most ? most : value;
}

/* Until when who begins at any moment has to be seen. */
static uint64_t ready_ns(const struct ttlog_geometry *geometry)
{
	const struct ttlog_lane_geometry *lane = &geometry->lane[TTLOG_LANE_MAIN];

	return within((uint64_t)lane->chunk_bytes * lane->chunk_count * READY_NS_A_BYTE,
		      HISTORY_PACE_GRID_NS, INTERVAL_MAX);
}

uint64_t history_pace_calm(const struct ttlog_geometry *geometry, uint64_t calm_ns,
			   const struct history_watch *watch)
{
	const uint64_t ready = ready_ns(geometry);

	if (!watch->is_on || ready >= HISTORY_PACE_CALM_NS)
		return ready;
	return within(calm_ns / CALM_SHARE, ready, HISTORY_PACE_CALM_NS);
}

bool history_pace_wants_watch(const struct ttlog_geometry *geometry, uint64_t calm_ns,
			      const struct history_watch *watch, uint64_t now_ns)
{
	const uint64_t ready = ready_ns(geometry);

	return !watch->is_on && now_ns >= watch->not_before_ns && ready < HISTORY_PACE_CALM_NS &&
	       calm_ns / CALM_SHARE > ready;
}

void history_pace_watched(struct history_watch *watch, uint64_t now_ns)
{
	watch->is_on = true;
	watch->since_ns = now_ns;
}

void history_pace_stirred(struct history_watch *watch, uint64_t now_ns)
{
	const bool is_steady = now_ns - watch->since_ns < STEADY_NS;

	watch->is_on = false;
	watch->pause_ns = within(is_steady ? 2 * watch->pause_ns : 0, PAUSE_MIN, PAUSE_MAX);
	watch->not_before_ns = now_ns + watch->pause_ns;
}

/* One chunk is no evidence of a pace: it may have been taken at either end. */
struct history_pace history_pace_of_lane(uint32_t chunk_count, uint64_t moved, uint64_t elapsed_ns,
					 uint64_t interval_ns)
{
	double lap_ns;

	if (!moved)
		return (struct history_pace){.interval_ns = interval_ns * 2};
	lap_ns = (double)elapsed_ns * chunk_count / (double)moved;
	return (struct history_pace){
		.interval_ns = lap_ns > (double)INTERVAL_MAX * LOOKS_A_LAP
				       ? INTERVAL_MAX
				       : (uint64_t)lap_ns / LOOKS_A_LAP,
		.is_busy = moved > 1 && lap_ns < (double)BUSY_LAP_NS,
	};
}

struct history_pace history_pace_of_channels(uint64_t rounds, uint64_t interval_ns)
{
	if (!rounds)
		return (struct history_pace){.interval_ns = interval_ns * 2};
	return (struct history_pace){
		.interval_ns = interval_ns / (rounds < 64 ? 2 * rounds : 128),
		.is_busy = rounds > 1,
	};
}

/* The grids lie in each other: each of the coarser ones is a moment of the finer, too. */
uint64_t history_pace_due(uint64_t now_ns, uint64_t interval_ns)
{
	uint64_t grid_ns = HISTORY_PACE_GRID_NS;

	if (interval_ns < grid_ns)
		return now_ns + interval_ns;
	while (grid_ns < HISTORY_PACE_CALM_NS && grid_ns * 2 <= interval_ns)
		grid_ns *= 2;
	return (now_ns + interval_ns) / grid_ns * grid_ns;
}
