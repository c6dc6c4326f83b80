/* SPDX-License-Identifier: MIT */
/* info_group.h - whose death a dump belongs to, if it is one of a set. */
#ifndef VIEWER_INFO_GROUP_H
#define VIEWER_INFO_GROUP_H

#include "viewer/meta.h"
#include "viewer/out.h"

/* Nothing, if it is of no set. */
void info_group_text(struct out *out, const struct meta *meta);
void info_group_json(struct out *out, const struct meta *meta);

#endif
