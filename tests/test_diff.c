/* SPDX-License-Identifier: MIT */
/* test_diff.c - what one dump has that another has not: --diff. */
#include "tests/view_shown.h"

#define SECONDS 10u
#define SECOND UINT64_C(1000000000)

static const uint8_t done_types[] = {TTLOG_TYPE_F64, TTLOG_TYPE_I32, TTLOG_TYPE_U64, 0};
static const char *const done_names[] = {"ms", "status", "id"};
static const uint8_t no_types[] = {0};
static const char *const no_names[] = {""};

static void begin(bool dead)
{
	made_begin();
	made.facts.created_ns = MADE_TIME_NS + SECONDS * SECOND;
	made.facts.verdict.signal_ns = made.facts.verdict.death_ns = SECONDS * SECOND;
	if (dead)
		return;
	made.facts.verdict = (struct verdict){.how = VERDICT_ALIVE};
	made.facts.reason = "snapshot-nightly";
	made.facts.pid = 4100;
}

/* So many a second of a site that has no fields, or those of a request. */
static void every(uint32_t site, unsigned int a_second, double ms)
{
	for (unsigned int i = 0; i < a_second * SECONDS; i++) {
		struct made_event *event = made_event(i * SECOND / a_second + site, i & 1, site);
		const double took = ms * (1 + i * 7 % 10);

		if (event->value_count < 3)
			continue;
		memcpy(&event->value[0].bits, &took, sizeof(took));
		event->value[1].bits = 200;
		event->value[2].bits = 1000000 + i;
	}
}

static int by_time(const void *a, const void *b)
{
	const struct made_event *left = a, *right = b;

	return (left->ticks > right->ticks) - (left->ticks < right->ticks);
}

static void save_sorted(const char *name)
{
	qsort(made.event, made.event_count, sizeof(*made.event), by_time);
	save(name);
}

static void make_healthy(void)
{
	begin(false);
	made_site(TTLOG_INFO, "http", "Request done", done_types, done_names);
	made_site(TTLOG_INFO, "cache", "Hit", no_types, no_names);
	made_site(TTLOG_DEBUG, "loop", "Tick", no_types, no_names);
	made_site(TTLOG_WARN, "db", "Slow query", no_types, no_names);
	every(1, 100, 1);
	every(2, 20, 0);
	every(3, 1, 0);
	made_event(5 * SECOND, 0, 4);
	made_event(6 * SECOND, 0, 4);
	save_sorted("healthy.bin");
}

/* The same lines of the same file, but with other ids: another process, and another order of first use. */
static void make_dead(const char *name)
{
	begin(true);
	made_site(TTLOG_ERROR, "db", "Pool exhausted", no_types, no_names);
	made.site[0].line = 77;
	made_site(TTLOG_WARN, "db", "Slow query", no_types, no_names);
	made.site[1].line = 104;
	made_site(TTLOG_DEBUG, "loop", "Tick", no_types, no_names);
	made_site(TTLOG_INFO, "http", "Request done", done_types, done_names);
	made.site[3].line = 101;
	strcpy(made.thread[1].name, "worker-9");
	every(2, 4, 0);
	every(3, 1, 0);
	every(4, 100, 8);
	made_event(9 * SECOND, 0, 1);
	save_sorted(name);
}

static void prepare(void)
{
	setup();
	make_healthy();
	make_dead("dead.bin");
	begin(true);
	save("empty.bin");
}

TestSuite(diff, .init = prepare, .fini = teardown, .timeout = 240);

#define OF_BOTH                                                                                              \
	"this  orders[4242], died: sigsegv; dead.bin\n"                                                      \
	"      1,051 events in 9.999 s, 2023-11-14 22:13:20.000000 to 22:13:30.000000 UTC\n"                 \
	"that  orders[4100], lived: snapshot-nightly; healthy.bin\n"                                         \
	"      1,212 events in 9.999 s, 2023-11-14 22:13:20.000000 to 22:13:30.000000 UTC\n"

static const char whole[] = OF_BOTH
	"\n"
	"sites\n"
	"    this/s    that/s   change    events  level  target  template  file  line\n"
	"      0.10         -      new         1  ERROR  db  \"Pool exhausted\"  orders.c  77\n"
	"      4.00      0.20   x 20.0        40  WARN  db  \"Slow query\"  orders.c  104\n"
	"         -     20.00     gone         0  INFO  cache  Hit  orders.c  102\n"
	"\n"
	"numbers that moved\n"
	"   this p50   that p50   this p99   that p99  field  level  target  template  file  line\n"
	"      40.25    5.03125         80         10  ms  INFO  http  \"Request done\"  orders.c  101\n"
	"\n"
	"threads\n"
	"    this/s    that/s   change    events  thread\n"
	"     52.50         -      new       525  worker-9\n"
	"         -     60.50     gone         0  worker-1\n"
	"\n"
	"levels\n"
	"    this/s    that/s   change    events  level\n"
	"      0.10         -      new         1  ERROR\n"
	"      4.00      0.20   x 20.0        40  WARN\n"
	"    100.00    120.00              1,000  INFO\n"
	"      1.00      1.00                 10  DEBUG\n"
	"\n"
	"alike, or too few to say: 2 sites, 1 threads, 1 numbers, 1 numbers that only rise, not compared, "
	"1 fields by their values\n";

Test(diff, a_death_and_a_healthy_one_are_told_apart_in_any_order)
{
	expect_shown("--diff dead.bin healthy.bin", whole);
	expect_shown("--diff healthy.bin dead.bin", whole);
	expect_shown("healthy.bin --diff - <dead.bin | sed 's/; standard input$/; dead.bin/'", whole);
}

/* Checks what jq makes of the difference. */
static void expect_jq(const char *arguments, const char *program_of_jq, const char *wanted)
{
	shell("$V --diff -o json %s | jq -c '%s'", arguments, program_of_jq);
	cr_expect_eq(status, 0, "%s: %s", arguments, complaint);
	if (*output)
		output[strlen(output) - 1] = '\0';
	cr_expect_str_eq(output, wanted, "%s | %s:\n%s", arguments, program_of_jq, output);
}

Test(diff, json_has_the_same)
{
	const char *both = "dead.bin healthy.bin";

	expect_jq(both, "[.this.file,.this.died,.that.file,.that.died,.that.pid]",
		  "[\"dead.bin\",true,\"healthy.bin\",false,4100]");
	expect_jq(both, "[.sites.rows[]|[.change,.key.template,.key.line,.this.events,.that.events]]",
		  "[[\"new\",\"Pool exhausted\",77,1,0],[\"more\",\"Slow query\",104,40,2],"
		  "[\"gone\",\"Hit\",102,0,200]]");
	expect_jq(both, ".sites|[.unlisted,.alike,.others]", "[0,2,false]");
	expect_jq(both, "[.numbers.rows[]|[.field,.this.p50,.that.p50,.this.values]]",
		  "[[\"ms\",40.25,5.03125,1000]]");
	expect_jq(both, "[.numbers.alike,.numbers.rising]", "[1,1]");
	expect_jq(both, "[.levels.WARN.change,(.levels.WARN.ratio|round),.levels.ERROR.ratio]",
		  "[\"more\",20,null]");
	expect_jq(both, "[.threads.rows[]|[.change,.key.thread]]",
		  "[[\"new\",\"worker-9\"],[\"gone\",\"worker-1\"]]");
}

/* ---- values -------------------------------------------------------------------------------------- */

#define REQUESTS 1000u

static const uint8_t reply_types[] = {TTLOG_TYPE_U16, TTLOG_TYPE_STRING, TTLOG_TYPE_BOOL, TTLOG_TYPE_STRING,
				      TTLOG_TYPE_STRING, TTLOG_TYPE_I32, 0};
static const char *const reply_names[] = {"status", "peer", "cached", "id", "a=\033\"b", "depth"};

/* Of these requests so many have another status, and half as many another peer; one value is rare. */
static void make_replies(bool dead, unsigned int requests, unsigned int failures, const char *name)
{
	static char ids[REQUESTS][16];

	begin(dead);
	made_site(TTLOG_INFO, "http", "Reply", reply_types, reply_names);
	for (unsigned int i = 0; i < requests; i++) {
		struct made_event *event = made_event(i * SECOND / 100, 0, 1);
		const bool failed = i < failures;

		snprintf(ids[i], sizeof(ids[i]), "r-%u", i);
		event->value[0].bits = failed ? 503 : i % 10 ? 200 : 204;
		made_text(event, 1, failed && i % 2 ? "10.0.0.9" : "10.0.0.1");
		event->value[2].bits = i % 2;
		made_text(event, 3, ids[i]);
		made_text(event, 4, failed ? "=1\n\"\033[2J" : dead && i == REQUESTS - 1 ? "rare" : "");
		event->value[5].bits = i % 100;
	}
	save(name);
}

Test(diff, values_that_moved_are_shown_with_their_shares)
{
	make_replies(true, REQUESTS, 410, "bad.bin");
	make_replies(false, REQUESTS, 0, "good.bin");
	shell("$V --diff bad.bin good.bin | sed -n '/^values/,/^$/p;/^alike/p'");
	cr_expect_str_eq(output,
			 "values that moved\n"
			 "      this      that   change    events  value  level  target  template  file  line\n"
			 "    41.0 %         -      new       410  a\\=\\x1b\"b=\"=1\\n\\\"\\x1b[2J\"  INFO  http  Reply"
			 "  orders.c  101\n"
			 "    41.0 %         -      new       410  status=503  INFO  http  Reply  orders.c  101\n"
			 "    58.9 %   100.0 %    / 1.7       589  a\\=\\x1b\"b=\"\"  INFO  http  Reply  orders.c  101\n"
			 "    20.5 %         -      new       205  peer=10.0.0.9  INFO  http  Reply  orders.c  101\n"
			 "    53.1 %    90.0 %    / 1.7       531  status=200  INFO  http  Reply  orders.c  101\n"
			 "     5.9 %    10.0 %    / 1.7        59  status=204  INFO  http  Reply  orders.c  101\n"
			 "\n"
			 "alike, or too few to say: 1 sites, 1 threads, 1 numbers that only rise, not "
			 "compared, 1 fields by their values, 1 fields of too many values to compare\n",
			 "%s", output);
	expect_jq("bad.bin good.bin", "[.values.rows[1]|.field,.value,.change,.key.template,.this,.that]",
		  "[\"status\",503,\"new\",\"Reply\",{\"events\":410,\"share\":0.41},{\"events\":0,\"share\":0}]");
	expect_jq("bad.bin good.bin", "[.values.rows[0,3]|.field,.value]",
		  "[\"a=\\u001b\\\"b\",\"=1\\n\\\"\\u001b[2J\",\"peer\",\"10.0.0.9\"]");
	expect_jq("-n 2 bad.bin good.bin", ".values|[(.rows|length),.unlisted,.alike,.crowded]", "[2,4,1,1]");
	expect_jq("--fields peer bad.bin good.bin", "[.values.rows[].field]", "[\"peer\"]");
	/* And the other way round, of two that died. */
	make_replies(true, REQUESTS, 0, "better.bin");
	expect_jq("better.bin bad.bin", "[.values.rows[]|select(.field==\"status\")|[.change,.value]]",
		  "[[\"more\",200],[\"gone\",503],[\"more\",204]]");
}

/* Of few events nothing is said, and neither is what chance explains. */
Test(diff, values_that_chance_explains_are_alike)
{
	make_replies(true, REQUESTS, 410, "bad.bin");
	make_replies(true, REQUESTS, 8, "few.bin");
	make_replies(false, REQUESTS, 0, "good.bin");
	expect_jq("few.bin good.bin", "[.values.rows,.values.alike]", "[[],4]");
	make_replies(true, REQUESTS, 12, "more.bin");
	expect_jq("more.bin good.bin", "[.values.rows[]|.value]", "[\"=1\\n\\\"\\u001b[2J\",503]");
	shell("$V --diff -f 'peer=10.0.0.9' more.bin good.bin | grep -c 'values that moved'");
	cr_expect_str_eq(output, "0\n");
	make_replies(true, 30, 3, "chance.bin");
	make_replies(false, 30, 0, "short.bin");
	expect_jq("--fields status chance.bin short.bin", "[.values.rows,.values.alike]", "[[],1]");
	/* 19 of them are too few, whatever they are. */
	make_replies(true, 19, 19, "short.bin");
	expect_jq("--fields status short.bin good.bin", "[.values.rows,.values.alike]", "[[],1]");
	make_replies(true, 20, 20, "short.bin");
	expect_jq("--fields status short.bin good.bin", "[.values.rows[0].value,.values.alike]", "[503,0]");
	make_replies(false, 19, 0, "short.bin");
	expect_jq("--fields status bad.bin short.bin", "[.values.rows,.values.alike]", "[[],1]");
}

Test(diff, rows_are_limited_and_what_is_not_listed_is_counted)
{
	expect_jq("-n 1 dead.bin healthy.bin",
		  "[(.sites.rows|length),.sites.unlisted,.this.events]", "[1,2,1051]");
	shell("$V --diff -n 1 dead.bin healthy.bin");
	cr_expect(strstr(output, "         2  more of them: --limit=N\n"), "%s", output);
}

Test(diff, filters_are_for_both_and_times_for_the_death)
{
	expect_jq("-p warn dead.bin healthy.bin", "[.this.events,.that.events]", "[41,2]");
	expect_jq("-S T-2s dead.bin healthy.bin", "[.this.events,.that.events]", "[211,1212]");
	expect_jq("-S T-2s -t loop dead.bin healthy.bin",
		  "[.this.events,.that.events,.levels.DEBUG.change,(.levels.DEBUG.this.rate*2|round)]",
		  "[2,10,\"alike\",2]");
	expect_jq("-S T-4s -U T-2s -t loop healthy.bin dead.bin",
		  "[.this.events,.that.events,.levels.DEBUG.this.rate]", "[2,10,1]");
	expect_jq("--around T-5s -C 250ms -t http dead.bin healthy.bin",
		  "[.this.events,.that.events,(.levels.INFO.this.rate|round)]", "[50,1000,100]");
	expect_jq("--around T-5s -C 50 -t http dead.bin healthy.bin",
		  "[.this.events,.that.events,(.levels.INFO.this.rate|round)]", "[100,1000,101]");
	expect_jq("--fields status dead.bin healthy.bin", "[.numbers.alike,.numbers.rising]", "[1,0]");
}

/* The last minute of a longer life, where nobody says how much. */
Test(diff, the_last_minute_is_compared)
{
	begin(true);
	made_site(TTLOG_INFO, "http", "Old", no_types, no_names);
	made_site(TTLOG_INFO, "http", "New", no_types, no_names);
	made.facts.verdict.signal_ns = made.facts.verdict.death_ns = 100 * SECOND;
	made_event(0, 0, 1);
	for (unsigned int i = 0; i < 30; i++)
		made_event((70 + i) * SECOND, 0, 2);
	save("long.bin");
	expect_jq("long.bin healthy.bin", "[.this.events,.levels.INFO.this.rate]", "[30,0.5]");
}

/* What the snapshot has of the same life is in both. */
Test(diff, an_earlier_snapshot_of_the_same_process_is_where_the_death_begins)
{
	for (unsigned int i = 0; i < 3; i++) {
		begin(i != 0);
		made_site(TTLOG_INFO, "http", "Request", no_types, no_names);
		every(1, 1, 0);
		made.facts.created_ns -= i ? 0 : 4 * SECOND;
		made.facts.pid = 4242;
		made.facts.process.start_ns -= i == 2; /* another process of that number */
		save(i == 0 ? "young.bin" : i == 1 ? "old.bin" : "other.bin");
	}
	expect_jq("young.bin old.bin", "[.this.events,.this.file]", "[4,\"old.bin\"]");
	expect_jq("-S T-9.5s young.bin old.bin", "[.this.events]", "[9]");
	expect_jq("young.bin other.bin", "[.this.events]", "[10]");
}

/* Lanes reach back as far as they can, each its own way; a rate is by its own lane's reach. */
Test(diff, a_rate_is_by_the_time_that_nothing_is_missing_in)
{
	begin(true);
	made_site(TTLOG_INFO, "http", "Request", no_types, no_names);
	made_site(TTLOG_ERROR, "http", "Request failed", no_types, no_names);
	/* Of the first ones, that are kept for ever, there are some; then all are gone until 8 s. */
	for (unsigned int i = 0; i < 5; i++)
		made_event(i * 1000, 0, 1)->lane = TTLOG_LANE_BOOT;
	for (unsigned int i = 0; i < 10; i++)
		made_event(i * SECOND + 500, 0, 2)->lane = TTLOG_LANE_ALERT;
	for (unsigned int i = 0; i < 200; i++)
		made_event(8 * SECOND + 1000 + i * SECOND / 100, 0, 1);
	made.lane[TTLOG_LANE_MAIN].overwritten = 800;
	made.lane[TTLOG_LANE_MAIN].overwritten_first = 5000;
	made.lane[TTLOG_LANE_MAIN].overwritten_last = 8 * SECOND;
	save_sorted("lapped.bin");
	expect_jq("lapped.bin healthy.bin",
		  "[.this.events,.this.older,.levels.INFO.this.rate,.levels.ERROR.this.rate]",
		  "[210,5,100,1]");
	shell("$V --diff lapped.bin healthy.bin");
	cr_expect(strstr(output, "      of that the last 2.000 s: the rest was overwritten\n"), "%s", output);
}

Test(diff, one_dump_is_compared_with_what_was_before)
{
	/* Two seconds of ten are looked at, eight are what they are compared with. */
	expect_jq("-S T-2s dead.bin",
		  "[.this.events,.that.events,.this.file,.that.file,.sites.rows[0].key.template]",
		  "[211,840,\"dead.bin\",\"dead.bin\",\"Pool exhausted\"]");
	/* Half of it, where there is less than twice the time. */
	expect_jq("dead.bin", "[.this.from_ns,.that.to_ns]|map(.[0:10])",
		  "[\"1700000005\",\"1700000005\"]");
}

Test(diff, nothing_is_compared_with_nothing)
{
	expect_jq("empty.bin healthy.bin", "[.this.events,.that.events,.this.from]", "[0,1212,null]");
	expect_jq("empty.bin empty.bin", "[.sites.rows,.levels]", "[[],{}]");
	shell("$V --diff -e empty.bin healthy.bin");
	cr_expect_eq(status, 1, "%d", status);
	shell("$V --diff empty.bin");
	cr_expect_eq(status, 0, "%d: %s", status, complaint);
}

Test(diff, hostile_names_are_escaped)
{
	shell("$V --diff hostile.bin healthy.bin");
	cr_expect_eq(status, 0, "%s", complaint);
	for (const char *at = output; *at; at++)
		cr_assert((unsigned char)*at >= ' ' || *at == '\n', "%02x in\n%s", (unsigned char)*at,
			  output);
	cr_expect_not(strstr(output, "\xe2\x80\xae"), "%s", output);
	shell("$V --diff -o json hostile.bin healthy.bin | iconv -f utf-8 -t utf-8 | jq -c .this.events");
	cr_expect_str_eq(output, "6\n", "%s", output);
}

Test(diff, a_dump_that_is_cut_is_compared_as_far_as_it_goes)
{
	shell("head -c 3000 dead.bin >cut.bin; $V --diff cut.bin healthy.bin");
	cr_expect_eq(status, 3, "%d: %s", status, complaint);
	cr_expect(strstr(output, "that  orders[4100]"), "%s", output);
}

Test(diff, colours_are_for_terminals)
{
	shell("$V --diff dead.bin healthy.bin --color=always");
	cr_expect(strstr(output, "\033[31m      0.10"), "%s", output);
}

static const struct {
	const char *arguments, *why;
} wrongs[] = {
	{"dead.bin healthy.bin plain.bin", "--diff: takes two dumps"},
	{"- <dead.bin", "--diff: takes two dumps"},
	{"--stats dead.bin healthy.bin", "--diff is alone"},
	{"--info dead.bin healthy.bin", "--diff is alone"},
	{"-i dead.bin healthy.bin", "--diff is alone"},
	{"-o csv dead.bin healthy.bin", "--diff is shown as text or json"},
};

Test(diff, wrong_use_is_refused)
{
	for (size_t i = 0; i < sizeof(wrongs) / sizeof(*wrongs); i++) {
		shell("$V --diff %s", wrongs[i].arguments);
		cr_expect_eq(status, 2, "%s: %d", wrongs[i].arguments, status);
		cr_expect(strstr(complaint, wrongs[i].why), "%s: %s", wrongs[i].arguments, complaint);
		cr_expect_str_empty(output);
	}
}
