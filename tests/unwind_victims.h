/* SPDX-License-Identifier: MIT */
/* unwind_victims.h - the programs that die for unwinding, and what is expected of their frames. */
#ifndef TESTS_UNWIND_VICTIMS_H
#define TESTS_UNWIND_VICTIMS_H

#include "recorder/unwind.h"
#include "tests/scene_by_ptrace.h"

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
static __attribute__((unused)) unsigned int line_of(const char *source, const char *name)
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

static __attribute__((unused)) struct scene *crash(const char *victim, const char *how)
{
	char path[PATH_MAX + 64], plugin[PATH_MAX + 64];

	find_programs();
	snprintf(path, sizeof(path), "%s/victims/%s", folder, victim);
	snprintf(plugin, sizeof(plugin), "%s/victims/plugin.so", folder);
	return scene_of((char *[]){path, (char *)how, plugin, NULL});
}

static __attribute__((unused)) void show(const struct scene *scene)
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

static __attribute__((unused)) const struct unwind_options plain = {
	.program = recorder, .timeout_ms = 60000, /* the machine may be busy */
};

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

static __attribute__((unused)) const struct scene_frame *
find_frame(const struct scene_thread *thread, unsigned int *at, const struct expected *expected)
{
	for (; *at < thread->frame_count; (*at)++) {
		const struct scene_frame *frame = &thread->frames[*at];

		if (frame->function && !strcmp(frame->function, expected->function))
			return &thread->frames[(*at)++];
	}
	return NULL;
}

static __attribute__((unused)) void require_frames(const struct scene *scene,
						   const struct expected expected[])
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

static __attribute__((unused)) void require_whole(const struct scene *scene)
{
	const struct scene_thread *thread = &scene->threads[0];

	cr_assert_null(thread->unwind_note, "%s", thread->unwind_note);
	cr_assert(thread->frame_count);
	for (unsigned int i = 0; i < thread->frame_count; i++)
		cr_assert_not(thread->frames[i].flags & SCENE_FRAME_GUESSED);
}

static __attribute__((unused)) struct scene *crash_and_unwind(const char *victim, const char *how)
{
	struct scene *scene = crash(victim, how);

	cr_assert_eq(unwind_scene(scene, &plain), 0);
	return scene;
}

#endif
