/* SPDX-License-Identifier: MIT */
#include "viewer/fault.h"

#include <inttypes.h>

/* Nothing is mapped below it, vm.mmap_min_addr: an address there is an offset from null. */
#define NULL_BYTES (UINT64_C(64) << 10)

/* Of a page fault on x86-64: arch/x86/include/asm/trap_pf.h */
#define PAGE_FAULT_TRAP 14
#define PAGE_FAULT_WRITE 2
#define PAGE_FAULT_FETCH 16

static const struct meta_scene_thread *fatal_thread(const struct meta_scene *scene)
{
	for (uint64_t i = 0; i < scene->thread_count; i++)
		if (scene->threads[i].is_fatal)
			return &scene->threads[i];
	return NULL;
}

static const char *access_of(const struct meta_cause *cause, const struct meta_scene_thread *thread)
{
	if (cause->ip.known && cause->ip.bits == cause->fault_address.bits)
		return "execution of";
	/* Only x86-64 has both. */
	if (!thread || !thread->trap.known || thread->trap.bits != PAGE_FAULT_TRAP ||
	    !thread->error_code.known)
		return "access to";
	if (thread->error_code.bits & PAGE_FAULT_FETCH)
		return "execution of";
	return thread->error_code.bits & PAGE_FAULT_WRITE ? "write to" : "read of";
}

static bool explain_null(struct out *out, uint64_t address)
{
	if (address == 0)
		out_text(out, "a null pointer");
	else if (address < NULL_BYTES)
		out_printf(out, "a null pointer plus %" PRIu64, address);
	else if (-address < NULL_BYTES)
		out_printf(out, "a null pointer minus %" PRIu64, -address);
	else
		return false;
	return true;
}

/* NULL: it is not known, or does not have that address. */
static const struct meta_mapping *mapping_of(const struct meta_scene *scene, uint64_t address)
{
	const struct meta_mapping *mapping = &scene->fault_mapping;

	if (!mapping->access.bytes || address < mapping->start.bits || address >= mapping->end.bits)
		return NULL;
	return mapping;
}

/* Memory that nobody may touch is there to be hit. */
static bool is_guard(const struct meta_mapping *mapping)
{
	return span_is(mapping->access, "---p") && !mapping->path.bytes;
}

static void put_guard(struct out *out, const struct meta_mapping *mapping, uint64_t address)
{
	out_printf(out, "in a guard of %" PRIu64 " bytes, %" PRIu64 " below its end",
		   mapping->end.bits - mapping->start.bits, mapping->end.bits - address);
}

static bool explain_stack(struct out *out, const struct meta_cause *cause,
			  const struct meta_scene *scene)
{
	const uint64_t address = cause->fault_address.bits;
	const struct meta_mapping *mapping = mapping_of(scene, address);

	if (!cause->stack_overflow)
		return false;
	out_text(out, "the stack has no room left");
	if (cause->sp.known && address < cause->sp.bits)
		out_printf(out, ", %" PRIu64 " bytes below the stack pointer",
			   cause->sp.bits - address);
	if (mapping && is_guard(mapping)) {
		out_text(out, ", ");
		put_guard(out, mapping, address);
	}
	return true;
}

static bool explain_mapping(struct out *out, const struct meta_scene *scene, uint64_t address)
{
	const struct meta_mapping *mapping = mapping_of(scene, address);

	if (!mapping)
		return false;
	if (is_guard(mapping)) {
		put_guard(out, mapping, address);
		return true;
	}
	out_text(out, "in ");
	if (mapping->path.bytes)
		out_escaped(out, mapping->path, 0);
	else
		out_text(out, "memory without a file, at ");
	out_printf(out, "+0x%" PRIx64 " (", address - mapping->start.bits + mapping->offset.bits);
	out_escaped(out, mapping->access, 0);
	out_char(out, ')');
	return true;
}

static bool explain_module(struct out *out, const struct meta_scene *scene, uint64_t address)
{
	const struct meta_module *module = scene_module_at(scene, address);

	if (!module)
		return false;
	out_text(out, "in the code of ");
	if (module->path.bytes)
		out_escaped(out, module->path, 0);
	else
		out_text(out, "memory without a file");
	out_printf(out, "+0x%" PRIx64, address - module->start.bits + module->offset.bits);
	return true;
}

static bool explain_other_stack(struct out *out, const struct meta_scene *scene, uint64_t address)
{
	for (uint64_t i = 0; i < scene->thread_count; i++) {
		const struct meta_scene_thread *thread = &scene->threads[i];

		for (uint64_t k = 0; k < thread->slice_count; k++) {
			if (address - thread->slices[k].address >= thread->slices[k].bytes.bytes)
				continue;
			out_text(out, "in the stack of thread ");
			out_escaped(out, thread->name, 0);
			out_printf(out, " (tid %" PRIu64 ")", thread->tid.bits);
			return true;
		}
	}
	return false;
}

static void explain_code(struct out *out, const struct meta_cause *cause)
{
	static const struct {
		const char *code, *words;
	} known[] = {
		{"SEGV_MAPERR", "nothing is mapped there"},
		{"SEGV_ACCERR", "mapped, but not for that"},
		{"SEGV_PKUERR", "a protection key forbids it"},
		{"BUS_ADRERR", "mapped, but the file ends before it"},
		{"BUS_ADRALN", "not aligned as the instruction wants it"},
		{"FPE_INTDIV", "where an integer is divided by zero"},
		{"ILL_ILLOPN", "where there is no such instruction"},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (span_is(cause->code_name, known[i].code)) {
			out_text(out, known[i].words);
			return;
		}
	out_text(out, "the kernel says no more than ");
	out_escaped(out, cause->code_name, 0);
}

static void put_place(struct out *out, const struct meta_cause *cause,
		      const struct meta_scene *scene, uint64_t address)
{
	struct out place;

	out_init(&place, -1);
	if (explain_module(&place, scene, address) || explain_other_stack(&place, scene, address) ||
	    explain_mapping(&place, scene, address))
		out_text(out, ", ");
	else if (!span_is(cause->code_name, "SEGV_MAPERR"))
		out_text(out, ", in no code and no stack that is known");
	out_span(out, span_of(&place));
	out_fini(&place);
}

bool fault_explain(struct out *out, const struct meta_cause *cause, const struct meta_scene *scene)
{
	uint64_t address = cause->fault_address.bits;

	if (!span_is(cause->how, "fault"))
		return false;
	if (!cause->fault_address.known) {
		if (!span_is(cause->code_name, "SI_KERNEL"))
			return false;
		out_text(out,
			 "the processor does not say where: an address that no program can have, "
			 "or an instruction that it may not execute");
		return true;
	}
	/* Of these two the address is that of the instruction. */
	if (span_is(cause->signal_name, "SIGFPE") || span_is(cause->signal_name, "SIGILL"))
		out_text(out, "instruction at");
	else
		out_text(out, access_of(cause, fatal_thread(scene)));
	out_printf(out, " 0x%" PRIx64 ": ", address);
	if (explain_stack(out, cause, scene) || explain_null(out, address))
		return true;
	explain_code(out, cause);
	put_place(out, cause, scene, address);
	return true;
}
