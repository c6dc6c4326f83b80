/* SPDX-License-Identifier: MIT */
/*
 * tui.h - the interactive view: keys go in, a screen of cells comes out; no terminal is known here.
 *
 *   tui_model.h   the rows of the timeline        tui_actions.c  the keys, what they do, the help
 *   tui_filter.h  which events                    tui_prompt.c   what is typed on the last line
 *   tui_census.h  counts                          tui_pane.c     text instead of the rows: help,
 * filters ... tui_search.h  the next match                  tui_counts.c   statistics, histogram,
 * threads; tui_fields.c tui_save.h    a file of what is shown         tui_view.c     draws all of
 * it tui_terminal.c ncurses, and the loop around this
 */
#ifndef VIEWER_TUI_H
#define VIEWER_TUI_H

#include "viewer/select.h"
#include "viewer/source_text.h"
#include "viewer/text_line.h"
#include "viewer/tui_census.h"
#include "viewer/tui_model.h"
#include "viewer/tui_save.h"
#include "viewer/tui_screen.h"
#include "viewer/tui_search.h"

/* Keys that are no characters. */
enum tui_key {
	TUI_KEY_UP = 0x110000,
	TUI_KEY_DOWN,
	TUI_KEY_LEFT,
	TUI_KEY_RIGHT,
	TUI_KEY_PAGE_UP,
	TUI_KEY_PAGE_DOWN,
	TUI_KEY_HOME,
	TUI_KEY_END,
	TUI_KEY_DELETE,
	TUI_KEY_WHEEL_UP,
	TUI_KEY_WHEEL_DOWN,
	TUI_KEY_F1,
	TUI_KEY_F3 = TUI_KEY_F1 + 2,
	TUI_KEY_F4,
	TUI_KEY_F5,
	TUI_KEY_F10 = TUI_KEY_F1 + 9,
};

#define TUI_CTRL(letter) ((letter)&31)
#define TUI_KEY_ENTER '\r'
#define TUI_KEY_ESCAPE 27
#define TUI_KEY_BACKSPACE 127

enum tui_pane_kind {
	TUI_PANE_NONE,
	TUI_PANE_HELP,
	TUI_PANE_INFO,
	TUI_PANE_STATS,
	TUI_PANE_HISTOGRAM,
	TUI_PANE_THREADS,
	TUI_PANE_FILTERS,
	TUI_PANE_SQL,
};

/* Text instead of the rows; some of its lines may be chosen. */
struct tui_pane {
	enum tui_pane_kind kind;
	struct out text;
	size_t lines, top, cursor;
	size_t first_choice, choices; /* lines; 0 choices: it is only read */
	bool made;		      /* the text is that of now */
};

enum tui_prompt_kind {
	TUI_PROMPT_NONE,
	TUI_PROMPT_SEARCH,
	TUI_PROMPT_FILTER,
	TUI_PROMPT_GOTO,
	TUI_PROMPT_SAVE,
	TUI_PROMPT_SQL,
};

#define TUI_PROMPT_BYTES 512

struct tui_prompt {
	enum tui_prompt_kind kind;
	char text[TUI_PROMPT_BYTES];
	size_t bytes, cursor;
};

/* What the command line has said. */
struct tui_setup {
	struct dump *const *dumps;
	size_t dump_count;
	struct selection *selection; /* its query, and its --around */
	const struct columns *columns; /* NULL: all */
	enum time_mode time;
	const char *const *source_folders;
	size_t source_folder_count;
};

struct tui {
	struct tui_setup setup;
	struct paged *paged;
	struct tui_filter filter;
	struct tui_model model;
	struct tui_census *census;
	struct tui_search search;
	struct tui_save save;
	struct tui_screen screen;
	struct text_line line;
	bool have_line;
	enum time_mode time;
	struct columns *brief; /* what a line has without times, threads and targets */
	unsigned int look;     /* columns: 0 all, 1 some, 2 few */
	long shift;	       /* to the right */
	struct tui_pane pane;
	size_t head_rows; /* of the verdict */
	bool fields;	  /* the panel below */
	size_t fields_top;
	struct source_text source; /* of the selected event */
	struct tui_prompt prompt;
	struct out rows; /* what SQL has found */
	char statement[TUI_PROMPT_BYTES];
	uint64_t *origin, *origin_behind; /* where a search began: before that row, and behind it */
	size_t origin_lead;
	struct out message; /* said once, below */
	bool message_is_error;
	struct out scratch, copy; /* copy: for the terminal's clipboard */
	struct record record;
	/*
	 * While something takes long that can't be left: shows the screen and takes keys; true: it is to
	 * end. NULL: nobody is there.
	 */
	bool (*pause)(void *context);
	void *pause_context;
	bool done;
};

/* 0 or a negative errno. The dumps stay open until the close. */
int tui_open(struct tui **ret_tui, const struct tui_setup *setup);
void tui_close(struct tui *tui); /* NULL is fine */

void tui_key(struct tui *tui, int key);
void tui_click(struct tui *tui, size_t row);
int tui_resize(struct tui *tui, size_t rows, size_t columns);
/* Works until that moment (CLOCK_MONOTONIC). True: there is more to do, and the screen may be
 * another. */
bool tui_work(struct tui *tui, int64_t until_ns);
void tui_draw(struct tui *tui);

/* ---- between its parts ---- */

void tui_say(struct tui *tui, bool is_error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void tui_line_again(struct tui *tui); /* the look of lines has changed */
void tui_refilter(struct tui *tui);
size_t tui_rows_top(const struct tui *tui);
size_t tui_rows_height(const struct tui *tui);
size_t tui_fields_height(const struct tui *tui);
/* False: there are no rows. */
bool tui_selected(struct tui *tui, struct paged_item *ret_item);
void tui_stop(struct tui *tui); /* whatever takes long */
bool tui_is_working(const struct tui *tui);

/* An action: up to four keys, what it does, in a few words for the last line if it is one of those
 * there. */
struct tui_action {
	int keys[4];
	const char *help, *hint;
	void (*run)(struct tui *tui);
};

/* A group's heading has no run(). Ends with a row without help. */
extern const struct tui_action tui_actions[];
/* The name of a key: "j", "^F", "PgDn". */
const char *tui_key_name(int key, char buffer[8]);

bool tui_prompt_key(struct tui *tui, int key); /* false: there is no prompt */
void tui_prompt_open(struct tui *tui, enum tui_prompt_kind kind, const char *text);
/* Back to where the search began. */
void tui_to_origin(struct tui *tui);
const char *tui_prompt_label(const struct tui *tui);

void tui_pane_open(struct tui *tui, enum tui_pane_kind kind); /* again: closes it */
void tui_pane_make(struct tui *tui);
bool tui_pane_key(struct tui *tui, int key); /* false: not for it */
void tui_ask_sql(struct tui *tui);
/* Shows what was found, or says why not. */
void tui_sql(struct tui *tui, const char *statement);
void tui_make_sql(struct tui *tui);
/* Texts of panes, and what the chosen line of them stands for. */
void tui_make_stats(struct tui *tui);
void tui_make_histogram(struct tui *tui);
void tui_make_threads(struct tui *tui);
const struct site *tui_chosen_site(const struct tui *tui); /* NULL: many */
int64_t tui_chosen_time(const struct tui *tui);
/* The thread of that number, counted through all dumps. False: there is none. */
bool tui_thread_find(const struct tui *tui, size_t number, size_t *ret_source, uint64_t *ret_index);

/* Escaped, and to the left of so many columns. */
void tui_put_padded(struct out *out, struct span text, size_t columns);

/* The longest verdict of the dumps, in columns. */
size_t tui_verdict_columns(struct tui *tui);
void tui_fields_write(struct tui *tui, struct out *out);

#endif
