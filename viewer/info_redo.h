/* SPDX-License-Identifier: MIT */
/* info_redo.h - what unwinding again has read, refused and found, for people and for programs. */
#ifndef VIEWER_INFO_REDO_H
#define VIEWER_INFO_REDO_H

#include "viewer/out.h"
#include "viewer/redo.h"

/* The files of those modules that have frames. */
void info_redo_text(struct out *out, const struct meta_scene *scene, const struct redo *redo);

/* Further keys of a frame, and of a module. */
void info_redo_json_gained(struct out *out, unsigned char gained);
void info_redo_json_module(struct out *out, const struct redo_module *module);

#endif
