/* SPDX-License-Identifier: MIT */
/* The last two rows are the state and the keys; the first is the verdict; what is between are rows
 * or a pane. */
#include "viewer/tui.h"

#include <inttypes.h>
#include <string.h>

#include "viewer/fault.h"
#include "viewer/when.h"

static size_t middle_height(const struct tui *tui)
{
	return tui_rows_height(tui) + tui_fields_height(tui);
}

/* A row of the screen from that column on. */
static struct tui_pen pen_at(struct tui *tui, size_t row, size_t left, uint8_t style)
{
	return (struct tui_pen){&tui->screen, row, left, tui->screen.columns, (long)left, style};
}

/* ---- the verdict ------------------------------------------------------------------------------
 */

/* The dump that the selected row is of; a mark's is the one with that metadata. */
static struct dump *current_dump(struct tui *tui)
{
	struct paged_item item;

	if (!tui_selected(tui, &item))
		return tui->setup.dumps[0];
	if (!item.mark)
		return item.event.dump;
	for (size_t i = 0; i < tui->setup.dump_count; i++)
		if (dump_meta(tui->setup.dumps[i]) == item.mark->meta)
			return tui->setup.dumps[i];
	return tui->setup.dumps[0];
}

static struct span last_part(struct span path)
{
	const char *slash = path.bytes ? memrchr(path.data, '/', path.bytes) : NULL;

	return slash ? (struct span){slash + 1, path.bytes - (size_t)(slash + 1 - path.data)}
		     : path;
}

/* The innermost frame of the program itself: what a library did there is the second question. */
static const struct meta_frame *find_place(const struct meta *meta, const struct meta_scene *scene,
					   const struct meta_scene_thread *thread)
{
	const struct meta_frame *first = NULL;

	for (uint64_t i = 0; i < thread->frame_count; i++) {
		const struct meta_frame *frame = &thread->frames[i];

		if (!frame->function.bytes)
			continue;
		if (frame->module.known && frame->module.bits < scene->module_count &&
		    span_equal(scene->modules[frame->module.bits].path, meta->process.exe))
			return frame;
		first = first ? first : frame;
	}
	return first;
}

static void put_place(struct out *out, const struct meta *meta, const struct meta_scene *scene)
{
	const struct meta_frame *frame = NULL;

	for (uint64_t i = 0; i < scene->thread_count && !frame; i++)
		if (scene->threads[i].is_fatal)
			frame = find_place(meta, scene, &scene->threads[i]);
	if (!frame)
		return;
	out_text(out, "; in ");
	out_escaped(out, frame->function, 0);
	if (!frame->file.bytes)
		return;
	out_text(out, " (");
	out_escaped(out, last_part(frame->file), 0);
	if (frame->line.bits)
		out_printf(out, ":%" PRIu64, frame->line.bits);
	out_char(out, ')');
}

static void write_verdict(struct out *out, struct dump *dump)
{
	const struct meta *meta = dump_meta(dump);
	size_t before;

	out_escaped(out, meta->service, 0);
	if (meta->pid.known)
		out_printf(out, "[%" PRIu64 "]", meta->pid.bits);
	out_text(out, ": ");
	if (meta->cause.sentence.bytes)
		out_escaped(out, meta->cause.sentence, 0);
	else
		out_text(out, "how it ended is not known");
	before = out->bytes;
	out_text(out, "; ");
	if (!fault_explain(out, &meta->cause, dump_scene(dump)))
		out->bytes = before;
	put_place(out, meta, dump_scene(dump));
}

/* Where a row of that many columns is to end: at a space, if there is one in its second half. */
static size_t break_at(struct span text, size_t columns)
{
	if (text.bytes <= columns)
		return text.bytes;
	for (size_t at = columns; at > columns / 2; at--)
		if (text.data[at] == ' ')
			return at;
	return columns;
}

size_t tui_verdict_columns(struct tui *tui)
{
	size_t most = 0;

	for (size_t i = 0; i < tui->setup.dump_count; i++) {
		tui->scratch.bytes = 0;
		write_verdict(&tui->scratch, tui->setup.dumps[i]);
		most = tui->scratch.bytes > most ? tui->scratch.bytes : most;
	}
	return most;
}

static void write_when(struct out *out, const struct meta *meta)
{
	const struct number *when = meta->death_ns.known ? &meta->death_ns : &meta->created_ns;

	if (!when->known)
		return;
	when_rfc3339(out, (int64_t)when->bits);
	out_text(out, "  on ");
	out_escaped(out, meta->hostname, 0);
	if (meta->overwritten.bits) {
		out_text(out, ", ");
		out_count(out, meta->overwritten.bits, 0);
		out_text(out, " older events overwritten");
	}
	if (meta->dropped.bits) {
		out_text(out, ", ");
		out_count(out, meta->dropped.bits, 0);
		out_text(out, " dropped");
	}
}

/* What is left of its rows says when it was. */
static void draw_verdict(struct tui *tui)
{
	struct dump *dump = current_dump(tui);
	const uint8_t style = dump_meta(dump)->death_ns.known ? TUI_BOLD | TUI_WHITE | TUI_ON_RED
							      : TUI_BOLD | TUI_REVERSE;
	bool when = false;
	struct span text;

	tui->scratch.bytes = 0;
	write_verdict(&tui->scratch, dump);
	text = span_of(&tui->scratch);
	for (size_t row = 0; row < tui->head_rows; row++) {
		const bool last = row + 1 == tui->head_rows;
		size_t bytes = last ? text.bytes : break_at(text, tui->screen.columns);

		if (!text.bytes && !when) {
			tui->scratch.bytes = 0;
			write_when(&tui->scratch, dump_meta(dump));
			text = span_of(&tui->scratch);
			when = true;
			bytes = text.bytes;
		}
		tui_screen_bar(&tui->screen, row, (struct span){text.data, bytes}, style);
		bytes += bytes < text.bytes && text.data[bytes] == ' ';
		text = (struct span){text.data + bytes, text.bytes - bytes};
	}
}

/* ---- rows -------------------------------------------------------------------------------------
 */

static void highlight(struct tui *tui, size_t row)
{
	uint16_t columns[4096];
	size_t at = 0, from, to;

	if (!tui->search.text[0])
		return;
	tui->scratch.bytes = 0;
	tui_screen_row(&tui->screen, row, &tui->scratch, columns,
		       sizeof(columns) / sizeof(*columns));
	out_char(&tui->scratch, '\0');
	if (tui->scratch.error)
		return;
	while (at < tui->scratch.bytes - 1 &&
	       tui_search_in(&tui->search, tui->scratch.data, at, &from, &to)) {
		for (size_t i = from; i < to && i < sizeof(columns) / sizeof(*columns); i++) {
			struct tui_cell *cell = tui_screen_cell(&tui->screen, row, columns[i]);

			if (i == from || columns[i] != columns[i - 1])
				cell->style = (cell->style ^ TUI_REVERSE) | TUI_UNDERLINE;
		}
		at = to > from ? to : to + 1;
	}
}

static void write_mark(struct tui *tui, struct out *out, const struct paged_item *item)
{
	struct span sentence = item->mark->meta->cause.sentence;

	text_line_times(&tui->line, out, item->mark->meta, item->ns, item->ns, false);
	out_text(out, item->mark->dead ? TEXT_DEATH "===== " : TEXT_BOLD "===== ");
	out_escaped(out, item->mark->meta->service, 0);
	if (item->mark->meta->pid.known)
		out_printf(out, "[%" PRIu64 "]", item->mark->meta->pid.bits);
	out_text(out, ": ");
	if (sentence.bytes)
		out_escaped(out, sentence, 0);
	else
		out_text(out, item->mark->dead ? "how it died is not known" : "written");
	out_text(out, " =====" TEXT_RESET);
}

static void draw_row(struct tui *tui, size_t row, int64_t before_ns)
{
	const size_t at = tui_rows_top(tui) + row;
	struct tui_pen pen = pen_at(tui, at, 0, 0);
	struct paged_item item;

	tui_model_item(&tui->model, row, &item);
	tui->scratch.bytes = 0;
	if (item.mark) {
		write_mark(tui, &tui->scratch, &item);
	} else {
		tui->record.event = item.event;
		tui->record.decoded = false;
		text_line_write(&tui->line, &tui->scratch, &tui->record, before_ns);
	}
	tui_pen_text(&pen, tui_model_is_marked(&tui->model, &tui->model.rows[row]) ? "*" : " ");
	pen.left = 1;
	pen.column = 1 - tui->shift;
	tui_pen_put(&pen, span_of(&tui->scratch));
	highlight(tui, at);
	if (row == tui->model.selected) {
		/* In one piece, whatever its colours; what was found stands out of it. */
		for (size_t i = 0; i < tui->screen.columns; i++) {
			struct tui_cell *cell = tui_screen_cell(&tui->screen, at, i);

			cell->style &= TUI_UNDERLINE | TUI_REVERSE | TUI_BOLD;
			cell->style ^= TUI_REVERSE;
		}
		tui->screen.cursor_row = (long)at;
		tui->screen.cursor_column = 0;
	}
}

static void draw_rows(struct tui *tui)
{
	struct paged_item item = {0};
	int64_t before_ns = 0;

	if (!tui->model.count) {
		struct tui_pen pen = pen_at(tui, tui_rows_top(tui), 2, TUI_DIM);

		tui_pen_text(&pen, tui_model_is_busy(&tui->model)
					   ? "looking for events that the filters let through ..."
					   : "no event is shown: 0 takes all filters away");
		return;
	}
	for (size_t i = 0; i < tui->model.count; i++) {
		tui_model_item(&tui->model, i, &item);
		if (!i)
			before_ns = item.ns;
		draw_row(tui, i, before_ns);
		before_ns = item.ns;
	}
}

/* ---- text in the middle -----------------------------------------------------------------------
 */

/* Lines of a text from `top` on; returns how many there are in all. */
static size_t draw_text(struct tui *tui, const struct out *text, size_t top, size_t row,
			size_t height)
{
	size_t line = 0;

	for (size_t at = 0; at < text->bytes; line++) {
		const char *end = memchr(text->data + at, '\n', text->bytes - at);
		size_t bytes = end ? (size_t)(end - text->data) - at : text->bytes - at;

		if (line >= top && line - top < height) {
			struct tui_pen pen = pen_at(tui, row + line - top, 0, 0);

			tui_pen_put(&pen, (struct span){text->data + at, bytes});
		}
		at += bytes + 1;
	}
	return line;
}

static void draw_fields(struct tui *tui)
{
	const size_t height = tui_fields_height(tui);
	const size_t row = tui_rows_top(tui) + tui_rows_height(tui);
	size_t lines;

	if (height < 2)
		return;
	tui_screen_bar(&tui->screen, row,
		       (struct span){" fields of the event; ] and [ scroll, Enter closes", 50},
		       TUI_REVERSE | TUI_DIM);
	tui->pane.text.bytes = 0;
	tui_fields_write(tui, &tui->pane.text);
	lines = draw_text(tui, &tui->pane.text, SIZE_MAX, 0, 0);
	if (tui->fields_top + height - 1 > lines)
		tui->fields_top = lines > height - 1 ? lines - (height - 1) : 0;
	draw_text(tui, &tui->pane.text, tui->fields_top, row + 1, height - 1);
}

static void draw_pane(struct tui *tui)
{
	struct tui_pane *pane = &tui->pane;
	const size_t height = middle_height(tui);
	size_t chosen;

	tui_pane_make(tui);
	chosen = pane->first_choice + pane->cursor;
	if (pane->choices && chosen >= pane->top + height)
		pane->top = chosen - height + 1;
	if (pane->choices && chosen < pane->top + (pane->cursor ? 0 : pane->first_choice))
		pane->top = pane->cursor ? chosen : 0;
	draw_text(tui, &pane->text, pane->top, tui_rows_top(tui), height);
	if (pane->choices && chosen >= pane->top && chosen - pane->top < height) {
		const size_t row = tui_rows_top(tui) + chosen - pane->top;

		tui_screen_restyle(&tui->screen, row, TUI_REVERSE);
		tui->screen.cursor_row = (long)row;
		tui->screen.cursor_column = 0;
	}
}

/* ---- below ------------------------------------------------------------------------------------
 */

static void write_position(struct tui *tui, struct out *out)
{
	const struct tui_row *row = tui_model_selected(&tui->model);
	const uint64_t total = paged_total(tui->paged);
	struct paged_item item;

	if (!row || !tui_selected(tui, &item))
		return;
	when_date(out, item.ns);
	out_char(out, ' ');
	when_time(out, item.ns);
	out_text(out, " UTC  ");
	out_count(out, row->rank + 1, 0);
	out_char(out, '/');
	out_count(out, total, 0);
	if (total)
		out_printf(out, " %.0f%%", (double)(row->rank + 1) * 100 / (double)total);
}

static void write_state(struct tui *tui, struct out *out)
{
	out_char(out, ' ');
	write_position(tui, out);
	if (paged_damaged(tui->paged))
		out_text(out, "  [damaged]");
	out_text(out, "  ");
	if (tui->filter.off)
		out_text(out, "(filters off) ");
	tui_filter_describe(&tui->filter, out);
	if (tui->filter.query_base)
		out_printf(out, " +%u of the command line", tui->filter.query_base);
	if (tui->search.text[0]) {
		out_text(out, "  /");
		out_escaped(out, (struct span){tui->search.text, strlen(tui->search.text)}, 0);
	}
}

static void write_work(struct tui *tui, struct out *out)
{
	if (tui->save.active) {
		out_text(out, " saving: ");
		out_count(out, tui->save.events, 0);
		out_printf(out, " events, %.0f%%; ^C stops ",
			   (double)tui->save.seen * 100 / (double)(paged_total(tui->paged) + 1));
	} else if (tui->model.scanned && tui_model_is_busy(&tui->model)) {
		out_text(out, " looking: ");
		out_count(out, tui->model.scanned, 0);
		out_text(out, " events so far; ^C stops ");
	}
}

static void draw_state(struct tui *tui)
{
	const size_t row = tui->screen.rows - 2;

	tui->scratch.bytes = 0;
	write_work(tui, &tui->scratch);
	if (!tui->scratch.bytes)
		write_state(tui, &tui->scratch);
	tui_screen_bar(&tui->screen, row, span_of(&tui->scratch), TUI_REVERSE);
}

static void draw_hints(struct tui *tui)
{
	struct tui_pen pen = pen_at(tui, tui->screen.rows - 1, 0, 0);
	char buffer[8];

	for (const struct tui_action *action = tui_actions; action->help; action++) {
		if (!action->hint)
			continue;
		tui_pen_text(&pen, " ");
		pen.style = TUI_BOLD;
		tui_pen_text(&pen, tui_key_name(action->keys[0], buffer));
		pen.style = 0;
		tui_pen_text(&pen, " ");
		tui_pen_text(&pen, action->hint);
	}
}

static void draw_prompt(struct tui *tui)
{
	struct tui_prompt *prompt = &tui->prompt;
	struct tui_pen pen = pen_at(tui, tui->screen.rows - 1, 0, 0);

	tui_pen_text(&pen, tui_prompt_label(tui));
	tui_pen_put(&pen, (struct span){prompt->text, prompt->cursor});
	tui->screen.cursor_row = (long)pen.row;
	tui->screen.cursor_column = pen.column < (long)pen.right ? pen.column : (long)pen.right - 1;
	tui_pen_put(&pen,
		    (struct span){prompt->text + prompt->cursor, prompt->bytes - prompt->cursor});
	if (tui->message.bytes)
		tui_screen_bar(&tui->screen, pen.row - 1, span_of(&tui->message),
			       TUI_REVERSE | TUI_BOLD);
}

void tui_draw(struct tui *tui)
{
	tui_screen_clear(&tui->screen);
	if (tui->screen.rows < 4 || tui->screen.columns < 10) {
		tui_screen_bar(&tui->screen, 0, (struct span){"too small", 9}, 0);
		return;
	}
	draw_verdict(tui);
	if (tui->pane.kind) {
		draw_pane(tui);
	} else {
		draw_rows(tui);
		draw_fields(tui);
	}
	draw_state(tui);
	if (tui->prompt.kind)
		draw_prompt(tui);
	else if (tui->message.bytes)
		tui_screen_bar(&tui->screen, tui->screen.rows - 1, span_of(&tui->message),
			       tui->message_is_error ? TUI_BOLD | TUI_RED : TUI_BOLD);
	else
		draw_hints(tui);
}
