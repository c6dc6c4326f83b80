/* SPDX-License-Identifier: MIT */
/*
 * last_deaths.h - how the newest process of each service and user ended, for the next one.
 *
 * Bounded: of what has no room the death that is longest ago is forgotten, of the user who has most.
 * What happened before this recorder was started is known from the dumps that it finds, and says so
 * (TTLOG_DEATH_FROM_DUMP). The loop's own, no locks.
 */
#ifndef RECORDER_LAST_DEATHS_H
#define RECORDER_LAST_DEATHS_H

#include <stdbool.h>
#include <sys/types.h>

#include "lib/ttlog_abi.h"
#include "recorder/obituary.h"
#include "recorder/summary.h"

#define LAST_DEATHS_MAX 512
#define LAST_DEATHS_MAX_PER_UID (LAST_DEATHS_MAX / 2)

struct last_deaths;

int last_deaths_open(struct last_deaths **ret_deaths);
void last_deaths_close(struct last_deaths *deaths); /* NULL is fine, here and below */

void last_deaths_note(struct last_deaths *deaths, const struct obituary *obituary,
		      bool dump_follows);
void last_deaths_dumped(struct last_deaths *deaths, const struct obituary *obituary);

/* A dump that was there before us; those of who has died since are of no more interest. */
void last_deaths_remember(struct last_deaths *deaths, const struct summary *summary,
			  const char *path);
/* All of these are known. Until then who is not found may be found yet. */
void last_deaths_settle(struct last_deaths *deaths);
bool last_deaths_settled(const struct last_deaths *deaths);

/* NULL: there is none. */
const struct ttlog_death_answer *last_deaths_find(const struct last_deaths *deaths, uid_t uid,
						  const char *service);
/* Of that pid the one that died last, and whose it was. NULL: there is none. */
const struct ttlog_death_answer *last_deaths_of_pid(const struct last_deaths *deaths, uint32_t pid,
						    uid_t *ret_uid, const char **ret_service);

#endif
