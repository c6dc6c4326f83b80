/* SPDX-License-Identifier: MIT */
#include "viewer/options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "viewer/columns.h"

/* What getopt_long() gives for a row: letters are below. */
#define ROW_VALUE 256

static bool usage(enum view_exit *ret_exit)
{
	fprintf(stderr, "Try 'ttlog-view --help'.\n");
	*ret_exit = VIEW_USAGE;
	return false;
}

static const struct option_row *row_of(int value)
{
	if (value >= ROW_VALUE && (size_t)(value - ROW_VALUE) < option_row_count)
		return &option_rows[value - ROW_VALUE];
	for (size_t i = 0; i < option_row_count; i++)
		if (option_rows[i].letter && option_rows[i].letter == value)
			return &option_rows[i];
	return NULL;
}

/* False with *ret_exit VIEW_FINE: it was a question, and was answered. */
static bool take(struct options *options, const struct option_row *row, const char *argument,
		 enum view_exit *ret_exit)
{
	enum option_result result = OPTION_TAKEN;

	if (!row)
		return usage(ret_exit); /* getopt has said what is wrong */
	if (row->take)
		result = row->take(options, argument);
	else
		*(bool *)((char *)options + row->flag) = true;
	options->taken[options->taken_count++] = (struct option_taken){row, argument};
	*ret_exit = result == OPTION_WRONG ? VIEW_USAGE : VIEW_FINE;
	return result == OPTION_TAKEN;
}

static int argument_of(const struct option_row *row)
{
	if (!row->argument)
		return no_argument;
	return row->argument[0] == '[' ? optional_argument : required_argument;
}

static bool parse_all(struct options *options, int argc, char **argv, struct option *wanted,
		      char *letters, enum view_exit *ret_exit)
{
	char *at = letters;
	int value;

	for (size_t i = 0; i < option_row_count; i++) {
		const struct option_row *row = &option_rows[i];

		wanted[i] = (struct option){row->name, argument_of(row), NULL, ROW_VALUE + (int)i};
		if (!row->letter)
			continue;
		*at++ = row->letter;
		if (argument_of(row) == required_argument)
			*at++ = ':';
	}
	*at = '\0';
	while ((value = getopt_long(argc, argv, letters, wanted, NULL)) != -1)
		if (!take(options, row_of(value), optarg, ret_exit))
			return false;
	return true;
}

bool options_parse(struct options *options, int argc, char **argv, enum view_exit *ret_exit)
{
	struct option *wanted = calloc(option_row_count + 1, sizeof(*wanted));
	char *letters = calloc(option_row_count + 1, 2);
	bool parsed = false;

	*options = (struct options){
		.colour = options_colour_wanted(), .format = formats[0], .width = options_width()};
	options_select_init(options);
	*ret_exit = VIEW_UNREADABLE;
	options->taken = calloc((size_t)argc + 1, sizeof(*options->taken));
	if (!wanted || !letters || !options->taken)
		fprintf(stderr, "ttlog-view: out of memory\n");
	else
		parsed = parse_all(options, argc, argv, wanted, letters, ret_exit);
	free(wanted);
	free(letters);
	if (!parsed)
		return false;
	options->info |= options->threads || options->unwind;
	options->paths = argv + optind;
	options->path_count = (size_t)(argc - optind);
	if (!options_follow_agree(options) || !options_select_agree(options) || !options_stats_agree(options) ||
	    !options_diff_agree(options) || !options_show_agree(options))
		return usage(ret_exit);
	return true;
}

void options_fini(struct options *options)
{
	for (unsigned int i = 0; i < options->debug_dir_count; i++)
		free(options->debug_dirs[i]);
	options_select_fini(options);
	columns_close(options->columns);
	group_by_fini(&options->stats.by);
	free(options->taken);
}
