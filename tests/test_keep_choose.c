/* SPDX-License-Identifier: MIT */
/* Which dumps go: whole nights of crashes as tables, without a file. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "recorder/keep_choose.h"
#include "recorder/keep_loops.h"

#define SECOND UINT64_C(1000000000)
#define START (UINT64_C(1700000000) * SECOND)
#define DUMPS_MAX 4096

static struct keep_dump dumps[DUMPS_MAX];
static struct keep_dump *pointers[DUMPS_MAX];
static enum keep_why why[DUMPS_MAX];
static struct keep_index index_;
static struct keep_limits limits;

static void begin(void)
{
	memset(dumps, 0, sizeof(dumps));
	index_ = (struct keep_index){.dump = pointers};
	limits = (struct keep_limits){0};
}

TestSuite(keep_choose, .init = begin, .timeout = 120);

static struct keep_dump *add(uint64_t second, const char *service, uint32_t uid, uint64_t bytes)
{
	struct keep_dump *dump = &dumps[index_.count];

	pointers[index_.count++] = dump;
	dump->bytes = bytes;
	dump->summary.created_ns = START + second * SECOND;
	dump->summary.uid = uid;
	snprintf(dump->summary.service, sizeof(dump->summary.service), "%s", service);
	return dump;
}

static int choose(uint64_t second)
{
	return keep_choose(&index_, &limits, START + second * SECOND, why);
}

static size_t count_why(enum keep_why wanted)
{
	size_t count = 0;

	for (size_t i = 0; i < index_.count; i++)
		count += why[i] == wanted;
	return count;
}

static void of_set(struct keep_dump *dump, const char *set, const char *role)
{
	snprintf(dump->summary.set, sizeof(dump->summary.set), "%s", set);
	snprintf(dump->summary.set_role, sizeof(dump->summary.set_role), "%s", role);
}

/* Two sets of four: what one is about goes, and what was copied for it; not who died of it, too. */
Test(keep_choose, the_living_of_a_set_go_with_its_death)
{
	static const char *const roles[] = {"first", "alive", "died", "alive"};

	for (unsigned int i = 0; i < 8; i++)
		of_set(add(i, i % 4 ? "worker" : "master", 0, 10), i < 4 ? "one" : "two", roles[i % 4]);
	add(8, "other", 0, 10);
	limits.files = 8;
	cr_expect_eq(choose(10), 3);
	for (unsigned int i = 0; i < 9; i++)
		cr_expect_eq(why[i],
			     i == 0		? KEEP_TOTAL
			     : i == 1 || i == 3 ? KEEP_SET
						: KEEP_STAYS,
			     "%u: %d", i, (int)why[i]);
}

Test(keep_choose, the_newest_of_all_stays_though_its_set_goes)
{
	of_set(add(0, "master", 0, 10), "one", "first");
	of_set(add(1, "worker", 0, 10), "one", "alive");
	limits.files = 1;
	cr_expect_eq(choose(10), 1);
	cr_expect_eq(why[1], KEEP_STAYS);
}

Test(keep_choose, a_copy_that_goes_takes_nobody_along)
{
	of_set(add(0, "worker", 0, 10), "one", "alive");
	of_set(add(1, "master", 0, 10), "one", "first");
	of_set(add(2, "worker", 0, 10), "one", "alive");
	limits.service_files = 1;
	cr_expect_eq(choose(10), 1);
	cr_expect_eq(why[0], KEEP_SERVICE);
}

Test(keep_choose, nothing_goes_without_limits)
{
	for (unsigned int i = 0; i < 100; i++)
		add(i, "a", 0, 1 << 20);
	cr_expect_eq(choose(1000000), 0);
}

Test(keep_choose, the_oldest_go_first)
{
	for (unsigned int i = 0; i < 10; i++)
		add(i, i % 2 ? "a" : "b", i % 2, 10);
	limits.files = 7;
	cr_expect_eq(choose(10), 3);
	for (unsigned int i = 0; i < 10; i++)
		cr_expect_eq(why[i], i < 3 ? KEEP_TOTAL : KEEP_STAYS, "%u: %d", i, (int)why[i]);
	limits.files = 0;
	limits.bytes = 55;
	cr_expect_eq(choose(10), 5);
	limits.bytes = 100;
	cr_expect_eq(choose(10), 0);
}

static void of_the_living(uint64_t from, uint64_t to, const char *service, uint32_t uid)
{
	for (uint64_t second = from; second < to; second++)
		strcpy(add(second, service, uid, 10)->summary.how, "alive");
}

/* One that has itself copied each second, died once and was started again. */
Test(keep_choose, a_death_stays_when_there_are_many_copies_of_the_living)
{
	of_the_living(0, 3, "a", 0);
	add(3, "a", 0, 10);
	of_the_living(4, 20, "a", 0);
	limits.service_files = 5;
	cr_expect_eq(choose(20), 15);
	cr_expect_eq(why[3], KEEP_STAYS);
	cr_expect_eq(why[15], KEEP_SERVICE);
	cr_expect_eq(why[16], KEEP_STAYS);
	limits.service_files = 0;
	limits.bytes = 55;
	cr_expect_eq(choose(20), 15);
	cr_expect_eq(why[3], KEEP_STAYS);
	cr_expect_eq(why[15], KEEP_TOTAL);
	cr_expect_eq(why[16], KEEP_STAYS);
	limits.bytes = 10;
	cr_expect_eq(choose(20), 19);
	cr_expect_eq(why[19], KEEP_STAYS, "the newest of all");
}

Test(keep_choose, copies_of_the_living_are_not_driven_out_by_deaths)
{
	of_the_living(0, 5, "a", 0);
	for (unsigned int i = 5; i < 20; i++)
		add(i, "a", 0, 10);
	of_the_living(20, 26, "a", 0);
	limits.service_files = 25;
	cr_expect_eq(choose(30), 1);
	cr_expect_eq(why[0], KEEP_SERVICE, "the oldest");
	limits.service_files = 20;
	cr_expect_eq(choose(30), 6);
	cr_expect_eq(why[5], KEEP_SERVICE);
	cr_expect_eq(count_why(KEEP_STAYS), 20);
	cr_expect_eq(why[20], KEEP_STAYS);
}

/* Who has himself copied often makes room for others first. */
Test(keep_choose, copies_of_one_user_do_not_drive_out_those_of_another)
{
	of_the_living(0, 4, "a", 1);
	of_the_living(4, 30, "b", 2);
	add(30, "b", 2, 10);
	of_the_living(31, 33, "b", 2);
	limits.files = 10;
	choose(40);
	for (unsigned int i = 0; i < 4; i++)
		cr_expect_eq(why[i], KEEP_STAYS, "%u", i);
	cr_expect_eq(why[30], KEEP_STAYS);
	cr_expect_eq(count_why(KEEP_STAYS), 10);
}

/* They go with the death that they are about, not before. */
Test(keep_choose, the_living_of_a_set_are_no_copies_too_many)
{
	for (unsigned int i = 0; i < 6; i++) {
		struct keep_dump *dump = add(i, "a", 0, 10);

		of_set(dump, "one", i ? "alive" : "first");
		strcpy(dump->summary.how, i ? "alive" : "fault");
	}
	of_the_living(6, 10, "a", 0);
	limits.service_files = 9;
	cr_expect_eq(choose(10), 1 + 5);
	cr_expect_eq(why[0], KEEP_SERVICE);
}

Test(keep_choose, the_newest_stays_even_if_it_is_too_large_alone)
{
	add(1, "a", 0, 100);
	add(2, "a", 0, 1000);
	limits.bytes = limits.service_bytes = 500;
	cr_expect_eq(choose(3), 1);
	cr_expect_eq(why[1], KEEP_STAYS);
}

Test(keep_choose, age_takes_what_is_older_and_nothing_else)
{
	for (unsigned int i = 0; i < 10; i++)
		add(i * 100, "a", 0, 1);
	limits.age_s = 500;
	cr_expect_eq(choose(1000), 5);
	cr_expect_eq(why[4], KEEP_AGE);
	cr_expect_eq(why[5], KEEP_STAYS);
	/* A limit that reaches back before 1970 is none. */
	limits.age_s = UINT64_MAX;
	cr_expect_eq(choose(1000), 0);
}

Test(keep_choose, a_service_loses_its_own_oldest)
{
	add(0, "quiet", 0, 1);
	for (unsigned int i = 1; i < 10; i++)
		add(i, "noisy", 0, 1);
	add(10, "noisy", 7, 1); /* of the same name, but another user's */
	limits.service_files = 4;
	cr_expect_eq(choose(20), 5);
	cr_expect_eq(why[0], KEEP_STAYS);
	for (unsigned int i = 1; i < 11; i++)
		cr_expect_eq(why[i], i < 6 ? KEEP_SERVICE : KEEP_STAYS, "%u", i);
}

Test(keep_choose, who_has_more_than_half_makes_room_first)
{
	for (unsigned int i = 0; i < 10; i++)
		add(i, "honest", 1000, 1);
	for (unsigned int i = 0; i < 90; i++) {
		char name[16];

		snprintf(name, sizeof(name), "flood-%u", i);
		add(100 + i, name, 6666, 1);
	}
	limits.files = 60;
	cr_expect_eq(choose(1000), 40);
	for (unsigned int i = 0; i < 10; i++)
		cr_expect_eq(why[i], KEEP_STAYS, "%u", i);
	/* But never below half. */
	limits.files = 12;
	cr_expect_eq(choose(1000), 88);
	cr_expect_eq(count_why(KEEP_STAYS), 12);
	for (unsigned int i = 94; i < 100; i++)
		cr_expect_eq(why[i], KEEP_STAYS);
}

static void add_to_loop(uint64_t second, uint64_t key, uint64_t since, uint64_t count)
{
	struct keep_dump *dump = add(second, "loop", 0, 1);

	dump->summary.loop_key = key;
	dump->summary.loop_since_ns = START + since * SECOND;
	dump->summary.loop_count = count;
}

Test(keep_choose, of_a_night_of_crashes_stay_the_first_the_last_and_ever_fewer_between)
{
	limits.loop_first = 5;
	for (unsigned int i = 0; i < 3000; i++)
		add_to_loop(10 * i, 77, 0, i + 1);
	choose(40000);
	for (unsigned int i = 0; i < 5; i++)
		cr_expect_eq(why[i], KEEP_STAYS, "%u of the first", i);
	for (unsigned int i = 2997; i < 3000; i++)
		cr_expect_eq(why[i], KEEP_STAYS, "%u of the last", i);
	/* 30,000 s: the powers of two from 64 to 16,384 in between. */
	cr_expect_eq(count_why(KEEP_STAYS), 5 + 9 + 3, "%zu", count_why(KEEP_STAYS));
	cr_expect_eq(why[52], KEEP_STAYS, "520 s, the first after 512");
}

Test(keep_choose, thinning_again_and_again_leaves_the_same_as_once)
{
	size_t gone = 0;

	limits.loop_first = 5;
	for (unsigned int i = 0; i < 3000; i++) {
		size_t count = 0;

		add_to_loop(10 * i, 77, 0, i + 1);
		choose(10 * i);
		for (size_t k = 0; k < index_.count; k++) {
			gone += why[k] != KEEP_STAYS;
			if (why[k] == KEEP_STAYS)
				dumps[count++] = dumps[k];
		}
		index_.count = count;
	}
	cr_expect_eq(index_.count, 17, "%zu", index_.count);
	cr_expect_eq(gone, 3000 - 17);
}

Test(keep_choose, loops_are_thinned_each_for_itself_and_others_never)
{
	limits.loop_first = 2;
	for (unsigned int i = 0; i < 40; i++) {
		add_to_loop(10 * i, 1, 0, i + 1);
		add_to_loop(10 * i, 2, 0, i + 1);
		add(10 * i, "loop", 0, 1);
		add_to_loop(10 * i, 1, 5, 1 + i % 2); /* another time of the same */
	}
	choose(1000);
	for (size_t i = 0; i < index_.count; i++)
		if (!dumps[i].summary.loop_count)
			cr_expect_eq(why[i], KEEP_STAYS);
	cr_expect_eq(why[158] == KEEP_STAYS, true);
	for (size_t i = 3; i < index_.count; i += 4)
		cr_expect_eq(why[i], KEEP_STAYS, "only its first ones were dumped");
	limits.loop_first = 0;
	cr_expect_eq(choose(1000), 0);
}

/* ---- what is not even written ----------------------------------------------------------- */

static struct keep_loops loops;

static bool die(uint64_t ms, uint64_t started_ms, uint64_t key, struct keep_place *ret_place)
{
	const struct keep_death death = {
		.key = key,
		.started_ns = START + started_ms * 1000000,
		.died_ns = START + ms * 1000000,
	};

	return keep_loops_admit(&loops, 5, &death, ret_place);
}

Test(keep_choose, a_loop_is_written_five_times_and_then_every_minute_at_most)
{
	struct keep_place place = {0};
	unsigned int written = 0, news = 0;
	uint64_t last_ms = 0, longest_ms = 0;

	memset(&loops, 0, sizeof(loops));
	for (uint64_t ms = 1000; ms <= 3600000; ms += 100) {
		if (die(ms, ms - 50, 9, &place)) {
			written++;
			longest_ms = ms - last_ms > longest_ms ? ms - last_ms : longest_ms;
			last_ms = ms;
		}
		news += place.is_new;
		cr_assert_eq(place.count, ms / 100 - 9, "each is counted");
	}
	cr_expect_eq(news, 1, "it is said once");
	cr_expect_leq(longest_ms, 60000);
	cr_expect(written > 60 && written < 75, "%u", written);
}

Test(keep_choose, who_dies_seldom_is_in_no_loop)
{
	struct keep_place place;

	memset(&loops, 0, sizeof(loops));
	for (uint64_t i = 1; i < 100; i++) {
		cr_assert(die(i * KEEP_LOOP_OVER_MS, i * KEEP_LOOP_OVER_MS - 1, 9, &place));
		cr_assert_eq(place.count, 1);
	}
}

Test(keep_choose, a_hundred_workers_killed_at_once_are_no_loop)
{
	struct keep_place place;

	memset(&loops, 0, sizeof(loops));
	for (unsigned int i = 0; i < 100; i++) {
		cr_assert(die(5000 + i, 1000 + i, 9, &place), "worker %u", i);
		cr_assert_eq(place.count, !i);
	}
}

Test(keep_choose, different_deaths_do_not_count_as_one)
{
	struct keep_place place;

	memset(&loops, 0, sizeof(loops));
	for (unsigned int i = 0; i < 10 * KEEP_LOOPS_MAX; i++)
		cr_assert(die(1000 + i, 999 + i, 1 + i, &place));
	/* The table is bounded; what fell out begins anew. */
	cr_expect(die(9000, 8999, 1, &place));
	cr_expect_eq(place.count, 1);
}

Test(keep_choose, a_clock_that_was_set_back_stops_nothing)
{
	struct keep_place place;

	memset(&loops, 0, sizeof(loops));
	for (unsigned int i = 0; i < 5; i++)
		cr_assert(die(10000000 + 100 * i, 9999999 + 100 * i, 9, &place));
	cr_expect(die(5000, 10000450, 9, &place));
}

Test(keep_choose, a_loop_goes_on_where_the_recorder_was_started_again)
{
	struct keep_place place = {.key = 9, .since_ns = START, .count = 40};

	memset(&loops, 0, sizeof(loops));
	keep_loops_remember(&loops, &place, START + 10 * SECOND);
	place.count = 39; /* the folder is read in any order */
	keep_loops_remember(&loops, &place, START + 9 * SECOND);
	cr_expect_not(die(10100, 10050, 9, &place));
	cr_expect_eq(place.count, 41);
	cr_expect(die(11500, 11400, 9, &place));
	cr_expect_eq(place.count, 42);
	cr_expect_eq(place.since_ns, START);
}

/* Last night's was longer, and is over; today's of the same kind is not. */
Test(keep_choose, of_two_loops_of_one_kind_the_newer_goes_on)
{
	const struct keep_place night = {.key = 9, .since_ns = START, .count = 3000};
	const uint64_t today_ns = START + 3600 * SECOND;
	const struct keep_place today = {.key = 9, .since_ns = today_ns, .count = 6};
	struct keep_place place;

	for (int newer_first = 0; newer_first < 2; newer_first++) {
		memset(&loops, 0, sizeof(loops));
		if (newer_first)
			keep_loops_remember(&loops, &today, today_ns + SECOND);
		keep_loops_remember(&loops, &night, START + 60 * SECOND);
		if (!newer_first)
			keep_loops_remember(&loops, &today, today_ns + SECOND);
		cr_expect_not(die(3601500, 3601400, 9, &place));
		cr_expect_eq(place.count, 7);
		cr_expect_eq(place.since_ns, today_ns);
	}
}

Test(keep_choose, no_limit_on_loops_means_none)
{
	const struct keep_death death = {.key = 9, .started_ns = START + 1, .died_ns = START + 2};
	struct keep_place place;

	memset(&loops, 0, sizeof(loops));
	for (unsigned int i = 0; i < 1000; i++) {
		cr_assert(keep_loops_admit(&loops, 0, &death, &place));
		cr_assert_eq(place.count, 0);
	}
}
