/* SPDX-License-Identifier: MIT */
#include "viewer/dump_index.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "recorder/dump_format.h"
#include "viewer/decode.h"

#define TAIL_FIRST (64u << 10)
#define TAIL_GROWTH 8
#define TAIL_MAX (64u << 20)
#define HEADER_BYTES 8 /* of a skippable frame */

struct extents {
	struct dump_extent *list;
	size_t count;
	struct number events;
};

static uint32_t get_le32(const unsigned char *from)
{
	return (uint32_t)from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 |
	       (uint32_t)from[3] << 24;
}

/* Is there a frame of the index that ends where the bytes end? */
static bool is_index(const unsigned char *at, size_t left)
{
	return left >= HEADER_BYTES + DUMP_PREFIX_BYTES &&
	       get_le32(at) == DUMP_SKIPPABLE_INDEX && get_le32(at + 4) == left - HEADER_BYTES &&
	       memcmp(at + HEADER_BYTES, DUMP_MAGIC_INDEX, DUMP_MAGIC_BYTES) == 0;
}

static const unsigned char *find(const unsigned char *data, size_t bytes)
{
	size_t least = HEADER_BYTES + DUMP_PREFIX_BYTES;

	/* From the end: an index may hold what looks like the start of another. */
	for (size_t at = bytes >= least ? bytes - least + 1 : 0; at--;)
		if (data[at] == (DUMP_SKIPPABLE_INDEX & 0xff) && is_index(data + at, bytes - at))
			return data + at;
	return NULL;
}

static int read_at(int fd, unsigned char *data, size_t bytes, uint64_t offset)
{
	size_t done = 0;
	ssize_t got;

	while (done < bytes) {
		got = pread(fd, data + done, bytes - done, (off_t)(offset + done));
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got < 0 ? -errno : -ENOENT;
		done += (size_t)got;
	}
	return 0;
}

static int decode_time(struct decode *cursor, int64_t *ret_ns)
{
	struct token token;

	if (decode_next(cursor, &token) ||
	    (token.kind != TOKEN_UINT && token.kind != TOKEN_NEGATIVE))
		return -EBADMSG;
	*ret_ns = (int64_t)(token.kind == TOKEN_NEGATIVE ? ~token.number : token.number);
	return 0;
}

static int decode_uint(struct decode *cursor, uint64_t *ret_number)
{
	struct token token;

	if (decode_next(cursor, &token) || token.kind != TOKEN_UINT)
		return -EBADMSG;
	*ret_number = token.number;
	return 0;
}

static int decode_extent(struct decode *cursor, struct dump_extent *extent)
{
	struct token array;

	if (decode_next(cursor, &array) || array.kind != TOKEN_ARRAY || array.number < 5 ||
	    decode_uint(cursor, &extent->offset) || decode_uint(cursor, &extent->seq) ||
	    decode_uint(cursor, &extent->events) || decode_time(cursor, &extent->first_ns) ||
	    decode_time(cursor, &extent->last_ns))
		return -EBADMSG;
	return decode_skip_many(cursor, array.number - 5);
}

static int decode_batches(struct decode *cursor, void *to)
{
	struct extents *extents = to;
	struct token array;
	int error = 0;

	if (decode_next(cursor, &array) || array.kind != TOKEN_ARRAY || extents->list ||
	    array.number > DUMP_EXTENTS_MAX)
		return -EBADMSG;
	extents->list = calloc(array.number + 1, sizeof(*extents->list));
	if (!extents->list)
		return -ENOMEM;
	for (; extents->count < array.number && !error; extents->count++)
		error = decode_extent(cursor, &extents->list[extents->count]);
	return error;
}

/* Behind each other, numbered from 0 on, in front of the index, and as many as it says. */
static bool are_sound(const struct extents *extents, uint64_t index_offset)
{
	uint64_t seq = 0, behind = 0;

	for (size_t i = 0; i < extents->count; i++) {
		const struct dump_extent *extent = &extents->list[i];

		if (extent->seq != seq || !extent->events || extent->offset < behind ||
		    extent->offset >= index_offset || extent->events > UINT64_MAX - seq)
			return false;
		seq += extent->events;
		behind = extent->offset + 1;
	}
	return extents->events.known && extents->events.bits == seq;
}

static int decode(const unsigned char *index, size_t bytes, uint64_t offset,
		  struct extents *extents)
{
	static const struct decode_key keys[] = {
		{"batches", DECODE_CALL, 0, NULL, decode_batches},
		{"events", DECODE_NUMBER, offsetof(struct extents, events), NULL, NULL},
		{NULL, DECODE_SPAN, 0, NULL, NULL},
	};
	const unsigned char *prefix = index + HEADER_BYTES;
	struct decode cursor = {prefix + DUMP_PREFIX_BYTES, index + bytes};
	int error;

	if ((prefix[10] | prefix[11] << 8) > DUMP_VERSION)
		return -EBADMSG;
	error = decode_map(&cursor, keys, extents);
	if (!error && (cursor.at != cursor.end || !are_sound(extents, offset)))
		error = -EBADMSG;
	return error;
}

int dump_index_read(int fd, struct dump_extent **ret_extents, size_t *ret_count)
{
	struct extents extents = {0};
	const unsigned char *index = NULL;
	unsigned char *tail = NULL, *grown;
	uint64_t size, bytes = TAIL_FIRST;
	struct stat status;
	int error = 0;

	if (fstat(fd, &status) || !S_ISREG(status.st_mode))
		return -ENOENT;
	size = (uint64_t)status.st_size;
	for (; !error && !index; bytes *= TAIL_GROWTH) {
		bytes = bytes < size ? bytes : size;
		grown = realloc(tail, bytes + 1);
		error = grown ? 0 : -ENOMEM;
		if (error)
			break;
		tail = grown;
		error = read_at(fd, tail, bytes, size - bytes);
		index = error ? NULL : find(tail, bytes);
		if (!error && !index && (bytes == size || bytes * TAIL_GROWTH > TAIL_MAX))
			error = -ENOENT;
		if (index)
			break;
	}
	if (!error)
		error = decode(index, (size_t)(tail + bytes - index),
			       size - (uint64_t)(tail + bytes - index), &extents);
	free(tail);
	if (error) {
		free(extents.list);
		return error;
	}
	*ret_extents = extents.list;
	*ret_count = extents.count;
	return 0;
}
