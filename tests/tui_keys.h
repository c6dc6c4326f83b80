/* SPDX-License-Identifier: MIT */
/* tui_keys.h - the interactive view without a terminal: keys in, the screen as text out. */
#ifndef TESTS_TUI_KEYS_H
#define TESTS_TUI_KEYS_H

#include <criterion/criterion.h>
#include <locale.h>
#include <time.h>

#include "tests/tui_dump.h"
#include "viewer/tui.h"

static struct tui *tui;
static struct selection selection;
static char screen_text[1 << 18];
static const char *tui_folders[SOURCE_FOLDERS_MAX]; /* --source-dir */

static inline void tui_begin(void)
{
	struct tui_setup setup = {.dumps = tui_dumps,
				  .dump_count = tui_dump_count,
				  .selection = &selection,
				  .source_folders = tui_folders};

	while (tui_folders[setup.source_folder_count])
		setup.source_folder_count++;

	setlocale(LC_CTYPE, "C.UTF-8");
	cr_assert_eq(tui_open(&tui, &setup), 0);
	tui->screen.utf8 = true;
}

static inline void tui_finish(void)
{
	tui_close(tui);
	tui = NULL;
	query_fini(&selection.query);
	tui_dumps_close();
}

/* Until there is nothing left to do. */
static inline void tui_settle(void)
{
	struct timespec now;

	do
		clock_gettime(CLOCK_MONOTONIC, &now);
	while (tui_work(tui, now.tv_sec * INT64_C(1000000000) + now.tv_nsec + 1000000000));
}

static inline void tui_press_key(int key)
{
	tui_key(tui, key);
	tui_settle();
}

static inline void tui_press(const char *keys)
{
	for (; *keys; keys++)
		tui_press_key(*keys == '\n' ? TUI_KEY_ENTER : (unsigned char)*keys);
}

/* All rows, with their ends. */
static inline const char *tui_text(void)
{
	struct out out;

	tui_settle();
	tui_draw(tui);
	out_init(&out, -1);
	for (size_t row = 0; row < tui->screen.rows; row++) {
		tui_screen_row(&tui->screen, row, &out, NULL, 0);
		out_char(&out, '\n');
	}
	out_char(&out, '\0');
	snprintf(screen_text, sizeof(screen_text), "%s", out.data);
	out_fini(&out);
	return screen_text;
}

static inline bool tui_shows(const char *text)
{
	return strstr(tui_text(), text);
}

/* The selected row, as it is on the screen. */
static inline const char *tui_selected_text(void)
{
	static char text[4096];
	struct out out;

	tui_settle();
	tui_draw(tui);
	out_init(&out, -1);
	tui_screen_row(&tui->screen, tui_rows_top(tui) + tui->model.selected, &out, NULL, 0);
	out_char(&out, '\0');
	snprintf(text, sizeof(text), "%s", out.data);
	out_fini(&out);
	return text;
}

#define tui_expect(text) cr_expect(tui_shows(text), "no \"%s\" in:\n%s", text, screen_text)
#define tui_expect_not(text) cr_expect(!tui_shows(text), "\"%s\" is in:\n%s", text, screen_text)
#define tui_expect_selected(text)                                                                  \
	cr_expect(strstr(tui_selected_text(), text), "no \"%s\" in: %s", text, tui_selected_text())

#endif
