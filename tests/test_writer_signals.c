/* SPDX-License-Identifier: MIT */
/*
 * test_writer_signals.c - handlers that record, wherever they come in between.
 */
#include <pthread.h>
#include <sys/mman.h>
#include <sys/time.h>

#include "lib/ring.h"
#include "tests/interrupt.h"

static volatile uint64_t handled;

static void on_signal_record(int signal_number)
{
	(void)signal_number;
	ttlog_info("handler", "n", handled++);
}

static void handle(int signal_number, void (*handler)(int), int flags)
{
	struct sigaction action = {.sa_handler = handler, .sa_flags = flags};

	sigemptyset(&action.sa_mask);
	sigaction(signal_number, &action, NULL);
}

/* ---- behind every instruction -----------------------------------------------------------------
 */

/* Nothing of what rounds of one event and as many handlers recorded is missing or damaged. */
static void check_rounds(uint64_t rounds)
{
	struct ttlog_reader *reader = view();
	struct numbered outer = numbered_in(reader, "outer"),
			inner = numbered_in(reader, "handler");
	struct ttlog_reader_totals totals;

	ttlog_reader_totals(reader, &totals);
	CHILD_CHECK(totals.torn == 0 && totals.dropped == 0 && totals.overwritten == 0);
	CHILD_CHECK(outer.count == rounds && outer.gaps == 0);
	CHILD_CHECK(inner.count == handled && handled >= interrupt_->delivered);
	CHILD_CHECK(inner.gaps == 0);
	ttlog_reader_close(reader);
}

/* Fills a chunk from its first event to its last. */
static void on_signal_fill(int signal_number)
{
	fill_to(TTLOG_STOP_SWAP);
	on_signal_record(signal_number);
	fill_to(TTLOG_STOP_SWAP);
}

static void (*at_event)(int) = on_signal_record;

static void run_fast(void)
{
	uint64_t rounds = 0;

	begin(64 << 20);
	handle(SIGUSR1, at_event, 0);
	ttlog_info("handler place, known", "n", 0);
	while (!interrupt_->over) {
		interrupt_here();
		ttlog_info("outer", "n", rounds, "text", "whatever");
		interrupt_end();
		/* In the chunk of the event that was interrupted: behind what the handler filled.
		 */
		on_signal_record(0);
		rounds++;
	}
	check_rounds(rounds);
}

Test(writer_signals, a_handler_behind_every_instruction_of_an_event)
{
	cr_expect_gt(interrupt_each(run_fast, 1), 40);
}

Test(writer_signals, a_handler_that_fills_a_chunk_behind_every_instruction_of_an_event)
{
	at_event = on_signal_fill;
	cr_expect_gt(interrupt_each(run_fast, 1), 40);
}

static enum ttlog_stop at_stop; /* NONE: where there is no spare */

static void run_stop(void)
{
	uint64_t rounds = 0;

	begin(64 << 20);
	handle(SIGUSR1, on_signal_record, 0);
	while (!interrupt_->over) {
		if (at_stop)
			fill_to(at_stop);
		else
			fill_without_spare();
		interrupt_here();
		ttlog_info("outer", "n", rounds);
		interrupt_end();
		rounds++;
	}
	check_rounds(rounds);
}

Test(writer_signals, a_handler_behind_every_instruction_of_a_chunk_change)
{
	cr_expect_gt(interrupt_each(run_stop, 7), 40);
}

Test(writer_signals, a_handler_behind_every_instruction_of_a_retire)
{
	at_stop = TTLOG_STOP_RETIRE;
	cr_expect_gt(interrupt_each(run_stop, 3), 40);
}

Test(writer_signals, a_handler_behind_every_instruction_of_a_draw)
{
	at_stop = TTLOG_STOP_DRAW;
	cr_expect_gt(interrupt_each(run_stop, 3), 40);
}

Test(writer_signals, a_handler_behind_every_instruction_of_a_preparation)
{
	at_stop = TTLOG_STOP_PREPARE;
	cr_expect_gt(interrupt_each(run_stop, 5), 40);
}

Test(writer_signals, a_handler_behind_every_instruction_of_a_swap)
{
	at_stop = TTLOG_STOP_SWAP;
	cr_expect_gt(interrupt_each(run_stop, 3), 40);
}

static void run_alert(void)
{
	uint64_t rounds = 0;

	begin(64 << 20);
	handle(SIGUSR1, on_signal_record, 0);
	while (!interrupt_->over) {
		interrupt_here();
		ttlog_error("outer", "n", rounds);
		interrupt_end();
		rounds++;
	}
	check_rounds(rounds);
}

Test(writer_signals, a_handler_behind_every_instruction_of_an_alert)
{
	cr_expect_gt(interrupt_each(run_alert, 5), 60);
}

static void on_signal_alert(int signal_number)
{
	(void)signal_number;
	ttlog_error("handler", "n", handled++);
}

static void run_alert_in_alert(void)
{
	uint64_t rounds = 0;

	begin(64 << 20);
	handle(SIGUSR1, on_signal_alert, 0);
	while (!interrupt_->over) {
		interrupt_here();
		ttlog_error("outer", "n", rounds);
		interrupt_end();
		rounds++;
	}
	check_rounds(rounds);
}

Test(writer_signals, an_alert_behind_every_instruction_of_an_alert)
{
	cr_expect_gt(interrupt_each(run_alert_in_alert, 7), 40);
}

/* The same site is new in each round, and so is the string. */
static void run_registration(void)
{
	static const uint8_t types[] = {TTLOG_TYPE_U64};
	static const char *const names[] = {"n"};
	uint64_t rounds = 0;

	begin(64 << 20);
	handle(SIGUSR1, on_signal_record, 0);
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
		rounds++;
	}
	check_rounds(rounds);
}

Test(writer_signals, a_handler_behind_every_instruction_of_a_sites_first_event)
{
	cr_expect_gt(interrupt_each(run_registration, 29), 30);
}

/* ---- the first event of a process -------------------------------------------------------------
 */

/* One round a process: the first event of all is interrupted by another one. */
static int first_event_interrupted(uint64_t instructions)
{
	int status, stop;
	pid_t pid = fork();
	bool is_sent = false;

	if (pid == 0) {
		struct ttlog_reader *reader;

		CHILD_CHECK(ptrace(PTRACE_TRACEME, 0, 0, 0) == 0);
		handle(SIGUSR1, on_signal_record, 0);
		interrupt_here();
		ttlog_info("outer", "n", 1);
		reader = view();
		CHILD_CHECK(numbered_in(reader, "outer").count == 1);
		CHILD_CHECK(numbered_in(reader, "handler").count == handled);
		CHILD_CHECK(ttlog_life()->dropped == 0);
		ttlog_reader_close(reader);
		_exit(handled ? 0 : 255);
	}
	while ((stop = interrupt_wait(pid, &status)) >= 0) {
		int deliver = stop == SIGSTOP ? 0 : stop;

		if (stop == SIGSTOP && !is_sent) {
			is_sent = true;
			if (!interrupt_step(pid, instructions))
				return -1;
			deliver = SIGUSR1;
		}
		cr_assert_eq(ptrace(PTRACE_CONT, pid, 0, (long)deliver), 0);
	}
	cr_assert(WIFEXITED(status), "killed by %d at %" PRIu64, WTERMSIG(status), instructions);
	return WEXITSTATUS(status);
}

Test(writer_signals, a_handler_while_the_process_starts_waits_for_nobody)
{
	/* The start itself has its signals blocked; what counts is what is before and behind. */
	interrupt_begin();
	for (uint64_t k = 0; k < 120; k++)
		cr_assert_eq(first_event_interrupted(k), 0, "behind instruction %" PRIu64, k);
	for (uint64_t k = 120; k < 12000; k += 1009)
		cr_assert_eq(first_event_interrupted(k), 0, "behind instruction %" PRIu64, k);
}

Test(writer_signals, the_very_first_event_may_be_a_handlers)
{
	handle(SIGUSR1, on_signal_record, 0);
	raise(SIGUSR1);
	cr_expect_eq(numbered_now("handler").count, 1);
	ttlog_info("after", "n", 0);
	cr_expect_eq(numbered_now("after").count, 1);
}

Test(writer_signals, the_very_first_event_may_be_on_an_alternate_stack)
{
	const size_t size = 16384;
	unsigned char *memory =
		mmap(NULL, size + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	stack_t stack = {.ss_sp = memory + 4096, .ss_size = size};

	/* An overflow would be a crash, not luck. */
	cr_assert_eq(mprotect(memory, 4096, PROT_NONE), 0);
	cr_assert_eq(sigaltstack(&stack, NULL), 0);
	handle(SIGUSR1, on_signal_record, SA_ONSTACK);
	raise(SIGUSR1);
	cr_expect_eq(numbered_now("handler").count, 1);
}

/* ---- storms -----------------------------------------------------------------------------------
 */

static volatile int storm_is_over;
static pthread_t storm_target;

static void *storm_thread(void *argument)
{
	sigset_t alarm;

	(void)argument;
	/* The timer's signals are for the other thread, too. */
	sigemptyset(&alarm);
	sigaddset(&alarm, SIGALRM);
	pthread_sigmask(SIG_BLOCK, &alarm, NULL);
	while (!storm_is_over)
		pthread_kill(storm_target, SIGUSR1);
	return NULL;
}

Test(writer_signals, storms_of_handlers_lose_nothing)
{
	struct sigaction action = {.sa_handler = on_signal_record, .sa_flags = SA_RESTART};
	struct itimerval timer = {{0, 100}, {0, 100}};
	struct ttlog_reader_totals totals;
	struct numbered outer, inner;
	pthread_t thread;
	uint64_t n = 0;

	begin(256 << 20);
	storm_target = pthread_self();
	/* One handler at a time, so that its counter is right. */
	sigfillset(&action.sa_mask);
	sigaction(SIGUSR1, &action, NULL);
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
	cr_assert_eq(pthread_create(&thread, NULL, storm_thread, NULL), 0);
	while (handled < 5000)
		ttlog_info("outer", "n", n++, "text", "some text to copy");
	storm_is_over = 1;
	pthread_join(thread, NULL);
	timer = (struct itimerval){0};
	setitimer(ITIMER_REAL, &timer, NULL);
	totals = totals_now();
	outer = numbered_now("outer");
	inner = numbered_now("handler");
	cr_expect_eq(totals.torn, 0);
	cr_expect_eq(totals.dropped, 0);
	cr_expect_eq(totals.events + totals.overwritten, n + handled);
	cr_expect_eq(outer.last, n - 1);
	cr_expect_eq(inner.last, handled - 1);
}

/* ---- errno ------------------------------------------------------------------------------------
 */

Test(writer_signals, errno_is_left_alone_by_every_call)
{
	struct ttlog_site bad = {.level = 99};
	struct ttlog_options wrong = {.size = sizeof(wrong), .level = "loud"};
	struct ttlog_stats stats = {.size = sizeof(stats)};

	errno = ESTALE;
	ttlog_init_with(&wrong);
	ttlog_init_with(NULL);
	ttlog_init("x");
	ttlog_init("x");
	cr_expect_eq(errno, ESTALE);
	ttlog_info("first", "n", 1);
	for (int i = 0; i < 100000; i++)
		ttlog_info("more", "n", i);
	ttlog_error("alert", "n", 1);
	cr_expect_eq(errno, ESTALE);
	ttlog_intern("string");
	ttlog_intern(NULL);
	ttlog_snapshot("reason");
	ttlog_snapshot(NULL);
	ttlog_site_register(&bad);
	ttlog_record(&bad, NULL, 0);
	cr_expect_eq(errno, ESTALE);
	ttlog_set_level((enum ttlog_level)99);
	ttlog_set_level(TTLOG_TRACE);
	ttlog_get_stats(&stats);
	ttlog_get_stats(NULL);
	ttlog_close();
	ttlog_close();
	cr_expect_eq(errno, ESTALE);
	ttlog_intern("closed");
	ttlog_snapshot("closed");
	ttlog_set_level(TTLOG_INFO);
	cr_expect_eq(errno, ESTALE);
}
