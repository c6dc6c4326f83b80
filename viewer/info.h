/* SPDX-License-Identifier: MIT */
/* info.h - what a dump says without its events: the verdict first, then who, when, and what is lost. */
#ifndef VIEWER_INFO_H
#define VIEWER_INFO_H

#include "viewer/dump_reader.h"
#include "viewer/last.h"
#include "viewer/out.h"
#include "viewer/redo.h"

/*
 * last: the threads' newest events; NULL: they are not shown. redo: the stacks unwound again; NULL: as
 * they were recorded. all_threads: the stacks of all, not only of
 * the one that took the signal.
 */
void info_text(struct out *out, struct dump *dump, struct last *last, const struct redo *redo,
	       bool colour, bool all_threads);
/* One object, one line. */
void info_json(struct out *out, struct dump *dump, struct last *last, const struct redo *redo);

#endif
