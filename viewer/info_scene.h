/* SPDX-License-Identifier: MIT */
/* info_scene.h - the scene, for people and for programs; parts of info.c and info_json.c. */
#ifndef VIEWER_INFO_SCENE_H
#define VIEWER_INFO_SCENE_H

#include "viewer/out.h"
#include "viewer/redo.h"
#include "viewer/scene.h"

/* The stack of the thread that took the signal, or those of all. Nothing, if nothing is known. */
void info_scene_text(struct out *out, const struct meta_scene *scene, const struct redo *redo, bool all);
/* The value of the key "scene"; null if nothing is known. */
void info_scene_json(struct out *out, const struct meta_scene *scene, const struct redo *redo);

#endif
