/* SPDX-License-Identifier: MIT */
/*
 * unwind_wire.c - the two messages of unwinding: numbers of eight bytes, strings and bytes behind
 * their length.
 *
 * A string's length is counted from 1, so that 0 is "none".
 */
#include "recorder/unwind_wire.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define REQUEST_MAGIC UINT64_C(0x3171657264777574)
#define ANSWER_MAGIC UINT64_C(0x31736e6164777574)
#define ANSWER_HEAD_BYTES 32
#define SLICES_MAX 64 /* of one thread */
#define REQUEST_SLICE_MAX (UINT64_C(1) << 20)
#define KNOWN_FLAGS (SCENE_FRAME_ACTIVATION | SCENE_FRAME_INLINE | SCENE_FRAME_GUESSED)
#define OLD_FRAME_BYTES 32
#define OLD_FLAGS (SCENE_FRAME_ACTIVATION | SCENE_FRAME_GUESSED)

/* ---- writing ---------------------------------------------------------------------------- */

static void put_raw(struct pack *pack, const void *data, size_t bytes)
{
	unsigned char *room = pack_room(pack, bytes);

	if (!room || !bytes)
		return;
	memcpy(room, data, bytes);
	pack->bytes += bytes;
}

static void put(struct pack *pack, uint64_t value)
{
	put_raw(pack, &value, sizeof(value));
}

static void put_blob(struct pack *pack, const void *data, size_t bytes)
{
	put(pack, bytes);
	put_raw(pack, data, bytes);
}

static void put_string(struct pack *pack, const char *string)
{
	const size_t bytes = string ? strnlen(string, UNWIND_STRING_MAX) : 0;

	put(pack, string ? bytes + 1 : 0);
	put_raw(pack, string, bytes);
}

/* What is known already, without names, and without what is there by its name only. */
static void put_old_frames(struct pack *pack, const struct scene_thread *thread)
{
	uint64_t count = 0;

	put_string(pack, thread->unwind_note);
	for (unsigned int i = 0; i < thread->frame_count; i++)
		count += !(thread->frames[i].flags & SCENE_FRAME_INLINE);
	if (count > SCENE_FRAMES_MAX)
		count = SCENE_FRAMES_MAX;
	put(pack, count);
	for (unsigned int i = 0; i < thread->frame_count && count; i++) {
		const struct scene_frame *frame = &thread->frames[i];

		if (frame->flags & SCENE_FRAME_INLINE)
			continue;
		put(pack, frame->pc);
		put(pack, frame->flags & OLD_FLAGS);
		put(pack, (uint64_t)(int64_t)frame->module);
		put(pack, frame->offset);
		count--;
	}
}

static void put_thread(struct pack *pack, const struct scene_thread *thread)
{
	const unsigned int slice_count = thread->slice_count < SLICES_MAX ? thread->slice_count
									  : SLICES_MAX;

	put(pack, thread->tid);
	put(pack, thread->trap);
	put(pack, thread->error_code);
	put(pack, thread->fault_address);
	put_blob(pack, thread->registers,
		 thread->register_count <= SCENE_REGISTERS_MAX
			 ? thread->register_count * sizeof(thread->registers[0])
			 : 0);
	put(pack, slice_count);
	for (unsigned int i = 0; i < slice_count; i++) {
		const struct scene_slice *slice = &thread->slices[i];

		put(pack, slice->address);
		put_blob(pack, slice->data,
			 slice->bytes < REQUEST_SLICE_MAX ? slice->bytes : REQUEST_SLICE_MAX);
	}
	put_old_frames(pack, thread);
}

/* One that overlaps what came before it keeps its place, and nothing is in it. */
static void put_module(struct pack *pack, const struct scene_module *module, uint64_t end_of_others)
{
	const bool is_sound = module->start >= end_of_others && module->end >= module->start;
	/* A longer path can't be opened. */
	const bool has_path = is_sound && module->path && strlen(module->path) < UNWIND_STRING_MAX;

	put(pack, is_sound ? module->start : end_of_others);
	put(pack, is_sound ? module->end : end_of_others);
	put(pack, module->offset);
	put(pack, module->inode);
	put_blob(pack, module->build_id,
		 module->build_id_bytes <= SCENE_BUILD_ID_MAX ? module->build_id_bytes : 0);
	put_string(pack, has_path ? module->path : NULL);
}

void unwind_request_pack(struct pack *pack, const struct scene *scene)
{
	uint64_t end = 0;

	put(pack, REQUEST_MAGIC);
	put(pack, scene->module_count);
	for (unsigned int i = 0; i < scene->module_count; i++) {
		put_module(pack, &scene->modules[i], end);
		if (scene->modules[i].end > end)
			end = scene->modules[i].end;
	}
	put(pack, scene->thread_count);
	for (unsigned int i = 0; i < scene->thread_count; i++)
		put_thread(pack, &scene->threads[i]);
}

static void put_frame(struct pack *pack, const struct scene_frame *frame)
{
	put(pack, frame->pc);
	put(pack, frame->flags);
	put(pack, (uint64_t)(int64_t)frame->module);
	put(pack, frame->offset);
	put_string(pack, frame->symbol);
	put(pack, frame->symbol_offset);
	put_string(pack, frame->function);
	put_string(pack, frame->file);
	put(pack, frame->line);
	put(pack, frame->column);
}

/* Where it began, for its end. */
static size_t begin_answer(struct pack *pack, unsigned int index, enum unwind_stage stage)
{
	const size_t at = pack->bytes;

	put(pack, ANSWER_MAGIC);
	put(pack, index);
	put(pack, stage);
	put(pack, 0);
	return at;
}

static void end_answer(struct pack *pack, size_t at)
{
	const uint64_t bytes = pack->bytes - at - ANSWER_HEAD_BYTES;

	if (!pack->error)
		memcpy(pack->data + at + ANSWER_HEAD_BYTES - sizeof(bytes), &bytes, sizeof(bytes));
}

void unwind_answer_pack(struct pack *pack, unsigned int thread_index, enum unwind_stage stage,
			const struct scene_thread *thread)
{
	const size_t at = begin_answer(pack, thread_index, stage);

	put_string(pack, thread->unwind_note);
	put(pack, thread->frame_count);
	for (unsigned int i = 0; i < thread->frame_count; i++)
		put_frame(pack, &thread->frames[i]);
	end_answer(pack, at);
}

void unwind_file_pack(struct pack *pack, unsigned int module_index,
		      const struct scene_module *module)
{
	const size_t at = begin_answer(pack, module_index, UNWIND_FILE);

	put_string(pack, module->file);
	put_string(pack, module->debug_file);
	put_string(pack, module->file_fault);
	end_answer(pack, at);
}

/* ---- reading ---------------------------------------------------------------------------- */

/* Errors stick, and what is read after one is 0. */
struct cursor {
	const unsigned char *at, *end;
	int error;
};

static const unsigned char *take_raw(struct cursor *cursor, uint64_t bytes)
{
	const unsigned char *at = cursor->at;

	if (cursor->error)
		return NULL;
	if (bytes > (uint64_t)(cursor->end - at)) {
		cursor->error = -EBADMSG;
		return NULL;
	}
	cursor->at += bytes;
	return at;
}

static uint64_t take(struct cursor *cursor)
{
	const unsigned char *at = take_raw(cursor, sizeof(uint64_t));
	uint64_t value = 0;

	if (at)
		memcpy(&value, at, sizeof(value));
	return value;
}

/* No more than `most`. */
static uint64_t take_number(struct cursor *cursor, uint64_t most)
{
	const uint64_t value = take(cursor);

	if (value <= most)
		return value;
	if (!cursor->error)
		cursor->error = -EBADMSG;
	return 0;
}

static char *take_string(struct cursor *cursor)
{
	const uint64_t length = take_number(cursor, UNWIND_STRING_MAX + 1);
	const unsigned char *at = length ? take_raw(cursor, length - 1) : NULL;
	char *string;

	if (!at)
		return NULL;
	if (memchr(at, '\0', length - 1)) {
		cursor->error = -EBADMSG;
		return NULL;
	}
	string = malloc(length);
	if (!string) {
		cursor->error = -ENOMEM;
		return NULL;
	}
	memcpy(string, at, length - 1);
	string[length - 1] = '\0';
	return string;
}

/* An array with room for what the count says, which the rest of the bytes must make likely. */
static void *take_array(struct cursor *cursor, uint64_t most, size_t item_bytes,
			uint64_t least_on_wire, unsigned int *ret_count)
{
	const uint64_t count = take_number(cursor, most);
	void *array;

	*ret_count = 0;
	if (count > (uint64_t)(cursor->end - cursor->at) / least_on_wire) {
		cursor->error = -EBADMSG;
		return NULL;
	}
	if (cursor->error || !count)
		return NULL;
	array = calloc(count, item_bytes);
	if (!array) {
		cursor->error = -ENOMEM;
		return NULL;
	}
	*ret_count = (unsigned int)count;
	return array;
}

static void take_module(struct cursor *cursor, struct scene_module *module)
{
	const unsigned char *id;

	module->start = take(cursor);
	module->end = take(cursor);
	module->offset = take(cursor);
	module->inode = take(cursor);
	module->build_id_bytes = (uint8_t)take_number(cursor, SCENE_BUILD_ID_MAX);
	id = take_raw(cursor, module->build_id_bytes);
	if (id)
		memcpy(module->build_id, id, module->build_id_bytes);
	module->path = take_string(cursor);
	if (!cursor->error && module->start > module->end)
		cursor->error = -EBADMSG;
}

static void take_slice(struct cursor *cursor, struct scene_slice *slice)
{
	const unsigned char *data;

	slice->address = take(cursor);
	slice->bytes = take_number(cursor, REQUEST_SLICE_MAX);
	data = take_raw(cursor, slice->bytes);
	if (!data)
		return;
	if (slice->address > UINT64_MAX - slice->bytes) {
		cursor->error = -EBADMSG;
		return;
	}
	slice->data = malloc(slice->bytes + 1);
	if (slice->data)
		memcpy(slice->data, data, slice->bytes);
	else
		cursor->error = -ENOMEM;
}

/* -1: none. */
static int32_t take_module_index(struct cursor *cursor, unsigned int module_count)
{
	const int64_t module = (int64_t)take(cursor);

	if (!cursor->error && (module < -1 || module >= (int64_t)module_count))
		cursor->error = -EBADMSG;
	return cursor->error ? -1 : (int32_t)module;
}

static void take_old_frames(struct cursor *cursor, unsigned int module_count,
			    struct scene_thread *thread)
{
	thread->unwind_note = take_string(cursor);
	thread->frames = take_array(cursor, SCENE_FRAMES_MAX, sizeof(thread->frames[0]), OLD_FRAME_BYTES,
				    &thread->frame_count);
	for (unsigned int i = 0; i < thread->frame_count && !cursor->error; i++) {
		struct scene_frame *frame = &thread->frames[i];

		frame->pc = take(cursor);
		frame->flags = (uint32_t)take_number(cursor, KNOWN_FLAGS);
		if (frame->flags & ~(uint32_t)OLD_FLAGS)
			cursor->error = -EBADMSG;
		frame->module = take_module_index(cursor, module_count);
		frame->offset = take(cursor);
	}
}

static void take_thread(struct cursor *cursor, unsigned int module_count,
			struct scene_thread *thread)
{
	const unsigned char *registers;
	uint64_t bytes;

	thread->tid = (uint32_t)take_number(cursor, UINT32_MAX);
	thread->trap = take(cursor);
	thread->error_code = take(cursor);
	thread->fault_address = take(cursor);
	bytes = take_number(cursor, sizeof(thread->registers));
	registers = take_raw(cursor, bytes);
	if (bytes % sizeof(thread->registers[0]))
		cursor->error = -EBADMSG;
	else if (registers)
		memcpy(thread->registers, registers, bytes);
	thread->register_count = (unsigned int)(bytes / sizeof(thread->registers[0]));
	thread->slices =
		take_array(cursor, SLICES_MAX, sizeof(thread->slices[0]), 16, &thread->slice_count);
	for (unsigned int i = 0; i < thread->slice_count && !cursor->error; i++)
		take_slice(cursor, &thread->slices[i]);
	take_old_frames(cursor, module_count, thread);
}

int unwind_request_read(const void *data, size_t bytes, struct scene *ret_scene)
{
	struct cursor cursor = {.at = data, .end = (const unsigned char *)data + bytes};
	struct scene *scene = ret_scene;

	*scene = (struct scene){.root_fd = -1};
	if (take(&cursor) != REQUEST_MAGIC)
		return -EBADMSG;
	scene->modules = take_array(&cursor, SCENE_MODULES_MAX, sizeof(scene->modules[0]), 48,
				    &scene->module_count);
	for (unsigned int i = 0; i < scene->module_count && !cursor.error; i++) {
		take_module(&cursor, &scene->modules[i]);
		if (!cursor.error && i && scene->modules[i - 1].end > scene->modules[i].start)
			cursor.error = -EBADMSG;
	}
	scene->threads = take_array(&cursor, SCENE_THREADS_MAX + 1, sizeof(scene->threads[0]), 64,
				    &scene->thread_count);
	for (unsigned int i = 0; i < scene->thread_count && !cursor.error; i++)
		take_thread(&cursor, scene->module_count, &scene->threads[i]);
	if (!cursor.error && cursor.at != cursor.end)
		cursor.error = -EBADMSG;
	if (cursor.error)
		scene_clear(scene);
	return cursor.error;
}

static void take_frame(struct cursor *cursor, unsigned int module_count, struct scene_frame *frame)
{
	frame->pc = take(cursor);
	frame->flags = (uint32_t)take_number(cursor, KNOWN_FLAGS);
	frame->module = take_module_index(cursor, module_count);
	frame->offset = take(cursor);
	frame->symbol = take_string(cursor);
	frame->symbol_offset = take(cursor);
	frame->function = take_string(cursor);
	frame->file = take_string(cursor);
	frame->line = (uint32_t)take_number(cursor, UINT32_MAX);
	frame->column = (uint32_t)take_number(cursor, UINT32_MAX);
}

static int take_answer(struct scene *scene, unsigned char stages[], struct cursor *cursor,
		       uint64_t index, uint64_t stage)
{
	struct scene_thread answer = {0};

	if (index >= scene->thread_count || stage <= stages[index] || stage > UNWIND_NAMED)
		return -EBADMSG;
	answer.unwind_note = take_string(cursor);
	answer.frames = take_array(cursor, SCENE_FRAMES_MAX, sizeof(answer.frames[0]), 80,
				   &answer.frame_count);
	for (unsigned int i = 0; i < answer.frame_count && !cursor->error; i++)
		take_frame(cursor, scene->module_count, &answer.frames[i]);
	if (!cursor->error && cursor->at != cursor->end)
		cursor->error = -EBADMSG;
	if (!cursor->error) {
		struct scene_thread *thread = &scene->threads[index];
		struct scene_thread old = *thread;

		thread->frames = answer.frames;
		thread->frame_count = answer.frame_count;
		thread->unwind_note = answer.unwind_note;
		stages[index] = (unsigned char)stage;
		answer = old;
	}
	scene_frames_free(&answer);
	free(answer.unwind_note);
	return cursor->error;
}

/* Once of a module. */
static int take_file(struct scene *scene, struct cursor *cursor, uint64_t index)
{
	char *file = take_string(cursor), *debug_file = take_string(cursor);
	char *fault = take_string(cursor);
	struct scene_module *module = index < scene->module_count ? &scene->modules[index] : NULL;

	if (!cursor->error && (cursor->at != cursor->end || !module || module->file ||
			       module->debug_file || module->file_fault))
		cursor->error = -EBADMSG;
	if (cursor->error) {
		free(file);
		free(debug_file);
		free(fault);
		return cursor->error;
	}
	module->file = file;
	module->debug_file = debug_file;
	module->file_fault = fault;
	return 0;
}

ssize_t unwind_answers_take(struct scene *scene, unsigned char stage[], const void *data,
			    size_t bytes)
{
	const unsigned char *at = data, *end = at + bytes;

	while (end - at >= ANSWER_HEAD_BYTES) {
		uint64_t head[4];
		struct cursor cursor;
		int err;

		memcpy(head, at, sizeof(head));
		if (head[0] != ANSWER_MAGIC || head[3] > UNWIND_ANSWER_MAX - ANSWER_HEAD_BYTES)
			return -EBADMSG;
		if (head[3] > (uint64_t)(end - at - ANSWER_HEAD_BYTES))
			break;
		at += ANSWER_HEAD_BYTES;
		cursor = (struct cursor){.at = at, .end = at + head[3]};
		err = head[2] == UNWIND_FILE
			      ? take_file(scene, &cursor, head[1])
			      : take_answer(scene, stage, &cursor, head[1], head[2]);
		if (err)
			return err;
		at += head[3];
	}
	return at - (const unsigned char *)data;
}
