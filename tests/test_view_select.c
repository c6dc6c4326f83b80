/* SPDX-License-Identifier: MIT */
/* test_view_select.c - what ttlog-view lets through, of which files, as a user asks for it. */
#include "tests/view_run.h"

#define BATCHED_EVENTS 20000

/* Requests numbered from 0, a millisecond apart; the death is 1 s after the first, which is at 22:13:20 UTC. */
static void make_requests(unsigned int count)
{
	static const uint8_t types[] = {TTLOG_TYPE_I32, TTLOG_TYPE_STRING, 0};
	static const char *const names[] = {"status", "path"};
	static const uint8_t slow_types[] = {TTLOG_TYPE_F64, 0};
	static const char *const slow_names[] = {"seconds"};
	const double seconds = 0.75;
	struct made_event *event;

	made_begin();
	made_site(TTLOG_INFO, "http.in", "Request done", types, names);
	made_site(TTLOG_ERROR, "http.out", "Request failed", types, names);
	made_site(TTLOG_WARN, "db.pool", "Slow Query", slow_types, slow_names);
	made_site(TTLOG_DEBUG, "db.pool", "tick", (const uint8_t *)"", names);
	for (unsigned int i = 0; i < count; i++) {
		event = made_event(i * UINT64_C(1000000), i & 1, 1 + i % 4);
		if (i % 4 < 2) {
			event->value[0].bits = i % 4 ? 500 : 200;
			made_text(event, 1, i % 4 ? "/b" : "/a");
		} else if (i % 4 == 2) {
			memcpy(&event->value[0].bits, &seconds, 8);
		}
	}
}

static void generate(size_t index, struct ttlog_reader_event *event)
{
	*event = (struct ttlog_reader_event){.ticks = 1000 * index,
					     .site = 1,
					     .channel = TTLOG_READER_NO_CHANNEL,
					     .value_count = 1,
					     .value[0] = {.type = TTLOG_TYPE_U64, .bits = index}};
}

static void setup(void)
{
	begin_folder();
	setenv("TZ", "CET-1", 1);
	make_requests(8);
	save("x.bin");
}

TestSuite(view_select, .init = setup, .fini = teardown, .timeout = 200);

/* The numbers of the events that are shown, as "0 3 4 ". */
static void expect_seqs(const char *arguments, const char *wanted)
{
	char got[4096] = "";
	const char *at = output;

	shell("$V -o json %s", arguments);
	cr_expect_eq(status, 0, "%s: %s", arguments, complaint);
	cr_expect_str_empty(complaint, "%s: %s", arguments, complaint);
	while ((at = strstr(at, "\"seq\":")) && strlen(got) < sizeof(got) - 24) {
		at += 6;
		sprintf(got + strlen(got), "%lu ", strtoul(at, NULL, 10));
	}
	cr_expect_str_eq(got, wanted, "%s: %s", arguments, got);
}

static const struct {
	const char *arguments, *wanted;
} selected[] = {
	{"x.bin", "0 1 2 3 4 5 6 7 "},
	{"-f status=500 x.bin", "1 5 "},
	{"-f 'status?' -f '!nobody?' x.bin", "0 1 4 5 "},
	{"--query 'level>=warn and not status?' x.bin", "2 6 "},
	{"--query 'seconds>0.5 or path=/b and seq<2' x.bin", "1 2 6 "},
	{"-p warn x.bin", "1 2 5 6 "},
	{"-p W x.bin", "1 2 5 6 "},
	{"-p err x.bin", "1 5 "},
	{"-p debug..info x.bin", "0 3 4 7 "},
	{"--priority=warn..info x.bin", "0 2 4 6 "},
	{"-t 'http.*' x.bin", "0 1 4 5 "},
	{"-t http.in -t db.pool x.bin", "0 2 3 4 6 7 "},
	{"--target='http.i?,nobody' x.bin", "0 4 "},
	{"-g slow x.bin", "2 6 "},
	{"-g SLOW x.bin", ""},
	{"-g 's[l]ow' x.bin", "2 6 "},
	{"-g 'S[l]ow' x.bin", "2 6 "},
	{"-g 'S[L]OW' x.bin", ""},
	/* Of letters as they are, but for -g. */
	{"-f msg=~slow x.bin", ""},
	{"-f msg=~Slow x.bin", "2 6 "},
	{"-g 'status=(500|404)' x.bin", "1 5 "},
	{"-g request -g /b x.bin", "1 5 "},
	{"--tid 4245 x.bin", "1 3 5 7 "},
	{"--tid 4242,4245 -n 1 x.bin", "7 "},
	{"--pid 4242 --service orders x.bin", "0 1 2 3 4 5 6 7 "},
	{"--pid 1 x.bin", ""},
	{"--service other,payments x.bin", ""},
	{"-S T-0.995 x.bin", "5 6 7 "},
	{"-U T-998ms x.bin", "0 1 2 "},
	{"-S 2023-11-14T22:13:20.003Z -U 2023-11-14T22:13:20.004Z x.bin", "3 4 "},
	{"-S '2023-11-14 23:13:20.006' x.bin", "6 7 "},
	{"-S 23:13:20.006 x.bin", "6 7 "},
	{"-U 23:13 x.bin", ""},
	{"-S -5m x.bin", ""},
	{"-S @1700000000.0065 x.bin", "7 "},
	{"--around T-0.996 -C 2 x.bin", "2 3 4 5 "},
	{"--around T-0.996 -C 1ms x.bin", "3 4 5 "},
	{"--around T x.bin", "0 1 2 3 4 5 6 7 "},
	{"--around T-0.996 -C 1 -p warn x.bin", "2 5 "},
	{"-n 2 x.bin", "6 7 "},
	{"-n +2 x.bin", "0 1 "},
	{"-r x.bin", "7 6 5 4 3 2 1 0 "},
	{"-r -n 2 x.bin", "7 6 "},
	{"-r -n +2 x.bin", "1 0 "},
	{"-n 1 -p error - <x.bin", "5 "},
	{"-r -S T-0.994 - <x.bin", "7 6 "},
};

Test(view_select, each_option_lets_its_events_through)
{
	for (size_t i = 0; i < sizeof(selected) / sizeof(*selected); i++)
		expect_seqs(selected[i].arguments, selected[i].wanted);
}

Test(view_select, a_pipe_is_read_forward_and_turned_around)
{
	shell("cat x.bin | $V -o json -r -n 3 --fields seq -");
	cr_expect_str_eq(output, "{\"seq\":7}\n{\"seq\":6}\n{\"seq\":5}\n");
	shell("cat x.bin | $V -o json --around T-0.996 -C 1 --fields seq -");
	cr_expect_str_eq(output, "{\"seq\":3}\n{\"seq\":4}\n");
	shell("cat x.bin | $V -o json -r --fields seq - | head -1");
	cr_expect_str_eq(output, "{\"seq\":7}\n");
	cr_expect_str_empty(complaint);
}

static const struct {
	const char *arguments, *complaint;
} wrong[] = {
	{"--query 'level>=warn and (seq=1' x.bin",
	 "ttlog-view: bad query: a ( without its )\n  level>=warn and (seq=1\n                  ^\n"},
	{"-f 'msg=~a[' x.bin",
	 "ttlog-view: bad filter: a [ without its ]\n  msg=~a[\n       ^\n"},
	{"-g '(' x.bin", "ttlog-view: bad regular expression: a ( without its )\n  (\n  ^\n"},
	{"--query \"$(printf 'a=\\033\\001')' x\" x.bin", "  a=\\x1b"},
	{"-p loud x.bin", "--priority takes a level"},
	{"-p info.. x.bin", "--priority takes a level"},
	{"--tid me x.bin", "bad --tid: tid is compared with numbers"},
	{"-S noon x.bin", "bad --since: not a time"},
	{"-U '' x.bin", "bad --until: not a time"},
	{"--around soon x.bin", "--around takes a time"},
	{"--around T -C some x.bin", "--context takes a number"},
	{"--around T -C 1000001 x.bin", "--context takes a number"},
	{"-C 5 x.bin", "--context is for --around"},
	{"--around T -n 5 x.bin", "--around has its limit in --context"},
};

Test(view_select, what_makes_no_sense_is_told_where_and_exits_with_2)
{
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		shell("$V %s", wrong[i].arguments);
		cr_expect_eq(status, 2, "%s", wrong[i].arguments);
		cr_expect_str_empty(output);
		cr_expect(strstr(complaint, wrong[i].complaint), "%s: %s", wrong[i].arguments,
			  complaint);
		cr_expect(strstr(complaint, "\033") == NULL);
	}
}

Test(view_select, in_reverse_the_death_comes_first)
{
	char *death, *event;

	shell("$V -r x.bin");
	death = strstr(output, "=====");
	event = strstr(output, "tick");
	cr_assert(death && event, "%s", output);
	cr_expect_lt(death, event);
	shell("$V -U T-0.5 x.bin");
	cr_expect_null(strstr(output, "====="), "it is not of that time");
	shell("$V -U T x.bin");
	cr_expect_not_null(strstr(output, "====="));
}

Test(view_select, a_large_file_is_read_where_it_matters)
{
	static const uint8_t types[] = {TTLOG_TYPE_U64, 0};
	static const char *const names[] = {"n"};

	made_begin();
	made_site(TTLOG_INFO, "t", "m", types, names);
	made.generate = BATCHED_EVENTS;
	made.generator = generate;
	save("large.bin");
	expect_seqs("-n 2 large.bin", "19998 19999 ");
	expect_seqs("--around T-0.99 -C 1 large.bin", "9999 10000 ");
	expect_seqs("-S T-0.980002 large.bin", "19998 19999 ");
	/* Damage in the middle is none of these questions' business. */
	shell("printf '\\377\\377\\377' | dd of=large.bin bs=1 seek=$(($(stat -c %%s large.bin) / 2)) "
	      "conv=notrunc 2>/dev/null");
	expect_seqs("-r -n 2 large.bin", "19999 19998 ");
	shell("$V -o json large.bin");
	cr_expect_eq(status, 3, "%s", complaint);
	cr_expect(strstr(complaint, "large.bin: damaged at byte"), "%s", complaint);
	shell("$V --verify large.bin");
	cr_expect_eq(status, 3);
	cr_expect_not_null(strstr(output, "large.bin: damaged at byte"), "%s", output);
}

Test(view_select, folders_are_their_dumps_and_without_a_name_it_is_the_newest)
{
	shell("mkdir d e && cp x.bin d/ttlog-4242-20251123023201-sigsegv.bin && cp x.bin "
	      "d/ttlog-7-20251124000000-oom.bin && echo no >d/readme.txt && mkdir d/sub.bin");
	make_requests(1);
	save("d/ttlog-9-20251124000001-exit-1.bin");
	expect_seqs("-f level=error d/", "1 1 5 5 ");
	shell("TTLOG_SNAPSHOT_DIR=$PWD/d $V -o json --fields seq");
	cr_expect_str_eq(output, "{\"seq\":0}\n", "%s", output);
	shell("$V e");
	cr_expect_eq(status, 4);
	cr_expect_str_eq(complaint, "ttlog-view: e: no dumps there\n");
	shell("TTLOG_SNAPSHOT_DIR=$PWD/none $V");
	cr_expect_eq(status, 4);
	cr_expect(strstr(complaint, "none: No such file or directory; which dump?"), "%s", complaint);
	shell("$V e x.bin -o json --fields seq -n 1");
	cr_expect_eq(status, 4, "the other was shown all the same");
	cr_expect_str_eq(output, "{\"seq\":7}\n");
}

Test(view_select, list_groups_dumps_by_their_bugs)
{
	shell("mkdir d && cp x.bin d/a.bin && cp x.bin d/b.bin");
	made.facts.service = "pay\033ments";
	made.facts.created_ns += UINT64_C(3600000000000);
	save("d/c.bin");
	shell("$V --list d");
	cr_expect_eq(status, 0);
	cr_expect_str_empty(complaint);
	cr_expect(strstr(output, "  2 dumps"), "%s", output);
	cr_expect(strstr(output, "2023-11-14T22:13:21Z  pid 4242"), "%s", output);
	cr_expect(strstr(output, "pay\\x1bments: "), "%s", output);
	cr_expect_lt(strstr(output, "d/b.bin"), strstr(output, "d/c.bin"), "the last one is last");
	shell("$V --list -o json d | jq -r '[.file, .service, .events, .how, .pid] | @csv'");
	cr_expect_str_eq(output, "\"d/a.bin\",\"orders\",8,\"fault\",4242\n"
				 "\"d/b.bin\",\"orders\",8,\"fault\",4242\n"
				 "\"d/c.bin\",\"pay\033ments\",8,\"fault\",4242\n",
			 "%s", output);
	shell("TTLOG_SNAPSHOT_DIR=d $V --list -o json | wc -l");
	cr_expect_eq(atoi(output), 3);
	shell("echo no >d/no.bin; mkfifo d/fifo.bin; $V --list d; x=$?; $V --list -o json d/fifo.bin; exit $x");
	cr_expect_eq(status, 4);
	cr_expect(strstr(output, "  2 dumps"));
	cr_expect(strstr(complaint, "d/no.bin: not a ttlog dump"), "%s", complaint);
	cr_expect(strstr(complaint, "d/fifo.bin: not a ttlog dump"), "%s", complaint);
}

/* One bug, two deaths of it that are told in other words, whatever their names sort like. */
Test(view_select, list_heads_a_group_with_the_words_of_its_newest)
{
	const char *older, *newer;

	shell("mkdir d && cp x.bin d/z.bin");
	made.facts.created_ns += UINT64_C(3600000000000);
	made.facts.verdict.fault_address = 0xbeef0;
	save("d/a.bin");
	shell("$V --list d");
	cr_expect(strstr(output, "  2 dumps"), "%s", output);
	cr_expect(strstr(output, "0xbeef0") && strstr(output, "0xbeef0") < strchr(output, '\n'), "%s", output);
	older = strstr(output, "d/z.bin");
	newer = strstr(output, "d/a.bin");
	cr_expect(older && newer && older < newer, "%s", output);
}

Test(view_select, verify_says_what_is_whole)
{
	shell("head -c $(($(stat -c %%s x.bin) - 1)) x.bin >cut.bin; head -c 100 /dev/zero >no.bin; "
	      "$V --verify x.bin cut.bin");
	cr_expect_eq(status, 3);
	cr_expect(strstr(output, "x.bin: whole, 8 events\ncut.bin: damaged at byte "), "%s", output);
	cr_expect(strstr(output, ": 8 of 8 events could be read\n"), "%s", output);
	shell("$V --verify x.bin no.bin");
	cr_expect_eq(status, 4);
	cr_expect_str_eq(output, "x.bin: whole, 8 events\n");
	cr_expect(strstr(complaint, "no.bin: not a ttlog dump"));
	shell("$V --verify -o json x.bin cut.bin | jq -c '[.whole, .damage, .events]'");
	cr_expect(strstr(output, "[true,null,8]\n[false,\"damaged at byte "), "%s", output);
	shell("$V --verify - <x.bin");
	cr_expect_eq(status, 0);
	cr_expect_str_eq(output, "standard input: whole, 8 events\n");
}

Test(view_select, every_changed_byte_is_seen_by_verify_or_harms_nothing)
{
	struct stat file;
	char path[PATH_MAX + 16];
	unsigned int seen = 0, whole = 0;

	snprintf(path, sizeof(path), "%s/x.bin", folder);
	cr_assert_eq(stat(path, &file), 0);
	for (off_t at = 0; at < file.st_size; at += 7) {
		shell("cp x.bin y.bin; b=$(dd if=y.bin bs=1 skip=%ld count=1 2>/dev/null | od -An -tu1); "
		      "printf \"$(printf '\\\\%%03o' $((b ^ 16)))\" | "
		      "dd of=y.bin bs=1 seek=%ld conv=notrunc 2>/dev/null; $V --verify y.bin",
		      (long)at, (long)at);
		cr_assert(status == 0 || status == 3 || status == 4, "byte %ld: %d", (long)at, status);
		*(status ? &seen : &whole) += 1;
	}
	/* The summary's bytes have no checksum, nor have the index's. */
	cr_expect_gt(seen, whole, "%u seen, %u not", seen, whole);
}

/* script(1) has a terminal; what the pager got is marked by it. */
Test(view_select, people_on_a_terminal_have_a_pager)
{
	shell("TERM=dumb TTLOG_PAGER=\"sed 's/^/P:/'\" script -qec '$V -o cat -n 2 x.bin' /dev/null </dev/null");
	cr_expect_eq(status, 0);
	cr_expect(strstr(output, "P:Slow Query") && strstr(output, "P:tick"), "%s", output);
	shell("TERM=dumb PAGER=\"sed 's/^/P:/'\" script -qec '$V --list x.bin' /dev/null </dev/null");
	cr_expect(strstr(output, "P:orders"), "%s", output);
	shell("TERM=dumb TTLOG_PAGER=\"sed 's/^/P:/'\" script -qec '$V -o json x.bin' /dev/null </dev/null");
	cr_expect_null(strstr(output, "P:"), "machines have none");
	shell("TERM=dumb PAGER=\"sed 's/^/P:/'\" script -qec '$V --no-pager x.bin' /dev/null </dev/null");
	cr_expect_null(strstr(output, "P:"), "%s", output);
	shell("TERM=dumb TTLOG_PAGER= PAGER=\"sed 's/^/P:/'\" script -qec '$V x.bin' /dev/null </dev/null");
	cr_expect_null(strstr(output, "P:"), "%s", output);
	shell("TTLOG_PAGER=\"sed 's/^/P:/'\" $V x.bin");
	cr_expect_null(strstr(output, "P:"), "no terminal, no pager");
}

Test(view_select, whoever_leaves_a_pager_has_seen_enough)
{
	make_requests(20000);
	save("large.bin");
	shell("TERM=dumb TTLOG_PAGER='head -n 1' script -qec '$V -o cat large.bin; echo exit $?' /dev/null </dev/null");
	cr_expect(strstr(output, "Request done"), "%s", output);
	cr_expect(strstr(output, "exit 0"), "%s", output);
	cr_expect_null(strstr(output, "ttlog-view:"), "%s", output);
	shell("$V large.bin | head -n 1");
	cr_expect_str_empty(complaint);
}
