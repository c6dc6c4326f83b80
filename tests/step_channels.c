/* SPDX-License-Identifier: MIT */
/*
 * step_channels.c - scenarios of channels; see step_scenarios.c. Stream 3 is what the piece sends
 * to the channel, 0 what it records elsewhere.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/process.h"
#include "lib/writer.h"
#include "tests/step_pieces.h"
#include "tests/step_scenarios.h"
#include "tests/step_tracer.h"

#define MIDDLE 100u /* bytes of text: a few such events in a chunk */
#define BUDGET 1280

static struct ttlog_channel channel, others[64];

#define TO_CHANNEL(...) ttlog_info_to(channel, __VA_ARGS__)

static void record_to(uint32_t stream, uint32_t bytes)
{
	WITNESS_RECORD(TO_CHANNEL, stream, bytes);
}

static void on_signal_to_channel(int number)
{
	(void)number;
	record_to(1, MIDDLE);
	WITNESS_RECORD(ttlog_warn, 2, SMALL);
}

static void rival_to_channel(void)
{
	for (int i = 0; i < 6; i++)
		record_to(WITNESS_RIVAL_STREAM, MIDDLE);
}

static void rival_closes(void)
{
	ttlog_channel_close(channel);
}

/* Channels come and go meanwhile. */
static void rival_opens(void)
{
	struct ttlog_channel of[3];

	for (int i = 0; i < 3; i++)
		of[i] = ttlog_channel_open("rival", BUDGET);
	for (int i = 0; i < 3; i++)
		ttlog_channel_close(of[i]);
}

/* Other channels and lanes keep what is older than what is lost here. */
static void warm_up_channel(size_t budget, uint32_t events)
{
	warm_up();
	atomic_store(&witness->overtaken, UINT32_MAX);
	atomic_store(&witness->in_channels, 1);
	channel = ttlog_channel_open("stepped", budget);
	if (ttlog_channel_error(channel))
		abort();
	raise(SIGUSR1);
	handle_with(on_signal_to_channel);
	raise(SIGUSR1);
	rival_also = rival_to_channel;
	for (uint32_t i = 0; i < events; i++)
		record_to(3, MIDDLE);
}

static void after_channel(void)
{
	piece_is_over();
	for (int i = 0; i < 12; i++)
		record_to(3, MIDDLE);
	record_after();
}

static void step_channel(uint32_t events, uint32_t bytes)
{
	stepper_stop_here();
	for (uint32_t i = 0; i < events; i++)
		record_to(3, bytes);
	after_channel();
}

/* ---- events ---------------------------------------------------------------------------------- */

/* As many as it takes to need another chunk. */
static void channel_events(void)
{
	warm_up_channel(4 * BUDGET, 1);
	step_channel(4, MIDDLE);
}

static void channel_recycled(void)
{
	warm_up_channel(BUDGET, 20);
	step_channel(4, MIDDLE);
}

static void channel_truncated(void)
{
	warm_up_channel(BUDGET, 3);
	step_channel(1, 700);
}

static void channel_frozen(void)
{
	warm_up_channel(2 * BUDGET, 3);
	freeze_myself();
	step_channel(12, MIDDLE);
}

static void channel_frozen_full(void)
{
	warm_up_channel(BUDGET, 20);
	freeze_myself();
	step_channel(4, MIDDLE);
}

static void channel_closed_before(void)
{
	warm_up_channel(BUDGET, 3);
	ttlog_channel_close(channel);
	step_channel(1, MIDDLE);
}

/* A rival closes it in the middle of an event. */
static void channel_closed_within(void)
{
	warm_up_channel(4 * BUDGET, 2);
	rival_also = rival_closes;
	step_channel(4, MIDDLE);
}

/* ---- chunks in use --------------------------------------------------------------------------- */

static void *vanish_from_channel(void *argument)
{
	(void)argument;
	record_to(3, MIDDLE);
	syscall(SYS_exit, 0);
	return NULL;
}

static _Atomic uint64_t *channel_state(uint32_t chunk)
{
	const struct ttlog_lane_geometry *lane = &ttlog_place_.geometry.lane[TTLOG_LANE_CHANNEL];
	struct ttlog_chunk_record *record = (void *)(ttlog_place_.base + lane->records_offset);

	return &record[channel.index * TTLOG_CHANNEL_CHUNKS_MIN + chunk].state;
}

/* As if its owner had not come to the end of its event. */
static void leave_in_use(uint32_t chunk, uint32_t tid)
{
	uint64_t state = atomic_load(channel_state(chunk));

	if (TTLOG_STATE_OF(state) == TTLOG_CHUNK_RETIRED)
		atomic_store(channel_state(chunk),
			     TTLOG_STATE(TTLOG_STATE_GENERATION(state), tid, TTLOG_CHUNK_OWNED));
}

static void channel_owner_vanished(void)
{
	warm_up_channel(BUDGET, 10);
	run_thread(vanish_from_channel, NULL);
	for (uint32_t i = 0; i < TTLOG_CHANNEL_CHUNKS_MIN; i++)
		leave_in_use(i, (1u << 22) - 1);
	step_channel(2, MIDDLE);
}

static void *send_and_vanish(void *argument)
{
	(void)argument;
	stepper_stop_here();
	for (uint32_t i = 0; i < 4; i++)
		record_to(3, MIDDLE);
	return NULL;
}

/* The thread is gone in the middle of an event; others need the chunk at once. */
static void channel_vanished_within(void)
{
	warm_up_channel(BUDGET, 9);
	handle_with(on_signal_vanish);
	run_thread(send_and_vanish, NULL);
	await_vanished();
	handle_with(on_signal);
	abandon(3);
	piece_is_over();
	for (int i = 0; i < 12; i++) {
		/* It is time to ask who lives. */
		atomic_store(&ttlog_life()->next_search_ticks[TTLOG_LANE_CHANNEL], 0);
		record_to(3, MIDDLE);
	}
	record_after();
}

static void channel_all_in_use(void)
{
	warm_up_channel(BUDGET, 10);
	atomic_store(&witness->any_order, 1);
	for (uint32_t i = 0; i < TTLOG_CHANNEL_CHUNKS_MIN; i++)
		leave_in_use(i, 1);
	step_channel(2, MIDDLE);
}

static void channel_left(void)
{
	warm_up_channel(BUDGET, 10);
	for (uint32_t i = 0; i < TTLOG_CHANNEL_CHUNKS_MIN; i++)
		leave_in_use(i, ttlog_thread_mine()->tid);
	step_channel(2, MIDDLE);
}

static sigjmp_buf back;
static volatile sig_atomic_t may_jump;

static void on_signal_jump(int number)
{
	(void)number;
	record_to(1, SMALL);
	if (may_jump)
		siglongjmp(back, 1);
}

static __attribute__((noinline)) void record_to_deep(void)
{
	unsigned char deep[4096];

	__asm__ volatile("" : : "r"(deep) : "memory");
	record_to(3, MIDDLE);
	__asm__ volatile("" : : "r"(deep) : "memory");
}

static void channel_jumped_out(void)
{
	volatile uint32_t i;

	warm_up_channel(BUDGET, 20);
	atomic_store(&witness->any_order, 1);
	handle_with(on_signal_jump);
	stepper_stop_here();
	for (i = 0; i < 5; i++) {
		if (sigsetjmp(back, 1) == 0) {
			may_jump = 1;
			record_to_deep();
		} else {
			abandon(3);
			handle_with(on_signal);
		}
	}
	handle_with(on_signal);
	after_channel();
}

/* ---- open and close -------------------------------------------------------------------------- */

static void open_some(uint32_t count, size_t budget)
{
	for (uint32_t i = 0; i < count; i++)
		others[i] = ttlog_channel_open("other", budget);
}

static void close_some(uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		ttlog_channel_close(others[i]);
}

static void step_open(size_t budget)
{
	struct ttlog_channel before = channel;

	rival_also = rival_opens;
	stepper_stop_here();
	channel = ttlog_channel_open("a name that is longer than what is kept of it", budget);
	if (ttlog_channel_error(channel))
		channel = before;
	record_to(3, MIDDLE);
	after_channel();
}

static void channel_opened(void)
{
	warm_up_channel(BUDGET, 3);
	step_open(BUDGET);
}

static void channel_closed(void)
{
	warm_up_channel(BUDGET, 3);
	rival_also = rival_opens;
	stepper_stop_here();
	ttlog_channel_close(channel);
	ttlog_channel_close(channel);
	after_channel();
}

/* All memory is used: the one that was closed first gives way, and is too large. */
static void channel_reopened(void)
{
	warm_up_channel(BUDGET, 3);
	open_some(3, 3 * BUDGET);
	channel = others[0];
	for (uint32_t i = 0; i < 12; i++)
		record_to(3, MIDDLE);
	while (ttlog_channel_open("filler", BUDGET).generation)
		;
	close_some(3);
	step_open(2 * BUDGET);
}

/* The first that were closed are too small, or in use. */
static void channel_searched(void)
{
	uint32_t mine;

	warm_up_channel(BUDGET, 3);
	atomic_store(&witness->any_order, 1);
	open_some(4, BUDGET);
	others[4] = ttlog_channel_open("large", 2 * BUDGET);
	others[5] = ttlog_channel_open("large", 2 * BUDGET);
	while (ttlog_channel_open("filler", BUDGET).generation)
		;
	mine = ttlog_thread_mine()->tid;
	channel = others[4];
	record_to(3, MIDDLE);
	leave_in_use(0, mine);
	close_some(6);
	step_open(2 * BUDGET);
}

/* Somebody died who was about to close one: his turn in the queue is passed over. */
static void channel_skipped(void)
{
	warm_up_channel(BUDGET, 3);
	open_some(2, BUDGET);
	while (ttlog_channel_open("filler", BUDGET).generation)
		;
	atomic_fetch_add(&ttlog_process_ledger()->closed_tail, 1);
	close_some(2);
	step_open(BUDGET);
}

static void *open_first(void *argument)
{
	(void)argument;
	step_open(BUDGET);
	return NULL;
}

/* By a thread that has recorded nothing yet. */
static void channel_opened_first(void)
{
	warm_up_channel(BUDGET, 3);
	open_some(1, BUDGET);
	while (ttlog_channel_open("filler", BUDGET).generation)
		;
	close_some(1);
	run_thread(open_first, NULL);
}

static void channel_refused(void)
{
	warm_up_channel(BUDGET, 3);
	while (ttlog_channel_open("filler", BUDGET).generation)
		;
	step_open(BUDGET);
}

static void channel_refused_size(void)
{
	warm_up_channel(BUDGET, 3);
	step_open((size_t)1 << 40);
}

static void channel_refused_frozen(void)
{
	warm_up_channel(BUDGET, 3);
	open_some(1, BUDGET);
	while (ttlog_channel_open("filler", BUDGET).generation)
		;
	close_some(1);
	freeze_myself();
	step_open(BUDGET);
}

/* ---- fork ------------------------------------------------------------------------------------ */

static void channel_forked(void)
{
	pid_t pid;

	warm_up_channel(BUDGET, 3);
	open_some(3, 2 * BUDGET);
	close_some(1);
	handle_with(SIG_DFL);
	pid = fork();
	if (pid == 0) {
		stepper_stop_here();
		record_to(WITNESS_CHILD_STREAM, MIDDLE);
		ttlog_channel_close(others[1]);
		piece_is_over();
		for (int i = 0; i < 20; i++)
			record_to(WITNESS_CHILD_STREAM, MIDDLE);
		_exit(0);
	}
	if (pid < 0)
		abort();
	while (waitpid(pid, NULL, 0) < 0)
		;
	record_after();
}

const struct scenario step_channels[] = {
	{"channel: events", channel_events, 32, 3, 7, 7},
	{"channel: recycled", channel_recycled, 32, 3, 3, 3},
	{"channel: truncated", channel_truncated, 64, 31, 31, 31},
	{"channel: frozen", channel_frozen, 64, 31, 31, 31},
	{"channel: frozen, full", channel_frozen_full, 32, 31, 31, 31},
	{"channel: closed before", channel_closed_before, 32, 7, 7, 7},
	{"channel: closed within", channel_closed_within, 32, 7, 7, 3},
	{"channel: its owner vanished", channel_owner_vanished, 32, 15, 15, 15},
	{"channel: left by a jump", channel_left, 32, 15, 15, 15},
	{"channel: vanished within", channel_vanished_within, 32, 2, 0, 0},
	{"channel: all is in use", channel_all_in_use, 64, 15, 15, 15},
	{"channel: jumped out of", channel_jumped_out, 64, 2, 0, 0},
	{"channel: opened", channel_opened, 32, 7, 7, 7},
	{"channel: closed", channel_closed, 16, 7, 7, 3},
	{"channel: opened instead", channel_reopened, 32, 7, 7, 7},
	{"channel: opened after a search", channel_searched, 32, 15, 15, 15},
	{"channel: opened, one is skipped", channel_skipped, 64, 31, 31, 31},
	{"channel: opened by a new thread", channel_opened_first, 64, 31, 31, 31},
	{"channel: refused", channel_refused, 32, 31, 31, 31},
	{"channel: refused, too large", channel_refused_size, 32, 31, 0, 0},
	{"channel: refused, frozen", channel_refused_frozen, 32, 31, 31, 31},
	{"channel: in a forked child", channel_forked, 512, 0, 0, 0},
	{0},
};
