/* SPDX-License-Identifier: MIT */
/* The arguments of how it is shown. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "viewer/options.h"

enum option_result options_format(struct options *options, const char *argument)
{
	const struct format *format = format_find(argument);

	if (format) {
		options->format = format;
		options->json = strncmp(argument, "json", 4) == 0;
		return OPTION_TAKEN;
	}
	fprintf(stderr, "ttlog-view: --format takes");
	for (size_t i = 0; formats[i]; i++)
		fprintf(stderr, "%s%s", !i ? " " : formats[i + 1] ? ", " : " or ", formats[i]->name);
	fprintf(stderr, ", not '%s'\n", argument);
	return OPTION_WRONG;
}

bool options_colour_wanted(void)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && !(no_color && *no_color) &&
	       !(term && strcmp(term, "dumb") == 0);
}

enum option_result options_color(struct options *options, const char *argument)
{
	if (strcmp(argument, "always") == 0)
		options->colour = true;
	else if (strcmp(argument, "never") == 0)
		options->colour = false;
	else if (strcmp(argument, "auto") == 0)
		options->colour = options_colour_wanted();
	else {
		fprintf(stderr, "ttlog-view: --color takes auto, always or never, not '%s'\n",
			argument);
		return OPTION_WRONG;
	}
	return OPTION_TAKEN;
}
