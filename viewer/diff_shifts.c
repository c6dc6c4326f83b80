/* SPDX-License-Identifier: MIT */
/* Which values of fields are more frequent on one side than on the other. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "viewer/diff.h"

/* Of G: a dump has hundreds of values, of which chance alone gives more to one in a thousand. */
#define CHANCE 10.83
#define SHARE 0.01 /* of the events with that field: less is no change */

struct pair {
	const struct group *site;
	const struct diff_field *field[DIFF_SIDES];
};

static double part(double count, double expected)
{
	return count > 0 ? count * log(count / expected) : 0;
}

/* The likelihood ratio of two shares: is the difference more than chance? */
static double surprise(double a, double a_all, double b, double b_all)
{
	const double each = (a + b) / (a_all + b_all);

	return 2 * (part(a, each * a_all) + part(b, each * b_all) +
		    part(a_all - a, (1 - each) * a_all) + part(b_all - b, (1 - each) * b_all));
}

static bool judge(struct diff_row *row, const struct pair *pair)
{
	const double all[] = {(double)pair->field[DIFF_THIS]->events,
			      (double)pair->field[DIFF_THAT]->events};
	const double a = (double)row->events[DIFF_THIS], b = (double)row->events[DIFF_THAT];
	double ratio;

	for (int i = 0; i < DIFF_SIDES; i++)
		row->rate[i] = (double)row->events[i] / all[i];
	ratio = row->rate[DIFF_THIS] / row->rate[DIFF_THAT]; /* 0 and infinity are fine */
	row->score = fabs(row->rate[DIFF_THIS] - row->rate[DIFF_THAT]);
	if (row->score < SHARE || (ratio < DIFF_RATIO && ratio > 1 / DIFF_RATIO) ||
	    surprise(a, all[DIFF_THIS], b, all[DIFF_THAT]) < CHANCE)
		return false;
	if (b == 0)
		row->change = DIFF_NEW;
	else if (a == 0)
		row->change = DIFF_GONE;
	else
		row->change = ratio > 1 ? DIFF_MORE : DIFF_LESS;
	/* What there is less of is so because of what there is more of. */
	if (row->change == DIFF_GONE || row->change == DIFF_LESS)
		row->score /= 2;
	return true;
}

static int add(struct diff_shifts *shifts, const struct diff_shift *shift)
{
	if (shifts->count == shifts->capacity) {
		const size_t capacity = shifts->capacity ? 2 * shifts->capacity : 32;
		struct diff_shift *grown = reallocarray(shifts->shift, capacity, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		shifts->shift = grown;
		shifts->capacity = capacity;
	}
	shifts->shift[shifts->count++] = *shift;
	return 0;
}

/* Of one side's values those that are not on the other were not compared yet. */
static int compare_values(struct diff_shifts *shifts, const struct pair *pair, int side,
			  bool *any)
{
	const struct diff_field *own = pair->field[side], *other = pair->field[!side];
	int error = 0;

	for (uint32_t i = 0; i < own->count && !error; i++) {
		struct diff_shift shift = {.row = {.group = pair->site, .level = LEVEL_UNKNOWN},
					   .name = own->name,
					   .value = &own->value[i].value};
		const uint64_t events = diff_values_events(other, &own->value[i]);

		shift.row.events[side] = own->value[i].events;
		shift.row.events[!side] = events;
		if ((side == DIFF_THAT && events) || !judge(&shift.row, pair))
			continue;
		*any = true;
		error = add(shifts, &shift);
	}
	return error;
}

static int compare_fields(struct diff_shifts *shifts, const struct pair *pair)
{
	const struct diff_field *this = pair->field[DIFF_THIS], *that = pair->field[DIFF_THAT];
	bool any = false;
	int error;

	if (this->crowded || that->crowded) {
		shifts->crowded += this->has_texts || that->has_texts;
		return 0;
	}
	if (this->events < DIFF_VALUES_MIN || that->events < DIFF_VALUES_MIN) {
		shifts->alike++;
		return 0;
	}
	error = compare_values(shifts, pair, DIFF_THIS, &any);
	if (!error)
		error = compare_values(shifts, pair, DIFF_THAT, &any);
	shifts->alike += !any;
	return error;
}

static int compare_site(struct diff *diff, uint32_t number, uint32_t other)
{
	const struct diff_values *this = &diff->side[DIFF_THIS].values;
	struct pair pair = {.site = &diff->side[DIFF_THIS].sites.list[number]};
	int error = 0;

	if (number >= this->site_capacity)
		return 0;
	for (uint32_t i = 0; i < this->sites[number].count && !error; i++) {
		pair.field[DIFF_THIS] = &this->sites[number].field[i];
		pair.field[DIFF_THAT] = diff_values_field(&diff->side[DIFF_THAT].values, other,
							  pair.field[DIFF_THIS]->name);
		if (pair.field[DIFF_THAT])
			error = compare_fields(&diff->shifts, &pair);
	}
	return error;
}

/* Ties by the key, the field and then the value: no two have all of them. */
static int more_moved(const void *a, const void *b)
{
	const struct diff_shift *left = a, *right = b;
	int order;

	if (left->row.score != right->row.score)
		return left->row.score < right->row.score ? 1 : -1;
	order = diff_compare_keys(left->row.group, right->row.group);
	if (!order)
		order = diff_compare_spans(left->name, right->name);
	if (!order && left->value->kind != right->value->kind)
		order = left->value->kind < right->value->kind ? -1 : 1;
	if (!order)
		order = diff_compare_spans(left->value->span, right->value->span);
	return order ? order
		     : (left->value->number > right->value->number) -
			       (left->value->number < right->value->number);
}

int diff_compare_values(struct diff *diff)
{
	const struct groups *this = &diff->side[DIFF_THIS].sites;
	const struct groups *that = &diff->side[DIFF_THAT].sites;
	int error = 0;

	for (uint32_t i = 0; i < this->count && !error; i++) {
		const struct group *other = groups_find(that, &this->list[i]);

		if (other)
			error = compare_site(diff, i, (uint32_t)(other - that->list));
	}
	if (diff->shifts.count)
		qsort(diff->shifts.shift, diff->shifts.count, sizeof(*diff->shifts.shift),
		      more_moved);
	return error;
}
