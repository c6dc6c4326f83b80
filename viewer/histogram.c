/* SPDX-License-Identifier: MIT */
#include "viewer/histogram.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int histogram_open(struct histogram *histogram)
{
	*histogram = (struct histogram){.width_ns = 1};
	histogram->bins = calloc(HISTOGRAM_BINS, sizeof(*histogram->bins));
	return histogram->bins ? 0 : -ENOMEM;
}

void histogram_close(struct histogram *histogram)
{
	free(histogram->bins);
	histogram->bins = NULL;
}

/* Rounded down, below zero too. */
static int64_t divide(int64_t number, uint64_t by)
{
	if (by > INT64_MAX)
		return number < 0 ? -1 : 0;
	return number / (int64_t)by - (number % (int64_t)by < 0);
}

static struct histogram_bin *bin_of(const struct histogram *histogram, int64_t index)
{
	return &histogram->bins[(uint64_t)index % HISTOGRAM_BINS];
}

static void add_bin(struct histogram_bin *to, const struct histogram_bin *from)
{
	for (int i = 0; i < LEVEL_COUNT; i++)
		to->levels[i] += from->levels[i];
}

/* In place: from the first on, none is moved onto one that is still to be moved, but onto itself.
 */
static void widen(struct histogram *histogram)
{
	struct histogram_bin moved[HISTOGRAM_BINS / 10 + 2] = {0};
	const int64_t first = divide(histogram->first, 10), last = divide(histogram->last, 10);

	for (int64_t i = histogram->first;; i++) {
		add_bin(&moved[divide(i, 10) - first], bin_of(histogram, i));
		if (i == histogram->last)
			break;
	}
	memset(histogram->bins, 0, HISTOGRAM_BINS * sizeof(*histogram->bins));
	for (int64_t i = first; i <= last; i++)
		*bin_of(histogram, i) = moved[i - first];
	histogram->first = first;
	histogram->last = last;
	histogram->width_ns *= 10;
}

void histogram_add(struct histogram *histogram, int64_t ns, enum site_level level)
{
	int64_t index = divide(ns, histogram->width_ns), first, last;

	if (!histogram->events)
		histogram->first = histogram->last = index;
	for (;; index = divide(ns, histogram->width_ns)) {
		first = index < histogram->first ? index : histogram->first;
		last = index > histogram->last ? index : histogram->last;
		if ((uint64_t)last - (uint64_t)first < HISTOGRAM_BINS)
			break;
		widen(histogram);
	}
	histogram->first = first;
	histogram->last = last;
	histogram->events++;
	bin_of(histogram, index)->levels[level]++;
}

int histogram_rows(const struct histogram *histogram, size_t limit, struct histogram_rows *ret_rows)
{
	static const uint64_t steps[] = {1, 2, 5};
	uint64_t each = 1, power = 1;
	int64_t first;

	*ret_rows = (struct histogram_rows){0};
	if (!histogram->events)
		return 0;
	if (limit < 2)
		limit = 2;
	for (unsigned int i = 1;
	     (uint64_t)(divide(histogram->last, each) - divide(histogram->first, each)) >= limit;
	     i++) {
		if (i % 3 == 0)
			power *= 10;
		each = steps[i % 3] * power;
	}
	first = divide(histogram->first, each);
	ret_rows->count = (size_t)(divide(histogram->last, each) - first) + 1;
	ret_rows->width_ns = each * histogram->width_ns;
	/* The earliest time there is may lie within a row: its start then lies before it. */
	if (__builtin_mul_overflow(first, (int64_t)ret_rows->width_ns, &ret_rows->start_ns))
		ret_rows->start_ns = INT64_MIN;
	ret_rows->rows = calloc(ret_rows->count, sizeof(*ret_rows->rows));
	if (!ret_rows->rows)
		return -ENOMEM;
	for (int64_t i = histogram->first; i <= histogram->last; i++)
		add_bin(&ret_rows->rows[divide(i, each) - first], bin_of(histogram, i));
	return 0;
}

void histogram_rows_fini(struct histogram_rows *rows)
{
	free(rows->rows);
	rows->rows = NULL;
}
