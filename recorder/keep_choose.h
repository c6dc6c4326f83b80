/* SPDX-License-Identifier: MIT */
/*
 * keep_choose.h - which dumps have to go.
 *
 * A pure function of what is there, the limits and the time, so that a night of crashes is a table
 * in a test. In this order:
 *
 *   age       what is older than that
 *   loops     of a crash loop stay the first `loop_first`, the last KEEP_LOOP_LAST, and in between
 *             one of each power of two of seconds since it began: 3,000 deaths in a night leave
 *             some 30 dumps. Only dumps that say themselves that they are of a loop
 *   service   files and bytes of each service (by name and user), oldest first
 *   total     files and bytes of all, oldest first; but as long as one user's dumps are more than
 *             half of what may be there, that user's go first: who can make himself die as often
 *             as he likes shall not drive out everybody else's
 *
 * Oldest first: but as long as more of them are of processes that lived on (snapshots, periodic
 * dumps) than of deaths, those go first. A program that has itself copied each minute keeps the dump
 * of what it died of.
 *
 *   sets      where the death goes that a set is about, the copies of those who lived go, too
 *
 * The newest dump of all goes by age alone: it stays even if it is larger than the limits of bytes.
 */
#ifndef RECORDER_KEEP_CHOOSE_H
#define RECORDER_KEEP_CHOOSE_H

#include "recorder/keep_index.h"

#define KEEP_LOOP_LAST 3

/* 0: no limit. */
struct keep_limits {
	uint64_t bytes, files;
	uint64_t service_bytes, service_files;
	uint64_t age_s;
	uint64_t loop_first;
	uint64_t free_bytes; /* of the file system, for others; see keep.h */
	unsigned int free_percent;
};

enum keep_why { KEEP_STAYS, KEEP_AGE, KEEP_LOOP, KEEP_SERVICE, KEEP_TOTAL, KEEP_SET, KEEP_WHY_COUNT };

/* ret_why[i]: of index->dump[i]. Returns how many have to go, or -ENOMEM. */
int keep_choose(const struct keep_index *index, const struct keep_limits *limits, uint64_t now_ns,
		enum keep_why *ret_why);

const char *keep_why_name(enum keep_why why);

#endif
