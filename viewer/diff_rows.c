/* SPDX-License-Identifier: MIT */
/* What differs, and how telling it is. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "viewer/diff.h"

#define CHANCE 6.63 /* of G: chance alone gives more to one in a hundred */
#define RISING 0.9  /* of numbers, each above the one before */

const char *diff_change_name(enum diff_change change)
{
	static const char *const names[] = {"alike", "new", "more", "less", "gone"};

	return names[change];
}

static double seconds_since(const struct diff_side *side, int64_t since_ns)
{
	const double seconds = ((double)side->to_ns - (double)since_ns) / 1e9;

	return seconds > 0 ? seconds : (double)NAN;
}

/* The likelihood ratio of two counts in so much time each: is it more than chance? */
static double surprise(double a, double a_seconds, double b, double b_seconds)
{
	const double each = (a + b) / (a_seconds + b_seconds);

	return 2 * ((a > 0 ? a * log(a / (each * a_seconds)) : 0) +
		    (b > 0 ? b * log(b / (each * b_seconds)) : 0));
}

/* What is bad and new is worth more than what is often. */
static double gravity(enum site_level level)
{
	return level >= LEVEL_WARN && level < LEVEL_UNKNOWN ? 5 * (level - LEVEL_INFO) : 0;
}

static void judge(struct diff_row *row, const double *seconds)
{
	const double a = (double)row->events[DIFF_THIS], b = (double)row->events[DIFF_THAT];
	double floor, ratio;

	for (int i = 0; i < DIFF_SIDES; i++)
		row->rate[i] = (double)row->events[i] / seconds[i];
	if (isnan(seconds[DIFF_THIS]) || isnan(seconds[DIFF_THAT])) {
		row->change = a > 0 && b == 0 && gravity(row->level) > 0 ? DIFF_NEW : DIFF_ALIKE;
		row->score = gravity(row->level);
		return;
	}
	/* One event in the shorter of both times, so that a few events don't look like many. */
	floor = 1 / fmin(seconds[DIFF_THIS], seconds[DIFF_THAT]);
	ratio = row->rate[DIFF_THIS] / row->rate[DIFF_THAT]; /* 0 and infinity are fine */
	row->score = fabs(log2((row->rate[DIFF_THIS] + floor) / (row->rate[DIFF_THAT] + floor)));
	if (a > 0 && b == 0 && gravity(row->level) > 0)
		row->change = DIFF_NEW; /* be it one */
	else if (surprise(a, seconds[DIFF_THIS], b, seconds[DIFF_THAT]) < CHANCE ||
		 (ratio < DIFF_RATIO && ratio > 1 / DIFF_RATIO))
		row->change = DIFF_ALIKE;
	else if (b == 0)
		row->change = DIFF_NEW;
	else if (a == 0)
		row->change = DIFF_GONE;
	else
		row->change = ratio > 1 ? DIFF_MORE : DIFF_LESS;
	if (row->change == DIFF_NEW || row->change == DIFF_MORE)
		row->score += gravity(row->level);
	else
		row->score /= 2; /* what is not there is seldom why */
}

/* ---- levels -----------------------------------------------------------------------------------
 */

static void compare_levels(struct diff *diff)
{
	for (int i = LEVEL_UNKNOWN; i >= LEVEL_TRACE; i--) {
		struct diff_row row = {.level = (enum site_level)i};
		double seconds[DIFF_SIDES];

		for (int j = 0; j < DIFF_SIDES; j++) {
			const struct diff_side *side = &diff->side[j];

			row.events[j] = side->levels[i];
			seconds[j] = seconds_since(side, side->since_ns[diff_pace(row.level)]);
		}
		if (!row.events[DIFF_THIS] && !row.events[DIFF_THAT])
			continue;
		judge(&row, seconds);
		diff->level[diff->level_count++] = row;
	}
}

/* ---- groups -----------------------------------------------------------------------------------
 */

static enum site_level level_of(const struct group *group, bool sites)
{
	struct span key = {group->key, group->key_bytes}, text;

	if (!sites || group_next_part(&key, &text) != GROUP_TEXT)
		return LEVEL_UNKNOWN;
	return level_parse(text);
}

static int64_t since_of(const struct diff_side *side, const struct group *group, bool sites,
			enum site_level level)
{
	if (group)
		return group->since_ns;
	return sites ? side->since_ns[diff_pace(level)] : diff_whole_ns(side);
}

static void compare_group(struct diff *diff, struct diff_rows *rows, bool sites,
			  const struct group *this, const struct group *that)
{
	const struct group *groups[DIFF_SIDES] = {this, that};
	struct diff_row row = {.group = this ? this : that};
	double seconds[DIFF_SIDES];

	row.level = level_of(row.group, sites);
	for (int i = 0; i < DIFF_SIDES; i++) {
		row.events[i] = groups[i] ? groups[i]->events : 0;
		seconds[i] = seconds_since(&diff->side[i],
					   since_of(&diff->side[i], groups[i], sites, row.level));
	}
	judge(&row, seconds);
	if (row.change == DIFF_ALIKE)
		rows->alike++;
	else
		rows->row[rows->count++] = row;
}

int diff_compare_spans(struct span left, struct span right)
{
	const size_t bytes = left.bytes < right.bytes ? left.bytes : right.bytes;
	const int order = bytes ? memcmp(left.data, right.data, bytes) : 0;

	return order ? order : (left.bytes > right.bytes) - (left.bytes < right.bytes);
}

int diff_compare_keys(const struct group *left, const struct group *right)
{
	return diff_compare_spans((struct span){left->key, left->key_bytes},
			     (struct span){right->key, right->key_bytes});
}

static int more_telling(const void *a, const void *b)
{
	const struct diff_row *left = a, *right = b;

	if (left->score != right->score)
		return left->score < right->score ? 1 : -1;
	return diff_compare_keys(left->group, right->group);
}

static int compare_groups(struct diff *diff, struct diff_rows *rows, bool sites)
{
	const struct diff_side *side = diff->side;
	const struct groups *this = sites ? &side[DIFF_THIS].sites : &side[DIFF_THIS].threads;
	const struct groups *that = sites ? &side[DIFF_THAT].sites : &side[DIFF_THAT].threads;

	rows->row = calloc(this->count + that->count + 1, sizeof(*rows->row));
	if (!rows->row)
		return -ENOMEM;
	rows->others = this->others.events || that->others.events;
	for (uint32_t i = 0; i < this->count; i++)
		compare_group(diff, rows, sites, &this->list[i], groups_find(that, &this->list[i]));
	for (uint32_t i = 0; i < that->count; i++)
		if (!groups_find(this, &that->list[i]))
			compare_group(diff, rows, sites, NULL, &that->list[i]);
	qsort(rows->row, rows->count, sizeof(*rows->row), more_telling);
	return 0;
}

/* ---- numbers ----------------------------------------------------------------------------------
 */

/* By how many powers of two two numbers differ; near zero a thousandth of the range is nothing. */
static double moved(const struct sketch *const *sketch, double share)
{
	const long double a = sketch_percentile(sketch[DIFF_THIS], share);
	const long double b = sketch_percentile(sketch[DIFF_THAT], share);
	const long double none = (fabsl(sketch_percentile(sketch[DIFF_THIS], 0.99)) +
				  fabsl(sketch_percentile(sketch[DIFF_THAT], 0.99))) /
				 1000;

	if (a == b || none == 0)
		return 0;
	if ((a < 0) != (b < 0) && a != 0 && b != 0)
		return (double)log2l((fabsl(a) + fabsl(b) + none) / none);
	return (double)fabsl(log2l((fabsl(a) + none) / (fabsl(b) + none)));
}

static bool rises(const struct group_measure *measure)
{
	return (double)measure->rises >= RISING * (double)(measure->sketch.values - 1);
}

static void compare_measure(struct diff *diff, const struct group *site,
			    const struct group_measure *this, const struct group_measure *that)
{
	struct diff_number number = {site, this->name, {&this->sketch, &that->sketch}, 0};
	const uint64_t values = this->sketch.values < that->sketch.values ? this->sketch.values
									  : that->sketch.values;

	if (values < DIFF_VALUES_MIN) {
		diff->alike_numbers++;
		return;
	}
	if (rises(this) && rises(that)) {
		diff->rising_numbers++;
		return;
	}
	number.score = moved(number.sketch, 0.5);
	if (values >= 5 * DIFF_VALUES_MIN)
		number.score = fmax(number.score, moved(number.sketch, 0.99));
	if (number.score < log2(DIFF_RATIO))
		diff->alike_numbers++;
	else
		diff->number[diff->number_count++] = number;
}

static void compare_measures(struct diff *diff, const struct group *this, const struct group *that)
{
	for (uint32_t i = 0; i < this->measure_count; i++)
		for (uint32_t j = 0; j < that->measure_count; j++)
			if (span_equal(this->measures[i]->name, that->measures[j]->name))
				compare_measure(diff, this, this->measures[i], that->measures[j]);
}

static int more_moved(const void *a, const void *b)
{
	const struct diff_number *left = a, *right = b;

	if (left->score != right->score)
		return left->score < right->score ? 1 : -1;
	if (left->site == right->site)
		return diff_compare_spans(left->name, right->name);
	return diff_compare_keys(left->site, right->site);
}

static int compare_numbers(struct diff *diff)
{
	const struct groups *this = &diff->side[DIFF_THIS].sites;
	const struct groups *that = &diff->side[DIFF_THAT].sites;

	diff->number = calloc((size_t)this->measure_count + 1, sizeof(*diff->number));
	if (!diff->number)
		return -ENOMEM;
	for (uint32_t i = 0; i < this->count; i++) {
		const struct group *other = groups_find(that, &this->list[i]);

		if (other)
			compare_measures(diff, &this->list[i], other);
	}
	qsort(diff->number, diff->number_count, sizeof(*diff->number), more_moved);
	return 0;
}

int diff_compare(struct diff *diff)
{
	int error;

	compare_levels(diff);
	error = compare_groups(diff, &diff->sites, true);
	if (!error)
		error = compare_groups(diff, &diff->threads, false);
	if (!error)
		error = compare_numbers(diff);
	return error ? error : diff_compare_values(diff);
}

void diff_rows_fini(struct diff *diff)
{
	free(diff->sites.row);
	free(diff->threads.row);
	free(diff->number);
	free(diff->shifts.shift);
}
