/* SPDX-License-Identifier: MIT */
/* Programs that really crash, built in many ways: functions, files and lines, and honest gaps. */
#include <criterion/criterion.h>

#include <sys/stat.h>
#include <time.h>

#include "recorder/unwind.h"
#ifdef __x86_64__
#include "tests/scene_by_ptrace.h"
#endif

#ifdef __x86_64__
static char folder[PATH_MAX]; /* of this program */
static char recorder[PATH_MAX + 32];

static void find_programs(void)
{
	const ssize_t length = readlink("/proc/self/exe", folder, sizeof(folder) - 1);

	cr_assert_gt(length, 0);
	folder[length] = '\0';
	*strrchr(folder, '/') = '\0';
	snprintf(recorder, sizeof(recorder), "%s/../ttlog-recorder", folder);
}

/* The line of the source that has the mark `@name`. */
static unsigned int line_of(const char *source, const char *name)
{
	char path[256], mark[64], *line = NULL;
	unsigned int number = 0, found = 0;
	size_t room = 0;
	FILE *file;

	snprintf(path, sizeof(path), "tests/%s", source);
	snprintf(mark, sizeof(mark), "/* @%s */", name);
	file = fopen(path, "re");
	cr_assert(file, "%s: the tests are to be run from the folder of the sources", path);
	while (getline(&line, &room, file) > 0) {
		number++;
		if (strstr(line, mark))
			found = number;
	}
	free(line);
	fclose(file);
	cr_assert(found, "%s has no %s", source, mark);
	return found;
}

static struct scene *crash(const char *victim, const char *how)
{
	char path[PATH_MAX + 64], plugin[PATH_MAX + 64];

	find_programs();
	snprintf(path, sizeof(path), "%s/victims/%s", folder, victim);
	snprintf(plugin, sizeof(plugin), "%s/victims/plugin.so", folder);
	return scene_of((char *[]){path, (char *)how, plugin, NULL});
}

static void show(const struct scene *scene)
{
	const struct scene_thread *thread = &scene->threads[0];

	for (unsigned int i = 0; i < thread->frame_count && i < 40; i++) {
		const struct scene_frame *frame = &thread->frames[i];

		fprintf(stderr,
			"#%u %#" PRIx64 " flags %u module %s+%#" PRIx64 " %s+%#" PRIx64
			" %s %s:%u:%u\n",
			i, frame->pc, frame->flags,
			frame->module < 0 ? "-" : scene->modules[frame->module].path, frame->offset,
			frame->symbol ? frame->symbol : "-", frame->symbol_offset,
			frame->function ? frame->function : "-", frame->file ? frame->file : "-",
			frame->line, frame->column);
	}
	fprintf(stderr, "note: %s\n", thread->unwind_note ? thread->unwind_note : "-");
}

static const struct unwind_options plain = {.program = recorder};

/* ---- expectations: innermost first, frames of others may lie between them ---- */

struct expected {
	const char *function;
	const char *mark; /* in the source; NULL: whatever line */
	const char *source;
};

#define AT(function, mark)                                                                         \
	{                                                                                          \
		function, mark, "victim_scene.cc"                                                  \
	}
#define END                                                                                        \
	{                                                                                          \
		NULL, NULL, NULL                                                                   \
	}

static const struct scene_frame *find_frame(const struct scene_thread *thread, unsigned int *at,
					    const struct expected *expected)
{
	for (; *at < thread->frame_count; (*at)++) {
		const struct scene_frame *frame = &thread->frames[*at];

		if (frame->function && !strcmp(frame->function, expected->function))
			return &thread->frames[(*at)++];
	}
	return NULL;
}

static void require_frames(const struct scene *scene, const struct expected expected[])
{
	const struct scene_thread *thread = &scene->threads[0];
	unsigned int at = 0;

	for (; expected->function; expected++) {
		const struct scene_frame *frame = find_frame(thread, &at, expected);

		if (!frame)
			show(scene);
		cr_assert(frame, "%s is not there", expected->function);
		if (!expected->mark)
			continue;
		if (!frame->file)
			show(scene);
		cr_assert_eq(frame->line, line_of(expected->source, expected->mark), "%s: line %u",
			     expected->function, frame->line);
		cr_assert(frame->file && strstr(frame->file, expected->source), "%s: %s",
			  expected->function, frame->file);
	}
}

static void require_whole(const struct scene *scene)
{
	const struct scene_thread *thread = &scene->threads[0];

	cr_assert_null(thread->unwind_note, "%s", thread->unwind_note);
	cr_assert(thread->frame_count);
	for (unsigned int i = 0; i < thread->frame_count; i++)
		cr_assert_not(thread->frames[i].flags & SCENE_FRAME_GUESSED);
}

static struct scene *crash_and_unwind(const char *victim, const char *how)
{
	struct scene *scene = crash(victim, how);

	cr_assert_eq(unwind_scene(scene, &plain), 0);
	return scene;
}

static const struct expected fault[] = {AT("shop::fault", "fault"),
					AT("shop::Order::total", "total"),
					AT("shop::Order::checkout", "checkout"), AT("main", "main"),
					END};

static void require_fault(const char *victim)
{
	struct scene *scene = crash_and_unwind(victim, "fault");

	require_frames(scene, fault);
	require_whole(scene);
	cr_assert_eq(scene->threads[0].frames[0].flags, SCENE_FRAME_ACTIVATION);
	cr_assert_eq(scene->threads[0].frames[2].flags, SCENE_FRAME_INLINE);
	scene_done(scene);
}

/* ---- ways to build ---- */

Test(unwind, names_functions_files_and_lines_of_optimised_code_without_frame_pointers)
{
	require_fault("pie");
}

Test(unwind, knows_a_program_that_is_mapped_where_it_was_linked_to)
{
	require_fault("nopie");
}

Test(unwind, knows_a_static_program)
{
	require_fault("static");
}

Test(unwind, knows_a_static_program_that_is_mapped_anywhere)
{
	require_fault("staticpie");
}

Test(unwind, knows_what_clang_built)
{
	require_fault("clang");
}

Test(unwind, reads_split_debug_information)
{
	require_fault("split");
}

Test(unwind, finds_a_debug_file_by_the_link_to_it)
{
	require_fault("linked");
}

/* ---- ways to die ---- */

Test(unwind, goes_through_abort)
{
	struct scene *scene = crash_and_unwind("pie", "abort");
	const struct expected frames[] = {AT("abort", NULL), AT("shop::Order::checkout", "abort"),
					  AT("main", "main"), END};

	cr_assert_neq(scene->threads[0].frames[0].module, -1);
	if (!scene->threads[0].frames[0].function) /* libc without debug information */
		require_frames(scene, frames + 1);
	else
		require_frames(scene, frames);
	require_whole(scene);
	scene_done(scene);
}

Test(unwind, goes_through_a_failed_assertion)
{
	struct scene *scene = crash_and_unwind("pie", "assert");
	const struct expected frames[] = {AT("shop::Order::checkout", "assert"), AT("main", "main"),
					  END};

	require_frames(scene, frames);
	require_whole(scene);
	scene_done(scene);
}

static const struct expected handler[] = {AT("shop::fault", "fault"),
					  AT("shop::on_signal", "handler"),
					  AT("shop::interrupted", "raise"), AT("main", "main"),
					  END};

Test(unwind, goes_through_the_frame_of_a_signal_handler)
{
	struct scene *scene = crash_and_unwind("pie", "handler");

	require_frames(scene, handler);
	require_whole(scene);
	scene_done(scene);
}

Test(unwind, goes_from_the_stack_of_a_handler_to_the_one_that_it_interrupted)
{
	struct scene *scene = crash_and_unwind("pie", "altstack");
	unsigned int activations = 0;

	require_frames(scene, handler);
	require_whole(scene);
	cr_assert_geq(scene->threads[0].slice_count, 2);
	for (unsigned int i = 0; i < scene->threads[0].frame_count; i++)
		activations += scene->threads[0].frames[i].flags & SCENE_FRAME_ACTIVATION;
	cr_assert_geq(activations, 2, "what the signal interrupted is one, too");
	scene_done(scene);
}

Test(unwind, finds_the_caller_of_a_function_that_is_not_there)
{
	struct scene *scene = crash_and_unwind("pie", "null");
	const struct expected frames[] = {AT("shop::Order::checkout", "null"), AT("main", "main"),
					  END};

	require_frames(scene, frames);
	require_whole(scene);
	cr_assert_eq(scene->threads[0].frames[0].pc, 0);
	cr_assert_eq(scene->threads[0].frames[0].module, -1);
	cr_assert_eq(scene->threads[0].frames[1].flags, 0);
	scene_done(scene);
}

Test(unwind, stops_within_a_stack_that_overflowed)
{
	struct scene *scene = crash_and_unwind("pie", "overflow");
	const struct expected frames[] = {AT("shop::overflow", NULL),
					  AT("shop::overflow", "overflow"), END};

	require_frames(scene, frames);
	cr_assert_eq(scene->threads[0].frame_count, SCENE_FRAMES_MAX);
	cr_assert(scene->threads[0].unwind_note);
	scene_done(scene);
}

Test(unwind, knows_a_library_that_was_loaded_later)
{
	struct scene *scene = crash_and_unwind("pie", "plugin");
	const struct expected frames[] = {{"deeper", "plugin", "victim_plugin.c"},
					  {"plugin_crash", "plugin_crash", "victim_plugin.c"},
					  AT("shop::Order::checkout", NULL),
					  AT("main", "main"),
					  END};

	require_frames(scene, frames);
	require_whole(scene);
	scene_done(scene);
}
#else
Test(unwind, needs_the_registers_of_a_crashed_program)
{
	cr_skip("crashes are taken apart by ptrace on x86-64 only: skipped");
}
#endif
