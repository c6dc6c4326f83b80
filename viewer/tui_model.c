/* SPDX-License-Identifier: MIT */
/*
 * The window is a run of rows without a gap between them, or empty: then `above` and `below` are
 * where it is to be. Rows are added at either end by a scan from the place there, which goes on in
 * the next slice from where it came to.
 */
#include "viewer/tui_model.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Items between two looks at the clock. */
#define SCAN_ITEMS 512

enum scan { SCAN_FOUND, SCAN_END, SCAN_LATER };

static size_t place_bytes(const struct tui_model *model)
{
	return model->sources * sizeof(uint64_t);
}

static uint64_t *place_of(const struct tui_model *model, size_t row)
{
	return model->places + row * model->sources;
}

int tui_model_open(struct tui_model *model, struct paged *paged, struct tui_filter *filter)
{
	*model = (struct tui_model){
		.paged = paged, .filter = filter, .height = 1, .sources = paged_sources(paged)};
	model->places = calloc(TUI_ROWS_MAX + 1, place_bytes(model));
	model->above = calloc(1, place_bytes(model));
	model->below = calloc(1, place_bytes(model));
	model->at = calloc(1, place_bytes(model));
	if (!model->places || !model->above || !model->below || !model->at)
		return -ENOMEM;
	return 0;
}

void tui_model_close(struct tui_model *model)
{
	free(model->places);
	free(model->above);
	free(model->below);
	free(model->at);
	free(model->marks);
	free(model->mark_places);
}

/* ---- scans ------------------------------------------------------------------------------------
 */

static bool is_late(int64_t until_ns)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec >= until_ns;
}

/*
 * From `place` on, to an item that the filter and `wanted` (if there is one) let through; then the
 * place is behind it, in that direction.
 */
static enum scan scan(struct tui_model *model, uint64_t *place, int direction, tui_wanted wanted,
		      int64_t until_ns, struct paged_item *item)
{
	for (uint64_t i = 1;; i++) {
		if (!(direction > 0 ? paged_next(model->paged, place, item)
				    : paged_prev(model->paged, place, item)))
			return SCAN_END;
		model->scanned++;
		if (tui_filter_match(model->filter, item) &&
		    (!wanted || wanted(model->wanted_context, item)))
			return SCAN_FOUND;
		if (i % SCAN_ITEMS == 0 && is_late(until_ns))
			return SCAN_LATER;
	}
}

/* ---- the window -------------------------------------------------------------------------------
 */

static void set_row(struct tui_model *model, size_t row, const struct paged_item *item,
		    const uint64_t *place)
{
	memcpy(place_of(model, row), place, place_bytes(model));
	model->rows[row] =
		(struct tui_row){item->source, item->number, paged_rank(model->paged, place)};
}

static void drop_first(struct tui_model *model)
{
	memcpy(model->above, place_of(model, 0), place_bytes(model));
	model->above[model->rows[0].source]++;
	model->count--;
	memmove(model->rows, model->rows + 1, model->count * sizeof(*model->rows));
	memmove(model->places, place_of(model, 1), model->count * place_bytes(model));
	if (model->selected)
		model->selected--;
	model->at_start = false;
}

static void drop_last(struct tui_model *model)
{
	model->count--;
	memcpy(model->below, place_of(model, model->count), place_bytes(model));
	if (model->selected && model->selected == model->count)
		model->selected--;
	model->at_end = false;
}

/* True: a row more, or there is none. */
static bool add_below(struct tui_model *model, int64_t until_ns)
{
	struct paged_item item;
	enum scan found = scan(model, model->below, 1, NULL, until_ns, &item);

	if (found == SCAN_END)
		model->at_end = true;
	if (found != SCAN_FOUND)
		return found == SCAN_END;
	if (model->count >= model->height)
		drop_first(model);
	model->below[item.source]--;
	set_row(model, model->count++, &item, model->below);
	model->below[item.source]++;
	return true;
}

static bool add_above(struct tui_model *model, int64_t until_ns)
{
	struct paged_item item;
	enum scan found = scan(model, model->above, -1, NULL, until_ns, &item);

	if (found == SCAN_END)
		model->at_start = true;
	if (found != SCAN_FOUND)
		return found == SCAN_END;
	if (model->count >= model->height)
		drop_last(model);
	memmove(model->rows + 1, model->rows, model->count * sizeof(*model->rows));
	memmove(place_of(model, 1), model->places, model->count * place_bytes(model));
	set_row(model, 0, &item, model->above);
	if (model->count++)
		model->selected++;
	return true;
}

/* What the window wants: 1 a row below, -1 one above, 0 nothing. */
static int missing(const struct tui_model *model)
{
	if (!model->count)
		return !model->at_end ? 1 : !model->at_start ? -1 : 0;
	if (model->steps > 0 && model->selected + 1 == model->count && !model->at_end)
		return 1;
	if (model->steps < 0 && !model->selected && !model->at_start)
		return -1;
	if (model->selected < model->lead && !model->at_start)
		return -1;
	if (model->count < model->height)
		return !model->at_end ? 1 : !model->at_start ? -1 : 0;
	return 0;
}

/* Moves the selection as far as there are rows. */
static void take_steps(struct tui_model *model)
{
	if (model->steps > 0 && model->count) {
		size_t room = model->count - 1 - model->selected;
		size_t step = (uint64_t)model->steps < room ? (size_t)model->steps : room;

		model->selected += step;
		model->steps -= (int64_t)step;
		if (model->at_end)
			model->steps = 0;
	} else if (model->steps < 0 && model->count) {
		size_t step = (uint64_t)-model->steps < model->selected ? (size_t)-model->steps
									: model->selected;

		model->selected -= step;
		model->steps += (int64_t)step;
		if (model->at_start)
			model->steps = 0;
	}
}

/* The window is whole. False: no page is wanted. */
static bool take_page(struct tui_model *model)
{
	const int direction = (model->pages > 0) - (model->pages < 0);

	model->lead = 0;
	if (!direction || !model->count) {
		model->pages = 0;
		return false;
	}
	model->pages -= direction;
	if (direction > 0 && !model->at_end)
		tui_model_jump(model, place_of(model, model->count - 1), 0);
	else if (direction < 0 && !model->at_start)
		tui_model_jump(model, model->places, model->height - 1);
	else
		model->selected = direction > 0 ? model->count - 1 : 0;
	return true;
}

static bool grow(struct tui_model *model, int64_t until_ns)
{
	int wanted;

	for (;;) {
		take_steps(model);
		wanted = missing(model);
		if (!wanted && take_page(model))
			continue;
		if (!wanted)
			return false;
		if (!(wanted > 0 ? add_below(model, until_ns) : add_above(model, until_ns)) ||
		    is_late(until_ns))
			return true;
	}
}

/* ---- work -------------------------------------------------------------------------------------
 */

static bool search(struct tui_model *model, int64_t until_ns)
{
	struct paged_item item;
	enum scan found = scan(model, model->at, model->direction, model->wanted, until_ns, &item);

	if (found == SCAN_LATER)
		return true;
	model->not_found = found == SCAN_END;
	if (found == SCAN_FOUND) {
		if (model->direction > 0)
			model->at[item.source]--;
		for (size_t i = 0; i < model->count; i++)
			if (model->rows[i].source == item.source &&
			    model->rows[i].number == item.number) {
				model->selected = i;
				model->direction = 0;
				return false;
			}
		tui_model_jump(model, model->at, model->height / 2);
	}
	model->direction = 0;
	return false;
}

bool tui_model_work(struct tui_model *model, int64_t until_ns)
{
	if (model->direction && search(model, until_ns))
		return true;
	if (grow(model, until_ns))
		return true;
	model->scanned = 0;
	return false;
}

bool tui_model_is_busy(const struct tui_model *model)
{
	return model->direction || model->steps || model->pages || missing(model);
}

void tui_model_cancel(struct tui_model *model)
{
	model->direction = 0;
	model->steps = model->pages = 0;
	model->lead = 0;
	model->scanned = 0;
	if (!model->count || model->count < model->height)
		model->at_start = model->at_end = true;
}

void tui_model_resize(struct tui_model *model, size_t height)
{
	model->height = height < 1 ? 1 : height > TUI_ROWS_MAX ? TUI_ROWS_MAX : height;
	while (model->count > model->height) {
		if (model->selected >= model->height)
			drop_first(model);
		else
			drop_last(model);
	}
}

void tui_model_jump(struct tui_model *model, const uint64_t *place, size_t lead)
{
	if (place != model->below)
		memcpy(model->below, place, place_bytes(model));
	memcpy(model->above, model->below, place_bytes(model));
	model->count = model->selected = 0;
	model->steps = 0;
	model->at_start = model->at_end = false;
	model->lead = lead < model->height ? lead : model->height - 1;
}

void tui_model_refilter(struct tui_model *model)
{
	model->direction = 0;
	tui_model_jump(model, model->count ? place_of(model, model->selected) : model->below,
		       model->selected);
}

void tui_model_move(struct tui_model *model, int64_t rows)
{
	/* Another direction is a new wish. */
	if ((model->steps > 0) != (rows > 0))
		model->steps = 0;
	/* What was given up is tried again. */
	if (model->count < model->height)
		model->at_start = model->at_end = false;
	model->steps += rows;
}

void tui_model_page(struct tui_model *model, int direction)
{
	if ((model->pages > 0) != (direction > 0))
		model->pages = 0;
	model->pages += direction;
}

void tui_model_start(struct tui_model *model)
{
	paged_start(model->paged, model->at);
	tui_model_jump(model, model->at, 0);
	model->at_start = true;
}

void tui_model_end(struct tui_model *model)
{
	paged_end(model->paged, model->at);
	tui_model_jump(model, model->at, model->height - 1);
	model->at_end = true;
}

void tui_model_time(struct tui_model *model, int64_t ns)
{
	paged_seek_time(model->paged, model->at, ns);
	tui_model_jump(model, model->at, model->height / 2);
}

bool tui_model_death(struct tui_model *model)
{
	const struct tui_row *row = tui_model_selected(model);
	const size_t source = model->sources - 1;
	size_t marks = (size_t)paged_count(model->paged, source), next = 0;

	if (!marks)
		return false;
	if (row && row->source == source)
		next = (size_t)(row->number + 1) % marks;
	paged_seek_mark(model->paged, model->at, next);
	/* What led to it matters more than what came after. */
	tui_model_jump(model, model->at, model->height - 1 - model->height / 5);
	return true;
}

void tui_model_find_from(struct tui_model *model, const uint64_t *place, int direction,
			 tui_wanted wanted, void *context)
{
	if (place != model->at)
		memcpy(model->at, place, place_bytes(model));
	model->wanted = wanted;
	model->wanted_context = context;
	model->direction = direction;
	model->not_found = false;
	model->scanned = 0;
}

void tui_model_find(struct tui_model *model, int direction, tui_wanted wanted, void *context)
{
	tui_model_place(model, direction > 0, model->at);
	tui_model_find_from(model, model->at, direction, wanted, context);
}

void tui_model_place(const struct tui_model *model, bool behind, uint64_t *ret_place)
{
	memcpy(ret_place, model->count ? place_of(model, model->selected) : model->below,
	       place_bytes(model));
	if (behind && model->count)
		ret_place[model->rows[model->selected].source]++;
}

/* ---- rows -------------------------------------------------------------------------------------
 */

const struct tui_row *tui_model_selected(const struct tui_model *model)
{
	return model->count ? &model->rows[model->selected] : NULL;
}

void tui_model_select(struct tui_model *model, size_t row)
{
	if (row >= model->count)
		return;
	model->steps = 0;
	model->lead = 0;
	model->selected = row;
}

bool tui_model_item(struct tui_model *model, size_t row, struct paged_item *ret_item)
{
	if (row >= model->count)
		return false;
	paged_item_at(model->paged, model->rows[row].source, model->rows[row].number, ret_item);
	return true;
}

/* ---- marks ------------------------------------------------------------------------------------
 */

static bool is_same(const struct tui_row *a, const struct tui_row *b)
{
	return a->source == b->source && a->number == b->number;
}

static int marks_grow(struct tui_model *model)
{
	size_t capacity = model->mark_capacity ? 2 * model->mark_capacity : 16;
	struct tui_row *marks = reallocarray(model->marks, capacity, sizeof(*marks));
	uint64_t *places;

	if (!marks)
		return -ENOMEM;
	model->marks = marks;
	places = reallocarray(model->mark_places, capacity, place_bytes(model));
	if (!places)
		return -ENOMEM;
	model->mark_places = places;
	model->mark_capacity = capacity;
	return 0;
}

static void move_marks(struct tui_model *model, size_t to, size_t from)
{
	memmove(model->marks + to, model->marks + from,
		(model->mark_count - from) * sizeof(*model->marks));
	memmove(model->mark_places + to * model->sources,
		model->mark_places + from * model->sources,
		(model->mark_count - from) * place_bytes(model));
}

int tui_model_mark(struct tui_model *model)
{
	const struct tui_row *row = tui_model_selected(model);
	size_t at = 0;

	if (!row)
		return 0;
	while (at < model->mark_count && model->marks[at].rank < row->rank)
		at++;
	if (at < model->mark_count && is_same(&model->marks[at], row)) {
		move_marks(model, at, at + 1);
		model->mark_count--;
		return 0;
	}
	if (model->mark_count == model->mark_capacity && marks_grow(model))
		return -ENOMEM;
	move_marks(model, at + 1, at);
	model->marks[at] = *row;
	memcpy(model->mark_places + at * model->sources, place_of(model, model->selected),
	       place_bytes(model));
	model->mark_count++;
	return 0;
}

bool tui_model_is_marked(const struct tui_model *model, const struct tui_row *row)
{
	for (size_t i = 0; i < model->mark_count; i++)
		if (is_same(&model->marks[i], row))
			return true;
	return false;
}

bool tui_model_to_mark(struct tui_model *model, int direction)
{
	const struct tui_row *row = tui_model_selected(model);
	const uint64_t rank = row ? row->rank : 0;
	size_t best = SIZE_MAX;

	for (size_t i = 0; i < model->mark_count; i++) {
		if (direction > 0 && model->marks[i].rank > rank && best == SIZE_MAX)
			best = i;
		if (direction < 0 && model->marks[i].rank < rank)
			best = i;
	}
	if (best == SIZE_MAX)
		return false;
	tui_model_jump(model, model->mark_places + best * model->sources, model->height / 2);
	return true;
}
