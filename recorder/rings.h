/* SPDX-License-Identifier: MIT */
/*
 * rings.h - regions in our memory, whose pages may turn out not to be there.
 *
 * A client may punch holes into its region at any time; the kernel fills them when we look, unless
 * it may not (vm.overcommit_memory=2), or can't (a broken page, a broken swap): then we would die of
 * SIGBUS. Instead the page becomes one of our own, which all such pages share: what is read there is
 * rubbish, as anything in a region may be.
 */
#ifndef RECORDER_RINGS_H
#define RECORDER_RINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/region.h"

/* Before the first region, in each process that has some. 0 or a negative errno. */
int rings_open(void);
/* Does the kernel make shared memory of huge pages for who asks? As it was at rings_open(). */
bool rings_may_be_huge(void);
/* As ttlog_region_map(), whose errors it has, and -EMFILE: there are too many. */
int rings_map(int fd, struct ttlog_geometry *ret_geometry, void **ret_base);
/* The same with ttlog_region_map_to_read(). */
int rings_map_to_read(int fd, struct ttlog_geometry *ret_geometry, void **ret_base);
/* One that we made. 0 or -EMFILE. */
int rings_guard(void *base, uint64_t bytes);
void rings_unmap(void *base, const struct ttlog_geometry *geometry);

/* Pages that were not to be had, so far. Any thread. */
uint64_t rings_missing_pages(void);

#endif
