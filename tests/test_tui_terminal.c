/* SPDX-License-Identifier: MIT */
/*
 * test_tui_terminal.c - ttlog-view -i as somebody uses it: in a terminal (tmux, with a server of
 * its own), with keys, a mouse wheel, and windows that change their size. What is waited for is
 * always a text on the screen.
 */
#include <criterion/criterion.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <time.h>

#include "tests/tui_dump.h"

#define PATIENCE_S 60
#define BETWEEN_LOOKS_NS 20000000

static char folder[64], program[PATH_MAX], screen[1 << 16];
static unsigned int server; /* each window has its own */

/* Runs tmux with these arguments; true: it was fine with them. */
static __attribute__((format(printf, 1, 2))) bool tmux(const char *format, ...)
{
	char arguments[2 * PATH_MAX], command[3 * PATH_MAX];
	va_list list;

	va_start(list, format);
	vsnprintf(arguments, sizeof(arguments), format, list);
	va_end(list);
	snprintf(command, sizeof(command),
		 "LC_ALL=C.UTF-8 tmux -S %s/socket%u -f /dev/null %s 2>>%s/errors", folder, server,
		 arguments, folder);
	return system(command) == 0;
}

static const char *look(void)
{
	char command[256];
	size_t bytes;
	FILE *out;

	snprintf(command, sizeof(command),
		 "LC_ALL=C.UTF-8 tmux -S %s/socket%u capture-pane -p 2>>%s/errors", folder, server,
		 folder);
	out = popen(command, "r");
	cr_assert_not_null(out);
	bytes = fread(screen, 1, sizeof(screen) - 1, out);
	screen[bytes] = '\0';
	pclose(out);
	return screen;
}

static void await(const char *text)
{
	const struct timespec pause = {.tv_nsec = BETWEEN_LOOKS_NS};
	const time_t end = time(NULL) + PATIENCE_S;

	while (!strstr(look(), text)) {
		cr_assert(time(NULL) < end, "\"%s\" never came:\n%s", text, screen);
		nanosleep(&pause, NULL);
	}
}

static void await_gone(const char *text)
{
	const struct timespec pause = {.tv_nsec = BETWEEN_LOOKS_NS};
	const time_t end = time(NULL) + PATIENCE_S;

	while (strstr(look(), text)) {
		cr_assert(time(NULL) < end, "\"%s\" stays:\n%s", text, screen);
		nanosleep(&pause, NULL);
	}
}

/* The verdict is in the first row and the keys are in the last: it knows its size. */
static void await_whole(size_t rows)
{
	const struct timespec pause = {.tv_nsec = BETWEEN_LOOKS_NS};
	const time_t end = time(NULL) + PATIENCE_S;

	for (;;) {
		const char *last = look();
		size_t row = 1;

		for (; row < rows && strchr(last, '\n'); row++)
			last = strchr(last, '\n') + 1;
		if (row == rows && strncmp(screen, "orders[4242]: ", 14) == 0 &&
		    strncmp(last, " D death", 8) == 0)
			return;
		cr_assert(time(NULL) < end, "not a screen of %zu rows:\n%s", rows, screen);
		nanosleep(&pause, NULL);
	}
}

static void press(const char *keys)
{
	cr_assert(tmux("send-keys %s", keys));
}

static void generate(size_t index, struct ttlog_reader_event *event)
{
	*event = (struct ttlog_reader_event){.ticks = 1000 * index,
					     .site = index % 1000 == 500 ? 2 : 1,
					     .thread = index & 1,
					     .channel = TTLOG_READER_NO_CHANNEL,
					     .value_count = 1,
					     .value[0] = {.type = TTLOG_TYPE_U64, .bits = index}};
}

static void write_dump(size_t events)
{
	static const uint8_t types[] = {TTLOG_TYPE_U64, 0};
	static const char *const names[] = {"n"};
	unsigned char *data;
	char path[128];
	size_t bytes;
	FILE *file;

	made_begin();
	made_site(TTLOG_INFO, "http", "Request \xe6\xbc\xa2 done", types, names);
	made_site(TTLOG_ERROR, "http", "Request failed", types, names);
	made.generate = events;
	made.generator = generate;
	data = made_dump(&bytes);
	snprintf(path, sizeof(path), "%s/a.bin", folder);
	file = fopen(path, "w");
	cr_assert_not_null(file);
	cr_assert_eq(fwrite(data, 1, bytes, file), bytes);
	fclose(file);
	free(data);
}

static void setup(void)
{
	char self[PATH_MAX] = {0};

#ifndef TTLOG_HAVE_NCURSES
	cr_skip_test("ttlog-view was built without ncurses");
#endif
	cr_assert_gt(readlink("/proc/self/exe", self, sizeof(self) - 1), 0);
	snprintf(program, sizeof(program), "%s/ttlog-view", dirname(dirname(self)));
	strcpy(folder, "/tmp/test_tui_terminal.XXXXXX");
	cr_assert_not_null(mkdtemp(folder));
	write_dump(20000);
}

static void teardown(void)
{
	char command[128];

	if (!folder[0])
		return;
	tmux("kill-server");
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	cr_expect_eq(system(command), 0);
}

/* In a window of that size; how it ended stays on the screen. */
static void start(unsigned int columns, unsigned int rows, const char *environment,
		  const char *command)
{
	char script[256];
	FILE *file;

	if (server)
		tmux("kill-server");
	server++;
	snprintf(script, sizeof(script), "%s/script", folder);
	file = fopen(script, "w");
	cr_assert_not_null(file);
	fprintf(file, "cd %s\nexport %s\nview=%s\n%s\necho \"ended with $?\"\nread -r end\n",
		folder, environment, program, command);
	fclose(file);
	cr_assert(tmux("-u new-session -d -x %u -y %u 'sh %s'", columns, rows, script));
}

static void quit(void)
{
	press("Q");
	await("ended with 0");
}

/* What a screen has: its widest line in bytes that are no more than columns here. */
static size_t widest_line(void)
{
	size_t widest = 0, length = 0;

	for (const char *at = screen; *at; at++) {
		length = *at == '\n' ? 0 : length + (((unsigned char)*at & 0xc0) != 0x80);
		widest = length > widest ? length : widest;
	}
	return widest;
}

TestSuite(tui_terminal, .init = setup, .fini = teardown, .timeout = 300);

Test(tui_terminal, works_in_80x24)
{
	start(80, 24, "LC_ALL=C.UTF-8", "$view -i a.bin");
	await("? help");
	await("orders[4242]: segmentation fault");
	await("===== orders");
	press("g");
	await("n=0");
	press("Space Space");
	await("n=57");
	press("/ n=1234 Enter");
	await("1,235/20,001");
	press("'?'");
	await("Moving");
	press("q");
	await_gone("Moving");
	press("Down Up PageDown PageUp Home");
	await("  1/20,001 0%");
	press("End");
	await("20,001/20,001 100%");
	press("F1");
	await("Moving");
	press("F10");
	await_gone("Moving");
	quit();
}

Test(tui_terminal, follows_the_size_of_its_window_while_it_scrolls)
{
	start(80, 24, "LC_ALL=C.UTF-8", "$view -i a.bin");
	await("? help");
	press("g");
	await("  1/20,001");
	for (unsigned int i = 0; i < 8; i++) {
		const unsigned int columns = i & 1 ? 132 : 61, rows = i & 1 ? 43 : 12;

		press("Space Space");
		cr_assert(tmux("resize-window -x %u -y %u", columns, rows));
		press("j");
	}
	await_whole(43);
	cr_expect_leq(widest_line(), 132);
	cr_assert(tmux("resize-window -x 40 -y 10"));
	press("g");
	await("  1/20,00");
	await_whole(10);
	cr_expect_leq(widest_line(), 40, "%s", screen);
	quit();
}

/* That the window's program sees, if it looks; tmux takes its time to tell. */
static void resize_to(unsigned int columns, unsigned int rows)
{
	const struct timespec pause = {.tv_nsec = BETWEEN_LOOKS_NS};
	const time_t end = time(NULL) + PATIENCE_S;
	char command[256];

	cr_assert(tmux("resize-window -x %u -y %u", columns, rows));
	snprintf(command, sizeof(command), "stty -F $(cat %s/tty) size | grep -qx '%u %u'", folder, rows,
		 columns);
	while (system(command) != 0) {
		cr_assert(time(NULL) < end, "it is no window of %u rows", rows);
		nanosleep(&pause, NULL);
	}
}

static pid_t pid_in_file(void)
{
	char command[128], text[64] = "";
	FILE *out;

	snprintf(command, sizeof(command), "cat %s/pid", folder);
	out = popen(command, "r");
	cr_assert_not_null(out);
	cr_assert_not_null(fgets(text, sizeof(text), out));
	pclose(out);
	return atoi(text);
}

/* Twice another size before it looks: the same again, but nothing is where it was. */
Test(tui_terminal, draws_all_of_a_window_that_has_its_old_size_back)
{
	pid_t pid;

	start(132, 43, "LC_ALL=C.UTF-8", "tty >tty; sh -c 'echo $$ >pid; exec $0 -i a.bin' $view");
	await("? help");
	press("g");
	await("  1/20,001");
	await_whole(43);
	pid = pid_in_file();
	cr_assert_eq(kill(pid, SIGSTOP), 0);
	resize_to(61, 12);
	resize_to(132, 43);
	cr_assert_eq(kill(pid, SIGCONT), 0);
	await_whole(43);
	quit();
}

Test(tui_terminal, scrolls_by_the_wheel_and_selects_by_a_click)
{
	start(80, 24, "LC_ALL=C.UTF-8", "$view -i a.bin");
	await("? help");
	press("g");
	await("  1/20,001");
	await("n=19");
	/* As a terminal sends it: button 5, 4, then 1, at the 10th column and the 8th row. */
	press("-l \"$(printf '\\033[Ma*(')\"");
	await("  4/20,001");
	press("-l \"$(printf '\\033[M`*(')\"");
	await("  1/20,001");
	press("-l \"$(printf '\\033[M *(\\033[M#*(')\"");
	await("  6/20,001");
	quit();
}

Test(tui_terminal, does_without_colours_and_with_a_vt100)
{
	start(80, 24, "LC_ALL=C.UTF-8 TERM=vt100", "$view -i a.bin");
	await("? help");
	press("g e");
	await("501/20,001");
	press("Enter");
	await("orders.c:102");
	quit();
	start(80, 24, "LC_ALL=C.UTF-8 NO_COLOR=1", "$view -i a.bin");
	await("? help");
	cr_assert(tmux("send-keys g e"));
	await("501/20,001");
	quit();
}

/* A query that would never end, while the window changes its size, and keys that end it. */
Test(tui_terminal, sql_that_takes_for_ever_is_stopped_by_a_key)
{
	static const char *const keys[] = {"Escape", "C-c", "q"};

	start(80, 24, "LC_ALL=C.UTF-8", "$view -i a.bin");
	await("? help");
	press("'\\;' C-u");
	/* A word that neither what is asked nor what is said of the progress has. */
	press("-l \"SELECT 'SQL' || 'ite'\"");
	press("Enter");
	await("SQLite");
	if (strstr(screen, "built without SQLite"))
		cr_skip("built without SQLite");
	press("q g");
	await("  1/20,001");
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		press("'\\;' C-u");
		press("-l 'WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c'");
		press("Enter");
		await("Esc stops it");
		cr_assert(tmux("resize-window -x %u -y 24", 81 + (unsigned int)i));
		await("Esc stops it");
		press(keys[i]);
		await("stopped, after 0 rows");
	}
	press("j");
	await("  2/20,001");
	quit();
}

/* No UTF-8: what is not ASCII is a question mark, and the columns are right. */
Test(tui_terminal, does_without_utf8)
{
	start(80, 24, "LC_ALL=C", "$view -i a.bin");
	await("? help");
	await("Request ? done");
	quit();
}

Test(tui_terminal, takes_the_dump_from_a_pipe_and_the_keys_from_the_terminal)
{
	start(80, 24, "LC_ALL=C.UTF-8", "cat a.bin | $view -i -");
	await("? help");
	press("g");
	await("  1/20,001");
	quit();
}

Test(tui_terminal, prints_text_where_there_is_no_screen)
{
	start(100, 24, "TERM=dumb", "$view -i --no-pager -n 2 a.bin");
	await("no terminal that can do --interactive");
	await("n=19999");
	await("ended with 0");
	start(100, 24, "LC_ALL=C.UTF-8", "$view -i --no-pager -n 2 a.bin | cat");
	await("no terminal that can do --interactive");
	await("n=19999");
}

Test(tui_terminal, says_that_nothing_is_to_be_seen)
{
	start(100, 24, "LC_ALL=C.UTF-8", "$view -f op=none a.bin");
	await("no event matches");
	await("ended with 0");
	start(100, 24, "LC_ALL=C.UTF-8", "echo bytes=$($view -f op=none a.bin 2>&1 | wc -c)");
	await("bytes=0");
}

Test(tui_terminal, is_stopped_and_goes_on_and_ends_by_control_c)
{
	start(80, 24, "LC_ALL=C.UTF-8", "$view -i a.bin");
	await("? help");
	press("g / nothing");
	await("not found");
	press("C-c");
	await("  1/20,001");
	press("C-c");
	await("ended with 0");
}

Test(tui_terminal, leaves_when_its_terminal_is_gone)
{
	const struct timespec pause = {.tv_nsec = BETWEEN_LOOKS_NS};
	const time_t end = time(NULL) + PATIENCE_S;
	pid_t pid;

	start(80, 24, "LC_ALL=C.UTF-8", "echo $$ >pid; exec $view -i a.bin");
	await("? help");
	pid = pid_in_file();
	cr_assert_eq(kill(pid, 0), 0);
	tmux("kill-server");
	while (kill(pid, 0) == 0) {
		cr_assert(time(NULL) < end, "it stays for ever");
		nanosleep(&pause, NULL);
	}
}
