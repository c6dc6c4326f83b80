/* SPDX-License-Identifier: MIT */
/* test_sketch.c - percentiles are as near to those of all numbers, sorted, as the sketch says. */
#include <criterion/criterion.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "viewer/sketch.h"

TestSuite(sketch, .timeout = 120);

#define NUMBERS 20000

static const double shares[] = {0.0001, 0.01, 0.5, 0.95, 0.99, 1};
static const size_t ranks[] = {2, 200, 10000, 19000, 19800, 20000};
static double numbers[NUMBERS];

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* Between 1 and two to the power of `octaves`, about as many in each octave. */
static double spread(uint64_t *state, unsigned int octaves)
{
	const double fraction = (double)(next_random(state) % 65536) / 65536;

	return ldexp(1 + fraction, (int)(next_random(state) % octaves));
}

static int compare(const void *a, const void *b)
{
	const double left = *(const double *)a, right = *(const double *)b;

	return (left > right) - (left < right);
}

/* Returns the error that the sketch says it may have. */
static double expect_near(const char *what, bool real, size_t budget)
{
	struct sketch sketch;
	long double sum = 0;
	double error;

	sketch_init(&sketch);
	for (size_t i = 0; i < NUMBERS; i++) {
		sketch_add(&sketch, numbers[i], real, &budget);
		sum += numbers[i];
	}
	qsort(numbers, NUMBERS, sizeof(*numbers), compare);
	error = sketch_error(&sketch);
	cr_expect_eq(sketch.values, NUMBERS);
	cr_expect(sketch.sum == sum, "%s", what);
	cr_expect(sketch.min == numbers[0] && sketch.max == numbers[NUMBERS - 1], "%s", what);
	for (size_t i = 0; i < sizeof(shares) / sizeof(*shares); i++) {
		const double wanted = numbers[ranks[i] - 1];
		const double got = (double)sketch_percentile(&sketch, shares[i]);

		cr_expect_leq(fabs(got - wanted), error * fabs(wanted) * (1 + 1e-9),
			      "%s: %g of all are below %.17g, not %.17g (error %g)", what, shares[i],
			      wanted, got, error);
	}
	sketch_fini(&sketch);
	return error;
}

Test(sketch, small_integers_are_exact)
{
	struct sketch sketch;
	size_t budget = 1 << 20;

	sketch_init(&sketch);
	for (int i = 1; i <= 100; i++)
		sketch_add(&sketch, i, false, &budget);
	cr_expect_eq(sketch_percentile(&sketch, 0.5), 50);
	cr_expect_eq(sketch_percentile(&sketch, 0.95), 95);
	cr_expect_eq(sketch_percentile(&sketch, 0.99), 99);
	cr_expect_eq(sketch_percentile(&sketch, 1), 100);
	sketch_fini(&sketch);
}

Test(sketch, percentiles_are_near_those_of_all_numbers_sorted)
{
	uint64_t state = 88172645463325252u;

	for (size_t i = 0; i < NUMBERS; i++)
		numbers[i] = (double)(next_random(&state) % 1000);
	cr_expect_lt(expect_near("integers", false, 1 << 20), 0.01);
	for (size_t i = 0; i < NUMBERS; i++)
		numbers[i] = spread(&state, 14);
	cr_expect_lt(expect_near("times", true, 1 << 20), 0.01);
	for (size_t i = 0; i < NUMBERS; i++)
		numbers[i] = (double)(next_random(&state) % 2000) - 1000.5;
	cr_expect_lt(expect_near("on both sides of zero", true, 1 << 20), 0.01);
	for (size_t i = 0; i < NUMBERS; i++)
		numbers[i] = 42;
	cr_expect_lt(expect_near("all the same", false, 0), 0.01);
}

Test(sketch, with_too_many_buckets_or_no_memory_it_says_a_larger_error_and_keeps_to_it)
{
	uint64_t state = 88172645463325252u;

	for (size_t i = 0; i < NUMBERS; i++)
		numbers[i] = spread(&state, 80);
	cr_expect_gt(expect_near("wide", true, 1 << 20), 0.01);
	for (size_t i = 0; i < NUMBERS; i++)
		numbers[i] = (double)(1 + next_random(&state) % 1000000);
	cr_expect_gt(expect_near("without memory", false, 0), 0.1);
}

Test(sketch, the_ends_of_all_numbers_do_not_harm_it)
{
	static const double ends[] = {0,
				      -0.0,
				      DBL_MAX,
				      -DBL_MAX,
				      DBL_MIN,
				      -DBL_MIN,
				      DBL_TRUE_MIN,
				      (double)UINT64_MAX,
				      INT64_MIN,
				      1,
				      -1};
	const long double beyond = -1.0L - UINT64_MAX;

	for (size_t budget = 0; budget <= 1 << 20; budget += 1 << 19) {
		struct sketch sketch;
		size_t left = budget;

		sketch_init(&sketch);
		for (size_t i = 0; i < 1000; i++)
			sketch_add(&sketch, ends[i % 11], true, &left);
		sketch_add(&sketch, beyond, false, &left);
		cr_expect_eq(sketch.values, 1001);
		for (size_t i = 0; i < sizeof(shares) / sizeof(*shares); i++) {
			const long double got = sketch_percentile(&sketch, shares[i]);

			cr_expect(got >= -DBL_MAX && got <= DBL_MAX, "%Lg", got);
		}
		sketch_fini(&sketch);
	}
}
