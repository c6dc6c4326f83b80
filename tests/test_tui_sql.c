/* SPDX-License-Identifier: MIT */
/* test_tui_sql.c - the key ; of the interactive view. */
#include "tests/tui_keys.h"

static void begin(void)
{
	static const uint8_t types[] = {TTLOG_TYPE_U64, 0};
	static const char *const names[] = {"id"};

	made_begin();
	made_site(TTLOG_INFO, "http", "Request", types, names);
	made_site(TTLOG_ERROR, "db", "failed \033[2J", types, names);
	for (unsigned int i = 0; i < 100; i++)
		made_event(i * 1000, i & 1, i % 10 ? 1 : 2)->value[0].bits = i;
	tui_dump_made();
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
