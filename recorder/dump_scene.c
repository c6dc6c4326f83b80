/* SPDX-License-Identifier: MIT */
/* The scene in a dump: the modules in a map, each thread in a map of its own. */
#include "recorder/dump_scene.h"

#include <stdio.h>
#include <string.h>

#include "recorder/dump_format.h"

_Static_assert(SCENE_THREADS_MAX + 1 <= DUMP_SCENE_THREADS_MAX &&
		       SCENE_MODULES_MAX <= DUMP_SCENE_MODULES_MAX &&
		       SCENE_FRAMES_MAX <= DUMP_SCENE_FRAMES_MAX &&
		       SCENE_REGISTERS_MAX <= DUMP_SCENE_REGISTERS_MAX,
	       "what is written can be read");

static void pair_bytes(struct pack *pack, struct pack_map *map, const char *key, const void *data,
		       size_t bytes)
{
	if (!bytes)
		return;
	pack_key(pack, map, key);
	pack_bytes(pack, data, bytes);
}

static void put_module(struct pack *pack, const struct scene_module *module)
{
	struct pack_map map = pack_map_begin(pack);

	pack_pair_uint(pack, &map, "start", module->start);
	pack_pair_uint(pack, &map, "end", module->end);
	pack_pair_uint(pack, &map, "offset", module->offset);
	pack_pair_known(pack, &map, "inode", module->inode);
	if (module->inode) {
		pack_pair_uint(pack, &map, "major", module->major);
		pack_pair_uint(pack, &map, "minor", module->minor);
	}
	pair_bytes(pack, &map, "build_id", module->build_id, module->build_id_bytes);
	pack_pair_string(pack, &map, "path", module->path);
	pack_map_end(pack, &map);
}

/* As /proc/PID/maps has it. */
static void put_fault_mapping(struct pack *pack, struct pack_map *map, const struct scene *scene)
{
	const struct scene_module *mapping = &scene->fault_mapping;
	const uint32_t access = scene->fault_access;
	const char letters[] = {access & 1 ? 'r' : '-', access & 2 ? 'w' : '-',
				access & 4 ? 'x' : '-', access & 8 ? 's' : 'p'};
	struct pack_map inner;

	if (!mapping->end)
		return;
	pack_key(pack, map, "fault_mapping");
	inner = pack_map_begin(pack);
	pack_pair_uint(pack, &inner, "start", mapping->start);
	pack_pair_uint(pack, &inner, "end", mapping->end);
	pack_pair_uint(pack, &inner, "offset", mapping->offset);
	pack_pair_string(pack, &inner, "path", mapping->path);
	pack_key(pack, &inner, "access");
	pack_string(pack, letters, sizeof(letters));
	pack_map_end(pack, &inner);
}

void dump_scene_encode(struct pack *pack, const struct scene *scene)
{
	struct pack_map map = pack_map_begin(pack), inner;

	pack_key(pack, &map, "scene");
	inner = pack_map_begin(pack);
	pack_pair_uint(pack, &inner, "threads", scene->thread_count);
	pack_pair_uint(pack, &inner, "threads_left_out", scene->threads_left_out);
	pack_pair_uint(pack, &inner, "pages_left_out", scene->pages_left_out);
	pack_pair_uint(pack, &inner, "modules_left_out", scene->modules_left_out);
	pack_pair_true(pack, &inner, "modules_cut", scene->modules_cut);
	put_fault_mapping(pack, &inner, scene);
	pack_map_end(pack, &inner);
	pack_key(pack, &map, "modules");
	pack_array(pack, scene->module_count);
	for (unsigned int i = 0; i < scene->module_count; i++)
		put_module(pack, &scene->modules[i]);
	pack_map_end(pack, &map);
}

/* ---- a thread --------------------------------------------------------------------------- */

#define X86_REGISTERS 17
#define ARM64_REGISTERS 33

static void put_registers(struct pack *pack, struct pack_map *map, const struct scene_thread *thread)
{
	static const char *const x86[X86_REGISTERS] = {
		"rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp", "r8",
		"r9",  "r10", "r11", "r12", "r13", "r14", "r15", "rip"};
	const unsigned int count = thread->register_count;
	char name[8];

	if (count != X86_REGISTERS && count != ARM64_REGISTERS)
		return;
	pack_key(pack, map, "registers");
	pack_map(pack, count);
	for (unsigned int i = 0; i < count; i++) {
		if (count == X86_REGISTERS)
			snprintf(name, sizeof(name), "%s", x86[i]);
		else if (i >= ARM64_REGISTERS - 2)
			snprintf(name, sizeof(name), "%s", i == ARM64_REGISTERS - 1 ? "pc" : "sp");
		else
			snprintf(name, sizeof(name), "x%u", i);
		pack_string(pack, name, strlen(name));
		pack_uint(pack, thread->registers[i]);
	}
}

static void put_frame(struct pack *pack, const struct scene_frame *frame)
{
	struct pack_map map = pack_map_begin(pack);

	pack_pair_uint(pack, &map, "pc", frame->pc);
	if (frame->module >= 0) {
		pack_pair_uint(pack, &map, "module", (uint64_t)frame->module);
		pack_pair_uint(pack, &map, "offset", frame->offset);
	}
	pack_pair_string(pack, &map, "symbol", frame->symbol);
	if (frame->symbol)
		pack_pair_uint(pack, &map, "symbol_offset", frame->symbol_offset);
	pack_pair_string(pack, &map, "function", frame->function);
	pack_pair_string(pack, &map, "file", frame->file);
	pack_pair_known(pack, &map, "line", frame->line);
	pack_pair_known(pack, &map, "column", frame->column);
	pack_pair_true(pack, &map, "inline", frame->flags & SCENE_FRAME_INLINE);
	pack_pair_true(pack, &map, "activation", frame->flags & SCENE_FRAME_ACTIVATION);
	pack_pair_true(pack, &map, "guessed", frame->flags & SCENE_FRAME_GUESSED);
	pack_map_end(pack, &map);
}

static void put_stack(struct pack *pack, struct pack_map *map, const struct scene_thread *thread)
{
	pack_key(pack, map, "slices");
	pack_array(pack, thread->slice_count);
	for (unsigned int i = 0; i < thread->slice_count; i++) {
		pack_array(pack, 2);
		pack_uint(pack, thread->slices[i].address);
		pack_bytes(pack, thread->slices[i].data, thread->slices[i].bytes);
	}
	if (!thread->frame_count)
		return;
	pack_key(pack, map, "frames");
	pack_array(pack, thread->frame_count);
	for (unsigned int i = 0; i < thread->frame_count; i++)
		put_frame(pack, &thread->frames[i]);
}

void dump_scene_encode_thread(struct pack *pack, const struct scene_thread *thread)
{
	struct pack_map map;

	pack_map(pack, 1);
	pack_string(pack, "scene_thread", strlen("scene_thread"));
	map = pack_map_begin(pack);
	pack_pair_uint(pack, &map, "tid", thread->tid);
	pack_key(pack, &map, "name");
	pack_string(pack, thread->name, strnlen(thread->name, sizeof(thread->name)));
	pack_pair_bool(pack, &map, "fatal", thread->is_fatal);
	put_registers(pack, &map, thread);
	pack_pair_known(pack, &map, "fs_base", thread->fs_base);
	pack_pair_uint(pack, &map, "fault_address", thread->fault_address);
	pack_pair_uint(pack, &map, "error_code", thread->error_code);
	pack_pair_uint(pack, &map, "trap", thread->trap);
	pack_pair_known(pack, &map, "alternate_stack", thread->alternate_stack);
	pack_pair_known(pack, &map, "alternate_stack_bytes", thread->alternate_stack_bytes);
	pack_pair_known(pack, &map, "interrupted_sp", thread->interrupted_sp);
	if (thread->code_bytes) {
		pack_pair_uint(pack, &map, "code_address", thread->code_address);
		pair_bytes(pack, &map, "code", thread->code, thread->code_bytes);
	}
	put_stack(pack, &map, thread);
	pack_pair_string(pack, &map, "note", thread->unwind_note);
	pack_map_end(pack, &map);
}
