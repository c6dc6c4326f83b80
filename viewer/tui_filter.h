/* SPDX-License-Identifier: MIT */
/*
 * tui_filter.h - what of the timeline is shown: the filters that were given on the command line and
 * those of the keys. Marks always are.
 */
#ifndef VIEWER_TUI_FILTER_H
#define VIEWER_TUI_FILTER_H

#include "viewer/paged.h"
#include "viewer/query.h"

#define TUI_HIDDEN_MAX 1024
#define TUI_EXPRESSIONS_MAX 32

struct tui_filter {
	struct paged *paged;
	struct query *query; /* of the command line, and the expressions behind it */
	uint32_t query_base; /* terms that are the command line's */
	char *expressions[TUI_EXPRESSIONS_MAX];
	size_t expression_count;
	bool off; /* all of it, but for the command line's */
	enum site_level least;
	char *target;			  /* only this one; NULL: all */
	const struct meta_thread *thread; /* only this one; NULL: all */
	const struct site *site;	  /* only this one; NULL: all */
	const struct site *hidden[TUI_HIDDEN_MAX];
	size_t hidden_count;
	unsigned char **threads_off; /* by source, a byte a thread: 1 = off */
	size_t off_count;
	uint64_t version; /* goes up with each change */
	struct record record;
};

/* 0 or -ENOMEM. The query stays the caller's. */
int tui_filter_open(struct tui_filter *filter, struct paged *paged, struct query *query);
void tui_filter_close(struct tui_filter *filter);

/* The item's record, if that is wanted: for who goes on with it. */
bool tui_filter_match(struct tui_filter *filter, const struct paged_item *item);

/*
 * The same of an event of another reading of that source's file, whatever the query says, which
 * knows no dump.
 */
bool tui_filter_wants(const struct tui_filter *filter, size_t source, const struct event *event);

/* Each is a change. false or an error: it is as it was. */
int tui_filter_add(struct tui_filter *filter, const char *expression,
		   struct query_error *ret_error);
bool tui_filter_drop(struct tui_filter *filter, size_t expression);
int tui_filter_target(struct tui_filter *filter, struct span target); /* without data: all */
void tui_filter_thread(struct tui_filter *filter, const struct meta_thread *thread); /* NULL: all */
void tui_filter_site(struct tui_filter *filter, const struct site *site);	     /* NULL: all */
bool tui_filter_hide(struct tui_filter *filter, const struct site *site);
bool tui_filter_unhide(struct tui_filter *filter); /* all of them */
void tui_filter_level(struct tui_filter *filter, enum site_level least);
bool tui_filter_thread_toggle(struct tui_filter *filter, size_t source, uint64_t thread);
void tui_filter_threads_all(struct tui_filter *filter);
void tui_filter_toggle(struct tui_filter *filter);
void tui_filter_clear(struct tui_filter *filter);

bool tui_filter_thread_is_off(const struct tui_filter *filter, size_t source, uint64_t thread);
/* Nothing, if all is shown. */
void tui_filter_describe(const struct tui_filter *filter, struct out *out);

#endif
