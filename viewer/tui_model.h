/* SPDX-License-Identifier: MIT */
/*
 * tui_model.h - what the interactive view shows of the timeline: a window of rows, one of them
 * selected.
 *
 * Knows no screen and no keys. What may take long (the next row that a filter lets through, a
 * search) is begun by a call that returns at once, and done by tui_model_work() in slices.
 */
#ifndef VIEWER_TUI_MODEL_H
#define VIEWER_TUI_MODEL_H

#include "viewer/tui_filter.h"

#define TUI_ROWS_MAX 512

struct tui_row {
	size_t source;
	uint64_t number; /* in the source */
	uint64_t rank;
};

/* Is it this one? Marks are asked about too. */
typedef bool (*tui_wanted)(void *context, const struct paged_item *item);

struct tui_model {
	struct paged *paged;
	struct tui_filter *filter;
	size_t sources;

	/* The window: rows by time, and the place before each. */
	struct tui_row rows[TUI_ROWS_MAX];
	uint64_t *places;
	size_t count, selected, height;
	bool at_start, at_end; /* nothing is above, or below */
	/* From where the next row is looked for; between these and the window nothing is shown. */
	uint64_t *above, *below;
	size_t lead;   /* rows that are wanted above the selected one */
	int64_t steps; /* that the selection is still to move */
	int64_t pages; /* the same of the window */

	/* A search. */
	tui_wanted wanted;
	void *wanted_context;
	int direction; /* 0: there is none */
	uint64_t *at;
	bool not_found; /* the last one ended without */

	/* Where marks were set by the user, by rank. */
	struct tui_row *marks;
	uint64_t *mark_places;
	size_t mark_count, mark_capacity;

	uint64_t scanned; /* since work began */
};

/* 0 or -ENOMEM. */
int tui_model_open(struct tui_model *model, struct paged *paged, struct tui_filter *filter);
void tui_model_close(struct tui_model *model);

/* Works until that moment (CLOCK_MONOTONIC). True: there is more to do. */
bool tui_model_work(struct tui_model *model, int64_t until_ns);
bool tui_model_is_busy(const struct tui_model *model);
/* Gives up what takes long: rows that are missing stay so until the next move. */
void tui_model_cancel(struct tui_model *model);

void tui_model_resize(struct tui_model *model, size_t height);
/* The filter has changed: the rows are others, the selected one stays if it is still there. */
void tui_model_refilter(struct tui_model *model);
void tui_model_move(struct tui_model *model, int64_t rows);
/* A screen on or back: its last row becomes the first, or its first the last. */
void tui_model_page(struct tui_model *model, int direction);
/* To the first row that is not before the place; `lead` rows above it, if there are any. */
void tui_model_jump(struct tui_model *model, const uint64_t *place, size_t lead);
void tui_model_start(struct tui_model *model);
void tui_model_end(struct tui_model *model);
void tui_model_time(struct tui_model *model, int64_t ns);
/* To the death; from there, to the next one. False: nobody died, and no snapshot was taken. */
bool tui_model_death(struct tui_model *model);
/* From the selected row on, to the next that is wanted, if there is one. */
void tui_model_find(struct tui_model *model, int direction, tui_wanted wanted, void *context);

/* The same from a place on. */
void tui_model_find_from(struct tui_model *model, const uint64_t *place, int direction,
			 tui_wanted wanted, void *context);

/* NULL: there are no rows. */
const struct tui_row *tui_model_selected(const struct tui_model *model);
/* The place before the selected row, or behind it. */
void tui_model_place(const struct tui_model *model, bool behind, uint64_t *ret_place);
void tui_model_select(struct tui_model *model, size_t row); /* of the window */
bool tui_model_item(struct tui_model *model, size_t row, struct paged_item *ret_item);

/* Sets one, or takes it away. 0 or -ENOMEM. */
int tui_model_mark(struct tui_model *model);
bool tui_model_is_marked(const struct tui_model *model, const struct tui_row *row);
/* To the next mark in that direction. False: there is none. */
bool tui_model_to_mark(struct tui_model *model, int direction);

#endif
