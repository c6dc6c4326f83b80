/* SPDX-License-Identifier: MIT */
/* The arguments of what is counted. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

enum option_result options_sql(struct options *options, const char *argument)
{
	options->sql = argument;
	return OPTION_TAKEN;
}

enum option_result options_sql_seconds(struct options *options, const char *argument)
{
	char *end;
	unsigned long seconds = strtoul(argument, &end, 10);

	if (*end || argument[0] < '0' || argument[0] > '9' || !seconds || seconds > 86400) {
		fprintf(stderr,
			"ttlog-view: --sql-seconds takes a number from 1 to 86400, not '%s'\n",
			argument);
		return OPTION_WRONG;
	}
	options->sql_seconds = (unsigned int)seconds;
	return OPTION_TAKEN;
}

static bool sql_agrees(const struct options *options)
{
	if (options->info || options->list || options->verify || options->interactive ||
	    stats_wanted(&options->stats)) {
		fprintf(stderr,
			"ttlog-view: --sql is alone: not with --stats and its like, --info, "
			"--list, --verify or --interactive\n");
		return false;
	}
	if (options->format != formats[0] && strcmp(options->format->name, "json") != 0 &&
	    strcmp(options->format->name, "csv") != 0) {
		fprintf(stderr, "ttlog-view: --sql is shown as text, json or csv, not %s\n",
			options->format->name);
		return false;
	}
	return true;
}

bool options_stats_agree(struct options *options)
{
	struct stats_wish *wish = &options->stats;

	if (wish->top_said && !stats_wanted(wish) && group_by_parse(&wish->by, "site")) {
		fprintf(stderr, "ttlog-view: out of memory\n");
		return false;
	}
	if (options->sql)
		return sql_agrees(options);
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
