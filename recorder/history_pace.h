/* SPDX-License-Identifier: MIT */
/*
 * history_pace.h - how often the rings of a living client are looked at for chunks. Pure.
 *
 * Eight looks in each lap while events come. One that is calm is looked at less and less often, for
 * an eighth of the time that it has been calm, up to once a second, and then together with all the
 * others that are: a thousand idle clients are one wake-up a second.
 *
 * The price: nothing tells the recorder that a client moves again (a doorbell would cost the client
 * a system call), so what it writes first has to fit into its ring until somebody looks. In 16 MiB
 * there is room for 370,000 events of 32 bytes, and for 4,096 warnings. Whoever was calm for less
 * than three seconds may start with a million events a second; one that was calm for more than
 * eight and writes more than that in its first second loses what is too much, which is counted and
 * dated. 48 MiB have room for a million events.
 */
#ifndef RECORDER_HISTORY_PACE_H
#define RECORDER_HISTORY_PACE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/region.h"

#define HISTORY_PACE_MIN_NS UINT64_C(1000000)
#define HISTORY_PACE_CALM_NS UINT64_C(1000000000)
/* Whoever is looked at no more often than that is looked at together with others. */
#define HISTORY_PACE_GRID_NS UINT64_C(125000000)

/* A client that has been calm for so long may be left alone for so long: all of its lanes. */
uint64_t history_pace_calm(const struct ttlog_geometry *geometry, uint64_t calm_ns);

struct history_pace {
	uint64_t interval_ns; /* until the next look, but for what history_pace_calm() says */
	bool is_busy;	      /* its client is not calm */
};

/* A lane of so many chunks, of which so many were taken since the look before. */
struct history_pace history_pace_of_lane(uint32_t chunk_count, uint64_t moved, uint64_t elapsed_ns,
					 uint64_t interval_ns);
/* Lane CHANNEL, by the busiest channel: its chunks went round so often, and there may be two only.
 */
struct history_pace history_pace_of_channels(uint64_t rounds, uint64_t interval_ns);

/* When to look again, at the latest: with others, if it isn't soon. */
uint64_t history_pace_due(uint64_t now_ns, uint64_t interval_ns);

#endif
