/* SPDX-License-Identifier: MIT */
/* scene_clear.c - how a scene ends. */
#include "recorder/scene.h"

#include <stdlib.h>
#include <unistd.h>

void scene_frames_free(struct scene_thread *thread)
{
	for (unsigned int i = 0; i < thread->frame_count; i++) {
		free(thread->frames[i].symbol);
		free(thread->frames[i].function);
		free(thread->frames[i].file);
	}
	free(thread->frames);
	thread->frames = NULL;
	thread->frame_count = 0;
}

static void clear_thread(struct scene_thread *thread)
{
	for (unsigned int i = 0; i < thread->slice_count; i++)
		free(thread->slices[i].data);
	free(thread->slices);
	free(thread->unwind_note);
	scene_frames_free(thread);
}

static void clear_module(struct scene_module *module)
{
	free(module->path);
	free(module->file);
	free(module->debug_file);
	free(module->file_fault);
}

void scene_clear(struct scene *scene)
{
	for (unsigned int i = 0; i < scene->thread_count; i++)
		clear_thread(&scene->threads[i]);
	for (unsigned int i = 0; i < scene->module_count; i++)
		clear_module(&scene->modules[i]);
	clear_module(&scene->fault_mapping);
	free(scene->threads);
	free(scene->modules);
	if (scene->root_fd >= 0)
		close(scene->root_fd);
	*scene = (struct scene){.root_fd = -1};
}
