/* SPDX-License-Identifier: MIT */
/* test_formats.c - the formats for people and for scripts, --fields, --time and --output, by their bytes. */
#include "tests/view_shown.h"

TestSuite(formats, .init = setup, .fini = teardown, .timeout = 240);

Test(formats, short_iso_has_a_whole_time_on_each_line)
{
	expect_shown("-o short-iso -n 2 plain.bin",
		     "2023-11-14T22:13:20.999020Z INFO  orders[4242] orders/4242 http Request  span=begin id=2\n"
		     "2023-11-14T22:13:21.000000Z ===== orders[4242]: segmentation fault: SIGSEGV (SEGV_MAPERR) "
		     "at address 0x0 in thread worker-1 (tid 4245) =====\n"
		     "2023-11-14T22:13:21.000001Z WARN  orders[4242] worker-1/4245 main 007 tries for /a b\n");
}

Test(formats, verbose_has_all_of_an_event)
{
	expect_shown("-o verbose -n 1 plain.bin",
		     "2023-11-14T22:13:21.000001Z WARN  orders[4242] worker-1/4245 main 007 tries for /a b\n"
		     "  ts       2023-11-14T22:13:21.000001Z\n"
		     "  seq      5\n"
		     "  service  orders\n"
		     "  host     web-1\n"
		     "  pid      4242\n"
		     "  tid      4245\n"
		     "  thread   worker-1\n"
		     "  lane     main\n"
		     "  file     orders.c\n"
		     "  line     103\n"
		     "  func     handle\n"
		     "    arg1=7\n"
		     "    arg2=\"/a b\"\n"
		     "\n");
}

Test(formats, cat_has_the_message_alone)
{
	expect_shown("-o cat -n 2 plain.bin", "Request\n007 tries for /a b\n");
	expect_shown("-o cat --fields target,msg,id -n 2 plain.bin", "http Request 2\nmain 007 tries for /a b \n");
}

Test(formats, json_pretty_is_the_same_object_over_lines)
{
	shell("$V -o json-pretty hostile.bin | jq -c . > a; $V -o json hostile.bin | jq -c . | cmp a -");
	cr_expect_eq(status, 0, "%s", complaint);
	expect_shown("-o json-pretty --fields seq,fields,id -n 1 plain.bin",
		     "{\n  \"seq\": 5,\n  \"fields\": {\n    \"arg1\": 7,\n    \"arg2\": \"/a b\"\n  }\n}\n");
	expect_shown("-o json-pretty --fields seq,nothing -n 1 plain.bin", "{\n  \"seq\": 5,\n  \"fields\": {}\n}\n");
}

Test(formats, logfmt_quotes_what_has_to_be)
{
	expect_shown("-o logfmt -n 1 plain.bin",
		     "ts=2023-11-14T22:13:21.000001Z level=warn target=main msg=\"007 tries for /a b\" pid=4242 "
		     "tid=4245 thread=worker-1 service=orders arg1=7 arg2=\"/a b\"\n");
}

Test(formats, fields_choose_and_order_in_each_line_format)
{
	expect_shown("--fields level,id,msg -n 2 plain.bin",
		     "INFO  id=2 Request\n"
		     "-- 2023-11-14 UTC --\n"
		     "  T+0.000000 22:13:21.000000 ===== orders[4242]: segmentation fault: SIGSEGV (SEGV_MAPERR) at "
		     "address 0x0 in thread worker-1 (tid 4245) =====\n"
		     "WARN  007 tries for /a b\n");
	expect_shown("-o json --fields status,ts,id,level -n +2 plain.bin",
		     "{\"ts\":\"2023-11-14T22:13:20.999000Z\",\"level\":\"INFO\",\"fields\":{\"id\":0}}\n"
		     "{\"ts\":\"2023-11-14T22:13:20.999004Z\",\"level\":\"ERROR\",\"fields\":{\"status\":200}}\n");
	expect_shown("-o csv --fields seq,status,fields.ms -n +2 plain.bin", "seq,status,ms\n0,,\n1,200,1.5\n");
	expect_shown("-o logfmt --fields msg,status -n +2 plain.bin",
		     "msg=Request\nmsg=\"Request done\" status=200\n");
	expect_shown("-o verbose --fields status,time -n +1 -f status=200 plain.bin",
		     "2023-11-14T22:13:20.999004Z ERROR orders[4242] orders/4242 http Request done\n"
		     "    status=200\n  time     2023-11-14T22:13:20.999004Z\n\n");
}

static const struct {
	const char *mode, *time, *death;
} times[] = {
	{"crash", "  T-0.000980 ", "  T+0.000000 "},
	{"delta", "   +0.000006 ", "   +0.000980 "},
	{"unix", "1700000000.999020 ", "1700000001.000000 "},
	{"monotonic", "         0.999020 ", "         1.000000 "},
	{"utc", "-- 2023-11-14 UTC --\n22:13:20.999020 ", "22:13:21.000000 "},
	{"local", "-- 2023-11-14 local time --\n23:13:20.999020 ", "23:13:21.000000 "},
};

Test(formats, times_are_as_asked_for)
{
	char wanted[1024], arguments[64];

	for (size_t i = 0; i < sizeof(times) / sizeof(*times); i++) {
		const bool delta = strcmp(times[i].mode, "delta") == 0;

		snprintf(wanted, sizeof(wanted),
			 "%sINFO  orders/4242   http  Request  span=begin id=2\n"
			 "%s===== orders[4242]: segmentation fault: SIGSEGV (SEGV_MAPERR) at address 0x0 in thread "
			 "worker-1 (tid 4245) =====\n",
			 delta ? "   +0.000000 " : times[i].time, times[i].death);
		snprintf(arguments, sizeof(arguments), "--time %s -f id=2 plain.bin", times[i].mode);
		expect_shown(arguments, wanted);
	}
	expect_shown("--time delta -o csv --fields time -n 2 plain.bin", "time\n+0.000000\n+0.000981\n");
	expect_shown("--time local -o csv --fields time -n 1 plain.bin", "time\n2023-11-14T23:13:21.000001+01:00\n");
	expect_shown("--time unix -o json --fields time -n 1 plain.bin", "{\"time\":\"1700000001.000001\"}\n");
}

Test(formats, output_is_a_file)
{
	shell("$V -O got --color=auto -o cat plain.bin && test $(wc -l < got) = 6 && test $(stat -c %%a got) = 600");
	cr_expect_eq(status, 0, "%s", complaint);
	cr_expect_str_empty(output);
	shell("$V -O - -o cat -n 1 plain.bin");
	cr_expect_str_eq(output, "007 tries for /a b\n");
	shell("$V --output no/such/folder plain.bin");
	cr_expect_eq(status, 4);
	cr_expect(strstr(complaint, "no/such/folder: No such file or directory"), "%s", complaint);
}

Test(formats, a_pipe_has_no_colours_and_always_means_always)
{
	shell("$V -o short-iso plain.bin; $V -o verbose plain.bin; NO_COLOR=1 $V --color=auto plain.bin");
	cr_expect_null(strchr(output, '\033'));
	shell("NO_COLOR=1 $V --color=always -o short-iso plain.bin");
	cr_expect_not_null(strchr(output, '\033'));
	shell("$V --color=always -o json plain.bin; $V --color=always -o csv plain.bin");
	cr_expect_null(strchr(output, '\033'));
}

/* 80 columns have no room for two times; colours are for a terminal, not for the file that is named. */
Test(formats, a_terminal_has_its_width_and_colours)
{
	shell("export TERM=xterm TTLOG_PAGER=cat; $T/on_terminal.py 80 $V --color=never -n 1 plain.bin");
	cr_expect(strstr(output, "\n  T+0.000001 WARN  worker-1/4245 main  007 tries for /a b\n"), "%s", output);
	shell("export TERM=xterm TTLOG_PAGER=cat; $T/on_terminal.py 120 $V --color=never -n 1 plain.bin");
	cr_expect(strstr(output, "  T+0.000001 22:13:21.000001 WARN "), "%s", output);
	shell("export TERM=xterm TTLOG_PAGER=cat; $T/on_terminal.py 80 $V -n 1 plain.bin");
	cr_expect(strchr(output, '\033'), "%s", output);
	shell("export TERM=xterm TTLOG_PAGER=cat; $T/on_terminal.py 80 $V -n 1 -O kept plain.bin; cat kept");
	cr_expect_null(strchr(output, '\033'));
	cr_expect(strstr(output, "  T+0.000001 22:13:21.000001 WARN "), "%s", output);
	shell("export TERM=xterm TTLOG_PAGER=cat; $T/on_terminal.py 80 $V -o perfetto plain.bin");
	cr_expect_eq(status, 2);
	cr_expect(strstr(output, "--format perfetto is not for a terminal"), "%s", output);
}

/* No byte that a terminal takes for a command, in any format for people, whatever the columns. */
Test(formats, no_terminal_is_told_anything_by_a_dump)
{
	static const char *const shown[] = {"-o text", "-o short-iso", "-o verbose", "-o cat", "-o cat --fields fields,thread",
					    "--fields fields,msg,thread,target,service,host"};

	for (size_t i = 0; i < sizeof(shown) / sizeof(*shown); i++) {
		shell("$V %s hostile.bin", shown[i]);
		cr_expect_eq(status, 0);
		for (const char *at = output; *at; at++)
			cr_expect((unsigned char)*at >= ' ' || *at == '\n', "%s: %#x", shown[i], (unsigned char)*at);
		cr_expect_null(strstr(output, "\xe2\x80\xae"), "%s turns the text around", shown[i]);
		cr_expect_null(strstr(output, "\xc2\x9b"), "%s has a C1 control", shown[i]);
		cr_expect_null(strchr(output, '\x7f'));
	}
}

static const struct {
	const char *arguments, *complaint;
} wrong[] = {
	{"--time never plain.bin", "--time takes crash, delta, utc, local, unix or monotonic, not 'never'"},
	{"--time '' plain.bin", "--time takes"},
	{"--fields '' plain.bin", "--fields takes names"},
	{"--fields a,,b plain.bin", "--fields takes names"},
	{"--fields a, plain.bin", "--fields takes names"},
	{"--fields $(seq -s, 65) plain.bin", "64 at the most"},
	{"-o ctf plain.bin", "--format ctf writes a folder: name it with --output"},
	{"-o sqlite plain.bin", "--format sqlite writes a file: name it with --output"},
};

Test(formats, wrong_usage_exits_with_two_and_says_what_is_right)
{
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		expect_refused(wrong[i].arguments, wrong[i].complaint);
	shell("$V --fields $(seq -s, 64) plain.bin");
	cr_expect_eq(status, 0);
}
