/* SPDX-License-Identifier: MIT */
#include "viewer/tui_terminal.h"

#include <errno.h>

#ifdef TTLOG_HAVE_NCURSES

#include "viewer/tui.h"

#include <fcntl.h>
#include <langinfo.h>
#include <locale.h>
#include <ncurses.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SLICE_NS 40000000
#define ESCAPE_DELAY_MS 100 /* of what a slow line may take apart */
#define COPY_BYTES_MAX (48u << 10)

struct terminal {
	SCREEN *screen;
	FILE *keys;
	bool colour;
	struct tui *tui;
};

/* ---- keys -------------------------------------------------------------------------------------
 */

static int key_of(int code)
{
	static const int table[][2] = {
		{KEY_UP, TUI_KEY_UP},	      {KEY_DOWN, TUI_KEY_DOWN},
		{KEY_LEFT, TUI_KEY_LEFT},     {KEY_RIGHT, TUI_KEY_RIGHT},
		{KEY_PPAGE, TUI_KEY_PAGE_UP}, {KEY_NPAGE, TUI_KEY_PAGE_DOWN},
		{KEY_HOME, TUI_KEY_HOME},     {KEY_END, TUI_KEY_END},
		{KEY_DC, TUI_KEY_DELETE},     {KEY_BACKSPACE, TUI_KEY_BACKSPACE},
		{KEY_ENTER, TUI_KEY_ENTER},   {'\n', TUI_KEY_ENTER},
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
		if (table[i][0] == code)
			return table[i][1];
	if (code >= KEY_F(1) && code <= KEY_F(12))
		return TUI_KEY_F1 + code - KEY_F(1);
	return code < 256 ? code : 0;
}

static void take_mouse(struct terminal *terminal)
{
	MEVENT event;

	if (getmouse(&event) != OK)
		return;
	if (event.bstate & BUTTON4_PRESSED)
		tui_key(terminal->tui, TUI_KEY_WHEEL_UP);
	else if (event.bstate & BUTTON5_PRESSED)
		tui_key(terminal->tui, TUI_KEY_WHEEL_DOWN);
	else if (event.bstate & (BUTTON1_PRESSED | BUTTON1_CLICKED) && event.y >= 0)
		tui_click(terminal->tui, (size_t)event.y);
}

/* As a shell's job control wants it; the screen comes back with us. */
static void suspend(void)
{
	endwin();
	raise(SIGTSTP);
	refresh();
}

static int take(struct terminal *terminal, int code)
{
	int rows, columns;

	if (code == KEY_RESIZE) {
		/* It may have been another one meanwhile: what is there nobody knows. */
		clearok(stdscr, TRUE);
		getmaxyx(stdscr, rows, columns);
		return tui_resize(terminal->tui, (size_t)rows, (size_t)columns);
	}
	if (code == KEY_MOUSE) {
		take_mouse(terminal);
	} else if (code == TUI_CTRL('z')) {
		suspend();
	} else {
		if (!terminal->tui->prompt.kind &&
		    (code == TUI_CTRL('l') || code == 'R' || code == KEY_F(5)))
			clearok(stdscr, TRUE);
		if (key_of(code))
			tui_key(terminal->tui, key_of(code));
	}
	return 0;
}

/* ---- the screen -------------------------------------------------------------------------------
 */

static attr_t attributes(const struct terminal *terminal, uint8_t style)
{
	attr_t attribute = A_NORMAL;

	if (style & TUI_BOLD)
		attribute |= A_BOLD;
	if (style & TUI_DIM)
		attribute |= A_DIM;
	if (style & TUI_REVERSE)
		attribute |= A_REVERSE;
	if (style & TUI_UNDERLINE)
		attribute |= A_UNDERLINE;
	if (!terminal->colour)
		return style & TUI_ON_RED ? attribute | A_REVERSE : attribute;
	return attribute | COLOR_PAIR((style & TUI_COLOUR) + (style & TUI_ON_RED ? 8 : 0));
}

static void show_row(const struct terminal *terminal, const struct tui_screen *screen, size_t row)
{
	const struct tui_cell *cell = tui_screen_cell(screen, row, 0);

	for (size_t i = 0; i < screen->columns; i++) {
		if (!cell[i].length)
			continue;
		attrset((int)attributes(terminal, cell[i].style));
		/* At the position, whatever the terminal thinks of the width of the one before. */
		mvaddnstr((int)row, (int)i, cell[i].bytes, cell[i].length);
	}
}

static void show(const struct terminal *terminal)
{
	const struct tui_screen *screen = &terminal->tui->screen;

	erase();
	for (size_t row = 0; row < screen->rows; row++)
		show_row(terminal, screen, row);
	curs_set(terminal->tui->prompt.kind ? 1 : 0);
	if (screen->cursor_row >= 0)
		move((int)screen->cursor_row, (int)screen->cursor_column);
	refresh();
}

/* OSC 52: a terminal that allows it takes the text to its clipboard. */
static void send_copy(struct out *copy)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t bytes = copy->bytes < COPY_BYTES_MAX ? copy->bytes : COPY_BYTES_MAX;
	const unsigned char *from = (const unsigned char *)copy->data;

	if (!bytes)
		return;
	fputs("\033]52;c;", stdout);
	for (size_t i = 0; i < bytes; i += 3) {
		uint32_t word = (uint32_t)from[i] << 16;

		word |= i + 1 < bytes ? (uint32_t)from[i + 1] << 8 : 0;
		word |= i + 2 < bytes ? from[i + 2] : 0;
		putchar(digits[word >> 18]);
		putchar(digits[word >> 12 & 63]);
		putchar(i + 1 < bytes ? digits[word >> 6 & 63] : '=');
		putchar(i + 2 < bytes ? digits[word & 63] : '=');
	}
	putchar('\a');
	fflush(stdout);
	copy->bytes = 0;
}

static void begin_colours(struct terminal *terminal)
{
	terminal->colour = terminal->colour && has_colors();
	if (!terminal->colour)
		return;
	start_color();
	use_default_colors();
	for (short i = 0; i < 8; i++) {
		init_pair(i, i ? i : -1, -1);
		init_pair((short)(8 + i), i ? i : COLOR_WHITE, COLOR_RED);
	}
	terminal->colour = COLOR_PAIRS >= 16;
}

/* ---- the loop ---------------------------------------------------------------------------------
 */

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* Nothing was pressed, though it was waited for: a signal, or nobody is there any more. */
static bool is_gone(const struct terminal *terminal)
{
	struct pollfd keys = {.fd = fileno(terminal->keys), .events = POLLIN};

	return poll(&keys, 1, 0) < 0 || keys.revents & (POLLHUP | POLLERR | POLLNVAL);
}

/* Work is done while nobody presses a key; when there is none, the key is waited for. */
static int loop(struct terminal *terminal)
{
	struct tui *tui = terminal->tui;
	bool busy = true, changed = true;
	int code, error = 0;

	while (!tui->done && !error) {
		busy = tui_work(tui, now_ns() + SLICE_NS);
		tui_draw(tui);
		show(terminal);
		send_copy(&tui->copy);
		timeout(busy ? 0 : -1);
		for (changed = false; !error && !tui->done && (code = getch()) != ERR;) {
			changed = true;
			error = take(terminal, code);
			/* All that were pressed meanwhile are one change. */
			timeout(0);
		}
		if (!busy && !changed && is_gone(terminal))
			break;
	}
	return error;
}

/* In the middle of something that takes long: what it says of itself, and a key that ends it. */
static bool pause_for_keys(void *context)
{
	struct terminal *terminal = context;
	bool stop = false;
	int code;

	show(terminal);
	timeout(0);
	while ((code = getch()) != ERR) {
		if (code == KEY_RESIZE && take(terminal, code))
			stop = true;
		stop |= code == TUI_KEY_ESCAPE || code == TUI_CTRL('c') || code == 'q';
	}
	return stop || is_gone(terminal);
}

/* The keys come from the terminal, also when a dump comes from the standard input. */
static FILE *open_keys(void)
{
	int fd = isatty(STDIN_FILENO) ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
				      : open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	FILE *keys = fd < 0 ? NULL : fdopen(fd, "r");

	if (!keys && fd >= 0)
		close(fd);
	return keys;
}

static int begin(struct terminal *terminal)
{
	const char *term = getenv("TERM"), *address;
	int rows, columns;

	if (!term || strcmp(term, "dumb") == 0)
		return -ENOTTY;
	setlocale(LC_CTYPE, "");
	terminal->tui->screen.utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
	set_escdelay(ESCAPE_DELAY_MS);
	terminal->screen = newterm(NULL, stdout, terminal->keys);
	address = terminal->screen ? tigetstr("cup") : NULL;
	if (!address || address == (const char *)-1)
		return -ENOTTY;
	raw();
	noecho();
	nonl();
	keypad(stdscr, TRUE);
	mousemask(BUTTON1_PRESSED | BUTTON1_CLICKED | BUTTON4_PRESSED | BUTTON5_PRESSED, NULL);
	mouseinterval(0);
	begin_colours(terminal);
	getmaxyx(stdscr, rows, columns);
	return tui_resize(terminal->tui, (size_t)rows, (size_t)columns);
}

int tui_run(const struct tui_setup *setup, bool colour)
{
	struct terminal terminal = {.colour = colour};
	int error;

	if (!isatty(STDOUT_FILENO))
		return -ENOTTY;
	terminal.keys = open_keys();
	if (!terminal.keys)
		return -ENOTTY;
	error = tui_open(&terminal.tui, setup);
	if (!error) {
		terminal.tui->pause = pause_for_keys;
		terminal.tui->pause_context = &terminal;
	}
	if (!error)
		error = begin(&terminal);
	if (!error)
		error = loop(&terminal);
	if (terminal.screen) {
		endwin();
		delscreen(terminal.screen);
	}
	tui_close(terminal.tui);
	fclose(terminal.keys);
	return error;
}

#else

int tui_run(const struct tui_setup *setup, bool colour)
{
	(void)setup;
	(void)colour;
	return -ENOSYS;
}

#endif
