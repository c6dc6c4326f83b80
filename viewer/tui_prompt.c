/* SPDX-License-Identifier: MIT */
#include "viewer/tui.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "viewer/when_parse.h"

const char *tui_prompt_label(const struct tui *tui)
{
	static const char *const labels[] = {
		[TUI_PROMPT_NONE] = "",
		[TUI_PROMPT_SEARCH] = "/",
		[TUI_PROMPT_FILTER] = "only where: ",
		[TUI_PROMPT_GOTO] = "go to: ",
		[TUI_PROMPT_SAVE] = "save as: ",
		[TUI_PROMPT_SQL] = "; ",
	};

	return labels[tui->prompt.kind];
}

void tui_prompt_open(struct tui *tui, enum tui_prompt_kind kind, const char *text)
{
	struct tui_prompt *prompt = &tui->prompt;

	prompt->kind = kind;
	snprintf(prompt->text, sizeof(prompt->text), "%s", text);
	prompt->bytes = prompt->cursor = strlen(prompt->text);
	tui_model_place(&tui->model, false, tui->origin);
	tui_model_place(&tui->model, true, tui->origin_behind);
	tui->origin_lead = tui->model.selected;
}

/* ---- going somewhere --------------------------------------------------------------------------
 */

static void goto_number(struct tui *tui, uint64_t number)
{
	uint64_t *place = tui->model.at;

	paged_seek_rank(tui->paged, place, number);
	tui_model_jump(&tui->model, place, tui_rows_height(tui) / 2);
}

static bool goto_time(struct tui *tui, const char *text)
{
	const struct when_base base = paged_when(tui->paged);
	struct when_spec spec;
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (when_parse((struct span){text, strlen(text)},
		       now.tv_sec * INT64_C(1000000000) + now.tv_nsec, &spec))
		return false;
	tui_model_time(&tui->model, when_resolve(&spec, &base));
	return true;
}

/* "T-1.5s", "10:42:03", "50%", a number. False: none of these. */
static bool tui_goto(struct tui *tui, const char *text)
{
	char *end;
	double part;
	uint64_t number;

	errno = 0;
	number = strtoull(text, &end, 10);
	if (isdigit((unsigned char)*text) && !*end && !errno) {
		goto_number(tui, number);
		return true;
	}
	part = strtod(text, &end);
	if (isdigit((unsigned char)*text) && strcmp(end, "%") == 0 && part >= 0 && part <= 100) {
		goto_number(tui, (uint64_t)((double)paged_total(tui->paged) * part / 100));
		return true;
	}
	return goto_time(tui, text);
}

/* ---- what is done with it ---------------------------------------------------------------------
 */

static void search(struct tui *tui, const char *text)
{
	char why[160];

	/* What was typed is found already, or looked for; nothing: the one before, as in less. */
	if (*text && !tui_search_set(&tui->search, text, why, sizeof(why)))
		tui_say(tui, true, "%s", why);
	else if (*text && tui->model.not_found)
		tui_say(tui, true, "not found");
	else if (!*text && tui->search.text[0])
		tui_model_find(&tui->model, 1, tui_search_text, &tui->search);
}

static void filter(struct tui *tui, const char *text)
{
	struct query_error error;
	int result;

	if (!*text)
		return;
	result = tui_filter_add(&tui->filter, text, &error);
	if (result == 0)
		tui_refilter(tui);
	else if (result == -EINVAL)
		tui_say(tui, true, "%s", error.why);
	else
		tui_say(tui, true, "%s", strerror(-result));
}

static void save(struct tui *tui, const char *path)
{
	const struct format_env env = {
		.dumps = tui->setup.dumps,
		.dump_count = tui->setup.dump_count,
		.columns = tui->setup.columns,
		.time = tui->setup.time,
	};
	int error;

	if (!*path)
		return;
	error = tui_save_begin(&tui->save, path, tui->paged, &env);
	if (error)
		tui_say(tui, true, "not saved: %s", strerror(-error));
}

static void accept(struct tui *tui)
{
	const char *text = tui->prompt.text;
	const enum tui_prompt_kind kind = tui->prompt.kind;

	tui->prompt.kind = TUI_PROMPT_NONE;
	switch (kind) {
	case TUI_PROMPT_SEARCH:
		search(tui, text);
		break;
	case TUI_PROMPT_FILTER:
		filter(tui, text);
		break;
	case TUI_PROMPT_GOTO:
		if (*text && !tui_goto(tui, text))
			tui_say(tui, true, "no time, number or part: T-1.5s, 10:42:03, 1234, 50%%");
		break;
	case TUI_PROMPT_SAVE:
		save(tui, text);
		break;
	case TUI_PROMPT_SQL:
		tui_sql(tui, text);
		break;
	case TUI_PROMPT_NONE:
		break;
	}
}

/* ---- editing ----------------------------------------------------------------------------------
 */

static void insert(struct tui_prompt *prompt, char c)
{
	if (prompt->bytes + 1 >= sizeof(prompt->text))
		return;
	memmove(prompt->text + prompt->cursor + 1, prompt->text + prompt->cursor,
		prompt->bytes - prompt->cursor + 1);
	prompt->text[prompt->cursor++] = c;
	prompt->bytes++;
}

static bool is_inside(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

static void step_left(struct tui_prompt *prompt)
{
	while (prompt->cursor && is_inside(prompt->text[--prompt->cursor]))
		;
}

static void step_right(struct tui_prompt *prompt)
{
	while (prompt->cursor < prompt->bytes && is_inside(prompt->text[++prompt->cursor]))
		;
}

/* From the cursor up to before `to`. */
static void cut(struct tui_prompt *prompt, size_t to)
{
	memmove(prompt->text + prompt->cursor, prompt->text + to, prompt->bytes - to + 1);
	prompt->bytes -= to - prompt->cursor;
}

static void cut_left(struct tui_prompt *prompt)
{
	const size_t to = prompt->cursor;

	step_left(prompt);
	cut(prompt, to);
}

static void cut_right(struct tui_prompt *prompt)
{
	const size_t from = prompt->cursor;
	size_t to;

	step_right(prompt);
	to = prompt->cursor;
	prompt->cursor = from;
	cut(prompt, to);
}

static void edit(struct tui_prompt *prompt, int key)
{
	switch (key) {
	case TUI_KEY_LEFT:
	case TUI_CTRL('b'):
		step_left(prompt);
		break;
	case TUI_KEY_RIGHT:
	case TUI_CTRL('f'):
		step_right(prompt);
		break;
	case TUI_KEY_HOME:
	case TUI_CTRL('a'):
		prompt->cursor = 0;
		break;
	case TUI_KEY_END:
	case TUI_CTRL('e'):
		prompt->cursor = prompt->bytes;
		break;
	case TUI_KEY_DELETE:
	case TUI_CTRL('d'):
		cut_right(prompt);
		break;
	case TUI_CTRL('u'):
		prompt->bytes = prompt->cursor = 0;
		prompt->text[0] = '\0';
		break;
	default:
		if (key >= ' ' && key < 256 && key != TUI_KEY_BACKSPACE)
			insert(prompt, (char)key);
		break;
	}
}

void tui_to_origin(struct tui *tui)
{
	tui_model_cancel(&tui->model);
	tui_model_jump(&tui->model, tui->origin, tui->origin_lead);
}

/* The next match is shown while it is typed. What is no expression yet may become one. */
static void preview(struct tui *tui)
{
	char why[160];

	if (tui->prompt.kind != TUI_PROMPT_SEARCH)
		return;
	if (!tui->prompt.bytes)
		tui_to_origin(tui);
	else if (tui_search_set(&tui->search, tui->prompt.text, why, sizeof(why)))
		tui_model_find_from(&tui->model, tui->origin_behind, 1, tui_search_text,
				    &tui->search);
}

static void leave(struct tui *tui)
{
	if (tui->prompt.kind == TUI_PROMPT_SEARCH)
		tui_to_origin(tui);
	tui->prompt.kind = TUI_PROMPT_NONE;
}

bool tui_prompt_key(struct tui *tui, int key)
{
	struct tui_prompt *prompt = &tui->prompt;

	if (!prompt->kind)
		return false;
	if (key == TUI_KEY_ENTER) {
		accept(tui);
	} else if (key == TUI_KEY_ESCAPE || key == TUI_CTRL('c')) {
		leave(tui);
	} else if (key == TUI_KEY_BACKSPACE || key == TUI_CTRL('h')) {
		if (prompt->bytes) {
			cut_left(prompt);
			preview(tui);
		} else {
			leave(tui);
		}
	} else {
		edit(prompt, key);
		preview(tui);
	}
	return true;
}
