/* SPDX-License-Identifier: MIT */
/* tui_sql.c - the key ; : the tables of --sql, and a pane of what was found. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "viewer/sql.h"
#include "viewer/tui.h"

#define QUICK_NS 200000000 /* so long nobody has to know that it takes a while */
#define LOOK_NS 100000000
#define ALONE_S 20		/* with nobody to stop it */
#define BYTES_MAX (8u << 20) /* of rows */

/* What was asked before, or what shows how to ask. */
void tui_ask_sql(struct tui *tui)
{
	tui_prompt_open(tui, TUI_PROMPT_SQL,
			tui->statement[0] ? tui->statement
					  : "SELECT target, count(*) FROM events GROUP BY 1");
}

/* ---- asking -----------------------------------------------------------------------------------
 */

struct wait {
	struct tui *tui;
	int64_t begun_ns, looked_ns;
	uint64_t rows;
};

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* Nothing is said of what is quick. */
static bool is_stopped(void *context)
{
	struct wait *wait = context;
	const int64_t ns = now_ns();

	if (!wait->tui->pause || ns - wait->looked_ns < LOOK_NS)
		return false;
	tui_say(wait->tui, false, "SQL: %.1f s, %llu rows; Esc stops it",
		(double)(ns - wait->begun_ns) / 1e9, (unsigned long long)wait->rows);
	tui_draw(wait->tui);
	if (wait->tui->pause(wait->tui->pause_context))
		return true;
	wait->looked_ns = now_ns();
	return false;
}

static bool is_shown(void *context, size_t dump, const struct event *event)
{
	return tui_filter_wants(&((struct wait *)context)->tui->filter, dump, event);
}

/* The dumps are opened again: what is on the screen stays as it is. */
static int ask(struct tui *tui, uint64_t *ret_rows, char *why)
{
	struct selection *selection = tui->setup.selection;
	struct wait wait = {.tui = tui, .begun_ns = now_ns()};
	const struct sql_question question = {.statement = tui->statement,
					      .seconds = tui->pause ? 0 : ALONE_S,
					      .dumps = tui->setup.dumps,
					      .dump_count = tui->setup.dump_count,
					      .selection = selection,
					      .wants = is_shown,
					      .stop = is_stopped,
					      .context = &wait,
					      .bytes_max = BYTES_MAX,
					      .busy = true};
	const bool around = selection->around, limited = selection->limited;
	int error;

	wait.looked_ns = wait.begun_ns + QUICK_NS - LOOK_NS;
	/* As for the screen itself. */
	selection->around = selection->limited = false;
	error = sql_ask(&tui->rows, &question, &wait.rows, why);
	selection->around = around;
	selection->limited = limited;
	*ret_rows = wait.rows;
	return error;
}

void tui_sql(struct tui *tui, const char *statement)
{
	char why[SQL_WHY_BYTES];
	uint64_t rows = 0;
	int error;

	if (!*statement)
		return;
	snprintf(tui->statement, sizeof(tui->statement), "%s", statement);
	tui->rows.bytes = 0;
	tui->rows.error = 0;
	error = ask(tui, &rows, why);
	tui->pane.made = false;
	if (error && error != -ECANCELED && error != -EFBIG) {
		tui_say(tui, true, "%s",
			error == -EINVAL || error == -ETIME ? why : strerror(-error));
		return;
	}
	if (tui->pane.kind != TUI_PANE_SQL && (!error || rows))
		tui_pane_open(tui, TUI_PANE_SQL);
	if (error == -ECANCELED)
		tui_say(tui, true, "stopped, after %llu rows", (unsigned long long)rows);
	else if (error == -EFBIG)
		tui_say(tui, true, "the first %llu rows; there are more than fit in here",
			(unsigned long long)rows);
	else
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
