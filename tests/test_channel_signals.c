/* SPDX-License-Identifier: MIT */
/*
 * test_channel_signals.c - handlers that come at any instruction of an event for a channel, and
 * record in the same channel, jump away, fork, or open channels of their own.
 */
#include "lib/clock.h"
#include "tests/channel_region.h"

#include <setjmp.h>
#include <stdio.h>

#include "tests/interrupt.h"

static struct ttlog_channel channel;
static uint64_t handled;
static sigjmp_buf back;

static void handle(void (*handler)(int))
{
	struct sigaction action = {.sa_handler = handler};

	CHILD_CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
}

/* Each message's numbers in the channel, which is large enough for all of them. */
static void check_numbers(const char *message, uint64_t count)
{
	struct ttlog_reader *reader = view();
	struct ttlog_reader_event event;
	uint64_t seen = 0;

	while (next_of(reader, message, &event)) {
		CHILD_CHECK(event.lane == TTLOG_LANE_CHANNEL);
		CHILD_CHECK(strcmp(channel_name(reader, &event), "c") == 0);
		CHILD_CHECK(event.value[0].bits == seen++);
	}
	CHILD_CHECK(seen == count);
	ttlog_reader_close(reader);
}

static void begin_one(size_t budget_bytes)
{
	begin_channels(budget_bytes > 1 << 20 ? 4 << 20 : 0);
	channel = ttlog_channel_open("c", budget_bytes);
	CHILD_CHECK(ttlog_channel_error(channel) == 0);
}

/* So that the next event finds no room in the chunk, or finds some. */
static void fill_chunk(bool full)
{
	char text[480];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	ttlog_info_to(channel, "filler", "text", text);
	if (!full)
		ttlog_info_to(channel, "filler", "n", 1);
}

/* One call site: entering that into the dictionary is no part of what is interrupted here. */
static __attribute__((noinline)) void send_outer(uint64_t number)
{
	ttlog_info_to(channel, "outer", "n", number, "x", 1);
}

/* ---- in the same channel ----------------------------------------------------------------------
 */

static void on_signal_record(int signal_number)
{
	(void)signal_number;
	ttlog_info_to(channel, "handler", "n", handled++, "x", 1);
}

static bool at_full_chunk;

static void run_record(void)
{
	uint64_t rounds = 0;

	begin_one(2 << 20);
	ttlog_info_to(channel, "handler", "n", handled++, "x", 1);
	handle(on_signal_record);
	while (!interrupt_->over) {
		fill_chunk(at_full_chunk);
		interrupt_here();
		send_outer(rounds);
		interrupt_end();
		rounds++;
	}
	check_numbers("outer", rounds);
	check_numbers("handler", interrupt_->delivered + 1);
	CHILD_CHECK(channel_now("c").diverted == 0);
	CHILD_CHECK(totals_now().dropped == 0 && totals_now().torn == 0);
}

Test(channel_signals, a_handler_behind_every_instruction_of_an_event)
{
	cr_expect_gt(interrupt_each(run_record, 1), 100);
}

Test(channel_signals, a_handler_behind_the_instructions_of_a_chunk_change)
{
	at_full_chunk = true;
	cr_expect_gt(interrupt_each(run_record, 3), 40);
}

/* ---- elsewhere --------------------------------------------------------------------------------
 */

static void set_in_use(bool in_use)
{
	const struct ttlog_lane_geometry *lane = &ttlog_place_.geometry.lane[TTLOG_LANE_CHANNEL];
	struct ttlog_chunk_record *record = (void *)(ttlog_place_.base + lane->records_offset);

	/* By somebody who lives. */
	for (uint32_t i = 0; i < TTLOG_CHANNEL_CHUNKS_MIN; i++)
		atomic_store(&record[channel.index * TTLOG_CHANNEL_CHUNKS_MIN + i].state,
			     in_use ? TTLOG_STATE(1, 1, TTLOG_CHUNK_OWNED) : 0);
}

static struct ttlog_channel_entry *entry(void)
{
	struct ttlog_channel_entry *table =
		(void *)(ttlog_place_.base + ttlog_place_.geometry.channels_offset);

	return &table[channel.index];
}

/* Two events that find no chunk, one inside the other: both are in the span of those. */
static void run_divert(void)
{
	uint64_t before, first, last, rounds = 0;

	begin_one(1024);
	set_in_use(true);
	on_signal_record(0);
	send_outer(rounds++);
	handle(on_signal_record);
	while (!interrupt_->over) {
		atomic_store(&entry()->diverted_first, 0);
		atomic_store(&entry()->diverted_last, 0);
		before = ttlog_clock_ticks(ttlog_place_.geometry.clock_source);
		interrupt_here();
		send_outer(rounds++);
		interrupt_end();
		first = atomic_load(&entry()->diverted_first);
		last = atomic_load(&entry()->diverted_last);
		CHILD_CHECK(first >= before && last >= first);
		/* The handler's came later than the start of ours, or else it came first. */
		CHILD_CHECK(interrupt_->over || first < last);
	}
	set_in_use(false);
	CHILD_CHECK(channel_now("c").diverted == rounds + handled);
}

Test(channel_signals, what_went_elsewhere_is_in_its_span_behind_every_instruction)
{
	cr_expect_gt(interrupt_each(run_divert, 3), 40);
}

/* ---- past it ----------------------------------------------------------------------------------
 */

/* Around all of the channel, and a bit: what the interrupted call had seen of it is long ago. */
static void on_signal_lap(int signal_number)
{
	(void)signal_number;
	for (uint32_t i = 0; i < 2 * CHUNK_EVENTS + 5; i++)
		ttlog_info_to(channel, "handler", "n", handled++, "x", 1);
}

static void run_lap(void)
{
	struct ttlog_reader_channel seen;
	uint64_t rounds = 0;

	begin_one(1024);
	on_signal_lap(0);
	send_outer(rounds++);
	handle(on_signal_lap);
	while (!interrupt_->over) {
		fill_chunk(at_full_chunk);
		interrupt_here();
		send_outer(rounds);
		interrupt_end();
		CHILD_CHECK(interrupt_->over || numbered_now("handler").last == handled - 1);
		rounds++;
		seen = channel_now("c");
		CHILD_CHECK(seen.diverted == 0);
		CHILD_CHECK(seen.events + seen.overwritten ==
			    rounds + handled + (rounds - 1) * (at_full_chunk ? 1 : 2));
	}
	CHILD_CHECK(totals_now().torn == 0);
}

Test(channel_signals, a_lap_behind_the_instructions_of_an_event)
{
	cr_expect_gt(interrupt_each(run_lap, 3), 40);
}

Test(channel_signals, a_lap_behind_the_instructions_of_a_chunk_change)
{
	at_full_chunk = true;
	cr_expect_gt(interrupt_each(run_lap, 5), 40);
}

/* ---- away -------------------------------------------------------------------------------------
 */

static void on_signal_jump(int signal_number)
{
	(void)signal_number;
	siglongjmp(back, 1);
}

/* Each jump leaves a chunk in use at most, and the thread's next events give it back. */
static void run_jump(void)
{
	struct ttlog_reader_channel seen;
	volatile uint64_t sent = 0;

	begin_one(2048);
	send_outer(sent++);
	handle(on_signal_jump);
	while (!interrupt_->over) {
		fill_chunk(at_full_chunk);
		if (sigsetjmp(back, 1) == 0) {
			interrupt_here();
			send_outer(sent);
			interrupt_end();
		}
		interrupt_->inside = 0;
		sent++;
		for (uint32_t i = 0; i < 8 * CHUNK_EVENTS; i++)
			ttlog_info_to(channel, "behind", "n", i, "x", 1);
		seen = channel_now("c");
		CHILD_CHECK(seen.diverted == 0);
		/* Three of four chunks at least, whatever was left behind. */
		CHILD_CHECK(seen.events >= 3 * CHUNK_EVENTS);
	}
	CHILD_CHECK(totals_now().torn == 0);
}

Test(channel_signals, a_jump_behind_every_instruction_of_an_event)
{
	cr_expect_gt(interrupt_each(run_jump, 3), 40);
}

Test(channel_signals, a_jump_behind_the_instructions_of_a_chunk_change)
{
	at_full_chunk = true;
	cr_expect_gt(interrupt_each(run_jump, 7), 40);
}

/* ---- into a child -----------------------------------------------------------------------------
 */

static pid_t parent;

static void on_signal_fork(int signal_number)
{
	(void)signal_number;
	parent = fork();
	if (parent == 0)
		interrupt_->inside = 0;
}

/* The child comes back into the event, which is its parent's, and then records its own. */
static void run_fork(void)
{
	uint64_t rounds = 0;

	begin_one(16 << 10);
	send_outer(rounds++);
	handle(on_signal_fork);
	while (!interrupt_->over) {
		fill_chunk(at_full_chunk);
		parent = -1;
		interrupt_here();
		send_outer(rounds);
		interrupt_end();
		if (parent == 0) {
			ttlog_info_to(channel, "child", "n", 0, "x", 1);
			CHILD_CHECK(numbered_now("child").count == 1);
			/* One, if it had not begun yet. */
			CHILD_CHECK(numbered_now("outer").count <= 1);
			_exit(0);
		}
		if (parent > 0) {
			int status = -1;

			CHILD_CHECK(waitpid(parent, &status, 0) == parent && status == 0);
		}
		rounds++;
		CHILD_CHECK(numbered_now("outer").last == rounds - 1);
	}
	CHILD_CHECK(channel_now("c").diverted == 0);
	CHILD_CHECK(totals_now().torn == 0 && totals_now().dropped == 0);
}

Test(channel_signals, a_fork_behind_the_instructions_of_an_event)
{
	cr_expect_gt(interrupt_each(run_fork, 7), 20);
}

Test(channel_signals, a_fork_behind_the_instructions_of_a_chunk_change)
{
	at_full_chunk = true;
	cr_expect_gt(interrupt_each(run_fork, 11), 20);
}

/* ---- open and close ----------------------------------------------------------------------------
 */

static struct ttlog_channel all[8192];
static uint32_t all_count;

static void on_signal_churn(int signal_number)
{
	struct ttlog_channel mine;

	(void)signal_number;
	ttlog_channel_close(all[1]);
	mine = ttlog_channel_open("handler's", 0);
	CHILD_CHECK(ttlog_channel_error(mine) == 0);
	send_number(mine, handled++);
	all[1] = mine;
}

static void run_churn(void)
{
	begin_channels(0);
	all_count = fill_up(all, 8192);
	on_signal_churn(0);
	handle(on_signal_churn);
	while (!interrupt_->over) {
		struct ttlog_channel mine;

		/* Whatever the handler closes, it is not ours. */
		interrupt_here();
		ttlog_channel_close(all[0]);
		mine = ttlog_channel_open("outer", 0);
		interrupt_end();
		CHILD_CHECK(ttlog_channel_error(mine) == 0);
		CHILD_CHECK(mine.index != all[1].index);
		send_number(mine, 7);
		CHILD_CHECK(numbered_in_channel("outer").count == 1);
		CHILD_CHECK(numbered_in_channel("outer").last == 7);
		all[0] = mine;
	}
	for (uint32_t i = 0; i < all_count; i++)
		for (uint32_t k = 0; k < i; k++)
			CHILD_CHECK(all[i].index != all[k].index);
}

Test(channel_signals, channels_come_and_go_behind_every_instruction_of_coming_and_going)
{
	cr_expect_gt(interrupt_each(run_churn, 5), 40);
}

/* All events of the lane have a channel: none was left in memory that is another's by now. */
static void check_names(void)
{
	struct ttlog_reader *reader = view();
	struct ttlog_reader_event event;

	while (ttlog_reader_next(reader, &event))
		CHILD_CHECK(event.lane != TTLOG_LANE_CHANNEL ||
			    event.channel != TTLOG_READER_NO_CHANNEL);
	ttlog_reader_close(reader);
}

static void on_signal_replace(int signal_number)
{
	(void)signal_number;
	ttlog_channel_close(channel);
	all[0] = ttlog_channel_open("instead", 0);
	/* Not while a chunk of it is in use: by the call that this one interrupts. */
	CHILD_CHECK(all[0].index == channel.index || ttlog_channel_error(all[0]) == -ENOSPC);
	send_number(all[0], handled);
}

/* The channel is closed and replaced in mid-event: the event was before that, or has no channel. */
static void run_replaced(void)
{
	uint64_t rounds = 0;

	begin_channels(0);
	fill_up(all, 8192);
	send_outer(0); /* to no channel yet */
	handle(on_signal_replace);
	channel = all[0];
	for (; !interrupt_->over; rounds++) {
		/* One chunk is full and the next one FREE, or there is room. */
		fill_chunk(at_full_chunk);
		all[0].generation = 0;
		interrupt_here();
		send_outer(1 + rounds);
		interrupt_end();
		if (interrupt_->over)
			break;
		check_names();
		if (ttlog_channel_error(all[0]) == 0) {
			CHILD_CHECK(numbered_in_channel("instead").count == 1);
			CHILD_CHECK(channel_now("instead").overwritten == 0);
		}
		/* Ours again, under another handle. */
		ttlog_channel_close(all[0]);
		channel = ttlog_channel_open("c", 0);
		CHILD_CHECK(ttlog_channel_error(channel) == 0);
	}
	CHILD_CHECK(totals_now().torn == 0 && totals_now().dropped == 0);
}

Test(channel_signals, a_replacement_behind_the_instructions_of_an_event)
{
	cr_expect_gt(interrupt_each(run_replaced, 3), 40);
}

Test(channel_signals, a_replacement_behind_the_instructions_of_a_chunk_change)
{
	at_full_chunk = true;
	cr_expect_gt(interrupt_each(run_replaced, 5), 40);
}
