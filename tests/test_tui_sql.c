/* SPDX-License-Identifier: MIT */
/* test_tui_sql.c - the key ; of the interactive view. */
#include "tests/tui_keys.h"

static void make(void)
{
	static const uint8_t types[] = {TTLOG_TYPE_U64, 0};
	static const char *const names[] = {"id"};

	made_begin();
	made_site(TTLOG_INFO, "http", "Request", types, names);
	made_site(TTLOG_ERROR, "db", "failed \033[2J", types, names);
	for (unsigned int i = 0; i < 100; i++)
		made_event(i * 1000, i & 1, i % 10 ? 1 : 2)->value[0].bits = i;
	tui_dump_made();
}

static void begin(void)
{
	make();
	tui_begin();
}

static void ask(const char *statement)
{
	tui_press(";");
	tui_press_key(TUI_CTRL('u'));
	tui_press(statement);
	tui_press("\n");
}

TestSuite(tui_sql, .fini = tui_finish, .timeout = 120);

/* False: built without it, which the view says. */
static bool has_sqlite(void)
{
	ask("SELECT 1");
	return !tui_shows("built without SQLite");
}

#define NEEDS_SQLITE()                                                                             \
	do {                                                                                       \
		if (!has_sqlite())                                                                 \
			cr_skip("built without SQLite");                                           \
		tui_press("q");                                                                    \
	} while (0)

Test(tui_sql, rows_are_shown_and_the_events_come_back)
{
	begin();
	NEEDS_SQLITE();
	tui_press("g");
	ask("SELECT target AS which, count(*) AS many FROM events GROUP BY 1 ORDER BY 2 DESC");
	tui_expect("which");
	tui_expect("http     90\n");
	tui_expect("db       10\n");
	tui_expect("2 rows");
	tui_press("q");
	tui_expect_not("http     90\n");
	tui_expect_selected("failed");
	tui_press("j");
	tui_expect_selected("Request");
	/* It is there to be changed. */
	tui_press(";");
	tui_expect("; SELECT target AS which");
}

Test(tui_sql, expressions_select_what_is_asked)
{
	begin();
	NEEDS_SQLITE();
	tui_press("&level=error\ng");
	ask("SELECT count(*) * 1000 FROM events");
	tui_expect(" 10000\n");
	tui_press("q");
	tui_expect_selected("failed");
	tui_press("0");
	ask("SELECT count(*) * 1000 FROM events");
	tui_expect(" 100000\n");
	tui_expect_not(" 10000\n");
}

Test(tui_sql, what_is_wrong_is_said_and_nothing_lost)
{
	begin();
	NEEDS_SQLITE();
	ask("SELECT nix FROM events");
	tui_expect("no such column: nix");
	ask("DELETE FROM events");
	tui_expect_not("rows");
	ask("");
	tui_press("g");
	tui_expect_selected("failed");
}

Test(tui_sql, no_escape_of_a_dump_is_shown)
{
	begin();
	NEEDS_SQLITE();
	ask("SELECT msg, char(27) || '[2J' FROM events LIMIT 1");
	tui_expect("1 rows");
	for (const char *at = screen_text; *at; at++)
		cr_assert((unsigned char)*at >= ' ' || *at == '\n', "%02x", (unsigned char)*at);
}

/* ---- what the screen shows ------------------------------------------------------------------------ */

static void expect_count(const char *wanted)
{
	ask("SELECT 'it is ' || count(*) FROM events");
	tui_expect(wanted);
	tui_press("q");
}

Test(tui_sql, events_are_those_of_the_screen)
{
	begin();
	NEEDS_SQLITE();
	expect_count("it is 100\n");
	tui_press("g----");
	expect_count("it is 10\n");
	tui_press("0g");
	tui_expect_selected("failed");
	tui_press("x");
	expect_count("it is 90\n");
	tui_press("X");
	expect_count("it is 100\n");
	tui_press("gT");
	expect_count("it is 10\n");
	tui_press("0gH");
	expect_count("it is 50\n");
	tui_press("0");
	tui_press("1");
	expect_count("it is 50\n");
	tui_press("&id<10\n");
	expect_count("it is 5\n");
	tui_press_key(TUI_CTRL('f'));
	expect_count("it is 100\n");
	/* Each table has the same events, and one number for each. */
	tui_press("0gT");
	ask("SELECT 'it is ' || sum(value) FROM fields JOIN events USING (event) WHERE name = 'id'");
	tui_expect("it is 450\n");
}

/* A dump of the same process twice: each thread and site is that of its own dump. */
Test(tui_sql, dumps_have_filters_of_their_own)
{
	make();
	make();
	tui_begin();
	NEEDS_SQLITE();
	tui_press("gx");
	expect_count("it is 190\n");
	tui_press("Xa ");
	tui_press("q");
	expect_count("it is 150\n");
}

/* ---- what takes long ------------------------------------------------------------------------------ */

#define FOR_EVER "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT "

static unsigned int looks;
static char last_look[1 << 18];

static bool stop_at_third_look(void *context)
{
	(void)context;
	snprintf(last_look, sizeof(last_look), "%s", tui_text());
	return ++looks == 3;
}

static bool count_looks(void *context)
{
	(void)context;
	looks++;
	return false;
}

Test(tui_sql, what_takes_for_ever_says_so_and_can_be_stopped)
{
	begin();
	NEEDS_SQLITE();
	tui_press("g");
	tui->pause = stop_at_third_look;
	ask(FOR_EVER "count(*) FROM c");
	cr_expect_eq(looks, 3);
	cr_expect(strstr(last_look, " s, 0 rows; Esc stops it"), "%s", last_look);
	tui_expect("stopped, after 0 rows");
	tui_expect_selected("failed");
	tui_press("j");
	tui_expect_selected("Request");
	/* What was found until then is there to be read. */
	looks = 0;
	ask(FOR_EVER "x * 7 AS seven FROM c WHERE x < 5 OR x < 0");
	cr_expect_eq(looks, 3);
	tui_expect("stopped, after 4 rows");
	tui_expect(" 28\n");
	tui_press("q");
	/* And it goes on as before. */
	tui->pause = count_looks;
	ask("SELECT 40 + 2");
	tui_expect("42");
	tui_expect("1 rows");
}

Test(tui_sql, rows_are_bounded)
{
	begin();
	NEEDS_SQLITE();
	tui->pause = count_looks;
	ask(FOR_EVER "printf('%.*c', 1000000, 'x') FROM c");
	tui_expect("the first 9 rows; there are more than fit in here");
}
