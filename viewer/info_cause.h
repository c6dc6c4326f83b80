/* SPDX-License-Identifier: MIT */
/* info_cause.h - how it died and who did it: the first lines of --info. */
#ifndef VIEWER_INFO_CAUSE_H
#define VIEWER_INFO_CAUSE_H

#include "viewer/meta.h"
#include "viewer/out.h"
#include "viewer/scene.h"

void info_cause_text(struct out *out, const struct meta *meta, const struct meta_scene *scene,
		     bool colour);

#endif
