/* SPDX-License-Identifier: MIT */
/* keep_found.c - from the newest to the oldest, each service and user once. */
#include "recorder/keep_found.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_death(const struct summary *summary)
{
	return summary->have_uid && summary->how[0] && strcmp(summary->how, "alive") != 0 &&
	       strcmp(summary->how, "exec") != 0;
}

static bool is_known(const struct keep_found *found, size_t count, const struct summary *summary)
{
	for (size_t i = 0; i < count; i++)
		if (found[i].summary.uid == summary->uid &&
		    !strcmp(found[i].summary.service, summary->service))
			return true;
	return false;
}

struct keep_found *keep_find_deaths(const struct keep_index *index, size_t *ret_count)
{
	struct keep_found *found = calloc(KEEP_FOUND_MAX, sizeof(*found));

	*ret_count = 0;
	for (size_t i = index->count; found && i-- && *ret_count < KEEP_FOUND_MAX;) {
		const struct keep_dump *dump = index->dump[i];

		if (!is_death(&dump->summary) || is_known(found, *ret_count, &dump->summary))
			continue;
		found[*ret_count].summary = dump->summary;
		snprintf(found[*ret_count].name, sizeof(found->name), "%s", dump->name);
		++*ret_count;
	}
	return found;
}
