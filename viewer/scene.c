/* SPDX-License-Identifier: MIT */
/* The frames of dump_format.h's scene as tables. */
#include "viewer/scene.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "recorder/dump_format.h"
#include "viewer/decode_keys.h"

/* ---- a thread ---------------------------------------------------------------------------------
 */

static int decode_registers(struct decode *cursor, void *to)
{
	struct meta_scene_thread *thread = to;
	struct token map, name, value;
	struct decode ahead;
	uint64_t limit;

	if (decode_next(cursor, &map) || map.kind != TOKEN_MAP || thread->registers)
		return -EBADMSG;
	limit = map.number < DUMP_SCENE_REGISTERS_MAX ? map.number : DUMP_SCENE_REGISTERS_MAX;
	thread->registers = calloc(limit + 1, sizeof(*thread->registers));
	if (!thread->registers)
		return -ENOMEM;
	for (uint64_t i = 0; i < map.number; i++) {
		if (decode_next(cursor, &name) || name.kind != TOKEN_TEXT)
			return -EBADMSG;
		ahead = *cursor;
		if (decode_next(&ahead, &value) || decode_skip(cursor))
			return -EBADMSG;
		if (i >= limit || value.kind != TOKEN_UINT)
			continue;
		thread->registers[thread->register_count++] =
			(struct meta_register){name.span, {value.number, true}};
	}
	return 0;
}

static int decode_slices(struct decode *cursor, void *to)
{
	struct meta_scene_thread *thread = to;
	struct token array, pair, address, bytes;
	uint64_t limit;

	if (decode_next(cursor, &array) || array.kind != TOKEN_ARRAY || thread->slices)
		return -EBADMSG;
	limit = array.number < DUMP_SCENE_SLICES_MAX ? array.number : DUMP_SCENE_SLICES_MAX;
	thread->slices = calloc(limit + 1, sizeof(*thread->slices));
	if (!thread->slices)
		return -ENOMEM;
	for (uint64_t i = 0; i < array.number; i++) {
		if (decode_next(cursor, &pair) || pair.kind != TOKEN_ARRAY || pair.number != 2 ||
		    decode_next(cursor, &address) || address.kind != TOKEN_UINT ||
		    decode_next(cursor, &bytes) || bytes.kind != TOKEN_BYTES)
			return -EBADMSG;
		if (i < limit)
			thread->slices[thread->slice_count++] =
				(struct meta_slice){address.number, bytes.span};
	}
	return 0;
}

static const struct decode_key frame_keys[] = {
	NUMBER(meta_frame, pc),
	NUMBER(meta_frame, module),
	NUMBER(meta_frame, offset),
	NUMBER(meta_frame, symbol_offset),
	NUMBER(meta_frame, line),
	NUMBER(meta_frame, column),
	SPAN(meta_frame, symbol),
	SPAN(meta_frame, function),
	SPAN(meta_frame, file),
	TRUTH_NAMED("inline", meta_frame, is_inline),
	TRUTH_NAMED("activation", meta_frame, is_activation),
	TRUTH_NAMED("guessed", meta_frame, is_guessed),
	END,
};

static int decode_frames(struct decode *cursor, void *to)
{
	struct meta_scene_thread *thread = to;

	return decode_array(cursor, frame_keys, sizeof(*thread->frames), DUMP_SCENE_FRAMES_MAX,
			    (void **)&thread->frames, &thread->frame_count);
}

static const struct decode_key thread_keys[] = {
	NUMBER(meta_scene_thread, tid),
	SPAN(meta_scene_thread, name),
	TRUTH_NAMED("fatal", meta_scene_thread, is_fatal),
	CALL("registers", decode_registers),
	NUMBER(meta_scene_thread, fs_base),
	NUMBER(meta_scene_thread, fault_address),
	NUMBER(meta_scene_thread, error_code),
	NUMBER(meta_scene_thread, trap),
	NUMBER(meta_scene_thread, alternate_stack),
	NUMBER(meta_scene_thread, alternate_stack_bytes),
	NUMBER(meta_scene_thread, interrupted_sp),
	NUMBER(meta_scene_thread, code_address),
	SPAN(meta_scene_thread, code),
	CALL("slices", decode_slices),
	CALL("frames", decode_frames),
	SPAN(meta_scene_thread, note),
	END,
};

static int decode_thread(struct decode *cursor, void *to)
{
	struct meta_scene *scene = to;

	if (scene->thread_count == DUMP_SCENE_THREADS_MAX)
		return decode_skip(cursor);
	if (!scene->threads)
		scene->threads = calloc(DUMP_SCENE_THREADS_MAX, sizeof(*scene->threads));
	if (!scene->threads)
		return -ENOMEM;
	/* What can be read of a damaged one is kept. */
	return decode_map(cursor, thread_keys, &scene->threads[scene->thread_count++]);
}

/* ---- modules ----------------------------------------------------------------------------------
 */

static const struct decode_key module_keys[] = {
	NUMBER(meta_module, start),  NUMBER(meta_module, end),	 NUMBER(meta_module, offset),
	NUMBER(meta_module, inode),  NUMBER(meta_module, major), NUMBER(meta_module, minor),
	SPAN(meta_module, build_id), SPAN(meta_module, path),	 END,
};

static int decode_modules(struct decode *cursor, void *to)
{
	struct meta_scene *scene = to;

	return decode_array(cursor, module_keys, sizeof(*scene->modules), DUMP_SCENE_MODULES_MAX,
			    (void **)&scene->modules, &scene->module_count);
}

static const struct decode_key mapping_keys[] = {
	NUMBER(meta_mapping, start), NUMBER(meta_mapping, end),	 NUMBER(meta_mapping, offset),
	SPAN(meta_mapping, path),    SPAN(meta_mapping, access), END,
};

static const struct decode_key counts_keys[] = {
	{"threads", DECODE_NUMBER, offsetof(struct meta_scene, thread_total), NULL, NULL},
	NUMBER(meta_scene, threads_left_out),
	NUMBER(meta_scene, pages_left_out),
	NUMBER(meta_scene, modules_left_out),
	TRUTH_NAMED("modules_cut", meta_scene, modules_cut),
	{"fault_mapping", DECODE_MAP, offsetof(struct meta_scene, fault_mapping), mapping_keys, NULL},
	END,
};

static const struct decode_key scene_keys[] = {
	{"scene", DECODE_MAP, 0, counts_keys, NULL},
	CALL("modules", decode_modules),
	CALL("scene_thread", decode_thread),
	END,
};

/* ---- all of it --------------------------------------------------------------------------------
 */

int scene_add(struct meta_scene *scene, const unsigned char *data, size_t bytes)
{
	struct decode cursor;
	unsigned char **content;
	unsigned char *copy;

	if (bytes > DUMP_SCENE_BYTES_MAX - scene->content_bytes ||
	    scene->content_count > DUMP_SCENE_THREADS_MAX)
		return -EBADMSG;
	content = reallocarray(scene->content, scene->content_count + 1, sizeof(*content));
	if (!content)
		return -ENOMEM;
	scene->content = content;
	copy = malloc(bytes + 1);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, data, bytes);
	content[scene->content_count++] = copy;
	scene->content_bytes += bytes;
	cursor = (struct decode){copy, copy + bytes};
	return decode_map(&cursor, scene_keys, scene);
}

void scene_fini(struct meta_scene *scene)
{
	for (uint64_t i = 0; i < scene->thread_count; i++) {
		free(scene->threads[i].registers);
		free(scene->threads[i].slices);
		free(scene->threads[i].frames);
	}
	for (uint64_t i = 0; i < scene->content_count; i++)
		free(scene->content[i]);
	free(scene->content);
	free(scene->threads);
	free(scene->modules);
}

const struct meta_module *scene_module_at(const struct meta_scene *scene, uint64_t address)
{
	for (uint64_t i = 0; i < scene->module_count; i++)
		if (scene->modules[i].start.known && scene->modules[i].end.known &&
		    address >= scene->modules[i].start.bits && address < scene->modules[i].end.bits)
			return &scene->modules[i];
	return NULL;
}

struct number scene_pc(const struct meta_scene_thread *thread)
{
	for (uint64_t i = 0; i < thread->register_count; i++)
		if (span_is(thread->registers[i].name, "rip") ||
		    span_is(thread->registers[i].name, "pc"))
			return thread->registers[i].value;
	return (struct number){0};
}
