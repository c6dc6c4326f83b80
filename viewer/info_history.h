/* SPDX-License-Identifier: MIT */
/* info_history.h - what the recorder kept beside the ring, and what is missing in between. */
#ifndef VIEWER_INFO_HISTORY_H
#define VIEWER_INFO_HISTORY_H

#include "viewer/meta.h"
#include "viewer/out.h"

/* Nothing, if there was no history. */
void info_history_text(struct out *out, const struct meta *meta);
void info_history_json(struct out *out, const struct meta *meta); /* null, if there was none */

#endif
