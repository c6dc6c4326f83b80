/* SPDX-License-Identifier: MIT */
/* test_frames.c - no frame whose bytes are not what they were is handed out, whichever checksums it has. */
#include <criterion/criterion.h>
#include <lz4frame.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "viewer/frames.h"

#define CONTENT_BYTES 1000
#define KINDS 4 /* no checksum, one of the content, of the blocks, both */

static unsigned char file[KINDS * 2 * CONTENT_BYTES], content[CONTENT_BYTES];
static size_t starts[KINDS + 1]; /* in the file, and its end */

static size_t add_frame(size_t at, unsigned int kind)
{
	const LZ4F_preferences_t preferences = {
		.frameInfo.blockMode = LZ4F_blockIndependent,
		.frameInfo.contentChecksumFlag = kind & 1 ? LZ4F_contentChecksumEnabled : LZ4F_noContentChecksum,
		.frameInfo.blockChecksumFlag = kind & 2 ? LZ4F_blockChecksumEnabled : LZ4F_noBlockChecksum,
	};
	size_t made = LZ4F_compressFrame(file + at, sizeof(file) - at, content, sizeof(content), &preferences);

	cr_assert_not(LZ4F_isError(made));
	return at + made;
}

/* A block that does not get smaller is stored as it is. */
static void make_file(const unsigned int *kinds, bool stored)
{
	uint32_t noise = 1;

	for (size_t i = 0; i < CONTENT_BYTES; i++) {
		noise = noise * 1664525 + 1013904223;
		content[i] = stored || i % 100 < 50 ? (unsigned char)(noise >> 24) : 'x';
	}
	for (size_t i = 0; i < KINDS; i++)
		starts[i + 1] = add_frame(starts[i], kinds[i]);
}

/* How many frames there are; those that there are have what they had. */
static size_t count_frames(void)
{
	int fd = memfd_create("frames", MFD_CLOEXEC);
	struct frames *frames;
	struct frame frame;
	size_t count = 0;

	cr_assert_eq(write(fd, file, starts[KINDS]), (ssize_t)starts[KINDS]);
	cr_assert_eq(lseek(fd, 0, SEEK_SET), 0);
	cr_assert_eq(frames_open(&frames, fd), 0);
	for (; frames_next(frames, &frame) > 0; count++) {
		cr_assert_eq(frame.bytes, (size_t)CONTENT_BYTES);
		cr_assert_arr_eq(frame.content, content, CONTENT_BYTES);
	}
	frames_close(frames);
	return count;
}

/* The kinds in several orders: what is done for one must not stay for the next. */
Test(frames, a_flipped_bit_is_damage_wherever_it_is_and_whatever_came_before)
{
	static const unsigned int orders[][KINDS] = {{0, 1, 2, 3}, {3, 2, 1, 0}, {1, 3, 2, 0}};

	for (size_t k = 0; k < 2 * sizeof(orders) / sizeof(*orders); k++) {
		const size_t i = k / 2;

		make_file(orders[i], k & 1);
		cr_assert_eq(count_frames(), (size_t)KINDS);
		for (size_t j = 0; j < KINDS; j++)
			/* Nothing is known of the one that has no checksum. */
			for (size_t at = starts[j]; orders[i][j] && at < starts[j + 1]; at++) {
				file[at] ^= 0x10;
				cr_assert_lt(count_frames(), (size_t)KINDS, "byte %zu of frame %zu", at, j);
				file[at] ^= 0x10;
			}
	}
}
