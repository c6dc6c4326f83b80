/* SPDX-License-Identifier: MIT */
/* test_reader_channel.c - whose channel an event is, in regions made by hand, some of which lie. */
#include "tests/read_by_hand.h"

static struct by_hand hand;
static uint32_t site;

static void setup(void)
{
	static const uint8_t types[] = {TTLOG_TYPE_U64};

	by_hand_make(&hand);
	site = by_hand_site(&hand, types, 1);
}

static void teardown(void)
{
	by_hand_free(&hand);
}

TestSuite(reader_channel, .init = setup, .fini = teardown, .timeout = 120);

static struct ttlog_channel_entry *entry_at(uint32_t place)
{
	return (struct ttlog_channel_entry *)(void *)(hand.base + hand.geometry.channels_offset) +
	       place;
}

static void make_channel(uint32_t place, const char *name, uint32_t generation,
			 enum ttlog_channel_state state, uint32_t chunk_count)
{
	struct ttlog_channel_entry *entry = entry_at(place);

	memset(entry->name, 0, sizeof(entry->name));
	memcpy(entry->name, name, strlen(name));
	atomic_store(&entry->chunk_count, chunk_count);
	atomic_store(&entry->state, TTLOG_CHANNEL_STATE(generation, state));
}

/* A chunk of that channel generation with one event. */
static void fill(uint32_t index, uint32_t epoch, uint64_t ticks, uint64_t number)
{
	struct by_hand_writer writer =
		by_hand_take(&hand, TTLOG_LANE_CHANNEL, index, 7, "worker", ticks);

	((struct ttlog_chunk *)(void *)writer.chunk)->epoch = epoch;
	by_hand_number(&writer, site, ticks, number);
	by_hand_retire(&writer);
}

/* The name of the channel that the event of that number has; "" = none. */
static const char *channel_of(struct ttlog_reader *reader, uint64_t number)
{
	static char name[TTLOG_CHANNEL_NAME_BYTES];
	struct ttlog_reader_event event;

	ttlog_reader_rewind(reader);
	while (ttlog_reader_next(reader, &event)) {
		const struct ttlog_reader_channel *channel =
			ttlog_reader_channel(reader, event.channel);

		if (event.value[0].bits != number)
			continue;
		strcpy(name, channel ? channel->name : "");
		return name;
	}
	return NULL;
}

Test(reader_channel, an_event_has_the_channel_of_its_generation)
{
	struct ttlog_reader *reader;

	make_channel(0, "one", 3, TTLOG_CHANNEL_OPEN, 4);
	make_channel(2, "two", 1, TTLOG_CHANNEL_CLOSED, 2);
	make_channel(3, "taken", 9, TTLOG_CHANNEL_TAKEN, 2);
	fill(0, 3, 100, 1);
	fill(3, 3, 101, 2);
	fill(4, 1, 102, 3);
	fill(6, 9, 103, 4);
	fill(5, 2, 104, 5); /* of no channel that there is */
	fill(8, 0, 105, 6); /* of nobody's chunk */
	reader = open_reader(&hand);
	cr_expect_str_eq(channel_of(reader, 1), "one");
	cr_expect_str_eq(channel_of(reader, 2), "one");
	cr_expect_str_eq(channel_of(reader, 3), "two");
	cr_expect_str_eq(channel_of(reader, 4), "taken");
	cr_expect_str_eq(channel_of(reader, 5), "");
	cr_expect_str_eq(channel_of(reader, 6), "");
	cr_expect_eq(ttlog_reader_channel_count(reader), 3);
	cr_expect_eq(ttlog_reader_channel(reader, 0)->events, 2);
	cr_expect(ttlog_reader_channel(reader, 0)->is_open);
	cr_expect_not(ttlog_reader_channel(reader, 1)->is_open);
	cr_expect_eq(totals_of(reader).events, 6);
	cr_expect_eq(totals_of(reader).torn, 0);
	ttlog_reader_close(reader);
}

Test(reader_channel, a_threads_events_stay_in_order_within_a_channel_only)
{
	struct ttlog_reader *reader;

	make_channel(0, "one", 1, TTLOG_CHANNEL_OPEN, 2);
	make_channel(1, "two", 1, TTLOG_CHANNEL_OPEN, 2);
	fill(1, 1, 100, 1);
	fill(0, 1, 300, 3);
	fill(2, 1, 200, 2);
	reader = open_reader(&hand);
	check_numbers(reader, 1, 3);
	ttlog_reader_close(reader);
}

Test(reader_channel, losses_are_the_channels_own)
{
	const struct ttlog_reader_channel *channel;
	struct ttlog_reader *reader;

	make_channel(0, "one", 2, TTLOG_CHANNEL_OPEN, 2);
	atomic_store(&entry_at(0)->overwritten_before, 5);
	atomic_store(&entry_at(0)->opened_ticks, 50);
	fill(0, 2, 100, 1);
	fill(1, 2, 101, 2);
	*by_hand_account(&hand, TTLOG_LANE_CHANNEL, 0, 1) = (struct ttlog_account){7, 10, 80};
	*by_hand_account(&hand, TTLOG_LANE_CHANNEL, 1, 1) = (struct ttlog_account){4, 60, 90};
	make_channel(1, "two", 1, TTLOG_CHANNEL_OPEN, 2);
	atomic_store(&entry_at(1)->overwritten_before, 100);
	reader = open_reader(&hand);
	channel = ttlog_reader_channel(reader, 0);
	cr_expect_eq(channel->overwritten, 6);
	cr_expect_eq(channel->overwritten_first, 50, "the 10 is another channel's");
	cr_expect_eq(channel->overwritten_last, 90);
	cr_expect_eq(ttlog_reader_lane(reader, TTLOG_LANE_CHANNEL)->overwritten, 11);
	/* A liar that has lost less than before. */
	cr_expect_eq(ttlog_reader_channel(reader, 1)->overwritten, 0);
	cr_expect_eq(ttlog_reader_channel(reader, 1)->overwritten_first, 0);
	ttlog_reader_close(reader);
}

Test(reader_channel, entries_that_overlap_end_where_the_next_one_starts)
{
	struct ttlog_reader *reader;
	uint32_t count = hand.geometry.channel_count;

	for (uint32_t i = 0; i < count; i += 2)
		make_channel(i, i ? "x" : "first", 1, TTLOG_CHANNEL_OPEN, UINT32_MAX);
	make_channel(count - 1, "last", 1, TTLOG_CHANNEL_OPEN, UINT32_MAX);
	for (uint32_t i = 0; i < 2 * count; i++)
		fill(i, 1, 100 + i, i);
	reader = open_reader(&hand);
	cr_expect_str_eq(channel_of(reader, 3), "first");
	cr_expect_str_eq(channel_of(reader, 4), "x");
	cr_expect_str_eq(channel_of(reader, 2 * count - 1), "last");
	cr_expect_eq(ttlog_reader_channel(reader, 0)->events, 4);
	cr_expect_eq(ttlog_reader_channel(reader, 0)->budget_bytes, 4 * 512);
	cr_expect_eq(totals_of(reader).events, 2 * count);
	ttlog_reader_close(reader);
}

Test(reader_channel, names_end_whatever_the_region_says)
{
	struct ttlog_reader *reader;

	make_channel(0, "", 1, TTLOG_CHANNEL_OPEN, 2);
	memset(entry_at(0)->name, 'x', TTLOG_CHANNEL_NAME_BYTES);
	reader = open_reader(&hand);
	cr_expect_eq(strlen(ttlog_reader_channel(reader, 0)->name), TTLOG_CHANNEL_NAME_BYTES - 1);
	ttlog_reader_close(reader);
}

/* Every byte of table, accounts and states is anything: no event more than there is room for. */
Test(reader_channel, a_table_of_noise_harms_nobody)
{
	uint64_t seed = 1;

	for (uint32_t round = 0; round < 200; round++) {
		uint64_t *table = (void *)(hand.base + hand.geometry.channels_offset);
		uint64_t words = hand.geometry.channel_count * sizeof(struct ttlog_channel_entry) /
				 8;
		struct ttlog_reader *reader;
		uint64_t events = 0;

		for (uint64_t i = 0; i < words; i++) {
			seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
			/* Small numbers too: counts and generations that may be right. */
			table[i] = round % 2 ? seed : (seed >> 62) | (seed >> 40 & 3) << 32;
		}
		for (uint32_t i = 0; i < hand.geometry.channel_count; i++)
			fill(i, i % 3, 100 + i, i);
		reader = open_reader(&hand);
		for (uint32_t i = 0; i < ttlog_reader_channel_count(reader); i++)
			events += ttlog_reader_channel(reader, i)->events;
		cr_assert_leq(events, hand.geometry.channel_count);
		cr_assert_eq(totals_of(reader).events, hand.geometry.channel_count);
		ttlog_reader_close(reader);
	}
}
