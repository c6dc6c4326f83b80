/* SPDX-License-Identifier: MIT */
/*
 * test_sql.c - --sql finds in the dumps what sqlite3 finds in the database that --format sqlite makes of
 * them, and nothing but reading is possible.
 */
#include "tests/view_shown.h"

static void prepare(void)
{
	setup();
	made_begin();
	save("empty.bin");
	shell("$V --sql 'SELECT 1' empty.bin");
	if (strstr(complaint, "built without"))
		cr_skip("built without SQLite");
	shell("$V -o sqlite -O plain.db plain.bin && $V -o sqlite -O hostile.db hostile.bin && "
	      "$V -o sqlite -O both.db plain.bin hostile.bin && $V -o sqlite -O empty.db empty.bin");
	cr_assert_eq(status, 0, "%s", complaint);
}

TestSuite(sql, .init = prepare, .fini = teardown, .timeout = 240);

static const char *const selects[] = {
	"SELECT * FROM events",
	"SELECT count(*), min(ts_ns), max(severity) FROM events",
	"SELECT target, count(*) FROM events GROUP BY target ORDER BY 2 DESC, 1",
	"SELECT event, name, value FROM fields WHERE typeof(value) != 'blob' AND typeof(value) != 'real'",
	"SELECT event, name, hex(value) FROM fields WHERE typeof(value) = 'blob'",
	"SELECT name, count(*) FROM fields GROUP BY name ORDER BY name",
	"SELECT e.seq, f.name, hex(f.value) FROM events e JOIN fields f ON f.event = e.event ORDER BY 1, 2, 3",
	"SELECT e.seq, f.value FROM events e LEFT JOIN fields f ON f.event = e.event AND f.name = 'status'",
	"SELECT name, typeof(value) FROM fields WHERE event = 2",
	"SELECT name FROM fields WHERE event = 99 OR event IS NULL",
	"SELECT dump, service, host, pid, reason, created_ns, death_ns, how, signal, sentence, events,"
	" overwritten, dropped FROM dumps",
	"SELECT d.service, count(*) FROM dumps d JOIN events e ON e.dump = d.dump GROUP BY d.dump",
	"SELECT a.event, b.event FROM events a JOIN events b ON a.target = b.target AND a.event < b.event"
	" ORDER BY 1, 2",
	"SELECT event FROM events WHERE EXISTS (SELECT 1 FROM fields f WHERE f.event = events.event AND"
	" f.name = 'id' AND f.value = 1)",
	"SELECT f.event, (SELECT count(*) FROM events) FROM fields f WHERE f.event = 1",
	"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5) SELECT i FROM n",
	"SELECT event FROM events ORDER BY ts_ns DESC, event DESC LIMIT 2",
};

static const char *const databases[][2] = {
	{"plain.bin", "plain.db"},
	{"hostile.bin", "hostile.db"},
	{"plain.bin hostile.bin", "both.db"},
	{"empty.bin", "empty.db"},
};

Test(sql, finds_what_sqlite3_finds_in_the_database)
{
	need("sqlite3 --version");
	need("jq --version");
	for (size_t i = 0; i < sizeof(databases) / sizeof(*databases); i++)
		for (size_t j = 0; j < sizeof(selects) / sizeof(*selects); j++) {
			shell("$V -o json --sql \"%s\" %s >a.json; sqlite3 -json %s \"%s\" >b.json; "
			      "jq -c . a.json >a; jq -c '.[]' b.json >b; diff a b",
			      selects[j], databases[i][0], databases[i][1], selects[j]);
			cr_expect_eq(status, 0, "%s of %s: %s%s", selects[j], databases[i][0], output,
				     complaint);
		}
}

Test(sql, text_is_lined_up_and_csv_is_csv)
{
	expect_shown("--sql 'SELECT target, count(*) AS n, NULL AS no FROM events GROUP BY 1' plain.bin",
		     "target  n  no\n"
		     "http    5  -\n"
		     "main    1  -\n");
	expect_shown("-o csv --sql \"SELECT '=1+1' AS a, 'a,b' AS b, -2 AS c, NULL AS d, 0.5 AS e\" plain.bin",
		     "a,b,c,d,e\n\"'=1+1\",\"a,b\",-2,,0.5\n");
	expect_shown("-o json --sql \"SELECT 1 AS a, 0.5 AS b, 'x\\\"' AS c, NULL AS d, x'00ff' AS e, 9e999 AS f\" "
		     "plain.bin",
		     "{\"a\":1,\"b\":0.5,\"c\":\"x\\\"\",\"d\":null,\"e\":\"00ff\",\"f\":null}\n");
}

Test(sql, filters_select_the_events_of_the_tables)
{
	expect_shown("-o csv -p error --sql 'SELECT count(*) AS n FROM events' plain.bin", "n\n2\n");
	expect_shown("-o csv -f status=500 --sql 'SELECT count(*) AS n FROM fields' plain.bin", "n\n3\n");
}

Test(sql, exit_code_says_whether_there_were_rows)
{
	shell("$V -e --sql 'SELECT 1 FROM events WHERE seq > 100' plain.bin");
	cr_expect_eq(status, 1);
	shell("$V -e --sql 'SELECT 1 FROM events' plain.bin");
	cr_expect_eq(status, 0);
}

Test(sql, the_standard_input_can_be_read_once)
{
	shell("$V -o csv --sql 'SELECT count(*) AS n FROM events' - <plain.bin");
	cr_expect_str_eq(output, "n\n6\n");
	shell("$V --sql 'SELECT count(*) FROM events a, events b' - <plain.bin");
	cr_expect_eq(status, 4);
	cr_expect(strstr(complaint, "can be read only once"), "%s", complaint);
}

static const struct {
	const char *select, *why;
	int status;
} wrongs[] = {
	{"SELECT nobody FROM events", "no such column", 2},
	{"SELEC", "syntax error", 2},
	{"", "takes one statement", 2},
	{"SELECT 1; SELECT 2", "takes one statement", 2},
	{"CREATE TABLE x (a)", "not authorized", 2},
	{"INSERT INTO events (seq) VALUES (1)", "ttlog-view: --sql: ", 2},
	{"DELETE FROM events", "ttlog-view: --sql: ", 2},
	{"ATTACH 'stolen.db' AS s", "ttlog-view: --sql: ", 2},
	{"PRAGMA temp_store_directory", "not authorized", 2},
	{"VACUUM INTO 'stolen.db'", "denied", 2},
	{"SELECT load_extension('x')", "not authorized", 2},
	{"SELECT zeroblob(100000000)", "too big", 4},
	{"SELECT group_concat(hex(zeroblob(4000000)) || random()) FROM events, events", "", 4},
};

Test(sql, nothing_but_reading_is_possible)
{
	for (size_t i = 0; i < sizeof(wrongs) / sizeof(*wrongs); i++) {
		shell("$V --sql \"%s\" plain.bin", wrongs[i].select);
		cr_expect_eq(status, wrongs[i].status, "%s: %d", wrongs[i].select, status);
		cr_expect(strstr(complaint, wrongs[i].why), "%s: %s", wrongs[i].select, complaint);
		shell("test ! -e stolen.db");
		cr_expect_eq(status, 0);
	}
}

Test(sql, what_takes_too_long_ends)
{
	shell("$V --sql-seconds 1 --sql \"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
	      "SELECT count(*) FROM n\" plain.bin");
	cr_expect_eq(status, 4);
	cr_expect(strstr(complaint, "takes too long"), "%s", complaint);
}

Test(sql, hostile_texts_do_not_reach_the_terminal)
{
	shell("$V --sql \"SELECT * FROM events\" hostile.bin");
	cr_expect_eq(status, 0, "%s", complaint);
	for (const char *at = output; *at; at++)
		cr_assert((unsigned char)*at >= ' ' || *at == '\n', "%02x", (unsigned char)*at);
}

Test(sql, a_cut_dump_gives_what_it_has_and_says_so)
{
	shell("head -c -200 plain.bin >cut.bin; $V -o csv --sql 'SELECT count(*) >= 0 AS n FROM events' cut.bin");
	cr_expect_eq(status, 3, "%s", complaint);
	cr_expect_str_eq(output, "n\n1\n");
}

Test(sql, wrong_use_is_refused)
{
	static const char *const uses[] = {"--stats", "--info", "--list", "-o logfmt", "--sql-seconds 0",
					   "--sql-seconds x"};

	for (size_t i = 0; i < sizeof(uses) / sizeof(*uses); i++) {
		shell("$V --sql 'SELECT 1' %s plain.bin", uses[i]);
		cr_expect_eq(status, 2, "%s", uses[i]);
	}
}
