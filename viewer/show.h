/* SPDX-License-Identifier: MIT */
/*
 * show.h - the events of all dumps, merged by time, asked, limited, printed.
 *
 * Holds one batch a dump, and with a limit on the newest that many events.
 */
#ifndef VIEWER_SHOW_H
#define VIEWER_SHOW_H

#include "viewer/options.h"

/* 0 or a negative errno of writing or of memory. ret_matched counts what was printed. */
int show_events(struct out *out, struct options *options, struct dump *const *dumps,
		size_t dump_count, uint64_t *ret_matched);

#endif
