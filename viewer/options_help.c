/* SPDX-License-Identifier: MIT */
/* --help, which fits a screen of 80 by 24, and --help=all. */
#include <stdio.h>
#include <string.h>

#include "viewer/options.h"

#ifndef TTLOG_VIEW_VERSION
#define TTLOG_VIEW_VERSION "0.1.0"
#endif

#define NAME_COLUMNS 26

static void print_row(const struct option_row *row)
{
	char name[64];
	bool optional = row->argument && row->argument[0] == '[';

	snprintf(name, sizeof(name), "--%s%s%s", row->name,
		 optional	 ? "[="
		 : row->argument ? "="
				 : "",
		 row->argument ? row->argument + optional : "");
	if (row->letter)
		printf("  -%c, %-*s %s\n", row->letter, NAME_COLUMNS - 6, name, row->help);
	else
		printf("      %-*s %s\n", NAME_COLUMNS - 6, name, row->help);
}

static void print_short(void)
{
	for (enum option_group group = 0; group < OPTIONS_GROUPS; group++)
		for (size_t i = 0; i < option_row_count; i++)
			if (option_rows[i].group == group && option_rows[i].common)
				print_row(&option_rows[i]);
	printf("\n--help=all has all options, formats, and what an EXPR can be.\n");
}

static void print_formats(void)
{
	/* completions.sh reads it. */
	printf("\nFORMAT is one of\n");
	for (size_t i = 0; formats[i]; i++)
		printf("  %-12s %s\n", formats[i]->name, formats[i]->help);
}

static void print_all(void)
{
	static const char *const titles[OPTIONS_GROUPS] = {
		[OPTIONS_SELECT] = "Which events:",
		[OPTIONS_SHOW] = "\nHow they are shown:",
		[OPTIONS_INSTEAD] = "\nInstead of events:",
		[OPTIONS_OTHER] = "\nBesides:",
	};

	for (enum option_group group = 0; group < OPTIONS_GROUPS; group++) {
		printf("%s\n", titles[group]);
		for (size_t i = 0; i < option_row_count; i++)
			if (option_rows[i].group == group)
				print_row(&option_rows[i]);
	}
	print_formats();
	printf("\nSeveral files are merged by time. - is the standard input. Without any: the newest\n"
	       "dump of TTLOG_SNAPSHOT_DIR, or of /var/lib/ttlog/dumps.\n\n"
	       "EXPR is KEY OP VALUE[,VALUE...], a comma means or; or KEY? or !KEY?: it is there.\n"
	       "  keys  level target msg tid thread pid service host lane channel seq file line\n"
	       "        func time, or the name of a field\n"
	       "  ops   = != ~= !~= (contains) =~ !~ (regular expression) < <= > >=\n"
	       "With --query several, joined by and, or, not, (): values with spaces in quotes.\n\n"
	       "TIME is 2026-11-23T10:42:00Z, \"2026-11-23 10:42\", 10:42, -5m (from now),\n"
	       "T-10s (from the death), @1795430520.\n\n"
	       "  ttlog-view --info dump.bin\n"
	       "  ttlog-view -n 100 -p warn -f 'status!=200,204' dump.bin\n"
	       "  ttlog-view -S T-1s --query 'ms>500 or not status=200' dump.bin\n\n"
	       "Exit status: 0 fine, 1 nothing matched (only with --exit-code), 2 usage,\n"
	       "3 damaged but all that could be saved was printed, 4 unreadable.\n");
}

enum option_result options_help(struct options *options, const char *argument)
{
	(void)options;
	if (argument && strcmp(argument, "all") != 0) {
		fprintf(stderr, "ttlog-view: --help or --help=all, not '%s'\n", argument);
		return OPTION_WRONG;
	}
	printf("Usage: ttlog-view [OPTION...] [FILE|FOLDER...]\n"
	       "Shows flight recorder dumps: how a process died, and its last events.\n\n");
	if (argument)
		print_all();
	else
		print_short();
	return OPTION_ANSWERED;
}

enum option_result options_version(struct options *options, const char *argument)
{
	(void)options;
	(void)argument;
	printf("ttlog-view %s\n", TTLOG_VIEW_VERSION);
	return OPTION_ANSWERED;
}
