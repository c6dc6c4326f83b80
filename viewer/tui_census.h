/* SPDX-License-Identifier: MIT */
/*
 * tui_census.h - a count of all events that are shown: by level, site, thread, and over time.
 *
 * Goes through the timeline in slices, with bounded memory: sites and threads beyond the most are
 * counted together.
 */
#ifndef VIEWER_TUI_CENSUS_H
#define VIEWER_TUI_CENSUS_H

#include "viewer/tui_filter.h"

#define CENSUS_GROUPS_MAX 4096
#define CENSUS_TABLE (4 * CENSUS_GROUPS_MAX)
#define CENSUS_BUCKETS 1024

enum census_grave { CENSUS_ALL, CENSUS_WARN, CENSUS_ERROR, CENSUS_GRAVES };

struct census_group {
	const void *key; /* a site, or a thread; NULL: all others */
	const struct dump *dump;
	uint64_t events;
	int64_t first_ns, last_ns;
};

struct census_groups {
	struct census_group group[CENSUS_GROUPS_MAX + 1]; /* the last: all others */
	size_t count;
	uint16_t table[CENSUS_TABLE]; /* index + 1 */
};

struct tui_census {
	struct paged *paged;
	struct tui_filter *filter;
	uint64_t *place;
	uint64_t version; /* of the filter that it counts with */
	bool begun, complete;
	uint64_t seen, events;
	uint64_t levels[LEVEL_COUNT];
	int64_t first_ns, last_ns; /* of the buckets; of the timeline, not of what is counted */
	uint64_t bucket_ns;
	uint64_t buckets[CENSUS_BUCKETS][CENSUS_GRAVES];
	struct census_groups sites, threads;
};

/* 0 or -ENOMEM. */
int tui_census_open(struct tui_census **ret_census, struct paged *paged, struct tui_filter *filter);
void tui_census_close(struct tui_census *census); /* NULL is fine */
/* Works until that moment. True: there is more to count. */
bool tui_census_work(struct tui_census *census, int64_t until_ns);
/* Is all counted, as the filter is now? */
bool tui_census_is_complete(const struct tui_census *census);
/* The groups, those with most events first; ret_order has room for CENSUS_GROUPS_MAX + 1. */
size_t tui_census_order(const struct census_groups *groups, uint16_t *ret_order);

#endif
