/* SPDX-License-Identifier: MIT */
/*
 * source_text.h - the lines around a call site, from its source file, where that is found.
 *
 * The path comes from the dump, and may be anybody's: nothing but plain files is opened, none of
 * /proc, /sys and /dev, and no more of one is read than makes sense for source.
 */
#ifndef VIEWER_SOURCE_TEXT_H
#define VIEWER_SOURCE_TEXT_H

#include "viewer/dictionary.h"
#include "viewer/out.h"

#define SOURCE_FOLDERS_MAX 16
#define SOURCE_BYTES_MAX (8u << 20)
#define SOURCE_AROUND 4 /* lines on each side */

/* Kept: the last site that was asked for, for a screen is drawn again and again. */
struct source_text {
	const char *const *folders; /* --source-dir */
	size_t folder_count;
	const struct site *site; /* NULL: none was asked for yet */
	struct out line;	 /* its own, without an end; empty: there is none */
	struct out around;	 /* lines with numbers, its own marked with '>' */
	int64_t changed_ns;	 /* when the file was */
};

void source_text_init(struct source_text *source, const char *const *folders, size_t folder_count);
void source_text_fini(struct source_text *source);
/* Fills line and around, or leaves them empty. The site outlives the text. */
void source_text_find(struct source_text *source, const struct site *site);

#endif
