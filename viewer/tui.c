/* SPDX-License-Identifier: MIT */
#include "viewer/tui.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define HEAD_ROWS_MAX 3
#define FOOT_ROWS 2
#define BEFORE_KEY_NS 50000000
#define LONG_ITEMS 10000  /* that were looked at: somebody may want it to stop */
#define ROWS_A_HEAD_ROW 7 /* of the screen, for each that the verdict may have */

/* ---- open and close ---------------------------------------------------------------------------
 */

static int open_parts(struct tui *tui)
{
	int error = paged_open(&tui->paged, tui->setup.dumps, tui->setup.dump_count);

	if (!error)
		error = tui_filter_open(&tui->filter, tui->paged, &tui->setup.selection->query);
	if (!error)
		error = tui_model_open(&tui->model, tui->paged, &tui->filter);
	if (!error)
		error = tui_census_open(&tui->census, tui->paged, &tui->filter);
	if (!error)
		error = tui_search_open(&tui->search, tui->setup.dumps, tui->setup.dump_count);
	if (!error)
		error = columns_parse(&tui->brief, "time,level,msg,fields");
	if (error)
		return error;
	tui->origin = calloc(tui->model.sources, sizeof(*tui->origin));
	tui->origin_behind = calloc(tui->model.sources, sizeof(*tui->origin_behind));
	return tui->origin && tui->origin_behind ? tui_resize(tui, 24, 80) : -ENOMEM;
}

int tui_open(struct tui **ret_tui, const struct tui_setup *setup)
{
	struct tui *tui = calloc(1, sizeof(*tui));
	int error;

	if (!tui)
		return -ENOMEM;
	tui->setup = *setup;
	tui->time = setup->time;
	tui->save.out.fd = -1;
	out_init(&tui->message, -1);
	out_init(&tui->scratch, -1);
	out_init(&tui->copy, -1);
	out_init(&tui->pane.text, -1);
	out_init(&tui->rows, -1);
	source_text_init(&tui->source, setup->source_folders, setup->source_folder_count);
	error = open_parts(tui);
	if (error) {
		tui_close(tui);
		return error;
	}
	/* Where somebody looks first: what led to the death. */
	if (setup->selection->around) {
		const struct when_base base = select_base(setup->dumps, setup->dump_count);

		tui_model_time(&tui->model, when_resolve(&setup->selection->around_when, &base));
	} else if (!tui_model_death(&tui->model)) {
		tui_model_end(&tui->model);
	}
	*ret_tui = tui;
	return 0;
}

void tui_close(struct tui *tui)
{
	if (!tui)
		return;
	tui_save_cancel(&tui->save);
	if (tui->have_line)
		text_line_fini(&tui->line);
	tui_search_close(&tui->search);
	tui_census_close(tui->census);
	tui_model_close(&tui->model);
	if (tui->paged)
		tui_filter_close(&tui->filter);
	paged_close(tui->paged);
	columns_close(tui->brief);
	free(tui->origin);
	free(tui->origin_behind);
	tui_screen_fini(&tui->screen);
	out_fini(&tui->message);
	out_fini(&tui->scratch);
	out_fini(&tui->copy);
	out_fini(&tui->pane.text);
	out_fini(&tui->rows);
	source_text_fini(&tui->source);
	free(tui);
}

/* ---- sizes ------------------------------------------------------------------------------------
 */

size_t tui_rows_top(const struct tui *tui)
{
	return tui->head_rows;
}

/* As many as the verdict wants, and the screen can spare; two, if it can, for when it was. */
static size_t head_rows(struct tui *tui)
{
	size_t most = tui->screen.rows / ROWS_A_HEAD_ROW, wanted;

	most = most < 1 ? 1 : most > HEAD_ROWS_MAX ? HEAD_ROWS_MAX : most;
	/* Rows end at a space, some columns early. */
	wanted = tui_verdict_columns(tui) * 10 / 9 / tui->screen.columns + 1;
	wanted = wanted < 2 ? 2 : wanted;
	return wanted < most ? wanted : most;
}

size_t tui_fields_height(const struct tui *tui)
{
	const size_t middle = tui->screen.rows > tui_rows_top(tui) + FOOT_ROWS
				      ? tui->screen.rows - tui_rows_top(tui) - FOOT_ROWS
				      : 1;

	return tui->fields && middle > 2 ? middle / 2 : 0;
}

size_t tui_rows_height(const struct tui *tui)
{
	const size_t used = tui_rows_top(tui) + FOOT_ROWS + tui_fields_height(tui);

	return tui->screen.rows > used ? tui->screen.rows - used : 1;
}

void tui_line_again(struct tui *tui)
{
	const struct format_env env = {
		.dumps = tui->setup.dumps,
		.dump_count = tui->setup.dump_count,
		.columns = tui->look ? tui->brief : tui->setup.columns,
		.time = tui->time,
		.colour = true,
		.width = (unsigned int)tui->screen.columns,
	};

	if (tui->have_line)
		text_line_fini(&tui->line);
	tui->have_line = text_line_init(&tui->line, &env, false) == 0;
}

int tui_resize(struct tui *tui, size_t rows, size_t columns)
{
	int error = tui_screen_resize(&tui->screen, rows, columns);

	if (error)
		return error;
	tui->head_rows = head_rows(tui);
	tui_model_resize(&tui->model, tui_rows_height(tui));
	tui_line_again(tui);
	tui->pane.made = false;
	return tui->have_line ? 0 : -ENOMEM;
}

/* ---- what its parts share ---------------------------------------------------------------------
 */

void tui_say(struct tui *tui, bool is_error, const char *format, ...)
{
	char text[256];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	tui->message.bytes = 0;
	out_escaped(&tui->message, (struct span){text, strlen(text)}, 0);
	tui->message_is_error = is_error;
}

void tui_refilter(struct tui *tui)
{
	tui_model_refilter(&tui->model);
	tui->pane.made = false;
}

bool tui_selected(struct tui *tui, struct paged_item *ret_item)
{
	return tui_model_item(&tui->model, tui->model.selected, ret_item);
}

bool tui_is_working(const struct tui *tui)
{
	return tui->save.active || tui->model.direction ||
	       (tui_model_is_busy(&tui->model) && tui->model.scanned >= LONG_ITEMS);
}

void tui_stop(struct tui *tui)
{
	if (tui->save.active) {
		tui_save_cancel(&tui->save);
		tui_say(tui, true, "not saved");
	} else if (tui_model_is_busy(&tui->model)) {
		tui_model_cancel(&tui->model);
		tui_say(tui, false, "stopped");
	}
}

/* ---- keys -------------------------------------------------------------------------------------
 */

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static const struct tui_action *action_of(int key)
{
	for (const struct tui_action *action = tui_actions; action->help; action++)
		for (size_t i = 0; i < sizeof(action->keys) / sizeof(*action->keys); i++)
			if (action->run && key && action->keys[i] == key)
				return action;
	return NULL;
}

/* A digit is a thread, in the order of the list of threads. */
static void toggle_thread(struct tui *tui, size_t number)
{
	size_t source;
	uint64_t index;

	if (!tui_thread_find(tui, number, &source, &index))
		tui_say(tui, true, "there is no such thread");
	else if (tui_filter_thread_toggle(&tui->filter, source, index))
		tui_refilter(tui);
}

void tui_key(struct tui *tui, int key)
{
	const struct tui_action *action;

	tui->message.bytes = 0;
	/* A key is meant for what its user was going to see. */
	if (!tui->model.count && tui_model_is_busy(&tui->model))
		tui_model_work(&tui->model, now_ns() + BEFORE_KEY_NS);
	if (tui_prompt_key(tui, key) || (tui->pane.kind && tui_pane_key(tui, key)))
		return;
	if (key >= '1' && key <= '9') {
		toggle_thread(tui, (size_t)(key - '1'));
		return;
	}
	action = action_of(key);
	if (action)
		action->run(tui);
	else if (key == TUI_KEY_ESCAPE)
		tui_stop(tui);
	else
		tui_say(tui, false, "that key does nothing; ? shows those that do");
}

void tui_click(struct tui *tui, size_t row)
{
	const size_t top = tui_rows_top(tui);

	if (tui_model_is_busy(&tui->model))
		tui_model_work(&tui->model, now_ns() + BEFORE_KEY_NS);
	if (!tui->pane.kind && !tui->prompt.kind && row >= top && row - top < tui->model.count)
		tui_model_select(&tui->model, row - top);
}

/* ---- work -------------------------------------------------------------------------------------
 */

static void save_some(struct tui *tui, int64_t until_ns)
{
	int more = tui_save_work(&tui->save, tui->paged, &tui->filter, until_ns);

	if (more < 0)
		tui_say(tui, true, "not saved: %s", strerror(-more));
	else if (!more)
		tui_say(tui, false, "%llu events saved", (unsigned long long)tui->save.events);
}

bool tui_work(struct tui *tui, int64_t until_ns)
{
	const bool searching = tui->model.direction != 0;
	bool more;

	if (tui->save.active) {
		save_some(tui, until_ns);
		return true;
	}
	more = tui_model_work(&tui->model, until_ns);
	if (searching && !tui->model.direction && tui->model.not_found) {
		tui_say(tui, true, "not found");
		if (tui->prompt.kind == TUI_PROMPT_SEARCH)
			tui_to_origin(tui);
		return true;
	}
	if (more)
		return true;
	if ((tui->pane.kind == TUI_PANE_STATS || tui->pane.kind == TUI_PANE_HISTOGRAM ||
	     tui->pane.kind == TUI_PANE_THREADS) &&
	    !tui_census_is_complete(tui->census)) {
		tui_census_work(tui->census, until_ns);
		tui->pane.made = false;
		return true;
	}
	return false;
}
