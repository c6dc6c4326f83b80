/* SPDX-License-Identifier: MIT */
/*
 * format_ctf.h - the Common Trace Format, 1.8, for babeltrace2 and Trace Compass.
 *
 * A folder holds a trace; with several dumps one for each, in a folder of its own. A lane is a stream, a
 * call site a class of events, which is called by its target and its message. What a lane has lost is
 * in its packets' events_discarded, between the packets where it was.
 */
#ifndef VIEWER_FORMAT_CTF_H
#define VIEWER_FORMAT_CTF_H

#include "viewer/format.h"

extern const struct format ctf_format;

#endif
