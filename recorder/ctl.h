/* SPDX-License-Identifier: MIT */
/*
 * ctl.h - ttlog-ctl: a command line, a question, and rows for people or for programs.
 *
 *   ctl_main.c    the command line and its tables
 *   ctl_talk.c    the socket
 *   ctl_dumps.c   list --dumps, for which nobody is asked
 *   ctl_show.c    what a command makes of its answer
 *   ctl_table.c   columns on a terminal, the pager
 *   ctl_json.c    rows as JSON, one object a line
 *   ctl_region.c  a living region, for tail
 *   ctl_feed.c    its events as a dump that goes on
 *   ctl_viewer.c  ttlog-view at the other end of a pipe
 *   ctl_tail.c    tail
 *   ctl_top.c     top
 *   ctl_words.c   lines on stderr, numbers for people
 *
 * The daemon is not believed more than its clients: what it says is bounded, checked, and cleaned
 * of what a terminal would obey.
 */
#ifndef RECORDER_CTL_H
#define RECORDER_CTL_H

#include <stdbool.h>
#include <stdio.h>

#include "recorder/ctl_wire.h"

enum ctl_exit {
	CTL_EXIT_FINE = 0,
	CTL_EXIT_NO_MATCH = 1,
	CTL_EXIT_USAGE = 2,
	CTL_EXIT_REFUSED = 4, /* or nobody there to ask */
};

struct ctl_options {
	const char *control, *socket; /* NULL: not given */
	const char *dir;	      /* of list --dumps; NULL: not given */
	const char *group_by;	      /* of the same; NULL: not grouped */
	const char *reason;	      /* NULL: none */
	bool json, without_legend, without_pager, wait, dumps, help, version;
	bool follow, has_lines; /* of tail */
	bool once;		/* of top */
	uint64_t lines;
	const char *const *viewer; /* for ttlog-view, ended by NULL */
};

/* ctl_words.c: one line on stderr, after "ttlog-ctl: ". */
void ctl_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* ctl_talk.c: a row each; the bytes are a CBOR map. */
typedef void (*ctl_row_fn)(void *context, const unsigned char *row, size_t bytes);

struct ctl_outcome {
	int status; /* of the recorder: 0 or a negative errno */
	uint64_t matched;
	int fd[CTL_FDS]; /* what came with a row of region; -1: nothing. The caller's */
};

void ctl_outcome_fini(struct ctl_outcome *outcome); /* closes them */

/*
 * 0, and the outcome; or a negative errno: of connect(), -ETIMEDOUT, -EBADMSG, -ECONNRESET (it
 * ended before it had said all).
 */
int ctl_ask(const char *path, const struct ctl_request *request, ctl_row_fn fn, void *context,
	    struct ctl_outcome *ret_outcome);

/* ctl_show.c: asks, shows, says what went wrong. An exit status. */
int ctl_show(const struct ctl_options *options, const char *path,
	     const struct ctl_request *request);

/* ctl_dumps.c: reads the folder. match may be NULL. An exit status. */
int ctl_dumps(const struct ctl_options *options, const char *match);

/* ctl_json.c: with its newline. False: it was no map, and what was printed is not whole. */
bool ctl_json_row(FILE *out, const unsigned char *row, size_t bytes);
void ctl_json_string(FILE *out, const char *text, size_t bytes);

/* ctl_table.c: cells are kept until ctl_table_show(). */
struct ctl_column {
	const char *title;
	bool is_number; /* aligned to the right */
};

enum ctl_colour { CTL_PLAIN, CTL_BOLD, CTL_RED, CTL_YELLOW, CTL_FAINT };

struct ctl_table {
	const struct ctl_column *column;
	unsigned int column_count;
	struct ctl_cell {
		char *text;
		enum ctl_colour colour;
	} * cell;
	size_t cell_count, cell_room;
	bool failed; /* no memory: it is not whole */
};

void ctl_table_init(struct ctl_table *table, const struct ctl_column *column, unsigned int count);
/* The next cell of the row; the text is copied, and cleaned. */
void ctl_table_put(struct ctl_table *table, enum ctl_colour colour, const char *text);
void ctl_table_show(struct ctl_table *table, FILE *out, bool legend, bool colours);
void ctl_table_fini(struct ctl_table *table);

/* stdout, through a pager if it is a terminal and nobody minds. */
struct ctl_pager {
	FILE *out;
	int pid;
	bool colours;
};

void ctl_pager_open(struct ctl_pager *ret_pager, bool wanted);
/* False: not all of it could be written. */
bool ctl_pager_close(struct ctl_pager *pager);

/* ctl_words.c */
#define CTL_WORDS_BYTES 32
const char *ctl_words_duration(uint64_t ms, char words[CTL_WORDS_BYTES]);
const char *ctl_words_bytes(uint64_t bytes, char words[CTL_WORDS_BYTES]);

#endif
