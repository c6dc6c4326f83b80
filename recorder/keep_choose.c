/* SPDX-License-Identifier: MIT */
/* keep_choose.c - the rules of keep_choose.h, one pass each. */
#include "recorder/keep_choose.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SECOND_NS UINT64_C(1000000000)

struct choice {
	const struct keep_index *index;
	const struct keep_limits *limits;
	enum keep_why *why;
	size_t *order; /* of the pass */
};

static const struct summary *summary_of(const struct choice *choice, size_t at)
{
	return &choice->index->dump[at]->summary;
}

static void choose_by_age(const struct choice *choice, uint64_t now_ns)
{
	const uint64_t age_s = choice->limits->age_s;

	if (!age_s || age_s > now_ns / SECOND_NS)
		return;
	for (size_t i = 0; i < choice->index->count; i++)
		if (summary_of(choice, i)->created_ns < now_ns - age_s * SECOND_NS)
			choice->why[i] = KEEP_AGE;
}

/* ---- in order of something -------------------------------------------------------------- */

static int compare_numbers(uint64_t left, uint64_t right)
{
	return (left > right) - (left < right);
}

/* By loop; inside of one oldest first, as the index is. */
static int compare_loops(const void *a, const void *b, void *context)
{
	const size_t left = *(const size_t *)a, right = *(const size_t *)b;
	const struct summary *l = summary_of(context, left), *r = summary_of(context, right);
	int order = compare_numbers(l->loop_key, r->loop_key);

	if (!order)
		order = compare_numbers(l->loop_since_ns, r->loop_since_ns);
	return order ? order : compare_numbers(left, right);
}

static int compare_services(const void *a, const void *b, void *context)
{
	const size_t left = *(const size_t *)a, right = *(const size_t *)b;
	const struct summary *l = summary_of(context, left), *r = summary_of(context, right);
	int order = compare_numbers(l->uid, r->uid);

	if (!order)
		order = strcmp(l->service, r->service);
	return order ? order : compare_numbers(left, right);
}

/* Those that still stay. */
static size_t put_in_order(struct choice *choice,
			   int (*compare)(const void *, const void *, void *))
{
	size_t count = 0;

	for (size_t i = 0; i < choice->index->count; i++)
		if (choice->why[i] == KEEP_STAYS)
			choice->order[count++] = i;
	qsort_r(choice->order, count, sizeof(*choice->order), compare, choice);
	return count;
}

/* ---- crash loops ------------------------------------------------------------------------ */

static unsigned int power_of_two(uint64_t ns)
{
	const uint64_t seconds = ns / SECOND_NS;

	return seconds ? 64 - (unsigned int)__builtin_clzll(seconds) : 0;
}

static bool is_in_loop(const struct summary *summary)
{
	return summary->loop_count > 0;
}

static bool is_same_loop(const struct summary *left, const struct summary *right)
{
	return left->loop_key == right->loop_key && left->loop_since_ns == right->loop_since_ns;
}

static void thin_loop(const struct choice *choice, const size_t *order, size_t count)
{
	unsigned int last_power = 0;

	for (size_t i = 0; i < count; i++) {
		const struct summary *summary = summary_of(choice, order[i]);
		const uint64_t since_ns = summary->created_ns > summary->loop_since_ns
						  ? summary->created_ns - summary->loop_since_ns
						  : 0;
		const unsigned int power = power_of_two(since_ns);
		const bool is_first_of_power = power > last_power;

		if (is_first_of_power)
			last_power = power;
		if (summary->loop_count > choice->limits->loop_first && !is_first_of_power &&
		    count - i > KEEP_LOOP_LAST)
			choice->why[order[i]] = KEEP_LOOP;
	}
}

static void thin_loops(struct choice *choice)
{
	size_t count, end;

	if (!choice->limits->loop_first)
		return;
	count = put_in_order(choice, compare_loops);
	for (size_t i = 0; i < count; i = end) {
		const struct summary *first = summary_of(choice, choice->order[i]);

		for (end = i + 1; end < count; end++)
			if (!is_same_loop(first, summary_of(choice, choice->order[end])))
				break;
		if (is_in_loop(first))
			thin_loop(choice, choice->order + i, end - i);
	}
}

/* ---- quotas ----------------------------------------------------------------------------- */

struct amount {
	uint64_t files, bytes;
};

static void add(struct amount *amount, const struct keep_dump *dump)
{
	amount->files++;
	amount->bytes += dump->bytes;
}

static void subtract(struct amount *amount, const struct keep_dump *dump)
{
	amount->files--;
	amount->bytes -= dump->bytes;
}

static bool is_over(const struct amount *amount, uint64_t files, uint64_t bytes)
{
	return (files && amount->files > files) || (bytes && amount->bytes > bytes);
}

/* Of a process that lived on, for its own sake: those of a set go with the set. */
static bool is_living(const struct keep_dump *dump)
{
	return !strcmp(dump->summary.how, "alive") && !dump->summary.set[0];
}

static bool are_most(uint64_t living, const struct amount *of)
{
	return living > of->files - living;
}

/* The last of all in the index never goes. */
static void cut_service(const struct choice *choice, const size_t *order, size_t count)
{
	const struct keep_limits *limits = choice->limits;
	struct amount amount = {0};
	uint64_t living = 0;

	for (size_t i = 0; i < count; i++) {
		add(&amount, choice->index->dump[order[i]]);
		living += is_living(choice->index->dump[order[i]]);
	}
	for (size_t turn = 0; turn < 2; turn++)
		for (size_t i = 0; i < count && (turn || are_most(living, &amount)); i++) {
			const struct keep_dump *dump = choice->index->dump[order[i]];

			if (order[i] + 1 == choice->index->count ||
			    !is_over(&amount, limits->service_files, limits->service_bytes))
				return;
			if (choice->why[order[i]] != KEEP_STAYS || (!turn && !is_living(dump)))
				continue;
			choice->why[order[i]] = KEEP_SERVICE;
			subtract(&amount, dump);
			living -= is_living(dump);
		}
}

static void cut_services(struct choice *choice)
{
	size_t count, end;

	if (!choice->limits->service_bytes && !choice->limits->service_files)
		return;
	count = put_in_order(choice, compare_services);
	for (size_t i = 0; i < count; i = end) {
		const struct summary *first = summary_of(choice, choice->order[i]);

		for (end = i + 1; end < count; end++) {
			const struct summary *other = summary_of(choice, choice->order[end]);

			if (other->uid != first->uid || strcmp(other->service, first->service) != 0)
				break;
		}
		cut_service(choice, choice->order + i, end - i);
	}
}

static bool is_in(const struct choice *choice, size_t at, const uint32_t *uid)
{
	return choice->why[at] == KEEP_STAYS && (!uid || summary_of(choice, at)->uid == *uid);
}

static uint64_t count_living(const struct choice *choice, const uint32_t *uid)
{
	uint64_t count = 0;

	for (size_t i = 0; i < choice->index->count; i++)
		count += is_in(choice, i, uid) && is_living(choice->index->dump[i]);
	return count;
}

/* Until neither the total nor, if one user is meant, that user's half is over. */
static void cut(const struct choice *choice, struct amount *total, struct amount *own,
		const uint32_t *uid)
{
	const struct keep_limits *limits = choice->limits;
	uint64_t living = count_living(choice, uid);

	for (size_t turn = 0; turn < 2; turn++)
		for (size_t i = 0;
		     i + 1 < choice->index->count && (turn || are_most(living, own ? own : total));
		     i++) {
			const struct keep_dump *dump = choice->index->dump[i];

			if (!is_over(total, limits->files, limits->bytes) ||
			    (own &&
			     !is_over(own, (limits->files + 1) / 2, (limits->bytes + 1) / 2)))
				return;
			if (!is_in(choice, i, uid) || (!turn && !is_living(dump)))
				continue;
			choice->why[i] = KEEP_TOTAL;
			subtract(total, dump);
			if (own)
				subtract(own, dump);
			living -= is_living(dump);
		}
}

/* At most one user can have more than half of the files, and one more than half of the bytes. */
static void cut_total(struct choice *choice)
{
	const struct keep_limits *limits = choice->limits;
	struct amount total = {0};
	size_t count, end;

	for (size_t i = 0; i < choice->index->count; i++)
		if (choice->why[i] == KEEP_STAYS)
			add(&total, choice->index->dump[i]);
	if (!is_over(&total, limits->files, limits->bytes))
		return;
	count = put_in_order(choice, compare_services);
	for (size_t i = 0; i < count; i = end) {
		const uint32_t uid = summary_of(choice, choice->order[i])->uid;
		struct amount own = {0};

		for (end = i; end < count && summary_of(choice, choice->order[end])->uid == uid;
		     end++)
			add(&own, choice->index->dump[choice->order[end]]);
		cut(choice, &total, &own, &uid);
	}
	cut(choice, &total, NULL, NULL);
}

/* ---- sets ------------------------------------------------------------------------------- */

static int compare_sets(const void *a, const void *b, void *context)
{
	const size_t left = *(const size_t *)a, right = *(const size_t *)b;
	const int order = strcmp(summary_of(context, left)->set, summary_of(context, right)->set);

	return order ? order : compare_numbers(left, right);
}

/* Of one set: a death that goes takes the living along, unless it is the newest of all. */
static void cut_set(const struct choice *choice, const size_t *order, size_t count)
{
	bool goes = false;

	for (size_t i = 0; i < count; i++)
		goes |= choice->why[order[i]] != KEEP_STAYS &&
			!strcmp(summary_of(choice, order[i])->set_role, "first");
	for (size_t i = 0; goes && i < count; i++)
		if (choice->why[order[i]] == KEEP_STAYS && order[i] + 1 != choice->index->count &&
		    !strcmp(summary_of(choice, order[i])->set_role, "alive"))
			choice->why[order[i]] = KEEP_SET;
}

static void cut_sets(struct choice *choice)
{
	size_t count = 0, end;

	for (size_t i = 0; i < choice->index->count; i++)
		if (summary_of(choice, i)->set[0])
			choice->order[count++] = i;
	qsort_r(choice->order, count, sizeof(*choice->order), compare_sets, choice);
	for (size_t i = 0; i < count; i = end) {
		const char *set = summary_of(choice, choice->order[i])->set;

		for (end = i + 1; end < count; end++)
			if (strcmp(summary_of(choice, choice->order[end])->set, set) != 0)
				break;
		cut_set(choice, choice->order + i, end - i);
	}
}

/* ---- the whole -------------------------------------------------------------------------- */

int keep_choose(const struct keep_index *index, const struct keep_limits *limits, uint64_t now_ns,
		enum keep_why *ret_why)
{
	struct choice choice = {.index = index, .limits = limits, .why = ret_why};
	int count = 0;

	if (!index->count)
		return 0;
	choice.order = calloc(index->count, sizeof(*choice.order));
	if (!choice.order)
		return -ENOMEM;
	for (size_t i = 0; i < index->count; i++)
		ret_why[i] = KEEP_STAYS;
	choose_by_age(&choice, now_ns);
	thin_loops(&choice);
	cut_services(&choice);
	cut_total(&choice);
	cut_sets(&choice);
	free(choice.order);
	for (size_t i = 0; i < index->count; i++)
		count += ret_why[i] != KEEP_STAYS;
	return count;
}

const char *keep_why_name(enum keep_why why)
{
	static const char *const names[KEEP_WHY_COUNT] = {
		[KEEP_STAYS] = "stays",
		[KEEP_AGE] = "too old",
		[KEEP_LOOP] = "one of many in a crash loop",
		[KEEP_SERVICE] = "its service has enough",
		[KEEP_TOTAL] = "there are enough",
		[KEEP_SET] = "the death that its set is about is gone",
	};

	return names[why];
}
