/* SPDX-License-Identifier: MIT */
/* test_history_channel.c - the history of channels: a chunk that is saved may go on being filled.
 */
#include <stdio.h>

#include "recorder/history_parts.h"
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

#define CHANNELS 2

struct sender {
	struct ttlog_channel channel;
	uint64_t n;
};

/* All the digits differ: that many bytes, whatever is done to them. */
static void send_noisily(struct sender *sender, uint64_t who, uint64_t count)
{
	static uint64_t noise = 1;

	for (uint64_t end = sender->n + count; sender->n < end; sender->n++) {
		noise = noise * UINT64_C(6364136223846793005) + 1442695040888963407;
		ttlog_info_to(sender->channel, "noisy", "who", who, "n", sender->n, "noise",
			      noise ^ noise >> 29);
	}
}

/* Whatever of a channel was given up is older than all of it that is there. */
static void check_kept(struct own_history *own, const struct sender sender[CHANNELS])
{
	struct ttlog_reader *reader = own_history_read(own);
	uint64_t next[CHANNELS] = {0}, count = 0;
	struct ttlog_reader_event event;

	for (; next_of(reader, "noisy", &event); count++) {
		const uint64_t who = event.value[0].bits, n = event.value[1].bits;

		cr_assert_lt(who, CHANNELS);
		if (next[who])
			cr_assert_eq(n, next[who],
				     "channel %" PRIu64 " of which %" PRIu64 " were sent", who,
				     sender[who].n);
		next[who] = n + 1;
	}
	for (int i = 0; i < CHANNELS; i++)
		cr_assert_eq(next[i], sender[i].n);
	cr_assert_eq(count + ttlog_reader_lane(reader, TTLOG_LANE_CHANNEL)->overwritten,
		     sender[0].n + sender[1].n);
	own_history_close(own);
}

/* The chunks of a channel go round between two looks, and each look finds a lap that begins
 * elsewhere. */
Test(history_channel, gives_up_what_is_oldest_of_a_channel)
{
	struct history_figures figures = {0};
	struct sender sender[CHANNELS];
	struct own_history own;

	ttlog_info("first");
	for (int i = 0; i < CHANNELS; i++)
		sender[i] = (struct sender){.channel = ttlog_channel_open("conn", 16384)};
	own = own_history_begin(HISTORY_BYTES_MIN, false);
	for (int i = 0; i < 400 || !figures.evicted; i++) {
		send_noisily(&sender[i % 2], (uint64_t)i % 2, 200);
		send_noisily(&sender[(i + 1) % 2], (uint64_t)(i + 1) % 2, 70);
		history_look(own.history);
		histories_figures(own.histories, &figures);
		if (figures.evicted && i % 4 == 0)
			check_kept(&own, sender);
	}
	own_history_end(&own);
}

/* More than one turn may take, of a channel that has gone round meanwhile. */
Test(history_channel, takes_the_oldest_first_when_there_is_more_than_a_turn_takes)
{
	const struct ttlog_options options = {.size = sizeof(options),
					      .service = "test",
					      .buffer_bytes = UINT64_C(1) << 20,
					      .channel_bytes = UINT64_C(16) << 20};
	struct sender sender[CHANNELS] = {{.n = 0}};
	struct history_figures figures = {0};
	struct own_history own;
	uint64_t before;

	cr_assert_eq(ttlog_init_with(&options), 0);
	sender[0].channel = ttlog_channel_open("conn", 5u << 20);
	own = own_history_begin(4 * HISTORY_BYTES_MIN, false);
	for (int i = 0; i < 6 || !figures.evicted; i++) {
		before = figures.chunks;
		send_noisily(&sender[0], 0, 100000);
		history_look(own.history);
		histories_figures(own.histories, &figures);
		cr_assert_gt(figures.chunks - before, 2 * HISTORY_LOOK_CHANNEL_CHUNKS);
		if (figures.evicted)
			check_kept(&own, sender);
	}
	own_history_end(&own);
}
