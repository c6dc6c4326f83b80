/* SPDX-License-Identifier: MIT */
/* info.h - what a dump says without its events: the verdict first, then who, when, and what is lost. */
#ifndef VIEWER_INFO_H
#define VIEWER_INFO_H

#include "viewer/dump_reader.h"
#include "viewer/last.h"
#include "viewer/out.h"

/*
 * last: the threads' newest events; NULL: they are not shown. all_threads: the stacks of all, not only of
 * the one that took the signal.
 */
void info_text(struct out *out, struct dump *dump, struct last *last, bool colour,
	       bool all_threads);
void info_json(struct out *out, struct dump *dump, struct last *last); /* one object, one line */

#endif
