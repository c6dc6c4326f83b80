/* SPDX-License-Identifier: MIT */
#include "viewer/tui.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* ---- moving -----------------------------------------------------------------------------------
 */

static void half_page(struct tui *tui, int direction)
{
	const size_t rows = tui_rows_height(tui) / 2;

	tui_model_move(&tui->model, direction * (int64_t)(rows > 1 ? rows : 1));
}

static void move_down(struct tui *tui)
{
	tui_model_move(&tui->model, 1);
}

static void move_up(struct tui *tui)
{
	tui_model_move(&tui->model, -1);
}

static void page_down(struct tui *tui)
{
	tui_model_page(&tui->model, 1);
}

static void page_up(struct tui *tui)
{
	tui_model_page(&tui->model, -1);
}

static void half_down(struct tui *tui)
{
	half_page(tui, 1);
}

static void half_up(struct tui *tui)
{
	half_page(tui, -1);
}

static void wheel_down(struct tui *tui)
{
	tui_model_move(&tui->model, 3);
}

static void wheel_up(struct tui *tui)
{
	tui_model_move(&tui->model, -3);
}

static void to_start(struct tui *tui)
{
	tui_model_start(&tui->model);
}

static void to_end(struct tui *tui)
{
	tui_model_end(&tui->model);
}

static void to_death(struct tui *tui)
{
	if (!tui_model_death(&tui->model))
		tui_say(tui, true, "these dumps have no death");
}

static void shift_left(struct tui *tui)
{
	tui->shift = tui->shift > 8 ? tui->shift - 8 : 0;
}

static void shift_right(struct tui *tui)
{
	if (tui->shift < 4000)
		tui->shift += 8;
}

static void ask_place(struct tui *tui)
{
	tui_prompt_open(tui, TUI_PROMPT_GOTO, "");
}

/* ---- searching --------------------------------------------------------------------------------
 */

static void ask_search(struct tui *tui)
{
	tui_prompt_open(tui, TUI_PROMPT_SEARCH, "");
}

static void again(struct tui *tui, int direction)
{
	if (tui->search.text[0])
		tui_model_find(&tui->model, direction, tui_search_text, &tui->search);
	else
		tui_say(tui, true, "nothing was searched for yet: / begins");
}

static void find_next(struct tui *tui)
{
	again(tui, 1);
}

static void find_previous(struct tui *tui)
{
	again(tui, -1);
}

static void find_level(struct tui *tui, int direction, enum site_level least)
{
	tui->search.least = least;
	tui_model_find(&tui->model, direction, tui_search_level, &tui->search);
}

static void next_error(struct tui *tui)
{
	find_level(tui, 1, LEVEL_ERROR);
}

static void previous_error(struct tui *tui)
{
	find_level(tui, -1, LEVEL_ERROR);
}

static void next_warning(struct tui *tui)
{
	find_level(tui, 1, LEVEL_WARN);
}

static void previous_warning(struct tui *tui)
{
	find_level(tui, -1, LEVEL_WARN);
}

/* False, and that is said: there is no event in the selected row. */
static bool event_selected(struct tui *tui, struct paged_item *ret_item)
{
	if (tui_selected(tui, ret_item) && !ret_item->mark)
		return true;
	tui_say(tui, true, "no event is selected");
	return false;
}

static void same_thread(struct tui *tui, int direction)
{
	struct paged_item item;

	if (!event_selected(tui, &item))
		return;
	tui->search.thread = item.event.thread;
	tui_model_find(&tui->model, direction, tui_search_thread, &tui->search);
}

static void next_of_thread(struct tui *tui)
{
	same_thread(tui, 1);
}

static void previous_of_thread(struct tui *tui)
{
	same_thread(tui, -1);
}

/* ---- filters ----------------------------------------------------------------------------------
 */

static void ask_filter(struct tui *tui)
{
	tui_prompt_open(tui, TUI_PROMPT_FILTER, "");
}

static void set_level(struct tui *tui, int step)
{
	const int level = (int)tui->filter.least + step;

	if (level < LEVEL_TRACE || level > LEVEL_FATAL)
		return;
	tui_filter_level(&tui->filter, (enum site_level)level);
	tui_refilter(tui);
	tui_say(tui, false, level == LEVEL_TRACE ? "all levels" : "%s and worse",
		level_name((enum site_level)level));
}

static void fewer(struct tui *tui)
{
	set_level(tui, 1);
}

static void more(struct tui *tui)
{
	set_level(tui, -1);
}

static void this_target(struct tui *tui)
{
	struct paged_item item;

	if (!tui->filter.target && !event_selected(tui, &item))
		return;
	if (tui_filter_target(&tui->filter,
			      tui->filter.target ? (struct span){0} : item.event.site->target) == 0)
		tui_refilter(tui);
}

static void this_thread(struct tui *tui)
{
	struct paged_item item;

	if (!tui->filter.thread && !event_selected(tui, &item))
		return;
	tui_filter_thread(&tui->filter, tui->filter.thread ? NULL : item.event.thread);
	tui_refilter(tui);
}

static void hide_site(struct tui *tui)
{
	struct paged_item item;

	if (!event_selected(tui, &item))
		return;
	if (tui_filter_hide(&tui->filter, item.event.site))
		tui_refilter(tui);
	else
		tui_say(tui, true, "too many sites are hidden");
}

static void unhide_sites(struct tui *tui)
{
	if (tui_filter_unhide(&tui->filter))
		tui_refilter(tui);
}

static void filters_toggle(struct tui *tui)
{
	tui_filter_toggle(&tui->filter);
	tui_refilter(tui);
	tui_say(tui, false, tui->filter.off ? "filters are off" : "filters are on");
}

static void show_all(struct tui *tui)
{
	tui_filter_clear(&tui->filter);
	tui_refilter(tui);
}

/* ---- marks ------------------------------------------------------------------------------------
 */

static void mark(struct tui *tui)
{
	if (tui_model_mark(&tui->model))
		tui_say(tui, true, "%s", strerror(ENOMEM));
	else
		tui_model_move(&tui->model, 1);
}

static void to_mark(struct tui *tui, int direction)
{
	if (!tui_model_to_mark(&tui->model, direction))
		tui_say(tui, true,
			tui->model.mark_count ? "no more marks" : "there are no marks: m sets one");
}

static void next_mark(struct tui *tui)
{
	to_mark(tui, 1);
}

static void previous_mark(struct tui *tui)
{
	to_mark(tui, -1);
}

/* ---- what is shown ----------------------------------------------------------------------------
 */

static void fields(struct tui *tui)
{
	tui->fields = !tui->fields;
	tui->fields_top = 0;
	tui_model_resize(&tui->model, tui_rows_height(tui));
}

static void fields_down(struct tui *tui)
{
	tui->fields_top++;
}

static void fields_up(struct tui *tui)
{
	if (tui->fields_top)
		tui->fields_top--;
}

static void histogram(struct tui *tui)
{
	tui_pane_open(tui, TUI_PANE_HISTOGRAM);
}

static void statistics(struct tui *tui)
{
	tui_pane_open(tui, TUI_PANE_STATS);
}

static void threads(struct tui *tui)
{
	tui_pane_open(tui, TUI_PANE_THREADS);
}

static void filters(struct tui *tui)
{
	tui_pane_open(tui, TUI_PANE_FILTERS);
}

static void info(struct tui *tui)
{
	tui_pane_open(tui, TUI_PANE_INFO);
}

static void help(struct tui *tui)
{
	tui_pane_open(tui, TUI_PANE_HELP);
}

static void time_mode(struct tui *tui)
{
	tui->time = (tui->time + 1) % TIME_COUNT;
	tui_line_again(tui);
	tui_say(tui, false, "times: %s",
		tui->time == TIME_BOTH ? "to the death, and of day" : time_mode_name(tui->time));
}

static void look(struct tui *tui)
{
	tui->look = !tui->look;
	tui_line_again(tui);
}

static void save(struct tui *tui)
{
	tui_prompt_open(tui, TUI_PROMPT_SAVE, "ttlog-events.txt");
}

static void copy(struct tui *tui)
{
	struct paged_item item;

	if (!event_selected(tui, &item))
		return;
	tui->record.event = item.event;
	tui->record.decoded = false;
	tui->copy.bytes = 0;
	text_line_write(&tui->search.line, &tui->copy, &tui->record, 0);
	tui_say(tui, false, "copied, if the terminal allows it");
}

static void redraw(struct tui *tui)
{
	tui->pane.made = false;
}

static void quit(struct tui *tui)
{
	tui->done = true;
}

static void interrupt(struct tui *tui)
{
	if (tui_is_working(tui))
		tui_stop(tui);
	else
		quit(tui);
}

/* ---- the table --------------------------------------------------------------------------------
 */

/* clang-format off: a table */
const struct tui_action tui_actions[] = {
	{{0}, "Moving", NULL, NULL},
	{{'j', TUI_KEY_DOWN, TUI_CTRL('n')}, "the next event", NULL, move_down},
	{{'k', TUI_KEY_UP, TUI_CTRL('p')}, "the event before", NULL, move_up},
	{{' ', TUI_KEY_PAGE_DOWN}, "a page on", NULL, page_down},
	{{'b', TUI_KEY_PAGE_UP}, "a page back", NULL, page_up},
	{{TUI_CTRL('d')}, "half a page on", NULL, half_down},
	{{TUI_CTRL('u')}, "half a page back", NULL, half_up},
	{{TUI_KEY_WHEEL_DOWN}, "three events on", NULL, wheel_down},
	{{TUI_KEY_WHEEL_UP}, "three events back", NULL, wheel_up},
	{{'g', '<', TUI_KEY_HOME}, "the first event", NULL, to_start},
	{{'G', '>', TUI_KEY_END}, "the last event", NULL, to_end},
	{{'D'}, "the death; from there the next one", "death", to_death},
	{{':'}, "to a time (T-1.5s, 10:42:03), a number, a part (50%)", NULL, ask_place},
	{{TUI_KEY_LEFT}, "what is left of the screen", NULL, shift_left},
	{{TUI_KEY_RIGHT}, "what is right of it", NULL, shift_right},

	{{0}, "Searching", NULL, NULL},
	{{'/', TUI_KEY_F3},
	 "for a text or regular expression, while it is typed",
	 "search",
	 ask_search},
	{{'n'}, "the next match", NULL, find_next},
	{{'N'}, "the match before", NULL, find_previous},
	{{'e'}, "the next error", "error", next_error},
	{{'E'}, "the error before", NULL, previous_error},
	{{'w'}, "the next warning or error", NULL, next_warning},
	{{'W'}, "the warning or error before", NULL, previous_warning},
	{{'o'}, "the next event of this thread", NULL, next_of_thread},
	{{'O'}, "the event of this thread before", NULL, previous_of_thread},

	{{0}, "Filters", NULL, NULL},
	{{'&', 'f', TUI_KEY_F4},
	 "only events for which an expression is true",
	 "filter",
	 ask_filter},
	{{'-'}, "fewer levels", NULL, fewer},
	{{'+', '='}, "more levels", NULL, more},
	{{'T'}, "only this target; again: all", NULL, this_target},
	{{'H'}, "only this thread; again: all", NULL, this_thread},
	{{'x'}, "hide all events of this site", NULL, hide_site},
	{{'X'}, "show the hidden sites again", NULL, unhide_sites},
	{{TUI_CTRL('f')}, "the filters off, and on again", NULL, filters_toggle},
	{{'0'}, "all filters away", NULL, show_all},
	{{'\t'}, "the list of filters", NULL, filters},

	{{0}, "Marks", NULL, NULL},
	{{'m'}, "set a mark, or take it away", NULL, mark},
	{{'u'}, "the next mark", NULL, next_mark},
	{{'U'}, "the mark before", NULL, previous_mark},

	{{0}, "Showing", NULL, NULL},
	{{TUI_KEY_ENTER, 'p'},
	 "all fields of the event, and where it comes from",
	 "fields",
	 fields},
	{{']'}, "scrolls these down", NULL, fields_down},
	{{'['}, "scrolls these up", NULL, fields_up},
	{{'s'}, "statistics; Enter filters", "stats", statistics},
	{{'i'}, "histogram over time; Enter goes there", "time", histogram},
	{{'a'}, "threads; Space turns one off or on", NULL, threads},
	{{';'}, "what SQL finds in the tables of --sql, of the events shown", NULL,
	 tui_ask_sql},
	{{'I'}, "what the dump says of the process and its death", NULL, info},
	{{'t'}, "times: to the death, since the event above, UTC, local ...", NULL, time_mode},
	{{'C'}, "without thread and target; again: with them", NULL, look},

	{{0}, "Other", NULL, NULL},
	{{'S'}, "save the events that are shown (.json, .csv, .logfmt, else text)", NULL, save},
	{{'y', 'c'}, "copy the event to the terminal's clipboard", NULL, copy},
	{{TUI_CTRL('l'), 'R', TUI_KEY_F5}, "draw the screen again", NULL, redraw},
	{{'?', 'h', TUI_KEY_F1}, "this help", "help", help},
	{{'q', 'Q', TUI_KEY_F10}, "quit; close what is open", "quit", quit},
	{{TUI_CTRL('c')}, "stop what takes long; else quit", NULL, interrupt},
	{{0}, NULL, NULL, NULL},
};
/* clang-format on */

const char *tui_key_name(int key, char buffer[8])
{
	static const struct {
		int key;
		const char *name;
	} names[] = {
		{' ', "Space"},
		{'\t', "Tab"},
		{TUI_KEY_ENTER, "Enter"},
		{TUI_KEY_UP, "Up"},
		{TUI_KEY_DOWN, "Down"},
		{TUI_KEY_LEFT, "Left"},
		{TUI_KEY_RIGHT, "Right"},
		{TUI_KEY_PAGE_UP, "PgUp"},
		{TUI_KEY_PAGE_DOWN, "PgDn"},
		{TUI_KEY_HOME, "Home"},
		{TUI_KEY_END, "End"},
		{TUI_KEY_WHEEL_UP, "WheelUp"},
		{TUI_KEY_WHEEL_DOWN, "WheelDown"},
		{TUI_KEY_F1, "F1"},
		{TUI_KEY_F3, "F3"},
		{TUI_KEY_F4, "F4"},
		{TUI_KEY_F5, "F5"},
		{TUI_KEY_F10, "F10"},
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (names[i].key == key)
			return names[i].name;
	if (key < ' ')
		snprintf(buffer, 8, "^%c", 'A' + key - 1);
	else
		snprintf(buffer, 8, "%c", key);
	return buffer;
}
