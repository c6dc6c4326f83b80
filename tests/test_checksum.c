/* SPDX-License-Identifier: MIT */
/* test_checksum.c - XXH32 is what LZ4 makes of the same bytes, whatever their number. */
#include <criterion/criterion.h>
#include <lz4frame.h>
#include <stdlib.h>
#include <string.h>

#include "viewer/checksum.h"

#define BYTES_MAX 300

/* What stands at the end of a frame. */
static uint32_t by_lz4(const unsigned char *data, size_t bytes)
{
	const LZ4F_preferences_t preferences = {.frameInfo.contentChecksumFlag = LZ4F_contentChecksumEnabled};
	unsigned char frame[2048];
	size_t made;

	cr_assert_leq(LZ4F_compressFrameBound(bytes, &preferences), sizeof(frame));
	made = LZ4F_compressFrame(frame, sizeof(frame), data, bytes, &preferences);
	cr_assert_not(LZ4F_isError(made));
	return (uint32_t)frame[made - 4] | (uint32_t)frame[made - 3] << 8 | (uint32_t)frame[made - 2] << 16 |
	       (uint32_t)frame[made - 1] << 24;
}

Test(checksum, is_that_of_lz4_at_every_length)
{
	unsigned char *data;

	for (size_t bytes = 0; bytes <= BYTES_MAX; bytes++) {
		data = malloc(bytes ? bytes : 1);
		for (size_t i = 0; i < bytes; i++)
			data[i] = (unsigned char)(i * 151 + bytes * 7);
		cr_assert_eq(checksum_xxh32(data, bytes), by_lz4(data, bytes), "%zu bytes", bytes);
		free(data);
	}
}

Test(checksum, is_what_the_specification_says)
{
	cr_expect_eq(checksum_xxh32((const unsigned char *)"", 0), 0x02cc5d05);
	cr_expect_eq(checksum_xxh32((const unsigned char *)"abc", 3), 0x32d153ff);
}

/* Cut anywhere, or with a byte more, it is not what it was. */
Test(checksum, a_frame_has_its_own_to_the_byte)
{
	unsigned char data[BYTES_MAX] = {1, 2, 3}, frame[2048];

	for (unsigned int kind = 0; kind < 4; kind++) {
		const LZ4F_preferences_t preferences = {
			.frameInfo.contentChecksumFlag = LZ4F_contentChecksumEnabled,
			.frameInfo.blockChecksumFlag = kind & 1 ? LZ4F_blockChecksumEnabled : LZ4F_noBlockChecksum,
			.frameInfo.contentSize = kind & 2 ? BYTES_MAX : 0,
		};
		size_t bytes = kind == 0 ? 0 : BYTES_MAX;
		size_t made = LZ4F_compressFrame(frame, sizeof(frame) - 1, data, bytes, &preferences);

		cr_assert_not(LZ4F_isError(made));
		frame[made] = 0;
		for (size_t cut = 0; cut <= made + 1; cut++) {
			unsigned char *exact = malloc(cut ? cut : 1);

			memcpy(exact, frame, cut);
			cr_expect_eq(checksum_fits(exact, cut, data, bytes), cut == made, "%zu of %zu", cut, made);
			free(exact);
		}
		data[0] ^= 1;
		cr_expect_eq(checksum_fits(frame, made, data, bytes), bytes == 0);
		data[0] ^= 1;
	}
}
