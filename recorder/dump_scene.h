/* SPDX-License-Identifier: MIT */
/* dump_scene.h - where the threads were, as the frames of a dump have it: see dump_format.h. */
#ifndef RECORDER_DUMP_SCENE_H
#define RECORDER_DUMP_SCENE_H

#include "recorder/pack.h"
#include "recorder/scene.h"

void dump_scene_encode(struct pack *pack, const struct scene *scene);
void dump_scene_encode_thread(struct pack *pack, const struct scene_thread *thread);

#endif
