/* SPDX-License-Identifier: MIT */
#include "viewer/checksum.h"

#define PRIME_1 0x9e3779b1u
#define PRIME_2 0x85ebca77u
#define PRIME_3 0xc2b2ae3du
#define PRIME_4 0x27d4eb2fu
#define PRIME_5 0x165667b1u

/* A frame's flags, behind its magic; and a block's size has one of its own. */
#define FLAGS_AT 4
#define HAS_NUMBER 0x01
#define HAS_BLOCK_SUMS 0x10
#define HAS_SIZE 0x08
#define BLOCK_IS_STORED 0x80000000u

#define STRIPE_BYTES 16 /* a word for each of four sums */

static inline uint32_t turn(uint32_t word, unsigned int bits)
{
	return word << bits | word >> (32 - bits);
}

static inline uint32_t word_at(const unsigned char *from)
{
	return (uint32_t)from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 |
	       (uint32_t)from[3] << 24;
}

static inline uint32_t add_word(uint32_t sum, const unsigned char *from)
{
	sum = turn(sum + word_at(from) * PRIME_2, 13) * PRIME_1;
	/* No compiler sees that four of these are alike: see the header. */
	__asm__("" : "+r"(sum));
	return sum;
}

static uint32_t add_stripes(const unsigned char **from, const unsigned char *end)
{
	uint32_t a = PRIME_1 + PRIME_2, b = PRIME_2, c = 0, d = 0 - PRIME_1;

	for (; end - *from >= STRIPE_BYTES; *from += STRIPE_BYTES) {
		a = add_word(a, *from);
		b = add_word(b, *from + 4);
		c = add_word(c, *from + 8);
		d = add_word(d, *from + 12);
	}
	return turn(a, 1) + turn(b, 7) + turn(c, 12) + turn(d, 18);
}

uint32_t checksum_xxh32(const unsigned char *data, size_t bytes)
{
	const unsigned char *end = data + bytes;
	uint32_t sum = bytes < STRIPE_BYTES ? PRIME_5 : add_stripes(&data, end);

	sum += (uint32_t)bytes;
	for (; end - data >= 4; data += 4)
		sum = turn(sum + word_at(data) * PRIME_3, 17) * PRIME_4;
	for (; data < end; data++)
		sum = turn(sum + *data * PRIME_5, 11) * PRIME_1;
	sum = (sum ^ sum >> 15) * PRIME_2;
	sum = (sum ^ sum >> 13) * PRIME_3;
	return sum ^ sum >> 16;
}

static size_t header_bytes(unsigned char flags)
{
	return 7 + (flags & HAS_SIZE ? 8 : 0) + (flags & HAS_NUMBER ? 4 : 0);
}

bool checksum_fits(const unsigned char *frame, size_t frame_bytes, const unsigned char *content,
		   size_t content_bytes)
{
	const unsigned char *at = frame, *end = frame + frame_bytes;
	size_t sum_bytes, block;

	if (frame_bytes <= FLAGS_AT || frame_bytes < header_bytes(frame[FLAGS_AT]))
		return false;
	sum_bytes = at[FLAGS_AT] & HAS_BLOCK_SUMS ? 4 : 0;
	for (at += header_bytes(at[FLAGS_AT]); end - at >= 8 && word_at(at);
	     at += block + sum_bytes) {
		block = word_at(at) & ~BLOCK_IS_STORED;
		at += 4;
		if (block > (size_t)(end - at) || (size_t)(end - at) - block < sum_bytes)
			return false;
		if (sum_bytes && checksum_xxh32(at, block) != word_at(at + block))
			return false;
	}
	return end - at == 8 && word_at(at + 4) == checksum_xxh32(content, content_bytes);
}
