/* SPDX-License-Identifier: MIT */
/*
 * tui_screen.h - a screen of cells, drawn into by the view and shown by a terminal, or read as text
 * by a test.
 *
 * Text comes as text_line.h makes it: escaped, with the colours of its own in between. A wide
 * character has two cells, one that combines shares the cell before it.
 */
#ifndef VIEWER_TUI_SCREEN_H
#define VIEWER_TUI_SCREEN_H

#include "viewer/out.h"

/* A style: a colour of the eight (0: none), and these. */
#define TUI_COLOUR 7u
#define TUI_RED 1u
#define TUI_GREEN 2u
#define TUI_YELLOW 3u
#define TUI_BLUE 4u
#define TUI_MAGENTA 5u
#define TUI_CYAN 6u
#define TUI_WHITE 7u
#define TUI_BOLD 8u
#define TUI_DIM 16u
#define TUI_REVERSE 32u
#define TUI_ON_RED 64u
#define TUI_UNDERLINE 128u

#define TUI_CELL_BYTES 14

struct tui_cell {
	char bytes[TUI_CELL_BYTES];
	uint8_t length; /* 0: the right half of the one before */
	uint8_t style;
};

struct tui_screen {
	size_t rows, columns;
	struct tui_cell *cells;
	long cursor_row, cursor_column; /* -1: none to be seen */
	bool utf8;			/* else everything but ASCII is a question mark */
};

/* 0 or -ENOMEM. */
int tui_screen_resize(struct tui_screen *screen, size_t rows, size_t columns);
void tui_screen_fini(struct tui_screen *screen);
void tui_screen_clear(struct tui_screen *screen);
struct tui_cell *tui_screen_cell(const struct tui_screen *screen, size_t row, size_t column);

/* A stretch of a row. Text that begins left of it is cut, as is what is too long. */
struct tui_pen {
	struct tui_screen *screen;
	size_t row, left, right; /* right: behind the last column */
	long column;		 /* where the next character goes */
	uint8_t style;		 /* what text without colours has */
};

void tui_pen_put(struct tui_pen *pen, struct span text);
void tui_pen_text(struct tui_pen *pen, const char *text);

/* A whole row in one style. */
void tui_screen_bar(struct tui_screen *screen, size_t row, struct span text, uint8_t style);
/* Adds that to every cell of the row. */
void tui_screen_restyle(struct tui_screen *screen, size_t row, uint8_t style);
/* A row as text, without the spaces at its end. ret_columns, if wanted: for each byte its column.
 */
void tui_screen_row(const struct tui_screen *screen, size_t row, struct out *out,
		    uint16_t *ret_columns, size_t limit);

#endif
