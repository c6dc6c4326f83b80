/* SPDX-License-Identifier: MIT */
/* What is not there, is another one by now, or may not be read: less is said, and nothing wrong. */
#include <criterion/criterion.h>

#ifdef __x86_64__
#include <ftw.h>
#include <gelf.h>
#include <elfutils/libdwelf.h>
#include <sys/stat.h>
#include <time.h>

#include "tests/unwind_victims.h"

/* ---- a folder of our own, with copies of victims ---- */

static char own[] = "/tmp/ttlog-unwind-XXXXXX";

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
	(void)status, (void)type, (void)ftw;
	return remove(path);
}

static void setup(void)
{
	find_programs();
	cr_assert(mkdtemp(own));
	cr_assert_eq(chmod(own, 0755), 0);
}

static void teardown(void)
{
	nftw(own, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

TestSuite(unwind_gaps, .init = setup, .fini = teardown);

static void copy_file(const char *from, const char *to, mode_t mode)
{
	const int in = open(from, O_RDONLY | O_CLOEXEC);
	const int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
	char buffer[65536];
	ssize_t count;

	cr_assert(in >= 0 && out >= 0, "%s, %s: %s", from, to, strerror(errno));
	while ((count = read(in, buffer, sizeof(buffer))) > 0)
		cr_assert_eq(write(out, buffer, (size_t)count), count);
	cr_assert_eq(fchmod(out, mode), 0);
	close(in);
	close(out);
}

static const char *copy_of(const char *victim, mode_t mode)
{
	static char to[PATH_MAX];
	char from[PATH_MAX + 64];

	snprintf(from, sizeof(from), "%s/victims/%s", folder, victim);
	snprintf(to, sizeof(to), "%s/program", own);
	copy_file(from, to, mode);
	return to;
}

/* As the kernel program gives it. */
static void note_build_ids(struct scene *scene)
{
	elf_version(EV_CURRENT);
	for (unsigned int i = 0; i < scene->module_count; i++) {
		struct scene_module *module = &scene->modules[i];
		const int fd = module->path ? open(module->path, O_RDONLY | O_CLOEXEC) : -1;
		Elf *elf = fd >= 0 ? elf_begin(fd, ELF_C_READ, NULL) : NULL;
		const void *id;
		const ssize_t bytes = elf ? dwelf_elf_gnu_build_id(elf, &id) : 0;

		if (bytes > 0 && bytes <= SCENE_BUILD_ID_MAX) {
			memcpy(module->build_id, id, (size_t)bytes);
			module->build_id_bytes = (uint8_t)bytes;
		}
		elf_end(elf);
		if (fd >= 0)
			close(fd);
	}
}

static struct scene *crash_copy(const char *victim, mode_t mode)
{
	struct scene *scene = scene_of((char *[]){(char *)copy_of(victim, mode), "fault", NULL});

	note_build_ids(scene);
	return scene;
}

/* Of the first frame, and nothing more than where it is. */
static void require_only_a_place(const struct scene *scene, const char *why)
{
	const struct scene_thread *thread = &scene->threads[0];
	const struct scene_frame *frame = &thread->frames[0];

	if (!thread->unwind_note || !strstr(thread->unwind_note, why))
		show(scene);
	cr_assert(thread->unwind_note && strstr(thread->unwind_note, why), "%s",
		  thread->unwind_note);
	cr_assert_geq(thread->frame_count, 1);
	cr_assert_eq(frame->pc, thread->registers[16]);
	cr_assert_geq(frame->module, 0);
	cr_assert(strstr(scene->modules[frame->module].path, "/program"));
	cr_assert_gt(frame->offset, 0);
	cr_assert_null(frame->symbol, "%s", frame->symbol);
	cr_assert_null(frame->function);
	cr_assert_null(frame->file);
	for (unsigned int i = 1; i < thread->frame_count; i++)
		cr_assert(thread->frames[i].flags & SCENE_FRAME_GUESSED);
}

/* ---- less and less of it ---- */

Test(unwind_gaps, without_debug_information_there_are_symbols)
{
	struct scene *scene = crash_and_unwind("symbols", "fault");
	const struct scene_thread *thread = &scene->threads[0];
	unsigned int found = 0;

	require_whole(scene);
	for (unsigned int i = 0; i < thread->frame_count; i++) {
		const struct scene_frame *frame = &thread->frames[i];

		if (frame->symbol && !strcmp(frame->symbol, "shop::Order::checkout(char const*)") &&
		    frame->symbol_offset && frame->symbol_offset < 4096)
			found++;
		if (frame->module >= 0 && strstr(scene->modules[frame->module].path, "symbols"))
			cr_assert_null(frame->file);
	}
	cr_assert_eq(found, 1);
	scene_done(scene);
}

Test(unwind_gaps, without_symbols_there_are_modules_and_offsets)
{
	struct scene *scene = crash_and_unwind("bare", "fault");
	const struct scene_thread *thread = &scene->threads[0];
	unsigned int found = 0;

	require_whole(scene);
	for (unsigned int i = 0; i < thread->frame_count; i++) {
		const struct scene_frame *frame = &thread->frames[i];

		if (frame->module < 0 || !strstr(scene->modules[frame->module].path, "/bare"))
			continue;
		cr_assert_null(frame->symbol, "%s", frame->symbol);
		cr_assert_null(frame->function);
		cr_assert(frame->offset > 0x1000 && frame->offset < 0x10000);
		found++;
	}
	cr_assert_eq(found, 4, "fault, checkout, main, _start");
	scene_done(scene);
}

Test(unwind_gaps, of_a_file_that_is_gone_there_is_the_place)
{
	struct scene *scene = crash_copy("pie", 0755);

	cr_assert_eq(unlink(scene->modules[0].path), 0);
	cr_assert_eq(unwind_scene(scene, &plain), 0);
	require_only_a_place(scene, "is not there");
	scene_done(scene);
}

Test(unwind_gaps, a_file_that_was_built_anew_gives_no_names)
{
	struct scene *scene = crash_copy("pie", 0755);

	cr_assert_eq(unlink(scene->modules[0].path), 0);
	copy_of("clang", 0755);
	cr_assert_eq(unwind_scene(scene, &plain), 0);
	require_only_a_place(scene, "is another build by now");
	scene_done(scene);
}

Test(unwind_gaps, a_file_without_an_id_that_was_replaced_gives_no_names)
{
	struct scene *scene = scene_of((char *[]){(char *)copy_of("pie", 0755), "fault", NULL});
	char aside[PATH_MAX];

	/* It is kept, so that its number is not given away again. */
	snprintf(aside, sizeof(aside), "%s/aside", own);
	cr_assert_eq(rename(scene->modules[0].path, aside), 0);
	copy_of("clang", 0755);
	cr_assert_eq(unwind_scene(scene, &plain), 0);
	require_only_a_place(scene, "is another file by now");
	scene_done(scene);
}

Test(unwind_gaps, a_file_that_was_replaced_by_the_same_build_is_as_good)
{
	struct scene *scene = crash_copy("pie", 0755);

	cr_assert_eq(unlink(scene->modules[0].path), 0);
	copy_of("pie", 0755);
	cr_assert_eq(unwind_scene(scene, &plain), 0);
	require_frames(scene,
		       (struct expected[]){AT("shop::fault", "fault"), AT("main", "main"), END});
	require_whole(scene);
	scene_done(scene);
}

Test(unwind_gaps, a_file_that_its_user_may_not_read_is_not_read_for_him)
{
	struct scene *scene;

	if (geteuid())
		cr_skip("only root can become somebody else: skipped");
	scene = crash_copy("pie", 0700);
	scene->uid = scene->gid = 65534;
	cr_assert_eq(unwind_scene(scene, &plain), 0);
	require_only_a_place(scene, "may not be read");
	scene_done(scene);
}

/* ---- a root of its own ---- */

static void make_folders(const char *path)
{
	char part[PATH_MAX];

	for (size_t i = 1; path[i]; i++)
		if (path[i] == '/') {
			snprintf(part, sizeof(part), "%.*s", (int)i, path);
			cr_assert(!mkdir(part, 0755) || errno == EEXIST, "%s: %s", part,
				  strerror(errno));
		}
}

/* The victim at the path where it died, below our folder. */
static void move_into_root(struct scene *scene, const char *path)
{
	char below[PATH_MAX * 2];
	struct stat status;

	snprintf(below, sizeof(below), "%s%s", own, path);
	make_folders(below);
	copy_file(path, below, 0755);
	note_build_ids(scene);
	/* A copy has another number. */
	cr_assert_eq(stat(below, &status), 0);
	for (unsigned int i = 0; i < scene->module_count; i++)
		if (scene->modules[i].path && !strcmp(scene->modules[i].path, path))
			scene->modules[i].inode = status.st_ino;
	scene->root_fd = open(own, O_PATH | O_DIRECTORY | O_CLOEXEC);
	cr_assert_geq(scene->root_fd, 0);
}

static const struct scene_module *module_named(const struct scene *scene, const char *name)
{
	for (unsigned int i = 0; i < scene->module_count; i++)
		if (scene->modules[i].path && strstr(scene->modules[i].path, name))
			return &scene->modules[i];
	cr_assert(false, "%s is not there", name);
	return NULL;
}

Test(unwind_gaps, finds_a_debug_file_by_its_id_under_the_root_of_the_process)
{
	struct scene *scene = crash("by_id", "fault");
	const struct scene_module *module = module_named(scene, "/by_id");
	char path[PATH_MAX * 2], id[2 * SCENE_BUILD_ID_MAX + 1] = "", from[PATH_MAX + 32];

	move_into_root(scene, module->path);
	for (unsigned int i = 0; i < module->build_id_bytes; i++)
		sprintf(id + 2 * i, "%02x", module->build_id[i]);
	snprintf(path, sizeof(path), "%s/usr/lib/debug/.build-id/%.2s/%s.debug", own, id, id + 2);
	make_folders(path);
	snprintf(from, sizeof(from), "%s.debug", module->path);
	copy_file(from, path, 0644);
	cr_assert_eq(unwind_scene(scene, &plain), 0);
	require_frames(scene, (struct expected[]){AT("shop::fault", "fault"),
						  AT("shop::Order::total", "total"),
						  AT("shop::Order::checkout", "checkout"),
						  AT("main", "main"), END});
	cr_assert(scene->threads[0].unwind_note, "its libc is not in that root");
	scene_done(scene);
}

/* libdw would wait for ever for somebody who writes. */
static void require_no_wait(const char *victim, const char *beside)
{
	struct scene *scene = crash(victim, "fault");
	const struct scene_module *module = module_named(scene, victim);
	const struct unwind_options options = {.program = recorder, .timeout_ms = 60000};
	char path[PATH_MAX * 2];
	struct timespec before, after;

	move_into_root(scene, module->path);
	snprintf(path, sizeof(path), "%s%s/victims/%s", own, folder, beside);
	make_folders(path);
	cr_assert_eq(mkfifo(path, 0644), 0);
	clock_gettime(CLOCK_MONOTONIC, &before);
	cr_assert_eq(unwind_scene(scene, &options), 0);
	clock_gettime(CLOCK_MONOTONIC, &after);
	cr_assert_lt(after.tv_sec - before.tv_sec, 50);
	cr_assert_geq(scene->threads[0].frame_count, 4);
	cr_assert_eq(scene->threads[0].frames[0].module, 0);
	scene_done(scene);
}

Test(unwind_gaps, does_not_wait_for_a_pipe_where_a_debug_file_should_be)
{
	require_no_wait("linked", "linked.debug");
}

Test(unwind_gaps, does_not_wait_for_a_pipe_where_split_debug_information_should_be)
{
	require_no_wait("split", "split-victim_scene.dwo");
}
#else
Test(unwind_gaps, need_the_registers_of_a_crashed_program)
{
	cr_skip("crashes are taken apart by ptrace on x86-64 only: skipped");
}
#endif
