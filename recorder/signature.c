/* SPDX-License-Identifier: MIT */
/* signature.c - a hash of what is the same each time that a bug strikes. */
#include "recorder/signature.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FRAMES 5	   /* that are hashed */
#define NAME_BYTES_MAX 512 /* of a function's; templates have longer ones, that differ earlier */
#define RECURSION_FRAMES 96
#define RECURSION_TIMES 3

/* A frame as it is hashed. */
struct place {
	char name[NAME_BYTES_MAX];
};

uint64_t signature_hash(uint64_t hash, const void *data, size_t bytes)
{
	const unsigned char *from = data;

	for (size_t i = 0; i < bytes; i++)
		hash = (hash ^ from[i]) * UINT64_C(0x100000001b3);
	return hash;
}

/* With its end, so that "ab", "c" is not "a", "bc". */
static uint64_t hash_text(uint64_t hash, const char *text)
{
	return signature_hash(hash, text, strlen(text) + 1);
}

static uint64_t hash_number(uint64_t hash, int64_t number)
{
	return signature_hash(hash, &number, sizeof(number));
}

/* ---- places ----------------------------------------------------------------------------- */

/*
 * On the way from whoever gave up to the kernel; which of these are seen depends on whether libc's
 * debug information is installed.
 */
static bool only_raises(const char *name)
{
	static const char *const names[] = {
		"raise",
		"gsignal",
		"kill",
		"tgkill",
		"syscall",
		"pthread_kill",
		"__pthread_kill",
		"__pthread_kill_",
		"__GI_",
		"abort",
		"__assert",
		"__assert_fail",
		"__assert_fail_base",
		"__assert_perror_fail",
		"__libc_message",
		"__libc_message_impl",
		"__fortify_fail",
		"__stack_chk_fail",
		"__chk_fail",
		"malloc_printerr",
		"std::terminate",
		"std::abort",
		"__cxxabiv1::",
		"__cxa_throw",
		"__cxa_rethrow",
		"__gnu_cxx::__verbose_terminate_handler",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const size_t bytes = strlen(names[i]);
		const char last = names[i][bytes - 1];

		if (!strncmp(name, names[i], bytes) &&
		    (last == '_' || last == ':' || !name[bytes] || name[bytes] == '('))
			return true;
	}
	return false;
}

/* What the compiler made of a function is not what somebody wrote: foo.part.0 is foo. */
static void cut_suffixes(char *name)
{
	static const char *const suffixes[] = {".part.",      ".cold",	    ".isra.",
					       ".constprop.", ".lto_priv.", ".llvm."};

	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		char *at = strstr(name, suffixes[i]);

		if (at && at > name)
			*at = '\0';
	}
}

static const char *base_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* False: nowhere that could be told again. */
static bool find_place(const struct scene *scene, const struct scene_frame *frame,
		       struct place *ret_place)
{
	const char *name = frame->function ? frame->function : frame->symbol;
	const struct scene_module *module;

	if (name && *name) {
		snprintf(ret_place->name, sizeof(ret_place->name), "%s", name);
		cut_suffixes(ret_place->name);
		return true;
	}
	if (frame->module < 0 || (unsigned int)frame->module >= scene->module_count)
		return false;
	module = &scene->modules[frame->module];
	snprintf(ret_place->name, sizeof(ret_place->name), "%.256s+%#" PRIx64,
		 module->path ? base_of(module->path) : "?", frame->offset);
	return true;
}

/* Innermost first; a function that calls itself is one place. */
static unsigned int find_places(const struct scene *scene, struct place places[], unsigned int max)
{
	const struct scene_thread *thread = &scene->threads[0];
	unsigned int count = 0;

	for (unsigned int i = 0; i < thread->frame_count && count < max; i++) {
		if (thread->frames[i].flags & SCENE_FRAME_GUESSED)
			break;
		if (!find_place(scene, &thread->frames[i], &places[count]))
			continue;
		if ((!count && only_raises(places[count].name)) ||
		    (count && !strcmp(places[count].name, places[count - 1].name)))
			continue;
		count++;
	}
	return count;
}

static uint64_t hash_innermost(uint64_t hash, const struct scene *scene)
{
	struct place places[FRAMES];
	const unsigned int count = find_places(scene, places, FRAMES);

	for (unsigned int i = 0; i < count; i++)
		hash = hash_text(hash, places[i].name);
	return hash;
}

static int compare_places(const void *a, const void *b)
{
	return strcmp(((const struct place *)a)->name, ((const struct place *)b)->name);
}

/*
 * Of a stack that was used up: in which leaf the last page went is chance; who calls whom in
 * circles is the bug.
 */
static uint64_t hash_circle(uint64_t hash, const struct scene *scene)
{
	struct place *places = calloc(RECURSION_FRAMES, sizeof(*places));
	const struct scene_thread *thread = &scene->threads[0];
	unsigned int count = 0, hashed = 0;

	if (!places)
		return hash;
	for (unsigned int i = 0; i < thread->frame_count && count < RECURSION_FRAMES; i++)
		count += find_place(scene, &thread->frames[i], &places[count]);
	qsort(places, count, sizeof(*places), compare_places);
	for (unsigned int i = 0; i < count && hashed < FRAMES;) {
		unsigned int end = i + 1;

		while (end < count && !compare_places(&places[i], &places[end]))
			end++;
		if (end - i >= RECURSION_TIMES) {
			hash = hash_text(hash, places[i].name);
			hashed++;
		}
		i = end;
	}
	free(places);
	return hash;
}

/* ---- the whole -------------------------------------------------------------------------- */

/* Where somebody was when he was killed from outside tells nothing of why. */
static bool place_matters(const struct verdict *verdict)
{
	return verdict->how == VERDICT_FAULT || verdict->how == VERDICT_ABORT ||
	       verdict->how == VERDICT_SECCOMP;
}

static uint64_t hash_cause(uint64_t hash, const struct verdict *verdict)
{
	hash = hash_text(hash, verdict_how_name(verdict->how));
	hash = hash_number(hash, verdict->have_signal ? verdict->signal : 0);
	return hash_number(hash, verdict->have_exit_code ? verdict->exit_code : 0);
}

static const struct scene_module *find_module(const struct scene_module *modules,
					      unsigned int count, const char *path)
{
	for (unsigned int i = 0; i < count; i++)
		if (modules[i].path && modules[i].build_id_bytes && !strcmp(modules[i].path, path))
			return &modules[i];
	return NULL;
}

uint64_t signature_hash_build(uint64_t hash, const struct signature_facts *facts)
{
	const struct scene_module *module;
	size_t bytes;

	if (!facts->exe)
		return hash;
	module = find_module(facts->modules, facts->module_count, facts->exe);
	if (!module && facts->scene)
		module = find_module(facts->scene->modules, facts->scene->module_count, facts->exe);
	if (module)
		return signature_hash(hash, module->build_id, module->build_id_bytes);
	/* It was replaced on the disk while it ran: the same program. */
	bytes = strlen(facts->exe);
	if (bytes > 10 && !strcmp(facts->exe + bytes - 10, " (deleted)"))
		bytes -= 10;
	return signature_hash(hash, facts->exe, bytes);
}

void signature_make(const struct signature_facts *facts, char ret_signature[SIGNATURE_BYTES])
{
	uint64_t hash = hash_cause(SIGNATURE_HASH_START, facts->verdict);

	hash = signature_hash_build(hash, facts);
	if (facts->scene && facts->scene->thread_count && place_matters(facts->verdict))
		hash = facts->verdict->stack_overflow ? hash_circle(hash, facts->scene)
						      : hash_innermost(hash, facts->scene);
	snprintf(ret_signature, SIGNATURE_BYTES, "%016" PRIx64, hash ? hash : 1);
}
