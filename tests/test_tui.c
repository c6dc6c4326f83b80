/* SPDX-License-Identifier: MIT */
/* test_tui.c - the interactive view: what each key does to what is on the screen. */
#include "tests/tui_requests.h"

TestSuite(tui, .fini = tui_finish, .timeout = 120);

Test(tui, begins_at_the_death_under_the_verdict)
{
	begin();
	tui_expect("orders[4242]: segmentation fault");
	tui_expect_selected("===== orders[4242]:");
	tui_expect("request_id=2999");
	tui_expect("3,001/3,001 100%");
	tui_expect("? help");
}

Test(tui, moves_by_rows_pages_and_to_the_ends)
{
	begin();
	tui_press("g");
	tui_expect_selected("request_id=0 ");
	tui_expect("1/3,001 0%");
	tui_press("jj");
	tui_expect_selected("request_id=2 ");
	tui_press("k");
	tui_expect_selected("request_id=1 ");
	tui_press("gk");
	tui_expect_selected("request_id=0 ");
	tui_press(" ");
	tui_expect_selected("request_id=19 ");
	tui_expect("request_id=38 ");
	tui_press(" ");
	tui_expect_selected("request_id=38 ");
	tui_press("b");
	tui_expect_selected("request_id=38 ");
	tui_expect("request_id=19 ");
	tui_press("b");
	tui_expect_selected("request_id=19 ");
	tui_press("b");
	tui_expect_selected("request_id=0 ");
	tui_key(tui, ' ');
	tui_key(tui, ' ');
	tui_expect_selected("request_id=38 ");
	tui_press("G");
	tui_expect_selected("=====");
	tui_press("k");
	tui_expect_selected("request_id=2999");
	tui_press("gjjj");
	tui_press_key(TUI_KEY_WHEEL_DOWN);
	tui_expect_selected("request_id=6 ");
	tui_press_key(TUI_KEY_WHEEL_UP);
	tui_expect_selected("request_id=3 ");
	tui_press("D");
	tui_expect_selected("=====");
}

Test(tui, goes_to_a_number_a_part_and_a_time)
{
	begin();
	tui_press(":1234\n");
	tui_expect_selected("request_id=1234 ");
	tui_press(":50%\n");
	tui_expect_selected("request_id=1500 ");
	tui_press(":T-0.7\n");
	tui_expect_selected("request_id=1000 ");
	tui_press(":nonsense\n");
	tui_expect("no time, number or part");
	tui_expect_selected("request_id=1000 ");
}

Test(tui, searches_while_it_is_typed_and_on)
{
	begin();
	tui_press("g/failed");
	tui_expect_selected("request_id=500 ");
	tui_expect("/failed");
	tui_press_key(TUI_KEY_ESCAPE);
	tui_expect_selected("request_id=0 ");
	tui_press("/failed\n");
	tui_expect_selected("request_id=500 ");
	tui_press("n");
	tui_expect_selected("request_id=1500 ");
	tui_press("nn");
	tui_expect_selected("request_id=2500 ");
	tui_expect("not found");
	tui_press("N");
	tui_expect_selected("request_id=1500 ");
	tui_press("g/id=2[0-9]5 \n");
	tui_expect_selected("request_id=205 ");
	tui_press("g/FAILED\n");
	tui_expect("not found");
	tui_expect_selected("request_id=0 ");
	tui_press("/(\n");
	tui_expect_selected("request_id=0 ");
	tui_press("/(a?){999}{999}\n");
	tui_expect("too many repetitions");
}

/* Whoever is interrupted all the time gets there, and says the same. */
Test(tui, works_in_the_smallest_slices)
{
	begin();
	tui_press("g");
	for (const char *key = "/nothing"; *key; key++)
		tui_key(tui, *key);
	while (tui_work(tui, 0))
		;
	tui_expect("not found");
	tui_key(tui, TUI_KEY_ESCAPE);
	while (tui_work(tui, 0))
		;
	tui_expect_selected("request_id=0 ");
	tui_key(tui, ' ');
	tui_key(tui, ' ');
	while (tui_work(tui, 0))
		;
	tui_expect_selected("request_id=38 ");
	tui_expect("request_id=57 ");
}

Test(tui, highlights_what_was_found)
{
	begin();
	tui_press("g/done\n");
	tui_draw(tui);
	for (size_t i = 0; i < tui->screen.columns; i++) {
		const size_t other = tui_rows_top(tui) + (tui->model.selected ? 0 : 1);
		const struct tui_cell *cell = tui_screen_cell(&tui->screen, other, i);

		if (cell->style & TUI_UNDERLINE) {
			cr_expect_eq(memcmp(cell->bytes, "d", 1), 0);
			cr_expect_eq(memcmp(cell[3].bytes, "e", 1), 0);
			cr_expect(cell[3].style & TUI_UNDERLINE);
			cr_expect_not(cell[4].style & TUI_UNDERLINE);
			return;
		}
	}
	cr_assert(false, "nothing is highlighted");
}

Test(tui, jumps_to_errors_warnings_and_events_of_a_thread)
{
	begin();
	tui_press("ge");
	tui_expect_selected("request_id=500 ");
	tui_press("e");
	tui_expect_selected("request_id=1500 ");
	tui_press("E");
	tui_expect_selected("request_id=500 ");
	tui_press("gw");
	tui_expect_selected("request_id=50 ");
	tui_press("ww");
	tui_expect_selected("request_id=250 ");
	tui_press("W");
	tui_expect_selected("request_id=150 ");
	tui_press("go");
	tui_expect_selected("request_id=2 ");
	tui_press("jo");
	tui_expect_selected("request_id=5 ");
	tui_press("O");
	tui_expect_selected("request_id=3 ");
}

Test(tui, filters_by_expression_and_shows_it)
{
	begin();
	tui_press("g&request_id>=100 and request_id<103\n");
	tui_expect("request_id=100 ");
	tui_expect("request_id=102 ");
	tui_expect_not("request_id=103 ");
	tui_expect("request_id>=100 and");
	tui_press("&method=POST\n");
	tui_expect_not("request_id=101 ");
	tui_press_key(TUI_CTRL('f'));
	tui_expect("filters are off");
	tui_expect("request_id=101 ");
	tui_expect("request_id=103 ");
	tui_press_key(TUI_CTRL('f'));
	tui_expect_not("request_id=101 ");
	tui_press("&msg~=Request done\n");
	tui_expect("request_id=100 ");
	tui_press("0g");
	tui_expect("request_id=0 ");
	tui_press("&level>\n");
	tui_expect_selected("request_id=0 ");
}

Test(tui, keeps_the_filters_of_the_command_line)
{
	struct query_error error;

	make(EVENTS);
	tui_dump_made();
	cr_assert_eq(query_add(&selection.query, "level>=WARN", &error), 0);
	tui_begin();
	tui_press("g");
	tui_expect_selected("request_id=50 ");
	tui_press("&level=ERROR\n");
	tui_press("g");
	tui_expect_selected("request_id=500 ");
	tui_press("0g");
	tui_expect_selected("request_id=50 ");
}

Test(tui, filters_by_level_target_thread_and_site)
{
	begin();
	tui_press("g---");
	tui_expect("WARN and worse");
	tui_press("g");
	tui_expect_selected("request_id=50 ");
	tui_press("T");
	tui_expect("target database");
	tui_expect_not("request_id=500 ");
	tui_press("T+++g");
	tui_expect_selected("request_id=0 ");
	tui_press("jH");
	tui_expect("thread worker-1/4245");
	tui_press("gj");
	tui_expect_selected("request_id=3 ");
	tui_press("Hgx");
	tui_expect("1 site hidden");
	tui_press("g");
	tui_expect_selected("request_id=50 ");
	tui_press("Xg");
	tui_expect_selected("request_id=0 ");
	tui_press("1");
	tui_expect("1 thread off");
	tui_press("g");
	tui_expect_selected("request_id=1 ");
	tui_press("2g");
	tui_expect_selected("=====");
	tui_press("9");
	tui_expect("no such thread");
}

Test(tui, a_filter_keeps_the_selected_event_selected)
{
	begin();
	tui_press(":1450\n");
	tui_press("---");
	tui_expect_selected("request_id=1450 ");
	tui_press("+++");
	tui_expect_selected("request_id=1450 ");
}

Test(tui, marks_and_comes_back)
{
	begin();
	tui_press(":100\nm");
	tui_press(":2000\nm");
	tui_press("gu");
	tui_expect_selected("*");
	tui_expect_selected("request_id=100 ");
	tui_press("u");
	tui_expect_selected("request_id=2000 ");
	tui_press("u");
	tui_expect("no more marks");
	tui_press("U");
	tui_expect_selected("request_id=100 ");
	tui_press("m");
	tui_press("gu");
	tui_expect_selected("request_id=2000 ");
}

Test(tui, shows_all_fields_of_an_event_and_its_source)
{
	begin();
	tui_press(":150\n\n");
	tui_expect("message   Query was slow");
	tui_expect("request_id       150  u64");
	tui_expect("method           POST  str");
	tui_expect("orders.c:102 in handle()");
	tui_press("j");
	tui_expect("request_id       151  u64");
	tui_press("\n");
	tui_expect_not("message   ");
}

Test(tui, counts_and_goes_on_from_there)
{
	begin();
	tui_press("s");
	tui_expect("3,000 events");
	tui_expect("2,967  INFO  http");
	tui_expect("WARN              30");
	tui_press("j\n");
	tui_expect("site orders.c:102");
	tui_press("g");
	tui_expect_selected("request_id=50 ");
	tui_press("0i");
	tui_expect("###");
	tui_expect("3,000 events");
	tui_press("j\n");
	tui_expect_not("###");
	tui_press("a");
	tui_expect("on  1 orders");
	tui_expect("1,500         1,500");
	tui_press("j ");
	tui_expect("off 2 worker-1");
	tui_press("q");
	tui_expect("1 thread off");
	tui_press("I");
	tui_expect("executable");
}

Test(tui, lists_filters_and_drops_them)
{
	begin();
	tui_press("&request_id<10\n");
	tui_press("&method=GET\n");
	tui_press("\tj");
	tui_expect("  request_id<10");
	tui_expect("  method=GET");
	tui_press("x");
	tui_expect_not("  method=GET");
	tui_press("q");
	tui_press("g");
	tui_expect_selected("request_id=0 ");
	tui_expect_not("method=GET,");
}

Test(tui, writes_times_as_it_is_asked_to)
{
	begin();
	tui_resize(tui, 24, 140);
	tui_press("g");
	tui_expect("T-1.000000 22:13:20.000000");
	tui_press("tt");
	tui_expect("+0.000300");
	tui_press("t");
	tui_expect_not("T-1.000000");
	tui_press("C");
	tui_expect_not("worker-1/4245");
}

Test(tui, saves_what_is_shown_and_never_over_a_file)
{
	char path[64], keys[128], line[512];
	FILE *file;
	int lines = 0;

	begin();
	snprintf(path, sizeof(path), "/tmp/test_tui.%d.json", getpid());
	snprintf(keys, sizeof(keys), "---S");
	tui_press(keys);
	tui_press_key(TUI_CTRL('u'));
	tui_press(path);
	tui_press("\n");
	tui_expect("33 events saved");
	file = fopen(path, "r");
	cr_assert_not_null(file);
	while (fgets(line, sizeof(line), file)) {
		cr_assert_eq(line[0], '{');
		cr_assert_not_null(strstr(line, "\"request_id\""));
		lines++;
	}
	fclose(file);
	cr_expect_eq(lines, 33);
	tui_press("S");
	tui_press_key(TUI_CTRL('u'));
	tui_press(path);
	tui_press("\n");
	unlink(path);
	tui_expect("not saved: File exists");
}

Test(tui, copies_an_event_for_the_terminal)
{
	begin();
	tui_press("gy");
	out_char(&tui->copy, '\0');
	cr_expect(strstr(tui->copy.data, "Request done"), "%s", tui->copy.data);
	tui->copy.bytes = 0;
}

Test(tui, quits_and_closes_what_is_open_first)
{
	begin();
	tui_press("?q");
	cr_expect_not(tui->done);
	tui_press("/abc");
	tui_press_key(TUI_KEY_ESCAPE);
	cr_expect_not(tui->done);
	tui_press("q");
	cr_expect(tui->done);
}

/* ---- several dumps, none, and hostile ones ----------------------------------------------------
 */

Test(tui, shows_several_dumps_as_one_timeline)
{
	make(100);
	tui_dump_made();
	make(50);
	made.facts.service = "billing";
	made.facts.pid = 77;
	tui_dump_made();
	tui_begin();
	tui_press("gj");
	tui_expect("orders[4242]");
	tui_expect("billing[77]");
	tui_press("D");
	tui_expect_selected("orders[4242]: ");
	tui_press("D");
	tui_expect_selected("billing[77]: ");
	tui_press("s");
	tui_expect("150 events");
}

Test(tui, has_nothing_to_show_without_complaint)
{
	make(0);
	tui_dump_made();
	tui_begin();
	tui_expect_selected("=====");
	tui_press("jkgG be/x\nn--T\tq\nHxmu0D");
	tui_press("siaI?q");
	tui_press("S");
	tui_press_key(TUI_KEY_ESCAPE);
	tui_expect("orders[4242]");
}
