/* SPDX-License-Identifier: MIT */
/* ctl_table.c - aligned columns, colours on a terminal, and a pager around them. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "recorder/ctl.h"
#include "recorder/log.h"

static const char *const codes[] = {
	[CTL_PLAIN] = "",    [CTL_BOLD] = "1",	[CTL_RED] = "31",
	[CTL_YELLOW] = "33", [CTL_FAINT] = "2",
};

void ctl_table_init(struct ctl_table *table, const struct ctl_column *column, unsigned int count)
{
	*table = (struct ctl_table){.column = column, .column_count = count};
}

void ctl_table_put(struct ctl_table *table, enum ctl_colour colour, const char *text)
{
	char *copy;

	if (table->cell_count == table->cell_room) {
		const size_t room = table->cell_room ? 2 * table->cell_room : 64;
		struct ctl_cell *cell = realloc(table->cell, room * sizeof(*cell));

		if (!cell) {
			table->failed = true;
			return;
		}
		table->cell = cell;
		table->cell_room = room;
	}
	copy = strdup(text);
	if (!copy) {
		table->failed = true;
		return;
	}
	log_clean(copy, LOG_CLEAN_LINE);
	table->cell[table->cell_count++] = (struct ctl_cell){.text = copy, .colour = colour};
}

/* Characters, not bytes: what is no first byte of one takes no place. */
static unsigned int width_of(const char *text)
{
	unsigned int width = 0;

	for (; *text; text++)
		width += (*text & 0xc0) != 0x80;
	return width;
}

static unsigned int width_of_column(const struct ctl_table *table, unsigned int column, bool legend)
{
	unsigned int most = legend ? width_of(table->column[column].title) : 0;

	for (size_t i = column; i < table->cell_count; i += table->column_count) {
		const unsigned int width = width_of(table->cell[i].text);

		if (width > most)
			most = width;
	}
	return most;
}

static void pad(FILE *out, unsigned int count)
{
	fprintf(out, "%*s", (int)count, "");
}

static void put_cell(FILE *out, const char *text, enum ctl_colour colour, unsigned int before,
		     unsigned int after)
{
	pad(out, before);
	if (colour == CTL_PLAIN)
		fputs(text, out);
	else
		fprintf(out, "\033[%sm%s\033[0m", codes[colour], text);
	pad(out, after);
}

/* The last column is not filled up with spaces. */
static void put_in_column(const struct ctl_table *table, FILE *out, unsigned int column,
			  unsigned int column_width, const char *text, enum ctl_colour colour)
{
	const unsigned int room = column_width - width_of(text);
	const bool is_last = column + 1 == table->column_count;

	if (column)
		fputs("  ", out);
	if (table->column[column].is_number)
		put_cell(out, text, colour, room, 0);
	else
		put_cell(out, text, colour, 0, is_last ? 0 : room);
	if (is_last)
		putc('\n', out);
}

void ctl_table_show(struct ctl_table *table, FILE *out, bool legend, bool colours)
{
	const unsigned int columns = table->column_count;
	unsigned int *width = calloc(columns, sizeof(*width));

	if (!width) {
		table->failed = true;
		return;
	}
	for (unsigned int i = 0; i < columns; i++)
		width[i] = width_of_column(table, i, legend);
	for (unsigned int i = 0; legend && i < columns; i++)
		put_in_column(table, out, i, width[i], table->column[i].title,
			      colours ? CTL_BOLD : CTL_PLAIN);
	for (size_t i = 0; i < table->cell_count / columns * columns; i++)
		put_in_column(table, out, (unsigned int)(i % columns), width[i % columns],
			      table->cell[i].text, colours ? table->cell[i].colour : CTL_PLAIN);
	free(width);
}

void ctl_table_fini(struct ctl_table *table)
{
	for (size_t i = 0; i < table->cell_count; i++)
		free(table->cell[i].text);
	free(table->cell);
}

/* ---- the pager -------------------------------------------------------------------------- */

static bool in_colours(void)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && !(no_color && *no_color) && term && strcmp(term, "dumb");
}

/* What systemd's tools obey, then what others do. Empty or "cat": none. */
static const char *pager_of_environment(void)
{
	static const char *const names[] = {"TTLOG_PAGER", "SYSTEMD_PAGER", "PAGER"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *pager = secure_getenv(names[i]);

		if (pager)
			return *pager && strcmp(pager, "cat") ? pager : NULL;
	}
	/* A container may have none, and what is paged would be lost. */
	return "if command -v less >/dev/null; then exec less; else exec cat; fi";
}

static void __attribute__((noreturn)) become(const char *pager, int in)
{
	dup2(in, STDIN_FILENO);
	setenv("LESS", "FRSXMK", 0);
	execl("/bin/sh", "sh", "-c", pager, (char *)NULL);
	_exit(127);
}

void ctl_pager_open(struct ctl_pager *ret_pager, bool wanted)
{
	const char *pager = wanted && isatty(STDOUT_FILENO) ? pager_of_environment() : NULL;
	int ends[2];

	*ret_pager = (struct ctl_pager){.out = stdout, .colours = in_colours()};
	if (!pager || pipe2(ends, O_CLOEXEC))
		return;
	fflush(NULL);
	ret_pager->pid = fork();
	if (!ret_pager->pid)
		become(pager, ends[0]);
	close(ends[0]);
	if (ret_pager->pid > 0)
		ret_pager->out = fdopen(ends[1], "we");
	if (ret_pager->pid < 0 || !ret_pager->out) {
		close(ends[1]);
		ret_pager->out = stdout;
	}
}

/* Who leaves the pager early has seen enough: that is no failure. */
bool ctl_pager_close(struct ctl_pager *pager)
{
	bool is_whole = !fflush(pager->out) && !ferror(pager->out);

	if (pager->out != stdout) {
		is_whole = true;
		fclose(pager->out);
	}
	while (pager->pid > 0 && waitpid(pager->pid, NULL, 0) < 0 && errno == EINTR)
		;
	return is_whole;
}
