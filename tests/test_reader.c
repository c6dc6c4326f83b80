/* SPDX-License-Identifier: MIT */
/* test_reader.c - what a reader takes from a region that was written after the contract. */
#include <criterion/criterion.h>

#include "tests/read_by_hand.h"

static const uint8_t u64_type[] = {TTLOG_TYPE_U64};

Test(reader, finds_nothing_in_an_empty_region)
{
	struct by_hand hand;
	struct ttlog_reader_event event;
	struct ttlog_reader *reader;

	by_hand_make(&hand);
	reader = open_reader(&hand);
	cr_assert_eq(ttlog_reader_next(reader, &event), 0);
	cr_assert_eq(ttlog_reader_thread_count(reader), 0);
	cr_assert_null(ttlog_reader_thread(reader, 0));
	cr_assert_eq(ttlog_reader_lane_count(reader), TTLOG_LANE_COUNT);
	cr_assert_null(ttlog_reader_lane(reader, TTLOG_LANE_COUNT));
	cr_assert_eq(totals_of(reader).events, 0);
	cr_assert_eq(ttlog_reader_id_limit(reader), 1);
	cr_assert_null(ttlog_reader_site(reader, 0));
	ttlog_reader_close(reader);
	ttlog_reader_close(NULL);
	by_hand_free(&hand);
}

/* ---- values ---------------------------------------------------------------------------------- */

static const uint8_t every_type[] = {
	TTLOG_TYPE_BOOL,   TTLOG_TYPE_CHAR,  TTLOG_TYPE_I8,	 TTLOG_TYPE_U8,
	TTLOG_TYPE_I16,	   TTLOG_TYPE_U16,   TTLOG_TYPE_I32,	 TTLOG_TYPE_U32,
	TTLOG_TYPE_I64,	   TTLOG_TYPE_U64,   TTLOG_TYPE_F32,	 TTLOG_TYPE_F64,
	TTLOG_TYPE_STRING, TTLOG_TYPE_BYTES, TTLOG_TYPE_POINTER, TTLOG_TYPE_INTERNED,
};

/* Unaligned, one behind the other, as the contract packs them. */
static const unsigned char every_value[] = "\x01"
					   "\xff"
					   "\x80"
					   "\x80"
					   "\x00\x80"
					   "\x00\x80"
					   "\x00\x00\x00\x80"
					   "\x00\x00\x00\x80"
					   "\xfe\xff\xff\xff\xff\xff\xff\xff"
					   "\xfe\xff\xff\xff\xff\xff\xff\xff"
					   "\x00\x00\xc0\x3f"
					   "\x00\x00\x00\x00\x00\x00\xf8\x3f"
					   "hello\0"
					   "\x03\x00"
					   "a\0b"
					   "\x88\x77\x66\x55\x44\x33\x22\x11"
					   "\x02\x00\x00";

static void check_every_value(const struct ttlog_reader_event *event)
{
	static const uint64_t bits[] = {
		1,
		0xff,
		(uint64_t)-128,
		0x80,
		(uint64_t)-32768,
		0x8000,
		(uint64_t)INT32_MIN,
		0x80000000,
		(uint64_t)-2,
		(uint64_t)-2,
		0x3fc00000,
		0x3ff8000000000000,
		0,
		0,
		0x1122334455667788,
		2,
	};

	cr_assert_eq(event->value_count, sizeof(every_type));
	for (uint32_t i = 0; i < event->value_count; i++) {
		cr_assert_eq(event->value[i].type, every_type[i]);
		cr_assert_eq(event->value[i].bits, bits[i], "value %u", i);
	}
	cr_assert_str_eq(event->value[12].data, "hello");
	cr_assert_eq(event->value[12].size, 5);
	cr_assert_eq(event->value[13].size, 3);
	cr_assert_eq(memcmp(event->value[13].data, "a\0b", 3), 0);
}

Test(reader, gives_values_of_every_type_as_they_were_recorded)
{
	const struct ttlog_reader_site *site;
	struct ttlog_reader_event event;
	struct by_hand_writer writer;
	struct ttlog_reader *reader;
	struct by_hand hand;

	by_hand_make(&hand);
	cr_assert_eq(by_hand_site(&hand, every_type, sizeof(every_type)), 1);
	cr_assert_eq(by_hand_string(&hand, "interned"), 2);
	writer = by_hand_take(&hand, TTLOG_LANE_MAIN, 3, 77, "worker", 900);
	by_hand_event(&writer, 1, 0, 1000, every_value, sizeof(every_value), 0);
	reader = open_reader(&hand);
	/* What happens to the region now is not our business any more. */
	memset(hand.base, 0xff, hand.geometry.region_bytes);
	cr_assert_eq(ttlog_reader_next(reader, &event), 1);
	check_every_value(&event);
	cr_assert_eq(event.ticks, 1000);
	cr_assert_eq(event.lane, TTLOG_LANE_MAIN);
	cr_assert_eq(event.flags, 0);
	cr_assert_str_eq(ttlog_reader_string(reader, 2), "interned");
	cr_assert_null(ttlog_reader_string(reader, 1));
	cr_assert_null(ttlog_reader_site(reader, 2));
	site = ttlog_reader_site(reader, event.site);
	cr_assert_eq(site->id, 1);
	cr_assert_eq(site->level, TTLOG_INFO);
	cr_assert_eq(site->line, 7);
	cr_assert_str_eq(site->target, "target");
	cr_assert_str_eq(site->message, "message");
	cr_assert_str_eq(site->file, "file.c");
	cr_assert_str_eq(site->function, "function");
	cr_assert_str_eq(site->names[3], "f3");
	cr_assert_eq(ttlog_reader_thread(reader, event.thread)->tid, 77);
	cr_assert_str_eq(ttlog_reader_thread(reader, event.thread)->name, "worker");
	cr_assert_eq(ttlog_reader_next(reader, &event), 0);
	ttlog_reader_close(reader);
	by_hand_free(&hand);
}

Test(reader, gives_what_is_there_of_an_event_that_was_cut)
{
	static const uint8_t types[] = {TTLOG_TYPE_STRING, TTLOG_TYPE_U64, TTLOG_TYPE_STRING,
					TTLOG_TYPE_BYTES, TTLOG_TYPE_BOOL};
	struct ttlog_reader_event event;
	struct by_hand_writer writer;
	struct ttlog_reader *reader;
	struct by_hand hand;

	by_hand_make(&hand);
	by_hand_site(&hand, types, sizeof(types));
	writer = by_hand_take(&hand, TTLOG_LANE_ALERT, 0, 1, "t", 1);
	by_hand_event(&writer, 1, TTLOG_EVENT_TRUNCATED, 5, "ab\0\1\0\0\0\0\0\0\0no NUL!", 18, 0);
	memset(writer.chunk + writer.offset - 6, 'x', 6); /* the padding is not always zero */
	reader = open_reader(&hand);
	cr_assert_eq(ttlog_reader_next(reader, &event), 1);
	cr_assert_eq(event.flags, TTLOG_EVENT_TRUNCATED);
	cr_assert_str_eq(event.value[0].data, "ab");
	cr_assert_eq(event.value[1].bits, 1);
	cr_assert_str_eq(event.value[2].data, "");
	cr_assert_eq(event.value[2].size, 0);
	cr_assert_eq(event.value[3].type, TTLOG_TYPE_BYTES);
	cr_assert_eq(event.value[3].size, 0);
	cr_assert_eq(event.value[4].type, TTLOG_TYPE_BOOL);
	cr_assert_eq(event.value[4].bits, 0);
	cr_assert_eq(totals_of(reader).torn, 0);
	ttlog_reader_close(reader);
	by_hand_free(&hand);
}

Test(reader, knows_printf_sites_have_no_names)
{
	struct by_hand_record record = {
		.head = {.kind = TTLOG_DICT_SITE, .field_count = 1, .flags = TTLOG_SITE_PRINTF},
	};
	struct ttlog_reader *reader;
	struct by_hand hand;

	by_hand_make(&hand);
	by_hand_add(&record, u64_type, 1);
	by_hand_add(&record, "\0x=%d\0\0", 8);
	by_hand_enter(&hand, by_hand_put(&hand, &record));
	reader = open_reader(&hand);
	cr_assert_str_eq(ttlog_reader_site(reader, 1)->target, "");
	cr_assert_str_eq(ttlog_reader_site(reader, 1)->message, "x=%d");
	cr_assert_str_eq(ttlog_reader_site(reader, 1)->names[0], "");
	ttlog_reader_close(reader);
	by_hand_free(&hand);
}

/* ---- states and accounts --------------------------------------------------------------------- */

static uint64_t events_in_state(uint64_t generation, unsigned int state, uint64_t *ret_torn)
{
	struct by_hand_writer writer;
	struct ttlog_reader *reader;
	struct by_hand hand;
	uint64_t events;

	by_hand_make(&hand);
	by_hand_site(&hand, u64_type, 1);
	writer = by_hand_take(&hand, TTLOG_LANE_MAIN, 5, 9, "t", 1);
	by_hand_number(&writer, 1, 10, 1);
	by_hand_number(&writer, 1, 11, 2);
	by_hand_set_state(&hand, TTLOG_LANE_MAIN, 5, generation, 9, (enum ttlog_chunk_state)state);
	reader = open_reader(&hand);
	events = totals_of(reader).events;
	*ret_torn = totals_of(reader).torn;
	cr_assert_eq(ttlog_reader_lane(reader, TTLOG_LANE_MAIN)->events, events);
	cr_assert_eq(ttlog_reader_lane(reader, TTLOG_LANE_MAIN)->chunks_used,
		     state != TTLOG_CHUNK_FREE);
	cr_assert_eq(ttlog_reader_lane(reader, TTLOG_LANE_MAIN)->recycled_while_read, 0);
	ttlog_reader_close(reader);
	by_hand_free(&hand);
	return events;
}

Test(reader, takes_from_each_state_what_the_contract_says)
{
	static const uint64_t events[] = {0, 2, 2, 2, 0, 0, 0, 0},
			      torn[] = {0, 0, 0, 0, 0, 1, 1, 1};
	uint64_t seen_torn;

	for (unsigned int state = 0; state < 8; state++) {
		cr_assert_eq(events_in_state(1, state, &seen_torn), events[state], "state %u",
			     state);
		cr_assert_eq(seen_torn, torn[state], "state %u", state);
		/* Generation 0 is before the first owner: whatever is there, nobody recorded it. */
		cr_assert_eq(events_in_state(0, state, &seen_torn), 0, "state %u", state);
	}
}

static void set_account(const struct by_hand *hand, uint32_t index, uint64_t generation,
			uint64_t count, uint64_t first, uint64_t last)
{
	struct ttlog_account *account = by_hand_account(hand, TTLOG_LANE_MAIN, index, generation);

	account->count = count;
	account->first = first;
	account->last = last;
}

Test(reader, counts_by_the_account_of_the_generation)
{
	static const enum ttlog_chunk_state states[] = {TTLOG_CHUNK_OWNED, TTLOG_CHUNK_RETIRED,
							TTLOG_CHUNK_COND, TTLOG_CHUNK_INIT};
	const struct ttlog_reader_lane *lane;
	struct ttlog_reader *reader;
	struct by_hand hand;

	by_hand_make(&hand);
	for (uint32_t i = 0; i < 8; i++) {
		uint64_t generation = 6 + i / 4;

		by_hand_set_state(&hand, TTLOG_LANE_MAIN, i, generation, 1, states[i % 4]);
		set_account(&hand, i, generation, 10 + i, 100 + i, 200 + i);
		/* The other one is history, or is being prepared. */
		set_account(&hand, i, generation + 1, 1000000, 1, 1000000);
	}
	/* Nothing was overwritten here: its ticks say nothing. */
	by_hand_set_state(&hand, TTLOG_LANE_MAIN, 8, 1, 1, TTLOG_CHUNK_OWNED);
	set_account(&hand, 8, 1, 0, 1, 999999);
	reader = open_reader(&hand);
	lane = ttlog_reader_lane(reader, TTLOG_LANE_MAIN);
	cr_assert_eq(lane->overwritten, 8 * 10 + 28);
	cr_assert_eq(lane->overwritten_first, 100);
	cr_assert_eq(lane->overwritten_last, 207);
	cr_assert_eq(totals_of(reader).overwritten, lane->overwritten);
	ttlog_reader_close(reader);
	by_hand_free(&hand);
}

Test(reader, counts_of_liars_stop_at_the_greatest_number)
{
	struct ttlog_reader *reader;
	struct by_hand hand;

	by_hand_make(&hand);
	for (uint32_t i = 0; i < 3; i++)
		set_account(&hand, i, 0, UINT64_MAX - 1, 5, 6);
	atomic_store(&hand.ledger->lane[0].dropped, UINT64_MAX);
	atomic_store(&hand.ledger->lane[1].dropped, 7);
	reader = open_reader(&hand);
	cr_assert_eq(ttlog_reader_lane(reader, 0)->overwritten, UINT64_MAX);
	cr_assert_eq(totals_of(reader).overwritten, UINT64_MAX);
	cr_assert_eq(totals_of(reader).dropped, UINT64_MAX);
	ttlog_reader_close(reader);
	by_hand_free(&hand);
}

Test(reader, hands_on_what_the_ledger_says)
{
	const struct ttlog_reader_lane *lane;
	struct ttlog_reader *reader;
	struct by_hand hand;

	by_hand_make(&hand);
	hand.ledger->lane[TTLOG_LANE_ALERT].dropped = 3;
	hand.ledger->lane[TTLOG_LANE_ALERT].dropped_first = 50;
	hand.ledger->lane[TTLOG_LANE_ALERT].dropped_last = 60;
	hand.ledger->lane[TTLOG_LANE_ALERT].truncated = 4;
	hand.ledger->lane[TTLOG_LANE_MAIN].dropped = 2;
	hand.ledger->dict_full = 9;
	reader = open_reader(&hand);
	lane = ttlog_reader_lane(reader, TTLOG_LANE_ALERT);
	cr_assert_eq(lane->dropped, 3);
	cr_assert_eq(lane->dropped_first, 50);
	cr_assert_eq(lane->dropped_last, 60);
	cr_assert_eq(totals_of(reader).dropped, 5);
	cr_assert_eq(totals_of(reader).truncated, 4);
	cr_assert_eq(totals_of(reader).dict_full, 9);
	ttlog_reader_close(reader);
	by_hand_free(&hand);
}

Test(reader, stops_at_an_event_its_writer_never_finished)
{
	struct by_hand_writer writer;
	struct ttlog_reader *reader;
	unsigned char *event;
	struct by_hand hand;

	by_hand_make(&hand);
	by_hand_site(&hand, u64_type, 1);
	writer = by_hand_take(&hand, TTLOG_LANE_MAIN, 0, 9, "t", 1);
	by_hand_number(&writer, 1, 10, 0);
	event = by_hand_number(&writer, 1, 11, 1);
	by_hand_word(event, 0);
	reader = open_reader(&hand);
	check_numbers(reader, 0, 0);
	cr_assert_eq(totals_of(reader).torn, 0);
	ttlog_reader_close(reader);
	by_hand_free(&hand);
}

Test(reader, reads_a_chunk_up_to_its_last_word)
{
	struct by_hand_writer writer;
	struct ttlog_reader *reader;
	uint64_t count = 0;
	struct by_hand hand;

	by_hand_make(&hand);
	by_hand_site(&hand, u64_type, 1);
	writer = by_hand_take(&hand, TTLOG_LANE_MAIN, 0, 9, "t", 1);
	while (writer.offset + 24 <= 4096 - 8)
		by_hand_number(&writer, 1, count, count), count++;
	/* One without a value fits exactly. */
	by_hand_event(&writer, by_hand_site(&hand, u64_type, 0), 0, count, NULL, 0, 0);
	cr_assert_eq(writer.offset, 4096 - 8);
	reader = open_reader(&hand);
	cr_assert_eq(totals_of(reader).events, count + 1);
	cr_assert_eq(totals_of(reader).torn, 0);
	ttlog_reader_close(reader);
	by_hand_free(&hand);
}

Test(reader, names_its_lanes)
{
	cr_assert_str_eq(ttlog_lane_name(TTLOG_LANE_MAIN), "main");
	cr_assert_str_eq(ttlog_lane_name(TTLOG_LANE_NESTED), "nested");
	cr_assert_str_eq(ttlog_lane_name(TTLOG_LANE_COUNT), "other");
	cr_assert_str_eq(ttlog_lane_name(UINT32_MAX), "other");
}
