/* SPDX-License-Identifier: MIT */
/* test_region_headers.c - headers that lie: none is believed that could lead out of the region. */
#include <criterion/criterion.h>
#include <errno.h>

#include "lib/clock.h"
#include "tests/geometry_sound.h"
#include "tests/region_by_hand.h"

static int check_result(const struct by_hand *hand)
{
	struct ttlog_geometry seen;
	int result = ttlog_region_check(hand->header, hand->geometry.region_bytes, &seen);

	if (result == 0)
		cr_assert(geometry_is_sound(&seen));
	return result;
}

Test(region_headers, a_version_that_we_do_not_speak_is_refused)
{
	struct by_hand hand;

	by_hand_make(&hand);
	cr_assert_eq(check_result(&hand), 0);
	hand.header->version = 9;
	cr_assert_eq(check_result(&hand), 0);
	hand.header->compatible = TTLOG_ABI_VERSION + 1;
	cr_assert_eq(check_result(&hand), -EPROTONOSUPPORT);
	hand.header->compatible = 0;
	cr_assert_eq(check_result(&hand), -EBADMSG);
	hand.header->compatible = 1;
	hand.header->version = 0;
	cr_assert_eq(check_result(&hand), -EBADMSG);
	hand.header->version = 1;
	atomic_store(&hand.header->magic, TTLOG_REGION_MAGIC + 1);
	cr_assert_eq(check_result(&hand), -EBADMSG);
	atomic_store(&hand.header->magic, 0);
	cr_assert_eq(check_result(&hand), -EBADMSG);
	by_hand_free(&hand);
}

Test(region_headers, a_clock_that_does_not_exist_is_refused)
{
	struct by_hand hand;

	by_hand_make(&hand);
	hand.header->clock_mode = TTLOG_CLOCK_COARSE;
	cr_assert_eq(check_result(&hand), 0);
	hand.header->clock_mode++;
	cr_assert_eq(check_result(&hand), -EBADMSG);
	hand.header->clock_mode = TTLOG_CLOCK_EXACT;
	hand.header->clock_source = TTLOG_CLOCK_CNTVCT + 1;
	cr_assert_eq(check_result(&hand), -EBADMSG);
	by_hand_free(&hand);
}

Test(region_headers, every_word_of_a_header_may_be_anything)
{
	static const uint64_t extreme[] = {
		0,
		1,
		7,
		8,
		63,
		64,
		127,
		4095,
		4096,
		4097,
		32768,
		65536,
		1 << 20,
		(1 << 20) - 4096,
		INT32_MAX,
		UINT32_MAX,
		1ull << 32,
		1ull << 52,
		INT64_MAX,
		1ull << 63,
		UINT64_MAX - 4095,
		UINT64_MAX,
	};
	const size_t header_bytes = sizeof(struct ttlog_region_header);
	struct ttlog_region_header good;
	unsigned int refused = 0;
	struct by_hand hand;

	by_hand_make(&hand);
	memcpy((void *)&good, hand.base, header_bytes);
	for (size_t offset = 0; offset < header_bytes; offset += 4) {
		for (size_t i = 0; i < sizeof(extreme) / sizeof(extreme[0]); i++) {
			size_t width = offset % 8 == 0 && extreme[i] > UINT32_MAX ? 8 : 4;

			memcpy(hand.base + offset, &extreme[i], width);
			refused += check_result(&hand) != 0;
			memcpy(hand.base, (const void *)&good, header_bytes);
		}
	}
	cr_assert_eq(check_result(&hand), 0);
	cr_assert_gt(refused, 500);
	by_hand_free(&hand);
}

Test(region_headers, parts_that_overlap_or_stick_out_are_refused)
{
	struct ttlog_lane_geometry *lane, good;
	struct by_hand hand;

	by_hand_make(&hand);
	for (uint32_t i = 0; i < TTLOG_LANE_COUNT; i++) {
		lane = &hand.header->lane[i];
		good = *lane;
		lane->records_offset = lane->chunks_offset;
		cr_assert_eq(check_result(&hand), -EBADMSG);
		*lane = good;
		lane->records_offset = hand.header->control_offset;
		cr_assert_eq(check_result(&hand), -EBADMSG);
		*lane = good;
		lane->chunks_offset = UINT64_MAX - 4095;
		cr_assert_eq(check_result(&hand), -EBADMSG);
		*lane = good;
		lane->chunk_count += 4096;
		cr_assert_eq(check_result(&hand), -EBADMSG);
		*lane = good;
		lane->chunk_count = UINT32_MAX;
		cr_assert_eq(check_result(&hand), -EBADMSG);
		*lane = good;
		lane->chunk_bytes = 96;
		cr_assert_eq(check_result(&hand), -EBADMSG);
		*lane = good;
	}
	hand.header->ledger_offset = hand.header->control_offset;
	cr_assert_eq(check_result(&hand), -EBADMSG);
	hand.header->ledger_offset = hand.geometry.ledger_offset;
	hand.header->channels_offset = hand.header->dict_heap_offset;
	cr_assert_eq(check_result(&hand), -EBADMSG);
	hand.header->channels_offset = hand.geometry.channels_offset;
	hand.header->channel_count++;
	cr_assert_eq(check_result(&hand), -EBADMSG);
	hand.header->channel_count--;
	cr_assert_eq(check_result(&hand), 0);
	by_hand_free(&hand);
}

Test(region_headers, memory_that_is_too_small_for_a_header_is_refused)
{
	struct ttlog_geometry seen;
	struct by_hand hand;

	by_hand_make(&hand);
	cr_assert_eq(ttlog_region_check(hand.header, sizeof(*hand.header) - 1, &seen), -EBADMSG);
	cr_assert_eq(ttlog_region_check(hand.header, TTLOG_REGION_BYTES_MIN - 4096, &seen),
		     -EBADMSG);
	by_hand_free(&hand);
}
