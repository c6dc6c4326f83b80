/* SPDX-License-Identifier: MIT */
/* info.h - what a dump says without its events: the verdict first, then who, when, and what is lost. */
#ifndef VIEWER_INFO_H
#define VIEWER_INFO_H

#include "viewer/dump_reader.h"
#include "viewer/out.h"

void info_text(struct out *out, struct dump *dump, bool colour);
void info_json(struct out *out, struct dump *dump); /* one object, one line */

#endif
