/* SPDX-License-Identifier: MIT */
/* test_dict.c - the dictionary: everything once, nothing lost, full is counted. */
#include "lib/dict.h"

#include <pthread.h>
#include <stdio.h>

#include "tests/own_region.h"

static const uint8_t one_i32[] = {TTLOG_TYPE_I32};
static const char *const one_name[] = {"n"};

static struct ttlog_site site_named(const char *message)
{
	struct ttlog_site site = {
		.level = TTLOG_INFO,
		.field_count = 1,
		.line = 7,
		.target = "t",
		.message = message,
		.file = "f.c",
		.function = "fn",
		.names = one_name,
		.types = one_i32,
	};

	return site;
}

static void record_number(struct ttlog_site *site, int n)
{
	struct ttlog_value value = ttlog_value_i32(n);

	ttlog_record(site, &value, 1);
}

static void one_place(int n)
{
	ttlog_info("one place", "n", n);
}

static uint32_t id_of(const struct ttlog_site *site)
{
	return (uint32_t)(site->word >> 32);
}

Test(dict, a_site_has_one_id_for_all_its_events)
{
	struct ttlog_reader_event event;
	struct ttlog_reader *reader;
	uint32_t id = 0, count = 0;

	begin(0);
	for (int i = 0; i < 100; i++)
		one_place(i);
	reader = view();
	for (; next_of(reader, "one place", &event); count++) {
		cr_expect(id == 0 || event.site == id);
		id = event.site;
	}
	cr_expect_eq(count, 100);
	cr_expect_eq(ttlog_reader_id_limit(reader), 2);
	ttlog_reader_close(reader);
}

Test(dict, a_site_comes_back_with_all_that_it_says)
{
	static const uint8_t types[] = {TTLOG_TYPE_U8, TTLOG_TYPE_STRING};
	static const char *const names[] = {"first", NULL};
	struct ttlog_site site = {
		.level = TTLOG_ERROR,
		.field_count = 2,
		.line = 4711,
		.message = "message",
		.file = "/some/where/stem.of.c",
		.function = "function",
		.names = names,
		.types = types,
	};
	const struct ttlog_reader_site *seen;
	struct ttlog_reader *reader;

	begin(0);
	cr_assert_eq(ttlog_site_register(&site), 0);
	reader = view();
	seen = ttlog_reader_site(reader, id_of(&site));
	cr_assert_not_null(seen);
	cr_expect_eq(seen->level, TTLOG_ERROR);
	cr_expect_eq(seen->line, 4711);
	cr_expect_str_eq(seen->target, "stem.of");
	cr_expect_str_eq(seen->message, "message");
	cr_expect_str_eq(seen->file, "/some/where/stem.of.c");
	cr_expect_str_eq(seen->function, "function");
	cr_expect_eq(seen->field_count, 2);
	cr_expect_eq(seen->types[1], TTLOG_TYPE_STRING);
	cr_expect_str_eq(seen->names[0], "first");
	cr_expect_str_eq(seen->names[1], "", "a NULL name is the empty one");
	ttlog_reader_close(reader);
}

Test(dict, same_sites_share_an_id_and_others_do_not)
{
	struct ttlog_site a = site_named("same"), b = site_named("same"), others[8];

	for (int i = 0; i < 8; i++)
		others[i] = site_named("same");
	others[0].message = "other";
	others[1].line++;
	others[2].level++;
	others[3].file = "g.c";
	others[4].function = "gn";
	others[5].target = "u";
	others[6].types = (const uint8_t[]){TTLOG_TYPE_U32};
	others[7].flags = TTLOG_SITE_PRINTF;
	begin(0);
	cr_assert_eq(ttlog_site_register(&a), 0);
	cr_assert_eq(ttlog_site_register(&b), 0);
	cr_expect_eq(id_of(&a), id_of(&b));
	for (int i = 0; i < 8; i++) {
		cr_assert_eq(ttlog_site_register(&others[i]), 0);
		cr_expect_eq(id_of(&others[i]), id_of(&a) + 1 + (uint32_t)i, "other %d", i);
	}
}

Test(dict, interned_strings_are_there_once)
{
	char copy[] = "string";
	struct ttlog_interned a, b, c;
	struct ttlog_reader *reader;

	begin(0);
	a = ttlog_intern("string");
	b = ttlog_intern(copy);
	c = ttlog_intern("strin");
	cr_expect_neq(a.id, 0);
	cr_expect_eq(a.id, b.id);
	cr_expect_neq(a.id, c.id);
	cr_expect_eq(ttlog_intern("").id, 0, "zero is the empty string");
	cr_expect_eq(ttlog_intern(NULL).id, 0);
	reader = view();
	cr_expect_str_eq(ttlog_reader_string(reader, a.id), "string");
	cr_expect_str_eq(ttlog_reader_string(reader, c.id), "strin");
	ttlog_reader_close(reader);
}

Test(dict, long_strings_are_cut)
{
	char text[3000];
	const char *names[] = {text};
	struct ttlog_site site = site_named(text);
	const struct ttlog_reader_site *seen;
	struct ttlog_reader *reader;
	struct ttlog_interned interned;

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	site.file = site.function = text;
	site.target = NULL;
	site.names = names;
	begin(0);
	cr_assert_eq(ttlog_site_register(&site), 0);
	interned = ttlog_intern(text);
	reader = view();
	seen = ttlog_reader_site(reader, id_of(&site));
	cr_assert_not_null(seen);
	cr_expect_eq(strlen(seen->target), 63);
	cr_expect_eq(strlen(seen->message), TTLOG_DICT_STRING_MAX);
	cr_expect_eq(strlen(seen->file), 255);
	cr_expect_eq(strlen(seen->function), 255);
	cr_expect_eq(strlen(seen->names[0]), 63);
	cr_expect_eq(strlen(ttlog_reader_string(reader, interned.id)), TTLOG_DICT_STRING_MAX);
	ttlog_reader_close(reader);
	text[TTLOG_DICT_STRING_MAX - 1] = (char)0xc3;
	text[TTLOG_DICT_STRING_MAX] = (char)0xa9;
	interned = ttlog_intern(text);
	reader = view();
	cr_expect_eq(strlen(ttlog_reader_string(reader, interned.id)), TTLOG_DICT_STRING_MAX - 1);
	ttlog_reader_close(reader);
}

Test(dict, bad_sites_are_refused_and_record_nothing)
{
	struct ttlog_site bad[7];
	struct ttlog_value values[21];

	for (int i = 0; i < 7; i++)
		bad[i] = site_named("bad");
	bad[0].level = TTLOG_OFF;
	bad[1].level = 255;
	bad[2].field_count = 21;
	bad[3].types = NULL;
	bad[4].names = NULL;
	bad[5].types = (const uint8_t[]){0};
	bad[6].types = (const uint8_t[]){TTLOG_TYPE_COUNT};
	begin(0);
	for (int i = 0; i < 21; i++)
		values[i] = ttlog_value_i32(i);
	for (int i = 0; i < 7; i++) {
		cr_expect_eq(ttlog_site_register(&bad[i]), -EINVAL, "site %d", i);
		ttlog_record(&bad[i], values, bad[i].field_count);
		cr_expect_eq(id_of(&bad[i]), 0);
	}
	cr_expect_eq(ttlog_site_register(NULL), -EINVAL);
	cr_expect_eq(totals_now().events, 0);
	cr_expect_eq(ttlog_process_ledger()->dict_next_id, 1);
}

Test(dict, a_full_index_is_counted_and_what_is_in_it_still_works)
{
	uint32_t count;
	char name[32];
	struct ttlog_site late = site_named("late"), early = site_named("early");
	struct ttlog_reader_totals before, after;

	begin(0);
	cr_assert_eq(ttlog_site_register(&early), 0);
	count = ttlog_place_.geometry.dict_index_count;
	for (uint32_t i = 2; i < count; i++) {
		snprintf(name, sizeof(name), "%u", i);
		cr_assert_eq(ttlog_intern(name).id, i);
	}
	cr_expect_eq(ttlog_intern("one more").id, 0);
	cr_expect_eq(ttlog_site_register(&late), -ENOSPC);
	before = totals_now();
	cr_expect_eq(before.dict_full, 2);
	record_number(&late, 1);
	record_number(&early, 1);
	after = totals_now();
	cr_expect_eq(after.dict_full, 3);
	cr_expect_eq(after.dropped, before.dropped + 1,
		     "an event whose site has no room is counted");
	cr_expect_eq(after.events, before.events + 1);
	snprintf(name, sizeof(name), "%u", count - 1);
	cr_expect_eq(ttlog_intern(name).id, count - 1);
}

Test(dict, a_full_heap_is_counted_and_what_is_in_it_still_works)
{
	char text[TTLOG_DICT_STRING_MAX + 1];
	struct ttlog_interned first, last = {1};
	struct ttlog_reader *reader;
	uint32_t count = 0;

	begin(0);
	memset(text, 'h', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	memcpy(text, "0000", 4);
	first = ttlog_intern(text);
	for (; last.id; count++) {
		snprintf(text, 5, "%04u", count + 1);
		text[4] = 'h';
		last = ttlog_intern(text);
	}
	cr_expect_eq(count, (ttlog_place_.geometry.dict_heap_bytes - 8) / 1040);
	cr_expect_eq(totals_now().dict_full, 1);
	snprintf(text, 5, "0000");
	text[4] = 'h';
	cr_expect_eq(ttlog_intern(text).id, first.id);
	reader = view();
	cr_expect_str_eq(ttlog_reader_string(reader, first.id), text);
	ttlog_reader_close(reader);
}

static void *intern_many(void *argument)
{
	char name[32];

	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "shared %d", i);
		if (!ttlog_intern(name).id)
			return argument;
		snprintf(name, sizeof(name), "%p %d", argument, i);
		if (!ttlog_intern(name).id)
			return argument;
	}
	return NULL;
}

Test(dict, threads_may_enter_the_same_at_once)
{
	pthread_t thread[4];
	struct ttlog_reader *reader;
	uint32_t shared = 0, limit;

	begin(16 << 20);
	for (long i = 0; i < 4; i++)
		cr_assert_eq(pthread_create(&thread[i], NULL, intern_many, (void *)(i + 1)), 0);
	for (int i = 0; i < 4; i++) {
		void *failed;

		pthread_join(thread[i], &failed);
		cr_expect_null(failed);
	}
	reader = view();
	limit = ttlog_reader_id_limit(reader);
	for (uint32_t id = 1; id < limit; id++) {
		const char *string = ttlog_reader_string(reader, id);

		cr_assert_not_null(string, "id %u is a hole", id);
		shared += strncmp(string, "shared", 6) == 0;
	}
	cr_expect_geq(shared, 300);
	cr_expect_leq(shared, 1200);
	cr_expect_eq(limit - 1 - shared, 1200);
	ttlog_reader_close(reader);
}

/* ---- fork -------------------------------------------------------------------------------------
 */

Test(dict, a_child_has_the_parents_ids_and_goes_on_from_there)
{
	struct ttlog_site parents = site_named("parent's"), childs = site_named("child's");
	struct ttlog_interned word;
	pid_t pid;

	begin(0);
	word = ttlog_intern("word");
	record_number(&parents, 1);
	pid = fork();
	if (pid == 0) {
		struct ttlog_reader *reader;
		uint32_t id = id_of(&parents);

		record_number(&parents, 2);
		record_number(&childs, 3);
		CHILD_CHECK(id_of(&parents) == id && id_of(&childs) == id + 1);
		CHILD_CHECK(ttlog_intern("word").id == word.id);
		reader = view();
		CHILD_CHECK(strcmp(ttlog_reader_string(reader, word.id), "word") == 0);
		CHILD_CHECK(strcmp(ttlog_reader_site(reader, id)->message, "parent's") == 0);
		CHILD_CHECK(numbered_in(reader, "parent's").count == 1);
		CHILD_CHECK(numbered_in(reader, "child's").count == 1);
		ttlog_reader_close(reader);
		_exit(0);
	}
	expect_success(pid);
	cr_expect_eq(id_of(&childs), 0);
	cr_expect_eq(ttlog_process_ledger()->dict_next_id, id_of(&parents) + 1,
		     "a child's site is not ours");
}

Test(dict, a_full_dictionary_is_carried_whole)
{
	char name[32];
	pid_t pid;

	begin(0);
	for (uint32_t i = 1; i < ttlog_place_.geometry.dict_index_count; i++) {
		snprintf(name, sizeof(name), "%u", i);
		ttlog_intern(name);
	}
	pid = fork();
	if (pid == 0) {
		for (uint32_t i = 1; i < ttlog_place_.geometry.dict_index_count; i += 17) {
			snprintf(name, sizeof(name), "%u", i);
			CHILD_CHECK(ttlog_intern(name).id == i);
		}
		CHILD_CHECK(ttlog_intern("no room").id == 0);
		_exit(0);
	}
	expect_success(pid);
}

Test(dict, an_id_that_was_given_out_and_never_written_hides_nothing)
{
	/* What a death between the two steps of an entry leaves. */
	struct ttlog_interned before, behind;
	struct ttlog_reader *reader;
	uint32_t hole;

	begin(0);
	before = ttlog_intern("before");
	hole = atomic_fetch_add(&ttlog_process_ledger()->dict_next_id, 1);
	behind = ttlog_intern("behind");
	cr_expect_eq(behind.id, hole + 1);
	cr_expect_eq(ttlog_intern("before").id, before.id);
	cr_expect_eq(ttlog_intern("behind").id, behind.id);
	reader = view();
	cr_expect_null(ttlog_reader_string(reader, hole));
	cr_expect_str_eq(ttlog_reader_string(reader, behind.id), "behind");
	ttlog_reader_close(reader);
}
