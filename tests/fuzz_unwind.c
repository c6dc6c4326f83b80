/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as what a child answered, and as the scene that it is given: refused, or within the
 * bounds that the recorder and the child rely on. Scenes go both ways unchanged.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "recorder/unwind_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int truth)
{
	if (!truth)
		abort();
}

static void require_string(const char *string)
{
	require(!string || strlen(string) <= UNWIND_STRING_MAX);
}

static void try_answers(const uint8_t *data, size_t size)
{
	struct scene_thread threads[3] = {0};
	struct scene_module modules[2] = {0};
	struct scene scene = {.threads = threads,
			      .thread_count = 3,
			      .modules = modules,
			      .module_count = 2,
			      .root_fd = -1};
	unsigned char stages[3] = {UNWIND_NONE};
	const ssize_t taken = unwind_answers_take(&scene, stages, data, size);

	require(taken <= (ssize_t)size);
	for (unsigned int i = 0; i < 3; i++) {
		require(stages[i] <= UNWIND_NAMED);
		require(stages[i] != UNWIND_NONE || !threads[i].frame_count);
		require(threads[i].frame_count <= SCENE_FRAMES_MAX);
		require_string(threads[i].unwind_note);
		for (unsigned int j = 0; j < threads[i].frame_count; j++) {
			const struct scene_frame *frame = &threads[i].frames[j];

			require(frame->module >= -1 && frame->module < 2);
			require_string(frame->symbol);
			require_string(frame->function);
			require_string(frame->file);
		}
		scene_frames_free(&threads[i]);
		free(threads[i].unwind_note);
	}
	for (unsigned int i = 0; i < 2; i++) {
		require_string(modules[i].file);
		require_string(modules[i].debug_file);
		require_string(modules[i].file_fault);
		free(modules[i].file);
		free(modules[i].debug_file);
		free(modules[i].file_fault);
	}
}

static void try_scene(const uint8_t *data, size_t size)
{
	struct scene scene;
	struct pack pack;

	if (unwind_request_read(data, size, &scene))
		return;
	require(scene.thread_count <= SCENE_THREADS_MAX + 1);
	require(scene.module_count <= SCENE_MODULES_MAX);
	for (unsigned int i = 0; i < scene.module_count; i++)
		require(scene.modules[i].start <= scene.modules[i].end &&
			(!i || scene.modules[i - 1].end <= scene.modules[i].start));
	require(!pack_init(&pack, 64, UNWIND_REQUEST_MAX));
	unwind_request_pack(&pack, &scene);
	require(!pack.error && pack.bytes == size && !memcmp(pack.data, data, size));
	pack_fini(&pack);
	scene_clear(&scene);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	try_answers(data, size);
	try_scene(data, size);
	return 0;
}
