/* SPDX-License-Identifier: MIT */
/* Sources and timers, and above all: what a callback may do to the loop that calls it. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "recorder/loop.h"

#define PAIRS 8

static struct loop *loop;

static void open_loop(void)
{
	cr_assert_eq(loop_open(&loop), 0);
}

static void close_loop(void)
{
	loop_close(loop);
}

TestSuite(loop, .init = open_loop, .fini = close_loop, .timeout = 120);

struct ear {
	int fd;
	unsigned int heard;
	uint32_t events;
	struct loop_source *source;
	struct ear *victim; /* removed when this one hears */
};

static void hear(void *context, uint32_t events)
{
	struct ear *ear = context;

	ear->heard++;
	ear->events = events;
	if (ear->victim) {
		loop_remove(ear->victim->source);
		ear->victim->source = NULL;
	}
}

static void add(struct ear *ear)
{
	ear->fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK); /* readable from the start */
	cr_assert_geq(ear->fd, 0);
	cr_assert_eq(loop_add(loop, ear->fd, EPOLLIN, hear, ear, &ear->source), 0);
}

Test(loop, calls_what_is_ready_and_nothing_else)
{
	struct ear ready = {0}, quiet = {0};
	uint64_t count;

	add(&ready);
	add(&quiet);
	cr_assert_eq(read(quiet.fd, &count, sizeof(count)), 8);
	cr_assert_eq(loop_once(loop, -1), 0);
	cr_assert_eq(ready.heard, 1);
	cr_assert_eq(ready.events, EPOLLIN);
	cr_assert_eq(quiet.heard, 0);
	close(ready.fd);
	close(quiet.fd);
}

/* All are ready in one batch; the first that is called removes all others. */
Test(loop, never_calls_a_source_that_an_earlier_callback_removed)
{
	struct ear a = {0}, b = {0};

	a.victim = &b;
	b.victim = &a;
	add(&a);
	add(&b);
	cr_assert_eq(loop_once(loop, -1), 0);
	cr_assert_eq(a.heard + b.heard, 1);
	cr_assert_eq(loop_once(loop, 0), 0);
	cr_assert_eq(a.heard + b.heard, 2, "the other one goes on");
	close(a.fd);
	close(b.fd);
}

Test(loop, lets_a_source_remove_itself)
{
	struct ear ear = {0};

	ear.victim = &ear;
	add(&ear);
	cr_assert_eq(loop_once(loop, -1), 0);
	cr_assert_eq(loop_once(loop, 0), 0);
	cr_assert_eq(ear.heard, 1);
	loop_remove(NULL);
	close(ear.fd);
}

/* The memory of a removed source must not be given to a new one while the batch can still name it.
 */
static struct ear newcomers[PAIRS];

static void replace(void *context, uint32_t events)
{
	struct ear *ear = context;

	(void)events;
	ear->heard++;
	for (int i = 0; i < PAIRS; i++) {
		loop_remove(ear[i].source);
		ear[i].source = NULL;
		add(&newcomers[i]);
	}
}

Test(loop, keeps_newcomers_apart_from_the_removed)
{
	struct ear ears[PAIRS] = {0};
	unsigned int heard = 0;

	for (int i = 0; i < PAIRS; i++) {
		ears[i].fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
		cr_assert_eq(loop_add(loop, ears[i].fd, EPOLLIN, i ? hear : replace, &ears[i],
				      &ears[i].source),
			     0);
	}
	cr_assert_eq(loop_once(loop, -1), 0);
	for (int i = 0; i < PAIRS; i++)
		heard += newcomers[i].heard;
	cr_assert_eq(heard, 0, "they were added during the batch");
	cr_assert_eq(loop_once(loop, -1), 0);
	for (int i = 0; i < PAIRS; i++) {
		cr_assert_eq(newcomers[i].heard, 1);
		close(newcomers[i].fd);
		close(ears[i].fd);
	}
}

Test(loop, changes_what_a_source_waits_for)
{
	struct ear ear = {0};

	add(&ear);
	cr_assert_eq(loop_modify(ear.source, 0), 0);
	cr_assert_eq(loop_once(loop, 0), 0);
	cr_assert_eq(ear.heard, 0);
	cr_assert_eq(loop_modify(ear.source, EPOLLIN), 0);
	cr_assert_eq(loop_once(loop, -1), 0);
	cr_assert_eq(ear.heard, 1);
	close(ear.fd);
}

Test(loop, says_what_is_wrong_with_a_descriptor)
{
	struct loop_source *source = NULL;

	cr_assert_eq(loop_add(loop, 9999, EPOLLIN, hear, NULL, &source), -EBADF);
	cr_assert_null(source);
}

/* ---- timers ---- */

static char order[16];

static void note(void *context)
{
	strncat(order, context, 1);
}

static void note_and_stop(void *context)
{
	note(context);
	loop_stop(loop);
}

Test(loop, fires_timers_in_the_order_of_their_deadlines)
{
	struct loop_timer a = {0}, b = {0}, c = {0}, moved = {0}, cleared = {0};

	loop_timer_set(loop, &moved, 1, note, "m");
	loop_timer_set(loop, &c, 30, note, "c");
	loop_timer_set(loop, &a, 10, note, "a");
	loop_timer_set(loop, &cleared, 15, note, "x");
	loop_timer_set(loop, &b, 20, note, "b");
	loop_timer_set(loop, &moved, 40, note_and_stop, "m");
	loop_timer_clear(&cleared);
	loop_timer_clear(&cleared);
	cr_assert(!loop_timer_armed(&cleared));
	cr_assert(loop_timer_armed(&a));
	cr_assert_eq(loop_run(loop), 0);
	cr_assert_str_eq(order, "abcm");
	cr_assert(!loop_timer_armed(&a));
}

Test(loop, fires_a_timer_once_and_not_before_its_time)
{
	struct loop_timer timer = {0};
	struct timespec before, after;
	int64_t elapsed_ms;

	clock_gettime(CLOCK_MONOTONIC, &before);
	loop_timer_set(loop, &timer, 25, note_and_stop, "t");
	cr_assert_eq(loop_run(loop), 0);
	clock_gettime(CLOCK_MONOTONIC, &after);
	elapsed_ms = (after.tv_sec - before.tv_sec) * 1000 +
		     (after.tv_nsec - before.tv_nsec) / 1000000;
	cr_assert_geq(elapsed_ms, 25);
	cr_assert_eq(loop_once(loop, 0), 0);
	cr_assert_str_eq(order, "t");
}

static struct loop_timer again, other;
static unsigned int rounds;

static void rearm(void *context)
{
	(void)context;
	loop_timer_clear(&other); /* due in the same moment */
	if (++rounds == 5)
		loop_stop(loop);
	else
		loop_timer_set(loop, &again, 0, rearm, NULL);
}

Test(loop, lets_a_timer_set_itself_and_clear_others)
{
	struct ear ear = {0};

	add(&ear);
	loop_timer_set(loop, &again, 1, rearm, NULL);
	loop_timer_set(loop, &other, 1, note, "x");
	cr_assert_eq(loop_run(loop), 0);
	cr_assert_eq(rounds, 5);
	cr_assert_str_eq(order, "");
	cr_assert_geq(ear.heard, 5, "a timer that sets itself must not starve the descriptors");
	close(ear.fd);
}

Test(loop, waits_no_longer_than_asked)
{
	struct loop_timer timer = {0};

	loop_timer_set(loop, &timer, 60000, note, "x");
	cr_assert_eq(loop_once(loop, 1), 0);
	cr_assert_str_eq(order, "");
	loop_timer_clear(&timer);
}

Test(loop, closes_with_sources_and_timers_in_it)
{
	struct loop *small;
	struct loop_source *source;
	struct loop_timer timer = {0};
	const int fd = eventfd(0, EFD_CLOEXEC);

	cr_assert_eq(loop_open(&small), 0);
	cr_assert_eq(loop_add(small, fd, EPOLLIN, hear, NULL, &source), 0);
	loop_timer_set(small, &timer, 1, note, "x");
	loop_close(small);
	cr_assert(!loop_timer_armed(&timer));
	loop_close(NULL);
	close(fd);
}
