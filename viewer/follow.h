/* SPDX-License-Identifier: MIT */
/*
 * follow.h - --follow: a living process instead of dumps.
 *
 * ttlog-ctl reads its memory, as whoever may, and gives what it finds to a ttlog-view at the other
 * end of a pipe: this program becomes it, with the options that were given.
 */
#ifndef VIEWER_FOLLOW_H
#define VIEWER_FOLLOW_H

#include "viewer/options.h"

/* Returns only when it can't, which was said. */
enum view_exit follow_run(const struct options *options);

#endif
