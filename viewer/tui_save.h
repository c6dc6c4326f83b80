/* SPDX-License-Identifier: MIT */
/*
 * tui_save.h - writes the events that are shown into a file, in slices. The format is the one that
 * the end of the file's name says (.json, .csv, .logfmt ...), else text. Never over a file that is
 * there.
 */
#ifndef VIEWER_TUI_SAVE_H
#define VIEWER_TUI_SAVE_H

#include "viewer/format.h"
#include "viewer/tui_filter.h"

struct tui_save {
	bool active;
	char *path;
	struct out out;
	const struct format *format;
	void *state;
	uint64_t *place;
	uint64_t seen, events;
	struct record record;
};

/* 0 or a negative errno; then nothing is left of it. */
int tui_save_begin(struct tui_save *save, const char *path, struct paged *paged,
		   const struct format_env *env);
/* 1: there is more, 0: all is written, or a negative errno: the file is gone again. */
int tui_save_work(struct tui_save *save, struct paged *paged, struct tui_filter *filter,
		  int64_t until_ns);
void tui_save_cancel(struct tui_save *save);

#endif
