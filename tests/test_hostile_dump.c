/* SPDX-License-Identifier: MIT */
/*
 * test_hostile_dump.c - dumps whose every text is hostile (hostile_dump.py), in a folder whose name is,
 * through every command and format of ttlog-view.
 *
 * Nothing that a terminal could take as a command may reach it; what programs read must be read by them.
 */
#include "tests/view_run.h"

#define HOSTILE_FOLDER "'a=\033[2J\033]0;x\a\n\t\302\233\342\200\256\377'"

static void prepare(void)
{
	begin_folder();
	need("/usr/bin/python3 --version");
	shell("mkdir " HOSTILE_FOLDER " && /usr/bin/python3 -B $T/hostile_dump.py " HOSTILE_FOLDER
	      " >words && touch shown");
	cr_assert_eq(status, 0, "%s", complaint);
}

TestSuite(hostile_dump, .init = prepare, .fini = teardown, .timeout = 300);

/* ---- what a terminal may get ----------------------------------------------------------------- */

static bool is_hostile(const unsigned char *at)
{
	static const struct {
		const char *bytes;
		const char *last; /* of a range that differs in its last byte */
	} ranges[] = {
		{"\xc2\x80", "\x9f"},	  {"\xd8\x9c", "\x9c"},	    {"\xe2\x80\x8b", "\x8f"},
		{"\xe2\x80\xa8", "\xae"}, {"\xe2\x81\xa0", "\xaf"},
	};

	if ((*at < ' ' && *at != '\n') || *at == 0x7f)
		return true;
	for (size_t i = 0; i < sizeof(ranges) / sizeof(*ranges); i++) {
		const size_t front = strlen(ranges[i].bytes) - 1;

		if (strncmp((const char *)at, ranges[i].bytes, front) == 0 &&
		    at[front] >= (unsigned char)ranges[i].bytes[front] &&
		    at[front] <= (unsigned char)*ranges[i].last)
			return true;
	}
	return false;
}

/* The colours that the viewer has itself: "ESC [ digits m". The bytes that it takes. */
static size_t colour_at(const char *at)
{
	size_t digits;

	if (at[0] != '\033' || at[1] != '[')
		return 0;
	digits = strspn(at + 2, "0123456789;");
	return at[2 + digits] == 'm' ? digits + 3 : 0;
}

static void expect_clean(const char *arguments, const char *text)
{
	const bool coloured = strstr(arguments, "--color=always");

	for (const char *at = text; *at; at++) {
		for (size_t bytes; coloured && (bytes = colour_at(at));)
			at += bytes;
		if (!*at)
			return;
		if (!is_hostile((const unsigned char *)at))
			continue;
		cr_expect_fail("%s: byte %02x in: %.*s", arguments, (unsigned char)*at, 300,
			       at - (at - text < 100 ? at - text : 100));
		return;
	}
}

static void expect_utf8(const char *arguments)
{
	shell("iconv -f utf-8 -t utf-8 <last >/dev/null");
	cr_expect_eq(status, 0, "%s: not UTF-8", arguments);
}

/* Of each dump that there is; the viewer's status has to be 0. */
static void show_each(const char *arguments)
{
	shell("for d in " HOSTILE_FOLDER "/*.bin; do $V %s \"$d\" || exit 9; done | tee last; cat last >>shown", arguments);
	cr_expect_eq(status, 0, "%s: %d %s", arguments, status, complaint);
	cr_expect_gt(strlen(output), 0, "%s", arguments);
	cr_expect_lt(strlen(output), sizeof(output) - 1, "%s", arguments);
	expect_clean(arguments, complaint);
}

static const char *const for_people[] = {
	"", "--time=delta", "--time=local --color=always", "-o short-iso", "-o verbose", "-o cat", "-o logfmt",
	"-o verbose --color=always", "--fields ts,level,target,msg,service,host,thread,file,func,lane,channel,fields",
	"-r", "--info", "--info --threads", "--info --color=always", "--info --unwind", "--stats",
	"--stats --color=always", "--group-by target,service,fields.n,channel,host,func",
	"--group-by msg,fields.peer", "--top 9", "--histogram", "--histogram --group-by target", "--diff -S T-1us",
	"--verify", "--list", "--list --color=always", "--sql 'SELECT * FROM events'", "--sql 'SELECT * FROM fields'",
	"--sql 'SELECT * FROM dumps'",
};

Test(hostile_dump, no_command_reaches_the_terminal)
{
	for (size_t i = 0; i < sizeof(for_people) / sizeof(*for_people); i++) {
		show_each(for_people[i]);
		expect_clean(for_people[i], output);
	}
	/* Several at once: each line says whose it is. */
	shell("$V " HOSTILE_FOLDER "/*.bin && $V --info " HOSTILE_FOLDER "/*.bin && $V --list " HOSTILE_FOLDER
	      " && $V --diff " HOSTILE_FOLDER "/fault.bin " HOSTILE_FOLDER "/event.bin");
	cr_expect_eq(status, 0, "%s", complaint);
	expect_clean("several", output);
}

/* Of a dump with enough events to compare. */
Test(hostile_dump, what_moved_is_named_harmlessly)
{
	static const char *const commands[] = {"", "--color=always", "-o json"};

	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
		shell("$V --diff -S T-1us %s " HOSTILE_FOLDER "/fault.moved | tee last", commands[i]);
		cr_expect_eq(status, 0, "%s", complaint);
		cr_expect_str_empty(complaint);
		expect_clean(commands[i], output);
		cr_expect(strstr(output, i < 2 ? "numbers that moved" : "\"numbers\":{"), "%s", output);
		cr_expect(strstr(output, i < 2 ? "values that moved" : "\"values\":{"), "%s", output);
		expect_utf8(commands[i]);
	}
	need("jq --version");
	shell("jq -e '(.numbers.rows | length > 0) and (.values.rows | length > 0)' <last");
	cr_expect_eq(status, 0, "%s%s", output, complaint);
}

/* ---- what programs read ---------------------------------------------------------------------- */

static const char *const as_json[] = {
	"-o json", "-o json-pretty", "-o otlp", "--info -o json", "--info --unwind -o json", "--stats -o json",
	"--group-by msg,fields.peer -o json", "--histogram -o json", "--diff -S T-1us -o json", "--verify -o json",
	"--list -o json", "--sql 'SELECT * FROM events' -o json", "--sql 'SELECT * FROM fields' -o json",
};

Test(hostile_dump, json_is_read_by_jq_and_may_be_printed)
{
	need("jq --version");
	for (size_t i = 0; i < sizeof(as_json) / sizeof(*as_json); i++) {
		show_each(as_json[i]);
		expect_clean(as_json[i], output);
		expect_utf8(as_json[i]);
		shell("jq -e . <last >/dev/null");
		cr_expect_eq(status, 0, "%s: %s", as_json[i], complaint);
	}
}

/* Rows as long as the first, and no cell that a spreadsheet takes for a formula. */
#define READ_CSV                                                                                   \
	"/usr/bin/python3 -c 'import csv, sys\n"                                                   \
	"sys.stdin.reconfigure(newline=\"\")\n"                                                   \
	"rows = list(csv.reader(sys.stdin, strict=True))\n"                                        \
	"print(len(rows), {len(row) for row in rows} == {len(rows[0])},"                           \
	" [c for row in rows for c in row if c[:1] in tuple(\"=+-@\\t\\r\")"                       \
	" and not c[1:].replace(\".\", \"\").isdigit()])'"

static const char *const as_csv[] = {
	"-o csv", "-o csv --fields ts,service,host,thread,msg,fields.peer,fields.n,channel",
	"--sql 'SELECT * FROM events' -o csv", "--sql 'SELECT name, value FROM fields' -o csv",
};

Test(hostile_dump, csv_is_read_and_has_no_formulas)
{
	for (size_t i = 0; i < sizeof(as_csv) / sizeof(*as_csv); i++) {
		show_each(as_csv[i]);
		expect_utf8(as_csv[i]);
		shell("for d in " HOSTILE_FOLDER "/*.bin; do $V %s \"$d\" | " READ_CSV "; done | sort -u", as_csv[i]);
		cr_expect_eq(status, 0, "%s", complaint);
		cr_expect(strstr(output, " True []\n") && !strchr(strchr(output, '\n') + 1, '\n'), "%s: %s",
			  as_csv[i], output);
	}
}

Test(hostile_dump, sqlite_is_a_database_with_all_of_it)
{
	shell("$V -o sqlite -O probe.db " HOSTILE_FOLDER "/fault.bin");
	if (strstr(complaint, "built without"))
		cr_skip("built without SQLite");
	need("sqlite3 --version");
	shell("$V -o sqlite -O all.db " HOSTILE_FOLDER "/*.bin && sqlite3 all.db 'PRAGMA integrity_check; "
	      "SELECT count(*), count(DISTINCT dump) FROM events' && sqlite3 all.db .dump | sqlite3 again.db && "
	      "sqlite3 again.db 'SELECT count(*) FROM events'");
	cr_expect_eq(status, 0, "%s", complaint);
	cr_expect_str_eq(output, "ok\n60|12\n60\n");
}

/* ---- all of it, and names -------------------------------------------------------------------- */

/* So that nothing is clean because it was not there. */
Test(hostile_dump, every_text_is_shown_somewhere)
{
	static const char *const all[] = {"-o json", "-o verbose", "--info -o json", "--info --threads",
					  "--list -o json"};

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		show_each(all[i]);
	shell("grep -oE '[a-z_]+[0-9]+w' shown | sort -u >seen; sort words | comm -23 - seen");
	cr_expect_str_empty(output, "never shown: %s", output);
	shell("wc -l <words");
	cr_expect_gt(atoi(output), 500, "%s", output);
}

/* What is wrong is said with the file's name. */
Test(hostile_dump, complaints_quote_names_that_are_harmless)
{
	static const char *const files[] = {"none.bin", "cut.bin", "text.bin"};

	shell("cd " HOSTILE_FOLDER " && head -c 9000 fault.bin >cut.bin && echo hello >text.bin");
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		static const char *const commands[] = {"", "--info", "--verify", "--list", "--stats",
						       "--sql 'SELECT * FROM events'", "-o sqlite -O out.db"};

		for (size_t j = 0; j < sizeof(commands) / sizeof(*commands); j++) {
			shell("rm -f out.db; $V %s " HOSTILE_FOLDER "/%s", commands[j], files[i]);
			cr_expect(status == 3 || status == 4 || strcmp(commands[j], "--list") == 0, "%s: %d",
				  commands[j], status);
			expect_clean(commands[j], output);
			expect_clean(commands[j], complaint);
			cr_expect(strlen(output) + strlen(complaint) > 0, "%s of %s", commands[j], files[i]);
		}
	}
	shell("$V -O " HOSTILE_FOLDER "/none/x -o sqlite " HOSTILE_FOLDER "/fault.bin; $V -O " HOSTILE_FOLDER
	      "/text.bin -o sqlite " HOSTILE_FOLDER "/fault.bin; $V -O " HOSTILE_FOLDER " -o ctf " HOSTILE_FOLDER
	      "/fault.bin; $V -O " HOSTILE_FOLDER "/none/x " HOSTILE_FOLDER "/fault.bin");
	cr_expect_eq(status, 4, "%d", status);
	expect_clean("-O", complaint);
}

/* ---- what is not known ----------------------------------------------------------------------- */

static void expect_events(const char *arguments, int wanted)
{
	shell("$V -o json %s " HOSTILE_FOLDER "/fault.bin | wc -l", arguments);
	cr_expect_eq(atoi(output), wanted, "%s: %s%s", arguments, output, complaint);
}

/* The last event's thread is in no list, and its level is none of ours. */
Test(hostile_dump, what_is_not_known_is_missing_and_equals_nothing)
{
	expect_events("", 5);
	expect_events("-f tid=4242,4243", 4);
	expect_events("-f 'tid!=4242,4243'", 1);
	expect_events("-f tid?", 4);
	expect_events("-f '!tid?'", 1);
	expect_events("-f level?", 4);
	expect_events("-f '!level?'", 1);
	expect_events("-f 'level!=info,warn,error'", 1);
}

/* Whoever filters by time believes the index: that it counts what is there is a part of being whole. */
Test(hostile_dump, verify_reads_the_index_and_all_events)
{
	shell("cp " HOSTILE_FOLDER "/fault.* .; $V --verify fault.bin fault.lie; echo $?; $V --verify -o json fault.lie");
	cr_expect_eq(status, 3, "%d", status);
	cr_expect_str_eq(output,
			 "fault.bin: whole, 5 events\n"
			 "fault.lie: all 5 events are whole, but the index is not\n"
			 "3\n"
			 "{\"file\":\"fault.lie\",\"whole\":false,\"damage\":\"all 5 events are whole, but the index "
			 "is not\",\"events\":5}\n",
			 "%s", output);
}
