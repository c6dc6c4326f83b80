/* SPDX-License-Identifier: MIT */
/* Stacks unwound again: what is gained and what is kept, and that hostile dumps and files end in time. */
#include <criterion/criterion.h>

#include <link.h>
#include <sys/stat.h>
#include <time.h>

#include "tests/made_dump.h"
#include "tests/view_dump.h"
#include "viewer/info.h"
#include "viewer/info_redo.h"
#include "viewer/redo_frames.h"

#define TIME_MS 120000 /* four times what the child has */

#ifdef __x86_64__
#define REGISTERS 17
#define PC 16
#define SP 7
#else
#define REGISTERS 33
#define PC 32
#define SP 31
#endif

/* Who unwinds is this program again. */
__attribute__((constructor)) static void be_child(int argc, char **argv)
{
	if (redo_is_child(argc, argv))
		_exit(redo_child(argc, argv));
}

/* ---- recorded frames and found ones ---------------------------------------------------------------- */

#define TEXT(string)                                                                               \
	{                                                                                          \
		string, sizeof(string) - 1                                                         \
	}
#define AT(address)                                                                                \
	{                                                                                          \
		address, true                                                                      \
	}

static struct redo_thread merge(const struct meta_frame *recorded, uint64_t recorded_count,
				const struct meta_frame *found, uint64_t found_count)
{
	static struct meta_frame frames[32];
	static unsigned char gained[32];
	struct redo_thread thread = {.frames = frames, .gained = gained};

	redo_frames_merge(recorded, recorded_count, found, found_count, &thread);
	return thread;
}

Test(redo, what_a_frame_says_more_is_counted)
{
	const struct meta_frame recorded[] = {{.pc = AT(0x10), .symbol = TEXT("one")},
					      {.pc = AT(0x20)}};
	const struct meta_frame found[] = {
		{.pc = AT(0x10), .symbol = TEXT("one"), .function = TEXT("in"), .file = TEXT("a.c")},
		{.pc = AT(0x10), .function = TEXT("one"), .file = TEXT("a.c"), .is_inline = true},
		{.pc = AT(0x20)},
		{.pc = AT(0x30), .symbol = TEXT("three")}};
	const struct redo_thread thread = merge(recorded, 2, found, 4);

	cr_assert_eq(thread.frame_count, 4);
	cr_expect_eq(thread.gained[0], REDO_GAIN_FUNCTION | REDO_GAIN_LINE);
	cr_expect_eq(thread.gained[1], REDO_GAIN_FRAME | REDO_GAIN_FUNCTION | REDO_GAIN_LINE);
	cr_expect_eq(thread.gained[2], 0);
	cr_expect_eq(thread.gained[3], REDO_GAIN_FRAME | REDO_GAIN_SYMBOL);
	cr_expect_eq(thread.new_frames, 2);
	cr_expect_eq(thread.new_functions, 2);
	cr_expect_eq(thread.new_lines, 2);
	cr_expect_eq(thread.new_symbols, 1);
}

Test(redo, a_frame_that_says_less_now_is_the_recorded_one)
{
	const struct meta_frame recorded[] = {
		{.pc = AT(0x10), .function = TEXT("in"), .file = TEXT("a.c")},
		{.pc = AT(0x10), .function = TEXT("one"), .is_inline = true},
		{.pc = AT(0x20), .symbol = TEXT("two")},
		{.pc = AT(0x30), .function = TEXT("three")}};
	const struct meta_frame found[] = {{.pc = AT(0x10), .symbol = TEXT("one")},
					   {.pc = AT(0x20)},
					   {.pc = AT(0x30), .symbol = TEXT("three")}};
	const struct redo_thread thread = merge(recorded, 4, found, 3);

	cr_assert_eq(thread.frame_count, 4);
	for (unsigned int i = 0; i < 4; i++) {
		cr_expect_eq(thread.gained[i], 0);
		cr_expect_eq(memcmp(&thread.frames[i], &recorded[i], sizeof(recorded[i])), 0, "%u",
			     i);
	}
}

/* The same address again and again is another frame each time. */
Test(redo, frames_of_a_recursion_are_taken_one_by_one)
{
	const struct meta_frame recorded[] = {{.pc = AT(0x10), .function = TEXT("f")},
					      {.pc = AT(0x10)},
					      {.pc = AT(0x10), .function = TEXT("f")}};
	const struct meta_frame found[] = {{.pc = AT(0x10), .function = TEXT("f")},
					   {.pc = AT(0x10), .function = TEXT("f")},
					   {.pc = AT(0x10)},
					   {.pc = AT(0x10), .function = TEXT("f")}};
	const struct redo_thread thread = merge(recorded, 3, found, 4);

	cr_assert_eq(thread.frame_count, 4);
	cr_expect_eq(thread.gained[0], 0);
	cr_expect_eq(thread.gained[1], REDO_GAIN_FUNCTION);
	cr_expect_eq(thread.gained[2], 0);
	cr_expect_eq(thread.frames[2].function.bytes, 1, "the recorded one says more");
	cr_expect_eq(thread.gained[3], REDO_GAIN_FRAME | REDO_GAIN_FUNCTION);
}

/* ---- names of files -------------------------------------------------------------------------------- */

#define SHOWN "\\x1b[2J\\u009b2J\\u202e\\n\\xff"
#define HOSTILE(word) TEXT(word "\033[2J\302\2332J\342\200\256\n\377")

/* A dump names files, and files name others; what is read from them goes to a terminal. */
Test(redo, names_of_files_are_harmless)
{
	struct meta_module modules[] = {{.path = HOSTILE("module-a")}, {.path = HOSTILE("module-b")}};
	struct redo_module redone[] = {{.file = HOSTILE("file-a"), .debug_file = HOSTILE("debug-a")},
				       {.file = HOSTILE("file-b"), .fault = HOSTILE("fault-b")}};
	struct meta_frame frames[] = {{.module = {0, true}}, {.module = {1, true}}};
	struct redo_thread thread = {.frames = frames, .frame_count = 2};
	struct meta_scene scene = {.modules = modules, .module_count = 2, .thread_count = 1};
	const struct redo redo = {.threads = &thread, .modules = redone};
	struct out out, json;

	out_init(&out, -1);
	info_redo_text(&out, &scene, &redo);
	for (size_t at = 0, length; at < out.bytes; at += length) {
		uint32_t code = 0;

		length = utf8_next(out.data + at, out.bytes - at, &code);
		cr_assert(length && (code == '\n' || !out_is_unsafe(code)), "byte %zu of %.*s", at, (int)out.bytes,
			  out.data);
	}
	out_char(&out, '\0');
	cr_expect_str_eq(out.data, "  files for unwinding\n"
				   "    module-a" SHOWN ": read from file-a" SHOWN ", debug information from debug-a" SHOWN
				   "\n    module-b" SHOWN " fault-b" SHOWN ": not used; names from file-b" SHOWN "\n\n",
			 "%s", out.data);
	out_fini(&out);
	out_init(&json, -1);
	info_redo_json_module(&json, &redone[0]);
	info_redo_json_module(&json, &redone[1]);
	out_char(&json, '\0');
	for (const char *at = json.data; *at; at++)
		cr_assert((unsigned char)*at >= ' ', "%s", json.data);
	cr_expect(strstr(json.data, "fault-b\\u001b[2J\\u009b2J\\u202e\\n"), "%s", json.data);
	out_fini(&json);
}

/* ---- dumps ----------------------------------------------------------------------------------------- */

static struct dump *dump;
static uint64_t began_ms;

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void open_scene(const struct scene *scene)
{
	struct event event;
	const char *why;
	unsigned char *data;
	size_t bytes;

	made_begin();
	made.facts.scene = scene;
	data = made_dump(&bytes);
	cr_assert_eq(view_bytes(&dump, data, bytes, &why), 0, "%s", why);
	free(data);
	while (dump_next(dump, &event))
		;
}

/* Unwinds it again, and closes it; it is shown, too, for what that makes of it. */
static void redo_and_show(void (*look)(const struct redo *redo, const struct meta_scene *scene))
{
	const struct meta_scene *scene = dump_scene(dump);
	struct redo *redo;
	struct out out;

	began_ms = now_ms();
	redo = redo_open(scene, dump_meta(dump), &(struct redo_options){0});
	cr_assert(redo);
	cr_expect_lt(now_ms() - began_ms, TIME_MS);
	out_init(&out, -1);
	info_text(&out, dump, NULL, redo, false, true);
	info_json(&out, dump, NULL, redo);
	cr_expect_eq(out.error, 0);
	out_fini(&out);
	if (look)
		look(redo, scene);
	redo_close(redo, scene);
	dump_close(dump);
}

static struct scene_frame old_frames[] = {
	{.pc = 0x1010, .flags = SCENE_FRAME_ACTIVATION, .module = 0, .function = "first"},
	{.pc = 0x1100, .module = -1},
};

static void keeps_old_frames(const struct redo *redo, const struct meta_scene *scene)
{
	for (uint64_t i = 0; i < scene->thread_count; i++) {
		cr_assert_eq(redo->threads[i].frame_count, 2, "thread %zu", (size_t)i);
		cr_expect(span_is(redo->threads[i].frames[0].function, "first"));
		cr_expect_eq(redo->threads[i].gained[0] | redo->threads[i].gained[1], 0);
	}
}

Test(redo, nothing_comes_of_a_dump_without_a_scene)
{
	open_scene(NULL);
	redo_and_show(NULL);
}

/* Those of arm64 are no numbers for another machine. */
static void needs_registers(const struct redo *redo, const struct meta_scene *scene)
{
	keeps_old_frames(redo, scene);
	cr_expect(memmem(redo->threads[0].note.data, redo->threads[0].note.bytes,
			 "its registers are unknown", 25));
}

Test(redo, registers_of_another_machine_are_not_taken_for_those_of_this)
{
	struct scene_thread thread = {.tid = 1, .is_fatal = true, 
				      .register_count = REGISTERS == 17 ? 33 : 17,
				      .frames = old_frames, .frame_count = 2};
	const struct scene scene = {.threads = &thread, .thread_count = 1, .root_fd = -1};

	open_scene(&scene);
	redo_and_show(needs_registers);
}

Test(redo, threads_beyond_what_can_be_unwound_keep_what_was_recorded)
{
	enum { COUNT = SCENE_THREADS_MAX + 1 };
	struct scene_thread *threads = calloc(COUNT, sizeof(*threads));
	const struct scene scene = {.threads = threads, .thread_count = COUNT, .root_fd = -1};

	for (unsigned int i = 0; i < COUNT; i++)
		threads[i] = (struct scene_thread){.tid = i + 1, .is_fatal = !i,
						   .frames = old_frames, .frame_count = 2};
	open_scene(&scene);
	free(threads);
	redo_and_show(keeps_old_frames);
}

/* ---- hostile ones ---------------------------------------------------------------------------------- */

static struct scene_module modules[64];
static unsigned int module_count;

/* What this program has mapped to execute, as it is. */
static int add_module(struct dl_phdr_info *info, size_t bytes, void *context)
{
	const char *name = *info->dlpi_name ? info->dlpi_name : "/proc/self/exe";
	struct stat status;

	(void)bytes, (void)context;
	for (unsigned int i = 0; i < info->dlpi_phnum && module_count < 64; i++) {
		const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
		const uint64_t skew = segment->p_vaddr & 4095;

		if (segment->p_type != PT_LOAD || !(segment->p_flags & PF_X) || stat(name, &status))
			continue;
		modules[module_count++] = (struct scene_module){
			.start = info->dlpi_addr + segment->p_vaddr - skew,
			.end = (info->dlpi_addr + segment->p_vaddr + segment->p_memsz + 4095) &
			       ~UINT64_C(4095),
			.offset = segment->p_offset - skew,
			.inode = status.st_ino,
			.path = realpath(name, NULL),
		};
	}
	return 0;
}

static int by_start(const void *a, const void *b)
{
	const struct scene_module *left = a, *right = b;

	return left->start < right->start ? -1 : left->start > right->start;
}

static void find_modules(void)
{
	dl_iterate_phdr(add_module, NULL);
	qsort(modules, module_count, sizeof(modules[0]), by_start);
	cr_assert_geq(module_count, 2);
}

static void free_modules(void)
{
	for (unsigned int i = 0; i < module_count; i++)
		free(modules[i].path);
}

/* Addresses of code, of the stack, and of nothing; the machine runs on with them. */
static uint64_t garbage(uint64_t stack)
{
	const struct scene_module *module = &modules[(unsigned int)random() % module_count];

	switch (random() % 4) {
	case 0:
		return stack + ((uint64_t)random() & 0x7ff8);
	case 1:
		return (uint64_t)random() << 33 ^ (uint64_t)random();
	default:
		return module->start + (uint64_t)random() % (module->end - module->start);
	}
}

static void make_garbage(struct scene_thread *thread, struct scene_slice *slice)
{
	const uint64_t stack = UINT64_C(0x7ffc00000000);

	*slice = (struct scene_slice){.address = stack, .bytes = 32768, .data = malloc(32768)};
	*thread = (struct scene_thread){.tid = 7, .is_fatal = true, .register_count = REGISTERS,
					.slices = slice, .slice_count = 1};
	for (unsigned int i = 0; i < slice->bytes / 8; i++) {
		const uint64_t word = garbage(stack);

		memcpy(slice->data + 8 * i, &word, 8);
	}
	for (unsigned int i = 0; i < REGISTERS; i++)
		thread->registers[i] = garbage(stack);
	thread->registers[SP] = stack;
	thread->registers[PC] = modules[0].start + 0x1001;
}

static void was_answered(const struct redo *redo, const struct meta_scene *scene)
{
	for (uint64_t i = 0; i < scene->thread_count; i++) {
		cr_expect_geq(redo->threads[i].frame_count, 1);
		cr_expect_leq(redo->threads[i].frame_count, SCENE_FRAMES_MAX);
		cr_expect_not(memmem(redo->threads[i].note.data, redo->threads[i].note.bytes,
				     "child", 5),
			      "%.*s", (int)redo->threads[i].note.bytes, redo->threads[i].note.data);
	}
}

Test(redo, slices_of_garbage_end_in_time)
{
	find_modules();
	for (unsigned int seed = 1; seed <= 6; seed++) {
		struct scene_thread threads[3];
		struct scene_slice slices[3];
		const struct scene scene = {.threads = threads, .thread_count = 3,
					    .modules = modules, .module_count = module_count,
					    .root_fd = -1};

		srandom(seed);
		for (unsigned int i = 0; i < 3; i++)
			make_garbage(&threads[i], &slices[i]);
		open_scene(&scene);
		for (unsigned int i = 0; i < 3; i++)
			free(slices[i].data);
		redo_and_show(was_answered);
	}
	free_modules();
}

/* A program with its debug information, with some bytes of it changed. */
static void damage(const char *from, const char *to, unsigned int seed)
{
	char *data = malloc(1 << 22);
	FILE *file = fopen(from, "re");
	size_t bytes;

	cr_assert(file && data, "%s", from);
	bytes = fread(data, 1, 1 << 22, file);
	cr_assert(bytes > 8192 && bytes < 1 << 22);
	fclose(file);
	srandom(seed);
	/* Beyond the program headers, or nothing would be read of it. */
	for (unsigned int i = 0; i < 1 + seed % 200; i++)
		data[1024 + (size_t)random() % (bytes - 1024)] = (char)random();
	file = fopen(to, "we");
	cr_assert(file);
	cr_assert_eq(fwrite(data, 1, bytes, file), bytes);
	fclose(file);
	free(data);
}

static void ends(const struct redo *redo, const struct meta_scene *scene)
{
	for (uint64_t i = 0; i < scene->thread_count; i++)
		cr_expect(redo->threads[i].frame_count || redo->threads[i].note.bytes);
}

Test(redo, damaged_files_end_in_time)
{
	char folder[] = "/tmp/ttlog-redo-XXXXXX", path[64], victim[4096];
	const ssize_t length = readlink("/proc/self/exe", victim, 4000);
	struct stat status;

	cr_assert_gt(length, 0);
	victim[length] = '\0';
	strcpy(strrchr(victim, '/'), "/victims/pie");
	cr_assert(mkdtemp(folder));
	cr_assert_eq(chmod(folder, 0755), 0);
	snprintf(path, sizeof(path), "%s/program", folder);
	for (unsigned int seed = 1; seed <= 40; seed++) {
		struct scene_thread thread;
		struct scene_slice slice;
		const struct scene scene = {.threads = &thread, .thread_count = 1,
					    .modules = modules, .module_count = 1,
					    .root_fd = -1};

		damage(victim, path, seed);
		cr_assert_eq(stat(path, &status), 0);
		modules[0] = (struct scene_module){.start = 0x555500001000, .end = 0x555500003000,
						   .offset = 0x1000, .inode = status.st_ino,
						   .path = path};
		module_count = 1;
		make_garbage(&thread, &slice);
		open_scene(&scene);
		free(slice.data);
		redo_and_show(ends);
	}
	unlink(path);
	cr_assert_eq(rmdir(folder), 0);
}
