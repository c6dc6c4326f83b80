/* SPDX-License-Identifier: MIT */
/* tui_sql.c - the key ; : the tables of --sql, and a pane of what was found. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "viewer/sql.h"
#include "viewer/tui.h"

#define WAIT_S 20 /* nothing else is done in the meantime */

/* What was asked before, or what shows how to ask. */
void tui_ask_sql(struct tui *tui)
{
	tui_prompt_open(tui, TUI_PROMPT_SQL,
			tui->statement[0] ? tui->statement
					  : "SELECT target, count(*) FROM events GROUP BY 1");
}

/* The dumps are opened again: what is on the screen stays as it is. */
static int ask(struct tui *tui, uint64_t *ret_rows, char *why)
{
	struct selection *selection = tui->setup.selection;
	const struct sql_question question = {.statement = tui->statement,
					      .seconds = WAIT_S,
					      .dumps = tui->setup.dumps,
					      .dump_count = tui->setup.dump_count,
					      .selection = selection,
					      .busy = true};
	const bool around = selection->around, limited = selection->limited;
	int error;

	/* As for the screen itself. */
	selection->around = selection->limited = false;
	error = sql_ask(&tui->rows, &question, ret_rows, why);
	selection->around = around;
	selection->limited = limited;
	return error;
}

void tui_sql(struct tui *tui, const char *statement)
{
	char why[SQL_WHY_BYTES];
	uint64_t rows;
	int error;

	if (!*statement)
		return;
	snprintf(tui->statement, sizeof(tui->statement), "%s", statement);
	tui->rows.bytes = 0;
	tui->rows.error = 0;
	error = ask(tui, &rows, why);
	tui->pane.made = false;
	if (error) {
		tui_say(tui, true, "%s",
			error == -EINVAL || error == -ETIME ? why : strerror(-error));
		return;
	}
	if (tui->pane.kind != TUI_PANE_SQL)
		tui_pane_open(tui, TUI_PANE_SQL);
	tui_say(tui, false, "%llu rows", (unsigned long long)rows);
}

void tui_make_sql(struct tui *tui)
{
	struct out *out = &tui->pane.text;

	out_text(out, TEXT_BOLD);
	out_escaped(out, (struct span){tui->statement, strlen(tui->statement)}, 0);
	out_text(out, TEXT_RESET "\n");
	out_span(out, span_of(&tui->rows));
}
