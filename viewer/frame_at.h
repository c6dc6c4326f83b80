/* SPDX-License-Identifier: MIT */
/*
 * frame_at.h - one LZ4 frame of a file, by where it begins.
 *
 * For who knows the places, from the index or from a walk. Reads with pread(), so that a file may
 * have any number of readers; frames.c is for who reads from the start, whatever happened to the
 * file.
 */
#ifndef VIEWER_FRAME_AT_H
#define VIEWER_FRAME_AT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct frame_reader;

/* 0 or -ENOMEM. The descriptor stays the caller's. */
int frame_reader_open(struct frame_reader **ret_reader, int fd);
void frame_reader_close(struct frame_reader *reader); /* NULL is fine */

/*
 * The content of the data frame there, which the caller frees. 0; -EBADMSG: there is none, it is
 * damaged, or larger than `limit`; or a negative errno of reading or of memory.
 */
int frame_read(struct frame_reader *reader, uint64_t offset, size_t limit,
	       unsigned char **ret_content, size_t *ret_bytes);

/* What was read last: frames that follow each other have their headers side by side. Zeros to
 * begin. */
struct frame_window {
	uint64_t offset;
	size_t bytes;
	unsigned char data[64];
};

/* Where a frame ends and what it is, from its headers alone. 0, -EBADMSG: none, or -errno. */
int frame_measure(int fd, struct frame_window *window, uint64_t offset, uint32_t *ret_magic,
		  uint64_t *ret_end);

#endif
