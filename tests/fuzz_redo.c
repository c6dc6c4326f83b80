/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as the frames of a dump's scene, each behind its length: what can be decoded is a request
 * that the unwinding child accepts, and a stack that is merged with another keeps all its frames.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "recorder/unwind_wire.h"
#include "viewer/redo_frames.h"
#include "viewer/redo_scene.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int truth)
{
	if (!truth)
		abort();
}

static void add_all(struct meta_scene *scene, const uint8_t *data, size_t size)
{
	uint32_t bytes;

	while (size >= sizeof(bytes)) {
		memcpy(&bytes, data, sizeof(bytes));
		data += sizeof(bytes);
		size -= sizeof(bytes);
		if (bytes > size)
			bytes = (uint32_t)size;
		(void)scene_add(scene, data, bytes);
		data += bytes;
		size -= bytes;
	}
}

static void try_request(const struct meta_scene *scene, const struct meta *meta)
{
	struct scene unwound = {0}, received;
	struct pack pack;

	require(redo_scene_take(&unwound, scene, meta));
	require(!pack_init(&pack, 64, UNWIND_REQUEST_MAX));
	unwind_request_pack(&pack, &unwound);
	require(!pack.error || pack.error == -E2BIG);
	if (!pack.error) {
		require(!unwind_request_read(pack.data, pack.bytes, &received));
		require(received.thread_count == unwound.thread_count);
		require(received.module_count == unwound.module_count);
		scene_clear(&received);
	}
	pack_fini(&pack);
	scene_clear(&unwound);
}

/* Each thread's frames as those that were found for the one before it. */
static void try_merge(const struct meta_scene_thread *recorded,
		      const struct meta_scene_thread *found)
{
	const uint64_t most = recorded->frame_count + found->frame_count;
	struct redo_thread merged = {
		.frames = calloc(most + 1, sizeof(*merged.frames)),
		.gained = calloc(most + 1, 1),
	};

	redo_frames_merge(recorded->frames, recorded->frame_count, found->frames,
			  found->frame_count, &merged);
	require(merged.frame_count <= most);
	require(!found->frame_count || merged.frame_count);
	require(merged.new_frames <= merged.frame_count);
	free(merged.frames);
	free(merged.gained);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct meta_scene scene = {0};
	const struct meta meta = {0};

	add_all(&scene, data, size);
	try_request(&scene, &meta);
	for (uint64_t i = 1; i < scene.thread_count; i++)
		try_merge(&scene.threads[i - 1], &scene.threads[i]);
	scene_fini(&scene);
	return 0;
}
