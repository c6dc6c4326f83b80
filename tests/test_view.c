/* SPDX-License-Identifier: MIT */
/* test_view.c - the program ttlog-view as a user runs it: output, exit status, complaints. */
#include "tests/view_run.h"

/* `ttlog-view ARGUMENTS` with a shell; "|" and "<" work. */
#define view(...) shell("$V " __VA_ARGS__)

/* Five requests, one of them wrong, around the death: the last comes after it. */
static void make_requests(void)
{
	static const uint8_t types[] = {TTLOG_TYPE_I32, TTLOG_TYPE_STRING, 0};
	static const char *const names[] = {"status", "path"};
	struct made_event *event;

	made_begin();
	made_site(TTLOG_INFO, "http", "Request done", types, names);
	made_site(TTLOG_ERROR, "http", "Request failed", types, names);
	for (unsigned int i = 0; i < 5; i++) {
		event = made_event(i < 4 ? 999000000 + i * 1000 : 1000001000, i & 1, i == 3 ? 2 : 1);
		event->value[0].bits = i == 3 ? 500 : 200;
		made_text(event, 1, i == 2 ? "/a b" : "/");
	}
}

static void setup(void)
{
	begin_folder();
	make_requests();
	save("x.bin");
}

TestSuite(view, .init = setup, .fini = teardown, .timeout = 120);

Test(view, text_has_columns_times_and_the_death_where_it_fell)
{
	view("x.bin");
	cr_expect_eq(status, 0);
	cr_expect_str_empty(complaint);
	cr_expect_str_eq(
		output,
		"-- 2023-11-14 UTC --\n"
		"  T-0.001000 22:13:20.999000 INFO  orders/4242   http  Request done  status=200 path=/\n"
		"  T-0.000999 22:13:20.999001 INFO  worker-1/4245 http  Request done  status=200 path=/\n"
		"  T-0.000998 22:13:20.999002 INFO  orders/4242   http  Request done  status=200 "
		"path=\"/a b\"\n"
		"  T-0.000997 22:13:20.999003 ERROR worker-1/4245 http  Request failed  status=500 path=/\n"
		"  T+0.000000 22:13:21.000000 ===== orders[4242]: segmentation fault: SIGSEGV "
		"(SEGV_MAPERR) at address 0x0 in thread worker-1 (tid 4245) =====\n"
		"  T+0.000001 22:13:21.000001 INFO  orders/4242   http  Request done  status=200 path=/\n");
}

static void expect_jq(const char *arguments, const char *jq, const char *wanted)
{
	view("%s | jq -c '%s'", arguments, jq);
	cr_expect_eq(status, 0, "%s", complaint);
	cr_expect_str_eq(output, wanted, "%s | %s: %s", arguments, jq, output);
}

Test(view, json_has_exactly_the_promised_keys)
{
	expect_jq("--format json -n1 x.bin", ".",
		  "{\"ts\":\"2023-11-14T22:13:21.000001Z\",\"ts_ns\":\"1700000001000001000\",\"seq\":4,"
		  "\"level\":\"INFO\",\"target\":\"http\",\"msg\":\"Request done\",\"pid\":4242,"
		  "\"tid\":4242,\"thread\":\"orders\",\"service\":\"orders\",\"host\":\"web-1\","
		  "\"file\":\"orders.c\",\"line\":101,\"func\":\"handle\","
		  "\"fields\":{\"status\":200,\"path\":\"/\"}}\n");
}

Test(view, json_of_every_type_is_valid_and_exact)
{
	static const uint8_t types[] = {
		TTLOG_TYPE_BOOL, TTLOG_TYPE_CHAR,   TTLOG_TYPE_I64,   TTLOG_TYPE_U64,
		TTLOG_TYPE_F32,	 TTLOG_TYPE_F64,    TTLOG_TYPE_F64,   TTLOG_TYPE_STRING,
		TTLOG_TYPE_BYTES, TTLOG_TYPE_POINTER, TTLOG_TYPE_INTERNED, TTLOG_TYPE_INTERNED, 0};
	static const char *const names[] = {"bool", "char", "i64", "u64", "f32", "f64",
					    "nan", "str", "bytes", "ptr", "istr", "\"bad\xff\nkey"};
	const double values[] = {0.1, NAN};
	struct made_event *event;

	made_begin();
	made.facts.service = "ser\"vice\xff";
	made.string[0] = "in\tterned";
	made.string_count = 1;
	made_site(TTLOG_FATAL, "tar\x1bget", "mess\"age\\ \xc3\xbc", types, names);
	event = made_event(1, 0, 1);
	event->value[0].bits = 1;
	event->value[1].bits = 'x';
	event->value[2].bits = (uint64_t)INT64_MIN;
	event->value[3].bits = UINT64_MAX;
	event->value[4].bits = 0x3dcccccd;
	memcpy(&event->value[5].bits, &values[0], 8);
	memcpy(&event->value[6].bits, &values[1], 8);
	made_text(event, 7, "a\xff\033[2J");
	event->value[8].data = "\x00\xff";
	event->value[8].size = 2;
	event->value[9].bits = UINT64_MAX;
	event->value[10].bits = MADE_STRINGS_FROM;
	event->value[11].bits = 12345;
	save("all.bin");
	view("-o json all.bin");
	cr_expect_eq(status, 0);
	cr_expect(strstr(output, "\"i64\":-9223372036854775808,\"u64\":18446744073709551615,"));
	expect_jq("-o json all.bin", "[.fields.bool, .fields.char, .fields.f32, .fields.f64, .fields.nan]",
		  "[true,\"x\",0.1,0.1,null]\n");
	expect_jq("-o json all.bin", ".fields | [.str, .bytes, .ptr, .istr]",
		  "[\"a\xef\xbf\xbd\\u001b[2J\",\"00ff\",\"0xffffffffffffffff\",\"in\\tterned\"]\n");
	expect_jq("-o json all.bin", ".fields | to_entries[-1]",
		  "{\"key\":\"\\\"bad\xef\xbf\xbd\\nkey\",\"value\":12345}\n");
	expect_jq("-o json all.bin", "[.level, .target, .msg, .service]",
		  "[\"FATAL\",\"tar\\u001bget\",\"mess\\\"age\\\\ \xc3\xbc\",\"ser\\\"vice\xef\xbf\xbd\"]\n");
}

Test(view, fields_of_one_name_stay_apart)
{
	static const uint8_t types[] = {TTLOG_TYPE_U8, TTLOG_TYPE_U8, TTLOG_TYPE_U8, 0};
	static const char *const names[] = {"a", "a", ""};

	made_begin();
	made_site(TTLOG_INFO, "t", "m", types, names);
	for (unsigned int i = 0; i < 3; i++)
		made_event(1, 0, 1)->value[i].bits = i + 1;
	save("same.bin");
	expect_jq("-o json -n1 same.bin", ".fields", "{\"a\":0,\"arg2\":0,\"arg3\":3}\n");
}

Test(view, printf_messages_are_formatted_for_both)
{
	static const uint8_t types[] = {TTLOG_TYPE_I32, TTLOG_TYPE_STRING, 0};
	struct made_event *event;

	made_begin();
	made_site(TTLOG_INFO, "t", "%03d of %s", types, NULL);
	event = made_event(1, 0, 1);
	event->value[0].bits = 7;
	made_text(event, 1, "nine");
	save("f.bin");
	expect_jq("-o json f.bin", "[.msg, .fields.arg1, .fields.arg2]", "[\"007 of nine\",7,\"nine\"]\n");
	view("f.bin");
	cr_expect(strstr(output, " t  007 of nine\n"), "%s", output);
}

Test(view, terminals_see_no_escapes_but_ours)
{
	static const uint8_t types[] = {TTLOG_TYPE_STRING, TTLOG_TYPE_CHAR, 0};
	static const char *const names[] = {"\033[1mkey", "c"};
	struct made_event *event;

	made_begin();
	strcpy(made.thread[0].name, "\033]0;evil");
	made.facts.service = "\033[5m";
	made.facts.hostname = "\x9b";
	made.facts.process.cmdline = "\r\033[K";
	made_site(TTLOG_INFO, "\033[3m", "\033[2J\n\xe2\x80\xae%s", types, names);
	made.site[0].flags = TTLOG_SITE_PRINTF;
	made_site(TTLOG_INFO, "\x07", "\b", types, names);
	for (uint32_t site = 1; site <= 2; site++) {
		event = made_event(1, 0, site);
		made_text(event, 0, "\033]52;c;x\007\r\n\"");
		event->value[1].bits = 0x1b;
	}
	save("evil.bin");
	for (unsigned int i = 0; i < 3; i++) {
		view("%s evil.bin", i == 0 ? "" : i == 1 ? "--info" : "-o json");
		cr_expect_eq(status, 0);
		for (const char *at = output; *at; at++)
			cr_assert(*at == '\n' || ((unsigned char)*at >= ' ' && *at != 0x7f),
				  "byte %02x in: %s", (unsigned char)*at, output);
	}
	/* With colours every escape is one of ours: a colour, which ends with m. */
	view("--color=always evil.bin");
	for (const char *at = output; (at = strchr(at, '\033')); at++)
		cr_assert(at[1] == '[' && at[1 + 1 + strspn(at + 2, "0123456789;")] == 'm', "%s", at);
}

Test(view, colours_come_when_they_are_wanted)
{
	view("x.bin");
	cr_expect_null(strchr(output, '\033'));
	view("--color=auto x.bin");
	cr_expect_null(strchr(output, '\033'));
	view("--color=always x.bin");
	cr_expect(strstr(output, "\033[31mERROR\033[0m"));
	view("--color=never x.bin");
	cr_expect_null(strchr(output, '\033'));
	/* script(1) gives it a terminal. */
	view("--version >/dev/null; TERM=xterm script -qec '%s --no-pager x.bin' /dev/null | grep -c '\033\\['", program);
	cr_expect_gt(atoi(output), 3, "%s", output);
	view("--version >/dev/null; TERM=xterm NO_COLOR=1 script -qec '%s --no-pager x.bin' /dev/null | grep -c '\033\\['",
	     program);
	cr_expect_eq(atoi(output), 0);
}

static unsigned int lines(void)
{
	unsigned int count = 0;

	for (const char *at = output; (at = strchr(at, '\n')); at++)
		count++;
	return count;
}

Test(view, filters_choose)
{
	view("-o json --filter level=ERROR x.bin");
	cr_expect_eq(lines(), 1);
	cr_expect(strstr(output, "\"seq\":3"));
	view("-o json --filter status=200 --filter 'path~=a b' x.bin");
	cr_expect_eq(lines(), 1);
	cr_expect(strstr(output, "\"seq\":2"));
	view("--filter level=FATAL x.bin");
	cr_expect_eq(status, 0);
	cr_expect_str_empty(output);
	view("--exit-code --filter level=FATAL x.bin");
	cr_expect_eq(status, 1);
	view("--exit-code x.bin");
	cr_expect_eq(status, 0);
}

Test(view, limits_take_from_either_end)
{
	view("-o json -n 2 x.bin");
	cr_expect_eq(lines(), 2);
	cr_expect_lt(strstr(output, "\"seq\":3"), strstr(output, "\"seq\":4"));
	view("-o json --limit=+2 x.bin");
	cr_expect_eq(lines(), 2);
	cr_expect_lt(strstr(output, "\"seq\":0"), strstr(output, "\"seq\":1"));
	view("-o json -n 100 x.bin");
	cr_expect_eq(lines(), 5);
	view("-o json -n 18446744073709551615 x.bin");
	cr_expect_eq(lines(), 5);
	view("-o json -n 0 x.bin");
	cr_expect_eq(lines(), 0);
	cr_expect_eq(status, 0);
	view("-o json -n +0 x.bin");
	cr_expect_eq(lines(), 0);
	view("-o json -n 1 -f status=200 -f 'seq<4' x.bin");
	cr_expect_eq(lines(), 1);
	cr_expect(strstr(output, "\"seq\":2"));
	/* The death is no event, and not drawn among events that do not reach it. */
	view("-n +2 x.bin");
	cr_expect_null(strstr(output, "====="));
	view("-n 1 x.bin");
	cr_expect_eq(lines(), 3, "%s", output);
}

Test(view, several_files_become_one_timeline)
{
	static const uint8_t none[] = {0};
	static const char *const names[] = {NULL};

	made_begin();
	made.facts.service = "billing";
	made.facts.pid = 99;
	made.facts.verdict = (struct verdict){.how = VERDICT_EXIT, .have_exit_code = true,
					      .exit_code = 3, .death_ns = 1000002000};
	made_site(TTLOG_INFO, "main", "Between", none, names);
	made_event(999001000, 0, 1); /* at the same time: files keep their order */
	save("y.bin");
	view("x.bin y.bin");
	cr_expect_eq(status, 0);
	cr_expect_str_eq(
		output,
		"-- 2023-11-14 UTC --\n"
		"  T-0.001000 22:13:20.999000 INFO  orders[4242] orders/4242   http  Request done  status=200 "
		"path=/\n"
		"  T-0.000999 22:13:20.999001 INFO  orders[4242] worker-1/4245 http  Request done  status=200 "
		"path=/\n"
		"  T-0.000999 22:13:20.999001 INFO  billing[99]  orders/4242   main  Between\n"
		"  T-0.000998 22:13:20.999002 INFO  orders[4242] orders/4242   http  Request done  status=200 "
		"path=\"/a b\"\n"
		"  T-0.000997 22:13:20.999003 ERROR orders[4242] worker-1/4245 http  Request failed  "
		"status=500 path=/\n"
		"  T+0.000000 22:13:21.000000 ===== orders[4242]: segmentation fault: SIGSEGV "
		"(SEGV_MAPERR) at address 0x0 in thread worker-1 (tid 4245) =====\n"
		"  T+0.000001 22:13:21.000001 INFO  orders[4242] orders/4242   http  Request done  status=200 "
		"path=/\n"
		"  T+0.000002 22:13:21.000002 ===== billing[99]: exited with status 3 =====\n");
	view("--info x.bin y.bin");
	cr_expect(strstr(output, "==> x.bin <==\nsegmentation fault"));
	cr_expect(strstr(output, "\n==> y.bin <==\nexited with status 3\n"));
}

Test(view, info_begins_with_the_verdict)
{
	made.totals = (struct ttlog_reader_totals){.overwritten = 1234567, .dropped = 8};
	made.lane[0].overwritten = 1234567;
	made.lane[0].overwritten_first = 5;
	made.lane[0].overwritten_last = 1000;
	save("x.bin");
	view("--info x.bin");
	cr_expect_eq(status, 0);
	cr_expect_eq(strncmp(output, "segmentation fault: SIGSEGV (SEGV_MAPERR) at address 0x0 in thread "
				     "worker-1 (tid 4245)\n\n  process      orders, pid 4242, on web-1\n"
				     "  command      orders --port 80\n", 70), 0);
	cr_expect(strstr(output, "\n  user         uid 1000, gid 1000, parent pid 1\n"));
	cr_expect(strstr(output, ", after 1 h 2 min\n"));
	cr_expect(strstr(output, "\n  events       5\n  overwritten  1,234,567\n  dropped      8\n"));
	cr_expect(strstr(output, "overwritten: 2023-11-14 22:13:20.000000 UTC to 2023-11-14 22:13:20.000001"));
	cr_expect(strstr(output, "\n  orders                  4242"), "%s", output);
	cr_expect(strstr(output, "T+0.000001  22:13:21.000001  INFO  "));
	expect_jq("--info --format json x.bin",
		  "[.service, .hostname, .pid, .created_at, .reason, .events, .overwritten, .dropped, .torn]",
		  "[\"orders\",\"web-1\",4242,\"2023-11-14T22:13:21.002003Z\",\"sigsegv\",5,1234567,8,0]\n");
	expect_jq("--info -o json x.bin",
		  ".cause | [.how, .signal, .signal_name, .code, .exit_code, .fault_address, .sender, "
		  ".confidence]",
		  "[\"fault\",11,\"SIGSEGV\",1,null,\"0x0\",null,\"high\"]\n");
	expect_jq("--info -o json x.bin", "[(.threads | length), .lanes[0].name, .process.uid]",
		  "[2,\"main\",1000]\n");
}

Test(view, info_names_the_sender)
{
	made.facts.verdict = (struct verdict){
		.how = VERDICT_SIGNAL, .have_signal = true, .signal = 9, .have_sender = true,
		.death_ns = 1000000000, .sender = {.pid = 12, .tid = 12, .uid = 0, .comm = "bash"}};
	save("x.bin");
	expect_jq("--info -o json x.bin", ".cause | [.sentence, .sender.pid, .sender.comm, .sender.uid]",
		  "[\"killed by SIGKILL from bash (pid 12, uid 0)\",12,\"bash\",0]\n");
}

Test(view, a_snapshot_is_no_death)
{
	made.facts.verdict = (struct verdict){.how = VERDICT_ALIVE};
	made.facts.reason = "snapshot-checkpoint";
	save("x.bin");
	view("x.bin");
	cr_expect(strstr(output, "===== orders[4242]: alive: a snapshot ====="), "%s", output);
	cr_expect_null(strstr(output, "died"));
	view("--info x.bin");
	cr_expect(strstr(output, "\n  seen         2023-11-14 22:13:21.002003 UTC, running for 1 h 2 min\n"));
}

Test(view, what_is_wrong_with_a_file_is_said_on_one_line)
{
	size_t bytes = save("x.bin");

	view("missing.bin");
	cr_expect_eq(status, 4);
	cr_expect_str_eq(complaint, "ttlog-view: missing.bin: No such file or directory\n");
	write_file("text.bin", "hello\n", 6);
	view("text.bin");
	cr_expect_eq(status, 4);
	cr_expect_str_eq(complaint, "ttlog-view: text.bin: not a ttlog dump (bad magic)\n");
	view("$(printf 'a\\033b')");
	cr_expect_str_eq(complaint, "ttlog-view: a\\x1bb: No such file or directory\n");
	view("-o json text.bin x.bin");
	cr_expect_eq(status, 4);
	cr_expect_eq(lines(), 5, "what can be read is shown");
	view("-o json <x.bin -");
	cr_expect_eq(status, 0);
	cr_expect_eq(lines(), 5);
	view("--version; head -c %zu x.bin | %s -o json -", bytes - 1, program);
	cr_expect_eq(status, 3);
	cr_expect_eq(lines(), 6);
	cr_expect(strstr(complaint, "ttlog-view: standard input: damaged at byte"), "%s", complaint);
	cr_expect(strstr(complaint, ": 5 of 5 events could be read\n"), "%s", complaint);
	view("--version; head -c 420 x.bin | %s --info -", program);
	cr_expect_eq(status, 3);
	cr_expect(strstr(output, "of which can be read 0\n") || strstr(output, "orders"), "%s", output);
}

Test(view, a_damaged_file_beside_a_good_one_spoils_nothing)
{
	unsigned char *data;
	size_t bytes;

	data = made_dump(&bytes);
	data[bytes / 2] ^= 1;
	write_file("bad.bin", data, bytes);
	free(data);
	view("-o json bad.bin x.bin");
	cr_expect_eq(status, 3);
	cr_expect_geq(lines(), 5);
	cr_expect(strstr(complaint, "ttlog-view: bad.bin: damaged"));
	cr_expect_null(strstr(complaint, "x.bin"));
}

static const struct {
	const char *arguments, *complaint;
} wrong[] = {
	{"--what x.bin", "unrecognized option '--what'"},
	{"--limit x.bin", "--limit takes a number"},
	{"--limit -1 x.bin", "--limit takes a number"},
	{"--limit=99999999999999999999 x.bin", "--limit takes a number"},
	{"--limit='+ 1' x.bin", "--limit takes a number"},
	{"--format xml x.bin", "--format takes text, short-iso"},
	{"--color=pink x.bin", "--color takes auto, always or never"},
	{"--filter", "requires an argument"},
	{"--filter level=loud x.bin", "not a level"},
	{"--filter 'level ERROR' x.bin", "  level ERROR\n             ^\n"},
};

Test(view, wrong_usage_exits_with_two_and_says_what_is_right)
{
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		expect_refused(wrong[i].arguments, wrong[i].complaint);
}

Test(view, help_and_version_are_asked_for)
{
	view("--help");
	cr_expect_eq(status, 0);
	cr_expect(strstr(output, "Usage: ttlog-view"));
	cr_expect_str_empty(complaint);
	view("--version");
	cr_expect_eq(status, 0);
	cr_expect_str_eq(output, "ttlog-view " TTLOG_VERSION "\n");
}

Test(view, a_reader_who_leaves_early_hears_no_complaint)
{
	for (unsigned int i = 0; i < 20000; i++)
		made_text(made_event(i, 0, 1), 1, "/");
	save("big.bin");
	view("big.bin | head -n 1");
	cr_expect_eq(status, 0);
	cr_expect_str_empty(complaint);
	/* The same where SIGPIPE is ignored. */
	view("--version; trap '' PIPE; %s big.bin | head -n 1", program);
	cr_expect_eq(status, 0);
	cr_expect_str_empty(complaint);
	view("x.bin >/dev/full");
	cr_expect_eq(status, 4);
	cr_expect_str_eq(complaint, "ttlog-view: cannot write: No space left on device\n");
}

Test(view, golden_dumps_of_every_released_format_can_be_read)
{
	char root[PATH_MAX];

	cr_assert_not_null(getcwd(root, sizeof(root)));
	view("--version >/dev/null; for f in %s/tests/golden/*.bin; do %s -o json -n20 $f | cmp - ${f%%.bin}.json && "
	     "%s --info $f >/dev/null || exit 9; done",
	     root, program, program);
	cr_expect_eq(status, 0, "%s%s", output, complaint);
}

Test(view, help_fits_a_screen_and_names_all_options_when_asked)
{
	unsigned int lines = 0;

	view("--help");
	cr_expect_eq(status, 0);
	for (char *line = strtok(output, "\n"); line; line = strtok(NULL, "\n")) {
		cr_expect_leq(strlen(line), 79, "%s", line);
		lines++;
	}
	cr_expect_leq(lines, 22, "with two empty lines that is %u", lines + 2);
	view("--help=all");
	cr_expect_eq(status, 0);
	cr_expect(strstr(output, "--version") && strstr(output, "FORMAT is one of"));
	view("--help=some");
	cr_expect_eq(status, 2);
	cr_expect_not_null(strstr(complaint, "--help=all"));
}
