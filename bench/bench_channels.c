/* SPDX-License-Identifier: MIT */
/*
 * bench_channels.c - what a channel costs: an event, an opening, a closing, and memory.
 *
 * Events into one channel, around 1,000 of them (whose memory stays in the caches), around 100,000
 * (whose memory does not), beside an alert and an event without a channel, each in nanoseconds and
 * as a ratio to the floor of the same moment. Then 100,000 channels are opened while there is
 * memory, closed, and opened in the place of the closed ones; and it is checked, event by event,
 * that each has its own newest events at the end.
 */
#include "bench/measure.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/process.h"
#include "lib/reader.h"

#define CHANNELS 100000u
#define FEW 1000u
#define MEMORY (UINT64_C(123) << 20)
#define BUDGET_BYTES 1024
#define BLOCK_EVENTS 20000
#define REPEATS 41
#define KEPT 26u /* events of 32 bytes that two chunks keep */

static struct ttlog_channel channels[CHANNELS];
static struct measure_floor floor_ring;

typedef void (*channel_loop)(uint64_t from, uint64_t count);

#define LOOP(name, statement)                                                                      \
	static __attribute__((noinline)) void loop_##name(uint64_t from, uint64_t count)           \
	{                                                                                          \
		for (uint64_t i = from; i < from + count; i++) {                                   \
			statement;                                                                 \
			measure_barrier();                                                         \
		}                                                                                  \
	}
#define SEND(channel) ttlog_info_to(channel, "sent", "n", i, "status", 200)
LOOP(none, ttlog_info("sent", "n", i, "status", 200))
LOOP(alert, ttlog_warn("sent", "n", i, "status", 200))
LOOP(one, SEND(channels[0]))
LOOP(few, SEND(channels[i % FEW]))
LOOP(many, SEND(channels[i % CHANNELS]))

static const struct channel_case {
	const char *what;
	channel_loop loop;
} cases[] = {
	{"without a channel", loop_none},	{"alert", loop_alert},
	{"to one channel", loop_one},		{"around 1,000 channels", loop_few},
	{"around 100,000 channels", loop_many},
};

#define CASE_COUNT (sizeof(cases) / sizeof(cases[0]))

static double block_ns(channel_loop loop, uint64_t from)
{
	uint64_t start = measure_now_ns();

	loop(from, BLOCK_EVENTS);
	return (double)(measure_now_ns() - start) / BLOCK_EVENTS;
}

static double floor_ns(uint64_t from)
{
	uint64_t start = measure_now_ns();

	measure_floor_loop(&floor_ring, from, BLOCK_EVENTS);
	return (double)(measure_now_ns() - start) / BLOCK_EVENTS;
}

static void measure_events(void)
{
	static struct measure_series floor[CASE_COUNT], event[CASE_COUNT];
	uint64_t from = 0;

	for (unsigned int i = 0; i < REPEATS + 5; i++) {
		for (size_t k = 0; k < CASE_COUNT; k++) {
			double bare = floor_ns(from), full = block_ns(cases[k].loop, from);

			/* The first few find sites and pages for the first time. */
			if (i >= 5) {
				measure_add(&floor[k], bare);
				measure_add(&event[k], full);
			}
		}
		from += BLOCK_EVENTS;
	}
	measure_print("an event of 2 fields, 32 bytes, in ns; medians of %d blocks of %d\n",
		      REPEATS, BLOCK_EVENTS);
	measure_print("  %-26s %8s %8s %8s %8s\n", "", "median", "floor", "ratio", "least");
	for (size_t k = 0; k < CASE_COUNT; k++)
		measure_print("  %-26s %8.1f %8.1f %8.2f %8.1f\n", cases[k].what,
			      measure_median(&event[k]), measure_median(&floor[k]),
			      measure_ratio(&event[k], &floor[k]), measure_min(&event[k]));
}

/* All of them; the mean of one. */
static double open_all(const char *stem)
{
	static char names[CHANNELS][TTLOG_CHANNEL_NAME_BYTES];
	uint64_t start, ns;

	for (uint32_t i = 0; i < CHANNELS; i++)
		snprintf(names[i], sizeof(names[i]), "%s-%u", stem, i);
	start = measure_now_ns();
	for (uint32_t i = 0; i < CHANNELS; i++)
		channels[i] = ttlog_channel_open(names[i], BUDGET_BYTES);
	ns = measure_now_ns() - start;
	for (uint32_t i = 0; i < CHANNELS; i++)
		if (ttlog_channel_error(channels[i]))
			measure_die("ttlog_channel_open", ttlog_channel_error(channels[i]));
	return (double)ns / CHANNELS;
}

static double close_all(void)
{
	uint64_t start = measure_now_ns();

	for (uint32_t i = 0; i < CHANNELS; i++)
		ttlog_channel_close(channels[i]);
	return (double)(measure_now_ns() - start) / CHANNELS;
}

/* Twice what they keep into each, around all of them; then each must have the newest. */
static void verify(void)
{
	static uint64_t last[CHANNELS], count[CHANNELS];
	uint32_t fewest = UINT32_MAX, wrong = 0;
	struct ttlog_reader_event event;
	struct ttlog_reader *reader;
	uint64_t end = UINT64_C(2) * KEPT * CHANNELS;
	int error;

	loop_many(0, end);
	error = ttlog_reader_open(&reader, ttlog_place_.base, &ttlog_place_.geometry);
	if (error)
		measure_die("ttlog_reader_open", error);
	while (ttlog_reader_next(reader, &event)) {
		uint64_t n = event.value[0].bits, i = n % CHANNELS;
		const struct ttlog_reader_channel *channel =
			ttlog_reader_channel(reader, event.channel);

		if (!channel || event.value_count != 2 || strncmp(channel->name, "new-", 4) != 0 ||
		    strtoul(channel->name + 4, NULL, 10) != i)
			continue;
		wrong += count[i] && n != last[i] + CHANNELS;
		last[i] = n;
		count[i]++;
	}
	for (uint64_t i = 0; i < CHANNELS; i++) {
		wrong += last[i] != end - CHANNELS + i;
		if (count[i] < fewest)
			fewest = (uint32_t)count[i];
	}
	measure_print(
		"%u channels, %llu events: each has its own newest %u at least; %u are wrong\n",
		CHANNELS, (unsigned long long)end, fewest, wrong);
	ttlog_reader_close(reader);
	if (wrong || fewest < KEPT / 2)
		measure_die("a channel has not kept its newest events", -EBADMSG);
}

int main(void)
{
	const struct ttlog_options options = {
		.size = sizeof(options),
		.service = "bench",
		.socket = "",
		.channel_bytes = MEMORY,
		.level = "info",
	};
	double fresh, closed, replaced;
	int error = ttlog_init_with(&options);

	if (error)
		measure_die("ttlog_init_with", error);
	measure_print_machine("bench_channels: events into channels");
	measure_floor_open(&floor_ring, MEASURE_CACHE_BYTES);
	fresh = open_all("old");
	measure_events();
	closed = close_all();
	replaced = open_all("new");
	measure_print("a channel in ns: opened %.0f, closed %.0f, opened in the place of a closed "
		      "one %.0f\n",
		      fresh, closed, replaced);
	measure_print("memory: %.0f bytes a channel of %d bytes budget, all included\n",
		      (double)MEMORY / ttlog_place_.geometry.channel_count, BUDGET_BYTES);
	verify();
	measure_floor_close(&floor_ring);
	return 0;
}
