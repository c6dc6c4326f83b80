/* SPDX-License-Identifier: MIT */
#include "viewer/frames.h"

#include <errno.h>
#include <lz4frame.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "recorder/dump_format.h"
#include "viewer/checksum.h"

#define READ_BYTES (64u << 10)
#define INPUT_BYTES_MAX                                                                            \
	(DUMP_FRAME_BYTES_MAX + (1u << 20)) /* what does not compress grows a little */
/*
 * A file can be full of starts of frames that all fail late. Failed attempts may cost so many times
 * the bytes read; after that each failure is stepped over, and some more, instead of searched. The
 * cost is known piece by piece: what a piece that failed did before it did is not told.
 */
#define WASTE_FACTOR 64
#define WASTE_FREE (256u << 20)
#define WASTE_STEP (64u << 10)
#define PIECE_IN (256u << 10)
#define PIECE_OUT (1u << 20)

struct frames {
	int fd;
	bool ended, whole; /* whole: a file from its first byte on */
	unsigned char *input;
	size_t start, end, capacity; /* input[start] is the first byte of the current frame */
	uint64_t offset;	     /* of input[start] in the file */
	size_t last_bytes;	     /* of the frame that was handed out last */
	LZ4F_dctx *context;
	unsigned char *content;
	size_t content_bytes, content_capacity;
	uint64_t wasted;
	bool in_damage;
	struct frames_damage damage;
	void (*on_wait)(void *context); /* or NULL */
	void *wait_context;
};

int frames_open(struct frames **ret_frames, int fd)
{
	struct frames *frames = calloc(1, sizeof(*frames));

	if (!frames) {
		close(fd);
		return -ENOMEM;
	}
	frames->fd = fd;
	frames->whole = lseek(fd, 0, SEEK_CUR) == 0;
	if (LZ4F_isError(LZ4F_createDecompressionContext(&frames->context, LZ4F_VERSION))) {
		frames_close(frames);
		return -ENOMEM;
	}
	*ret_frames = frames;
	return 0;
}

void frames_close(struct frames *frames)
{
	if (!frames)
		return;
	close(frames->fd);
	LZ4F_freeDecompressionContext(frames->context);
	free(frames->input);
	free(frames->content);
	free(frames);
}

void frames_on_wait(struct frames *frames, void (*fn)(void *context), void *context)
{
	frames->on_wait = fn;
	frames->wait_context = context;
}

static void say_if_it_waits(const struct frames *frames)
{
	struct pollfd input = {.fd = frames->fd, .events = POLLIN};

	if (frames->on_wait && !poll(&input, 1, 0))
		frames->on_wait(frames->wait_context);
}

const struct frames_damage *frames_damage(const struct frames *frames)
{
	return &frames->damage;
}

uint64_t frames_offset(const struct frames *frames)
{
	return frames->offset + frames->last_bytes;
}

int frames_descriptor(const struct frames *frames)
{
	return frames->whole ? frames->fd : -1;
}

int frames_seek(struct frames *frames, uint64_t offset)
{
	uint64_t buffered = frames->end - frames->start;

	if (offset >= frames->offset && offset - frames->offset <= buffered) {
		frames->start += offset - frames->offset;
	} else {
		if (lseek(frames->fd, (off_t)offset, SEEK_SET) < 0)
			return -errno;
		frames->start = frames->end = 0;
		frames->ended = false;
	}
	frames->offset = offset;
	frames->last_bytes = 0;
	frames->in_damage = false;
	return 0;
}

static int reserve(unsigned char **data, size_t *capacity, size_t wanted)
{
	size_t bytes = *capacity ? *capacity : 64u << 10;
	unsigned char *moved;

	if (wanted <= *capacity)
		return 0;
	while (bytes < wanted)
		bytes *= 2;
	moved = realloc(*data, bytes);
	if (!moved)
		return -ENOMEM;
	*data = moved;
	*capacity = bytes;
	return 0;
}

/* Sees to it that `wanted` bytes from the frame's start are there, or all there are. 0 or an errno.
 */
static int fill(struct frames *frames, size_t wanted)
{
	ssize_t got;
	int error;

	if (frames->end - frames->start >= wanted || frames->ended)
		return 0;
	if (frames->start) {
		memmove(frames->input, frames->input + frames->start, frames->end - frames->start);
		frames->end -= frames->start;
		frames->start = 0;
	}
	while (frames->end < wanted && !frames->ended) {
		error = reserve(&frames->input, &frames->capacity, frames->end + READ_BYTES);
		if (error)
			return error;
		say_if_it_waits(frames);
		got = read(frames->fd, frames->input + frames->end, frames->capacity - frames->end);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		frames->ended = got == 0;
		frames->end += (size_t)got;
	}
	return 0;
}

static void step(struct frames *frames, size_t bytes)
{
	frames->start += bytes;
	frames->offset += bytes;
}

static uint32_t get_le32(const unsigned char *from)
{
	return (uint32_t)from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 |
	       (uint32_t)from[3] << 24;
}

static bool is_magic(uint32_t word)
{
	return word == FRAMES_DATA_MAGIC ||
	       (word & 0xfffffff0u) == (DUMP_SKIPPABLE_HEAD & 0xfffffff0u);
}

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

static int content_room(struct frames *frames, size_t header_bytes)
{
	size_t wanted = frames->content_bytes + (64u << 10);
	LZ4F_frameInfo_t info;
	size_t consumed = 0;

	/* Known sizes save the copies of a buffer that grows. */
	if (header_bytes && !frames->content_bytes &&
	    !LZ4F_isError(LZ4F_getFrameInfo(frames->context, &info, NULL, &consumed)) &&
	    info.contentSize <= DUMP_FRAME_BYTES_MAX && info.contentSize > wanted)
		wanted = info.contentSize;
	return reserve(&frames->content, &frames->content_capacity, wanted);
}

/* Does the frame, whose header is read, end with a checksum of its content? */
static bool has_checksum(struct frames *frames)
{
	LZ4F_frameInfo_t info;
	size_t consumed = 0;

	return !LZ4F_isError(LZ4F_getFrameInfo(frames->context, &info, NULL, &consumed)) &&
	       info.contentChecksumFlag == LZ4F_contentChecksumEnabled;
}

static bool is_intact(const struct frames *frames, size_t frame_bytes)
{
	return checksum_fits(frames->input + frames->start, frame_bytes, frames->content,
			     frames->content_bytes);
}

/* 1 and the frame's bytes, 0 when it is damaged (and how far that was seen), or a negative errno.
 */
static int decompress(struct frames *frames, size_t *ret_bytes)
{
	/* What is seen of the content is seen of its blocks: one checksum is enough, and it is
	 * ours. */
	const LZ4F_decompressOptions_t unchecked = {.skipChecksums = 1};
	size_t at = 0, room, taken, hint;
	bool checked_here = false;
	int error;

	frames->content_bytes = 0;
	LZ4F_resetDecompressionContext(frames->context);
	for (;;) {
		error = fill(frames, at + 1);
		if (!error)
			error = content_room(frames, at);
		if (error)
			return error;
		room = frames->content_capacity - frames->content_bytes;
		room = smaller(room, DUMP_FRAME_BYTES_MAX + 1 - frames->content_bytes);
		room = smaller(room, PIECE_OUT);
		taken = smaller(frames->end - frames->start - at, PIECE_IN);
		/* The header alone first: it may say how much room the content wants. */
		if (at == 0 && taken > LZ4F_HEADER_SIZE_MAX)
			taken = LZ4F_HEADER_SIZE_MAX;
		*ret_bytes = at;
		if (!taken)
			return 0;
		hint = LZ4F_decompress(frames->context, frames->content + frames->content_bytes,
				       &room, frames->input + frames->start + at, &taken,
				       checked_here ? &unchecked : NULL);
		if (LZ4F_isError(hint))
			return 0;
		if (!at)
			checked_here = has_checksum(frames);
		frames->content_bytes += room;
		at += taken;
		*ret_bytes = at;
		if (frames->content_bytes > DUMP_FRAME_BYTES_MAX || at > INPUT_BYTES_MAX)
			return 0;
		if (hint == 0)
			return !checked_here || is_intact(frames, at);
	}
}

/* The same for a frame whose content is as it is. */
static int skippable(struct frames *frames, size_t *ret_bytes)
{
	size_t bytes;
	int error;

	frames->content_bytes = 0;
	*ret_bytes = frames->end - frames->start;
	if (*ret_bytes < 8)
		return 0;
	bytes = get_le32(frames->input + frames->start + 4);
	if (bytes > DUMP_FRAME_BYTES_MAX)
		return 0;
	error = fill(frames, bytes + 8);
	if (error)
		return error;
	if (frames->end - frames->start < bytes + 8)
		return 0;
	*ret_bytes = bytes + 8;
	return 1;
}

static void damaged(struct frames *frames, size_t seen)
{
	size_t bytes = 1;

	if (!frames->in_damage && !frames->damage.places++)
		frames->damage.first_offset = frames->offset;
	frames->in_damage = true;
	frames->wasted += seen + frames->content_bytes + (seen ? PIECE_IN : 0);
	if (frames->wasted / WASTE_FACTOR > frames->offset + WASTE_FREE / WASTE_FACTOR)
		bytes = smaller(seen + WASTE_STEP, frames->end - frames->start);
	step(frames, bytes);
}

/* To the next place that may be a frame. 1, 0 at the end, or a negative errno. */
static int search(struct frames *frames)
{
	const unsigned char *found;
	size_t left;
	int error;

	for (;;) {
		error = fill(frames, 8);
		if (error)
			return error;
		left = frames->end - frames->start;
		if (left >= 4 && is_magic(get_le32(frames->input + frames->start)))
			return 1;
		if (!left)
			return 0;
		if (!frames->in_damage)
			damaged(frames, 0);
		else if (left < 4)
			step(frames, left);
		else {
			/* 0x4d is the third byte of all of them. */
			found = memchr(frames->input + frames->start + 3, 0x4d, left - 3);
			step(frames, found ? (size_t)(found - frames->input) - 2 - frames->start
					   : left - 3);
		}
	}
}

int frames_next(struct frames *frames, struct frame *ret_frame)
{
	size_t bytes = 0;
	int found;

	step(frames, frames->last_bytes);
	frames->last_bytes = 0;
	for (;;) {
		found = search(frames);
		if (found <= 0)
			break;
		ret_frame->magic = get_le32(frames->input + frames->start);
		found = ret_frame->magic == FRAMES_DATA_MAGIC ? decompress(frames, &bytes)
							      : skippable(frames, &bytes);
		if (found < 0)
			return found;
		if (found == 0) {
			damaged(frames, bytes);
			continue;
		}
		frames->in_damage = false;
		frames->last_bytes = bytes;
		ret_frame->offset = frames->offset;
		ret_frame->content = frames->content;
		ret_frame->bytes = frames->content_bytes;
		if (ret_frame->magic != FRAMES_DATA_MAGIC) {
			ret_frame->content = frames->input + frames->start + 8;
			ret_frame->bytes = bytes - 8;
		}
		return 1;
	}
	frames->damage.cut = frames->in_damage;
	return found;
}

void frames_reject(struct frames *frames)
{
	size_t seen = frames->last_bytes;

	frames->last_bytes = 0;
	damaged(frames, seen);
}
