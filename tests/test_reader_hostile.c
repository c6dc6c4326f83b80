/* SPDX-License-Identifier: MIT */
/* test_reader_hostile.c - regions that lie get their own events wrong, and nothing else. */
#include <criterion/criterion.h>
#include <errno.h>

#include "tests/read_by_hand.h"

static const uint8_t u64_type[] = {TTLOG_TYPE_U64};

/* Reads all there is; the totals must say what was given. */
static struct ttlog_reader_totals read_all(const struct by_hand *hand)
{
	struct ttlog_reader *reader = open_reader(hand);
	struct ttlog_reader_totals totals;
	struct ttlog_reader_event event;
	uint64_t events = 0;

	while (ttlog_reader_next(reader, &event)) {
		cr_assert_not_null(ttlog_reader_site(reader, event.site));
		cr_assert_not_null(ttlog_reader_thread(reader, event.thread));
		cr_assert_not_null(ttlog_reader_lane(reader, event.lane));
		events++;
	}
	ttlog_reader_totals(reader, &totals);
	cr_assert_eq(totals.events, events);
	ttlog_reader_close(reader);
	return totals;
}

/* ---- events ---------------------------------------------------------------------------------- */

/* A good event, then one whose header is `word`, then a good one in another chunk. */
static void check_header(uint64_t word, uint64_t events, uint64_t torn)
{
	struct ttlog_reader_totals totals;
	struct by_hand_writer writer;
	struct by_hand hand;

	by_hand_make(&hand);
	by_hand_site(&hand, u64_type, 1);
	writer = by_hand_take(&hand, TTLOG_LANE_MAIN, 0, 1, "t", 1);
	by_hand_number(&writer, 1, 1, 1);
	by_hand_word(by_hand_number(&writer, 1, 2, 2), word);
	writer = by_hand_take(&hand, TTLOG_LANE_MAIN, 1, 2, "u", 1);
	by_hand_number(&writer, 1, 3, 3);
	totals = read_all(&hand);
	cr_assert_eq(totals.events, events, "%lx", word);
	cr_assert_eq(totals.torn, torn, "%lx", word);
	by_hand_free(&hand);
}

Test(reader_hostile, an_event_that_makes_no_sense_ends_its_chunk_and_is_counted)
{
	static const uint64_t size[] = {0,  1,	  8,	15,   16,    17,   20,
					25, 4024, 4032, 4096, 65528, 65535};
	const uint64_t site = UINT64_C(1) << 32;

	check_header(site | 24, 3, 0);
	check_header(0, 2, 0);
	for (size_t i = 0; i < sizeof(size) / sizeof(size[0]); i++)
		check_header(site | size[i], 2, 1);
	/* Sites that nobody knows. */
	check_header(24, 2, 1);
	check_header(site * 2 | 24, 2, 1);
	check_header(site * 8192 | 24, 2, 1);
	check_header(site * UINT32_MAX | 24, 2, 1);
	/* Larger than its values need, up to all of the chunk. */
	check_header(site | 32, 3, 0);
	check_header(site | 4000, 3, 0);
}

static void check_payload(const uint8_t *types, uint8_t count, const char *payload, uint32_t bytes,
			  uint64_t events)
{
	struct ttlog_reader_totals totals;
	struct by_hand_writer writer;
	struct by_hand hand;

	by_hand_make(&hand);
	by_hand_site(&hand, types, count);
	writer = by_hand_take(&hand, TTLOG_LANE_MAIN, 0, 1, "t", 1);
	by_hand_event(&writer, 1, 0, 1, payload, bytes, 0);
	totals = read_all(&hand);
	cr_assert_eq(totals.events, events);
	cr_assert_eq(totals.torn, 1 - events);
	by_hand_free(&hand);
}

Test(reader_hostile, values_stay_within_their_event)
{
	static const uint8_t string[] = {TTLOG_TYPE_STRING, TTLOG_TYPE_STRING};
	static const uint8_t bytes[] = {TTLOG_TYPE_BYTES};
	static const uint8_t wide[] = {TTLOG_TYPE_U8, TTLOG_TYPE_U64};

	check_payload(string, 2, "abc\0efg", 8, 1);
	check_payload(string, 2, "abc\0efgh", 8, 0);
	check_payload(string, 1, "abcdefgh", 8, 0);
	check_payload(string, 1, NULL, 0, 0);
	check_payload(bytes, 1, "\x06\0abcdef", 8, 1);
	check_payload(bytes, 1, "\x07\0abcdef", 8, 0);
	check_payload(bytes, 1,
		      "\xff\xff"
		      "abcdef",
		      8, 0);
	check_payload(bytes, 1, NULL, 0, 0);
	check_payload(wide, 2, "123456789", 9, 1);
	check_payload(wide, 2, "12345678", 8, 0);
}

Test(reader_hostile, ticks_may_be_anything)
{
	static const uint64_t ticks[] = {UINT64_MAX, 0, INT64_MAX, 1, UINT64_MAX, 0};
	struct ttlog_reader_totals totals;
	struct by_hand hand;

	by_hand_make(&hand);
	by_hand_site(&hand, u64_type, 1);
	for (uint32_t i = 0; i < 6; i++) {
		struct by_hand_writer writer =
			by_hand_take(&hand, TTLOG_LANE_MAIN, i, i / 2, "t", ticks[i]);

		for (uint32_t j = 0; j < 6; j++)
			by_hand_number(&writer, 1, ticks[(i + j) % 6], j);
	}
	totals = read_all(&hand);
	cr_assert_eq(totals.events, 36);
	cr_assert_eq(totals.first_ticks, 0);
	cr_assert_eq(totals.last_ticks, UINT64_MAX);
	by_hand_free(&hand);
}

/* A region that is nothing but one pattern behind its header. */
Test(reader_hostile, bytes_may_be_anything)
{
	uint64_t seed = 1;

	for (uint32_t round = 0; round < 40; round++) {
		struct by_hand hand;
		uint64_t *word;

		by_hand_make(&hand);
		word = (void *)(hand.base + TTLOG_PAGE_BYTES);
		for (uint64_t i = 0; i < (hand.geometry.region_bytes - TTLOG_PAGE_BYTES) / 8; i++) {
			seed = seed * 6364136223846793005 + 1442695040888963407;
			word[i] = round == 0 ? UINT64_MAX : round % 2 ? seed : seed >> (seed >> 58);
		}
		if (round % 4 == 2)
			atomic_store(&hand.ledger->dict_next_offset, UINT32_MAX);
		read_all(&hand);
		by_hand_free(&hand);
	}
}

/* ---- the dictionary -------------------------------------------------------------------------- */

/* Enters the record after a change by the test; is it known? */
static bool site_is_known(const struct by_hand_record *record)
{
	struct by_hand_record copy = *record;
	struct ttlog_reader *reader;
	struct by_hand hand;
	bool is_known;

	by_hand_make(&hand);
	by_hand_enter(&hand, by_hand_put(&hand, &copy));
	/* A neighbour, whose bytes must not be taken for the first one's. */
	by_hand_string(&hand, "neighbour");
	reader = open_reader(&hand);
	is_known = ttlog_reader_site(reader, 1) != NULL;
	cr_assert(!is_known || ttlog_reader_site(reader, 1)->field_count <= TTLOG_FIELDS_MAX);
	cr_assert_str_eq(ttlog_reader_string(reader, 2), "neighbour");
	ttlog_reader_close(reader);
	by_hand_free(&hand);
	return is_known;
}

Test(reader_hostile, a_site_that_makes_no_sense_is_unknown)
{
	static const uint8_t types[] = {TTLOG_TYPE_U64, TTLOG_TYPE_STRING};
	const struct by_hand_record good = by_hand_site_record(types, 2);
	struct by_hand_record bad;

#define UNKNOWN_WITH(change)                                                                       \
	do {                                                                                       \
		bad = good;                                                                        \
		change;                                                                            \
		cr_assert(!site_is_known(&bad), #change);                                          \
	} while (0)
	cr_assert(site_is_known(&good));
	UNKNOWN_WITH(bad.head.kind = 0);
	UNKNOWN_WITH(bad.head.kind = 3);
	UNKNOWN_WITH(bad.head.kind = TTLOG_DICT_STRING);
	UNKNOWN_WITH(bad.head.level = TTLOG_OFF);
	UNKNOWN_WITH(bad.head.field_count = TTLOG_FIELDS_MAX + 1);
	UNKNOWN_WITH(bad.head.field_count = 255);
	UNKNOWN_WITH(bad.head.field_count = 4);
	UNKNOWN_WITH(bad.body[0] = 0);
	UNKNOWN_WITH(bad.body[1] = TTLOG_TYPE_COUNT);
	UNKNOWN_WITH(bad.head.bytes = 8);
	UNKNOWN_WITH(bad.head.bytes = 16);
	UNKNOWN_WITH(bad.head.bytes = 57);
	UNKNOWN_WITH(bad.head.bytes = UINT32_MAX - 7);
	UNKNOWN_WITH(bad.head.bytes = 1 << 20);
	/* The last name runs through the padding. */
	UNKNOWN_WITH(memset(bad.body + 36, 'x', 4); bad.body_bytes = 40);
#undef UNKNOWN_WITH
}

Test(reader_hostile, a_string_without_an_end_or_too_long_is_unknown)
{
	static char text[TTLOG_DICT_STRING_MAX + 2];
	struct by_hand_record endless = {.head = {.kind = TTLOG_DICT_STRING}};
	struct ttlog_reader *reader;
	struct by_hand hand;

	by_hand_make(&hand);
	memset(text, 'x', sizeof(text) - 1);
	by_hand_string(&hand, text);
	text[TTLOG_DICT_STRING_MAX] = '\0';
	by_hand_string(&hand, text);
	by_hand_add(&endless, "xxxxxxxx", 8);
	by_hand_enter(&hand, by_hand_put(&hand, &endless));
	by_hand_string(&hand, "");
	reader = open_reader(&hand);
	cr_assert_null(ttlog_reader_string(reader, 1));
	cr_assert_str_eq(ttlog_reader_string(reader, 2), text);
	cr_assert_null(ttlog_reader_string(reader, 3));
	cr_assert_str_eq(ttlog_reader_string(reader, 4), "");
	ttlog_reader_close(reader);
	by_hand_free(&hand);
}

Test(reader_hostile, entries_point_into_the_heap_or_nowhere)
{
	struct ttlog_reader *reader;
	struct by_hand hand;
	uint32_t offset, end;

	by_hand_make(&hand);
	by_hand_string(&hand, "good");
	offset = TTLOG_DICT_OFFSET(atomic_load(&by_hand_index(&hand)[1]));
	end = atomic_load(&hand.ledger->dict_next_offset);
	for (uint32_t i = 2; i < 10; i++) {
		const uint32_t bad[] = {0,	 1,	  offset + 4,	  end,
					end - 8, 1 << 20, UINT32_MAX - 7, UINT32_MAX};

		by_hand_enter(&hand, bad[i - 2]);
	}
	/* Id 0 is nobody's, whatever stands there. */
	atomic_store(&by_hand_index(&hand)[0], offset);
	reader = open_reader(&hand);
	cr_assert_null(ttlog_reader_string(reader, 0));
	cr_assert_str_eq(ttlog_reader_string(reader, 1), "good");
	for (uint32_t id = 2; id < 10; id++)
		cr_assert_null(ttlog_reader_string(reader, id), "id %u", id);
	cr_assert_eq(ttlog_reader_id_limit(reader), 10);
	cr_assert_null(ttlog_reader_string(reader, UINT32_MAX));
	ttlog_reader_close(reader);
	by_hand_free(&hand);
}

Test(reader_hostile, the_ledger_can_not_make_the_dictionary_larger)
{
	struct ttlog_reader *reader;
	struct by_hand hand;

	by_hand_make(&hand);
	by_hand_string(&hand, "good");
	atomic_store(&hand.ledger->dict_next_id, UINT32_MAX);
	atomic_store(&hand.ledger->dict_next_offset, UINT32_MAX);
	reader = open_reader(&hand);
	cr_assert_eq(ttlog_reader_id_limit(reader), hand.geometry.dict_index_count);
	cr_assert_str_eq(ttlog_reader_string(reader, 1), "good");
	ttlog_reader_close(reader);
	by_hand_free(&hand);
}

Test(reader_hostile, one_record_under_a_thousand_ids_does_not_grow)
{
	struct by_hand_record record = by_hand_site_record(u64_type, 1);
	uint64_t bytes = 0;
	struct ttlog_reader *reader;
	struct by_hand hand;
	uint32_t offset, end;

	by_hand_make(&hand);
	offset = by_hand_put(&hand, &record);
	for (uint32_t i = 0; i < 1000; i++)
		by_hand_enter(&hand, offset);
	end = atomic_load(&hand.ledger->dict_next_offset);
	reader = open_reader(&hand);
	cr_assert_not_null(ttlog_reader_site(reader, 1));
	for (uint32_t id = 1; id <= 1000; id++)
		bytes += ttlog_reader_site(reader, id) ? record.head.bytes : 0;
	cr_assert_leq(bytes, end);
	ttlog_reader_close(reader);
	by_hand_free(&hand);
}

/* ---- threads --------------------------------------------------------------------------------- */

/* A region of slots so small that there are more than 65,536. */
static void make_many(struct by_hand *hand)
{
	struct ttlog_geometry plan;
	void *memory;

	ttlog_region_plan(32 << 20, &plan);
	plan.lane[TTLOG_LANE_MAIN].chunk_bytes = 128;
	plan.lane[TTLOG_LANE_MAIN].chunk_count = 70000;
	plan.lane[TTLOG_LANE_MAIN].chunks_offset = plan.lane[TTLOG_LANE_MAIN].records_offset +
						   5 * 1024 * 1024;
	memory = aligned_alloc(TTLOG_PAGE_BYTES, plan.region_bytes);
	cr_assert_not_null(memory);
	memset(memory, 0, plan.region_bytes);
	by_hand_attach(hand, memory, &plan);
	by_hand_header(hand);
}

Test(reader_hostile, threads_that_come_too_many_are_one)
{
	const struct ttlog_reader_thread *last;
	struct ttlog_reader *reader;
	struct by_hand hand;

	make_many(&hand);
	by_hand_site(&hand, u64_type, 1);
	for (uint32_t i = 0; i < 70000; i++) {
		struct by_hand_writer writer =
			by_hand_take(&hand, TTLOG_LANE_MAIN, i, i + 1, "t", 1);

		by_hand_number(&writer, 1, i, i);
	}
	cr_assert_eq(read_all(&hand).events, 70000);
	reader = open_reader(&hand);
	cr_assert_eq(ttlog_reader_thread_count(reader), 65536);
	last = ttlog_reader_thread(reader, 65535);
	cr_assert_eq(last->tid, 0);
	cr_assert_str_eq(last->name, "");
	cr_assert_eq(last->events, 70000 - 65535);
	cr_assert_eq(ttlog_reader_thread(reader, 65534)->tid, 65535);
	ttlog_reader_close(reader);
	by_hand_free(&hand);
}

/* ---- no memory ------------------------------------------------------------------------------- */

#if !defined(__SANITIZE_ADDRESS__) && !defined(__clang__) && defined(__GLIBC__)

void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);

/* The allocation that fails, counted down; 0: none does. */
static int fail_at;

static bool fails_now(void)
{
	return fail_at > 0 && --fail_at == 0;
}

void *malloc(size_t bytes)
{
	return fails_now() ? NULL : __libc_malloc(bytes);
}

void *calloc(size_t count, size_t bytes)
{
	return fails_now() ? NULL : __libc_calloc(count, bytes);
}

Test(reader_hostile, every_allocation_may_fail_and_leaves_nothing_behind)
{
	struct ttlog_reader *reader;
	struct by_hand_writer writer;
	struct by_hand hand;
	int failures = 0, error;

	by_hand_make(&hand);
	by_hand_site(&hand, u64_type, 1);
	writer = by_hand_take(&hand, TTLOG_LANE_MAIN, 0, 1, "t", 1);
	by_hand_number(&writer, 1, 1, 1);
	do {
		fail_at = failures + 1;
		error = ttlog_reader_open(&reader, hand.base, &hand.geometry);
		cr_assert(error == 0 || error == -ENOMEM);
		failures += error != 0;
	} while (error);
	fail_at = 0;
	cr_assert_geq(failures, 10);
	ttlog_reader_close(reader);
	by_hand_free(&hand);
}

#endif
