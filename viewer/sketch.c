/* SPDX-License-Identifier: MIT */
#include "viewer/sketch.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SUB_BITS 6 /* of the fraction, that are part of the index */
#define INDEX_SHIFT (52 - SUB_BITS)
#define INFINITY_BITS UINT64_C(0x7ff0000000000000)

void sketch_init(struct sketch *sketch)
{
	*sketch = (struct sketch){.capacity = SKETCH_BUCKETS_FEW};
}

void sketch_fini(struct sketch *sketch)
{
	free(sketch->more);
	sketch->more = NULL;
}

static struct sketch_bucket *buckets_of(struct sketch *sketch)
{
	return sketch->more ? sketch->more : sketch->few;
}

/* The bits of a positive double are in the order of the numbers; those below zero mirror them. */
static int32_t index_of(double number, unsigned int shift)
{
	double size = fabs(number);
	uint64_t bits;
	int32_t index;

	memcpy(&bits, &size, sizeof(bits));
	index = (int32_t)(bits >> INDEX_SHIFT);
	if (number < 0)
		index = -1 - index;
	return index >> shift;
}

static double number_of(uint64_t bits)
{
	double number;

	if (bits >= INFINITY_BITS)
		return DBL_MAX;
	memcpy(&number, &bits, sizeof(number));
	return number;
}

/* Of what is not negative, and without libm. */
static long double round_down(long double number)
{
	return number < 0x1p63L ? (long double)(uint64_t)number : number;
}

static long double round_up(long double number)
{
	const long double down = round_down(number);

	return down < number ? down + 1 : down;
}

static long double middle_of(const struct sketch *sketch, int32_t index)
{
	const unsigned int shift = INDEX_SHIFT + sketch->shift;
	const uint64_t place = (uint64_t)(index < 0 ? -1 - (int64_t)index : index);
	long double low = number_of(place << shift), high = number_of((place + 1) << shift);
	long double middle = sketch->real ? (low + high) / 2
					  : round_down((round_up(low) + round_up(high) - 1) / 2);

	return index < 0 ? -middle : middle;
}

/* Where it is, or belongs. */
static uint32_t find(const struct sketch_bucket *buckets, uint32_t count, int32_t index)
{
	uint32_t from = 0, to = count;

	while (from < to) {
		uint32_t half = from + (to - from) / 2;

		if (buckets[half].index < index)
			from = half + 1;
		else
			to = half;
	}
	return from;
}

static bool grow(struct sketch *sketch, size_t *budget_bytes)
{
	const uint32_t wanted = 4 * sketch->capacity;
	const uint32_t capacity = wanted < SKETCH_BUCKETS_MAX ? wanted : SKETCH_BUCKETS_MAX;
	const size_t bytes = capacity * sizeof(struct sketch_bucket);
	struct sketch_bucket *more;

	if (capacity == sketch->capacity || bytes > *budget_bytes)
		return false;
	more = realloc(sketch->more, bytes);
	if (!more)
		return false;
	if (!sketch->more)
		memcpy(more, sketch->few, sizeof(sketch->few));
	sketch->more = more;
	sketch->capacity = capacity;
	*budget_bytes -= bytes;
	return true;
}

/* Twice as wide, until one is free: two buckets hold all there is, in the end. */
static void widen(struct sketch *sketch)
{
	struct sketch_bucket *buckets = buckets_of(sketch);

	while (sketch->count == sketch->capacity) {
		uint32_t kept = 0;

		sketch->shift++;
		for (uint32_t i = 0; i < sketch->count; i++) {
			const struct sketch_bucket bucket = {buckets[i].index >> 1,
							     buckets[i].count};

			if (kept && buckets[kept - 1].index == bucket.index)
				buckets[kept - 1].count += bucket.count;
			else
				buckets[kept++] = bucket;
		}
		sketch->count = kept;
	}
}

static void count_in(struct sketch *sketch, double number, size_t *budget_bytes)
{
	int32_t index = index_of(number, sketch->shift);
	struct sketch_bucket *buckets = buckets_of(sketch);
	uint32_t at = find(buckets, sketch->count, index);

	if (at < sketch->count && buckets[at].index == index) {
		buckets[at].count++;
		return;
	}
	if (sketch->count == sketch->capacity && !grow(sketch, budget_bytes)) {
		widen(sketch);
		count_in(sketch, number, budget_bytes);
		return;
	}
	buckets = buckets_of(sketch);
	memmove(&buckets[at + 1], &buckets[at], (sketch->count - at) * sizeof(*buckets));
	buckets[at] = (struct sketch_bucket){index, 1};
	sketch->count++;
}

void sketch_add(struct sketch *sketch, long double number, bool real, size_t *budget_bytes)
{
	count_in(sketch, (double)number, budget_bytes);
	if (!sketch->values || number < sketch->min)
		sketch->min = number;
	if (!sketch->values || number > sketch->max)
		sketch->max = number;
	sketch->values++;
	sketch->sum += number;
	sketch->real |= real;
}

long double sketch_percentile(const struct sketch *sketch, double share)
{
	const struct sketch_bucket *buckets = sketch->more ? sketch->more : sketch->few;
	const uint64_t rank = (uint64_t)round_up((long double)share * sketch->values);
	uint64_t passed = 0;
	long double number = sketch->max;

	for (uint32_t i = 0; i < sketch->count; i++) {
		passed += buckets[i].count;
		if (passed < rank)
			continue;
		number = middle_of(sketch, buckets[i].index);
		break;
	}
	return number < sketch->min ? sketch->min : number > sketch->max ? sketch->max : number;
}

double sketch_error(const struct sketch *sketch)
{
	const unsigned int shift = sketch->shift;

	if (shift <= SUB_BITS)
		return ldexp(1, (int)shift - SUB_BITS - 1);
	/* A bucket has several powers of two, or so many that nothing is known. */
	return shift <= SUB_BITS + 9 ? (ldexp(1, 1 << (shift - SUB_BITS)) - 1) / 2
				     : (double)INFINITY;
}
