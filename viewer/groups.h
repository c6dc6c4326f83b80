/* SPDX-License-Identifier: MIT */
/*
 * groups.h - events counted by what they have in some columns: --stats, --group-by, --top.
 *
 * In bounded memory: what would be one group too many, or whose names would take too much room, is
 * counted with all others; a numeric field too many is counted as not measured.
 */
#ifndef VIEWER_GROUPS_H
#define VIEWER_GROUPS_H

#include "viewer/columns.h"
#include "viewer/sketch.h"

#define GROUPS_MAX 10000
#define GROUPS_KEY_BYTES_MAX (4u << 20)	    /* of all keys */
#define GROUPS_SKETCH_BYTES_MAX (16u << 20) /* of all buckets */
#define GROUP_PARTS_MAX 16
#define GROUP_MEASURES_MAX 16	  /* of a group */
#define GROUPS_MEASURES_MAX 20000 /* of all */

/* A part of a key: a column, or the message as the site has it, which no value is filled into. */
struct group_part {
	bool is_template;
	struct column column;
};

/* What makes a group: "target,fields.status"; "site" stands for all that tells call sites apart. */
struct group_by {
	struct group_part part[GROUP_PARTS_MAX];
	uint32_t count;
	struct columns *columns; /* whose names the parts have */
};

/* 0, -EINVAL or -ENOMEM. */
int group_by_parse(struct group_by *by, const char *text);
void group_by_fini(struct group_by *by);
struct span group_part_name(const struct group_part *part);

struct group_measure {
	struct span name;
	struct sketch sketch;
	long double last;
	uint64_t rises; /* so many were above the one before: nearly all of an identifier are */
};

struct group {
	uint64_t hash;
	char *key; /* its parts, encoded: group_next_part() */
	size_t key_bytes;
	uint64_t events;
	int64_t first_ns, last_ns;
	int64_t since_ns; /* its counter's: nothing of it is missing from here on */
	const struct dump *first_dump, *last_dump;
	struct group_measure **measures;
	uint32_t measure_count;
	uint64_t unmeasured; /* numbers, beyond what may be measured */
};

struct groups {
	const struct group_by *by;
	const struct columns *measured; /* NULL: all that are numbers */
	bool measures;
	struct group *list;
	uint32_t count, capacity;
	uint32_t *table; /* index + 1 */
	uint64_t seed;
	struct group others; /* no key */
	size_t key_budget, sketch_budget;
	uint32_t measure_count;
	struct out key, scratch;
	struct groups_memo *memo;
};

/* 0 or -ENOMEM. What by and measured point to outlives the groups. */
int groups_open(struct groups *groups, const struct group_by *by);
void groups_close(struct groups *groups);
/* 0 or -ENOMEM. *ret_group, which may be NULL, holds until the next. */
int groups_add(struct groups *groups, struct record *record, struct group **ret_group);
/* That has this key. NULL: there is none. */
struct group *groups_find(const struct groups *groups, const struct group *alike);

/* The groups by their events, the busiest first: an array of that many pointers, for free(). */
struct group **groups_order(struct groups *groups);

enum group_part_kind {
	GROUP_MISSING,
	GROUP_RAW, /* as it stands in JSON, too: a number, true, false */
	GROUP_TEXT,
};

/* Takes the next part of a key off its front. */
enum group_part_kind group_next_part(struct span *key, struct span *ret_text);

#endif
