/* SPDX-License-Identifier: MIT */
/* redo_scene.h - a dump's scene as the recorder had it, for unwinding. */
#ifndef VIEWER_REDO_SCENE_H
#define VIEWER_REDO_SCENE_H

#include "recorder/unwind.h"
#include "viewer/meta.h"
#include "viewer/scene.h"

/*
 * Copies; scene_clear() frees them. `to` is zero. Threads beyond what can be unwound are left out.
 * False: no memory, and what is there is to be freed.
 */
bool redo_scene_take(struct scene *to, const struct meta_scene *from, const struct meta *meta);

#endif
