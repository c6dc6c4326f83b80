/* SPDX-License-Identifier: MIT */
/* test_history_channel.c - the history of channels: a chunk that is saved may go on being filled.
 */
#include <stdio.h>

#include "tests/own_history.h"

#define BUDGET (UINT64_C(16) << 20)

TestSuite(history_channel, .timeout = 120);

static void send(struct ttlog_channel channel, uint64_t *n, uint64_t count)
{
	for (uint64_t end = *n + count; *n < end; (*n)++)
		ttlog_info_to(channel, "sent", "n", *n);
}

static const struct ttlog_reader_channel *channel_named(struct ttlog_reader *reader,
							const char *name)
{
	for (uint32_t i = 0; i < ttlog_reader_channel_count(reader); i++)
		if (!strcmp(ttlog_reader_channel(reader, i)->name, name))
			return ttlog_reader_channel(reader, i);
	return NULL;
}

Test(history_channel, has_all_that_a_small_channel_forgot)
{
	const struct ttlog_reader_channel *seen;
	struct ttlog_channel channel;
	struct ttlog_reader *reader;
	struct own_history own;
	struct numbered run;
	uint64_t n = 0;

	ttlog_info("first");
	channel = ttlog_channel_open("conn-1", 1);
	own = own_history_begin(BUDGET, false);
	while (n < 20000) {
		send(channel, &n, 5);
		history_look(own.history);
	}
	reader = own_history_read(&own);
	run = numbered_in(reader, "sent");
	cr_assert_eq(run.gaps, 0);
	cr_assert_eq(run.count, n);
	seen = channel_named(reader, "conn-1");
	cr_assert_not_null(seen);
	cr_assert_eq(seen->events, n);
	cr_assert_eq(seen->overwritten, 0);
	cr_assert_eq(seen->overwritten_last, 0);
	cr_assert_eq(ttlog_reader_lane(reader, TTLOG_LANE_CHANNEL)->overwritten, 0);
	own_history_close(&own);
	own_history_end(&own);
}

Test(history_channel, counts_what_a_channel_lost_between_two_looks)
{
	const struct ttlog_reader_channel *seen;
	struct ttlog_channel channel;
	struct ttlog_reader *reader;
	struct own_history own;
	struct numbered run;
	uint64_t n = 0;

	ttlog_info("first");
	channel = ttlog_channel_open("conn-1", 1);
	own = own_history_begin(BUDGET, false);
	while (n < 20000) {
		send(channel, &n, 100 + n % 900);
		history_look(own.history);
	}
	reader = own_history_read(&own);
	run = numbered_in(reader, "sent");
	seen = channel_named(reader, "conn-1");
	cr_assert_gt(run.gaps, 0);
	cr_assert_eq(run.last, n - 1);
	cr_assert_eq(run.count + seen->overwritten, n);
	cr_assert_eq(ttlog_reader_lane(reader, TTLOG_LANE_CHANNEL)->overwritten, seen->overwritten);
	own_history_close(&own);
	own_history_end(&own);
}

/* One channel after the other in the same few chunks: the events stay, each once. */
Test(history_channel, keeps_the_events_of_channels_that_gave_way)
{
	struct ttlog_reader *reader;
	struct own_history own;
	struct numbered run;
	uint64_t n = 0;

	ttlog_info("first");
	own = own_history_begin(BUDGET, false);
	for (int i = 0; i < 2000; i++) {
		struct ttlog_channel channel;
		char name[32];

		snprintf(name, sizeof(name), "conn-%d", i);
		channel = ttlog_channel_open(name, 1);
		send(channel, &n, 30);
		ttlog_channel_close(channel);
		history_look(own.history);
	}
	reader = own_history_read(&own);
	run = numbered_in(reader, "sent");
	cr_assert_gt(ttlog_reader_channel_totals(reader)->replaced, 0);
	cr_assert_eq(run.count, n);
	cr_assert_eq(ttlog_reader_lane(reader, TTLOG_LANE_CHANNEL)->overwritten, 0);
	own_history_close(&own);
	own_history_end(&own);
}
