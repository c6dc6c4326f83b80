/* SPDX-License-Identifier: MIT */
/* test_last.c - each thread's newest event, in what --info says. */
#include <criterion/criterion.h>

#include "tests/made_dump.h"
#include "tests/view_dump.h"
#include "viewer/info.h"

static struct dump *dump;
static struct last *last;
static struct out out;
static uint32_t site;

static void one_event(uint32_t thread, uint64_t number, const char *text)
{
	struct made_event *event = made_event(number, thread, site);

	event->value[0] = (struct ttlog_reader_value){.type = TTLOG_TYPE_U64, .bits = number};
	made_text(event, 1, text);
	event->value_count = 2;
}

static void begin(void)
{
	static const uint8_t types[] = {TTLOG_TYPE_U64, TTLOG_TYPE_STRING, 0};
	static const char *const names[] = {"number", "text"};

	made_begin();
	site = made_site(TTLOG_WARN, "queue", "Item taken", types, names);
	made.thread[2] = (struct ttlog_reader_thread){.tid = 4250, .name = "silent"};
	made.thread_count = 3;
}

/* Reads it to its end. */
static void open_dump(void)
{
	struct event event;
	const char *why;
	size_t bytes;
	unsigned char *data = made_dump(&bytes);

	cr_assert_eq(view_bytes(&dump, data, bytes, &why), 0, "%s", why);
	free(data);
	last = last_open(dump);
	cr_assert(last);
	while (dump_next(dump, &event))
		last_take(last, &event);
	out_init(&out, -1);
}

static void done(void)
{
	out_fini(&out);
	last_close(last);
	dump_close(dump);
}

static void expect(const char *text)
{
	cr_expect(memmem(out.data, out.bytes, text, strlen(text)), "no '%s' in %.*s", text,
		  (int)out.bytes, out.data);
}

static void make_three(void)
{
	begin();
	one_event(0, 1, "old");
	one_event(1, 2, "only\x1b[31m");
	one_event(0, 3, "new");
	one_event(MADE_THREADS - 1, 4, "not listed");
	open_dump();
}

/* Arithmetic with no pointer at all is undefined, by however little. */
Test(last, an_event_without_values_has_a_place_for_them)
{
	begin();
	made_event(1, 0, made_site(TTLOG_INFO, "queue", "Empty", (const uint8_t[]){0}, (const char *const[]){""}));
	open_dump();
	cr_assert_eq(last_record(last, 0)->event.value_count, 0);
	cr_expect_not_null(last_record(last, 0)->event.values);
	done();
}

Test(last, info_has_the_last_event_of_each_thread)
{
	make_three();
	info_text(&out, dump, last, NULL, false, false);
	expect("WARN  Item taken  number=3 text=new\n");
	expect("WARN  Item taken  number=2 text=\"only\\x1b[31m\"\n");
	cr_expect_not(memmem(out.data, out.bytes, "old", 3));
	cr_expect_not(memmem(out.data, out.bytes, "not listed", 10));
	done();
}

Test(last, json_has_it_as_an_object)
{
	make_three();
	info_json(&out, dump, last, NULL);
	expect("\"tid\":4242,\"name\":\"orders\"");
	expect("\"seq\":2,\"level\":\"WARN\",\"target\":\"queue\",\"msg\":\"Item taken\"");
	expect("\"fields\":{\"number\":3,\"text\":\"new\"}}}");
	expect("\"last_event\":null");
	done();
}

#define LONG_FIELDS 12

/* Text that compresses to nothing must not become memory without bounds. */
Test(last, keeps_only_so_many_bytes)
{
	static uint8_t types[LONG_FIELDS + 1];
	static const char *names[LONG_FIELDS];
	static char text[DUMP_TEXT_BYTES_MAX];
	uint32_t whole = 0;

	memset(text, 'x', sizeof(text) - 1);
	for (uint32_t i = 0; i < LONG_FIELDS; i++) {
		types[i] = TTLOG_TYPE_STRING;
		names[i] = "text";
	}
	made_begin();
	site = made_site(TTLOG_INFO, "t", "m", types, names);
	made.thread_count = MADE_THREADS;
	for (uint32_t thread = 0; thread < MADE_THREADS; thread++)
		for (uint32_t i = 0; i < LONG_FIELDS; i++)
			made_text(i ? &made.event[made.event_count - 1]
				    : made_event(thread, thread, site), i, text);
	open_dump();
	for (uint32_t i = 0; i < MADE_THREADS; i++) {
		const struct record *record = last_record(last, i);

		cr_assert(record);
		cr_assert(record->count == LONG_FIELDS || record->count == 0);
		whole += record->count != 0;
	}
	cr_expect_eq(whole, LAST_BYTES_MAX / (LONG_FIELDS * (sizeof(text) - 1)));
	cr_expect_null(last_record(last, MADE_THREADS));
	cr_expect_null(last_record(NULL, 0));
	done();
}
