/* SPDX-License-Identifier: MIT */
/* test_channel.c - what a channel keeps, what it takes from nobody, and what it counts. */
#include "tests/channel_region.h"

#include "lib/channel.h"

static const struct ttlog_channel none;

Test(channel, keeps_its_newest_events_and_counts_the_others)
{
	struct ttlog_channel channel;
	struct numbered run;
	struct ttlog_reader_channel seen;

	begin_channels(1 << 20);
	channel = ttlog_channel_open("conn-17", 4096);
	cr_assert_eq(ttlog_channel_error(channel), 0);
	send_numbers(channel, 1, 1000);
	run = numbered_in_channel("conn-17");
	cr_assert_eq(run.last, 1000);
	cr_assert_eq(run.gaps, 0);
	/* Eight chunks, of which the oldest went whole. */
	cr_assert_gt(run.count, 7 * CHUNK_EVENTS);
	cr_assert_leq(run.count, 8 * CHUNK_EVENTS);
	seen = channel_now("conn-17");
	cr_assert(seen.is_open);
	cr_assert_eq(seen.budget_bytes, 4096);
	cr_assert_eq(seen.events, run.count);
	cr_assert_eq(seen.events + seen.overwritten, 1000);
	cr_assert_eq(seen.diverted, 0);
	cr_assert_leq(seen.opened_ticks, seen.overwritten_first);
	cr_assert_lt(seen.overwritten_first, seen.overwritten_last);
	cr_assert_eq(lane_now(TTLOG_LANE_CHANNEL).overwritten, seen.overwritten);
	cr_assert_eq(totals_now().dropped, 0);
}

Test(channel, takes_warnings_and_errors_and_leaves_alert_alone)
{
	struct ttlog_channel channel;

	begin_channels(0);
	channel = ttlog_channel_open("c", 1024);
	ttlog_trace_to(channel, "sent", "n", 1);
	ttlog_debug_to(channel, "sent", "n", 2);
	ttlog_warn_to(channel, "sent", "n", 3);
	ttlog_error_to(channel, "sent", "n", 4);
	ttlog_fatal_to(channel, "sent", "n", 5);
	ttlog_infof_to(channel, "formatted %d", 6);
	ttlog_set_level(TTLOG_WARN);
	ttlog_info_to(channel, "sent", "n", 7);
	cr_assert_eq(numbered_in_channel("c").count, 5);
	cr_assert_eq(channel_now("c").events, 6);
	cr_assert_eq(numbered_in_channel("c").gaps, 0);
	cr_assert_eq(lane_now(TTLOG_LANE_ALERT).events, 0);
}

Test(channel, is_untouched_by_ten_million_events_elsewhere)
{
	struct ttlog_channel quiet, noisy;

	begin_channels(1 << 20);
	quiet = ttlog_channel_open("quiet", 1024);
	noisy = ttlog_channel_open("noisy", 1024);
	send_numbers(quiet, 1, 20);
	for (uint32_t i = 0; i < 5000000; i++) {
		send_number(noisy, i);
		ttlog_debug("noise", "i", i);
	}
	cr_assert_eq(numbered_in_channel("quiet").count, 20);
	cr_assert_eq(numbered_in_channel("quiet").gaps, 0);
	cr_assert_eq(numbered_in_channel("noisy").last, 4999999);
	cr_assert_eq(channel_now("noisy").events + channel_now("noisy").overwritten, 5000000);
	cr_assert_eq(channel_now("quiet").overwritten, 0);
}

Test(channel, evicts_nothing_outside_of_itself)
{
	struct ttlog_channel channel;

	begin_channels(1 << 20);
	channel = ttlog_channel_open("c", 1024);
	for (uint64_t i = 0; i < 100; i++)
		ttlog_info("sent", "n", i);
	send_numbers(channel, 1, 1000000);
	cr_assert_eq(numbered_in_channel("").count, 100);
	cr_assert_eq(totals_now().overwritten, channel_now("c").overwritten);
}

Test(channel, a_handle_that_is_none_sends_to_the_main_lane)
{
	const struct ttlog_channel wrong[] = {
		none, {0, 7}, {7, 1}, {UINT32_MAX, 1}, {UINT32_MAX, UINT32_MAX}};
	struct ttlog_channel null = ttlog_channel_open(NULL, 1024);

	begin_channels(0);
	cr_assert_eq(ttlog_channel_error(null), -EINVAL);
	cr_assert_lt(ttlog_channel_error(none), 0);
	send_number(null, 0);
	for (uint64_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		send_number(wrong[i], i + 1);
		ttlog_channel_close(wrong[i]);
	}
	cr_assert_eq(numbered_in_channel("").count, 6);
	cr_assert_eq(numbered_in_channel("").gaps, 0);
	cr_assert_eq(lane_now(TTLOG_LANE_CHANNEL).events, 0);
}

Test(channel, what_is_sent_to_a_closed_one_goes_to_the_main_lane)
{
	struct ttlog_channel channel;

	begin_channels(0);
	channel = ttlog_channel_open("c", 1024);
	send_numbers(channel, 1, 5);
	ttlog_channel_close(channel);
	send_numbers(channel, 6, 9);
	ttlog_channel_close(channel);
	cr_assert_eq(numbered_in_channel("c").last, 5);
	cr_assert_eq(numbered_in_channel("").first, 6);
	cr_assert_eq(numbered_in_channel("").last, 9);
	cr_assert_not(channel_now("c").is_open);
	cr_assert_neq(channel_now("c").closed_ticks, 0);
}

Test(channel, names_are_cut_and_may_hold_any_byte)
{
	char name[200];
	struct ttlog_channel channel;

	begin_channels(0);
	memset(name, '\xfe', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	channel = ttlog_channel_open(name, 0);
	cr_assert_eq(ttlog_channel_error(channel), 0);
	name[TTLOG_CHANNEL_NAME_BYTES - 1] = '\0';
	cr_assert_eq(channel_now(name).budget_bytes, 1024);
}

Test(channel, a_budget_is_rounded_up)
{
	static const struct {
		const char *name;
		size_t budget, kept;
	} rows[] = {{"a", 1, 1024}, {"b", 1024, 1024}, {"c", 1025, 2048}, {"d", 65536, 65536}};

	begin_channels(1 << 20);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ttlog_channel_open(rows[i].name, rows[i].budget);
		cr_expect_eq(channel_now(rows[i].name).budget_bytes, rows[i].kept);
	}
	cr_assert_eq(ttlog_channel_error(ttlog_channel_open("e", 1 << 20)), -ENOSPC);
	cr_assert_eq(ttlog_channel_error(ttlog_channel_open("f", SIZE_MAX)), -ENOSPC);
}

Test(channel, long_strings_are_cut_to_what_a_chunk_takes)
{
	struct ttlog_reader_event event;
	struct ttlog_reader *reader;
	struct ttlog_channel channel;
	char text[4000];

	begin_channels(0);
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	channel = ttlog_channel_open("c", 1024);
	ttlog_info_to(channel, "sent", "text", text, "n", 7);
	reader = view();
	cr_assert_not_null(next_of(reader, "sent", &event));
	cr_assert_eq(event.flags, TTLOG_EVENT_TRUNCATED);
	cr_assert_geq(event.value[0].size, 400);
	cr_assert_eq(event.value[1].bits, 7);
	cr_assert_eq(ttlog_reader_lane(reader, TTLOG_LANE_CHANNEL)->truncated, 1);
	ttlog_reader_close(reader);
}

Test(channel, events_of_every_size_come_out_as_they_went_in)
{
	char text[400] = "";
	struct ttlog_reader_event event;
	struct ttlog_reader *reader;
	struct ttlog_channel channel;
	uint64_t expected = 0;

	begin_channels(1 << 20);
	channel = ttlog_channel_open("c", 512 << 10);
	for (uint32_t i = 0; i < 390; i++) {
		text[i] = (char)('a' + i % 26);
		ttlog_info_to(channel, "sent", "text", text);
	}
	reader = view();
	while (next_of(reader, "sent", &event)) {
		cr_assert_eq(event.value[0].size, ++expected);
		cr_assert_eq(memcmp(event.value[0].data, text, expected), 0);
	}
	cr_assert_eq(expected, 390);
	ttlog_reader_close(reader);
}

Test(channel, the_call_for_bindings_checks_its_values)
{
	static const uint8_t types[] = {TTLOG_TYPE_U64};
	static const char *const names[] = {"n"};
	static struct ttlog_site site = {.level = TTLOG_INFO,
					 .field_count = 1,
					 .message = "sent",
					 .types = types,
					 .names = names};
	struct ttlog_value value = {5, NULL, 8, 0};
	struct ttlog_channel channel;

	begin_channels(0);
	channel = ttlog_channel_open("c", 0);
	ttlog_record_to(channel, &site, &value, 1);
	ttlog_record_to(channel, &site, &value, 2);
	ttlog_record_to(channel, NULL, &value, 1);
	value.size = 4;
	ttlog_record_to(channel, &site, &value, 1);
	cr_assert_eq(numbered_in_channel("c").count, 1);
	cr_assert_eq(numbered_in_channel("c").first, 5);
}

Test(channel, leaves_errno_alone)
{
	struct ttlog_channel channel;

	errno = 77;
	channel = ttlog_channel_open("c", 0);
	send_number(channel, 1);
	ttlog_channel_close(channel);
	ttlog_channel_open("c", SIZE_MAX);
	cr_assert_eq(errno, 77);
}

/* ---- many ------------------------------------------------------------------------------------ */

#define MANY 100000u

/* A thread that is not there: the last id of all. */
#define NOBODY ((1u << 22) - 1)

static _Atomic uint64_t *chunk_state(uint32_t lane_id, uint32_t index)
{
	const struct ttlog_lane_geometry *lane = &ttlog_place_.geometry.lane[lane_id];
	struct ttlog_chunk_record *record = (void *)(ttlog_place_.base + lane->records_offset);

	return &record[index].state;
}

/* As if its owner had got as far as that. */
static void leave_chunk(uint32_t lane, uint32_t index, uint32_t tid, uint32_t state)
{
	uint64_t generation = TTLOG_STATE_GENERATION(atomic_load(chunk_state(lane, index)));

	atomic_store(chunk_state(lane, index), TTLOG_STATE(generation, tid, state));
}

Test(channel, what_vanished_threads_left_in_the_middle_of_a_take_serves_again)
{
	struct ttlog_channel channel;

	begin_channels(0);
	channel = ttlog_channel_open("c", 1024);
	send_numbers(channel, 0, 2);
	for (uint32_t i = 0; i < TTLOG_CHANNEL_CHUNKS_MIN; i++)
		leave_chunk(TTLOG_LANE_CHANNEL, channel.index * TTLOG_CHANNEL_CHUNKS_MIN + i,
			    NOBODY, TTLOG_CHUNK_INIT);
	send_numbers(channel, 3, 10);
	cr_expect_eq(channel_now("c").diverted, 0);
	cr_expect_eq(numbered_in_channel("c").count, 8, "what was being taken is gone");
	cr_expect_eq(numbered_in_channel("c").last, 10);
	cr_expect_eq(totals_now().torn, 0);
}

/* Who looks for vanished owners of a channel does not keep others from looking elsewhere. */
Test(channel, a_search_in_one_lane_is_not_all_that_there_is_for_half_a_second)
{
	struct ttlog_channel channel;
	uint32_t chunks;

	begin_channels(0);
	channel = ttlog_channel_open("c", 1024);
	fill_to(TTLOG_STOP_RETIRE);
	fill_without_spare();
	/* In use by somebody who lives: there is nothing to be found. */
	for (uint32_t i = 0; i < TTLOG_CHANNEL_CHUNKS_MIN; i++)
		leave_chunk(TTLOG_LANE_CHANNEL, channel.index * TTLOG_CHANNEL_CHUNKS_MIN + i, 1,
			    TTLOG_CHUNK_OWNED);
	chunks = ttlog_place_.geometry.lane[TTLOG_LANE_MAIN].chunk_count;
	for (uint32_t i = 0; i < chunks; i++)
		if (TTLOG_STATE_TID(atomic_load(chunk_state(TTLOG_LANE_MAIN, i))) == 0)
			leave_chunk(TTLOG_LANE_MAIN, i, NOBODY, TTLOG_CHUNK_OWNED);
	send_number(channel, 0);
	cr_expect_eq(channel_now("c").diverted, 1);
	for (uint64_t i = 0; i < 1000; i++)
		ttlog_info("main", "n", i);
	cr_expect_eq(numbered_now("main").count, 1000);
	cr_expect_eq(totals_now().dropped, 0);
}

Test(channel, a_hundred_thousand_keep_their_own_newest_events)
{
	static struct ttlog_channel channels[MANY];
	static uint64_t count[MANY], last[MANY];
	struct ttlog_reader_event event;
	struct ttlog_reader *reader;
	char name[32];

	begin_channels(128 << 20);
	for (uint32_t i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "%u", i);
		channels[i] = ttlog_channel_open(name, 1024);
		cr_assert_eq(ttlog_channel_error(channels[i]), 0, "channel %u", i);
	}
	/* Three chunks each, event after event around all of them: the third takes the first one's
	 * place. */
	for (uint64_t n = 0; n < 3 * CHUNK_EVENTS; n++)
		for (uint32_t i = 0; i < MANY; i++)
			send_number(channels[i], n);
	reader = view();
	while (next_of(reader, "sent", &event)) {
		uint32_t i = (uint32_t)strtoul(channel_name(reader, &event), NULL, 10);

		cr_assert_lt(i, MANY);
		if (count[i]++)
			cr_assert_eq(event.value[0].bits, last[i] + 1, "channel %u", i);
		last[i] = event.value[0].bits;
	}
	for (uint32_t i = 0; i < MANY; i++) {
		cr_assert_eq(last[i], 3 * CHUNK_EVENTS - 1, "channel %u", i);
		cr_assert_eq(count[i], 2 * CHUNK_EVENTS, "channel %u", i);
	}
	cr_assert_eq(ttlog_reader_channel_totals(reader)->open, MANY);
	cr_assert_eq(ttlog_reader_lane(reader, TTLOG_LANE_CHANNEL)->overwritten,
		     MANY * CHUNK_EVENTS);
	ttlog_reader_close(reader);
}
