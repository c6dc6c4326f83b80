/* SPDX-License-Identifier: MIT */
/* tui_pane.c - text instead of the rows: what is chosen and scrolled there. */
#include "viewer/tui.h"

#include <inttypes.h>
#include <string.h>

#include "viewer/info.h"

static void heading(struct out *out, const char *text)
{
	out_printf(out, TEXT_BOLD "%s" TEXT_RESET "\n", text);
}

/* ---- help -------------------------------------------------------------------------------------
 */

static void make_help(struct tui *tui)
{
	struct out *out = &tui->pane.text;

	for (const struct tui_action *action = tui_actions; action->help; action++) {
		char buffer[8], keys[64] = "";

		if (!action->run) {
			heading(out, action->help);
			continue;
		}
		for (size_t i = 0; i < 4 && action->keys[i]; i++) {
			strcat(keys, i ? " " : "");
			strcat(keys, tui_key_name(action->keys[i], buffer));
		}
		out_printf(out, "  %-16s %s\n", keys, action->help);
	}
	out_printf(out, "  %-16s %s\n", "1 ... 9", "a thread off or on, by its number in the list");
	out_printf(out, "  %-16s %s\n", "Esc", "closes what is open, stops what takes long");
}

/* ---- what the dump says -----------------------------------------------------------------------
 */

static void make_info(struct tui *tui)
{
	struct paged_item item;
	struct dump *dump = tui->setup.dumps[0];

	if (tui_selected(tui, &item) && !item.mark)
		dump = item.event.dump;
	info_text(&tui->pane.text, dump, NULL, NULL, true, false);
}

/* ---- filters ----------------------------------------------------------------------------------
 */

static void make_filters(struct tui *tui)
{
	struct out *out = &tui->pane.text;

	heading(out, "Expressions (& adds one, x or Delete takes one away)");
	tui->pane.first_choice = SIZE_MAX;
	tui->pane.choices = tui->filter.expression_count;
	for (size_t i = 0; i < tui->filter.expression_count; i++) {
		const char *text = tui->filter.expressions[i];

		out_text(out, "  ");
		out_escaped(out, (struct span){text, strlen(text)}, 0);
		out_char(out, '\n');
	}
}

static void put_filters_end(struct tui *tui)
{
	struct out *out = &tui->pane.text;

	if (!tui->filter.expression_count)
		out_text(out, "  none\n");
	out_char(out, '\n');
	tui->scratch.bytes = 0;
	tui_filter_describe(&tui->filter, &tui->scratch);
	if (tui->scratch.bytes) {
		out_text(out, "In all: ");
		out_span(out, span_of(&tui->scratch));
		out_text(out, tui->filter.off ? " (off: ^F)\n" : "\n");
	} else {
		out_text(out, "All events are shown.\n");
	}
	if (tui->filter.query_base)
		out_text(out, "What the command line selects stays.\n");
}

/* ---- panes ------------------------------------------------------------------------------------
 */

void tui_pane_open(struct tui *tui, enum tui_pane_kind kind)
{
	struct tui_pane *pane = &tui->pane;

	pane->kind = pane->kind == kind ? TUI_PANE_NONE : kind;
	pane->top = pane->cursor = 0;
	pane->made = false;
}

static size_t count_lines(const struct out *text)
{
	size_t lines = 0;

	for (size_t i = 0; i < text->bytes; i++)
		lines += text->data[i] == '\n';
	return lines;
}

void tui_pane_make(struct tui *tui)
{
	static void (*const makers[])(struct tui *) = {
		[TUI_PANE_HELP] = make_help,	       [TUI_PANE_INFO] = make_info,
		[TUI_PANE_STATS] = tui_make_stats,     [TUI_PANE_HISTOGRAM] = tui_make_histogram,
		[TUI_PANE_THREADS] = tui_make_threads, [TUI_PANE_FILTERS] = make_filters,
		[TUI_PANE_SQL] = tui_make_sql,
	};
	struct tui_pane *pane = &tui->pane;

	if (pane->made || !pane->kind)
		return;
	pane->text.bytes = 0;
	pane->first_choice = pane->choices = 0;
	makers[pane->kind](tui);
	pane->lines = count_lines(&pane->text);
	if (pane->choices)
		pane->first_choice = pane->lines - pane->choices;
	if (pane->kind == TUI_PANE_FILTERS) {
		put_filters_end(tui);
		pane->lines = count_lines(&pane->text);
	}
	if (pane->cursor >= pane->choices)
		pane->cursor = pane->choices ? pane->choices - 1 : 0;
	pane->made = true;
}

static void pane_move(struct tui *tui, int64_t lines)
{
	struct tui_pane *pane = &tui->pane;
	const size_t height = tui_rows_height(tui) + tui_fields_height(tui);
	size_t *at = pane->choices ? &pane->cursor : &pane->top, last;

	last = pane->choices ? pane->choices - 1 : pane->lines > height ? pane->lines - height : 0;
	if (lines < 0)
		*at = *at > (size_t)-lines ? *at - (size_t)-lines : 0;
	else
		*at = last - *at > (size_t)lines ? *at + (size_t)lines : last;
}

static void choose(struct tui *tui)
{
	struct tui_pane *pane = &tui->pane;
	const struct site *site;
	size_t source;
	uint64_t index;

	switch (pane->kind) {
	case TUI_PANE_STATS:
		site = tui_chosen_site(tui);
		tui_filter_site(&tui->filter, tui->filter.site == site ? NULL : site);
		tui_refilter(tui);
		tui_pane_open(tui, pane->kind);
		break;
	case TUI_PANE_HISTOGRAM:
		tui_model_time(&tui->model, tui_chosen_time(tui));
		tui_pane_open(tui, pane->kind);
		break;
	case TUI_PANE_THREADS:
		if (tui_thread_find(tui, pane->cursor, &source, &index) &&
		    tui_filter_thread_toggle(&tui->filter, source, index))
			tui_refilter(tui);
		break;
	default:
		tui_pane_open(tui, pane->kind);
		break;
	}
}

static bool take_away(struct tui *tui)
{
	const struct site *site;

	if (tui->pane.kind == TUI_PANE_FILTERS) {
		if (tui_filter_drop(&tui->filter, tui->pane.cursor))
			tui_refilter(tui);
		return true;
	}
	if (tui->pane.kind != TUI_PANE_STATS)
		return false;
	site = tui_chosen_site(tui);
	if (site && tui_filter_hide(&tui->filter, site))
		tui_refilter(tui);
	return true;
}

bool tui_pane_key(struct tui *tui, int key)
{
	const int64_t height = (int64_t)tui_rows_height(tui);

	tui_pane_make(tui);
	switch (key) {
	case 'j':
	case TUI_KEY_DOWN:
	case TUI_CTRL('n'):
		pane_move(tui, 1);
		return true;
	case 'k':
	case TUI_KEY_UP:
	case TUI_CTRL('p'):
		pane_move(tui, -1);
		return true;
	case TUI_KEY_WHEEL_DOWN:
		pane_move(tui, 3);
		return true;
	case TUI_KEY_WHEEL_UP:
		pane_move(tui, -3);
		return true;
	case ' ':
		if (tui->pane.kind == TUI_PANE_THREADS) {
			choose(tui);
			return true;
		}
		pane_move(tui, height - 1);
		return true;
	case TUI_KEY_PAGE_DOWN:
	case TUI_CTRL('d'):
		pane_move(tui, height - 1);
		return true;
	case 'b':
	case TUI_KEY_PAGE_UP:
	case TUI_CTRL('u'):
		pane_move(tui, 1 - height);
		return true;
	case 'g':
	case TUI_KEY_HOME:
		pane_move(tui, INT32_MIN);
		return true;
	case 'G':
	case TUI_KEY_END:
		pane_move(tui, INT32_MAX);
		return true;
	case TUI_KEY_ENTER:
		choose(tui);
		return true;
	case 'x':
	case TUI_KEY_DELETE:
		return take_away(tui);
	case 'q':
	case TUI_KEY_ESCAPE:
	case TUI_CTRL('c'):
		tui_pane_open(tui, tui->pane.kind);
		return true;
	default:
		return false;
	}
}
