/* SPDX-License-Identifier: MIT */
/* channel_region.h - what the tests of channels share, on top of own_region.h. */
#ifndef TTLOG_TESTS_CHANNEL_REGION_H
#define TTLOG_TESTS_CHANNEL_REGION_H

#include <stdio.h>

#include "tests/own_region.h"

/* Events of 32 bytes that a chunk of 512 keeps. */
#define CHUNK_EVENTS 13u

__attribute__((unused)) static void begin_channels(uint64_t channel_bytes)
{
	struct ttlog_options options = {.size = sizeof(options),
					.service = "test",
					.buffer_bytes = 1 << 20,
					.channel_bytes = channel_bytes};

	cr_assert_eq(ttlog_init_with(&options), 0);
}

/* A 32-byte event whose first field counts up. */
__attribute__((unused)) static void send_number(struct ttlog_channel channel, uint64_t number)
{
	ttlog_info_to(channel, "sent", "n", number, "x", (uint32_t)1);
}

__attribute__((unused)) static void send_numbers(struct ttlog_channel channel, uint64_t from,
						 uint64_t to)
{
	for (uint64_t number = from; number <= to; number++)
		send_number(channel, number);
}

__attribute__((unused)) static const char *channel_name(const struct ttlog_reader *reader,
							const struct ttlog_reader_event *event)
{
	const struct ttlog_reader_channel *channel = ttlog_reader_channel(reader, event->channel);

	return channel ? channel->name : "";
}

/* The events of the channels of that name, "" = those without a channel, numbered by their first
 * field. */
__attribute__((unused)) static struct numbered numbered_of(struct ttlog_reader *reader,
							   const char *name)
{
	struct ttlog_reader_event event;
	struct numbered run = {0};

	ttlog_reader_rewind(reader);
	while (next_of(reader, "sent", &event)) {
		uint64_t n = event.value[0].bits;

		if (strcmp(channel_name(reader, &event), name) != 0)
			continue;
		if (!run.count)
			run.first = n;
		else if (n != run.last + 1)
			run.gaps++;
		run.last = n;
		run.count++;
	}
	return run;
}

__attribute__((unused)) static struct numbered numbered_in_channel(const char *name)
{
	struct ttlog_reader *reader = view();
	struct numbered run = numbered_of(reader, name);

	ttlog_reader_close(reader);
	return run;
}

/* The first channel of that name; all zero: there is none. */
__attribute__((unused)) static struct ttlog_reader_channel channel_now(const char *name)
{
	struct ttlog_reader *reader = view();
	struct ttlog_reader_channel found = {.name = ""};

	for (uint32_t i = 0; i < ttlog_reader_channel_count(reader); i++) {
		const struct ttlog_reader_channel *channel = ttlog_reader_channel(reader, i);

		if (strcmp(channel->name, name) == 0 && !found.name[0])
			found = *channel;
	}
	ttlog_reader_close(reader);
	return found;
}

__attribute__((unused)) static void set_frozen(bool frozen)
{
	uint32_t word = ttlog_place_.control->freeze;

	if ((word & 1) != frozen)
		__atomic_store_n(&ttlog_place_.control->freeze, word + 1, __ATOMIC_SEQ_CST);
}

/* Opens channels of two chunks until there is no room; how many. */
__attribute__((unused)) static uint32_t fill_up(struct ttlog_channel *channels, uint32_t max)
{
	char name[32];

	for (uint32_t i = 0; i < max; i++) {
		snprintf(name, sizeof(name), "c%u", i);
		channels[i] = ttlog_channel_open(name, 0);
		if (ttlog_channel_error(channels[i])) {
			cr_assert_eq(ttlog_channel_error(channels[i]), -ENOSPC);
			return i;
		}
	}
	cr_assert_fail("no end of channels");
	return 0;
}

#endif
