/* SPDX-License-Identifier: MIT */
/* info_trigger.h - what led to the dump of a living process, if the dump says it. */
#ifndef VIEWER_INFO_TRIGGER_H
#define VIEWER_INFO_TRIGGER_H

#include "viewer/meta.h"
#include "viewer/out.h"

/* Null, if it does not. */
void info_trigger_json(struct out *out, const struct meta *meta);

#endif
