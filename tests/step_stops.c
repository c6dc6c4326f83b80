/* SPDX-License-Identifier: MIT */
/*
 * step_stops.c - scenarios of the stops on the way through a chunk (lib/stops.c); see
 * step_scenarios.c.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "lib/process.h"
#include "lib/writer.h"
#include "tests/step_pieces.h"
#include "tests/step_scenarios.h"
#include "tests/step_tracer.h"

#define CHUNK_EVENTS 8 /* large ones in a chunk */

/* In a chunk of main that was taken as a spare, full but for so many large events. */
static void in_main(uint32_t chunks, uint32_t but)
{
	fill_chunk();
	fill_chunks(chunk_count(TTLOG_LANE_BOOT) + chunks);
	record_info(0, LARGE);
	fill_chunk_but(but);
}

/* Whatever is taken next holds events: the lane has been full for a while. */
static void in_steady_state(uint32_t but)
{
	warm_up();
	in_main(chunk_count(TTLOG_LANE_MAIN) + 3, but);
}

static void step_events(uint32_t count)
{
	stepper_stop_here();
	for (uint32_t i = 0; i < count; i++)
		record_info(0, LARGE);
	piece_is_over();
	record_after();
}

/* ---- from stop to stop ----------------------------------------------------------------------- */

/* One after the other: retire, draw, prepare, swap, retire. */
static void all_stops(void)
{
	in_steady_state(CHUNK_EVENTS - 1);
	step_events(CHUNK_EVENTS + 1);
}

static void all_stops_free(void)
{
	warm_up();
	in_main(2, CHUNK_EVENTS - 1);
	step_events(CHUNK_EVENTS + 1);
}

/* As with TTLOG_CLOCK=sparse: the first event of the next chunk has a reading of its own. */
static void all_stops_sparse(void)
{
	in_steady_state(CHUNK_EVENTS - 1);
	ttlog_thread_mine()->hot.clock_mask = UINT64_C(15) << 32;
	step_events(CHUNK_EVENTS + 1);
}

/* One event passes several stops at once. */
static void two_stops_at_once(void)
{
	in_steady_state(CHUNK_EVENTS - 1);
	stepper_stop_here();
	record_info(0, 3 * LARGE + 200);
	record_info(0, 3 * LARGE + 200);
	piece_is_over();
	record_after();
}

/* The chunk is swapped, and its first event does not fit: nor does any other way lead there. */
static void too_large_to_swap(void)
{
	in_steady_state(1);
	stepper_stop_here();
	record_info(0, 4400);
	piece_is_over();
	record_after();
}

/* ---- without a spare ------------------------------------------------------------------------- */

/* So many threads that spares would be too much of the lane. */
static void too_many_writers(void)
{
	in_steady_state(CHUNK_EVENTS - 1);
	atomic_fetch_add(&ttlog_life()->writers, chunk_count(TTLOG_LANE_MAIN));
	step_events(CHUNK_EVENTS + 1);
}

/* All that come next are held by who lives: what was drawn is nothing, and a search finds one. */
static void hold(uint32_t chunks)
{
	const struct ttlog_lane_geometry *lane = &ttlog_place_.geometry.lane[TTLOG_LANE_MAIN];
	struct ttlog_chunk_record *record = (void *)(ttlog_place_.base + lane->records_offset);
	uint32_t held = 0;

	atomic_store(&witness->any_order, 1);
	for (uint32_t i = 0; i < lane->chunk_count && held < chunks; i++) {
		uint64_t state = atomic_load(&record[i].state);

		if (TTLOG_STATE_OF(state) != TTLOG_CHUNK_RETIRED)
			continue;
		atomic_store(&record[i].state,
			     TTLOG_STATE(TTLOG_STATE_GENERATION(state), ttlog_thread_mine()->tid,
					 TTLOG_CHUNK_OWNED));
		held++;
	}
}

static void none_to_prepare(void)
{
	in_steady_state(CHUNK_EVENTS - 1);
	hold(chunk_count(TTLOG_LANE_MAIN) * 3 / 4);
	step_events(CHUNK_EVENTS + 1);
}

/* Frozen when there is a ticket, but no spare. */
static void frozen_when_drawn(void)
{
	in_steady_state(3);
	freeze_myself();
	step_events(5);
}

/* Frozen when there is a spare: it evicts nothing more, so it serves. */
static void frozen_with_spare(void)
{
	in_steady_state(1);
	freeze_myself();
	step_events(4);
}

/* ---- left by a jump -------------------------------------------------------------------------- */

static sigjmp_buf back;

static volatile sig_atomic_t may_jump;

static void on_signal_jump(int number)
{
	(void)number;
	record_info(1, SMALL);
	if (may_jump)
		siglongjmp(back, 1);
}

/* A handler jumps out of one of the events; those behind it find what it left. */
static void record_to_jump_from(uint32_t count)
{
	volatile uint32_t i;

	handle_with(on_signal_jump);
	stepper_stop_here();
	for (i = 0; i < count; i++) {
		if (sigsetjmp(back, 1) == 0) {
			may_jump = 1;
			record_info_deep(0, LARGE);
		} else {
			abandon(0);
			handle_with(on_signal);
		}
	}
	piece_is_over();
	handle_with(on_signal);
	record_after();
}

static void jumped_out_of_stops(void)
{
	in_steady_state(CHUNK_EVENTS - 1);
	record_to_jump_from(CHUNK_EVENTS + 2);
}

/* Without a spare. */
static void jumped_out_of_search(void)
{
	in_steady_state(CHUNK_EVENTS - 1);
	atomic_fetch_add(&ttlog_life()->writers, chunk_count(TTLOG_LANE_MAIN));
	fill_chunk_but(1);
	record_to_jump_from(3);
}

/* ---- left by a thread that is gone ------------------------------------------------------------
 */

static void *record_and_vanish(void *argument)
{
	(void)argument;
	record_info(3, LARGE);
	stepper_stop_here();
	for (uint32_t i = 0; i < CHUNK_EVENTS + 1; i++)
		record_info(3, LARGE);
	return NULL;
}

/* What it had is all that there is for the others. */
static void vanished_in_stops(void)
{
	in_steady_state(1);
	handle_with(on_signal_vanish);
	run_thread(record_and_vanish, NULL);
	await_vanished();
	handle_with(on_signal);
	abandon(3);
	piece_is_over();
	hold(chunk_count(TTLOG_LANE_MAIN));
	atomic_store(&ttlog_life()->next_search_ticks[TTLOG_LANE_MAIN], 0);
	record_after();
}

/* ---- left by a fork -------------------------------------------------------------------------- */

static pid_t parent, child;
static uint64_t forked_number; /* of the last event */

static void on_signal_fork(int number)
{
	(void)number;
	child = fork();
	if (child < 0)
		abort();
	if (child == 0)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
}

/*
 * In the child the event is nobody's, but the next ones are. Both may say that it starts, and the
 * child late.
 */
static void record_forked(void)
{
	uint64_t number = ++forked_number;
	uint64_t started = atomic_load(&witness->stream[0].started);

	while (started < number &&
	       !atomic_compare_exchange_weak(&witness->stream[0].started, &started, number))
		;
	ttlog_info("step", "stream", 0u, "number", number, "bytes", LARGE, "text",
		   witness_text(number, LARGE), "mark", number * WITNESS_MARK);
	if (getpid() == parent) {
		witness_return(0, number);
		return;
	}
	for (uint32_t i = 0; i < 2 * CHUNK_EVENTS; i++)
		record_info(WITNESS_CHILD_STREAM, LARGE);
	stepper_child_is_done();
}

static void fork_in_stops(uint64_t clock_mask)
{
	parent = getpid();
	in_steady_state(CHUNK_EVENTS - 2);
	ttlog_thread_mine()->hot.clock_mask = clock_mask;
	atomic_store(&witness->child_repeats, 1);
	forked_number = atomic_load(&witness->stream[0].started);
	handle_with(on_signal_fork);
	stepper_stop_here();
	for (uint32_t i = 0; i < CHUNK_EVENTS; i++)
		record_forked();
	piece_is_over();
	handle_with(SIG_DFL);
	if (child)
		stepper_child_wait();
	record_after();
}

static void forked_in_stops(void)
{
	fork_in_stops(0);
}

/* Its calls are compiled in a way of their own. */
static void forked_in_stops_sparse(void)
{
	fork_in_stops(UINT64_C(15) << 32);
}

/* ---- exits ----------------------------------------------------------------------------------- */

/* The thread has a chunk of main, with that many large events in it, and exits. */
static void *exit_in_chunk(void *argument)
{
	const uint32_t *count = argument;

	for (uint32_t i = 0; i < *count; i++)
		record_info(3, LARGE);
	stepper_stop_here();
	return NULL;
}

static void exit_with(uint32_t events)
{
	in_steady_state(1);
	run_thread(exit_in_chunk, &events);
	piece_is_over();
	record_after();
}

/* The chunk of the ticket is passed over: it outlives its neighbours by a lap. */
static void exit_with_ticket(void)
{
	atomic_store(&witness->overtaken, CHUNK_EVENTS);
	exit_with(CHUNK_EVENTS - 2);
}

static void exit_with_spare(void)
{
	exit_with(CHUNK_EVENTS - 1);
}

static void exit_with_full(void)
{
	exit_with(CHUNK_EVENTS + 1);
}

const struct scenario step_stops[] = {
	{"stops: all", all_stops, 16, 1, 2, 3},
	{"stops: all, free chunks", all_stops_free, 64, 15, 15, 15},
	{"stops: all, sparse clock", all_stops_sparse, 64, 15, 15, 15},
	{"stops: jumped out of", jumped_out_of_stops, 64, 1, 0, 0},
	{"stops: vanished in", vanished_in_stops, 64, 2, 0, 0},
	{"stops: forked in", forked_in_stops, 64, 3, 0, 0},
	{"stops: forked in, sparse clock", forked_in_stops_sparse, 512, 0, 0, 0},
	{"stops: two at once", two_stops_at_once, 32, 7, 7, 7},
	{"stops: too large to swap", too_large_to_swap, 128, 255, 0, 0},
	{"stops: too many writers", too_many_writers, 64, 7, 7, 7},
	{"stops: none to prepare", none_to_prepare, 64, 15, 15, 15},
	{"stops: frozen when drawn", frozen_when_drawn, 64, 7, 15, 15},
	{"stops: frozen with a spare", frozen_with_spare, 64, 3, 3, 15},
	{"stops: jumped out of a search", jumped_out_of_search, 64, 2, 0, 0},
	{"exit of a thread with a ticket", exit_with_ticket, 32, 7, 7, 7},
	{"exit of a thread with a spare", exit_with_spare, 16, 1, 7, 7},
	{"exit of a thread with a full chunk", exit_with_full, 16, 2, 7, 7},
	{0},
};
