/* SPDX-License-Identifier: MIT */
/* The arguments of what selects. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "viewer/options.h"

enum option_result options_filter(struct options *options, const char *argument)
{
	struct query_error error = {0};

	switch (query_add(&options->query, argument, &error)) {
	case 0:
		return OPTION_TAKEN;
	case -EINVAL:
		fprintf(stderr, "ttlog-view: bad filter: %s\n  %s\n  %*s^\n", error.why, argument,
			(int)error.at, "");
		return OPTION_WRONG;
	default:
		fprintf(stderr, "ttlog-view: out of memory\n");
		return OPTION_WRONG;
	}
}

enum option_result options_limit(struct options *options, const char *argument)
{
	const char *digits = *argument == '+' ? argument + 1 : argument;
	char *end;

	errno = 0;
	options->limit = strtoull(digits, &end, 10);
	options->limited = true;
	options->oldest = *argument == '+';
	if (*digits >= '0' && *digits <= '9' && !*end && !errno)
		return OPTION_TAKEN;
	fprintf(stderr, "ttlog-view: --limit takes a number, or + and a number, not '%s'\n",
		argument);
	return OPTION_WRONG;
}
