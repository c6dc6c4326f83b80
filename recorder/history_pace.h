/* SPDX-License-Identifier: MIT */
/*
 * history_pace.h - how often the rings of a living client are looked at for chunks. Pure.
 *
 * Eight looks in each lap while events come. Who may begin with a million events a second at any
 * moment has to be looked at twice in each lap of that: a ring of 16 MiB, which holds 370,000 of 32
 * bytes, each 177 ms, together with others.
 *
 * Nobody begins without a processor. When a client has been calm for a while, the kernel is asked
 * to tell when it runs again (history_stir.c), and it is looked at less and less often, for an
 * eighth of the time that it has been calm, up to once a second: a thousand idle clients are one
 * wake-up a second. When it runs, it is looked at at once, and from then on as often as before. Who
 * runs without recording anything would be told of again and again: the kernel isn't asked for a
 * while then, which is longer each time.
 *
 * What the kernel's tick doesn't meet is not told: a client that begins after seconds of rest, in
 * bursts between the ticks, and records more in its first second than its ring holds, loses what is
 * too much, which is counted and dated.
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

/* Whether the kernel tells when the client runs, and when to ask it for that. */
struct history_watch {
	bool is_on;
	uint64_t since_ns, not_before_ns;
	uint64_t pause_ns; /* the last one; 0: none */
};

/* A client that has been calm for so long may be left alone for so long: all of its lanes. */
uint64_t history_pace_calm(const struct ttlog_geometry *geometry, uint64_t calm_ns,
			   const struct history_watch *watch);
/* Would it be left alone for longer if the kernel told when it runs? Then it may be asked now. */
bool history_pace_wants_watch(const struct ttlog_geometry *geometry, uint64_t calm_ns,
			      const struct history_watch *watch, uint64_t now_ns);
void history_pace_watched(struct history_watch *watch, uint64_t now_ns);
/* The kernel told. */
void history_pace_stirred(struct history_watch *watch, uint64_t now_ns);

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
