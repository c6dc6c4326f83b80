/* SPDX-License-Identifier: MIT */
/* test_view_trigger.c - the event that a dump was taken for, among the others that it has. */
#include "tests/view_shown.h"

#define TRIGGERED_NS (MADE_TIME_NS + 2000)

static const uint8_t types[] = {TTLOG_TYPE_I32, 0};
static const char *const names[] = {"n"};

/* Two sites, two threads; three events at the same moment. */
static void make_events(void)
{
	made_begin();
	made_site(TTLOG_ERROR, "t", "failed", types, names);
	made_site(TTLOG_ERROR, "t", "another", types, names);
	made_event(1000, 0, 1)->value[0].bits = 1;
	made_event(2000, 0, 1)->value[0].bits = 2;
	made_event(2000, 0, 2)->value[0].bits = 3;
	made_event(2000, 1, 1)->value[0].bits = 4;
	made.facts.verdict = (struct verdict){.how = VERDICT_ALIVE};
	made.facts.verdict.occasion = (struct occasion){
		.kind = OCCASION_EVENT,
		.rule = "errors",
		.event = {.time_ns = TRIGGERED_NS,
			  .site = 1,
			  .tid = made.thread[0].tid,
			  .level = TTLOG_ERROR,
			  .message = "failed",
			  .fields = "n=2"},
	};
}

static void prepare(void)
{
	setup();
	make_events();
}

TestSuite(view_trigger, .init = prepare, .fini = teardown, .timeout = 120);

/* The moment, the thread and the site say which: none of them does alone. */
Test(view_trigger, is_marked_among_events_of_its_moment)
{
	save("x.bin");
	shell("$V x.bin | grep -c -e '<- rule'; $V x.bin | grep -e 'failed  n=2  <- rule errors$'");
	cr_expect_eq(status, 0, "%s", output);
	cr_expect_eq(strncmp(output, "1\n", 2), 0, "%s", output);
	shell("$V --reverse x.bin | grep -c -e 'n=2  <- rule errors'");
	cr_expect_str_eq(output, "1\n");
	made.facts.verdict.occasion.event.time_ns++;
	save("x.bin");
	shell("$V x.bin | grep -c -e '<- rule'");
	cr_expect_str_eq(output, "0\n");
}

Test(view_trigger, is_told_to_programs_as_events_are)
{
	save("x.bin");
	shell("$V --info -o json x.bin | jq -c .trigger");
	cr_expect_str_eq(output, "{\"kind\":\"event\",\"rule\":\"errors\",\"ts\":"
				 "\"2023-11-14T22:13:20.000002Z\",\"ts_ns\":\"1700000000000002000\","
				 "\"level\":\"ERROR\",\"target\":\"\",\"msg\":\"failed\","
				 "\"values\":\"n=2\",\"tid\":4242,\"thread\":null}\n");
	made.facts.verdict = (struct verdict){.how = VERDICT_EXIT, .have_exit_code = true};
	save("x.bin");
	shell("$V --info -o json x.bin | jq -c .trigger");
	cr_expect_str_eq(output, "null\n");
}

static void expect_trigger(const struct occasion *occasion, const char *wanted)
{
	made.facts.verdict.occasion = *occasion;
	save("x.bin");
	shell("$V --info -o json x.bin | jq -c .trigger");
	cr_expect_str_eq(output, wanted, "%s, wanted %s", output, wanted);
}

Test(view_trigger, each_kind_has_its_figures)
{
	expect_trigger(&(struct occasion){.kind = OCCASION_MEMORY,
					  .rule = "full",
					  .percent = 92,
					  .percent_wanted = 90,
					  .usage_bytes = 94,
					  .limit_bytes = 102},
		       "{\"kind\":\"memory\",\"rule\":\"full\",\"percent\":92,\"percent_wanted\":90,"
		       "\"usage_bytes\":94,\"limit_bytes\":102}\n");
	expect_trigger(&(struct occasion){.kind = OCCASION_HEARTBEAT,
					  .silent_ms = 1130,
					  .promised_ms = 1000},
		       "{\"kind\":\"heartbeat\",\"rule\":null,\"silent_ms\":1130,"
		       "\"promised_ms\":1000}\n");
	expect_trigger(&(struct occasion){.kind = OCCASION_INTERVAL, .rule = "h", .every_ms = 60000},
		       "{\"kind\":\"interval\",\"rule\":\"h\",\"every_ms\":60000}\n");
	expect_trigger(&(struct occasion){.kind = OCCASION_OPERATOR, .called = "x y", .uid = 0},
		       "{\"kind\":\"operator\",\"rule\":null,\"called\":\"x y\",\"uid\":0}\n");
	expect_trigger(&(struct occasion){.kind = OCCASION_GROUP, .pid = 12, .service = "billing"},
		       "{\"kind\":\"group\",\"rule\":null,\"first_pid\":12,"
		       "\"first_service\":\"billing\"}\n");
}
