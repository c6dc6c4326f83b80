/* SPDX-License-Identifier: MIT */
/* test_history_code.c - events come back as they went in; what was never packed does no harm. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/ttlog_abi.h"
#include "recorder/history_code.h"

static unsigned char events[HISTORY_CHUNK_MAX], packed[HISTORY_PACKED_MAX];
static struct history_coder coder;

static uint64_t random_word(void)
{
	static uint64_t state = 1;

	state = state * UINT64_C(6364136223846793005) + 1442695040888963407;
	return state ^ state >> 31;
}

static void put(uint32_t *bytes, uint32_t site, uint32_t words, uint64_t ticks, uint64_t value)
{
	const uint64_t header = (uint64_t)site << 32 | words * 8;

	memcpy(events + *bytes, &header, 8);
	memcpy(events + *bytes + 8, &ticks, 8);
	for (uint32_t i = 2; i < words; i++)
		memcpy(events + *bytes + i * 8, &value, 8);
	*bytes += words * 8;
}

static uint32_t check(uint32_t bytes)
{
	unsigned char *back = malloc(bytes + 1);
	enum history_form form;
	const uint32_t size = history_pack(&coder, events, bytes, packed, &form);

	cr_assert_leq(size, bytes);
	memset(back, 0xee, bytes + 1);
	cr_assert_eq(history_unpack(&coder, packed, size, form, back, bytes), 0);
	cr_assert_eq(memcmp(back, events, bytes), 0);
	cr_assert_eq(back[bytes], 0xee);
	free(back);
	return size;
}

Test(history_code, events_that_are_alike_take_a_few_bytes_each)
{
	uint32_t bytes = 0, count = 0;
	uint64_t ticks = 0;

	for (; bytes + 32 <= 8000; count++)
		put(&bytes, 7, 4, ticks += 20000 + random_word() % 1000, count);
	cr_assert_lt(check(bytes), 4 * count);
}

Test(history_code, events_of_any_kind_come_back)
{
	for (int round = 0; round < 2000; round++) {
		const uint32_t sites = 1u << random_word() % 12, most = 2 + random_word() % 30;
		const uint32_t room = 16 + random_word() % (HISTORY_CHUNK_MAX - 600);
		uint32_t bytes = 0;

		while (bytes + 16 <= room)
			put(&bytes, (uint32_t)random_word() % sites, 2 + random_word() % most,
			    random_word() >> random_word() % 64,
			    random_word() >> random_word() % 64);
		check(bytes);
	}
}

Test(history_code, nothing_is_nothing)
{
	check(0);
}

Test(history_code, the_largest_chunk_of_the_smallest_events_comes_back)
{
	uint32_t bytes = 0;

	while (bytes < HISTORY_CHUNK_MAX)
		put(&bytes, (uint32_t)random_word(), 2, random_word(), 0);
	check(bytes);
}

/* Any answer, but within the buffers. */
Test(history_code, damage_is_refused_or_gives_other_events)
{
	unsigned char *back = malloc(8000), *cut;
	uint32_t bytes = 0, size;
	enum history_form form;

	while (bytes + 48 <= 8000)
		put(&bytes, random_word() % 9, 2 + random_word() % 4, random_word(), bytes);
	size = history_pack(&coder, events, bytes, packed, &form);
	for (int round = 0; round < 20000; round++) {
		const uint32_t length = 1 + random_word() % size;

		cut = malloc(length); /* a sanitizer sees what is read behind it */
		memcpy(cut, packed, length);
		cut[random_word() % length] ^= 1u << random_word() % 8;
		history_unpack(&coder, cut, length, random_word() % 3, back, bytes);
		free(cut);
	}
	cr_assert_eq(history_unpack(&coder, packed, size, form, back, HISTORY_CHUNK_MAX + 1),
		     -EBADMSG);
	free(back);
}
