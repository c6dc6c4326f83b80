/* SPDX-License-Identifier: MIT */
/* test_view_channel.c - channels in a dump: how they are shown, found, and counted. */
#include <criterion/criterion.h>

#include "tests/made_dump_shown.h"
#include "viewer/info.h"

/* Four events: one without a channel, two of "conn-17", one of a channel whose name is no text. */
static void make_channels(void)
{
	static const uint8_t types[] = {TTLOG_TYPE_I32, 0};
	static const char *const names[] = {"n"};

	made_begin();
	made_site(TTLOG_INFO, "t", "m", types, names);
	for (uint64_t i = 0; i < 4; i++)
		made_event(i * 1000, 0, 1)->value[0].bits = i;
	/* Nothing to say of it: not listed, and the others keep their indices straight. */
	made_channel("empty", NULL, 0);
	made_channel("conn-17", (struct made_event *[]){&made.event[1], &made.event[2]}, 2);
	made_channel("\x1b[31m\xff", (struct made_event *[]){&made.event[3]}, 1);
	made.channel[1].overwritten = 12;
	made.channel[1].overwritten_first = 100;
	made.channel[1].overwritten_last = 200;
	made.channel[2].diverted = 3;
	made.channel_totals.replaced = 5;
	made.channel_totals.refused = 1;
}

static void setup(void)
{
	make_channels();
	open_made();
}

TestSuite(view_channel, .init = setup, .fini = close_made, .timeout = 120);

/* What of all events is shown with these options, through a query. */
static uint64_t found(const char *filter)
{
	struct query query;
	struct query_error why;
	struct record record;
	uint64_t count = 0;

	query_init(&query);
	cr_assert_eq(query_add(&query, filter, &why), 0, "%s", filter);
	dump_close(dump);
	out_fini(&out);
	open_made();
	record.decoded = false;
	while (dump_next(dump, &record.event)) {
		record.decoded = false;
		count += query_match(&query, &record);
	}
	query_fini(&query);
	return count;
}

static unsigned int lines_with(const char *text, const char *part)
{
	unsigned int count = 0;

	while ((text = strstr(text, part))) {
		count++;
		text += strlen(part);
	}
	return count;
}

Test(view_channel, text_has_it_after_the_thread)
{
	const char *text = shown(false);

	cr_expect_eq(lines_with(text, "orders/4242   #conn-17      t  m"), 2, "%s", text);
	cr_expect_eq(lines_with(text, "#\\x1b[31m\\xff"), 1, "%s", text);
	cr_expect_eq(lines_with(text, "#"), 3, "%s", text);
	cr_expect_null(strchr(text, '\x1b'));
}

Test(view_channel, json_has_it_where_there_is_one)
{
	const char *text = shown(true);

	cr_expect_eq(lines_with(text, "\"channel\":\"conn-17\""), 2, "%s", text);
	cr_expect_eq(lines_with(text, "\"channel\":"), 3, "%s", text);
}

Test(view_channel, a_filter_finds_it)
{
	cr_expect_eq(found("channel=conn-17"), 2);
	cr_expect_eq(found("channel!=conn-17"), 2);
	cr_expect_eq(found("channel~=conn"), 2);
	cr_expect_eq(found("channel=conn-1"), 0);
	cr_expect_eq(found("channel="), 0);
	cr_expect_eq(found("fields.channel=conn-17"), 0);
	cr_expect_eq(found("lane=channel"), 3);
}

Test(view_channel, info_has_the_counts)
{
	uint64_t none = 0;

	info_text(&out, dump, NULL, NULL, false, false);
	out_char(&out, '\0');
	cr_expect_neq(strstr(out.data, "3 open, 3 opened in all, 5 replaced, 1 refused"), NULL,
		      "%s", out.data);
	cr_expect_neq(strstr(out.data,
			     "conn-17                    2             12              0"),
		      NULL, "%s", out.data);
	cr_expect_null(strstr(out.data, "empty"));
	out.bytes = none;
	info_json(&out, dump, NULL, NULL);
	out_char(&out, '\0');
	cr_expect_neq(strstr(out.data,
			     "\"channels\":{\"open\":3,\"opened\":3,\"replaced\":5,\"refused\":1,"
			     "\"unlisted\":0,\"list\":[{\"name\":\"conn-17\",\"events\":2,"),
		      NULL, "%s", out.data);
}

Test(view_channel, an_index_beyond_the_list_is_a_channel_of_no_known_name)
{
	/* As in a dump whose metadata is lost: the list is there no more. */
	dump_close(dump);
	out_fini(&out);
	made.channel[1].events = made.channel[1].overwritten = 0;
	made.channel[2].events = made.channel[2].diverted = 0;
	open_made();
	cr_expect_eq(lines_with(shown(false), " #? "), 3);
	cr_expect_eq(dump_events_read(dump), 4);
}
