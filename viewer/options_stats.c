/* SPDX-License-Identifier: MIT */
/* The arguments of what is counted. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "viewer/options.h"

enum option_result options_group_by(struct options *options, const char *argument)
{
	int error;

	group_by_fini(&options->stats.by);
	error = group_by_parse(&options->stats.by, argument);
	if (error == -EINVAL)
		fprintf(stderr,
			"ttlog-view: --group-by takes names with commas between them, %d at the "
			"most, as --fields does, or site or template, but not time or fields: "
			"'%s'\n",
			GROUP_PARTS_MAX, argument);
	else if (error)
		fprintf(stderr, "ttlog-view: out of memory\n");
	return error ? OPTION_WRONG : OPTION_TAKEN;
}

enum option_result options_top(struct options *options, const char *argument)
{
	unsigned long long number;
	char *end;

	errno = 0;
	number = strtoull(argument, &end, 10);
	if (errno || *end || argument[0] < '0' || argument[0] > '9' || !number) {
		fprintf(stderr, "ttlog-view: --top takes a number above 0, not '%s'\n", argument);
		return OPTION_WRONG;
	}
	options->stats.top = number;
	options->stats.top_said = true;
	return OPTION_TAKEN;
}

bool options_stats_agree(struct options *options)
{
	struct stats_wish *wish = &options->stats;

	if (wish->top_said && !stats_wanted(wish) && group_by_parse(&wish->by, "site")) {
		fprintf(stderr, "ttlog-view: out of memory\n");
		return false;
	}
	if (!stats_wanted(wish))
		return true;
	if (options->info || options->list || options->verify || options->interactive) {
		fprintf(stderr,
			"ttlog-view: what is counted (--stats, --group-by, --top, "
			"--histogram) is not shown together with --info, --list, --verify or "
			"--interactive\n");
		return false;
	}
	if (options->format != formats[0] && !options->json) {
		fprintf(stderr,
			"ttlog-view: --format %s is for events; counts are shown as text or json\n",
			options->format->name);
		return false;
	}
	options->format = options->json ? &stats_json_format : &stats_text_format;
	return true;
}
