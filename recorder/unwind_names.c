/* SPDX-License-Identifier: MIT */
/* unwind_names.c - the symbol, the function, the file and the line of each frame. */
#include <dwarf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "recorder/unwind_parts.h"

static void name_symbol(Dwfl_Module *module, uint64_t address, struct scene_frame *frame)
{
	GElf_Off offset;
	GElf_Sym symbol;
	const char *name;

	name = dwfl_module_addrinfo(module, address, &offset, &symbol, NULL, NULL, NULL);
	if (!name || !*name)
		return;
	frame->symbol = unwind_demangle(name, true);
	/* Of the pc, which may be one behind. */
	frame->symbol_offset = offset + (frame->pc - address);
}

static char *full_path(Dwarf_Die *unit, const char *path)
{
	Dwarf_Attribute attribute;
	const char *folder = NULL;
	char *full;

	if (!path)
		return NULL;
	if (path[0] != '/')
		folder = dwarf_formstring(dwarf_attr(unit, DW_AT_comp_dir, &attribute));
	if (!folder)
		return strdup(path);
	return asprintf(&full, "%s/%s", folder, path) < 0 ? NULL : full;
}

static void name_line(struct unwind_scopes *scopes, struct scene_frame *frame)
{
	Dwarf_Line *line = dwarf_getsrc_die(&scopes->unit, scopes->address);
	int number;

	if (!line)
		return;
	frame->file = full_path(&scopes->unit, dwarf_linesrc(line, NULL, NULL));
	if (!dwarf_lineno(line, &number) && number > 0)
		frame->line = (uint32_t)number;
	if (!dwarf_linecol(line, &number) && number > 0)
		frame->column = (uint32_t)number;
}

static uint32_t number_of(Dwarf_Die *die, unsigned int name)
{
	Dwarf_Attribute attribute;
	Dwarf_Word value;

	if (!dwarf_attr(die, name, &attribute) || dwarf_formudata(&attribute, &value) ||
	    value > UINT32_MAX)
		return 0;
	return (uint32_t)value;
}

/* Where the inner function was called from, in that which it was inlined into. */
static void name_call(struct unwind_scopes *scopes, Dwarf_Die *inner, struct scene_frame *frame)
{
	const uint32_t file = number_of(inner, DW_AT_call_file);
	Dwarf_Files *files;
	Dwarf_Die unit;
	size_t count;

	frame->line = number_of(inner, DW_AT_call_line);
	frame->column = number_of(inner, DW_AT_call_column);
	if (dwarf_diecu(inner, &unit, NULL, NULL) && !dwarf_getsrcfiles(&unit, &files, &count) &&
	    file < count)
		frame->file = full_path(&scopes->unit, dwarf_filesrc(files, file, NULL, NULL));
}

struct frames {
	struct scene_frame *frame;
	unsigned int count;
};

static struct scene_frame *next(struct frames *out)
{
	return out->count < SCENE_FRAMES_MAX ? &out->frame[out->count++] : NULL;
}

/*
 * Debug information names a copy that the compiler specialised without its namespace and class; the
 * symbol has them.
 */
static void qualify(struct scene_frame *frame)
{
	const char *symbol = frame->symbol, *end;
	size_t length, qualified;
	char *name;

	if (!symbol || !frame->function || strchr(frame->function, ':'))
		return;
	end = symbol + strcspn(symbol, "( ");
	length = strlen(frame->function);
	qualified = (size_t)(end - symbol);
	if (qualified < length + 2 || memcmp(end - length - 2, "::", 2) ||
	    memcmp(end - length, frame->function, length))
		return;
	name = strndup(symbol, qualified);
	if (!name)
		return;
	free(frame->function);
	frame->function = name;
}

static void name_scopes(struct unwind_scopes *scopes, const struct scene_frame *bare,
			struct frames *out)
{
	struct scene_frame *frame = &out->frame[out->count - 1];

	name_line(scopes, frame);
	if (scopes->count)
		frame->function = unwind_function_name(&scopes->die[0]);
	for (unsigned int i = 1; i < scopes->count; i++) {
		frame = next(out);
		if (!frame)
			return;
		*frame = *bare;
		frame->flags |= SCENE_FRAME_INLINE;
		frame->function = unwind_function_name(&scopes->die[i]);
		name_call(scopes, &scopes->die[i - 1], frame);
	}
}

static void name_frame(struct unwind_modules *modules, const struct scene_frame *bare,
		       struct frames *out)
{
	const uint64_t address = bare->pc - !(bare->flags & SCENE_FRAME_ACTIVATION);
	Dwfl *names = unwind_modules_names(modules, bare->module);
	Dwfl_Module *module = names ? dwfl_addrmodule(names, address) : NULL;
	struct scene_frame *frame = next(out);
	static struct unwind_scopes scopes;
	unsigned int first = out->count - 1;

	if (!frame)
		return;
	*frame = *bare;
	/* What lies in the range of a file, but was another mapping, is not in the file. */
	if (!module)
		return;
	name_symbol(module, address, frame);
	if (unwind_find_scopes(module, address, &scopes))
		name_scopes(&scopes, bare, out);
	for (first++; first < out->count; first++)
		if (frame->symbol) {
			out->frame[first].symbol = strdup(frame->symbol);
			out->frame[first].symbol_offset = frame->symbol_offset;
		}
	/* The symbol is that of the function which all others were inlined into. */
	qualify(&out->frame[out->count - 1]);
}

void unwind_name_frames(struct unwind_modules *modules, struct scene_thread *thread)
{
	struct frames out = {0};

	out.frame = calloc(SCENE_FRAMES_MAX, sizeof(out.frame[0]));
	if (!out.frame)
		return;
	for (unsigned int i = 0; i < thread->frame_count && out.count < SCENE_FRAMES_MAX; i++)
		name_frame(modules, &thread->frames[i], &out);
	free(thread->frames);
	thread->frames = out.frame;
	thread->frame_count = out.count;
}
