/* SPDX-License-Identifier: MIT */
/* What --follow goes together with: whatever makes sense of events that have no end yet. */
#include <stdio.h>
#include <string.h>

#include "viewer/options.h"

enum option_result options_follow(struct options *options, const char *argument)
{
	if (!*argument || *argument == '-') {
		fprintf(stderr,
			"ttlog-view: --follow takes the name of a service or a pid, not '%s'\n",
			argument);
		return OPTION_WRONG;
	}
	options->follow = argument;
	return OPTION_TAKEN;
}

static const char *reason_against(const struct option_row *row)
{
	static const char *const ended[] = {"around", "context", "reverse",
					    "group",  "output",	 "exit-code"};

	if (strcmp(row->name, "interactive") == 0)
		return "the screen shows what has an end; `ttlog-ctl snapshot` makes a dump for it";
	if (row->group == OPTIONS_INSTEAD && strcmp(row->name, "follow") != 0)
		return "`ttlog-ctl snapshot` makes a dump for it";
	for (size_t i = 0; i < sizeof(ended) / sizeof(*ended); i++)
		if (strcmp(row->name, ended[i]) == 0)
			return "that is for dumps";
	return NULL;
}

bool options_follow_agree(const struct options *options)
{
	if (!options->follow)
		return true;
	for (size_t i = 0; i < options->taken_count; i++) {
		const struct option_row *row = options->taken[i].row;
		const char *why = reason_against(row);

		if (!why)
			continue;
		fprintf(stderr, "ttlog-view: --follow is not for --%s: %s\n", row->name, why);
		return false;
	}
	if (options->format->flags & (FORMAT_BINARY | FORMAT_FILE | FORMAT_FOLDER)) {
		fprintf(stderr, "ttlog-view: --follow is for lines of text, not --format %s\n",
			options->format->name);
		return false;
	}
	if (options->select.oldest) {
		fprintf(stderr,
			"ttlog-view: --follow begins with the newest: --limit=N, without a +\n");
		return false;
	}
	if (options->path_count) {
		fprintf(stderr, "ttlog-view: --follow is of one living process, and of no file\n");
		return false;
	}
	return true;
}
