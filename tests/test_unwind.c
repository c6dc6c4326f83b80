/* SPDX-License-Identifier: MIT */
/* Programs that really crash, built in many ways: their functions, files and lines. */
#include <criterion/criterion.h>

#ifdef __x86_64__
#include "tests/unwind_victims.h"

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

/* The kernel's own code, which is in no file. */
Test(unwind, goes_through_the_vdso)
{
	struct scene *scene = crash_and_unwind("pie", "vdso");
	const struct expected frames[] = {AT("shop::Order::checkout", "vdso"), AT("main", "main"),
					  END};
	const struct scene_frame *first = &scene->threads[0].frames[0];

	if (first->module < 0 || strcmp(scene->modules[first->module].path, "[vdso]") != 0)
		cr_skip("this C library asks the kernel for the time: skipped");
	cr_assert(first->symbol && strstr(first->symbol, "time"), "%s", first->symbol);
	require_frames(scene, frames);
	require_whole(scene);
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

Test(unwind, says_that_a_stack_goes_on_where_nothing_was_kept_of_it)
{
	struct scene *scene = crash_and_unwind("pie", "far_away");

	require_frames(scene, (struct expected[]){AT("shop::fault", "fault"),
						  AT("shop::far_away", "far_away"), END});
	cr_assert_eq(scene->threads[0].frame_count, 2);
	cr_assert(scene->threads[0].unwind_note &&
			  strstr(scene->threads[0].unwind_note, "was not captured"),
		  "%s", scene->threads[0].unwind_note);
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
