/* SPDX-License-Identifier: MIT */
/* test_stats.c - what is counted is what a test counts by itself: --stats, --group-by, --histogram. */
#include "tests/view_shown.h"

#define EVENTS 30000u
#define KEYS 12000u /* more than there are groups for */

static unsigned int level_of(size_t index)
{
	return index % 100 == 0 ? 1 : index % 10 == 0 ? 2 : 3;
}

/* A site for errors, one for warnings, one for all else; a value that is known by the number. */
static uint64_t value_of(size_t index)
{
	return index * 7919 % 1000;
}

static void generate(size_t index, struct ttlog_reader_event *event)
{
	static const char *const names[] = {"a", "b", "c"};
	const double real = (double)value_of(index) / 8 - 20;

	*event = (struct ttlog_reader_event){
		.ticks = 100000 * index, /* 3 s in all, but for the last of them */
		.site = level_of(index),
		.thread = index & 1,
		.channel = TTLOG_READER_NO_CHANNEL,
		.value_count = 4,
		.value[0] = {.type = TTLOG_TYPE_U64, .bits = value_of(index)},
		.value[1] = {.type = TTLOG_TYPE_STRING, .data = names[index % 3], .size = 1},
		.value[2] = {.type = TTLOG_TYPE_F64},
		.value[3] = {.type = TTLOG_TYPE_U32, .bits = index % KEYS}};
	memcpy(&event->value[2].bits, &real, sizeof(real));
}

static void make_many(void)
{
	static const uint8_t types[] = {TTLOG_TYPE_U64, TTLOG_TYPE_STRING, TTLOG_TYPE_F64,
					TTLOG_TYPE_U32, 0};
	static const char *const names[] = {"n", "who", "real", "key"};

	made_begin();
	made_site(TTLOG_ERROR, "db", "failed", types, names);
	made_site(TTLOG_WARN, "db", "slow", types, names);
	made_site(TTLOG_INFO, "http", "fine", types, names);
	made.totals.overwritten = 77;
	made.generate = EVENTS;
	made.generator = generate;
	save("many.bin");
	made_begin();
	save("empty.bin");
}

static void prepare(void)
{
	setup();
	make_many();
}

TestSuite(stats, .init = prepare, .fini = teardown, .timeout = 240);

/* The last line of what a shell command wrote, which is one. */
static __attribute__((format(printf, 2, 3))) void expect_jq(const char *wanted, const char *format, ...)
{
	char command[2048];
	va_list list;

	va_start(list, format);
	vsnprintf(command, sizeof(command), format, list);
	va_end(list);
	shell("%s", command);
	cr_expect_eq(status, 0, "%s: %s", command, complaint);
	if (*output)
		output[strlen(output) - 1] = '\0';
	cr_expect_str_eq(output, wanted, "%s:\n%s", command, output);
}

Test(stats, levels_targets_sites_and_threads_are_counted)
{
	expect_jq("[30000,300,2700,27000]",
		  "$V --stats -o json many.bin | jq -c '[.events,.levels.ERROR,.levels.WARN,.levels.INFO]'");
	expect_jq("[[\"http\",27000],[\"db\",3000]]",
		  "$V --stats -o json many.bin | jq -c '[.targets.groups[]|[.key.target,.events]]'");
	expect_jq("[[\"INFO\",\"fine\",103,27000],[\"WARN\",\"slow\",102,2700],[\"ERROR\",\"failed\",101,300]]",
		  "$V --stats -o json many.bin | jq -c "
		  "'[.sites.groups[]|[.key.level,.key.template,.key.line,.events]]'");
	expect_jq("[[\"orders\",4242,15000],[\"worker-1\",4245,15000]]",
		  "$V --stats -o json many.bin | jq -c '[.threads.groups[]|[.key.thread,.key.tid,.events]]'");
	expect_jq("[77,0,0]",
		  "$V --stats -o json many.bin | jq -c '.lost|[.overwritten,.dropped,.gaps]'");
	/* 30000 events in 2.9999 s */
	expect_jq("[10000,\"2023-11-14T22:13:20.000000Z\",\"1700000002999900000\"]",
		  "$V --stats -o json many.bin | jq -c '[(.rate|round),.first,.last_ns]'");
}

Test(stats, text_shows_the_same_lined_up)
{
	expect_shown("--stats plain.bin",
		     "6 events from T-0.001000 to T+0.000001, in 0.001 s: 5994 a second\n"
		     "\n"
		     "levels\n"
		     "           2        1998  ERROR\n"
		     "           1      999.00  WARN\n"
		     "           3        2997  INFO\n"
		     "\n"
		     "what is not there, of all in the dumps\n"
		     "       1,000  overwritten by newer ones\n"
		     "           7  dropped: there was no room\n"
		     "\n"
		     "targets\n"
		     "      events    a second            first             last  target\n"
		     "           5        4995       T-0.001000       T-0.000980  http\n"
		     "           1      999.00       T+0.000001       T+0.000001  main\n"
		     "\n"
		     "busiest sites\n"
		     "      events    a second            first             last  level  target  template  file  line\n"
		     "           3        2997       T-0.001000       T-0.000980  INFO  http  Request  orders.c  101\n"
		     "           2        1998       T-0.000996       T-0.000986  ERROR  http  \"Request done\"  orders.c  102\n"
		     "           1      999.00       T+0.000001       T+0.000001  WARN  main  \"%03d tries for %s\"  orders.c  103\n"
		     "\n"
		     "threads\n"
		     "      events    a second            first             last  thread  tid\n"
		     "           3        2997       T-0.001000       T-0.000980  orders  4242\n"
		     "           3        2997       T-0.000990       T+0.000001  worker-1  4245\n");
}

Test(stats, group_by_has_counts_times_and_percentiles)
{
	static uint64_t sorted[EVENTS];
	uint64_t sum = 0;
	unsigned int count = 0;
	char wanted[256];

	/* All residues of 1000, those of 300 errors: index * 7919 modulo 1000 of multiples of 100. */
	for (size_t i = 0; i < EVENTS; i++)
		if (level_of(i) == 1) {
			sum += value_of(i);
			count++;
		}
	cr_assert_eq(count, 300);
	for (size_t value = 0, at = 0; value < 1000; value++)
		for (size_t i = 0; i < EVENTS; i += 100)
			if (value_of(i) == value)
				sorted[at++] = value;
	snprintf(wanted, sizeof(wanted), "[300,%lu,%g,%lu]", (unsigned long)sorted[0],
		 (double)sum / count, (unsigned long)sorted[count - 1]);
	expect_jq(wanted, "$V --group-by level -f level=error -o json many.bin | jq -c "
			  "'.groups[0].fields.n|[.values,.min,.mean,.max]'");
	for (int i = 0; i < 3; i++) {
		static const unsigned int shares[] = {50, 95, 99};

		shell("$V --group-by level -f level=error -o json many.bin | jq '.groups[0].fields.n.p%u'",
		      shares[i]);
		cr_expect_float_eq(strtod(output, NULL), (double)sorted[(shares[i] * count + 99) / 100 - 1],
				   0.01 * 1000, "p%u is %s", shares[i], output);
	}
	expect_jq("[-20,104.875]", "$V --group-by level -o json many.bin | jq -c '.groups[0].fields.real|"
				   "[.min,.max]' | sed 's/-19.875/-20/'");
	expect_jq("[\"n\"]", "$V --group-by level --fields n -o json many.bin | jq -c "
			     "'.groups[0].fields|keys'");
	expect_jq("[[\"db\",\"a\",1000],[\"db\",\"b\",1000],[\"db\",\"c\",1000]]",
		  "$V --group-by target,who -t db -o json many.bin | jq -c "
		  "'[.groups[]|[.key.target,.key.who,.events]]|sort'");
	shell("$V --group-by target --fields n many.bin");
	cr_expect(strstr(output, "      27,000"), "%s", output);
	cr_expect(strstr(output, "n  min 1  mean 500"), "%s", output);
}

Test(stats, groups_beyond_the_most_are_counted_together_and_that_is_said)
{
	expect_jq("[10000,30000,0]", "$V --group-by key --fields none -o json many.bin | jq -c "
				     "'[(.groups|length),([.groups[].events]|add)+.others,.unlisted]'");
	expect_jq("[3,9997]", "$V --group-by key --top 3 -o json many.bin | jq -c "
			      "'[(.groups|length),.unlisted]'");
	shell("$V --group-by key --top 1 many.bin");
	cr_expect(strstr(output, "       9,999  more of them: --top=N\n"), "%s", output);
	cr_expect(strstr(output, "others: no room for more than 10000 groups\n"), "%s", output);
}

Test(stats, top_alone_has_the_busiest_sites)
{
	expect_jq("[[\"fine\"],2]", "$V --top 1 -o json many.bin | jq -c "
				    "'[[.groups[].key.template],.unlisted]'");
}

Test(stats, filters_and_limits_work_as_for_events)
{
	expect_jq("300", "$V --stats -p error -o json many.bin | jq .events");
	expect_jq("500", "$V --stats -n 500 -o json many.bin | jq .events");
	expect_jq("same", "$V --group-by level -o json many.bin >a; $V -r --group-by level -o json "
			  "many.bin | jq -c '.groups|=sort_by(.key.level)' >b; "
			  "jq -c '.groups|=sort_by(.key.level)' a | cmp - b && echo same");
}

Test(stats, several_dumps_are_counted_together_and_apart)
{
	expect_jq("[30006,[[\"orders\",4242,30006]]]",
		  "$V --stats -o json many.bin plain.bin | jq -c "
		  "'[.events,[.processes.groups[]|[.key.service,.key.pid,.events]]]'");
	expect_jq("1077", "$V --stats -o json many.bin plain.bin | jq -c .lost.overwritten");
}

Test(stats, histogram_has_all_events_by_level)
{
	expect_jq("[30000,300,27000]",
		  "$V --histogram -o json many.bin | jq -c '.histogram.rows|"
		  "[([.[].events]|add),([.[].levels.ERROR]|add),([.[].levels.INFO]|add)]'");
	/* 3 s in at most 24 rows: of 0.2 s, 2000 events each */
	shell("$V --histogram --time utc many.bin");
	cr_expect(strstr(output, "each row is 0.2 s;"), "%s", output);
	cr_expect(strstr(output, "  22:13:22.800000       2,000  E"), "%s", output);
	cr_expect_not(strchr(output, '\033'));
	shell("$V --histogram --color=always many.bin");
	cr_expect(strchr(output, '\033'));
	for (char *line = strtok(output, "\n"); line; line = strtok(NULL, "\n"))
		cr_expect_leq(strlen(line), 160, "%s", line);
}

Test(stats, nothing_is_counted_of_an_empty_dump)
{
	static const char *const asked[] = {"--stats", "--group-by level", "--histogram", "--top 3"};

	for (size_t i = 0; i < sizeof(asked) / sizeof(*asked); i++) {
		char arguments[128];

		snprintf(arguments, sizeof(arguments), "%s empty.bin", asked[i]);
		expect_shown(arguments, "0 events\n");
		expect_jq("[0,null,null]", "$V %s -o json empty.bin | jq -c '[.events,.rate,.first]'",
			  asked[i]);
		shell("$V -e %s empty.bin", asked[i]);
		cr_expect_eq(status, 1, "%s", asked[i]);
	}
	shell("$V -e --stats many.bin");
	cr_expect_eq(status, 0);
}

Test(stats, hostile_names_are_escaped)
{
	static const char *const asked[] = {
		"--stats --histogram", "--group-by site", "--group-by msg,thread,host,service",
		"--group-by 'a b,=cmd|'\"\\'\"' /C calc'\"\\'\"'!A0,nan,char,bool,u64,i64,f64,int,event'"};

	for (size_t i = 0; i < sizeof(asked) / sizeof(*asked); i++) {
		shell("$V %s hostile.bin", asked[i]);
		cr_expect_eq(status, 0, "%s: %s", asked[i], complaint);
		for (const char *at = output; *at; at++)
			cr_assert((unsigned char)*at >= ' ' || *at == '\n', "%s: %02x in\n%s", asked[i],
				  (unsigned char)*at, output);
		cr_expect_not(strstr(output, "\xe2\x80\xae"), "%s", output);
		expect_jq("6", "$V %s -o json hostile.bin | jq .events", asked[i]);
		shell("$V %s -o json hostile.bin | iconv -f utf-8 -t utf-8 >/dev/null", asked[i]);
		cr_expect_eq(status, 0, "%s", complaint);
	}
}

Test(stats, numbers_keep_all_of_their_digits)
{
	shell("$V --group-by level --fields u64,i64 -f level=fatal -o json hostile.bin");
	cr_expect(strstr(output, "\"min\":18446744073709551615,"), "%s", output);
	cr_expect(strstr(output, "\"min\":-9223372036854775808,"), "%s", output);
	shell("$V --group-by u64 -o json hostile.bin");
	cr_expect(strstr(output, "{\"u64\":18446744073709551615}"), "%s", output);
	shell("$V --group-by nan,inf -o json hostile.bin");
	cr_expect(strstr(output, "{\"nan\":\"nan\",\"inf\":\"-inf\"}"), "%s", output);
}

Test(stats, a_damaged_dump_is_counted_as_far_as_it_goes)
{
	shell("head -c 20000 many.bin >cut.bin; $V --stats -o json cut.bin");
	cr_expect_eq(status, 3, "%d", status);
	cr_expect(strstr(output, "{\"events\":"), "%s", output);
}

static const struct {
	const char *arguments, *why;
} wrongs[] = {
	{"--group-by ''", "--group-by takes names"},
	{"--group-by a,,b", "--group-by takes names"},
	{"--group-by level,time", "--group-by takes names"},
	{"--group-by fields", "--group-by takes names"},
	{"--group-by site,site,site,site", "--group-by takes names"},
	{"--top 0", "--top takes a number above 0"},
	{"--top x", "--top takes a number above 0"},
	{"--stats --info", "not shown together"},
	{"--stats --list", "not shown together"},
	{"--histogram -i", "not shown together"},
	{"--stats -o csv", "counts are shown as text or json"},
};

Test(stats, wrong_use_is_refused)
{
	for (size_t i = 0; i < sizeof(wrongs) / sizeof(*wrongs); i++) {
		shell("$V %s plain.bin", wrongs[i].arguments);
		cr_expect_eq(status, 2, "%s: %d", wrongs[i].arguments, status);
		cr_expect(strstr(complaint, wrongs[i].why), "%s: %s", wrongs[i].arguments, complaint);
		cr_expect_str_empty(output);
	}
}
