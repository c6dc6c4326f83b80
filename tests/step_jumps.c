/* SPDX-License-Identifier: MIT */
/*
 * step_jumps.c - scenarios of calls that never come back, or late: what they hold of slots, and the
 * writer that the thread gets instead; see step_scenarios.c.
 */
#include <setjmp.h>

#include "lib/writer.h"
#include "tests/step_pieces.h"
#include "tests/step_scenarios.h"
#include "tests/step_tracer.h"

#define WARN_SPAN(message, k1, v1, k2, v2, k3, bytes, k4, text, k5, mark)                          \
	ttlog_warn(message, k1, v1, k2, v2, k3, bytes, k4, ttlog_bytes(text, bytes), k5, mark)

/* ---- slots ----------------------------------------------------------------------------------- */

static void alert_of_a_span(void)
{
	warm_up();
	for (int i = 0; i < 2; i++) {
		if (i)
			stepper_stop_here();
		WITNESS_RECORD(WARN_SPAN, 3, SMALL);
	}
	piece_is_over();
	record_after();
}

static sigjmp_buf back;

static void on_signal_jump(int number)
{
	(void)number;
	record_info(1, SMALL);
	siglongjmp(back, 1);
}

__attribute__((noinline)) static void record_warn_deep(uint32_t stream, uint32_t bytes)
{
	unsigned char deep[4096];

	__asm__ volatile("" : : "r"(deep) : "memory");
	record_warn(stream, bytes);
	__asm__ volatile("" : : "r"(deep) : "memory");
}

/* The next alert gives back the slot that was left. */
static void jumped_out_of_alert(void)
{
	warm_up();
	if (sigsetjmp(back, 1) == 0) {
		handle_with(on_signal_jump);
		stepper_stop_here();
		record_warn_deep(3, SMALL);
	} else {
		abandon(3);
		handle_with(on_signal);
	}
	record_warn(3, SMALL);
	piece_is_over();
	handle_with(on_signal);
	record_after();
}

/* ---- another writer -------------------------------------------------------------------------- */

/* As if a handler that interrupted an event had so much to say. */
static struct ttlog_writer *interrupt_writer(uint32_t events)
{
	struct ttlog_writer *mine = ttlog_writer_;

	mine->busy = ttlog_stack_pointer_();
	for (uint32_t i = 0; i < events; i++)
		record_info_deep(3, SMALL);
	return mine;
}

/*
 * The last nested event, the first of the other writer, the end of the interrupted call, and the
 * stop at which its writer is given up.
 */
static void another_writer(void)
{
	struct ttlog_writer *mine;

	warm_up();
	mine = interrupt_writer(TTLOG_NESTED_MAX - 1);
	stepper_stop_here();
	record_info_deep(3, SMALL);
	record_info_deep(3, SMALL);
	mine->busy = 0;
	fill_chunk_but(3);
	piece_is_over();
	record_after();
}

/* As many as there can be, and one more interrupted. */
static void no_more_writers(void)
{
	struct ttlog_writer *interrupted[TTLOG_ASIDE_MAX + 1];

	/* Slots go round meanwhile, chunks do not. */
	atomic_store(&witness->any_order, 1);
	warm_up();
	for (int i = 0; i < TTLOG_ASIDE_MAX; i++)
		interrupted[i] = interrupt_writer(TTLOG_NESTED_MAX + 1);
	interrupted[TTLOG_ASIDE_MAX] = interrupt_writer(TTLOG_NESTED_MAX);
	stepper_stop_here();
	record_info_deep(3, SMALL);
	piece_is_over();
	for (int i = TTLOG_ASIDE_MAX; i >= 0; i--)
		interrupted[i]->busy = 0;
	record_after();
}

/* There may be one more; a handler steps aside too, at each moment, and may be faster. */
static void on_signal_step_aside(int number)
{
	struct ttlog_thread *mine = ttlog_thread_mine();

	(void)number;
	mine->nested = TTLOG_NESTED_MAX;
	mine->nested_at = mine->hot.position;
	record_info_deep(1, SMALL);
}

static void last_writer(void)
{
	struct ttlog_writer *interrupted[TTLOG_ASIDE_MAX];

	atomic_store(&witness->any_order, 1);
	warm_up();
	for (int i = 0; i < TTLOG_ASIDE_MAX - 1; i++)
		interrupted[i] = interrupt_writer(TTLOG_NESTED_MAX + 1);
	interrupted[TTLOG_ASIDE_MAX - 1] = interrupt_writer(TTLOG_NESTED_MAX);
	handle_with(on_signal_step_aside);
	stepper_stop_here();
	record_info_deep(3, SMALL);
	piece_is_over();
	handle_with(on_signal);
	for (int i = TTLOG_ASIDE_MAX - 1; i >= 0; i--)
		interrupted[i]->busy = 0;
	record_after();
}

/* Two calls of the thread, an event each, one inside the other; the inner is set aside last. */
static void serves_again(void)
{
	struct ttlog_writer *mine;

	atomic_store(&witness->any_order, 1);
	warm_up();
	mine = interrupt_writer(TTLOG_NESTED_MAX + 1);
	mine->busy = 0;
	mine = interrupt_writer(TTLOG_NESTED_MAX);
	handle_with(on_signal_step_aside);
	stepper_stop_here();
	record_info_deep(3, SMALL);
	record_info_deep(3, SMALL);
	piece_is_over();
	handle_with(on_signal);
	mine->busy = 0;
	record_after();
}

/* A call that was jumped out of is found while another one may come back to what it has in hand. */
static void left_beside_a_change(void)
{
	struct ttlog_thread *outer, *left;

	atomic_store(&witness->any_order, 1);
	warm_up();
	outer = ttlog_thread_mine();
	interrupt_writer(TTLOG_NESTED_MAX + 1);
	outer->is_changing = 1;
	left = ttlog_thread_mine();
	left->is_changing = 1;
	left->hot.busy = ttlog_stack_pointer_() - 4096;
	stepper_stop_here();
	record_info(0, SMALL);
	piece_is_over();
	outer->is_changing = 0;
	outer->hot.busy = 0;
	record_after();
}

/* Of a freeze that is over: it is of the one in which it is found. */
static void left_in_afterlife(void)
{
	struct ttlog_thread *mine;

	atomic_store(&witness->any_order, 1);
	warm_up();
	freeze_myself();
	while (ttlog_thread_mine()->mine.lane != TTLOG_LANE_AFTERLIFE)
		record_info(0, LARGE);
	freeze_myself();
	freeze_myself();
	record_info(0, SMALL);
	mine = ttlog_thread_mine();
	mine->hot.limit = 0;
	mine->hot.chunk = NULL;
	mine->hot.position = 0;
	mine->is_changing = 1;
	mine->hot.busy = ttlog_stack_pointer_() - 4096;
	stepper_stop_here();
	record_info(0, SMALL);
	piece_is_over();
	record_after();
}

static void *exit_with_writers(void *argument)
{
	(void)argument;
	record_info(3, SMALL);
	interrupt_writer(TTLOG_NESTED_MAX + 1)->busy = 0;
	record_info(3, SMALL);
	interrupt_writer(TTLOG_NESTED_MAX + 1);
	stepper_stop_here();
	return NULL;
}

static void exit_of_writers(void)
{
	atomic_store(&witness->any_order, 1);
	warm_up();
	run_thread(exit_with_writers, NULL);
	piece_is_over();
	record_after();
}

const struct scenario step_jumps[] = {
	{"alert of a span", alert_of_a_span, 16, 3, 7, 0},
	{"jump out of an alert", jumped_out_of_alert, 16, 2, 0, 0},
	{"another writer", another_writer, 32, 7, 15, 31},
	{"no more writers", no_more_writers, 16, 7, 0, 0},
	{"last writer", last_writer, 32, 2, 15, 0},
	{"a writer serves again", serves_again, 32, 2, 15, 0},
	{"left beside a change", left_beside_a_change, 32, 7, 15, 0},
	{"left in the afterlife", left_in_afterlife, 32, 7, 0, 0},
	{"exit of a thread with writers", exit_of_writers, 32, 7, 31, 0},
	{0},
};
