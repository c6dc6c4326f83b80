/* SPDX-License-Identifier: MIT */
/* look_pace.c - see look_pace.h. */
#include "recorder/look_pace.h"

#define LOOK_MAX_NS UINT64_C(100000000)
#define IDLE_MAX_NS UINT64_C(1000000000)
/* A writer that nobody has seen yet: 32 bytes a microsecond, and two looks in each lap of it. */
#define IDLE_NS_A_BYTE (1000 / 32 / 2)
#define LOOKS_A_LAP 4
#define BYTES_AN_EVENT 32

static uint64_t lanes_bytes(const struct ttlog_geometry *geometry, uint32_t lanes)
{
	const uint32_t id = lanes & 1 << TTLOG_LANE_MAIN ? TTLOG_LANE_MAIN : TTLOG_LANE_ALERT;
	const struct ttlog_lane_geometry *lane = &geometry->lane[id];

	/* A slot is an event. */
	if (id == TTLOG_LANE_ALERT)
		return (uint64_t)lane->chunk_count * BYTES_AN_EVENT;
	return (uint64_t)lane->chunk_count * lane->chunk_bytes;
}

static uint64_t within(uint64_t value, uint64_t lowest, uint64_t highest)
{
	if (value < lowest)
		return lowest;
	return value > highest ? highest : value;
}

uint64_t look_pace(const struct ttlog_geometry *geometry, uint32_t lanes, uint64_t interval_ns,
		   uint64_t events)
{
	const uint64_t bytes = lanes_bytes(geometry, lanes);
	double lap_ns;

	/* Of a storm of warnings one is as good as another. */
	if (!events)
		return within(interval_ns * 2, LOOK_MIN_NS,
			      lanes & 1 << TTLOG_LANE_MAIN
				      ? within(bytes * IDLE_NS_A_BYTE, LOOK_MAX_NS, IDLE_MAX_NS)
				      : IDLE_MAX_NS);
	lap_ns = (double)interval_ns * (double)bytes / ((double)events * BYTES_AN_EVENT);
	return lap_ns > (double)LOOK_MAX_NS * LOOKS_A_LAP
		       ? LOOK_MAX_NS
		       : within((uint64_t)lap_ns / LOOKS_A_LAP, LOOK_MIN_NS, LOOK_MAX_NS);
}
