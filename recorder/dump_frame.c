/* SPDX-License-Identifier: MIT */
/* dump_frame.c - see dump_frame.h. */
#include "recorder/dump_frame.h"

#include <errno.h>
#include <lz4frame.h>
#include <stdlib.h>
#include <string.h>

static int reserve(struct dump_frame *frame, size_t bytes)
{
	unsigned char *data;

	if (bytes <= frame->capacity)
		return 0;
	data = realloc(frame->data, bytes);
	if (!data)
		return -ENOMEM;
	frame->data = data;
	frame->capacity = bytes;
	return 0;
}

int dump_frame_make(struct dump_frame *frame, const void *content, size_t bytes,
		    size_t *ret_frame_bytes)
{
	const LZ4F_preferences_t preferences = {
		.frameInfo =
			{
				.blockSizeID = LZ4F_max256KB,
				.blockMode = LZ4F_blockIndependent,
				.contentChecksumFlag = LZ4F_contentChecksumEnabled,
				.blockChecksumFlag = LZ4F_blockChecksumEnabled,
				.contentSize = bytes,
			},
	};
	const int error = reserve(frame, LZ4F_compressFrameBound(bytes, &preferences));

	if (error)
		return error;
	*ret_frame_bytes =
		LZ4F_compressFrame(frame->data, frame->capacity, content, bytes, &preferences);
	return LZ4F_isError(*ret_frame_bytes) ? -ENOMEM : 0;
}

void dump_frame_fini(struct dump_frame *frame)
{
	free(frame->data);
	*frame = (struct dump_frame){0};
}

static void put_le(unsigned char *to, uint32_t value, unsigned int bytes)
{
	for (unsigned int i = 0; i < bytes; i++)
		to[i] = (unsigned char)(value >> 8 * i);
}

void dump_frame_skippable(unsigned char to[DUMP_SKIPPABLE_BYTES], uint32_t lz4_magic,
			  const char *magic, size_t bytes)
{
	put_le(to, lz4_magic, 4);
	put_le(to + 4, (uint32_t)(bytes + DUMP_PREFIX_BYTES), 4);
	memcpy(to + 8, magic, DUMP_MAGIC_BYTES);
	put_le(to + 16, DUMP_VERSION, 2);
	put_le(to + 18, DUMP_COMPATIBLE, 2);
	put_le(to + 20, 0, 4);
}
