/* SPDX-License-Identifier: MIT */
/* What is new in a ring, look by look: each event once, whatever is written meanwhile. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "lib/process.h"
#include "lib/reader_live.h"
#include "lib/ttlog.h"

#define WRITTEN 3000000u

static struct ttlog_live *live;
static uint64_t taken, others;
static unsigned char times[WRITTEN]; /* that each number was handed out */
static bool is_nonsense;

static bool wants(void *context, const struct ttlog_reader_site *site)
{
	(void)context;
	return !strcmp(site->message, "numbered") || !strcmp(site->message, "other");
}

static void take(void *context, const struct ttlog_reader_site *site,
		 const struct ttlog_reader_event *event)
{
	(void)context;
	if (!strcmp(site->message, "other")) {
		others++;
		return;
	}
	if (event->value_count != 1 || event->value[0].bits >= WRITTEN)
		is_nonsense = true;
	else
		times[event->value[0].bits]++;
	taken++;
}

static void begin(void)
{
	const struct ttlog_live_handler handler = {wants, take, NULL};

	cr_assert_eq(ttlog_live_open(&live, ttlog_place_.base, &ttlog_place_.geometry, &handler),
		     0);
}

/* Those numbers: each once, or, with `some`, at most once. */
static void check_numbers(uint64_t from, uint64_t end, bool some)
{
	for (uint64_t i = 0; i < WRITTEN; i++) {
		const unsigned int wanted = i >= from && i < end;

		if (times[i] != wanted && !(some && !times[i]))
			cr_assert(false, "%llu came %u times", (unsigned long long)i, times[i]);
	}
	cr_assert_not(is_nonsense, "a number that nobody has recorded");
}

static void setup(void)
{
	const struct ttlog_options options = {
		.size = sizeof(options), .socket = "", .buffer_bytes = 1 << 20, .level = "trace"};

	unsetenv("TTLOG_SOCKET");
	cr_assert_eq(ttlog_init_with(&options), 0);
	ttlog_info("unwanted", "i", 1);
}

static void teardown(void)
{
	ttlog_live_close(live);
	ttlog_close();
}

TestSuite(reader_live, .init = setup, .fini = teardown, .timeout = 120);

static bool look(uint32_t budget)
{
	return ttlog_live_look(live, UINT32_MAX, &budget);
}

static void record(uint64_t count)
{
	static uint64_t number;

	for (uint64_t i = 0; i < count; i++)
		ttlog_info("numbered", "number", number++);
}

/* The dictionary is copied at most every so often: a new site waits for its turn. */
static void look_until(const uint64_t *counter, uint64_t wanted)
{
	const struct timespec moment = {.tv_nsec = 10000000};

	for (int i = 0; i < 6000 && *counter < wanted; i++) {
		look(UINT32_MAX);
		if (*counter < wanted)
			nanosleep(&moment, NULL);
	}
	cr_assert_eq(*counter, wanted);
}

Test(reader_live, hands_out_each_event_once)
{
	record(10);
	begin();
	cr_assert(look(UINT32_MAX));
	cr_assert_eq(taken, 0, "what was there before is not new");
	record(1);
	look_until(&taken, 1);
	for (int i = 0; i < 20; i++) {
		record(997);
		cr_assert(look(UINT32_MAX));
		cr_assert(look(UINT32_MAX));
	}
	check_numbers(10, 11 + 20 * 997, false);
	cr_assert_eq(ttlog_live_missed(live), 0);
}

/* Whatever the look comes in between: the writer makes its next chunk ready some events ahead. */
Test(reader_live, an_event_is_seen_by_the_look_that_follows_it)
{
	begin();
	record(1);
	look_until(&taken, 1);
	for (uint64_t i = 2; i < 20000; i++) {
		record(1);
		cr_assert(look(UINT32_MAX));
		cr_assert_eq(taken, i, "the look behind event %llu", (unsigned long long)i);
	}
	cr_assert_eq(ttlog_live_missed(live), 0);
}

Test(reader_live, goes_on_where_its_budget_ended)
{
	unsigned int looks = 0;

	begin();
	record(1);
	look_until(&taken, 1);
	record(5000);
	while (!look(100))
		looks++;
	check_numbers(0, 5001, false);
	cr_assert_geq(looks, 49);
}

Test(reader_live, finds_what_is_new_in_every_lane)
{
	struct ttlog_channel channel = ttlog_channel_open("channel", 4096);

	cr_assert_eq(ttlog_channel_error(channel), 0);
	begin();
	ttlog_error("other");
	look_until(&others, 1);
	ttlog_info_to(channel, "other");
	look_until(&others, 2);
	ttlog_info_to(channel, "other");
	look_until(&others, 3);
	ttlog_warn("other");
	look_until(&others, 4);
	/* The alerts' alone: the second of a site is found at once. */
	for (int i = 0; i < 2; i++) {
		uint32_t budget = UINT32_MAX;

		ttlog_error("other");
		record(5);
		if (!i)
			look_until(&others, 5);
		taken = 0;
		cr_assert(ttlog_live_look(live, 1 << TTLOG_LANE_ALERT, &budget));
		cr_assert_eq(taken, 0);
	}
	cr_assert_eq(others, 6);
}

Test(reader_live, counts_what_was_recycled_before_it_was_seen)
{
	begin();
	record(1);
	look_until(&taken, 1);
	record(200000);
	cr_assert(look(UINT32_MAX));
	cr_assert_gt(ttlog_live_missed(live), 0);
	check_numbers(0, 200001, true);
	cr_assert_eq(times[200000], 1, "the newest are there");
	/* How many depends on the size of a page, which is the region's least. */
	cr_assert_lt(taken, 200001);
}

static atomic_bool is_done;

static void *write_at_full_speed(void *context)
{
	(void)context;
	for (uint64_t i = 0; i < WRITTEN; i++)
		ttlog_info("numbered", "number", i);
	atomic_store(&is_done, true);
	return NULL;
}

Test(reader_live, is_not_fooled_by_a_writer_at_full_speed)
{
	pthread_t thread;

	begin();
	cr_assert_eq(pthread_create(&thread, NULL, write_at_full_speed, NULL), 0);
	for (uint32_t i = 0; !atomic_load(&is_done); i++)
		look(100 + i * 7919 % 50000);
	pthread_join(thread, NULL);
	look(UINT32_MAX);
	check_numbers(0, WRITTEN, true);
}

/* Whatever a client does to its memory. */
Test(reader_live, survives_a_region_of_nonsense)
{
	unsigned char *base = ttlog_place_.base;
	const struct ttlog_lane_geometry *lane = &ttlog_place_.geometry.lane[TTLOG_LANE_MAIN];
	uint64_t state = 1;

	begin();
	record(2000);
	look(UINT32_MAX);
	for (int round = 0; round < 300; round++) {
		for (int i = 0; i < 200; i++) {
			state = state * UINT64_C(6364136223846793005) + 1442695040888963407;
			/* States, chunks, the ledger, the dictionary. */
			const uint64_t from[] = {lane->records_offset, lane->chunks_offset,
						 ttlog_place_.geometry.ledger_offset,
						 ttlog_place_.geometry.dict_index_offset};
			const uint64_t at = from[state >> 62] + (state >> 20) % 65536;

			if (at + 8 <= ttlog_place_.geometry.region_bytes)
				base[at] = (unsigned char)(state >> 40);
		}
		look(100000);
	}
	/* Nobody writes into it any more. */
	ttlog_live_close(live);
	live = NULL;
}
