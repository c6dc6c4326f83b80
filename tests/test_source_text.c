/* SPDX-License-Identifier: MIT */
/* test_source_text.c - the panel's line of source: found where it may be, and nothing else is opened. */
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

#include "tests/tui_keys.h"

static char folder[64], file[PATH_MAX];

static __attribute__((format(printf, 1, 2))) void command(const char *format, ...)
{
	char line[2 * PATH_MAX];
	va_list list;

	va_start(list, format);
	vsnprintf(line, sizeof(line), format, list);
	va_end(list);
	cr_assert_eq(system(line), 0, "%s", line);
}

static void prepare(void)
{
	strcpy(folder, "/tmp/test_source.XXXXXX");
	cr_assert_not_null(mkdtemp(folder));
	command("mkdir -p %s/src/db && cd %s/src/db && seq -f '\tline %%g;' 200 >pool.c && "
		"printf 'one\\n\\ttwo\\033[2J\\001 \\303\\274\\r\\nthree' >odd.c && touch -d 2001-01-01 *.c && "
		"mkfifo fifo.c && mkdir folder.c && cp pool.c new.c",
		folder, folder);
}

static void clean(void)
{
	tui_finish();
	command("rm -r %s", folder);
}

TestSuite(source_text, .init = prepare, .fini = clean, .timeout = 120);

/* One event of a site of that file and line, with the panel open. */
static void show(const char *path, uint32_t line)
{
	made_begin();
	made_site(TTLOG_ERROR, "db", "failed", (const uint8_t[]){0}, (const char *const[]){""});
	made.site[0].file = path;
	made.site[0].line = line;
	made_event(1000, 0, 1);
	tui_dump_made();
	tui_begin();
	tui_resize(tui, 60, 100);
	tui_press("g\n");
	tui_expect("message   failed");
}

static const char *in_folder(const char *name)
{
	snprintf(file, sizeof(file), "%s/%s", folder, name);
	return file;
}

Test(source_text, the_line_and_those_around_are_shown)
{
	show(in_folder("src/db/pool.c"), 100);
	tui_expect("           line 100;\n");
	tui_expect("      96      line 96;\n");
	tui_expect(" >    100      line 100;\n");
	tui_expect("     104      line 104;\n");
	tui_expect_not("line 95;");
	tui_expect_not("line 105;");
	tui_expect_not("changed since");
}

Test(source_text, it_is_found_below_a_folder_by_the_end_of_its_path)
{
	tui_folders[0] = "/nonexistent";
	tui_folders[1] = in_folder("src");
	show("/build/orders-1.7/src/db/pool.c", 1);
	tui_expect(" >      1      line 1;\n");
	tui_expect("       5      line 5;\n");
}

Test(source_text, a_relative_path_of_a_build_elsewhere_is_found)
{
	tui_folders[0] = in_folder("src");
	show("../../db/pool.c", 200);
	tui_expect(" >    200      line 200;\n");
	tui_expect("     196      line 196;\n");
}

Test(source_text, no_path_leads_out_of_a_folder)
{
	static char below[PATH_MAX];

	snprintf(below, sizeof(below), "%s/src/db", folder);
	tui_folders[0] = below;
	command("mkdir %s/a && cp %s/pool.c %s/../secret.c", below, below, below);
	show("a/../../secret.c", 3);
	tui_expect_not(" >  ");
	tui_finish();
	/* What is left of it without the steps out may lie there. */
	show("a/../../pool.c", 3);
	tui_expect(" >      3      line 3;\n");
}

Test(source_text, what_a_terminal_would_obey_is_escaped)
{
	show(in_folder("src/db/odd.c"), 2);
	tui_expect("           two\\x1b[2J\\x01 \u00fc\n");
	tui_expect("       3  three\n");
	for (const char *at = screen_text; *at; at++)
		cr_assert((unsigned char)*at >= ' ' || *at == '\n', "%02x", (unsigned char)*at);
}

Test(source_text, a_file_that_is_newer_than_the_dump_is_said_to_be)
{
	show(in_folder("src/db/new.c"), 7);
	tui_expect("new.c:7 in handle(), changed since\n           line 7;\n");
}

static void expect_nothing(const char *path, uint32_t line)
{
	show(path, line);
	tui_expect_not(" >  ");
	tui_expect("source ");
	tui_finish();
}

/* A fifo would hold it for ever; the suite's time is the bound. */
Test(source_text, nothing_but_plain_files_is_read)
{
	expect_nothing(in_folder("src/db/fifo.c"), 1);
	expect_nothing(in_folder("src/db/folder.c"), 1);
	expect_nothing("/dev/zero", 1);
	expect_nothing("/proc/self/status", 1);
	expect_nothing("/proc/../sys/kernel/mm/../../kernel/notes", 1);
	expect_nothing(in_folder("src/db/pool.c"), 201);
	expect_nothing(in_folder("src/db/pool.c"), 0);
	expect_nothing(in_folder("src/db/pool.c"), UINT32_MAX);
	command("ln -s /proc/self/status %s/link.c", folder);
	expect_nothing(in_folder("link.c"), 1);
}
