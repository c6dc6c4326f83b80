/* SPDX-License-Identifier: MIT */
/* The mappings of a process that died: as it registered, what was loaded later, what a walk told. */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>

#include "tests/captured_scene.h"

/* ---- mappings -----------------------------------------------------------------------------------
 */

/* A library that comes with glibc, and that nobody is linked with. */
static void load_and_fault(void)
{
	if (!dlopen("libBrokenLocale.so.1", RTLD_NOW) && !dlopen("libm.so.6", RTLD_NOW))
		_exit(93);
	fault();
}

Test(capture_modules, has_a_library_that_was_loaded_later)
{
	const struct scene_module *late = NULL;
	struct client client;

	cr_assert_eq(WTERMSIG(look_at(load_and_fault, &client)), SIGSEGV);
	check_shape();
	for (unsigned int i = 0; i < scene.module_count; i++) {
		bool is_known = false;

		for (unsigned int k = 0; k < registered->count; k++)
			is_known |= registered->list[k].start == scene.modules[i].start;
		if (!is_known)
			late = &scene.modules[i];
	}
	if (!late)
		cr_skip("this kernel has no walk of the mappings before exit_mm()");
	cr_assert(strstr(late->path, "/lib"));
	cr_assert_eq(late->build_id_bytes, 20);
	cr_assert_gt(late->inode, 0);
	done(&client);
}

/* ---- a walk of the mappings that was cut short --------------------------------------------------
 */

static void tell_of_module(uint64_t start, uint64_t inode)
{
	const struct ttlog_bpf_module record = {
		.head.kind = TTLOG_BPF_MODULE,
		.access = TTLOG_BPF_ACCESS_READ | TTLOG_BPF_ACCESS_EXECUTE,
		.start = start,
		.end = start + 0x1000,
		.inode = inode,
	};

	capture_take(&capture, &record.head, TTLOG_BPF_MODULE_BYTES(0));
}

/* What a process had when it registered: at 0x2000 the same, at 0x3000 another, 0x4000 only here.
 */
static int finish_with_known(bool to_the_end)
{
	const struct ttlog_bpf_scene end = {.kind = TTLOG_BPF_MODULES_END};
	struct scene_module list[] = {
		{.start = 0x2000, .end = 0x3000, .inode = 2},
		{.start = 0x3000, .end = 0x3800, .inode = 9},
		{.start = 0x4000, .end = 0x5000, .inode = 4},
	};
	const struct modules known = {.holders = 1, .list = list, .count = 3};

	tell_of_module(0x3000, 3);
	tell_of_module(0x1000, 1);
	tell_of_module(0x2000, 2);
	tell_of_module(0x1000, 1);
	if (to_the_end)
		capture_take(&capture, &end, sizeof(end));
	return capture_finish(capture, &known, -1, &scene);
}

static void check_modules(unsigned int count)
{
	cr_assert_eq(scene.module_count, count, "%u of %u", scene.module_count, count);
	for (unsigned int i = 0; i < count; i++) {
		cr_assert_eq(scene.modules[i].start, (i + 1) * UINT64_C(0x1000));
		cr_assert_eq(scene.modules[i].inode, i + 1);
	}
	scene_clear(&scene);
}

Test(capture_modules, completes_a_list_that_was_cut_short_by_what_was_known)
{
	cr_assert_eq(finish_with_known(false), 0);
	cr_assert(scene.modules_cut);
	check_modules(4);
}

Test(capture_modules, believes_a_list_that_came_to_its_end)
{
	cr_assert_eq(finish_with_known(true), 0);
	cr_assert_not(scene.modules_cut);
	check_modules(3);
}

Test(capture_modules, knows_what_was_registered_where_nothing_is_told)
{
	struct scene_module list[] = {{.start = 0x1000, .end = 0x2000, .inode = 1}};
	const struct modules known = {.holders = 1, .list = list, .count = 1};
	const struct ttlog_bpf_scene_unsent nothing = {.head.kind = TTLOG_BPF_SCENE_UNSENT};

	capture_take(&capture, &nothing.head, sizeof(nothing));
	cr_assert_eq(capture_finish(capture, &known, -1, &scene), 0);
	cr_assert_not(scene.modules_cut);
	check_modules(1);
}

/* ---- the kernel program against /proc -----------------------------------------------------------
 */

/* On a mount of its own; where nothing may be executed there it is not mapped. */
static void map_and_wait(void)
{
	char name[64];
	int fd;

	snprintf(name, sizeof(name), "/dev/shm/ttlog-test-capture-%d", (int)getpid());
	fd = open(name, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
	if (fd >= 0 && ftruncate(fd, 4096) == 0)
		mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	tell("", 1);
	pause();
}

static void forget_map(pid_t pid)
{
	char name[64];

	snprintf(name, sizeof(name), "/dev/shm/ttlog-test-capture-%d", (int)pid);
	unlink(name);
}

/* For each mapping; one thread has all of them to itself. */
Test(capture_modules, has_the_paths_of_proc_pid_maps)
{
	struct client client;
	char byte;

	open_watch();
	watch_set_scenes(watch, on_scene);
	start(&client, map_and_wait);
	listen_to(&client, &byte, 1);
	cr_assert_eq(modules_read(client.pid, -1, &registered), 0);
	cr_assert_eq(kill(client.pid, SIGKILL), 0);
	reap(&client);
	forget_map(client.pid);
	cr_assert_eq(capture_finish(capture, NULL, -1, &scene), 0);
	capture = NULL;
	if (!scene.module_count)
		cr_skip("this kernel has no walk of the mappings before exit_mm()");
	cr_assert_not(scene.modules_cut);
	for (unsigned int i = 0; i < registered->count; i++) {
		const struct scene_module *want = &registered->list[i], *got = &scene.modules[i];

		cr_assert_eq(got->start, want->start);
		cr_assert_eq(got->end, want->end);
		cr_assert_eq(got->offset, want->offset);
		cr_assert_eq(got->inode, want->inode);
		cr_assert_eq(got->major, want->major);
		cr_assert_eq(got->minor, want->minor);
		cr_assert_eq(got->build_id_bytes, want->build_id_bytes);
		cr_assert(got->path ? want->path && !strcmp(got->path, want->path) : !want->path,
			  "%s, not %s", got->path, want->path);
	}
	done(&client);
}
