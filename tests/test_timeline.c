/* SPDX-License-Identifier: MIT */
/*
 * test_timeline.c - clocks that are steered, set and stopped, as the readings show them.
 *
 * The clock here is a function of the ticks, so that every conversion can be held against the truth,
 * and against the error that the timeline states itself.
 */
#include "recorder/timeline.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#define HZ UINT64_C(2500000000)
#define S UINT64_C(1000000000)
#define START_TICKS (1000 * HZ)
#define START_NS (1000 * S)
#define WALL (UINT64_C(1700000000) * S)
#define WIDTH_TICKS 250 /* 100 ns */
#define BENDS_MAX 4096

/* The speed from a moment on, against the counter's nominal one. */
static struct bend {
	uint64_t ticks, ns;
	double ppm;
} bends[BENDS_MAX];
static uint32_t bend_count;
static struct timeline timeline;

static double ns_after(const struct bend *bend, uint64_t ticks)
{
	return (double)(int64_t)(ticks - bend->ticks) * ((double)S / (double)HZ) * (1 + bend->ppm * 1e-6);
}

static uint64_t true_ns(uint64_t ticks)
{
	uint32_t i = bend_count;

	while (i > 1 && bends[i - 1].ticks > ticks)
		i--;
	return bends[i - 1].ns + (uint64_t)(int64_t)ns_after(&bends[i - 1], ticks);
}

static void steer(uint64_t ticks, double ppm)
{
	cr_assert_lt(bend_count, BENDS_MAX);
	bends[bend_count] = (struct bend){ticks, true_ns(ticks), ppm};
	bend_count++;
}

static void begin(double ppm)
{
	bends[0] = (struct bend){START_TICKS, START_NS, ppm};
	bend_count = 1;
	srand(1);
	timeline_init(&timeline, TTLOG_CLOCK_TSC, HZ);
}

/* A reading as it comes out: up to 40 ns off, the wall clock too. */
static uint64_t read_at(uint64_t ticks, int64_t wall_offset_ns)
{
	struct ttlog_clock_point point = {
		.ticks = ticks,
		.monotonic_ns = true_ns(ticks) + (uint64_t)(rand() % 81) - 40,
	};

	point.realtime_ns = point.monotonic_ns + WALL + (uint64_t)wall_offset_ns +
			    (uint64_t)(rand() % 81) - 40;
	return timeline_add(&timeline, &point, WIDTH_TICKS);
}

/* The greatest error of conversions between two moments, in ns; time must never go back. */
static uint64_t worst_ns(uint64_t first, uint64_t last, unsigned int steps)
{
	const struct ttlog_clock_line line = timeline_line(&timeline, TTLOG_CLOCK_TSC);
	uint64_t worst = 0;
	int64_t before = 0;

	for (unsigned int i = 0; i <= steps; i++) {
		const uint64_t ticks = first + (last - first) / steps * i;
		const int64_t ns = ttlog_clock_monotonic_ns(&line, ticks);
		const uint64_t error = (uint64_t)llabs(ns - (int64_t)true_ns(ticks));

		cr_assert_geq(ns, before);
		before = ns;
		if (error > worst)
			worst = error;
	}
	return worst;
}

static uint64_t stated_ns(uint64_t first, uint64_t last)
{
	return timeline_error_ns(&timeline, TTLOG_CLOCK_TSC, first, last);
}

Test(timeline, a_steady_clock_is_right_to_the_reading_for_a_day)
{
	const uint64_t end = START_TICKS + 86400 * HZ;

	begin(-37.5);
	for (uint64_t ticks = START_TICKS; ticks <= end; ticks += 64 * HZ)
		cr_assert_eq(read_at(ticks, 0), 0, "nobody steers");
	cr_assert_leq(timeline.count, TIMELINE_POINTS_MAX);
	cr_assert_lt(worst_ns(START_TICKS, end, 100003), 200);
	cr_assert_lt(stated_ns(START_TICKS, end), 400);
	cr_assert_leq(worst_ns(START_TICKS, end, 100003), stated_ns(START_TICKS, end));
}

Test(timeline, a_settled_time_daemon_keeps_it_within_a_microsecond)
{
	const uint64_t end = START_TICKS + 12 * 3600 * HZ;
	double ppm = 12;

	begin(ppm);
	/* It changes the speed whenever it likes, by up to 0.03 ppm. */
	for (uint64_t ticks = START_TICKS + 29 * HZ; ticks < end; ticks += 71 * HZ) {
		ppm += (rand() % 61 - 30) * 0.001;
		steer(ticks, ppm);
	}
	for (uint64_t ticks = START_TICKS; ticks <= end; ticks += 64 * HZ)
		read_at(ticks, 0);
	cr_assert_lt(worst_ns(START_TICKS, end, 100003), 1000);
	cr_assert_leq(worst_ns(START_TICKS, end, 100003), stated_ns(START_TICKS, end));
}

Test(timeline, one_line_through_two_points_would_be_far_off)
{
	const uint64_t end = START_TICKS + 3600 * HZ;
	struct timeline two;

	begin(10);
	steer(START_TICKS + 1800 * HZ, 11);
	for (uint64_t ticks = START_TICKS; ticks <= end; ticks += 64 * HZ)
		read_at(ticks, 0);
	cr_assert_lt(worst_ns(START_TICKS, end, 1009), 17000, "1 ppm in a quarter of 64 s");
	two = timeline;
	timeline_init(&timeline, TTLOG_CLOCK_TSC, HZ);
	timeline_add(&timeline, &two.point[0], WIDTH_TICKS);
	timeline_add(&timeline, &two.point[two.count - 1], WIDTH_TICKS);
	cr_assert_gt(worst_ns(START_TICKS, end, 1009), 400000);
}

Test(timeline, a_slew_is_reported_and_is_in_the_stated_error)
{
	const uint64_t s = HZ;

	begin(0);
	for (uint64_t t = 0; t <= 256; t += 64)
		cr_assert_eq(read_at(START_TICKS + t * s, 0), 0);
	/* 10 s at 100 ppm, in the midst of a minute: there and back. */
	steer(START_TICKS + 270 * s, 100);
	steer(START_TICKS + 280 * s, 0);
	cr_assert_gt(read_at(START_TICKS + 320 * s, 0), 900000, "1 ms in all");
	for (uint64_t t = 384; t <= 640; t += 64)
		read_at(START_TICKS + t * s, 0);
	cr_assert_leq(worst_ns(START_TICKS + 256 * s, START_TICKS + 320 * s, 1009),
		      stated_ns(START_TICKS + 256 * s, START_TICKS + 320 * s));
	/* Two minutes later nothing of it is left. */
	cr_assert_lt(stated_ns(START_TICKS + 450 * s, START_TICKS + 640 * s), 500);
	cr_assert_lt(worst_ns(START_TICKS + 450 * s, START_TICKS + 640 * s, 1009), 500);
}

Test(timeline, what_it_states_holds_for_any_steering_and_any_length)
{
	uint64_t ticks = START_TICKS;

	begin(50);
	for (int i = 0; i < 4000; i++) {
		if (i % 3 == 0)
			steer(ticks + (uint64_t)(rand() % 1000) * HZ / 1000, rand() % 1000 - 500);
		read_at(ticks, 0);
		ticks += (uint64_t)(1 + rand() % 64) * HZ;
	}
	cr_assert_leq(timeline.count, TIMELINE_POINTS_MAX);
	cr_assert_eq(timeline.point[0].ticks, START_TICKS, "the oldest is kept");
	for (uint64_t first = START_TICKS; first + 1000 * HZ < ticks; first += 1000 * HZ) {
		const uint64_t stated = stated_ns(first, first + 1000 * HZ);
		const uint64_t worst = worst_ns(first, first + 1000 * HZ, 101);

		cr_assert_leq(worst, stated, "%lu > %lu", worst, stated);
	}
}

Test(timeline, what_was_thinned_out_is_in_the_stated_error)
{
	/* There and back every second: between readings that are far apart nothing of it is seen. */
	const uint64_t end = START_TICKS + 3000 * HZ;

	begin(0);
	for (uint64_t ticks = START_TICKS; ticks < end; ticks += HZ) {
		steer(ticks, ticks / HZ % 2 ? 2 : -2);
		read_at(ticks, 0);
	}
	for (uint32_t i = 1; i < timeline.count; i++) {
		const uint64_t first = timeline.point[i - 1].ticks + 1;
		const uint64_t last = timeline.point[i].ticks - 1;

		cr_assert_leq(worst_ns(first, last, 101), stated_ns(first, last));
	}
}

Test(timeline, outside_of_the_readings_it_says_less)
{
	begin(20);
	for (uint64_t t = 0; t <= 4; t++)
		read_at(START_TICKS + t * HZ, 0);
	cr_assert_leq(worst_ns(START_TICKS - 600 * HZ, START_TICKS, 1009),
		      stated_ns(START_TICKS - 600 * HZ, START_TICKS));
	cr_assert_gt(stated_ns(START_TICKS - 600 * HZ, START_TICKS), 10000);
	cr_assert_lt(stated_ns(START_TICKS, START_TICKS + 4 * HZ), 300);
	timeline_init(&timeline, TTLOG_CLOCK_TSC, HZ);
	cr_assert_eq(stated_ns(0, 1), UINT64_MAX, "no reading at all");
}

Test(timeline, noise_of_the_wall_clock_is_no_step)
{
	struct ttlog_clock_line line;
	int64_t before = 0;

	begin(1);
	for (uint64_t t = 0; t < 500; t++)
		read_at(START_TICKS + t * HZ, 0);
	line = timeline_line(&timeline, TTLOG_CLOCK_TSC);
	for (uint64_t t = 0; t < 5000; t++) {
		const int64_t ns = ttlog_clock_realtime_ns(&line, START_TICKS + t * (HZ / 10));

		cr_assert_gt(ns, before);
		before = ns;
	}
}

Test(timeline, a_step_of_the_wall_clock_leaves_the_past_as_it_was)
{
	const uint64_t step = START_TICKS + 100 * HZ;
	struct ttlog_clock_line line;

	begin(0);
	for (uint64_t t = 0; t < 100; t += 20)
		read_at(START_TICKS + t * HZ, 0);
	for (uint64_t t = 0; t < 2000; t += 20)
		read_at(step + t * HZ, -(int64_t)(3600 * S));
	/* Thinning must not take it away. */
	for (uint64_t t = 2000; t < 200000; t += 20)
		read_at(step + t * HZ, -(int64_t)(3600 * S));
	line = timeline_line(&timeline, TTLOG_CLOCK_TSC);
	cr_assert_leq(llabs(ttlog_clock_realtime_ns(&line, step - HZ) -
			    (int64_t)(true_ns(step - HZ) + WALL)), 200);
	cr_assert_leq(llabs(ttlog_clock_realtime_ns(&line, step + HZ) -
			    (int64_t)(true_ns(step + HZ) + WALL - 3600 * S)), 200);
}

Test(timeline, a_machine_that_slept_had_the_right_time_before)
{
	const uint64_t asleep = START_TICKS + 150 * HZ, awake = asleep + 8 * 3600 * HZ;

	begin(5);
	for (uint64_t t = 0; t <= 128; t += 32)
		read_at(START_TICKS + t * HZ, 0);
	/* The counter runs through it, the monotonic clock does not. */
	steer(asleep, -1000000);
	steer(awake, 5);
	read_at(awake + HZ / 1000, 8 * 3600 * (int64_t)S);
	for (uint64_t t = 32; t <= 128; t += 32)
		read_at(awake + t * HZ, 8 * 3600 * (int64_t)S);
	cr_assert_lt(worst_ns(START_TICKS, asleep, 1009), 1100, "but for the millisecond to wake up");
	cr_assert_lt(worst_ns(awake + HZ / 1000, awake + 128 * HZ, 1009), 500);
	cr_assert_leq(worst_ns(asleep, awake + HZ, 1009), 1000100);
}

Test(timeline, ticks_that_start_again_start_it_again)
{
	begin(0);
	for (uint64_t t = 0; t < 10; t++)
		read_at(START_TICKS + t * HZ, 0);
	bends[0] = (struct bend){0, START_NS + 20 * S, 0};
	read_at(HZ, 0);
	read_at(2 * HZ, 0);
	cr_assert_eq(timeline.restarts, 1);
	cr_assert_eq(timeline.count, 2);
	cr_assert_lt(worst_ns(HZ, 2 * HZ, 101), 200);
	/* Readings that say nothing change nothing. */
	timeline_add(&timeline, &timeline.point[1], WIDTH_TICKS);
	cr_assert_eq(timeline.count, 2);
}
