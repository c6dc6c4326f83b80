/* SPDX-License-Identifier: MIT */
/* dump_frame.h - a dump's frames as bytes: compressed, or such as every LZ4 reader skips. */
#ifndef RECORDER_DUMP_FRAME_H
#define RECORDER_DUMP_FRAME_H

#include <stddef.h>
#include <stdint.h>

#include "recorder/dump_format.h"

struct dump_frame { /* all zero: empty */
	unsigned char *data;
	size_t capacity;
};

/* Its bytes are at frame->data until the next one. 0 or -ENOMEM. */
int dump_frame_make(struct dump_frame *frame, const void *content, size_t bytes,
		    size_t *ret_frame_bytes);
void dump_frame_fini(struct dump_frame *frame);

/* What stands in front of `bytes` of content. */
#define DUMP_SKIPPABLE_BYTES (8 + DUMP_PREFIX_BYTES)
void dump_frame_skippable(unsigned char to[DUMP_SKIPPABLE_BYTES], uint32_t lz4_magic,
			  const char *magic, size_t bytes);

#endif
