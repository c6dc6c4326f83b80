/* SPDX-License-Identifier: MIT */
/* The arguments of what unwinds again. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "viewer/options.h"

enum option_result options_unwind(struct options *options, const char *argument)
{
	(void)argument;
	options->unwind = true;
	if (redo_is_possible())
		return OPTION_TAKEN;
	fprintf(stderr, "ttlog-view: --unwind: this one was built without libdw (make UNWIND=0)\n");
	return OPTION_WRONG;
}

enum option_result options_debuginfod(struct options *options, const char *argument)
{
	options->debuginfod = true;
	return options_unwind(options, argument);
}

enum option_result options_debug_dir(struct options *options, const char *argument)
{
	char *path;

	if (options->debug_dir_count == REDO_FOLDERS_MAX) {
		fprintf(stderr, "ttlog-view: --debug-dir may be given %d times\n",
			REDO_FOLDERS_MAX);
		return OPTION_WRONG;
	}
	path = realpath(argument, NULL);
	if (!path) {
		fprintf(stderr, "ttlog-view: --debug-dir: %s: %s\n", argument, strerror(errno));
		return OPTION_WRONG;
	}
	options->debug_dirs[options->debug_dir_count++] = path;
	return options_unwind(options, NULL);
}
