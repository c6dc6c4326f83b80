/* SPDX-License-Identifier: MIT */
/*
 * test_tui_screen.c - the interactive view as a whole: nothing of a dump reaches the terminal, any
 * size and any keys will do, and what is said of the keys is so.
 */
#include "tests/tui_requests.h"

TestSuite(tui_screen, .fini = tui_finish, .timeout = 120);

static void make_hostile(void)
{
	static const uint8_t types[] = {TTLOG_TYPE_STRING, 0};
	static const char *const names[] = {"x\033[2J"};
	uint32_t site;

	made_begin();
	site = made_site(TTLOG_INFO, "t\033]0;owned\a",
			 "m\033[31mred\r\n\x9b"
			 "5m",
			 types, names);
	made_text(made_event(1, 0, site), 0,
		  "\033c\xe2\x80\xae"
		  "abc\xff \xe6\xbc\xa2\xe5\xad\x97 e\xcc\x81\xcc\x82");
	made_text(made_event(2, 0, site), 0, "end");
	strcpy(made.thread[0].name, "th\033[1m");
	made.facts.service = "s\033[7m";
	tui_dump_made();
}

Test(tui_screen, shows_no_escape_of_a_dump)
{
	make_hostile();
	tui_begin();
	tui_resize(tui, 30, 200);
	for (const char *pane = " \nsiaI?q"; *pane; pane++) {
		char key[2] = {*pane, '\0'};

		tui_press(key);
		tui_text();
		for (const char *at = screen_text; *at; at++)
			cr_assert(*at == '\n' || ((unsigned char)*at >= ' ' && *at != 0x7f),
				  "key %c: byte %d", *pane, *at);
		cr_assert_null(strstr(screen_text, "\xe2\x80\xae"), "no change of direction");
	}
}

Test(tui_screen, gives_wide_characters_two_cells_and_combining_ones_none)
{
	size_t wide = 0;

	make_hostile();
	tui_begin();
	tui_resize(tui, 30, 200);
	tui_press("g");
	tui_text();
	cr_assert_not_null(strstr(screen_text, "\xe6\xbc\xa2\xe5\xad\x97 e\xcc\x81\xcc\x82"));
	for (size_t i = 0; i + 1 < tui->screen.columns; i++) {
		struct tui_cell *cell = tui_screen_cell(&tui->screen, tui_rows_top(tui), i);

		if (cell->length == 3 && (unsigned char)cell->bytes[0] == 0xe6) {
			cr_expect_eq(cell[1].length, 0);
			wide++;
		}
		if (cell->length == 5)
			cr_expect_eq(cell->bytes[0], 'e');
	}
	cr_expect_eq(wide, 1);
	tui->screen.utf8 = false;
	tui_text();
	for (const char *at = screen_text; *at; at++)
		cr_assert((unsigned char)*at < 0x80, "a terminal without UTF-8 gets none");
}

/* ---- any size, any keys -----------------------------------------------------------------------
 */

Test(tui_screen, fits_every_size)
{
	static const char keys[] = "j\r siaI?D";

	begin();
	for (size_t rows = 1; rows < 30; rows++)
		for (size_t columns = 1; columns < 200; columns += 13) {
			cr_assert_eq(tui_resize(tui, rows, columns), 0);
			tui_key(tui, keys[(rows + columns) % (sizeof(keys) - 1)]);
			tui_text();
		}
	tui_press_key(TUI_KEY_ESCAPE);
	cr_assert_eq(tui_resize(tui, 24, 80), 0);
	tui_expect("orders[4242]");
}

Test(tui_screen, survives_any_keys)
{
	uint64_t state = 12345;

	begin();
	for (unsigned int i = 0; i < 4000; i++) {
		int key;

		state = state * UINT64_C(6364136223846793005) + 1442695040888963407u;
		key = (int)(state >> 33) % 200;
		if (key >= 128)
			key = TUI_KEY_UP + key - 128;
		/* No file is to be left behind. */
		if (key == 'S')
			continue;
		tui_key(tui, key);
		tui->done = false;
		tui_work(tui, 0);
		if (i % 16 == 0)
			tui_draw(tui);
		if (i % 500 == 0)
			tui_resize(tui, 4 + (state >> 40) % 60, 10 + (state >> 50) % 200);
	}
	tui_press_key(TUI_KEY_ESCAPE);
	tui_press_key(TUI_KEY_ESCAPE);
}

/* ---- what is said of it -----------------------------------------------------------------------
 */

/* The page as mandoc prints it, in one line without the overstrikes. */
static const char *manual(void)
{
	static char text[1 << 17];
	FILE *out = popen("mandoc -T ascii viewer/ttlog-view.1", "r");
	size_t bytes = 0;
	int c;

	cr_assert_not_null(out);
	while ((c = getc(out)) != EOF && bytes + 1 < sizeof(text)) {
		if (c == '\b')
			bytes -= bytes > 0;
		else if (c != ' ' && c != '\n')
			text[bytes++] = (char)c;
		else if (bytes && text[bytes - 1] != ' ')
			text[bytes++] = ' ';
	}
	text[bytes] = '\0';
	cr_assert_eq(pclose(out), 0);
	return text;
}

Test(tui_screen, each_action_is_in_the_help_and_in_the_manual_page)
{
	const char *page = manual();

	begin();
	tui_resize(tui, 100, 100);
	tui_press("?");
	for (const struct tui_action *action = tui_actions; action->help; action++) {
		char line[256] = "", buffer[8];

		if (!action->run) {
			tui_expect(action->help);
			continue;
		}
		for (size_t i = 0; i < 4 && action->keys[i]; i++) {
			strcat(line, tui_key_name(action->keys[i], buffer));
			strcat(line, " ");
		}
		strcat(line, action->help);
		cr_expect(strstr(page, line), "the manual page has no \"%s\"", line);
		tui_expect(action->help);
	}
}

Test(tui_screen, no_key_has_two_actions)
{
	for (const struct tui_action *a = tui_actions; a->help; a++)
		for (size_t i = 0; i < 4 && a->keys[i]; i++)
			for (const struct tui_action *b = a + 1; b->help; b++)
				for (size_t j = 0; j < 4; j++)
					cr_expect_neq(a->keys[i], b->keys[j], "%s, %s", a->help,
						      b->help);
}
