/* SPDX-License-Identifier: MIT */
/*
 * options.h - the command line of ttlog-view.
 *
 * One table has all options: getopt's, both helps and the completions are made from it. A row for a
 * switch names the bool that it sets; one with an argument names who takes it.
 *
 *   options_table.c   the rows             options_select.c  takes what selects
 *   options.c         getopt               options_show.c    takes how it is shown
 *   options_help.c    --help, --help=all      options_redo.c  takes what unwinds again
 *   options_stats.c   takes what counts      options_diff.c    and what compares
 *   options_follow.c  what follows
 */
#ifndef VIEWER_OPTIONS_H
#define VIEWER_OPTIONS_H

#include "viewer/format.h"
#include "viewer/select.h"
#include "viewer/redo.h"
#include "viewer/source_text.h"
#include "viewer/stats.h"

/* What the program says with its exit status. */
enum view_exit {
	VIEW_FINE = 0,
	VIEW_NOTHING = 1,    /* nothing matched, with --exit-code */
	VIEW_USAGE = 2,
	VIEW_DAMAGED = 3,    /* what could be saved was printed */
	VIEW_UNREADABLE = 4, /* a file could not be read at all, or the output not be written */
};

/* Options that may be given again, which means "or": their values, with commas. */
struct wanted {
	struct out targets, tids, pids, services;
};

/* --since and --until: the last of the query, for --diff takes them away. */
struct wanted_time {
	enum query_op op;
	const char *option, *argument;
};

#define OPTIONS_TIMES_MAX QUERY_TERMS_MAX

struct option_taken {
	const struct option_row *row;
	const char *argument; /* NULL: none */
};

struct options {
	bool json, info, threads, exit_code, colour, interactive;
	bool unwind, debuginfod;
	const char *source_dirs[SOURCE_FOLDERS_MAX];
	size_t source_dir_count;
	bool group; /* with those of the same set */
	char *debug_dirs[REDO_FOLDERS_MAX]; /* absolute */
	unsigned int debug_dir_count;
	const struct format *format; /* never NULL */
	enum time_mode time;
	struct columns *columns; /* --fields; NULL: not said */
	struct stats_wish stats;
	bool diff;
	uint64_t diff_rows; /* of each kind */
	const char *sql; /* NULL: not said */
	unsigned int sql_seconds;
	const char *output;	 /* NULL: the standard output */
	bool colour_said;	 /* with --color=always */
	unsigned int width;	 /* of the terminal that is the standard output; 0: it is none */
	struct selection select;
	struct wanted wanted; /* what of it is put together at the end */
	struct wanted_time times[OPTIONS_TIMES_MAX];
	size_t time_count;
	uint32_t untimed; /* terms of the query before those of --since and --until */
	bool context_said;
	const char *follow; /* a service or a pid; NULL: dumps */
	struct option_taken *taken; /* all that were given, in order */
	size_t taken_count;
	bool list, verify, without_pager;
	char **paths;
	size_t path_count;
};

enum option_result {
	OPTION_TAKEN,
	OPTION_WRONG,	 /* and why was said */
	OPTION_ANSWERED, /* it was a question: done */
};

/* In the order of the help. */
enum option_group { OPTIONS_SELECT, OPTIONS_SHOW, OPTIONS_INSTEAD, OPTIONS_OTHER, OPTIONS_GROUPS };

struct option_row {
	const char *name;
	char letter;	      /* 0: none */
	enum option_group group;
	bool common;	      /* in the help that fits a screen, too */
	const char *argument; /* NULL: none; in [brackets]: it may be left out, take() gets NULL */
	const char *help;     /* a line of at most 52 characters: no details */
	size_t flag;	      /* of a row without take(): where in struct options its bool is */
	enum option_result (*take)(struct options *options, const char *argument);
};

extern const struct option_row option_rows[];
extern const size_t option_row_count;

/* True: go on. False: *ret_exit is what to exit with; all was said. */
bool options_parse(struct options *options, int argc, char **argv, enum view_exit *ret_exit);
void options_fini(struct options *options);

/* Who takes what; each says what is wrong. */
enum option_result options_filter(struct options *options, const char *argument);
enum option_result options_query(struct options *options, const char *argument);
enum option_result options_priority(struct options *options, const char *argument);
enum option_result options_target(struct options *options, const char *argument);
enum option_result options_grep(struct options *options, const char *argument);
enum option_result options_tid(struct options *options, const char *argument);
enum option_result options_pid(struct options *options, const char *argument);
enum option_result options_service(struct options *options, const char *argument);
enum option_result options_since(struct options *options, const char *argument);
enum option_result options_until(struct options *options, const char *argument);
enum option_result options_around(struct options *options, const char *argument);
enum option_result options_context(struct options *options, const char *argument);
enum option_result options_limit(struct options *options, const char *argument);
enum option_result options_format(struct options *options, const char *argument);
enum option_result options_time(struct options *options, const char *argument);
enum option_result options_fields(struct options *options, const char *argument);
enum option_result options_output(struct options *options, const char *argument);
enum option_result options_color(struct options *options, const char *argument);
enum option_result options_unwind(struct options *options, const char *argument);
enum option_result options_debuginfod(struct options *options, const char *argument);
enum option_result options_debug_dir(struct options *options, const char *argument);
enum option_result options_source_dir(struct options *options, const char *argument);
enum option_result options_group_by(struct options *options, const char *argument);
enum option_result options_top(struct options *options, const char *argument);
enum option_result options_sql(struct options *options, const char *argument);
enum option_result options_sql_seconds(struct options *options, const char *argument);
enum option_result options_follow(struct options *options, const char *argument);
enum option_result options_help(struct options *options, const char *argument);
enum option_result options_version(struct options *options, const char *argument);

/* Are colours wanted, when nobody said it? */
bool options_colour_wanted(void);
unsigned int options_width(void);
/* What can't be told from one argument alone. False: it makes no sense, and why was said. */
bool options_show_agree(struct options *options);
bool options_select_agree(struct options *options);
bool options_stats_agree(struct options *options);
bool options_diff_agree(struct options *options);
bool options_follow_agree(const struct options *options);

void options_select_init(struct options *options);
void options_select_fini(struct options *options);

#endif
