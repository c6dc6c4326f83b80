/* SPDX-License-Identifier: MIT */
/*
 * hold.h - the sign that a recorder holds a region: an exclusive flock(2) on its memfd.
 *
 * Through an open file description of the recorder's own, so that the sign goes when the recorder
 * does, however it ends, and no copy of the client's descriptor carries it on.
 */
#ifndef RECORDER_HOLD_H
#define RECORDER_HOLD_H

/*
 * A descriptor that holds the region until it is closed, or a negative errno: -EBUSY (another
 * recorder holds it, or the client plays recorder).
 */
int hold_region(int region_fd);

#endif
