/* SPDX-License-Identifier: MIT */
/* test_calibration.c - the clocks are read when it is of use, and not otherwise. */
#include "recorder/calibration.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/timex.h>
#include <time.h>

#define WAIT_NS (60 * UINT64_C(1000000000)) /* for what must happen soon */

static struct loop *loop;
static struct calibration *calibration;
static struct timeline timeline;

static void begin(void)
{
	cr_assert_eq(loop_open(&loop), 0);
	cr_assert_eq(calibration_open(&calibration, loop), 0);
}

static void end(void)
{
	calibration_close(calibration);
	loop_close(loop);
}

TestSuite(calibration, .init = begin, .fini = end, .timeout = 120);

static uint64_t now_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

/* Readings so far, without the one of now. */
static uint32_t count(void)
{
	calibration_copy(calibration, &timeline);
	return timeline.count - 1;
}

static void run_for(uint64_t ms)
{
	const uint64_t stop_ns = now_ns(CLOCK_MONOTONIC) + ms * 1000000;

	while (now_ns(CLOCK_MONOTONIC) < stop_ns)
		cr_assert_eq(loop_once(loop, (int)ms / 10 + 1), 0);
}

Test(calibration, goes_while_there_are_clients)
{
	uint32_t before;
	uint64_t start_ns;

	run_for(300);
	cr_expect_eq(count(), 0, "nobody is there");
	start_ns = now_ns(CLOCK_MONOTONIC);
	calibration_begin(calibration);
	cr_expect_eq(count(), 1, "at once");
	calibration_begin(calibration);
	calibration_end(calibration);
	before = count();
	cr_expect_leq(before, 2, "who comes just behind needs no other");
	run_for(400);
	cr_expect_gt(count(), before, "after 250 ms");
	/* Unless this took as long as it is to the one after that. */
	cr_expect(count() == before + 1 || now_ns(CLOCK_MONOTONIC) - start_ns > 1000000000);
	calibration_end(calibration);
	before = count();
	run_for(1200);
	cr_expect_eq(count(), before, "nobody is there any more");
	calibration_begin(calibration);
	cr_expect_eq(count(), before + 1);
	calibration_end(calibration);
}

Test(calibration, converts_to_the_microsecond)
{
	const enum ttlog_clock_source source = ttlog_clock_source();
	struct ttlog_clock_line line;
	struct beside {
		uint64_t monotonic, realtime, ticks, realtime_behind, monotonic_behind;
	} beside[100];

	calibration_begin(calibration);
	for (unsigned int i = 0; i < 100; i++) {
		beside[i].monotonic = now_ns(CLOCK_MONOTONIC);
		beside[i].realtime = now_ns(CLOCK_REALTIME);
		beside[i].ticks = ttlog_clock_ticks(source);
		beside[i].realtime_behind = now_ns(CLOCK_REALTIME);
		beside[i].monotonic_behind = now_ns(CLOCK_MONOTONIC);
		run_for(15);
	}
	calibration_copy(calibration, &timeline);
	line = timeline_line(&timeline, source);
	for (unsigned int i = 0; i < 100; i++) {
		const uint64_t monotonic =
			(uint64_t)ttlog_clock_monotonic_ns(&line, beside[i].ticks);
		const uint64_t realtime = (uint64_t)ttlog_clock_realtime_ns(&line, beside[i].ticks);

		cr_expect(monotonic + 1000 >= beside[i].monotonic);
		cr_expect(monotonic <= beside[i].monotonic_behind + 1000);
		cr_expect(realtime + 1000 >= beside[i].realtime);
		cr_expect(realtime <= beside[i].realtime_behind + 1000);
	}
	calibration_end(calibration);
}

static int shift_wall_clock(long ns)
{
	struct timex shift = {
		.modes = ADJ_SETOFFSET | ADJ_NANO,
		.time = {.tv_sec = ns < 0 ? -1 : 0, .tv_usec = ns < 0 ? 1000000000 + ns : ns},
	};

	return adjtimex(&shift) < 0 ? -errno : 0;
}

/* The machine's wall clock goes a nanosecond forward, and back again. */
Test(calibration, sees_at_once_that_the_wall_clock_was_set)
{
	const uint64_t give_up_ns = now_ns(CLOCK_MONOTONIC) + WAIT_NS;

	cr_assert_eq(calibration_watch_sets(calibration), 0);
	for (uint32_t i = 0; i < 2; i++) {
		const uint32_t before = count();
		const int err = shift_wall_clock(i ? -1 : 1);

		if (err == -EPERM)
			cr_skip("setting the clock takes CAP_SYS_TIME");
		cr_assert_eq(err, 0);
		/* There are no clients: nothing else reads it. */
		while (count() == before && now_ns(CLOCK_MONOTONIC) < give_up_ns)
			cr_assert_eq(loop_once(loop, 1000), 0);
		cr_expect_gt(count(), before);
	}
}

static void *take_copies(void *argument)
{
	struct timeline *mine = malloc(sizeof(*mine));

	for (int i = 0; i < 2000; i++) {
		calibration_copy(calibration, mine);
		for (uint32_t k = 1; k < mine->count; k++)
			if (mine->point[k].ticks <= mine->point[k - 1].ticks)
				*(int *)argument += 1;
	}
	free(mine);
	return NULL;
}

Test(calibration, workers_take_copies_while_it_goes)
{
	pthread_t worker[2];
	int wrong[2] = {0};

	for (int i = 0; i < 2; i++)
		cr_assert_eq(pthread_create(&worker[i], NULL, take_copies, &wrong[i]), 0);
	for (int i = 0; i < 200; i++) {
		calibration_begin(calibration);
		run_for(1);
		calibration_end(calibration);
	}
	for (int i = 0; i < 2; i++) {
		pthread_join(worker[i], NULL);
		cr_expect_eq(wrong[i], 0);
	}
}
