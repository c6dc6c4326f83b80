/* SPDX-License-Identifier: MIT */
/*
 * test_process_handlers.c - a handler forks in the middle of an event, and the child comes back
 * into it.
 *
 * The child waits until its parent has recorded more behind that event; only then does it go on
 * with the event that it was copied in the middle of. The parent's region must not notice. The
 * child's next events are in a region of its own, all of them.
 */
#include <stdio.h>

#include "lib/ring.h"
#include "tests/interrupt.h"

static pid_t parent, child;
static int gate[2];

/* The child stays in here until the parent opens the gate. */
static void on_signal_fork(int signal_number)
{
	char byte;

	(void)signal_number;
	if (pipe(gate) != 0)
		_exit(2);
	child = fork();
	if (child == 0) {
		close(gate[1]);
		if (read(gate[0], &byte, 1) != 0)
			_exit(3);
	}
}

/* The same, and the child's first event is recorded in the handler. */
static void on_signal_fork_and_record(int signal_number)
{
	on_signal_fork(signal_number);
	if (child == 0)
		ttlog_info("in the child's handler", "n", 0);
}

static void end_of_child(void)
{
	struct numbered run;

	for (uint64_t i = 0; i < 300; i++)
		ttlog_info("child", "n", i);
	for (uint64_t i = 0; i < 30; i++)
		ttlog_error("child alert", "n", i);
	run = numbered_now("child");
	CHILD_CHECK(run.count == 300 && run.gaps == 0);
	run = numbered_now("child alert");
	CHILD_CHECK(run.count == 30 && run.gaps == 0);
	CHILD_CHECK(totals_now().torn == 0);
	CHILD_CHECK(numbered_now("more").count == 0);
	CHILD_CHECK(atomic_load(&my_thread()->tid) == (uint32_t)syscall(SYS_gettid));
	_exit(0);
}

static void end_of_round(uint64_t round)
{
	int status = -1;

	if (getpid() != parent)
		end_of_child();
	for (uint64_t i = 0; i < 3; i++)
		ttlog_info("more", "n", round * 3 + i);
	ttlog_error("more alerts", "n", round);
	if (!child)
		return;
	close(gate[0]);
	close(gate[1]);
	while (waitpid(child, &status, 0) < 0)
		CHILD_CHECK(errno == EINTR);
	if (status != 0)
		dprintf(2, "round %lu: child %x\n", (unsigned long)round, status);
	CHILD_CHECK(status == 0);
	child = 0;
}

static void check_parent(uint64_t rounds, uint64_t rounds_of_three)
{
	struct ttlog_reader *reader = view();
	struct numbered outer = numbered_in(reader, "outer"), more = numbered_in(reader, "more");
	struct numbered alerts = numbered_in(reader, "more alerts");
	struct ttlog_reader_totals totals;

	ttlog_reader_totals(reader, &totals);
	CHILD_CHECK(outer.count == rounds && outer.gaps == 0);
	CHILD_CHECK(more.count == rounds_of_three && more.gaps == 0);
	CHILD_CHECK(alerts.count == rounds && alerts.gaps == 0);
	CHILD_CHECK(numbered_in(reader, "child").count == 0);
	CHILD_CHECK(numbered_in(reader, "in the child's handler").count == 0);
	CHILD_CHECK(totals.torn == 0 && totals.dropped == 0 && totals.overwritten == 0);
	ttlog_reader_close(reader);
}

static void start(void (*handler)(int))
{
	struct sigaction action = {.sa_handler = handler};

	sigemptyset(&action.sa_mask);
	sigaction(SIGUSR1, &action, NULL);
	parent = getpid();
	begin(16 << 20);
	ttlog_info("warm");
}

static void run_fast_with(void (*handler)(int))
{
	uint64_t rounds = 0;

	start(handler);
	while (!interrupt_->over) {
		interrupt_here();
		ttlog_info("outer", "n", rounds, "text", "whatever");
		interrupt_end();
		end_of_round(rounds++);
	}
	check_parent(rounds, 3 * rounds);
}

static void run_fast(void)
{
	run_fast_with(on_signal_fork);
}

static void run_fast_recording(void)
{
	run_fast_with(on_signal_fork_and_record);
}

/* The first event of a thread: a writer is made. */
static void run_first(void)
{
	uint64_t rounds = 0;

	start(on_signal_fork);
	while (!interrupt_->over) {
		ttlog_ring_leave(my_thread(), ttlog_stack_pointer_());
		ttlog_thread_forget();
		interrupt_here();
		ttlog_info("outer", "n", rounds);
		interrupt_end();
		end_of_round(rounds++);
	}
	check_parent(rounds, 3 * rounds);
}

static enum ttlog_stop at_stop; /* NONE: where there is no spare */

static void run_chunk_change_with(void (*handler)(int))
{
	uint64_t rounds = 0;

	start(handler);
	while (!interrupt_->over) {
		if (at_stop)
			fill_to(at_stop);
		else
			fill_without_spare();
		interrupt_here();
		ttlog_info("outer", "n", rounds);
		interrupt_end();
		end_of_round(rounds++);
	}
	check_parent(rounds, 3 * rounds);
}

static void run_chunk_change(void)
{
	run_chunk_change_with(on_signal_fork);
}

static void run_chunk_change_recording(void)
{
	run_chunk_change_with(on_signal_fork_and_record);
}

static void run_alert(void)
{
	uint64_t rounds = 0;

	start(on_signal_fork);
	while (!interrupt_->over) {
		interrupt_here();
		ttlog_error("outer", "n", rounds);
		interrupt_end();
		end_of_round(rounds++);
	}
	check_parent(rounds, 3 * rounds);
}

/* A site that is new in each round. */
static void run_registration(void)
{
	static const uint8_t types[] = {TTLOG_TYPE_U64};
	static const char *const names[] = {"n"};
	uint64_t rounds = 0;

	start(on_signal_fork_and_record);
	while (!interrupt_->over) {
		struct ttlog_site site = {.level = TTLOG_INFO,
					  .field_count = 1,
					  .line = (uint32_t)rounds,
					  .message = "outer",
					  .names = names,
					  .types = types};
		struct ttlog_value value = ttlog_value_u64(rounds);

		interrupt_here();
		ttlog_record(&site, &value, 1);
		interrupt_end();
		if (getpid() != parent) {
			/* Its site may not have survived; its handler's has. */
			ttlog_record(&site, &value, 1);
			CHILD_CHECK(numbered_now("outer").count > 0);
			CHILD_CHECK(numbered_now("in the child's handler").count == 1);
		}
		end_of_round(rounds++);
	}
	check_parent(rounds, 3 * rounds);
}

Test(process_handlers, a_fork_that_records_behind_the_instructions_of_a_sites_first_event)
{
	cr_expect_gt(interrupt_each(run_registration, 59), 15);
}

Test(process_handlers, a_fork_behind_every_instruction_of_an_event)
{
	cr_expect_gt(interrupt_each(run_fast, 1), 40);
}

Test(process_handlers, a_fork_that_records_behind_every_instruction_of_an_event)
{
	cr_expect_gt(interrupt_each(run_fast_recording, 1), 40);
}

Test(process_handlers, a_fork_behind_the_instructions_of_a_threads_first_event)
{
	cr_expect_gt(interrupt_each(run_first, 5), 40);
}

Test(process_handlers, a_fork_behind_the_instructions_of_a_chunk_change)
{
	cr_expect_gt(interrupt_each(run_chunk_change, 13), 20);
}

Test(process_handlers, a_fork_that_records_behind_the_instructions_of_a_chunk_change)
{
	cr_expect_gt(interrupt_each(run_chunk_change_recording, 17), 15);
}

Test(process_handlers, a_fork_behind_the_instructions_of_a_retire)
{
	at_stop = TTLOG_STOP_RETIRE;
	cr_expect_gt(interrupt_each(run_chunk_change, 9), 12);
}

Test(process_handlers, a_fork_behind_the_instructions_of_a_draw)
{
	at_stop = TTLOG_STOP_DRAW;
	cr_expect_gt(interrupt_each(run_chunk_change, 9), 12);
}

Test(process_handlers, a_fork_behind_the_instructions_of_a_preparation)
{
	at_stop = TTLOG_STOP_PREPARE;
	cr_expect_gt(interrupt_each(run_chunk_change, 13), 12);
}

Test(process_handlers, a_fork_behind_the_instructions_of_a_swap)
{
	at_stop = TTLOG_STOP_SWAP;
	cr_expect_gt(interrupt_each(run_chunk_change, 9), 12);
}

Test(process_handlers, a_fork_that_records_behind_the_instructions_of_a_swap)
{
	at_stop = TTLOG_STOP_SWAP;
	cr_expect_gt(interrupt_each(run_chunk_change_recording, 9), 12);
}

Test(process_handlers, a_fork_behind_the_instructions_of_an_alert)
{
	cr_expect_gt(interrupt_each(run_alert, 13), 15);
}
