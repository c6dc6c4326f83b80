/* SPDX-License-Identifier: MIT */
/*
 * redo.h - the stacks of a dump unwound again, with the binaries and debug files that are here now.
 *
 * Debug packages come after the crash, dumps go to other machines. What was recorded is never lost:
 * a frame is replaced only by one that says at least as much. The dump and the files are read by a
 * child without rights, see recorder/unwind.h.
 */
#ifndef VIEWER_REDO_H
#define VIEWER_REDO_H

#include "viewer/meta.h"
#include "viewer/scene.h"

#define REDO_FOLDERS_MAX 16

/* What a frame has that the recorded one had not. */
enum redo_gain {
	REDO_GAIN_FRAME = 1, /* there was none: all of it */
	REDO_GAIN_SYMBOL = 2,
	REDO_GAIN_FUNCTION = 4,
	REDO_GAIN_LINE = 8, /* and the file */
};

struct redo_thread {
	struct meta_frame *frames;
	unsigned char *gained; /* of each frame */
	uint64_t frame_count;
	struct span note;
	uint64_t new_frames, new_symbols, new_functions, new_lines;
};

struct redo_module {
	struct span file, debug_file; /* what was read; empty: nothing */
	struct span fault; /* why the file was not used: behind its name this is a sentence */
};

struct redo {
	struct redo_thread *threads; /* as many as the scene has */
	struct redo_module *modules; /* as many as the scene has */
	struct scene *unwound;	     /* what all that points into, beside the dump's scene */
};

struct redo_options {
	const char *const *folders; /* absolute, at most REDO_FOLDERS_MAX */
	unsigned int folder_count;
	bool debuginfod;
};

/* False: built without what it takes. */
bool redo_is_possible(void);

/* Blocks for half a minute at most, or longer with debuginfod. NULL: no memory. */
struct redo *redo_open(const struct meta_scene *scene, const struct meta *meta,
		       const struct redo_options *options);
void redo_close(struct redo *redo, const struct meta_scene *scene); /* NULL is fine */

/* True: this process is the child, and is to return what redo_child() does. */
bool redo_is_child(int argc, char **argv);
int redo_child(int argc, char **argv);

#endif
