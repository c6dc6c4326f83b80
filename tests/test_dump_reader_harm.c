/* SPDX-License-Identifier: MIT */
/* test_dump_reader_harm.c - dumps that were made to harm who reads them. */
#include <criterion/criterion.h>
#include <lz4.h>
#include <lz4frame.h>
#include <stdlib.h>
#include <string.h>

#include "tests/view_dump.h"

TestSuite(dump_reader_harm, .timeout = 170);

static const unsigned char head[] = "\x50\x2a\x4d\x18\x11\0\0\0TTLOGDMP\1\0\1\0\0\0\0\0\xa0";

#define HEAD_BYTES (sizeof(head) - 1)

static const unsigned char metadata[] = "\xa1\x65ttlog\1";
static const unsigned char tail[] = "\x5f\x2a\x4d\x18\x11\0\0\0TTLOGIDX\1\0\1\0\0\0\0\0\xa0";

#define TAIL_BYTES (sizeof(tail) - 1)

static size_t put_frame(unsigned char *to, const void *content, size_t bytes)
{
	return LZ4F_compressFrame(to, LZ4F_compressFrameBound(bytes, NULL), content, bytes, NULL);
}

/* A dump of a head, metadata (unless the bytes are some), one frame around those bytes, an index. */
static unsigned char *around(const void *content, size_t bytes, size_t *ret_bytes)
{
	unsigned char *data = malloc(HEAD_BYTES + TAIL_BYTES + LZ4F_compressFrameBound(bytes, NULL) +
				     LZ4F_compressFrameBound(sizeof(metadata), NULL));
	size_t at = HEAD_BYTES;

	memcpy(data, head, HEAD_BYTES);
	if (!memmem(content, bytes < 64 ? bytes : 64, "\x65ttlog", 6))
		at += put_frame(data + at, metadata, sizeof(metadata) - 1);
	at += put_frame(data + at, content, bytes);
	memcpy(data + at, tail, TAIL_BYTES);
	*ret_bytes = at + TAIL_BYTES;
	return data;
}

/* Events and damage of any file that is a dump. */
static int read_file(const unsigned char *file, size_t bytes, bool *ret_damaged)
{
	struct dump *dump;
	struct event event;
	const char *why;
	char damage[160];
	int count = 0;

	cr_assert_eq(view_bytes(&dump, file, bytes, &why), 0);
	while (dump_next(dump, &event))
		count++;
	*ret_damaged = dump_damage(dump, damage, sizeof(damage));
	dump_close(dump);
	return count;
}

/* The same of a file with one such frame. */
static int harmed(const void *content, size_t bytes, bool *ret_damaged)
{
	size_t file_bytes;
	unsigned char *file = around(content, bytes, &file_bytes);
	int count = read_file(file, file_bytes, ret_damaged);

	free(file);
	return count;
}

#define HARMED(bytes) harmed(bytes, sizeof(bytes) - 1, &damaged)

#define GOOD_BATCH "\xa2\x63seq\0\x66" \
		   "events\x81\x85\1\0\0\0\1"

Test(dump_reader_harm, the_smallest_dumps_are_good_ones)
{
	bool damaged;

	cr_expect_eq(HARMED(GOOD_BATCH), 1);
	cr_expect_not(damaged);
	cr_expect_eq(HARMED("\xa1\x65ttlog\1"), 0);
	cr_expect_not(damaged);
	/* What a later version may bring: other frames, other keys. */
	cr_expect_eq(HARMED("\xa1\x65" "later\x82\xa1\1\2\xf6"), 0);
	cr_expect_not(damaged);
	cr_expect_eq(HARMED("\xa2\x65ttlog\1\x65later\x82\xa1\1\2\xf6"), 0);
	cr_expect_not(damaged);
}

Test(dump_reader_harm, lengths_that_cannot_be_true_are_refused)
{
	bool damaged;

	/* arrays, maps, texts and byte strings of 2^60 items */
	cr_expect_eq(HARMED("\xa2\x63seq\0\x66"
			    "events\x9b\x10\0\0\0\0\0\0\0"),
		     0);
	cr_expect(damaged);
	cr_expect_eq(HARMED("\xbb\x10\0\0\0\0\0\0\0\x63seq"), 0);
	cr_expect(damaged);
	cr_expect_eq(HARMED("\xa1\x65sites\xbb\x10\0\0\0\0\0\0\0"), 0);
	cr_expect(damaged);
	cr_expect_eq(HARMED("\xa1\x65ttlog\x7b\x10\0\0\0\0\0\0\0"), 0);
	cr_expect(damaged);
	/* A map of 2^63 pairs has 2^64 items, which is none in 64 bits. */
	cr_expect_eq(HARMED("\xa2\x65ttlog\1\x65later\xbb\x80\0\0\0\0\0\0\0"), 0);
	cr_expect(damaged);
	cr_expect_eq(HARMED("\xa2\x65ttlog\1\x67threads\x9a\x7f\xff\xff\xff"), 0);
	cr_expect(damaged);
}

Test(dump_reader_harm, a_text_that_is_too_long_is_refused)
{
	const size_t bytes = 21 + DUMP_TEXT_BYTES_MAX + 1;
	unsigned char *content = calloc(1, bytes);
	bool damaged;

	memcpy(content, "\xa2\x65ttlog\1\x67service\x7a\0\x10\0\1", 21);
	cr_expect_eq(harmed(content, bytes, &damaged), 0);
	cr_expect(damaged);
	content[20]--;
	cr_expect_eq(harmed(content, bytes - 1, &damaged), 0);
	cr_expect_not(damaged);
	free(content);
}

Test(dump_reader_harm, depth_is_bounded)
{
	unsigned char deep[4096] = "\xa1\x65ttlog";
	bool damaged;

	memset(deep + 7, 0x81, sizeof(deep) - 8);
	deep[sizeof(deep) - 1] = 1;
	cr_expect_eq(harmed(deep, sizeof(deep), &damaged), 0);
	cr_expect(damaged);
}

Test(dump_reader_harm, indefinite_lengths_and_tags_are_no_part_of_a_dump)
{
	bool damaged;

	cr_expect_eq(HARMED("\xbf\x63seq\0\xff"), 0);
	cr_expect(damaged);
	cr_expect_eq(HARMED("\xa2\x63seq\0\x66"
			    "events\x9f\x85\0\0\0\0\1\xff"),
		     0);
	cr_expect(damaged);
	cr_expect_eq(HARMED("\xc0\xa1\x63seq\0"), 0);
	cr_expect(damaged);
}

Test(dump_reader_harm, events_before_one_that_makes_no_sense_come_out)
{
	bool damaged;

	cr_expect_eq(HARMED("\xa2\x63seq\0\x66"
			    "events\x83\x85\1\0\0\0\1\x85\2\0\0\0\1\x84\0\0\0\0"),
		     2);
	cr_expect(damaged);
}

Test(dump_reader_harm, ids_out_of_range_are_answered_with_strangers)
{
	static const char content[] = "\xa2\x63seq\0\x66"
				      "events\x81\x86\1\x1b\x7f\xff\xff\xff\xff\xff\xff\xff\x1a\xff\xff"
				      "\xff\xff\0\x1b\xff\xff\xff\xff\xff\xff\xff\xff\5";
	struct record record = {0};
	struct dump *dump;
	const char *why;
	size_t bytes;
	unsigned char *file = around(content, sizeof(content) - 1, &bytes);

	cr_assert_eq(view_bytes(&dump, file, bytes, &why), 0);
	cr_assert(dump_next(dump, &record.event));
	record_decode(&record);
	cr_expect_eq(record.event.site->level, LEVEL_UNKNOWN);
	cr_expect_eq(record.event.thread->name.bytes, 0);
	cr_expect_eq(record.event.lane->name.bytes, 0);
	cr_expect_eq(record.count, 1);
	cr_expect(span_is(record.value[0].name, "arg1"));
	dump_close(dump);
	free(file);
}

Test(dump_reader_harm, a_frame_that_grows_too_large_is_refused)
{
	size_t bytes = DUMP_FRAME_BYTES_MAX + (1 << 20);
	unsigned char *content = calloc(1, bytes);
	bool damaged;

	memcpy(content, "\xa1\x65later", 7);
	cr_expect_eq(harmed(content, 1 << 20, &damaged), 0);
	cr_expect_not(damaged);
	cr_expect_eq(harmed(content, bytes, &damaged), 0);
	cr_expect(damaged);
	free(content);
}

Test(dump_reader_harm, a_skippable_frame_that_is_too_large_is_refused)
{
	const size_t most = DUMP_FRAME_BYTES_MAX;
	unsigned char *file = calloc(1, HEAD_BYTES + 64 + 8 + most + 1 + TAIL_BYTES);
	size_t at = HEAD_BYTES;
	bool damaged;

	memcpy(file, head, HEAD_BYTES);
	at += put_frame(file + at, metadata, sizeof(metadata) - 1);
	memcpy(file + at, "\x51\x2a\x4d\x18\0\0\0\4", 8);
	memcpy(file + at + 8 + most, tail, TAIL_BYTES);
	cr_expect_eq(read_file(file, at + 8 + most + TAIL_BYTES, &damaged), 0);
	cr_expect_not(damaged);
	file[at + 4]++;
	memset(file + at + 8 + most, 0, TAIL_BYTES);
	memcpy(file + at + 9 + most, tail, TAIL_BYTES);
	cr_expect_eq(read_file(file, at + 9 + most + TAIL_BYTES, &damaged), 0);
	cr_expect(damaged);
	free(file);
}

/* The length of a skippable frame has no checksum: what it takes in may be frames of ours. */
Test(dump_reader_harm, an_index_that_swallows_a_batch_gives_it_back)
{
	static const char batch[] = GOOD_BATCH;
	unsigned char file[1024];
	size_t at = HEAD_BYTES + TAIL_BYTES;
	bool damaged;

	memcpy(file, head, HEAD_BYTES);
	memcpy(file + HEAD_BYTES, tail, TAIL_BYTES);
	at += put_frame(file + at, batch, sizeof(batch) - 1);
	file[HEAD_BYTES + 4] = (unsigned char)(at - HEAD_BYTES - 8);
	cr_expect_eq(read_file(file, at, &damaged), 1);
	cr_expect(damaged);
}

/* One after another: starts of frames, each with a stored block up to the end of all starts. */
static size_t put_starts(unsigned char *to, size_t count)
{
	const LZ4F_preferences_t preferences = {.frameInfo.blockSizeID = LZ4F_max256KB,
						.frameInfo.blockMode = LZ4F_blockIndependent};
	const size_t bytes = 11;
	unsigned char start[64];
	LZ4F_cctx *context;
	uint32_t left;

	LZ4F_createCompressionContext(&context, LZ4F_VERSION);
	cr_assert_eq(LZ4F_compressBegin(context, start, sizeof(start), &preferences), 7);
	LZ4F_freeCompressionContext(context);
	for (size_t i = 0; i < count; i++) {
		left = (uint32_t)((count - i - 1) * bytes) | 0x80000000u;
		memcpy(start + 7, &left, 4);
		memcpy(to + i * bytes, start, bytes);
	}
	return count * bytes;
}

/*
 * Behind the starts 60 MB of good blocks that are only 250 KB, then an end that spoils them: without a
 * limit that is 1.4 TB of work for half a megabyte of file.
 */
Test(dump_reader_harm, a_file_full_of_false_starts_ends_in_good_time, .timeout = 100)
{
	const size_t block_bytes = 256 << 10, starts = 23000, blocks = 240;
	unsigned char *file = malloc(1 << 20), *zeros = calloc(1, block_bytes);
	char block[4096];
	int32_t packed = LZ4_compress_default((char *)zeros, block, (int)block_bytes, sizeof(block));
	size_t at = HEAD_BYTES;
	bool damaged;

	cr_assert_gt(packed, 0);
	memcpy(file, head, HEAD_BYTES);
	at += put_starts(file + at, starts);
	for (size_t i = 0; i < blocks; i++) {
		memcpy(file + at, &packed, 4);
		memcpy(file + at + 4, block, (size_t)packed);
		at += 4 + (size_t)packed;
	}
	memset(file + at, 0x7f, 4);
	cr_expect_eq(read_file(file, at + 4, &damaged), 0);
	cr_expect(damaged);
	free(zeros);
	free(file);
}
