/* SPDX-License-Identifier: MIT */
/*
 * histogram.h - events by time and level, when nobody knows yet from when to when there will be
 * some.
 *
 * Bins are a power of ten of nanoseconds wide. When an event lies too far from the others, all of
 * them become ten times as wide: there are at least a tenth of BINS for whoever draws rows of them.
 */
#ifndef VIEWER_HISTOGRAM_H
#define VIEWER_HISTOGRAM_H

#include "viewer/dictionary.h"

#define HISTOGRAM_BINS 4096
#define HISTOGRAM_ROWS_MAX 1024

struct histogram_bin {
	uint64_t levels[LEVEL_COUNT];
};

struct histogram {
	struct histogram_bin *bins; /* that of index i is at i modulo HISTOGRAM_BINS */
	uint64_t events, width_ns;
	int64_t first, last; /* indexes: time divided by the width, rounded down */
};

struct histogram_rows {
	struct histogram_bin *rows;
	size_t count;
	int64_t start_ns; /* of the first: a multiple of the width */
	uint64_t width_ns;
};

/* 0 or -ENOMEM. */
int histogram_open(struct histogram *histogram);
void histogram_close(struct histogram *histogram);
void histogram_add(struct histogram *histogram, int64_t ns, enum site_level level);
/* At most `limit` rows, of 1, 2 or 5 times a power of ten of nanoseconds. 0 or -ENOMEM. */
int histogram_rows(const struct histogram *histogram, size_t limit,
		   struct histogram_rows *ret_rows);
void histogram_rows_fini(struct histogram_rows *rows);

#endif
