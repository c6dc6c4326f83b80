/* SPDX-License-Identifier: MIT */
/*
 * scene.h - where the threads of a dead process were: the scene's frames of a dump, decoded.
 *
 * Spans point into bytes that live as long as the scene. What the dump does not say is not `known`, or
 * empty; all of it may be made up.
 */
#ifndef VIEWER_SCENE_H
#define VIEWER_SCENE_H

#include "viewer/decode.h"

struct meta_module {
	struct number start, end, offset, inode, major, minor;
	struct span build_id, path;
};

/* What has the address of the fault; access is empty if that is not known, or nothing. */
struct meta_mapping {
	struct number start, end, offset;
	struct span path, access;
};

struct meta_register {
	struct span name;
	struct number value;
};

struct meta_slice {
	uint64_t address;
	struct span bytes;
};

struct meta_frame {
	struct number pc, module, offset, symbol_offset, line, column;
	struct span symbol, function, file;
	bool is_inline, is_activation, is_guessed;
};

struct meta_scene_thread {
	struct number tid;
	struct span name, code, note;
	bool is_fatal;
	struct number fs_base, fault_address, error_code, trap, alternate_stack,
		alternate_stack_bytes, interrupted_sp, code_address;
	struct meta_register *registers;
	uint64_t register_count;
	struct meta_slice *slices;
	uint64_t slice_count;
	struct meta_frame *frames;
	uint64_t frame_count;
};

struct meta_scene {
	struct number thread_total, threads_left_out, pages_left_out, modules_left_out;
	bool modules_cut;
	struct meta_mapping fault_mapping;
	struct meta_module *modules;
	uint64_t module_count;
	struct meta_scene_thread *threads; /* those whose frame of the file could be read */
	uint64_t thread_count;
	/* Copies of the frames' content. */
	unsigned char **content;
	uint64_t content_count;
	size_t content_bytes;
};

/* A frame whose first key is "scene" or "scene_thread". 0 or a negative errno. */
int scene_add(struct meta_scene *scene, const unsigned char *data, size_t bytes);
void scene_fini(struct meta_scene *scene);

/* The module that has that address; NULL: none. */
const struct meta_module *scene_module_at(const struct meta_scene *scene, uint64_t address);

/* Of "rip" or "pc". Not known without registers. */
struct number scene_pc(const struct meta_scene_thread *thread);

#endif
