/* SPDX-License-Identifier: MIT */
/* count_text.h - counts, rates and what they are of, as people read them: --stats, --diff. */
#ifndef VIEWER_COUNT_TEXT_H
#define VIEWER_COUNT_TEXT_H

#include "viewer/groups.h"

void count_rate(struct out *out, double rate);	    /* NAN: "-" */
void count_number(struct out *out, long double number);
/* Each part with two spaces before it. */
void count_key(struct out *out, const struct group_by *by, const struct group *group);
void count_titles(struct out *out, const struct group_by *by);

#endif
