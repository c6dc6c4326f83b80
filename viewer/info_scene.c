/* SPDX-License-Identifier: MIT */
#include "viewer/info_scene.h"

#include <inttypes.h>

#include "viewer/format_json.h"
#include "viewer/info_redo.h"

/* Rounds of a recursion that are shown as a count: of so many frames at most, if there are so many. */
#define ROUND_MAX 8
#define FOLDED_MIN 3

static bool is_known(const struct meta_scene *scene)
{
	return scene->thread_total.known || scene->thread_count;
}

/* ---- for people -------------------------------------------------------------------------------
 */

static void put_module(struct out *out, const struct meta_module *module, uint64_t offset)
{
	static const char anonymous[] = "memory without a file";

	out_escaped(out,
		    module->path.bytes ? module->path
				       : (struct span){anonymous, sizeof(anonymous) - 1},
		    0);
	out_printf(out, "+0x%" PRIx64, offset);
	if (!module->build_id.bytes)
		return;
	out_text(out, " build-id ");
	out_hex(out, module->build_id);
}

/* By the mapping alone: an offset in the file. */
static void put_place(struct out *out, const struct meta_scene *scene, uint64_t pc)
{
	const struct meta_module *module = scene_module_at(scene, pc);

	if (module)
		put_module(out, module, pc - module->start.bits + module->offset.bits);
	else
		out_text(out, "nothing is mapped there to execute");
}

static void put_line(struct out *out, const struct meta_frame *frame)
{
	if (!frame->file.bytes)
		return;
	out_text(out, " (");
	out_escaped(out, frame->file, 0);
	if (frame->line.bits)
		out_printf(out, ":%" PRIu64, frame->line.bits);
	out_char(out, ')');
}

/* What is shown of a thread: as it was recorded, or unwound again. */
struct stack {
	const struct meta_frame *frames;
	const unsigned char *gained; /* NULL: as it was recorded */
	uint64_t frame_count;
	struct span note;
};

static struct stack stack_of(const struct meta_scene *scene, const struct redo *redo,
			     uint64_t index)
{
	const struct meta_scene_thread *thread = &scene->threads[index];

	if (redo)
		return (struct stack){redo->threads[index].frames, redo->threads[index].gained,
				      redo->threads[index].frame_count, redo->threads[index].note};
	return (struct stack){thread->frames, NULL, thread->frame_count, thread->note};
}

/* The frame behind it says whether this one's function was inlined there. */
static void put_frame(struct out *out, const struct meta_scene *scene, const struct stack *stack,
		      uint64_t index)
{
	const struct meta_frame *frame = &stack->frames[index];

	out_text(out, stack->gained && stack->gained[index] ? "  + " : "    ");
	out_printf(out, "#%-3" PRIu64 " 0x%016" PRIx64 " ", index, frame->pc.bits);
	if (frame->function.bytes) {
		out_escaped(out, frame->function, 0);
	} else if (frame->symbol.bytes) {
		out_escaped(out, frame->symbol, 0);
		out_printf(out, "+0x%" PRIx64, frame->symbol_offset.bits);
	} else if (frame->module.known && frame->module.bits < scene->module_count) {
		put_module(out, &scene->modules[frame->module.bits], frame->offset.bits);
	} else {
		put_place(out, scene, frame->pc.bits);
	}
	put_line(out, frame);
	if (index + 1 < stack->frame_count && frame[1].is_inline)
		out_text(out, " [inlined]");
	if (frame->is_guessed)
		out_text(out, " [guessed]");
	if (index && frame->is_activation && !frame->is_inline && index + 1 < stack->frame_count &&
	    frame[1].is_activation)
		out_text(out, " [a signal's handler returns here]");
	out_char(out, '\n');
}

static void put_gain(struct out *out, uint64_t count, const char *what, bool *is_first)
{
	if (!count)
		return;
	out_printf(out, "%s%" PRIu64 " %s%s", *is_first ? "" : ", ", count, what,
		   count == 1 ? "" : "s");
	*is_first = false;
}

static void put_gains(struct out *out, const struct redo_thread *thread)
{
	bool is_first = true;

	if (!thread->new_frames && !thread->new_symbols && !thread->new_functions &&
	    !thread->new_lines) {
		out_text(out, "    unwound again: no more than the recorder saw\n");
		return;
	}
	out_text(out, "    + unwound again, and more than the recorder saw: ");
	put_gain(out, thread->new_frames, "frame", &is_first);
	put_gain(out, thread->new_symbols, "symbol", &is_first);
	put_gain(out, thread->new_functions, "function", &is_first);
	put_gain(out, thread->new_lines, "line", &is_first);
	out_char(out, '\n');
}

static bool is_of(const struct meta_frame *frame, uint64_t module)
{
	return frame->module.known && frame->module.bits == module;
}

/* Are there frames of it, and not one has the name of a function? */
static bool is_nameless(const struct stack *stack, uint64_t module)
{
	bool any = false;

	for (uint64_t i = 0; i < stack->frame_count; i++) {
		if (is_of(&stack->frames[i], module) && stack->frames[i].function.bytes)
			return false;
		any |= is_of(&stack->frames[i], module);
	}
	return any;
}

/* Whoever wrote the dump may not have had what is installed by now. */
static void put_hint(struct out *out, const struct meta_scene *scene, const struct stack *stack)
{
	bool any = false;

	for (uint64_t i = 0; i < scene->module_count; i++) {
		if (!scene->modules[i].path.bytes || !is_nameless(stack, i))
			continue;
		out_text(out, any ? ", " : "    no debug information of ");
		out_escaped(out, scene->modules[i].path, 0);
		any = true;
	}
	if (any)
		out_text(out, " was found: --unwind looks again\n");
}

/* How many frames from there on are as those `length` before: of a recursion. */
static uint64_t count_same(const struct stack *stack, uint64_t from, uint64_t length)
{
	uint64_t count = 0;

	while (from + count < stack->frame_count &&
	       stack->frames[from + count].pc.bits == stack->frames[from + count - length].pc.bits &&
	       stack->frames[from + count].is_inline == stack->frames[from + count - length].is_inline)
		count++;
	return count;
}

/* Behind a round of a recursion: how many frames need not be shown, as they are rounds like it. */
static uint64_t count_rounds(const struct stack *stack, uint64_t from, uint64_t *ret_length)
{
	for (uint64_t length = 1; length <= ROUND_MAX && length <= from; length++) {
		const uint64_t same = count_same(stack, from, length) / length * length;

		if (same >= FOLDED_MIN * length && same >= FOLDED_MIN) {
			*ret_length = length;
			return same;
		}
	}
	return 0;
}

static void put_frames(struct out *out, const struct meta_scene *scene, const struct stack *stack)
{
	uint64_t length, folded;

	for (uint64_t i = 0; i < stack->frame_count; i++) {
		folded = count_rounds(stack, i, &length);
		if (!folded) {
			put_frame(out, scene, stack, i);
			continue;
		}
		out_printf(out, "    ...  %" PRIu64 " more of the same", folded);
		if (length > 1)
			out_printf(out, " %" PRIu64 " frames", length);
		out_printf(out, ", #%" PRIu64 " to #%" PRIu64 "\n", i, i + folded - 1);
		i += folded - 1;
	}
}

static void put_thread(struct out *out, const struct meta_scene *scene, const struct redo *redo,
		       uint64_t index)
{
	const struct meta_scene_thread *thread = &scene->threads[index];
	const struct stack stack = stack_of(scene, redo, index);
	const struct number pc = scene_pc(thread);

	out_text(out, "  stack of thread ");
	out_escaped(out, thread->name, 0);
	out_printf(out, " (tid %" PRIu64 ")\n", thread->tid.bits);
	put_frames(out, scene, &stack);
	if (!stack.frame_count && pc.known) {
		out_printf(out, "    #%-3u 0x%016" PRIx64 " ", 0, pc.bits);
		put_place(out, scene, pc.bits);
		out_char(out, '\n');
	}
	if (stack.note.bytes) {
		out_text(out, "    ");
		out_escaped(out, stack.note, 0);
		out_char(out, '\n');
	}
	if (redo)
		put_gains(out, &redo->threads[index]);
	else if (thread->is_fatal)
		put_hint(out, scene, &stack);
	out_char(out, '\n');
}

static bool put_left_out(struct out *out, const struct meta_scene *scene)
{
	bool any = false;

	const struct {
		uint64_t count;
		const char *what;
	} left_out[] = {
		{scene->threads_left_out.bits, "threads"},
		{scene->pages_left_out.bits, "pages of stacks"},
		{scene->modules_left_out.bits, "mappings"},
	};

	for (size_t i = 0; i < sizeof(left_out) / sizeof(left_out[0]); i++) {
		if (!left_out[i].count)
			continue;
		out_printf(out, "  %" PRIu64 " %s had no room in the scene\n", left_out[i].count,
			   left_out[i].what);
		any = true;
	}
	if (scene->modules_cut)
		out_text(out, "  the list of mappings was cut short at the death, and is completed "
			      "by what was known before\n");
	return any || scene->modules_cut;
}

void info_scene_text(struct out *out, const struct meta_scene *scene, const struct redo *redo,
		     bool all)
{
	uint64_t others = 0;

	if (!is_known(scene))
		return;
	for (uint64_t i = 0; i < scene->thread_count; i++) {
		if (all || scene->threads[i].is_fatal)
			put_thread(out, scene, redo, i);
		else
			others += 1;
	}
	if (redo)
		info_redo_text(out, scene, redo);
	if (others)
		out_printf(out, "  %" PRIu64 " other thread%s known stack%s (--threads shows %s)\n",
			   others, others == 1 ? " has a" : "s have", others == 1 ? "" : "s",
			   others == 1 ? "it" : "them");
	if (put_left_out(out, scene) || others)
		out_char(out, '\n');
}

/* ---- for programs -----------------------------------------------------------------------------
 */

static void put_hex(struct out *out, const char *key, struct span span)
{
	json_key(out, key);
	if (!span.bytes) {
		out_text(out, "null");
		return;
	}
	out_char(out, '"');
	out_hex(out, span);
	out_char(out, '"');
}

/* gained: NULL: as it was recorded. */
static void json_frame(struct out *out, const struct meta_frame *frame,
		       const unsigned char *gained)
{
	out_char(out, '{');
	json_address(out, "pc", frame->pc);
	json_number(out, "module", frame->module);
	json_address(out, "offset", frame->offset);
	json_known(out, "symbol", frame->symbol);
	json_address(out, "symbol_offset", frame->symbol_offset);
	json_known(out, "function", frame->function);
	json_known(out, "file", frame->file);
	json_number(out, "line", frame->line);
	json_number(out, "column", frame->column);
	json_truth(out, "inline", frame->is_inline);
	json_truth(out, "activation", frame->is_activation);
	json_truth(out, "guessed", frame->is_guessed);
	if (gained)
		info_redo_json_gained(out, *gained);
	out_char(out, '}');
}

static void json_frames(struct out *out, const char *key, const struct stack *stack)
{
	json_key(out, key);
	out_char(out, '[');
	for (uint64_t i = 0; i < stack->frame_count; i++) {
		if (i)
			out_char(out, ',');
		json_frame(out, &stack->frames[i], stack->gained ? &stack->gained[i] : NULL);
	}
	out_char(out, ']');
}

static void json_registers(struct out *out, const struct meta_scene_thread *thread)
{
	json_key(out, "registers");
	out_char(out, '{');
	for (uint64_t i = 0; i < thread->register_count; i++) {
		if (i)
			out_char(out, ',');
		out_json_string(out, thread->registers[i].name);
		out_printf(out, ":\"0x%" PRIx64 "\"", thread->registers[i].value.bits);
	}
	out_char(out, '}');
}

static void json_slices(struct out *out, const struct meta_scene_thread *thread)
{
	json_key(out, "slices");
	out_char(out, '[');
	for (uint64_t i = 0; i < thread->slice_count; i++) {
		out_text(out, i ? ",{" : "{");
		json_address(out, "address", (struct number){thread->slices[i].address, true});
		json_number(out, "bytes", (struct number){thread->slices[i].bytes.bytes, true});
		out_char(out, '}');
	}
	out_char(out, ']');
}

static void json_thread(struct out *out, const struct meta_scene *scene, const struct redo *redo,
			uint64_t index)
{
	const struct meta_scene_thread *thread = &scene->threads[index];
	const struct stack stack = stack_of(scene, redo, index);
	const struct stack recorded = stack_of(scene, NULL, index);

	out_char(out, '{');
	json_number(out, "tid", thread->tid);
	json_span(out, "name", thread->name);
	json_truth(out, "fatal", thread->is_fatal);
	json_registers(out, thread);
	json_address(out, "fs_base", thread->fs_base);
	json_address(out, "fault_address", thread->fault_address);
	json_number(out, "error_code", thread->error_code);
	json_number(out, "trap", thread->trap);
	json_address(out, "alternate_stack", thread->alternate_stack);
	json_number(out, "alternate_stack_bytes", thread->alternate_stack_bytes);
	json_address(out, "interrupted_sp", thread->interrupted_sp);
	json_address(out, "code_address", thread->code_address);
	put_hex(out, "code", thread->code);
	json_slices(out, thread);
	json_frames(out, "frames", &stack);
	json_known(out, "note", stack.note);
	if (redo) {
		json_frames(out, "recorded_frames", &recorded);
		json_known(out, "recorded_note", recorded.note);
	}
	out_char(out, '}');
}

static void json_module(struct out *out, const struct meta_module *module,
			const struct redo_module *redone)
{
	out_char(out, '{');
	json_address(out, "start", module->start);
	json_address(out, "end", module->end);
	json_address(out, "offset", module->offset);
	json_number(out, "inode", module->inode);
	put_hex(out, "build_id", module->build_id);
	json_known(out, "path", module->path);
	if (redone)
		info_redo_json_module(out, redone);
	out_char(out, '}');
}

static void json_fault_mapping(struct out *out, const struct meta_mapping *mapping)
{
	json_key(out, "fault_mapping");
	if (!mapping->access.bytes) {
		out_text(out, "null");
		return;
	}
	out_char(out, '{');
	json_address(out, "start", mapping->start);
	json_address(out, "end", mapping->end);
	json_address(out, "offset", mapping->offset);
	json_known(out, "path", mapping->path);
	json_known(out, "access", mapping->access);
	out_char(out, '}');
}

void info_scene_json(struct out *out, const struct meta_scene *scene, const struct redo *redo)
{
	json_key(out, "scene");
	if (!is_known(scene)) {
		out_text(out, "null");
		return;
	}
	out_char(out, '{');
	json_key(out, "threads");
	out_char(out, '[');
	for (uint64_t i = 0; i < scene->thread_count; i++) {
		if (i)
			out_char(out, ',');
		json_thread(out, scene, redo, i);
	}
	out_char(out, ']');
	json_key(out, "modules");
	out_char(out, '[');
	for (uint64_t i = 0; i < scene->module_count; i++) {
		if (i)
			out_char(out, ',');
		json_module(out, &scene->modules[i], redo ? &redo->modules[i] : NULL);
	}
	out_char(out, ']');
	json_number(out, "threads_left_out", scene->threads_left_out);
	json_number(out, "pages_left_out", scene->pages_left_out);
	json_number(out, "modules_left_out", scene->modules_left_out);
	json_truth(out, "modules_cut", scene->modules_cut);
	json_fault_mapping(out, &scene->fault_mapping);
	if (redo)
		json_truth(out, "redone", true);
	out_char(out, '}');
}
