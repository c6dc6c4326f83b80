/* SPDX-License-Identifier: MIT */
/* What --diff goes together with. */
#include <stdio.h>
#include <string.h>

#include "viewer/diff.h"
#include "viewer/options.h"

bool options_diff_agree(struct options *options)
{
	struct selection *select = &options->select;

	if (!options->diff)
		return true;
	if (options->info || options->list || options->verify || options->interactive ||
	    options->sql || stats_wanted(&options->stats) || options->group) {
		fprintf(stderr,
			"ttlog-view: --diff is alone: not with --stats and its like, --info, "
			"--list, --verify, --sql, --group or --interactive\n");
		return false;
	}
	if (options->format != formats[0] && strcmp(options->format->name, "json") != 0) {
		fprintf(stderr, "ttlog-view: --diff is shown as text or json, not %s\n",
			options->format->name);
		return false;
	}
	/* Rows are limited, not events. */
	options->diff_rows = select->limited ? select->limit : DIFF_ROWS;
	select->limited = false;
	return true;
}
