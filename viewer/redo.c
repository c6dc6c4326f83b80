/* SPDX-License-Identifier: MIT */
/* redo.c - a scene is unwound again, and what comes of that beside what was recorded. */
#include "viewer/redo.h"

#include <stdlib.h>
#include <string.h>

#include "recorder/unwind.h"
#include "viewer/redo_frames.h"
#include "viewer/redo_scene.h"

#define TIMEOUT_MS 30000
#define DEBUGINFOD_TIMEOUT_MS 600000 /* debug information of gigabytes */

_Static_assert(REDO_FOLDERS_MAX <= UNWIND_FOLDERS_MAX, "what may be named may be used");

bool redo_is_possible(void)
{
	return unwind_is_built();
}

bool redo_is_child(int argc, char **argv)
{
	return unwind_is_child(argc, argv);
}

int redo_child(int argc, char **argv)
{
	return unwind_main(argc, argv);
}

static struct span text(const char *string)
{
	return string ? (struct span){string, strlen(string)} : (struct span){0};
}

static struct number known(uint64_t bits)
{
	return (struct number){bits, true};
}

static struct number if_any(uint64_t bits)
{
	return (struct number){bits, bits != 0};
}

static struct meta_frame give_frame(const struct scene_frame *from)
{
	struct meta_frame frame = {
		.pc = known(from->pc),
		.symbol = text(from->symbol),
		.function = text(from->function),
		.file = text(from->file),
		.line = if_any(from->line),
		.column = if_any(from->column),
		.is_inline = from->flags & SCENE_FRAME_INLINE,
		.is_activation = from->flags & SCENE_FRAME_ACTIVATION,
		.is_guessed = from->flags & SCENE_FRAME_GUESSED,
	};

	if (from->module >= 0) {
		frame.module = known((uint64_t)from->module);
		frame.offset = known(from->offset);
	}
	if (from->symbol)
		frame.symbol_offset = known(from->symbol_offset);
	return frame;
}

static bool give_thread(struct redo_thread *to, const struct scene_thread *found,
			const struct meta_scene_thread *recorded)
{
	const unsigned int count = found ? found->frame_count : 0;
	struct meta_frame *frames = calloc(count + 1, sizeof(*frames));

	to->frames = calloc(count + recorded->frame_count + 1, sizeof(*to->frames));
	to->gained = calloc(count + recorded->frame_count + 1, 1);
	if (frames && to->frames && to->gained) {
		for (unsigned int i = 0; i < count; i++)
			frames[i] = give_frame(&found->frames[i]);
		redo_frames_merge(recorded->frames, recorded->frame_count,
				  found ? frames : recorded->frames,
				  found ? count : recorded->frame_count, to);
		to->note = found ? text(found->unwind_note) : recorded->note;
	}
	free(frames);
	return to->frames && to->gained;
}

static bool give(struct redo *redo, const struct meta_scene *scene)
{
	const struct scene *unwound = redo->unwound;

	redo->threads = calloc(scene->thread_count + 1, sizeof(redo->threads[0]));
	redo->modules = calloc(scene->module_count + 1, sizeof(redo->modules[0]));
	if (!redo->threads || !redo->modules)
		return false;
	for (uint64_t i = 0; i < unwound->module_count; i++)
		redo->modules[i] = (struct redo_module){text(unwound->modules[i].file),
							text(unwound->modules[i].debug_file),
							text(unwound->modules[i].file_fault)};
	for (uint64_t i = 0; i < scene->thread_count; i++)
		if (!give_thread(&redo->threads[i],
				 i < unwound->thread_count ? &unwound->threads[i] : NULL,
				 &scene->threads[i]))
			return false;
	return true;
}

struct redo *redo_open(const struct meta_scene *scene, const struct meta *meta,
		       const struct redo_options *options)
{
	const struct unwind_options how = {
		.timeout_ms = options->debuginfod ? DEBUGINFOD_TIMEOUT_MS : TIMEOUT_MS,
		.debuginfod = options->debuginfod,
		.is_redo = true,
		.folders = options->folders,
		.folder_count = options->folder_count,
	};
	struct redo *redo = calloc(1, sizeof(*redo));

	if (!redo)
		return NULL;
	redo->unwound = calloc(1, sizeof(*redo->unwound));
	if (!redo->unwound || !redo_scene_take(redo->unwound, scene, meta))
		goto out;
	/* What went wrong is in the threads' notes. */
	unwind_scene(redo->unwound, &how);
	if (give(redo, scene))
		return redo;
out:
	redo_close(redo, scene);
	return NULL;
}

void redo_close(struct redo *redo, const struct meta_scene *scene)
{
	if (!redo)
		return;
	for (uint64_t i = 0; redo->threads && i < scene->thread_count; i++) {
		free(redo->threads[i].frames);
		free(redo->threads[i].gained);
	}
	free(redo->threads);
	free(redo->modules);
	if (redo->unwound)
		scene_clear(redo->unwound);
	free(redo->unwound);
	free(redo);
}
