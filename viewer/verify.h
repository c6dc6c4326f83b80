/* SPDX-License-Identifier: MIT */
/* verify.h - is a dump whole? Reads all of it: every checksum, every event with its values, the index. */
#ifndef VIEWER_VERIFY_H
#define VIEWER_VERIFY_H

#include "viewer/dump_reader.h"
#include "viewer/out.h"

/* A line, as text or as JSON; false: it is damaged. 0 or more events may have been read before. */
bool verify_dump(struct out *out, struct dump *dump, bool json);

#endif
