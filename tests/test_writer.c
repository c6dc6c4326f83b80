/* SPDX-License-Identifier: MIT */
/* test_writer.c - threads by the thousand, and every way in which they end. */
#include "lib/writer.h"

#include <pthread.h>
#include <semaphore.h>

#include "lib/clock.h"
#include "tests/own_region.h"

static void number(uint64_t n)
{
	ttlog_info("numbered", "n", n);
}

static void noise(uint64_t count)
{
	for (uint64_t i = 0; i < count; i++)
		ttlog_debug("noise", "i", i);
}

static pthread_t start(void *(*run)(void *), void *argument)
{
	pthread_attr_t attributes;
	pthread_t thread;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, 128 << 10);
	cr_assert_eq(pthread_create(&thread, &attributes, run, argument), 0);
	pthread_attr_destroy(&attributes);
	return thread;
}

/* ---- many -------------------------------------------------------------------------------------
 */

#define MANY 1024
#define EACH 50

static pthread_barrier_t all_recorded, all_checked;

static void *one_of_many(void *argument)
{
	for (uint64_t i = 0; i < EACH; i++)
		ttlog_info("many", "who", (uint64_t)(uintptr_t)argument, "n", i);
	pthread_barrier_wait(&all_recorded);
	pthread_barrier_wait(&all_checked);
	return NULL;
}

/* How many of the many have all their events, in order. */
static uint32_t whole_threads(void)
{
	static uint64_t next[MANY];
	struct ttlog_reader *reader = view();
	struct ttlog_reader_event event;
	uint32_t whole = 0;

	memset(next, 0, sizeof(next));
	while (next_of(reader, "many", &event))
		next[event.value[0].bits] += event.value[1].bits == next[event.value[0].bits];
	ttlog_reader_close(reader);
	for (uint32_t i = 0; i < MANY; i++)
		whole += next[i] == EACH;
	return whole;
}

Test(writer, a_thousand_threads_have_all_their_events_whoever_else_is_chatty)
{
	static pthread_t thread[MANY];

	begin(16 << 20);
	pthread_barrier_init(&all_recorded, NULL, MANY + 1);
	pthread_barrier_init(&all_checked, NULL, MANY + 1);
	for (uintptr_t i = 0; i < MANY; i++)
		thread[i] = start(one_of_many, (void *)i);
	pthread_barrier_wait(&all_recorded);
	cr_expect_eq(whole_threads(), MANY);
	noise(2000000);
	cr_expect_eq(whole_threads(), MANY);
	cr_expect_eq(totals_now().dropped, 0);
	pthread_barrier_wait(&all_checked);
	for (int i = 0; i < MANY; i++)
		pthread_join(thread[i], NULL);
}

Test(writer, each_thread_is_known_by_its_id_and_name)
{
	struct ttlog_reader *reader;
	const struct ttlog_reader_thread *thread;

	begin(0);
	pthread_setname_np(pthread_self(), "by this name");
	number(0);
	reader = view();
	cr_assert_eq(ttlog_reader_thread_count(reader), 1);
	thread = ttlog_reader_thread(reader, 0);
	cr_expect_eq(thread->tid, (uint32_t)syscall(SYS_gettid));
	cr_expect_str_eq(thread->name, "by this name");
	ttlog_reader_close(reader);
}

/* ---- ends -------------------------------------------------------------------------------------
 */

static void *short_life(void *argument)
{
	for (uint64_t i = 0; i < 3; i++)
		number((uintptr_t)argument * 3 + i);
	return NULL;
}

Test(writer, ten_thousand_short_threads_lose_nothing_uncounted)
{
	struct ttlog_reader_totals totals;

	begin(1 << 20);
	for (uintptr_t i = 0; i < 10000; i++)
		pthread_join(start(short_life, (void *)i), NULL);
	totals = totals_now();
	cr_expect_eq(totals.events + totals.overwritten, 30000);
	cr_expect_eq(totals.dropped, 0);
	cr_expect_eq(numbered_now("numbered").last, 29999);
	/* Writers are used again: one segment served them all. */
	cr_expect_null(*(void **)atomic_load(&ttlog_life()->segments));
}

/*
 * ASan keeps books of its own on threads, and does not survive that one ends without unwinding.
 */
#ifndef __SANITIZE_ADDRESS__
static void *raw_exit(void *argument)
{
	number((uintptr_t)argument);
	/* No destructor runs: the chunk stays OWNED, the writer taken. */
	syscall(SYS_exit, 0);
	return NULL;
}

static sem_t has_recorded;

static void *stay(void *argument)
{
	number((uintptr_t)argument);
	sem_post(&has_recorded);
	pthread_barrier_wait(&all_checked);
	return NULL;
}

#define STAYING 120

Test(writer, chunks_of_threads_that_vanished_are_found_all_at_once)
{
	struct ttlog_reader_totals totals;
	pthread_t thread[STAYING];

	begin(1 << 20);
	cr_assert_gt(ttlog_place_.geometry.lane[TTLOG_LANE_MAIN].chunk_count, STAYING + 10);
	for (uintptr_t i = 0; i < 1000; i++)
		pthread_join(start(raw_exit, (void *)i), NULL);
	totals = totals_now();
	cr_expect_eq(totals.events + totals.overwritten, 1000);
	cr_expect_eq(totals.dropped, 0);
	sem_init(&has_recorded, 0, 0);
	pthread_barrier_init(&all_checked, NULL, STAYING + 1);
	/* One after the other: who finds no chunk while another searches may drop its event. */
	for (uintptr_t i = 0; i < STAYING; i++) {
		thread[i] = start(stay, (void *)(1000 + i));
		sem_wait(&has_recorded);
	}
	totals = totals_now();
	cr_expect_eq(totals.dropped, 0);
	cr_expect_eq(totals.events + totals.overwritten, 1000 + STAYING);
	pthread_barrier_wait(&all_checked);
	for (int i = 0; i < STAYING; i++)
		pthread_join(thread[i], NULL);
}

#endif /* __SANITIZE_ADDRESS__ */

/* ---- destructors ------------------------------------------------------------------------------
 */

static pthread_key_t late_key;

static void late(void *argument)
{
	uint64_t rounds = (uintptr_t)argument;

	ttlog_info("late", "round", rounds);
	if (rounds > 1)
		pthread_setspecific(late_key, (void *)(uintptr_t)(rounds - 1));
}

static void *with_destructors(void *argument)
{
	pthread_setspecific(late_key, argument);
	number(0);
	return NULL;
}

Test(writer, destructors_that_record_are_recorded_in_every_round)
{
	struct ttlog_reader_totals totals;

	begin(1 << 20);
	cr_assert_eq(pthread_key_create(&late_key, late), 0);
	for (int i = 0; i < 1000; i++)
		pthread_join(start(with_destructors, (void *)(uintptr_t)4), NULL);
	totals = totals_now();
	cr_expect_eq(totals.dropped, 0);
	cr_expect_eq(totals.events + totals.overwritten, 5000);
	cr_expect_gt(numbered_now("late").count, 0);
}

#ifndef __SANITIZE_ADDRESS__
/* ---- cancellation -----------------------------------------------------------------------------
 */

#define VICTIMS 300
#define VICTIM_CALLS 15000

static struct victim {
	_Atomic uint64_t calls, returns;
	sem_t started;
} victim[VICTIMS];

static void *cancelled(void *argument)
{
	struct victim *self = argument;

	pthread_setcanceltype(
		(self - victim) & 1 ? PTHREAD_CANCEL_ASYNCHRONOUS : PTHREAD_CANCEL_DEFERRED, NULL);
	for (;;) {
		/* Who cancels may not run for a second: the region holds what all of them record. */
		if (atomic_load_explicit(&self->calls, memory_order_relaxed) == VICTIM_CALLS) {
			pthread_testcancel();
			continue;
		}
		atomic_fetch_add_explicit(&self->calls, 1, memory_order_relaxed);
		ttlog_info("victim", "who", (uint32_t)(self - victim), "n", self->calls);
		atomic_fetch_add_explicit(&self->returns, 1, memory_order_relaxed);
		if (self->calls % 10 == 0)
			ttlog_error("victim's alert", "n", self->calls);
		if (self->calls == 5)
			sem_post(&self->started);
		pthread_testcancel();
	}
	return NULL;
}

Test(writer, threads_that_are_cancelled_while_they_record_lose_no_event_that_was_recorded)
{
	static uint64_t seen[VICTIMS];
	struct ttlog_reader_event event;
	struct ttlog_reader *reader;
	struct ttlog_reader_totals totals;
	void *result;

	begin(256 << 20);
	for (int i = 0; i < VICTIMS; i++) {
		pthread_t thread;
		uint64_t then;

		sem_init(&victim[i].started, 0, 0);
		thread = start(cancelled, &victim[i]);
		sem_wait(&victim[i].started);
		then = ttlog_clock_ticks(ttlog_clock_source());
		while (ttlog_clock_ticks(ttlog_clock_source()) - then < (uint64_t)i * 1000)
			;
		pthread_cancel(thread);
		pthread_join(thread, &result);
		cr_assert_eq(result, PTHREAD_CANCELED);
	}
	reader = view();
	ttlog_reader_totals(reader, &totals);
	cr_expect_eq(totals.torn, 0);
	cr_expect_eq(totals.dropped, 0);
	cr_expect_eq(totals.overwritten, lane_now(TTLOG_LANE_ALERT).overwritten);
	while (next_of(reader, "victim", &event))
		cr_expect_eq(event.value[1].bits, ++seen[event.value[0].bits]);
	for (int i = 0; i < VICTIMS; i++)
		cr_expect(seen[i] >= victim[i].returns && seen[i] <= victim[i].calls,
			  "%d: %" PRIu64 " of %" PRIu64, i, seen[i], victim[i].calls);
	ttlog_reader_close(reader);
	number(0);
	cr_expect_eq(numbered_now("numbered").count, 1);
}

static void clean_up(void *argument)
{
	ttlog_info("clean-up", "n", (uint64_t)(uintptr_t)argument);
}

static void *cancelled_with_clean_up(void *argument)
{
	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
	pthread_cleanup_push(clean_up, argument);
	sem_post(&victim[0].started);
	noise(UINT64_MAX);
	pthread_cleanup_pop(0);
	return NULL;
}

Test(writer, a_cancelled_threads_clean_up_is_recorded)
{
	begin(1 << 20);
	sem_init(&victim[0].started, 0, 0);
	for (uintptr_t i = 0; i < 60; i++) {
		pthread_t thread = start(cancelled_with_clean_up, (void *)i);

		sem_wait(&victim[0].started);
		pthread_cancel(thread);
		pthread_join(thread, NULL);
		cr_assert_eq(numbered_now("clean-up").last, i);
	}
	cr_expect_eq(totals_now().torn, 0);
}

#endif /* __SANITIZE_ADDRESS__ */
