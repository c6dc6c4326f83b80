/* SPDX-License-Identifier: MIT */
#include "viewer/info_redo.h"

#include "viewer/format_json.h"

static bool has_frames(const struct meta_scene *scene, const struct redo *redo, uint64_t module)
{
	for (uint64_t i = 0; i < scene->thread_count; i++)
		for (uint64_t k = 0; k < redo->threads[i].frame_count; k++)
			if (redo->threads[i].frames[k].module.known &&
			    redo->threads[i].frames[k].module.bits == module)
				return true;
	return false;
}

static bool has_lines(const struct redo *redo, uint64_t thread_count, uint64_t module)
{
	for (uint64_t i = 0; i < thread_count; i++)
		for (uint64_t k = 0; k < redo->threads[i].frame_count; k++) {
			const struct meta_frame *frame = &redo->threads[i].frames[k];

			if (frame->module.known && frame->module.bits == module && frame->file.bytes)
				return true;
		}
	return false;
}

/* "debug information from elsewhere", "is another build by now (build-id ab): not used; wanted cd" */
static void put_module(struct out *out, const struct meta_module *module,
		       const struct redo_module *redone, bool is_found)
{
	out_text(out, "    ");
	out_escaped(out, module->path, 0);
	if (redone->fault.bytes) {
		out_char(out, ' ');
		out_escaped(out, redone->fault, 0);
		out_text(out, ": not used");
		if (module->build_id.bytes) {
			out_text(out, ", the dump is of build-id ");
			out_hex(out, module->build_id);
		}
		if (redone->file.bytes)
			out_text(out, "; names from ");
	} else if (!span_equal(redone->file, module->path)) {
		out_text(out, ": read from ");
	}
	if (!span_equal(redone->file, module->path))
		out_escaped(out, redone->file, 0);
	if (redone->debug_file.bytes && !span_equal(redone->debug_file, redone->file)) {
		out_text(out, ", debug information from ");
		out_escaped(out, redone->debug_file, 0);
	} else if (!is_found && !redone->fault.bytes) {
		out_text(out, ", no debug information found");
	}
	out_char(out, '\n');
}

void info_redo_text(struct out *out, const struct meta_scene *scene, const struct redo *redo)
{
	bool any = false;

	for (uint64_t i = 0; i < scene->module_count; i++) {
		const struct redo_module *redone = &redo->modules[i];

		if (!scene->modules[i].path.bytes || !(redone->file.bytes || redone->fault.bytes) ||
		    !has_frames(scene, redo, i))
			continue;
		if (!any)
			out_text(out, "  files for unwinding\n");
		put_module(out, &scene->modules[i], redone,
			   has_lines(redo, scene->thread_count, i));
		any = true;
	}
	if (any)
		out_char(out, '\n');
}

void info_redo_json_gained(struct out *out, unsigned char gained)
{
	static const struct {
		enum redo_gain gain;
		const char *name;
	} known[] = {
		{REDO_GAIN_FRAME, "frame"},
		{REDO_GAIN_SYMBOL, "symbol"},
		{REDO_GAIN_FUNCTION, "function"},
		{REDO_GAIN_LINE, "line"},
	};
	bool is_first = true;

	json_key(out, "gained");
	out_char(out, '[');
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (!(gained & known[i].gain))
			continue;
		out_printf(out, "%s\"%s\"", is_first ? "" : ",", known[i].name);
		is_first = false;
	}
	out_char(out, ']');
}

void info_redo_json_module(struct out *out, const struct redo_module *module)
{
	json_known(out, "used_file", module->file);
	json_known(out, "used_debug_file", module->debug_file);
	json_known(out, "refused", module->fault);
}
