/* SPDX-License-Identifier: MIT */
/*
 * test_tui_hostile.c - dumps whose every text is hostile (hostile_dump.py), in each pane of the
 * interactive view: what is in a cell of the screen is one that a terminal shows, and nothing else.
 */
#include <limits.h>

#include "tests/tui_keys.h"

static void open_hostile(const char *folder, const char *name)
{
	static char data[1 << 16];
	char path[PATH_MAX];
	FILE *file;
	size_t bytes;

	snprintf(path, sizeof(path), "%s/%s.bin", folder, name);
	file = fopen(path, "re");
	cr_assert_not_null(file, "%s", path);
	bytes = fread(data, 1, sizeof(data), file);
	fclose(file);
	cr_assert_eq(tui_dump_bytes(data, bytes), 0);
}

static void begin(void)
{
	static const char *const names[] = {"fault", "event", "wild"};
	char folder[] = "/tmp/test_tui.XXXXXX", command[PATH_MAX];

	cr_assert_not_null(mkdtemp(folder));
	snprintf(command, sizeof(command), "/usr/bin/python3 -B tests/hostile_dump.py %s >/dev/null", folder);
	if (system(command)) {
		snprintf(command, sizeof(command), "rm -r %s", folder);
		cr_expect_eq(system(command), 0);
		cr_skip("there is no /usr/bin/python3");
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		open_hostile(folder, names[i]);
	snprintf(command, sizeof(command), "rm -r %s", folder);
	cr_expect_eq(system(command), 0);
	tui_begin();
	cr_assert_eq(tui_resize(tui, 200, 1000), 0);
}

TestSuite(tui_hostile, .init = begin, .fini = tui_finish, .timeout = 120);

/* In front of what is hostile in a text are "\x1b]0" and "\x1b[2J". */
static void expect_harmless(const char *where, bool has_texts)
{
	const char *text = tui_text();

	cr_expect(!has_texts || strstr(text, "\\x1b[2J"), "%s has no text of a dump:\n%s", where, text);
	/* A cell that could not show a byte: somebody did not escape it. */
	cr_expect_null(strstr(text, "?[2J"), "%s:\n%s", where, text);
	cr_expect_null(strstr(text, "?]0;"), "%s:\n%s", where, text);
	cr_expect_null(strstr(text, " ?2J"), "%s: C1\n%s", where, text);
	for (const char *at = text; *at; at++) {
		uint32_t code = 0;
		const size_t length = utf8_next(at, strlen(at), &code);

		cr_assert(length, "%s: %02x is no UTF-8", where, (unsigned char)*at);
		cr_assert(*at == '\n' || !out_is_unsafe(code), "%s: U+%04x in\n%s", where, code, text);
		at += length - 1;
	}
}

static const struct {
	const char *name, *keys, *back;
	bool has_no_texts;
} panes[] = {
	{"lines", "g", "", false},
	{"few columns", "C", "C", false},
	{"fewer columns", "CC", "C", false},
	{"verdict and info", "I", "q", false},
	{"statistics", "s", "q", false},
	{"histogram", "i", "q", true},
	{"threads", "a", "q", false},
	{"fields", "g\n", "\n", false},
	{"fields of the last", "G\n", "\n", false},
	{"fields of a lane", "gjj\n", "\n", false},
	{"a target", "gT", "", false},
	{"filters", "\t", "q0", false},
	{"a thread", "gH", "", false},
	{"filters of a thread", "\t", "q0", false},
	{"a hidden site", "gx\t", "q0", true},
	{"a site", "gs\n", "", false},
	{"filters of a site", "\t", "q0", false},
	{"the help", "?", "q", true},
	{"the death", "D", "", false},
	{"a wrong filter", "&fields.\033[2J=\n", "", false},
	{"SQL", ";SELECT * FROM events\n", "q", false},
};

Test(tui_hostile, no_pane_shows_more_than_text)
{
	for (size_t i = 0; i < sizeof(panes) / sizeof(*panes); i++) {
		tui_press(panes[i].keys);
		expect_harmless(panes[i].name, !panes[i].has_no_texts);
		tui_press(panes[i].back);
	}
}

/* Who pastes it may paste it into a shell. */
Test(tui_hostile, what_is_copied_is_one_harmless_line)
{
	tui_press("gy");
	cr_assert_gt(tui->copy.bytes, 100);
	for (size_t at = 0, length; at < tui->copy.bytes; at += length) {
		uint32_t code = 0;

		length = utf8_next(tui->copy.data + at, tui->copy.bytes - at, &code);
		cr_assert(length && !out_is_unsafe(code), "%zu: U+%04x in %.*s", at, code,
			  (int)tui->copy.bytes, tui->copy.data);
	}
}
