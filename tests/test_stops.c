/* SPDX-License-Identifier: MIT */
/*
 * test_stops.c - a chunk change in four jobs: what each leaves behind, and what is left when a
 * handler jumps out of it, behind any instruction.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdio.h>

#include "tests/interrupt.h"

static enum ttlog_stop at_stop;
static sigjmp_buf back;

/* One site, known before anything is looked at: the first event of a site goes the slow way. */
static __attribute__((noinline)) void record(uint64_t number)
{
	ttlog_info("outer", "n", number);
}

static void start(void)
{
	begin(1 << 20);
	record(0);
}

/* ---- what the jobs do -------------------------------------------------------------------------
 */

/* Chunks of a lane that are neither free nor retired. */
static uint32_t chunks_held(uint32_t id)
{
	const struct ttlog_lane_geometry *lane = &ttlog_place_.geometry.lane[id];
	const struct ttlog_chunk_record *record =
		(void *)(ttlog_place_.base + lane->records_offset);
	uint32_t held = 0;

	for (uint32_t i = 0; i < lane->chunk_count; i++) {
		unsigned int state = TTLOG_STATE_OF(atomic_load(&record[i].state));

		held += state != TTLOG_CHUNK_FREE && state != TTLOG_CHUNK_RETIRED;
	}
	return held;
}

Test(stops, a_chunk_is_given_back_when_the_next_one_has_an_event)
{
	start();
	fill_to(TTLOG_STOP_SWAP);
	cr_expect_eq(chunks_held(TTLOG_LANE_MAIN), 2, "the chunk and its spare");
	cr_expect_null(my_thread()->full.chunk);
	record(1);
	cr_expect_not_null(my_thread()->full.chunk);
	cr_expect_eq(chunks_held(TTLOG_LANE_MAIN), 2, "the chunk and the one before");
	record(2);
	cr_expect_null(my_thread()->full.chunk);
	cr_expect_eq(chunks_held(TTLOG_LANE_MAIN), 1);
}

Test(stops, a_spare_is_made_ahead_and_serves_when_frozen)
{
	uint64_t hand;
	struct ttlog_chunk *spare;

	start();
	fill_to(TTLOG_STOP_SWAP);
	spare = my_thread()->spare.chunk;
	cr_assert_not_null(spare);
	hand = atomic_load(&ttlog_process_ledger()->lane[TTLOG_LANE_MAIN].hand);
	ttlog_place_.control->freeze = 1;
	record(1);
	cr_expect_eq((void *)ttlog_writer_->chunk, spare);
	cr_expect_eq(atomic_load(&ttlog_process_ledger()->lane[TTLOG_LANE_MAIN].hand), hand);
}

Test(stops, nothing_is_made_ahead_when_frozen)
{
	start();
	fill_to(TTLOG_STOP_PREPARE);
	ttlog_place_.control->freeze = 1;
	while (my_thread()->stop != TTLOG_STOP_SWAP)
		ttlog_info("frozen", "n", 0);
	cr_expect_null(my_thread()->spare.chunk);
	cr_expect_eq(chunks_held(TTLOG_LANE_MAIN), 1);
}

static void *record_and_exit(void *unused)
{
	fill_to(TTLOG_STOP_SWAP);
	return unused;
}

Test(stops, a_thread_that_exits_gives_back_its_spare_too)
{
	pthread_t thread;

	begin(1 << 20);
	cr_assert_eq(pthread_create(&thread, NULL, record_and_exit, NULL), 0);
	cr_assert_eq(pthread_join(thread, NULL), 0);
	cr_expect_eq(chunks_held(TTLOG_LANE_MAIN), 0);
	cr_expect_eq(totals_now().torn, 0);
}

/* ---- jumps ------------------------------------------------------------------------------------
 */

static void on_signal_jump(int signal_number)
{
	(void)signal_number;
	siglongjmp(back, 1);
}

/* Events that count themselves: recorded is what was recorded or overwritten, to the event. */
static void check_jumps(uint64_t recorded_min, uint64_t recorded_max)
{
	struct ttlog_reader_totals totals = totals_now();
	uint64_t all = totals.events + totals.overwritten;

	if (all < recorded_min || all > recorded_max)
		dprintf(2, "%lu of %lu to %lu events\n", (unsigned long)all,
			(unsigned long)recorded_min, (unsigned long)recorded_max);
	CHILD_CHECK(all >= recorded_min && all <= recorded_max);
	CHILD_CHECK(totals.torn == 0 && totals.dropped == 0);
	/* This thread's chunk, the one before or a spare; nothing else is held by anybody. */
	CHILD_CHECK(chunks_held(TTLOG_LANE_MAIN) <= 2);
	CHILD_CHECK(chunks_held(TTLOG_LANE_BOOT) == 0);
}

static uint64_t filled;

static void fill_to_stop(void)
{
	struct ttlog_writer *writer = ttlog_writer_;

	do {
		ttlog_debug("fill");
		filled++;
		writer = ttlog_writer_;
	} while (!ttlog_life()->boot_full || my_thread()->stop != at_stop ||
		 (at_stop == TTLOG_STOP_SWAP && !my_thread()->spare.chunk) ||
		 (uint32_t)writer->position + 24 <= writer->limit);
}

static void run_jumps(void)
{
	struct sigaction action = {.sa_handler = on_signal_jump};
	volatile uint64_t rounds = 0;

	sigaction(SIGUSR1, &action, NULL);
	start();
	filled = 1;
	while (!interrupt_->over) {
		fill_to_stop();
		if (sigsetjmp(back, 1) == 0) {
			interrupt_here();
			record(rounds);
		}
		interrupt_end();
		rounds++;
		/* Finds what was jumped out of. */
		record(rounds);
		filled++;
	}
	check_jumps(filled, filled + rounds);
}

#define JUMPS(stop, name, stride, least)                                                           \
	Test(stops, name)                                                                          \
	{                                                                                          \
		at_stop = stop;                                                                    \
		cr_expect_gt(interrupt_each(run_jumps, stride), least);                            \
	}

JUMPS(TTLOG_STOP_RETIRE, a_jump_out_of_a_retire_leaves_no_chunk_behind, 1, 120)
JUMPS(TTLOG_STOP_DRAW, a_jump_out_of_a_draw_leaves_no_chunk_behind, 1, 120)
JUMPS(TTLOG_STOP_PREPARE, a_jump_out_of_a_preparation_leaves_no_chunk_behind, 1, 200)
JUMPS(TTLOG_STOP_SWAP, a_jump_out_of_a_swap_leaves_no_chunk_behind, 1, 120)
