/* SPDX-License-Identifier: MIT */
/*
 * captured_scene.h - for the tests of capture.c: a life that ends, and what the kernel program told of
 * it, as a scene.
 */
#ifndef TESTS_CAPTURED_SCENE_H
#define TESTS_CAPTURED_SCENE_H

#include "recorder/capture.h"
#include "tests/watch_client.h"

static struct capture *capture;
static struct modules *registered;
static struct scene scene;

static void on_scene(void *context, const struct ttlog_bpf_scene *record, size_t bytes)
{
	(void)context;
	capture_take(&capture, record, bytes);
}

/* The scene of that life, and its wait status. */
static int look_at(void (*life)(void), struct client *client)
{
	int status;

	open_watch();
	watch_set_scenes(watch, on_scene);
	spawn(client, life);
	enrol(client, 0x1234567800000001u);
	cr_assert_eq(modules_read(client->pid, -1, &registered), 0);
	let_go(client);
	status = reap(client);
	cr_assert(capture, "nothing was told");
	cr_assert_eq(capture_finish(capture, registered, -1, &scene), 0);
	capture = NULL;
	return status;
}

static void done(struct client *client)
{
	scene_clear(&scene);
	modules_release(registered);
	finish(client);
	close_watch();
}

static const struct scene_module *module_of(const char *name)
{
	for (unsigned int i = 0; i < scene.module_count; i++)
		if (scene.modules[i].path && strstr(scene.modules[i].path, name))
			return &scene.modules[i];
	return NULL;
}

/* What must be true of every scene. */
static void check_shape(void)
{
	cr_assert_gt(scene.thread_count, 0);
	for (unsigned int i = 0; i < scene.thread_count; i++) {
		const struct scene_thread *thread = &scene.threads[i];

		cr_assert(thread->is_fatal == (i == 0), "thread %u of %u", i, scene.thread_count);
		cr_assert_gt(thread->register_count, 0);
		for (unsigned int k = 1; k < thread->slice_count; k++)
			cr_assert_gt(thread->slices[k].address,
				     thread->slices[k - 1].address + thread->slices[k - 1].bytes);
	}
	for (unsigned int i = 1; i < scene.module_count; i++)
		cr_assert_geq(scene.modules[i].start, scene.modules[i - 1].end);
	cr_assert(module_of("[vdso]"));
	cr_assert(module_of("/test_capture"));
	cr_assert_eq(module_of("/libc.so")->build_id_bytes, 20);
}

static volatile uintptr_t nowhere = 8;

static void fault(void)
{
	*(volatile char *)nowhere = 1;
}

#endif
