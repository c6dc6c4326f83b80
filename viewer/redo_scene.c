/* SPDX-License-Identifier: MIT */
/*
 * redo_scene.c - a dump's scene as the recorder had it.
 *
 * Of what the dump says only the types were checked: numbers may be anything.
 */
#include "viewer/redo_scene.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define X86_REGISTERS 17
#define ARM64_REGISTERS 33

static bool is_named(const struct meta_register *of, const char *name)
{
	return span_is(of->name, name);
}

/* By the numbers of DWARF. -1: no such register. */
static int number_of_register(const struct meta_register *of, bool *ret_is_arm64)
{
	static const char *const x86[X86_REGISTERS] = {
		"rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp", "r8",
		"r9",  "r10", "r11", "r12", "r13", "r14", "r15", "rip"};
	char name[16];

	for (int i = 0; i < X86_REGISTERS; i++)
		if (is_named(of, x86[i]))
			return i;
	*ret_is_arm64 = true;
	for (int i = 0; i < ARM64_REGISTERS - 2; i++) {
		snprintf(name, sizeof(name), "x%d", i);
		if (is_named(of, name))
			return i;
	}
	return is_named(of, "sp") ? ARM64_REGISTERS - 2 : is_named(of, "pc") ? ARM64_REGISTERS - 1 : -1;
}

/* None, if they are not those of a machine: who unwinds knows its own by their count. */
static void take_registers(struct scene_thread *to, const struct meta_scene_thread *from)
{
	uint64_t seen = 0;
	bool is_arm64 = false;

	for (uint64_t i = 0; i < from->register_count; i++) {
		const int number = number_of_register(&from->registers[i], &is_arm64);

		if (number < 0)
			continue;
		to->registers[number] = from->registers[i].value.bits;
		seen |= UINT64_C(1) << number;
	}
	to->register_count = is_arm64 ? ARM64_REGISTERS : X86_REGISTERS;
	if (seen != (UINT64_C(1) << to->register_count) - 1)
		to->register_count = 0;
}

static bool take_slices(struct scene_thread *to, const struct meta_scene_thread *from)
{
	to->slices = calloc(from->slice_count + 1, sizeof(to->slices[0]));
	if (!to->slices)
		return false;
	for (uint64_t i = 0; i < from->slice_count; i++) {
		const struct meta_slice *slice = &from->slices[i];
		struct scene_slice *copy = &to->slices[to->slice_count];

		if (slice->address > UINT64_MAX - slice->bytes.bytes)
			continue;
		*copy = (struct scene_slice){.address = slice->address, .bytes = slice->bytes.bytes,
					     .data = malloc(slice->bytes.bytes + 1)};
		if (!copy->data)
			return false;
		memcpy(copy->data, slice->bytes.data, slice->bytes.bytes);
		to->slice_count++;
	}
	return true;
}

static bool take_frames(struct scene_thread *to, const struct meta_scene_thread *from,
			uint64_t module_count)
{
	to->frames = calloc(from->frame_count + 1, sizeof(to->frames[0]));
	if (!to->frames)
		return false;
	for (uint64_t i = 0; i < from->frame_count; i++) {
		const struct meta_frame *frame = &from->frames[i];
		const bool has_module = frame->module.known && frame->module.bits < module_count;

		to->frames[to->frame_count++] = (struct scene_frame){
			.pc = frame->pc.bits,
			.flags = (frame->is_activation ? SCENE_FRAME_ACTIVATION : 0) |
				 (frame->is_inline ? SCENE_FRAME_INLINE : 0) |
				 (frame->is_guessed ? SCENE_FRAME_GUESSED : 0),
			.module = has_module ? (int32_t)frame->module.bits : -1,
			.offset = frame->offset.bits,
		};
	}
	return true;
}

static bool take_thread(struct scene_thread *to, const struct meta_scene_thread *from,
			uint64_t module_count)
{
	to->tid = (uint32_t)from->tid.bits;
	to->is_fatal = from->is_fatal;
	to->fault_address = from->fault_address.bits;
	to->error_code = from->error_code.bits;
	to->trap = from->trap.bits;
	take_registers(to, from);
	if (from->note.bytes)
		to->unwind_note = strndup(from->note.data, from->note.bytes);
	return take_slices(to, from) && take_frames(to, from, module_count);
}

static bool take_module(struct scene_module *to, const struct meta_module *from)
{
	to->start = from->start.bits;
	to->end = from->end.bits;
	to->offset = from->offset.bits;
	to->inode = from->inode.bits;
	if (from->build_id.bytes && from->build_id.bytes <= SCENE_BUILD_ID_MAX) {
		to->build_id_bytes = (uint8_t)from->build_id.bytes;
		memcpy(to->build_id, from->build_id.data, from->build_id.bytes);
	}
	if (!from->path.bytes)
		return true;
	to->path = strndup(from->path.data, from->path.bytes);
	return to->path;
}

bool redo_scene_take(struct scene *to, const struct meta_scene *from, const struct meta *meta)
{
	const uint64_t thread_count = from->thread_count <= SCENE_THREADS_MAX ? from->thread_count
									      : SCENE_THREADS_MAX;

	to->root_fd = -1;
	to->uid = meta->process.uid.known ? (uid_t)meta->process.uid.bits : (uid_t)-1;
	to->gid = meta->process.gid.known ? (gid_t)meta->process.gid.bits : (gid_t)-1;
	to->threads = calloc(thread_count + 1, sizeof(to->threads[0]));
	to->modules = calloc(from->module_count + 1, sizeof(to->modules[0]));
	if (!to->threads || !to->modules)
		return false;
	for (uint64_t i = 0; i < from->module_count && i < SCENE_MODULES_MAX; i++)
		if (!take_module(&to->modules[to->module_count++], &from->modules[i]))
			return false;
	for (uint64_t i = 0; i < thread_count; i++)
		if (!take_thread(&to->threads[to->thread_count++], &from->threads[i],
				 to->module_count))
			return false;
	return true;
}
