/* SPDX-License-Identifier: MIT */
/*
 * test_census.c - what a walk over a living region counts is what a reader that copies it finds.
 *
 * recorder/ledger.c walks, recorder/services.c adds up; that whole recorders do so is in
 * test_metrics.c.
 */
#include <pthread.h>
#include <stdio.h>

#include "recorder/ledger.h"
#include "recorder/services.h"
#include "tests/channel_region.h"

static struct ledger ledger;

static void walk(unsigned int steps)
{
	unsigned int left = steps;
	unsigned int calls = 0;

	while (!ledger_walk(&ledger, ttlog_place_.base, &ttlog_place_.geometry, &left)) {
		cr_assert_lt(++calls, 1u << 24);
		left = steps;
	}
}

/* All that was recorded, whether it is there or not; each lane's losses are the reader's. */
static void expect_as_the_reader(void)
{
	struct ttlog_reader_totals totals;
	struct ttlog_reader *reader = view();

	ttlog_reader_totals(reader, &totals);
	cr_assert_eq(ledger.counts.overwritten, totals.overwritten);
	cr_assert_eq(ledger.counts.events, totals.events + totals.overwritten,
		     "%" PRIu64 " counted, %" PRIu64 " there, %" PRIu64 " overwritten",
		     ledger.counts.events, totals.events, totals.overwritten);
	cr_assert_eq(ledger.counts.dropped, totals.dropped);
	cr_assert_eq(ledger.counts.truncated, totals.truncated);
	cr_assert_eq(ledger.counts.torn, 0);
	ttlog_reader_close(reader);
}

static void record(unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		ttlog_info("counted", "i", i);
		if (i % 10 == 0)
			ttlog_warn("an alert", "i", i);
	}
}

Test(census, counts_nothing_in_an_empty_region)
{
	begin(1 << 20);
	walk(1000000);
	cr_assert_eq(ledger.counts.events, 0);
	cr_assert_eq(ledger.oldest_ticks, 0);
}

Test(census, counts_each_event_as_it_comes)
{
	begin(1 << 20);
	for (uint64_t i = 1; i <= 200; i++) {
		ttlog_info("counted", "i", i);
		walk(1000000);
		cr_assert_eq(ledger.counts.events, i);
	}
	expect_as_the_reader();
}

Test(census, counts_over_many_laps_in_pieces_of_any_size)
{
	static const unsigned int steps[] = {1, 7, 100, 1000, 1000000};

	begin(1 << 20);
	for (unsigned int i = 0; i < 40; i++) {
		record(i * 97 * (unsigned int)times_larger());
		walk(steps[i % 5]);
		expect_as_the_reader();
	}
	cr_assert_gt(ledger.counts.overwritten, 10000);
}

static void *record_and_end(void *context)
{
	record((unsigned int)(uintptr_t)context);
	return NULL;
}

Test(census, counts_what_threads_have_left_behind)
{
	begin(1 << 20);
	for (unsigned int i = 1; i < 60; i++) {
		pthread_t thread;

		cr_assert_eq(pthread_create(&thread, NULL, record_and_end,
					    (void *)(uintptr_t)(i * 13)),
			     0);
		pthread_join(thread, NULL);
		walk(50);
		expect_as_the_reader();
	}
}

Test(census, counts_channels_that_are_opened_closed_and_replaced)
{
	begin_channels(TTLOG_CHANNEL_BYTES_MIN > 256 << 10 ? TTLOG_CHANNEL_BYTES_MIN : 256 << 10);
	/* Some more than there is room for; each look at all of a large region takes a while. */
	const unsigned int count = ttlog_place_.geometry.channel_count + 100;

	for (unsigned int i = 0; i < count; i++) {
		char name[32];
		struct ttlog_channel channel;

		snprintf(name, sizeof(name), "channel-%u", i);
		channel = ttlog_channel_open(name, 0);
		send_numbers(channel, 1, i);
		if (i % 3)
			ttlog_channel_close(channel);
		walk(1000);
		if (i % times_larger() == 0)
			expect_as_the_reader();
	}
	expect_as_the_reader();
	cr_assert_gt(ledger.counts.overwritten, 0);
}

Test(census, counts_what_had_no_room_and_what_was_cut)
{
	static char text[40000];

	begin(1 << 20);
	memset(text, 'x', sizeof(text) - 1);
	set_frozen(true);
	record(100000);
	ttlog_info("long", "text", (const char *)text);
	walk(100000);
	expect_as_the_reader();
	cr_assert_gt(ledger.counts.dropped, 0);
	set_frozen(false);
	ttlog_info("long", "text", (const char *)text);
	walk(100000);
	expect_as_the_reader();
	cr_assert_gt(ledger.counts.truncated, 0);
}

Test(census, says_since_when_everything_is_there)
{
	struct ttlog_reader_totals totals;
	struct ttlog_reader *reader;
	uint64_t first;

	begin(1 << 20);
	ttlog_info("the first");
	walk(100000);
	reader = view();
	ttlog_reader_totals(reader, &totals);
	ttlog_reader_close(reader);
	cr_assert_gt(ledger.oldest_ticks, 0);
	cr_assert_leq(ledger.oldest_ticks, totals.first_ticks);
	first = ledger.oldest_ticks;
	record(100);
	walk(100000);
	cr_assert_eq(ledger.oldest_ticks, first);
	/* The first event still is there, in the boot lane, and much behind it is not. */
	record(200000);
	walk(100000);
	cr_assert_gt(ledger.counts.overwritten, 0);
	cr_assert_gt(ledger.oldest_ticks, first);
}

/* Nothing that a client writes makes it read elsewhere, go on for ever, or count backwards. */
Test(census, survives_a_region_of_any_bytes)
{
	struct ledger_counts before;
	uint64_t *words;
	uint64_t seed = 12345;

	begin(1 << 20);
	record(20000);
	walk(1000);
	before = ledger.counts;
	words = (uint64_t *)(void *)ttlog_place_.base;
	for (int round = 0; round < 20; round++) {
		/* Behind the header and the control page, which it does not look at. */
		for (uint64_t i = 2 * TTLOG_PAGE_BYTES / 8;
		     i < ttlog_place_.geometry.region_bytes / 8; i++) {
			seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
			if (round % 2 || seed >> 60 == 0)
				words[i] = seed >> (seed >> 58);
		}
		walk(round % 3 ? 100 : 1000000);
		cr_assert_geq(ledger.counts.events, before.events);
		cr_assert_geq(ledger.counts.overwritten, before.overwritten);
		before = ledger.counts;
	}
	cr_assert_gt(ledger.counts.torn, 0);
	/* Criterion's own exit must not meet it. */
	_exit(0);
}

/* ---- sums ------------------------------------------------------------------------------- */

static struct services services;

Test(census, adds_up_by_service_and_never_goes_back)
{
	struct ledger_counts first = {.events = 10}, second = {.events = 5, .dropped = 1};
	struct ledger_counts first_counted = {0}, second_counted = {0};
	struct service *orders = services_of(&services, "orders");

	services_add(orders, &first, &first_counted);
	services_add(orders, &second, &second_counted);
	services_add(orders, &second, &second_counted);
	cr_assert_eq(orders->counts.events, 15);
	cr_assert_eq(orders->counts.dropped, 1);
	first.events = 12;
	services_add(orders, &first, &first_counted);
	first.events = 3;
	services_add(orders, &first, &first_counted);
	cr_assert_eq(orders->counts.events, 17);
	second.events = UINT64_MAX;
	services_add(orders, &second, &second_counted);
	cr_assert_eq(orders->counts.events, UINT64_MAX);
	cr_assert_eq(services_of(&services, "orders"), orders);
}

Test(census, has_names_for_so_many_services_and_one_for_the_rest)
{
	char name[32];

	for (unsigned int i = 0; i < 3 * SERVICES_MAX; i++) {
		const char *kept = i < SERVICES_MAX ? name : SERVICES_OTHER;

		snprintf(name, sizeof(name), "service-%u", i);
		cr_assert_str_eq(services_of(&services, name)->name, kept);
	}
	cr_assert_eq(services.count, SERVICES_MAX + 1);
	cr_assert_str_eq(services_of(&services, "service-7")->name, "service-7");
}

Test(census, has_one_other_where_a_service_is_called_so)
{
	struct service *other = services_of(&services, SERVICES_OTHER);
	char name[32];

	for (unsigned int i = 0; i < 2 * SERVICES_MAX; i++) {
		snprintf(name, sizeof(name), "service-%u", i);
		services_of(&services, name);
	}
	cr_assert_eq(services_of(&services, "one more"), other);
	cr_assert_eq(services.count, SERVICES_MAX);
}

Test(census, shows_the_shortest_history_of_the_last_whole_look)
{
	struct service *orders = services_of(&services, "orders");

	services_begin(&services);
	services_see(orders, 7.5);
	services_see(orders, -1);
	services_see(orders, 2.5);
	cr_assert_lt(orders->history_seconds, 0, "the look is not finished");
	services_finish(&services);
	cr_assert_eq(orders->clients, 3);
	cr_assert_float_eq(orders->history_seconds, 2.5, 1e-9);
	services_begin(&services);
	services_finish(&services);
	cr_assert_eq(orders->clients, 0);
	cr_assert_lt(orders->history_seconds, 0);
}
