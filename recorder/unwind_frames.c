/* SPDX-License-Identifier: MIT */
/*
 * unwind_frames.c - from registers and stack slices to frames, by the unwind information of the
 * files.
 *
 * libdwfl falls back to frame pointers where there is none. Compilers use that register for other
 * things, and so what comes after is marked as a guess, and there is little of it.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "recorder/unwind_parts.h"

#define GUESSES_MAX 16
#define NOTE_BYTES 512
#define NO_CODE_BELOW 4096 /* as vm.mmap_min_addr has it, at least */

#if defined(__x86_64__)
#define PC 16
#define SP 7
#define REGISTERS 17
#elif defined(__aarch64__)
#define PC 32
#define SP 31
#define LINK 30
#define REGISTERS 33
#endif

/* Of the thread that is being unwound; libdwfl knows it by its index and one. */
static struct walk {
	struct unwind_modules *modules;
	struct scene_thread *thread;
	uint64_t registers[SCENE_REGISTERS_MAX]; /* where it begins */
	bool begins_at_return; /* they are those of the caller: of a function that is not there */
	bool is_guessing, is_first;
	unsigned int guess_count;
	uint64_t unread; /* stack that a frame asked for and nobody captured */
	char note[NOTE_BYTES];
} walk;

/* ---- what libdwfl asks ------------------------------------------------------------------ */

static bool read_word(const struct scene_thread *thread, uint64_t address, uint64_t *ret_word)
{
	for (unsigned int i = 0; i < thread->slice_count; i++) {
		const struct scene_slice *slice = &thread->slices[i];

		if (address < slice->address || slice->bytes < sizeof(*ret_word) ||
		    address - slice->address > slice->bytes - sizeof(*ret_word))
			continue;
		memcpy(ret_word, slice->data + (address - slice->address), sizeof(*ret_word));
		return true;
	}
	return false;
}

static bool memory_read(Dwfl *dwfl, Dwarf_Addr address, Dwarf_Word *ret_word, void *context)
{
	uint64_t word;

	(void)dwfl, (void)context;
	if (!read_word(walk.thread, address, &word)) {
		walk.unread = address;
		return false;
	}
	*ret_word = word;
	return true;
}

static pid_t next_thread(Dwfl *dwfl, void *context, void **position)
{
	(void)dwfl, (void)context, (void)position;
	return 0;
}

static bool get_thread(Dwfl *dwfl, pid_t tid, void *context, void **ret_thread)
{
	(void)dwfl, (void)tid, (void)context;
	*ret_thread = &walk;
	return true;
}

static bool set_registers(Dwfl_Thread *thread, void *context)
{
	(void)context;
#if defined(__x86_64__)
	return dwfl_thread_state_registers(thread, 0, REGISTERS, walk.registers);
#elif defined(__aarch64__)
	dwfl_thread_state_register_pc(thread, walk.registers[PC]);
	return dwfl_thread_state_registers(thread, 0, REGISTERS - 1, walk.registers);
#else
	(void)thread;
	return false;
#endif
}

int unwind_attach(struct unwind_modules *modules)
{
	static const Dwfl_Thread_Callbacks callbacks = {
		.next_thread = next_thread,
		.get_thread = get_thread,
		.memory_read = memory_read,
		.set_initial_registers = set_registers,
	};

	walk.modules = modules;
	/* It wants to know the architecture of a module. */
	for (unsigned int i = 0; i < modules->scene->thread_count; i++)
		unwind_modules_report(modules, &modules->scene->threads[i]);
	dwfl_attach_state(modules->dwfl, NULL, 1, &callbacks, &walk);
	return 0;
}

/* ---- frames ----------------------------------------------------------------------------- */

static void __attribute__((format(printf, 1, 2))) say(const char *format, ...)
{
	const size_t used = strlen(walk.note);
	va_list arguments;

	if (used + 3 >= sizeof(walk.note))
		return;
	if (used)
		strcat(walk.note, "; ");
	va_start(arguments, format);
	vsnprintf(walk.note + strlen(walk.note), sizeof(walk.note) - strlen(walk.note), format,
		  arguments);
	va_end(arguments);
}

static void say_of_module(int index, const char *what)
{
	const struct scene_module *module = &walk.modules->scene->modules[index];

	say("%.300s %s", module->path ? module->path : "what was mapped there", what);
}

/* Is it known how to go on from here? */
static bool has_unwind_information(uint64_t address)
{
	Dwfl_Module *module = dwfl_addrmodule(walk.modules->dwfl, address);
	Dwarf_Frame *frame;
	Dwarf_Addr bias;
	Dwarf_CFI *cfi;

	cfi = module ? dwfl_module_eh_cfi(module, &bias) : NULL;
	if (!cfi || dwarf_cfi_addrframe(cfi, address - bias, &frame)) {
		cfi = module ? dwfl_module_dwarf_cfi(module, &bias) : NULL;
		if (!cfi || dwarf_cfi_addrframe(cfi, address - bias, &frame))
			return false;
	}
	free(frame);
	return true;
}

static void add_frame(uint64_t pc, bool is_activation)
{
	struct scene_thread *thread = walk.thread;
	const int module = unwind_module_of(walk.modules->scene, pc - !is_activation);
	struct scene_frame *frame = &thread->frames[thread->frame_count++];

	*frame = (struct scene_frame){
		.pc = pc,
		.flags = (is_activation ? SCENE_FRAME_ACTIVATION : 0) |
			 (walk.is_guessing ? SCENE_FRAME_GUESSED : 0),
		.module = module,
	};
	if (module >= 0) {
		const struct scene_module *from = &walk.modules->scene->modules[module];
		const struct unwind_module_state *state = &walk.modules->state[module];

		frame->offset = state->is_tried && (!state->fault || state->has_names)
					? pc - state->bias
					: pc - from->start + from->offset;
	}
}

/* From here on it is frame pointers, if anything. */
static void begin_to_guess(uint64_t address)
{
	const int module = unwind_module_of(walk.modules->scene, address);
	const char *fault = module >= 0 ? walk.modules->state[module].fault : NULL;

	walk.is_guessing = true;
	if (module < 0)
		say("0x%llx is in no file", (unsigned long long)address);
	else
		say_of_module(module, fault ? fault : "does not say how to unwind there");
}

static int on_frame(Dwfl_Frame *state, void *context)
{
	bool is_activation;
	Dwarf_Addr pc;

	(void)context;
	if (walk.thread->frame_count >= SCENE_FRAMES_MAX) {
		say("there are more than %d frames", SCENE_FRAMES_MAX);
		return DWARF_CB_ABORT;
	}
	/* It looks for the frame behind this one already. */
	walk.unread = 0;
	if (!dwfl_frame_pc(state, &pc, &is_activation))
		return DWARF_CB_ABORT;
	/* Who kept something else in that register often kept a zero. */
	if (walk.is_guessing && (pc < NO_CODE_BELOW || walk.guess_count++ >= GUESSES_MAX))
		return DWARF_CB_ABORT;
	if (walk.guess_count == 1)
		say("what follows is guessed by frame pointers");
	if (walk.is_first && walk.begins_at_return) {
		is_activation = false;
		pc++;
	}
	walk.is_first = false;
	add_frame(pc, is_activation);
	if (!walk.is_guessing && !has_unwind_information(pc - !is_activation))
		begin_to_guess(pc - !is_activation);
	return DWARF_CB_OK;
}

/*
 * A call through a bad pointer: the function is not there, but where it would have returned to is.
 * Then that is where libdwfl begins.
 */
static void step_out_of_nothing(void)
{
#if defined(__x86_64__) || defined(__aarch64__)
	const struct scene_thread *thread = walk.thread;
	const uint64_t pc = walk.registers[PC];
	uint64_t caller;

	if (unwind_module_of(walk.modules->scene, pc) >= 0 ||
	    (pc >= NO_CODE_BELOW && pc != thread->fault_address))
		return;
#if defined(__x86_64__)
	if (!read_word(thread, walk.registers[SP], &caller))
		return;
	if (unwind_module_of(walk.modules->scene, caller - 1) < 0)
		return;
	walk.registers[SP] += 8;
#else
	caller = walk.registers[LINK];
	if (unwind_module_of(walk.modules->scene, caller - 1) < 0)
		return;
#endif
	walk.registers[PC] = caller - 1;
	walk.begins_at_return = true;
	add_frame(pc, true);
#endif
}

static void say_why_it_ended(void)
{
	const int error = dwfl_errno();

	if (walk.unread)
		say("there is more: the stack at 0x%llx was not captured", (unsigned long long)walk.unread);
	else
		say("the unwind information leads no further (%s)",
		    error ? dwfl_errmsg(error) : "no reason given");
}

/* How many frames are no guesses. */
static unsigned int count_known(const struct scene_thread *thread)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < thread->frame_count; i++)
		count += !(thread->frames[i].flags & SCENE_FRAME_GUESSED);
	return count;
}

/* Of a redo without all files that there were: what was found right after the death is better. */
static void keep_old(struct scene_thread *thread, struct scene_thread *old)
{
	const unsigned int now = count_known(thread), then = count_known(old);
	struct scene_frame *found = thread->frames;
	char note[NOTE_BYTES];

	if (!old->frame_count || now > then || (now == then && !walk.is_guessing) || !walk.note[0])
		return;
	thread->frames = old->frames;
	thread->frame_count = old->frame_count;
	old->frames = found;
	snprintf(note, sizeof(note), "%s", walk.note);
	snprintf(walk.note, sizeof(walk.note), "%.200s%sthese frames are the recorder's: now %.270s",
		 old->unwind_note ? old->unwind_note : "", old->unwind_note ? "; " : "", note);
}

void unwind_thread(struct unwind_modules *modules, unsigned int thread_index)
{
	struct scene_thread *thread = &modules->scene->threads[thread_index];
	struct scene_thread old = *thread; /* of a redo */
	int result;

	thread->frames = NULL;
	thread->frame_count = 0;
	walk = (struct walk){.modules = modules, .thread = thread, .is_first = true};
	memcpy(walk.registers, thread->registers, sizeof(walk.registers));
#if defined(__x86_64__) || defined(__aarch64__)
	if (thread->register_count != REGISTERS) {
		say("its registers are unknown");
		goto out;
	}
	thread->frames = calloc(SCENE_FRAMES_MAX + 1, sizeof(thread->frames[0]));
	if (!thread->frames) {
		say("no memory");
		goto out;
	}
	dwfl_errno(); /* of others */
	step_out_of_nothing();
	result = dwfl_getthread_frames(modules->dwfl, (pid_t)thread_index + 1, on_frame, NULL);
	if (!thread->frame_count) { /* not one file could be used */
		add_frame(walk.registers[PC], true);
		begin_to_guess(walk.registers[PC]);
	}
	/* Where the return address could not be read libdwfl thinks that there is none. */
	if ((result < 0 || walk.unread) && !walk.is_guessing)
		say_why_it_ended();
out:
#else
	(void)result;
	say("not on this machine");
#endif
	keep_old(thread, &old);
	free(old.frames); /* which have no names */
	free(old.unwind_note);
	thread->unwind_note = walk.note[0] ? strdup(walk.note) : NULL;
}
