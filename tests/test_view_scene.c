/* SPDX-License-Identifier: MIT */
/* test_view_scene.c - a scene through a dump: what the viewer has of it, and what it makes of damage. */
#include <criterion/criterion.h>

#include "recorder/dump_scene.h"
#include "tests/made_dump.h"
#include "tests/view_dump.h"
#include "viewer/info.h"

static unsigned char stack[8192];
static struct scene_slice slices[] = {{0x7000, 4096, stack}, {0x9000, 8192, stack}};
static struct scene_frame frames[] = {
	{.pc = 0x1010, .flags = SCENE_FRAME_ACTIVATION, .module = 0, .offset = 0x2010,
	 .symbol = "crash", .symbol_offset = 4, .function = "deep\x1b[31m", .file = "a.cc", .line = 7,
	 .column = 3},
	{.pc = 0x1100, .flags = SCENE_FRAME_INLINE, .module = 0, .offset = 0x2100, .symbol = "main", .symbol_offset = 0x20},
	{.pc = 0x5000, .flags = SCENE_FRAME_GUESSED, .module = -1},
};
static struct scene_thread threads[] = {
	{.tid = 12, .name = "worker", .is_fatal = true, .register_count = 17, .fault_address = 0,
	 .error_code = 6, .trap = 14, .slices = slices, .slice_count = 2, .frames = frames,
	 .frame_count = 3, .unwind_note = "the stack ends here", .code = "\x90\xc3", .code_bytes = 64,
	 .code_address = 0xff0},
	{.tid = 11, .name = "main\xff", .register_count = 33, .registers = {[31] = 5, [32] = 0x1234}},
};
static struct scene_module modules[] = {
	{.start = 0x1000, .end = 0x2000, .offset = 0x1000, .inode = 5, .major = 8, .minor = 1,
	 .build_id_bytes = 2, .build_id = {0xab, 0xcd}, .path = "/usr/bin/orders"},
	{.start = 0x7fff0000, .end = 0x7fff2000, .path = "[vdso]"},
};
static const struct scene scene = {
	.threads = threads,
	.thread_count = 2,
	.threads_left_out = 9,
	.modules = modules,
	.module_count = 2,
	.fault_mapping = {.start = 0x5000, .end = 0x6000, .offset = 0x1000, .path = "/data"},
	.fault_access = 9,
	.root_fd = -1,
};

static struct dump *dump;
static struct out out;

/* Opens a dump with that scene, and reads it to its end. */
static void open_scene(const struct scene *what)
{
	struct event event;
	const char *why;
	size_t bytes;
	unsigned char *data;

	made_begin();
	made.facts.scene = what;
	data = made_dump(&bytes);
	cr_assert_eq(view_bytes(&dump, data, bytes, &why), 0, "%s", why);
	free(data);
	while (dump_next(dump, &event))
		;
	out_init(&out, -1);
}

static void done(void)
{
	char damage[160];

	cr_expect_not(dump_damage(dump, damage, sizeof(damage)), "%s", damage);
	out_fini(&out);
	dump_close(dump);
}

static void expect(const char *text)
{
	cr_expect(memmem(out.data, out.bytes, text, strlen(text)), "no '%s' in %.*s", text,
		  (int)out.bytes, out.data);
}

Test(view_scene, info_shows_the_fatal_thread_and_counts_the_others)
{
	open_scene(&scene);
	info_text(&out, dump, NULL, NULL, false, false);
	expect("  stack of thread worker (tid 12)\n"
	       "    #0   0x0000000000001010 deep\\x1b[31m (a.cc:7) [inlined]\n"
	       "    #1   0x0000000000001100 main+0x20\n"
	       "    #2   0x0000000000005000 nothing is mapped there to execute [guessed]\n"
	       "    the stack ends here\n");
	expect("1 other thread has a known stack (--threads shows it)\n");
	expect("9 threads had no room in the scene\n");
	cr_expect_not(memmem(out.data, out.bytes, "(tid 11)", 8));
	done();
}

Test(view_scene, a_thread_without_frames_has_its_place)
{
	open_scene(&scene);
	info_text(&out, dump, NULL, NULL, false, true);
	expect("  stack of thread main\\xff (tid 11)\n"
	       "    #0   0x0000000000001234 /usr/bin/orders+0x1234 build-id abcd\n");
	done();
}

Test(view_scene, json_has_all_of_it)
{
	open_scene(&scene);
	info_json(&out, dump, NULL, NULL);
	expect("\"scene\":{\"threads\":[{\"tid\":12,\"name\":\"worker\",\"fatal\":true,\"registers\":{\"rax\":");
	expect("\"fault_address\":\"0x0\",\"error_code\":6,\"trap\":14,");
	expect("\"slices\":[{\"address\":\"0x7000\",\"bytes\":4096},{\"address\":\"0x9000\",\"bytes\":8192}]");
	expect("{\"pc\":\"0x1010\",\"module\":0,\"offset\":\"0x2010\",\"symbol\":\"crash\",\"symbol_offset\":"
	       "\"0x4\",\"function\":\"deep\\u001b[31m\",\"file\":\"a.cc\",\"line\":7,\"column\":3,"
	       "\"inline\":false,\"activation\":true,\"guessed\":false}");
	expect("{\"pc\":\"0x5000\",\"module\":null,");
	expect("\"x0\":\"0x0\"");
	expect("\"sp\":\"0x5\",\"pc\":\"0x1234\"}");
	expect("{\"start\":\"0x1000\",\"end\":\"0x2000\",\"offset\":\"0x1000\",\"inode\":5,\"build_id\":\"abcd\","
	       "\"path\":\"/usr/bin/orders\"}");
	expect("\"threads_left_out\":9,\"pages_left_out\":0,\"modules_left_out\":0,\"modules_cut\":false,"
	       "\"fault_mapping\":{\"start\":\"0x5000\",\"end\":\"0x6000\",\"offset\":\"0x1000\",\"path\":\"/data\","
	       "\"access\":\"r--s\"}}");
	done();
}

Test(view_scene, a_dump_without_one_says_null)
{
	open_scene(NULL);
	info_json(&out, dump, NULL, NULL);
	expect("\"scene\":null");
	done();
}

/* ---- a scene that takes a while -------------------------------------------------------------------- */

struct patience {
	unsigned int asked, needed; /* it is ready when it was asked that often, or waited for */
	bool was_waited_for, was_ready;
};

static bool ready_later(void *context, bool waits)
{
	struct patience *patience = context;

	cr_assert_not(patience->was_ready, "asked, and it was there");
	patience->was_waited_for = waits;
	patience->was_ready = waits || ++patience->asked >= patience->needed;
	return patience->was_ready;
}

static void generate(size_t index, struct ttlog_reader_event *event)
{
	*event = (struct ttlog_reader_event){
		.ticks = index, .site = 1, .channel = TTLOG_READER_NO_CHANNEL};
}

/* Which of the file's frames the scene's first is, of those with content. */
static void open_late_scene(struct patience *patience)
{
	static const uint8_t no_types[] = {0};
	struct event event;
	uint64_t count = 0;
	const char *why;
	size_t bytes;
	unsigned char *data;

	made_begin();
	made_site(TTLOG_INFO, "t", "m", no_types, NULL);
	made.generator = generate;
	made.generate = 5 * DUMP_BATCH_EVENTS;
	made.facts.scene = &scene;
	made.facts.scene_ready = ready_later;
	made.facts.scene_context = patience;
	data = made_dump(&bytes);
	cr_assert(patience->was_ready);
	cr_assert_eq(view_bytes(&dump, data, bytes, &why), 0, "%s", why);
	free(data);
	while (dump_next(dump, &event))
		cr_assert_eq(event.seq, count++);
	cr_assert_eq(count, 5 * DUMP_BATCH_EVENTS);
	out_init(&out, -1);
	info_text(&out, dump, NULL, NULL, false, true);
	expect("deep\\x1b[31m (a.cc:7)");
	expect("stack of thread main");
}

Test(view_scene, comes_between_batches_of_events_when_it_is_ready_then)
{
	struct patience patience = {.needed = 3};

	open_late_scene(&patience);
	cr_expect_not(patience.was_waited_for);
	cr_expect_eq(patience.asked, 3);
	done();
}

Test(view_scene, comes_behind_the_events_when_it_takes_longer)
{
	struct patience patience = {.needed = 1000};

	open_late_scene(&patience);
	cr_expect(patience.was_waited_for);
	done();
}

/* ---- damage ---------------------------------------------------------------------------------------- */

/* Each byte of the two frames changed, and each length of them: no crash, no leak, bounded. */
Test(view_scene, damage_is_refused)
{
	struct pack pack;

	cr_assert_eq(pack_init(&pack, 4096, 1 << 20), 0);
	for (unsigned int which = 0; which < 2; which++) {
		pack.bytes = 0;
		if (which)
			dump_scene_encode_thread(&pack, &threads[1]);
		else
			dump_scene_encode(&pack, &scene);
		for (size_t at = 0; at < pack.bytes; at++) {
			struct meta_scene seen = {0};

			cr_expect_neq(scene_add(&seen, pack.data, at), 0, "%zu bytes of it", at);
			scene_fini(&seen);
			seen = (struct meta_scene){0};
			pack.data[at] ^= (unsigned char)(1 + at % 255);
			(void)scene_add(&seen, pack.data, pack.bytes);
			pack.data[at] ^= (unsigned char)(1 + at % 255);
			scene_fini(&seen);
		}
	}
	pack_fini(&pack);
}
