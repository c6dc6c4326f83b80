/* SPDX-License-Identifier: MIT */
#include "viewer/frame_at.h"

#include <errno.h>
#include <lz4frame.h>
#include <stdlib.h>
#include <unistd.h>

#include "recorder/dump_format.h"
#include "viewer/frames.h"

#define INPUT_BYTES (256u << 10)
#define HEADER_BYTES_MIN 7 /* of a data frame */
#define HEADER_BYTES 8	   /* of a skippable one */

struct frame_reader {
	int fd;
	LZ4F_dctx *context;
	unsigned char input[INPUT_BYTES];
};

int frame_reader_open(struct frame_reader **ret_reader, int fd)
{
	struct frame_reader *reader = calloc(1, sizeof(*reader));

	if (!reader)
		return -ENOMEM;
	if (LZ4F_isError(LZ4F_createDecompressionContext(&reader->context, LZ4F_VERSION))) {
		free(reader);
		return -ENOMEM;
	}
	reader->fd = fd;
	*ret_reader = reader;
	return 0;
}

void frame_reader_close(struct frame_reader *reader)
{
	if (!reader)
		return;
	LZ4F_freeDecompressionContext(reader->context);
	free(reader);
}

/* As many bytes as there are, up to `bytes`; or a negative errno. */
static ssize_t read_at(int fd, void *to, size_t bytes, uint64_t offset)
{
	ssize_t got;

	if (offset > INT64_MAX)
		return 0;
	do
		got = pread(fd, to, bytes, (off_t)offset);
	while (got < 0 && errno == EINTR);
	return got < 0 ? -errno : got;
}

static uint32_t get_le32(const unsigned char *from)
{
	return (uint32_t)from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 |
	       (uint32_t)from[3] << 24;
}

/* What is decompressed, as it grows. */
struct content {
	unsigned char *data;
	size_t bytes, capacity, limit;
};

static int content_room(struct content *content)
{
	size_t wanted = content->capacity ? content->capacity * 2 : 64u << 10;
	unsigned char *moved;

	if (content->bytes < content->capacity)
		return 0;
	if (content->capacity > content->limit)
		return -EBADMSG;
	/* One more than the limit, to see that it is passed. */
	if (wanted > content->limit + 1)
		wanted = content->limit + 1;
	moved = realloc(content->data, wanted);
	if (!moved)
		return -ENOMEM;
	content->data = moved;
	content->capacity = wanted;
	return 0;
}

/* 1: the frame is whole, 0: it goes on behind the input, or a negative errno. */
static int decompress(struct frame_reader *reader, size_t got, struct content *content)
{
	size_t at = 0, taken, room, hint;
	int error;

	for (;;) {
		error = content_room(content);
		if (error)
			return error;
		taken = got - at;
		room = content->capacity - content->bytes;
		hint = LZ4F_decompress(reader->context, content->data + content->bytes, &room,
				       reader->input + at, &taken, NULL);
		if (LZ4F_isError(hint))
			return -EBADMSG;
		at += taken;
		content->bytes += room;
		if (content->bytes > content->limit)
			return -EBADMSG;
		if (hint == 0)
			return 1;
		if (at == got && content->bytes < content->capacity)
			return 0;
	}
}

int frame_read(struct frame_reader *reader, uint64_t offset, size_t limit,
	       unsigned char **ret_content, size_t *ret_bytes)
{
	struct content content = {.limit = limit};
	int done = 0, error = 0;
	ssize_t got;

	LZ4F_resetDecompressionContext(reader->context);
	for (uint64_t first = offset; !done && !error;) {
		got = read_at(reader->fd, reader->input, INPUT_BYTES, offset);
		if (got <= 0) {
			error = got < 0 ? (int)got : -EBADMSG;
			break;
		}
		if (offset == first && (got < 4 || get_le32(reader->input) != FRAMES_DATA_MAGIC)) {
			error = -EBADMSG;
			break;
		}
		done = decompress(reader, (size_t)got, &content);
		error = done < 0 ? done : 0;
		offset += (uint64_t)got;
	}
	if (error) {
		free(content.data);
		return error;
	}
	*ret_content = content.data;
	*ret_bytes = content.bytes;
	return 0;
}

/* Those bytes of the file, until the next look; NULL: *ret_error says why. */
static const unsigned char *look(int fd, struct frame_window *window, uint64_t offset, size_t bytes,
				 int *ret_error)
{
	ssize_t got;

	if (offset < window->offset || offset - window->offset > window->bytes ||
	    window->bytes - (offset - window->offset) < bytes) {
		got = read_at(fd, window->data, sizeof(window->data), offset);
		*ret_error = got < 0 ? (int)got : -EBADMSG;
		window->offset = offset;
		window->bytes = got < 0 ? 0 : (size_t)got;
		if (window->bytes < bytes)
			return NULL;
	}
	return window->data + (offset - window->offset);
}

/* Steps over a data frame's blocks. 0, or -errno. */
static int measure_data(int fd, struct frame_window *window, unsigned char flags, uint64_t at,
			uint64_t *ret_end)
{
	const unsigned char *word;
	uint32_t size;
	int error;

	at += HEADER_BYTES_MIN + (flags & 8 ? 8 : 0) + (flags & 1 ? 4 : 0);
	for (;;) {
		word = look(fd, window, at, 4, &error);
		if (!word)
			return error;
		at += 4;
		size = get_le32(word) & 0x7fffffffu;
		if (!get_le32(word))
			break;
		if (size > DUMP_FRAME_BYTES_MAX)
			return -EBADMSG;
		at += size + (flags & 0x10 ? 4 : 0);
	}
	*ret_end = at + (flags & 4 ? 4 : 0);
	return 0;
}

int frame_measure(int fd, struct frame_window *window, uint64_t offset, uint32_t *ret_magic,
		  uint64_t *ret_end)
{
	const unsigned char *header;
	int error;

	header = look(fd, window, offset, HEADER_BYTES, &error);
	if (!header)
		return error;
	*ret_magic = get_le32(header);
	if (*ret_magic == FRAMES_DATA_MAGIC)
		return measure_data(fd, window, header[4], offset, ret_end);
	if ((*ret_magic & 0xfffffff0u) != (DUMP_SKIPPABLE_HEAD & 0xfffffff0u) ||
	    get_le32(header + 4) > DUMP_FRAME_BYTES_MAX)
		return -EBADMSG;
	*ret_end = offset + HEADER_BYTES + get_le32(header + 4);
	return 0;
}
