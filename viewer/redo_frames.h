/* SPDX-License-Identifier: MIT */
/* redo_frames.h - recorded frames and those that were found now, as one stack. */
#ifndef VIEWER_REDO_FRAMES_H
#define VIEWER_REDO_FRAMES_H

#include "viewer/redo.h"

/*
 * Those that were found, but for those that say less than the recorded frame at the same place: then
 * it is that one. ret_thread has room for both counts in sum. A pure function.
 */
void redo_frames_merge(const struct meta_frame *recorded, uint64_t recorded_count,
		       const struct meta_frame *found, uint64_t found_count,
		       struct redo_thread *ret_thread);

#endif
