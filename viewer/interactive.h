/* SPDX-License-Identifier: MIT */
/* interactive.h - --interactive: what is around the view on the terminal. */
#ifndef VIEWER_INTERACTIVE_H
#define VIEWER_INTERACTIVE_H

#include "viewer/options.h"

/*
 * The interactive view reads where it likes: a dump on the standard input becomes a file without a
 * name, as long as the program runs. 0 or a negative errno.
 */
int interactive_prepare(struct options *options);

/* True: it was interactive, *ret_error says how that ended. False: it can't be, and that was said.
 */
bool interactive_run(struct options *options, struct dump *const *dumps, size_t count,
		     int *ret_error);

#endif
