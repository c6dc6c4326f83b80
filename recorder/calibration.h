/* SPDX-License-Identifier: MIT */
/*
 * calibration.h - reads the clocks now and then, so that ticks of any time since can be converted.
 *
 * One timeline for all clients, which tick alike. While there are clients the clocks are read 250 ms
 * after the first came, 1 s later, then after twice as long each time, up to once in 64 s; sooner
 * again when a reading shows that the clock is being steered; when a client comes; at once when somebody sets the
 * wall clock or the machine resumes; and for each dump, so that its events lie between two readings.
 * Without clients nothing wakes up.
 *
 * What that is worth: where the clock's speed changes by f between two readings t apart, what lies
 * between is off by f * t / 4 at the most. At 64 s it takes a change of 0.06 ppm to make that 1 us;
 * a time daemon that corrects more is seen at the next reading, and followed at 1 s: 4 ppm. What
 * could not be followed is in the error that the dump states.
 */
#ifndef RECORDER_CALIBRATION_H
#define RECORDER_CALIBRATION_H

#include "recorder/loop.h"
#include "recorder/timeline.h"

struct calibration;

/* Measures the counter, which takes 5 ms where the hardware does not say. 0 or a negative errno. */
int calibration_open(struct calibration **ret_calibration, struct loop *loop);
void calibration_close(struct calibration *calibration); /* NULL is fine */

/* From now on the clocks are read at once when somebody sets the wall clock. 0 or a negative errno. */
int calibration_watch_sets(struct calibration *calibration);

/* A client comes: what it records from now on is behind a reading. A client has gone. */
void calibration_begin(struct calibration *calibration);
void calibration_end(struct calibration *calibration);

/* The timeline, and a reading of now at its end. Any thread. */
void calibration_copy(struct calibration *calibration, struct timeline *ret_timeline);

#endif
