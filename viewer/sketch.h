/* SPDX-License-Identifier: MIT */
/*
 * sketch.h - the percentiles of any number of numbers, in bounded memory.
 *
 * Numbers are counted in buckets that are as wide as a 64th of the power of two that they lie in,
 * so that the middle of one is within 1/128 of each number in it; integers below 128 are exact.
 * Where a sketch would need more buckets than it may have, all of them become twice as wide, and so
 * does the error. Minimum, maximum and mean are exact, as far as floating point is.
 */
#ifndef VIEWER_SKETCH_H
#define VIEWER_SKETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SKETCH_BUCKETS_MAX 1024
#define SKETCH_BUCKETS_FEW 8 /* that it has from the start: it can always go on */

struct sketch_bucket {
	int32_t index; /* in the order of the numbers */
	uint64_t count;
};

struct sketch {
	struct sketch_bucket few[SKETCH_BUCKETS_FEW];
	struct sketch_bucket *more; /* NULL: the few are enough */
	uint32_t count, capacity;
	unsigned int shift; /* so many times were they made wider */
	bool real;	    /* some were no integers */
	uint64_t values;
	long double min, max, sum;
};

void sketch_init(struct sketch *sketch);
void sketch_fini(struct sketch *sketch);

/* Takes the memory for more buckets from *budget_bytes, and needs none. The number is finite. */
void sketch_add(struct sketch *sketch, long double number, bool real, size_t *budget_bytes);
/* 0 < share <= 1; values > 0. */
long double sketch_percentile(const struct sketch *sketch, double share);
/* By how much of itself a percentile may be wrong. */
double sketch_error(const struct sketch *sketch);

#endif
