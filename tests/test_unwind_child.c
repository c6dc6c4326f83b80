/* SPDX-License-Identifier: MIT */
/* The child that unwinds: what it can't do, what it says, and that hostile scenes end in bounded
 * time. */
#include <criterion/criterion.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "recorder/unwind.h"
#include "recorder/unwind_parts.h"
#include "recorder/unwind_wire.h"

static char own[] = "/tmp/ttlog-unwind-XXXXXX";
static char recorder[PATH_MAX + 32];

static void setup(void)
{
	char *slash;
	const ssize_t length = readlink("/proc/self/exe", recorder, PATH_MAX - 1);

	cr_assert_gt(length, 0);
	recorder[length] = '\0';
	slash = strrchr(recorder, '/');
	strcpy(slash, "/../ttlog-recorder");
	cr_assert(mkdtemp(own));
	cr_assert_eq(chmod(own, 0755), 0);
}

static void path_of(const char *name, char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s/%s", own, name);
}

static void teardown(void)
{
	static const char *const names[] = {"program", "pipe", "kept", "began"};
	char path[PATH_MAX];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		path_of(names[i], path);
		unlink(path);
	}
	cr_assert_eq(rmdir(own), 0);
	cr_assert(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD, "a child is left");
}

TestSuite(unwind_child, .init = setup, .fini = teardown);

/* ---- scenes that nobody captured ---- */

/* Threads whose stacks are full of addresses of modules that are not what they seem. */
static struct scene *make_scene(unsigned int thread_count, unsigned int module_count)
{
	struct scene *scene = calloc(1, sizeof(*scene));

	*scene = (struct scene){.root_fd = -1, .uid = getuid(), .gid = getgid()};
	scene->modules = calloc(module_count, sizeof(scene->modules[0]));
	scene->module_count = module_count;
	for (unsigned int i = 0; i < module_count; i++) {
		scene->modules[i].start = 0x10000000 + i * UINT64_C(0x100000);
		scene->modules[i].end = scene->modules[i].start + 0x100000;
	}
	scene->threads = calloc(thread_count, sizeof(scene->threads[0]));
	scene->thread_count = thread_count;
	for (unsigned int i = 0; i < thread_count; i++) {
		struct scene_thread *thread = &scene->threads[i];

		thread->tid = i + 1;
		thread->is_fatal = !i;
		thread->register_count = 17;
		thread->registers[16] = 0x10000010;
		thread->registers[7] = 0x7ffe0000;
		thread->registers[6] = 0x7ffe0000;
		thread->slices = calloc(1, sizeof(thread->slices[0]));
		thread->slice_count = 1;
		thread->slices[0] = (struct scene_slice){
			.address = 0x7ffe0000, .bytes = 65536, .data = calloc(1, 65536)};
		for (unsigned int j = 0; j < 65536 / 8; j++) {
			const uint64_t word = 0x10000000 + (uint64_t)random() % 0x10000000;

			memcpy(thread->slices[0].data + 8 * j, &word, 8);
		}
	}
	return scene;
}

static void set_path(struct scene_module *module, const char *path)
{
	free(module->path);
	module->path = strdup(path);
}

static void scene_done(struct scene *scene)
{
	scene_clear(scene);
	free(scene);
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void require_notes(const struct scene *scene, const char *what)
{
	for (unsigned int i = 0; i < scene->thread_count; i++)
		cr_assert(scene->threads[i].unwind_note &&
				  strstr(scene->threads[i].unwind_note, what),
			  "thread %u: %s", i, scene->threads[i].unwind_note);
}

/* It ends well, and each thread has at least its first frame. */
static void require_answered(struct scene *scene)
{
	const struct unwind_options options = {.program = recorder, .timeout_ms = 60000};

	cr_assert_eq(unwind_scene(scene, &options), 0);
	for (unsigned int i = 0; i < scene->thread_count; i++) {
		cr_assert_geq(scene->threads[i].frame_count, 1);
		cr_assert_leq(scene->threads[i].frame_count, SCENE_FRAMES_MAX);
		cr_assert(scene->threads[i].unwind_note);
	}
	scene_done(scene);
}

/* ---- hostile scenes ---- */

Test(unwind_child, files_that_are_no_files_are_left_alone)
{
	static const char *const paths[] = {
		"/dev/zero", "/dev/tty", "/dev/stdin", "/proc/self/mem", "/",
		"relative",  "",	 "[heap]",     "/etc/passwd",	 "/proc/kmsg"};
	struct scene *scene = make_scene(2, 256);
	char longest[4097], pipe_path[PATH_MAX];

	path_of("pipe", pipe_path);
	cr_assert_eq(mkfifo(pipe_path, 0666), 0);
	memset(longest, 'x', sizeof(longest) - 1);
	longest[0] = '/';
	longest[4096] = '\0';
	for (unsigned int i = 0; i < scene->module_count; i++)
		set_path(&scene->modules[i], paths[i % 10]);
	set_path(&scene->modules[0], pipe_path);
	set_path(&scene->modules[1], longest);
	longest[4094] = '\0';
	set_path(&scene->modules[2], longest);
	require_answered(scene);
}

Test(unwind_child, modules_that_overlap_are_those_that_came_first)
{
	struct scene *scene = make_scene(1, 64);

	for (unsigned int i = 0; i < scene->module_count; i++) {
		scene->modules[i].start = i % 3 ? 0x10000000 : UINT64_MAX - 5;
		scene->modules[i].end = i % 2 ? UINT64_MAX : 0x10000000;
		scene->modules[i].offset = UINT64_MAX - i;
		set_path(&scene->modules[i], recorder);
	}
	require_answered(scene);
}

Test(unwind_child, a_real_program_where_it_never_was_gives_no_names)
{
	struct scene *scene = make_scene(4, 256);

	for (unsigned int i = 0; i < scene->module_count; i++) {
		set_path(&scene->modules[i], recorder);
		scene->modules[i].offset = (uint64_t)random() & ~UINT64_C(4095);
	}
	require_answered(scene);
}

Test(unwind_child, the_most_of_everything_is_unwound)
{
	struct scene *scene = make_scene(SCENE_THREADS_MAX + 1, SCENE_MODULES_MAX);

	for (unsigned int i = 0; i < scene->module_count; i++)
		set_path(&scene->modules[i], recorder);
	require_answered(scene);
}

Test(unwind_child, counts_that_nobody_can_have_are_refused)
{
	struct scene *scene = make_scene(1, 1);
	const struct unwind_options options = {.program = recorder, .timeout_ms = 60000};

	scene->thread_count = SCENE_THREADS_MAX + 2;
	cr_assert_eq(unwind_scene(scene, &options), -EINVAL);
	scene->thread_count = 1;
	scene->module_count = SCENE_MODULES_MAX + 1;
	cr_assert_eq(unwind_scene(scene, &options), -EINVAL);
	scene->module_count = 1;
	scene->threads[0].register_count = UINT_MAX;
	scene->modules[0].build_id_bytes = 255;
	cr_assert_eq(unwind_scene(scene, &options), 0);
	require_notes(scene, "registers are unknown");
	scene_done(scene);
}

Test(unwind_child, wild_registers_lead_nowhere)
{
	struct scene *scene = make_scene(32, 16);

	for (unsigned int i = 0; i < scene->thread_count; i++) {
		struct scene_thread *thread = &scene->threads[i];

		for (unsigned int j = 0; j < 17; j++)
			thread->registers[j] = (uint64_t)random() << 33 ^ (uint64_t)random();
		thread->slices[0].address = i % 2 ? UINT64_MAX - 4096
						  : thread->registers[7] & ~7ULL;
		thread->slices[0].bytes = i % 2 ? 4096 : 65536;
	}
	require_answered(scene);
}

/* ---- children that are none ---- */

static void be_program(const char *script)
{
	char path[PATH_MAX];
	FILE *file;

	path_of("program", path);
	file = fopen(path, "we");
	cr_assert(file);
	fprintf(file, "#!/bin/bash\nfolder=%s\n%s\n", own, script);
	cr_assert_eq(fchmod(fileno(file), 0755), 0);
	cr_assert_eq(fclose(file), 0);
}

static struct scene *unwind_with(const char *script, unsigned int timeout_ms, int expected)
{
	struct scene *scene = make_scene(3, 1);
	char path[PATH_MAX];

	path_of("program", path);
	be_program(script);
	cr_assert_eq(unwind_scene(scene, &(struct unwind_options){.program = path,
								  .timeout_ms = timeout_ms}),
		     expected, "%s", script);
	return scene;
}

Test(unwind_child, says_so_when_it_was_killed)
{
	struct scene *scene = unwind_with("kill -9 $$", 60000, -ECHILD);

	require_notes(scene, "was killed by signal 9");
	scene_done(scene);
}

Test(unwind_child, says_so_when_it_failed)
{
	struct scene *scene = unwind_with("exit 7", 60000, -ECHILD);

	require_notes(scene, "exit status 7");
	scene_done(scene);
	scene = unwind_with("exit 4", 60000, -ECHILD);
	require_notes(scene, "could not give up its rights");
	scene_done(scene);
}

Test(unwind_child, is_not_waited_for_longer_than_was_said)
{
	const uint64_t before = now_ms();
	struct scene *scene = unwind_with("exec sleep 1000", 300, -ETIMEDOUT);

	require_notes(scene, "no answer within 300 ms");
	scene_done(scene);
	/* It says all there is to say, and stays. */
	scene = unwind_with("exec sleep 1000 >/dev/null", 300, -ECHILD);
	require_notes(scene, "no answer within 300 ms");
	scene_done(scene);
	cr_assert_lt(now_ms() - before, 60000);
}

Test(unwind_child, answers_that_make_no_sense_end_it)
{
	static const char *const scripts[] = {
		"exec cat /dev/urandom",
		"exec cat /dev/zero",
		"echo of a shell",
		"printf 'tudwans1'; exec cat /dev/zero",
	};

	for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
		struct scene *scene = unwind_with(scripts[i], 60000, -EBADMSG);

		require_notes(scene, "makes no sense");
		scene_done(scene);
	}
}

/* ---- in steps ---- */

static struct unwind *begin_with(const char *script, struct scene *scene)
{
	struct unwind *unwind = NULL;
	char path[PATH_MAX];

	path_of("program", path);
	be_program(script);
	cr_assert_eq(unwind_begin(&unwind, scene,
				  &(struct unwind_options){.program = path, .timeout_ms = 60000}), 0);
	return unwind;
}

Test(unwind_child, is_asked_without_waiting_and_ended_when_it_is_done)
{
	struct scene *scene = make_scene(1, 1);
	struct unwind *unwind = NULL;

	cr_assert_eq(unwind_begin(&unwind, scene, &(struct unwind_options){.program = recorder,
									   .timeout_ms = 60000}),
		     0);
	while (!unwind_poll(unwind))
		usleep(1000);
	cr_assert(scene->threads[0].frame_count || scene->threads[0].unwind_note);
	cr_assert_eq(unwind_end(unwind, true), 0);
	scene_done(scene);
}

Test(unwind_child, is_killed_when_nobody_waits_for_it)
{
	const uint64_t before = now_ms();
	struct scene *scene = make_scene(2, 1);
	struct unwind *unwind = begin_with("exec sleep 1000", scene);

	cr_assert_not(unwind_poll(unwind));
	cr_assert_eq(unwind_end(unwind, false), -ECANCELED);
	require_notes(scene, "could not be heard");
	cr_assert_lt(now_ms() - before, 30000);
	scene_done(scene);
	/* And its place is free: as many as there may be. */
	for (int i = 0; i < UNWIND_CHILDREN_MAX; i++) {
		scene = make_scene(1, 1);
		require_answered(scene);
	}
}

Test(unwind_child, says_so_when_there_is_no_program)
{
	struct scene *scene = make_scene(2, 1);

	cr_assert_eq(unwind_scene(scene, &(struct unwind_options){.program = "/nowhere"}), -ENOENT);
	require_notes(scene, "could be started");
	scene_done(scene);
}

Test(unwind_child, inherits_the_scene_the_pipe_and_nothing_else)
{
	char path[PATH_MAX], text[256] = "";
	struct scene *scene;
	FILE *file;

	/* Of the variables that a shell sets by itself there are few. */
	setenv("TTLOG_TEST_SECRET", "secret", 1);
	scene = unwind_with("ls /proc/self/fd | tr '\\n' ' ' >$folder/kept\n"
			    "env | grep -c SECRET >>$folder/kept\n"
			    "grep SigBlk /proc/self/status | cut -f2 >>$folder/kept; exit 0",
			    60000, 0);
	require_notes(scene, "said nothing");
	scene_done(scene);
	path_of("kept", path);
	file = fopen(path, "re");
	cr_assert(file);
	cr_assert_gt(fread(text, 1, sizeof(text) - 1, file), 0);
	fclose(file);
	/* 3 is the folder that ls reads. What ends a recorder waits until the child is done. */
	cr_assert_str_eq(text, "0 1 2 3 0\n0000000000004a07\n");
}

/* ---- how many ---- */

static void *unwind_slowly(void *unused)
{
	struct scene *scene = make_scene(1, 1);
	char path[PATH_MAX];

	(void)unused;
	path_of("program", path);
	unwind_scene(scene, &(struct unwind_options){.program = path, .timeout_ms = 60000});
	scene_done(scene);
	return NULL;
}

Test(unwind_child, there_are_only_so_many_at_a_time)
{
	pthread_t threads[UNWIND_CHILDREN_MAX];
	char path[PATH_MAX], gate[PATH_MAX], began[PATH_MAX];
	struct scene *scene = make_scene(2, 1);
	int fd;

	path_of("program", path);
	path_of("kept", gate);
	path_of("began", began);
	/* Each says that it is there, and stays until there is a gate. */
	be_program("echo >>$folder/began; while [ ! -e $folder/kept ]; do sleep 0.01; done");
	for (int i = 0; i < UNWIND_CHILDREN_MAX; i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, unwind_slowly, NULL), 0);
	for (struct stat status = {0}; status.st_size < UNWIND_CHILDREN_MAX;) {
		usleep(1000);
		if (stat(began, &status))
			status.st_size = 0;
	}
	cr_assert_eq(unwind_scene(scene, &(struct unwind_options){.program = path}), -EBUSY);
	require_notes(scene, "others were being unwound");
	fd = open(gate, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	cr_assert_geq(fd, 0);
	close(fd);
	for (int i = 0; i < UNWIND_CHILDREN_MAX; i++)
		pthread_join(threads[i], NULL);
	scene_done(scene);
	/* And then there is room again. */
	scene = make_scene(1, 1);
	require_answered(scene);
}

/* ---- its answers ---- */

Test(unwind_child, has_one_word_on_each_stage)
{
	struct scene_frame frame = {.pc = 1, .module = -1, .function = "first"};
	const struct scene_thread first = {.frames = &frame, .frame_count = 1};
	struct scene *scene = make_scene(1, 1);
	unsigned char stage = UNWIND_NONE;
	struct pack pack;
	size_t one;

	cr_assert_eq(pack_init(&pack, 64, UNWIND_ANSWER_MAX), 0);
	unwind_answer_pack(&pack, 0, UNWIND_NAMED, &first);
	one = pack.bytes;
	frame.function = "second";
	unwind_answer_pack(&pack, 0, UNWIND_NAMED, &first);
	unwind_answer_pack(&pack, 0, UNWIND_BARE, &first);
	cr_assert_eq(unwind_answers_take(scene, &stage, pack.data, one - 1), 0, "not whole yet");
	cr_assert_eq(unwind_answers_take(scene, &stage, pack.data, pack.bytes), -EBADMSG);
	cr_assert_eq(stage, UNWIND_NAMED);
	cr_assert_str_eq(scene->threads[0].frames[0].function, "first");
	pack_fini(&pack);
	scene_done(scene);
}
