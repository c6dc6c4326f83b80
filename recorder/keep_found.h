/* SPDX-License-Identifier: MIT */
/* keep_found.h - of the dumps in a folder those that say how each service ended last. */
#ifndef RECORDER_KEEP_FOUND_H
#define RECORDER_KEEP_FOUND_H

#include <limits.h>

#include "recorder/keep_index.h"

#define KEEP_FOUND_MAX 512 /* services; the ones that died last */

struct keep_found {
	struct summary summary;
	char name[NAME_MAX + 1]; /* in the folder */
};

/* An array that the caller frees; NULL: no memory. Snapshots of the living are no deaths. */
struct keep_found *keep_find_deaths(const struct keep_index *index, size_t *ret_count);

#endif
