/* SPDX-License-Identifier: MIT */
/*
 * dict.h - the dictionary's writing side: sites and strings, entered once, committed record by
 * record.
 *
 * Lock-free: two threads that enter the same thing at once may both do so, which costs bytes and
 * nothing else. Legal wherever recording is. The region must be there (ttlog_process_enter()).
 */
#ifndef TTLOG_DICT_H
#define TTLOG_DICT_H

#include <stdint.h>

#include "lib/process.h"

/* Gives the site its id. 0 or a negative errno: -EINVAL (a site that makes no sense), -ENOSPC. */
int ttlog_dict_add_site(struct ttlog_site *site);
/* The id of the string, 0 when there is no room. */
uint32_t ttlog_dict_add_string(const char *string);

/* Could the dictionary of `from` be carried into `to`, ids unchanged? */
int ttlog_dict_fits(const struct ttlog_geometry *from, const struct ttlog_geometry *to);
/* Copies all that is committed in `from` (which may be growing) into `to` (which nobody uses yet).
 */
void ttlog_dict_carry(const struct ttlog_place *from, const struct ttlog_place *to);

#endif
