/* SPDX-License-Identifier: MIT */
/* tui_search.h - what is looked for: a text or regular expression in an event's line. */
#ifndef VIEWER_TUI_SEARCH_H
#define VIEWER_TUI_SEARCH_H

#include <regex.h>

#include "viewer/paged.h"
#include "viewer/text_line.h"

#define TUI_SEARCH_BYTES 512

struct tui_search {
	char text[TUI_SEARCH_BYTES]; /* "": nothing is looked for */
	bool plain, ignore_case;     /* plain: no regular expression */
	regex_t regex;
	bool have_regex;
	struct text_line line; /* without colours and times */
	bool have_line;
	struct columns *columns;
	struct out out;
	struct record record;
	enum site_level least; /* of a search by level */
	const struct meta_thread *thread;
};

/* 0 or -ENOMEM. */
int tui_search_open(struct tui_search *search, struct dump *const *dumps, size_t count);
void tui_search_close(struct tui_search *search);

/*
 * A text without capitals matches these too. False: no regular expression, and why; then nothing is
 * looked for.
 */
bool tui_search_set(struct tui_search *search, const char *text, char *why, size_t why_bytes);
/* Where in a line (terminated) the next match from `at` on is. False: there is none. */
bool tui_search_in(const struct tui_search *search, const char *line, size_t at, size_t *ret_from,
		   size_t *ret_to);

/* What the model's search asks; the context is the search. */
bool tui_search_text(void *context, const struct paged_item *item);
bool tui_search_level(void *context, const struct paged_item *item);
bool tui_search_thread(void *context, const struct paged_item *item);

#endif
