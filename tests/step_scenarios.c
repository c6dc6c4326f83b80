/* SPDX-License-Identifier: MIT */
/*
 * step_scenarios.c - see step_scenarios.h.
 *
 * Streams: 0 what the main thread records, 1 and 2 what a signal handler records, 3 other threads
 * and alerts of the piece, 4 and 5 a rival, 6 and up a forked child.
 */
#include "tests/step_scenarios.h"

#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/process.h"
#include "tests/step_pieces.h"
#include "tests/step_tracer.h"

/* ---- an event -------------------------------------------------------------------------------- */

static void fast_path(void)
{
	warm_up();
	stepper_stop_here();
	record_info(0, SMALL);
	piece_is_over();
	record_after();
}

static void slow_path(void)
{
	struct ttlog_value values[] = {
		ttlog_value_u32(0),	  ttlog_value_u64(0), ttlog_value_u32(SMALL),
		ttlog_value_string(NULL), ttlog_value_u64(0),
	};
	static const uint8_t types[] = {TTLOG_TYPE_U32, TTLOG_TYPE_U64, TTLOG_TYPE_U32,
					TTLOG_TYPE_STRING, TTLOG_TYPE_U64};
	static const char *const names[] = {"stream", "number", "bytes", "text", "mark"};
	static struct ttlog_site site = {.level = TTLOG_INFO,
					 .field_count = 5,
					 .message = "step",
					 .names = names,
					 .types = types};

	warm_up();
	ttlog_site_register(&site);
	stepper_stop_here();
	values[1].bits = witness_start(0);
	values[3] = ttlog_value_string(witness_text(values[1].bits, SMALL));
	values[4].bits = values[1].bits * WITNESS_MARK;
	ttlog_record(&site, values, 5);
	witness_return(0, values[1].bits);
	piece_is_over();
	record_after();
}

static void new_site(void)
{
	warm_up();
	stepper_stop_here();
	WITNESS_RECORD(ttlog_info, 0, SMALL);
	piece_is_over();
	record_after();
}

static void interned_string(void)
{
	uint64_t number;
	struct ttlog_interned interned;

	warm_up();
	stepper_stop_here();
	interned = ttlog_intern(WITNESS_INTERNED);
	atomic_store(&witness->interned_id, interned.id);
	number = witness_start(0);
	interned = ttlog_intern(witness_text(number, SMALL));
	ttlog_info("step", "stream", 0u, "number", number, "bytes", SMALL, "text", interned, "mark",
		   number * WITNESS_MARK);
	witness_return(0, number);
	piece_is_over();
	record_after();
}

/* ---- alerts ---------------------------------------------------------------------------------- */

static void alert(void)
{
	warm_up();
	stepper_stop_here();
	record_warn(3, SMALL);
	piece_is_over();
	record_after();
}

static void alert_recycled(void)
{
	handle_with(on_signal);
	record_info(0, SMALL);
	for (uint32_t i = 0; i < chunk_count(TTLOG_LANE_ALERT) + 7; i++)
		record_warn(3, SMALL);
	stepper_stop_here();
	record_warn(3, SMALL);
	piece_is_over();
	record_after();
}

static void alert_large(void)
{
	warm_up();
	stepper_stop_here();
	record_warn(3, LARGE);
	piece_is_over();
	record_after();
}

/* ---- signal handlers ------------------------------------------------------------------------- */

static void nested(void)
{
	warm_up();
	stepper_stop_here();
	record_nested(1, SMALL);
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

/* The handler leaves the event for ever; the next one finds what it left. */
static void jump_out_of_event(uint32_t bytes)
{
	if (sigsetjmp(back, 1) == 0) {
		handle_with(on_signal_jump);
		stepper_stop_here();
		record_info_deep(0, bytes);
	} else {
		abandon(0);
		handle_with(on_signal);
	}
	record_info(0, SMALL);
	piece_is_over();
	handle_with(on_signal);
	record_after();
}

static void jumped_out(void)
{
	warm_up();
	jump_out_of_event(SMALL);
}

static void jumped_out_of_change(void)
{
	warm_up();
	fill_chunk();
	jump_out_of_event(LARGE);
}

/* ---- threads and processes ------------------------------------------------------------------- */

static void *first_event_of_thread(void *argument)
{
	(void)argument;
	stepper_stop_here();
	record_info(3, SMALL);
	piece_is_over();
	record_info(3, SMALL);
	return NULL;
}

static void new_thread(void)
{
	warm_up();
	run_thread(first_event_of_thread, NULL);
	record_after();
}

static void *exit_of_thread(void *argument)
{
	(void)argument;
	record_info(3, SMALL);
	record_info(3, LARGE);
	stepper_stop_here();
	return NULL;
}

static void thread_exit(void)
{
	warm_up();
	run_thread(exit_of_thread, NULL);
	piece_is_over();
	record_after();
}

static void new_process(void)
{
	handle_with(on_signal);
	stepper_stop_here();
	record_info(0, SMALL);
	piece_is_over();
	record_after();
}

static void forked_child(void)
{
	pid_t pid;

	warm_up();
	ttlog_intern(WITNESS_CARRIED);
	handle_with(SIG_DFL);
	fill_chunk();
	pid = fork();
	if (pid == 0) {
		stepper_stop_here();
		record_info(6, SMALL);
		piece_is_over();
		for (int i = 0; i < 20; i++)
			record_info(6, LARGE);
		_exit(0);
	}
	if (pid < 0)
		abort();
	while (waitpid(pid, NULL, 0) < 0)
		;
	record_after();
}

const struct scenario step_scenarios[] = {
	{"event, fast path", fast_path, 4, 1, 4, 7},
	{"event, slow path", slow_path, 16, 3, 0, 0},
	{"event of a new site", new_site, 16, 5, 0, 9},
	{"interned string, twice", interned_string, 16, 7, 0, 0},
	{"alert", alert, 16, 3, 7, 7},
	{"alert, slot recycled", alert_recycled, 16, 3, 3, 7},
	{"alert, large", alert_large, 16, 7, 0, 0},
	{"event within an event", nested, 16, 3, 7, 0},
	{"jump out of an event", jumped_out, 16, 1, 0, 0},
	{"jump out of a chunk change", jumped_out_of_change, 16, 2, 0, 0},
	{"first event of a thread", new_thread, 16, 3, 0, 7},
	{"exit of a thread", thread_exit, 16, 2, 0, 7},
	{"first event of a process", new_process, 64, 3, 0, 0},
	{"first event of a forked child", forked_child, 64, 0, 0, 0},
	{0},
};
