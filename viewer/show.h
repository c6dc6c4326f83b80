/* SPDX-License-Identifier: MIT */
/* show.h - the events that were asked for, in the format that was asked for. */
#ifndef VIEWER_SHOW_H
#define VIEWER_SHOW_H

#include "viewer/options.h"

struct shown {
	uint64_t events;
	bool complete; /* nothing behind the last of them was left out */
};

/* 0 or a negative errno of writing, of memory, or of select.h. */
int show_events(struct out *out, struct options *options, struct dump *const *dumps,
		size_t dump_count, struct shown *ret_shown);

#endif
