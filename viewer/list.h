/* SPDX-License-Identifier: MIT */
/*
 * list.h - what dumps there are, by the summaries in their first frames: nothing else is read of them.
 *
 * Grouped by signature, that is by bug; the one that struck last comes last, and of each the newest dump.
 * As JSON, an object a line for each dump, with the keys of ttlog-ctl list --dumps.
 */
#ifndef VIEWER_LIST_H
#define VIEWER_LIST_H

#include <stdbool.h>

#include "viewer/inputs.h"
#include "viewer/out.h"

/* 0 or -ENOMEM; *ret_unreadable: some were no dumps, which was said. */
int list_dumps(struct out *out, const struct inputs *inputs, bool json, bool colour,
	       bool *ret_unreadable);

#endif
