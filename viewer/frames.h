/* SPDX-License-Identifier: MIT */
/*
 * frames.h - the LZ4 frames of a file, one after another, whatever happened to it.
 *
 * Reads forward only, so pipes will do. Where a frame is damaged, the search goes on at the next magic
 * number; what was stepped over is counted. Memory is bounded by the largest frame that is allowed.
 */
#ifndef VIEWER_FRAMES_H
#define VIEWER_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct frames;

struct frame {
	uint32_t magic;	 /* of LZ4: a data frame's, or a skippable one's */
	uint64_t offset; /* in the file */
	const unsigned char *content; /* until the next call */
	size_t bytes;
};

struct frames_damage {
	uint64_t places;       /* stretches that were no whole frames */
	uint64_t first_offset; /* where the first of them starts */
	bool cut;	       /* the last of them reaches the end of the file */
};

#define FRAMES_DATA_MAGIC 0x184D2204u

/* Takes the descriptor over, in case of an error too. 0 or -ENOMEM. */
int frames_open(struct frames **ret_frames, int fd);
void frames_close(struct frames *frames);
/* Called before a read that would wait, as in a pipe whose writer has a pause. */
void frames_on_wait(struct frames *frames, void (*fn)(void *context), void *context);

/* 1, 0 at the end of the file, or a negative errno of reading or of memory. */
int frames_next(struct frames *frames, struct frame *ret_frame);
/* The last frame made no sense to the caller: search behind its first byte. */
void frames_reject(struct frames *frames);
const struct frames_damage *frames_damage(const struct frames *frames);
/* Where the next frame is looked for. */
uint64_t frames_offset(const struct frames *frames);
/* The next frame is looked for there: only in a file. 0 or a negative errno. */
int frames_seek(struct frames *frames, uint64_t offset);
/* Of the file, if it was read from its first byte on; else -1: its offsets are not those of the frames. */
int frames_descriptor(const struct frames *frames);

#endif
