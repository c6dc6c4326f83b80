/* SPDX-License-Identifier: MIT */
#include "viewer/tui_screen.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#define SIZE_MAX_CELLS 4096u

int tui_screen_resize(struct tui_screen *screen, size_t rows, size_t columns)
{
	struct tui_cell *cells;

	rows = rows < 1 ? 1 : rows > SIZE_MAX_CELLS ? SIZE_MAX_CELLS : rows;
	columns = columns < 1 ? 1 : columns > SIZE_MAX_CELLS ? SIZE_MAX_CELLS : columns;
	cells = reallocarray(screen->cells, rows * columns, sizeof(*cells));
	if (!cells)
		return -ENOMEM;
	screen->cells = cells;
	screen->rows = rows;
	screen->columns = columns;
	tui_screen_clear(screen);
	return 0;
}

void tui_screen_fini(struct tui_screen *screen)
{
	free(screen->cells);
	screen->cells = NULL;
}

void tui_screen_clear(struct tui_screen *screen)
{
	const struct tui_cell empty = {.bytes = " ", .length = 1};

	for (size_t i = 0; i < screen->rows * screen->columns; i++)
		screen->cells[i] = empty;
	screen->cursor_row = screen->cursor_column = -1;
}

struct tui_cell *tui_screen_cell(const struct tui_screen *screen, size_t row, size_t column)
{
	return &screen->cells[row * screen->columns + column];
}

/* ---- text -------------------------------------------------------------------------------------
 */

static void blank(struct tui_cell *cell)
{
	cell->bytes[0] = ' ';
	cell->length = 1;
}

/* A character that is overwritten by half leaves a space. */
static void cut_neighbours(const struct tui_pen *pen, size_t column, size_t width)
{
	struct tui_cell *first = tui_screen_cell(pen->screen, pen->row, column);

	if (!first->length && column)
		blank(first - 1);
	if (column + width < pen->screen->columns && !first[width].length)
		blank(first + width);
}

static void put_cell(struct tui_pen *pen, const char *bytes, size_t length, size_t width,
		     uint8_t style)
{
	const long column = pen->column;
	struct tui_cell *cell;

	pen->column += (long)width;
	if (column < (long)pen->left || column + (long)width > (long)pen->right) {
		/* Half of a wide character is a space. */
		for (long i = column; i < column + (long)width; i++)
			if (i >= (long)pen->left && i < (long)pen->right) {
				cell = tui_screen_cell(pen->screen, pen->row, (size_t)i);
				blank(cell);
				cell->style = style;
			}
		return;
	}
	cell = tui_screen_cell(pen->screen, pen->row, (size_t)column);
	cut_neighbours(pen, (size_t)column, width);
	memcpy(cell->bytes, bytes, length);
	cell->length = (uint8_t)length;
	cell->style = style;
	if (width == 2)
		cell[1] = (struct tui_cell){.style = style};
}

/* What does not fit into the cell any more is left out: nobody needs ten accents. */
static void combine(struct tui_pen *pen, const char *bytes, size_t length)
{
	long column = pen->column - 1;
	struct tui_cell *cell;

	if (column < (long)pen->left || column >= (long)pen->right)
		return;
	cell = tui_screen_cell(pen->screen, pen->row, (size_t)column);
	if (!cell->length && column > (long)pen->left)
		cell--;
	if (!cell->length || cell->length + length > TUI_CELL_BYTES)
		return;
	memcpy(cell->bytes + cell->length, bytes, length);
	cell->length = (uint8_t)(cell->length + length);
}

static uint8_t styled(uint8_t style, uint8_t base, unsigned int code)
{
	if (code == 0)
		return base;
	if (code == 1)
		return style | TUI_BOLD;
	if (code == 2)
		return style | TUI_DIM;
	if (code == 7)
		return style | TUI_REVERSE;
	if (code >= 31 && code <= 37)
		return (uint8_t)((style & ~TUI_COLOUR) | (code - 30));
	return code == 41 ? style | TUI_ON_RED : style;
}

/* The colours of text_line.h: "ESC [ number ; number m". The bytes taken, 0 if it is none. */
static size_t take_style(struct span text, uint8_t base, uint8_t *style)
{
	unsigned int code = 0;
	size_t at = 2;

	if (text.bytes < 3 || text.data[0] != '\033' || text.data[1] != '[')
		return 0;
	for (; at < text.bytes; at++) {
		char c = text.data[at];

		if (c >= '0' && c <= '9') {
			code = (code * 10 + (unsigned int)(c - '0')) % 1000;
			continue;
		}
		*style = styled(*style, base, code);
		code = 0;
		if (c == 'm')
			return at + 1;
		if (c != ';')
			return 0;
	}
	return 0;
}

static void put_character(struct tui_pen *pen, struct span text, size_t length, uint32_t code,
			  uint8_t style)
{
	int width = 1;

	/* Whoever wrote it here should have escaped it. */
	if (out_is_unsafe(code)) {
		put_cell(pen, "?", 1, 1, style);
		return;
	}
	if (code >= 0x80)
		width = pen->screen->utf8 ? wcwidth((wchar_t)code) : -1;
	if (width < 0)
		put_cell(pen, "?", 1, 1, style);
	else if (width == 0)
		combine(pen, text.data, length);
	else
		put_cell(pen, text.data, length, (size_t)width, style);
}

void tui_pen_put(struct tui_pen *pen, struct span text)
{
	uint8_t style = pen->style;
	uint32_t code;
	size_t taken;

	while (text.bytes && pen->column < (long)pen->right + 1) {
		taken = take_style(text, pen->style, &style);
		if (!taken) {
			taken = utf8_next(text.data, text.bytes, &code);
			if (taken)
				put_character(pen, text, taken, code, style);
			else
				put_cell(pen, "?", 1, 1, style);
			taken += !taken;
		}
		text.data += taken;
		text.bytes -= taken;
	}
}

void tui_pen_text(struct tui_pen *pen, const char *text)
{
	tui_pen_put(pen, (struct span){text, strlen(text)});
}

/* The rest of the stretch has the pen's style. */
static void tui_pen_fill(struct tui_pen *pen)
{
	while (pen->column < (long)pen->right)
		put_cell(pen, " ", 1, 1, pen->style);
}

/* ---- rows -------------------------------------------------------------------------------------
 */

void tui_screen_bar(struct tui_screen *screen, size_t row, struct span text, uint8_t style)
{
	struct tui_pen pen = {screen, row, 0, screen->columns, 0, style};

	if (row >= screen->rows)
		return;
	tui_pen_put(&pen, text);
	tui_pen_fill(&pen);
}

void tui_screen_restyle(struct tui_screen *screen, size_t row, uint8_t style)
{
	for (size_t i = 0; i < screen->columns; i++)
		tui_screen_cell(screen, row, i)->style |= style;
}

void tui_screen_row(const struct tui_screen *screen, size_t row, struct out *out,
		    uint16_t *ret_columns, size_t limit)
{
	size_t columns = screen->columns, bytes = 0;
	const struct tui_cell *cell = tui_screen_cell(screen, row, 0);

	while (columns && cell[columns - 1].length == 1 && cell[columns - 1].bytes[0] == ' ')
		columns--;
	for (size_t i = 0; i < columns; i++) {
		for (size_t j = 0; ret_columns && j < cell[i].length && bytes < limit; j++)
			ret_columns[bytes++] = (uint16_t)i;
		out_bytes(out, cell[i].bytes, cell[i].length);
	}
}
