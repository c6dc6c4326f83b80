/* SPDX-License-Identifier: MIT */
/*
 * controls.h - which control page belongs to which client, for the kernel program that freezes.
 *
 * The kernel waits for a grace period of RCU with every change of a map of maps (8 to 28 ms were
 * measured), which is more than a client's hello may take. So a thread makes the changes, in the
 * order they were asked for, as many at a time as there are. It starts with the first of them. One
 * thread asks.
 */
#ifndef RECORDER_CONTROLS_H
#define RECORDER_CONTROLS_H

#include <stdint.h>

struct controls;

/* map_fd stays the caller's and outlives it. 0 or a negative errno. */
int controls_open(struct controls **ret_controls, int map_fd);
/* Changes that were not made yet never are. NULL is fine. */
void controls_close(struct controls *controls);

/*
 * Both return at once; the descriptor is duplicated. 0 or a negative errno. What the kernel refuses
 * later (too many clients) is left: such a client's events come without FROZE.
 */
int controls_put(struct controls *controls, uint64_t client_id, int control_fd);
int controls_drop(struct controls *controls, uint64_t client_id);

/* Returns when all that was asked for before is done. */
void controls_settle(struct controls *controls);

#endif
