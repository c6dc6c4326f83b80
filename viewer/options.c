/* SPDX-License-Identifier: MIT */
#include "viewer/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef TTLOG_VIEW_VERSION
#define TTLOG_VIEW_VERSION "0.1.0"
#endif

/* getopt's table and the help are made from this one. */
static const struct {
	const char *name;
	int letter;
	const char *argument;
	const char *help;
} table[] = {
	{"filter", 'f', "EXPR",
	 "only events for which EXPR is true; may be repeated, all must be true"},
	{"limit", 'n', "N", "the newest N events, printed oldest first; +N: the oldest N"},
	{"format", 'o', "FORMAT", "text (default) or json, one object a line"},
	{"info", 'i', NULL, "what the dump says of the process and its death, without events"},
	{"threads", 't', NULL, "--info, with the stacks of all threads"},
	{"color", 'c', "WHEN", "auto (default), always or never"},
	{"exit-code", 'e', NULL, "exit with 1 when no event matched"},
	{"help", 'h', NULL, "print this"},
	{"version", 'V', NULL, "print the version"},
};

#define OPTION_COUNT (sizeof(table) / sizeof(*table))

static void print_help(void)
{
	printf("Usage: ttlog-view [OPTION...] FILE...\n"
	       "Shows flight recorder dumps: how a process died, and its last events.\n\n");
	for (size_t i = 0; i < OPTION_COUNT; i++)
		printf("  -%c, --%s%s%-*s %s\n", table[i].letter, table[i].name,
		       table[i].argument ? "=" : "",
		       17 - (int)strlen(table[i].name) - (table[i].argument ? 1 : 0),
		       table[i].argument ? table[i].argument : "", table[i].help);
	printf("\nSeveral files are merged by time. - is the standard input.\n"
	       "EXPR is KEY OP VALUE[,VALUE...]: a comma means or.\n"
	       "  keys  level target msg tid thread pid service host lane channel seq file line\n"
	       "        func,\n"
	       "        or the name of a field\n"
	       "  ops   = != ~= (contains) < <= > >=\n\n"
	       "  ttlog-view --info dump.bin\n"
	       "  ttlog-view --limit 100 --filter 'level>=WARN' --filter 'status!=200,204' "
	       "dump.bin\n\n"
	       "Exit status: 0 fine, 1 nothing matched (only with --exit-code), 2 usage,\n"
	       "3 damaged but all that could be saved was printed, 4 unreadable.\n");
}

static bool usage(enum view_exit *ret_exit)
{
	fprintf(stderr, "Try 'ttlog-view --help'.\n");
	*ret_exit = VIEW_USAGE;
	return false;
}

static bool parse_filter(struct options *options, const char *text)
{
	struct query_error error = {0};

	switch (query_add(&options->query, text, &error)) {
	case 0:
		return true;
	case -EINVAL:
		fprintf(stderr, "ttlog-view: bad filter: %s\n  %s\n  %*s^\n", error.why, text,
			(int)error.at, "");
		return false;
	default:
		fprintf(stderr, "ttlog-view: out of memory\n");
		return false;
	}
}

static bool parse_limit(struct options *options, const char *text)
{
	const char *digits = *text == '+' ? text + 1 : text;
	char *end;

	errno = 0;
	options->limit = strtoull(digits, &end, 10);
	options->limited = true;
	options->oldest = *text == '+';
	if (*digits >= '0' && *digits <= '9' && !*end && !errno)
		return true;
	fprintf(stderr, "ttlog-view: --limit takes a number, or + and a number, not '%s'\n", text);
	return false;
}

static bool parse_format(struct options *options, const char *text)
{
	const struct format *format = format_find(text);

	if (format) {
		options->format = format;
		options->json = strncmp(text, "json", 4) == 0;
		return true;
	}
	fprintf(stderr, "ttlog-view: --format takes");
	for (size_t i = 0; formats[i]; i++)
		fprintf(stderr, "%s%s", !i ? " " : formats[i + 1] ? ", " : " or ", formats[i]->name);
	fprintf(stderr, ", not '%s'\n", text);
	return false;
}

static bool colour_wanted(void)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && !(no_color && *no_color) &&
	       !(term && strcmp(term, "dumb") == 0);
}

static bool parse_color(struct options *options, const char *text)
{
	if (strcmp(text, "always") == 0)
		options->colour = true;
	else if (strcmp(text, "never") == 0)
		options->colour = false;
	else if (strcmp(text, "auto") == 0)
		options->colour = colour_wanted();
	else {
		fprintf(stderr, "ttlog-view: --color takes auto, always or never, not '%s'\n",
			text);
		return false;
	}
	return true;
}

/* False with *ret_exit VIEW_FINE: it was a question, and was answered. */
static bool take(struct options *options, int letter, const char *argument,
		 enum view_exit *ret_exit)
{
	*ret_exit = VIEW_USAGE;
	switch (letter) {
	case 'f':
		return parse_filter(options, argument);
	case 'n':
		return parse_limit(options, argument);
	case 'o':
		return parse_format(options, argument);
	case 'c':
		return parse_color(options, argument);
	case 'i':
		options->info = true;
		return true;
	case 't':
		options->info = options->threads = true;
		return true;
	case 'e':
		options->exit_code = true;
		return true;
	case 'h':
		print_help();
		*ret_exit = VIEW_FINE;
		return false;
	case 'V':
		printf("ttlog-view %s\n", TTLOG_VIEW_VERSION);
		*ret_exit = VIEW_FINE;
		return false;
	default:
		return usage(ret_exit); /* getopt has said what is wrong */
	}
}

bool options_parse(struct options *options, int argc, char **argv, enum view_exit *ret_exit)
{
	struct option wanted[OPTION_COUNT + 1] = {0};
	char letters[2 * OPTION_COUNT + 1] = "", *at = letters;
	int letter;

	*options = (struct options){.colour = colour_wanted(), .format = formats[0]};
	query_init(&options->query);
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		wanted[i] = (struct option){table[i].name,
					    table[i].argument ? required_argument : no_argument,
					    NULL, table[i].letter};
		*at++ = (char)table[i].letter;
		if (table[i].argument)
			*at++ = ':';
	}
	*at = '\0';
	while ((letter = getopt_long(argc, argv, letters, wanted, NULL)) != -1)
		if (!take(options, letter, optarg, ret_exit))
			return false;
	options->paths = argv + optind;
	options->path_count = (size_t)(argc - optind);
	if (options->path_count)
		return true;
	fprintf(stderr, "ttlog-view: which dump? Name a file (ttlog-*.bin), or - for the standard "
			"input.\n");
	return usage(ret_exit);
}

void options_fini(struct options *options)
{
	query_fini(&options->query);
}
