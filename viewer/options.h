/* SPDX-License-Identifier: MIT */
/* options.h - the command line of ttlog-view. */
#ifndef VIEWER_OPTIONS_H
#define VIEWER_OPTIONS_H

#include "viewer/format.h"
#include "viewer/query.h"

/* What the program says with its exit status. */
enum view_exit {
	VIEW_FINE = 0,
	VIEW_NOTHING = 1,    /* nothing matched, with --exit-code */
	VIEW_USAGE = 2,
	VIEW_DAMAGED = 3,    /* what could be saved was printed */
	VIEW_UNREADABLE = 4, /* a file could not be read at all, or the output not be written */
};

struct options {
	bool json, info, threads, exit_code, colour;
	bool limited, oldest; /* oldest: the limit takes from the start */
	uint64_t limit;
	const struct format *format; /* never NULL */
	struct query query;
	char **paths;
	size_t path_count;
};

/* True: go on. False: *ret_exit is what to exit with; all was said. */
bool options_parse(struct options *options, int argc, char **argv, enum view_exit *ret_exit);
void options_fini(struct options *options);

#endif
