/* SPDX-License-Identifier: MIT */
/*
 * wrapped_dump.h - a fuzzer's input as a dump: as it is, or wrapped.
 *
 * An input that starts with 'W' holds the contents of frames, with four bytes 0xff between them: they
 * are put into frames with good checksums, which no fuzzer would find by itself.
 */
#ifndef TESTS_WRAPPED_DUMP_H
#define TESTS_WRAPPED_DUMP_H

#include <lz4frame.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct wrapped {
	unsigned char *data;
	size_t bytes;
};

static void wrapped_frame(struct wrapped *file, const uint8_t *content, size_t bytes)
{
	const LZ4F_preferences_t preferences = {
		.frameInfo = {.contentChecksumFlag = LZ4F_contentChecksumEnabled,
			      .contentSize = bytes},
	};
	size_t bound = LZ4F_compressFrameBound(bytes, &preferences);

	file->data = realloc(file->data, file->bytes + bound);
	if (!file->data)
		abort();
	file->bytes += LZ4F_compressFrame(file->data + file->bytes, bound, content, bytes, &preferences);
}

static void wrapped_try(const uint8_t *data, size_t size, void (*try_bytes)(const void *, size_t))
{
	static const unsigned char head[] = "\x50\x2a\x4d\x18\x11\0\0\0TTLOGDMP\1\0\1\0\0\0\0\0\xa0";
	struct wrapped file = {malloc(sizeof(head)), sizeof(head) - 1};
	const uint8_t *end;
	size_t part;

	if (!file.data)
		abort();
	memcpy(file.data, head, sizeof(head));
	while (size) {
		end = memmem(data, size, "\xff\xff\xff\xff", 4);
		part = end ? (size_t)(end - data) : size;
		wrapped_frame(&file, data, part);
		part = end ? part + 4 : part;
		data += part;
		size -= part;
	}
	try_bytes(file.data, file.bytes);
	free(file.data);
}

/* Calls with the dump that the input is, or stands for. */
static inline void wrapped_run(const uint8_t *data, size_t size, void (*try_bytes)(const void *, size_t))
{
	if (size && data[0] == 'W')
		wrapped_try(data + 1, size - 1, try_bytes);
	else
		try_bytes(data, size);
}

#endif
