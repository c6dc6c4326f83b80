/* SPDX-License-Identifier: MIT */
#include "viewer/tui_census.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CENSUS_ITEMS 512 /* between two looks at the clock */

int tui_census_open(struct tui_census **ret_census, struct paged *paged, struct tui_filter *filter)
{
	struct tui_census *census = calloc(1, sizeof(*census));

	if (!census)
		return -ENOMEM;
	census->paged = paged;
	census->filter = filter;
	census->place = calloc(paged_sources(paged), sizeof(*census->place));
	if (!census->place) {
		free(census);
		return -ENOMEM;
	}
	*ret_census = census;
	return 0;
}

void tui_census_close(struct tui_census *census)
{
	if (!census)
		return;
	free(census->place);
	free(census);
}

static void begin(struct tui_census *census)
{
	struct paged *paged = census->paged;
	struct tui_filter *filter = census->filter;
	uint64_t *place = census->place;

	memset(census, 0, sizeof(*census));
	census->paged = paged;
	census->filter = filter;
	census->place = place;
	census->version = filter->version;
	census->begun = true;
	paged_start(census->paged, census->place);
	paged_span(census->paged, &census->first_ns, &census->last_ns);
	if (census->last_ns < census->first_ns)
		census->last_ns = census->first_ns;
	census->bucket_ns =
		((uint64_t)census->last_ns - (uint64_t)census->first_ns) / CENSUS_BUCKETS + 1;
}

static size_t tui_census_bucket(const struct tui_census *census, int64_t ns)
{
	uint64_t bucket;

	if (ns <= census->first_ns)
		return 0;
	bucket = ((uint64_t)ns - (uint64_t)census->first_ns) / census->bucket_ns;
	return bucket < CENSUS_BUCKETS ? (size_t)bucket : CENSUS_BUCKETS - 1;
}

/* ---- groups -----------------------------------------------------------------------------------
 */

static struct census_group *group_of(struct census_groups *groups, const void *key,
				     const struct dump *dump)
{
	size_t slot = (size_t)((uintptr_t)key / 16 * 0x9e3779b97f4a7c15u >> 40) % CENSUS_TABLE;
	struct census_group *group;

	for (; groups->table[slot]; slot = (slot + 1) % CENSUS_TABLE) {
		group = &groups->group[groups->table[slot] - 1];
		if (group->key == key)
			return group;
	}
	if (groups->count == CENSUS_GROUPS_MAX)
		return &groups->group[CENSUS_GROUPS_MAX];
	group = &groups->group[groups->count++];
	groups->table[slot] = (uint16_t)groups->count;
	group->key = key;
	group->dump = dump;
	return group;
}

static void count_in(struct census_group *group, int64_t ns)
{
	if (!group->events++)
		group->first_ns = ns;
	group->last_ns = ns;
}

static void count(struct tui_census *census, const struct event *event)
{
	const enum site_level level = event->site->level;
	uint64_t *bucket = census->buckets[tui_census_bucket(census, event->time_ns)];

	census->events++;
	census->levels[level]++;
	bucket[CENSUS_ALL]++;
	if (level == LEVEL_WARN)
		bucket[CENSUS_WARN]++;
	if (level == LEVEL_ERROR || level == LEVEL_FATAL)
		bucket[CENSUS_ERROR]++;
	count_in(group_of(&census->sites, event->site, event->dump), event->time_ns);
	count_in(group_of(&census->threads, event->thread, event->dump), event->time_ns);
}

/* ---- work -------------------------------------------------------------------------------------
 */

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

bool tui_census_is_complete(const struct tui_census *census)
{
	return census->complete && census->version == census->filter->version;
}

bool tui_census_work(struct tui_census *census, int64_t until_ns)
{
	struct paged_item item;

	if (tui_census_is_complete(census))
		return false;
	if (!census->begun || census->version != census->filter->version)
		begin(census);
	for (uint64_t i = 1; paged_next(census->paged, census->place, &item); i++) {
		census->seen++;
		if (!item.mark && tui_filter_match(census->filter, &item))
			count(census, &item.event);
		if (i % CENSUS_ITEMS == 0 && now_ns() >= until_ns)
			return true;
	}
	census->complete = true;
	return false;
}

static int compare(const void *a, const void *b, void *context)
{
	const struct census_groups *groups = context;
	const struct census_group *left = &groups->group[*(const uint16_t *)a];
	const struct census_group *right = &groups->group[*(const uint16_t *)b];

	if (left->events != right->events)
		return left->events < right->events ? 1 : -1;
	return (left > right) - (left < right);
}

size_t tui_census_order(const struct census_groups *groups, uint16_t *ret_order)
{
	size_t count = groups->count;

	for (size_t i = 0; i < count; i++)
		ret_order[i] = (uint16_t)i;
	if (groups->group[CENSUS_GROUPS_MAX].events)
		ret_order[count++] = CENSUS_GROUPS_MAX;
	qsort_r(ret_order, count, sizeof(*ret_order), compare, (void *)groups);
	return count;
}
