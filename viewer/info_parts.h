/* SPDX-License-Identifier: MIT */
/* info_parts.h - lines of --info, for those who write some; only info*.c include it. */
#ifndef VIEWER_INFO_PARTS_H
#define VIEWER_INFO_PARTS_H

#include "viewer/out.h"

/* "  executable   ", and what follows is the caller's. */
void info_label(struct out *out, const char *text);
/* All of a line. Nothing, if the span is empty. */
void info_line(struct out *out, const char *text, struct span span);
/* "12 MiB", with what is before and behind it. Nothing, if it is not known. */
void info_bytes(struct out *out, const char *before, struct number bytes, const char *behind);
void info_container(struct out *out, struct span runtime, struct span id, struct span pod);

#endif
