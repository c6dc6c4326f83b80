/* SPDX-License-Identifier: MIT */
/*
 * test_writer_jumps.c - handlers that do not come back, or not for long: nobody can say whether the
 * event that they interrupted will be written to its end. Events go to slots then, but not for
 * ever.
 *
 *   gone for sure   the next event that is no deeper on the same stack knows that it is
 *   not so sure     deeper calls, other stacks, an alternate stack: after NESTED_MAX events in
 *                   slots the thread records into chunks again, of another writer. If the
 *                   interrupted call comes back after all, its event is whole, where it belongs
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <ucontext.h>

#include "lib/writer.h"
#include "tests/own_region.h"

#define TEXT 500 /* more than a slot takes */
#define EVENTS 3000

static unsigned char *page;
static sigjmp_buf out_of_here;
static char text[TEXT + 1];
static volatile uint64_t next_number;

static void prepare(void)
{
	page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memset(text, 't', TEXT);
	begin(16 << 20);
	cr_assert_eq(ttlog_set_level(TTLOG_TRACE), 0);
}

TestSuite(writer_jumps, .init = prepare, .timeout = 120);

static void handle(int signal_number, void (*handler)(int), int flags)
{
	struct sigaction action = {.sa_handler = handler, .sa_flags = flags};

	sigemptyset(&action.sa_mask);
	sigaction(signal_number, &action, NULL);
}

static void use_alternate_stack(void)
{
	static unsigned char memory[65536];
	stack_t stack = {.ss_sp = memory, .ss_size = sizeof(memory)};

	cr_assert_eq(sigaltstack(&stack, NULL), 0);
}

__attribute__((noinline)) static void record(uint64_t count)
{
	for (uint64_t i = 0; i < count; i++)
		ttlog_info("later", "n", next_number++, "text", (const char *)text);
}

/* So deep that nobody takes it for the interrupted call. */
__attribute__((noinline)) static void record_deeper(uint64_t count)
{
	volatile char frame[8192];

	frame[0] = 1;
	record(count);
	frame[8191] = frame[0];
}

/* The span's size is known without a look at it, so the fault comes while the event is written. */
__attribute__((noinline)) static void fault_in_mid_event(uint64_t n)
{
	ttlog_info("outer", "n", n, "page", ttlog_bytes(page, 20));
}

static void on_fault_jump(int signal_number)
{
	(void)signal_number;
	siglongjmp(out_of_here, 1);
}

static uint64_t in_slots(void)
{
	struct ttlog_reader_lane lane = lane_now(TTLOG_LANE_NESTED);

	return lane.events + lane.overwritten;
}

/* All that was recorded since is there, in order; but for a few, whole. */
static void expect_chunks_again(uint64_t slots_max)
{
	struct numbered run = numbered_now("later");
	struct ttlog_reader_totals totals = totals_now();

	cr_expect_eq(run.count, next_number);
	cr_expect_eq(run.gaps, 0);
	cr_expect_leq(in_slots(), slots_max);
	cr_expect_leq(totals.truncated, slots_max);
	cr_expect_eq(totals.torn, 0);
	cr_expect_eq(totals.dropped, 0);
}

static uint32_t owned_chunks(void)
{
	uint32_t owned = 0;

	for (uint32_t id = 0; id < ttlog_place_.geometry.lane_count; id++) {
		const struct ttlog_lane_geometry *lane = &ttlog_place_.geometry.lane[id];
		struct ttlog_chunk_record *record =
			(void *)(ttlog_place_.base + lane->records_offset);

		for (uint32_t i = 0; i < lane->chunk_count; i++)
			owned += TTLOG_STATE_OF(atomic_load(&record[i].state)) == TTLOG_CHUNK_OWNED;
	}
	return owned;
}

/* ---- handlers that jump ---------------------------------------------------------------------- */

Test(writer_jumps, deeper_calls_are_in_chunks_again_soon)
{
	handle(SIGSEGV, on_fault_jump, SA_NODEFER);
	record(3);
	if (sigsetjmp(out_of_here, 1) == 0)
		fault_in_mid_event(0);
	record_deeper(EVENTS);
	expect_chunks_again(TTLOG_NESTED_MAX);
}

Test(writer_jumps, a_jump_off_an_alternate_stack_is_no_different)
{
	use_alternate_stack();
	handle(SIGSEGV, on_fault_jump, SA_NODEFER | SA_ONSTACK);
	record(3);
	if (sigsetjmp(out_of_here, 1) == 0)
		fault_in_mid_event(0);
	record_deeper(EVENTS);
	expect_chunks_again(TTLOG_NESTED_MAX);
}

/* Far more than a frame away: the recursion that has no end is one such. */
__attribute__((noinline)) static void fault_far_down(uint32_t frames)
{
	volatile char frame[4096];

	frame[0] = (char)frames;
	if (frames)
		fault_far_down(frames - 1);
	else
		fault_in_mid_event(0);
	frame[4095] = frame[0];
}

Test(writer_jumps, a_jump_from_far_down_the_stack_ends_nothing)
{
	handle(SIGSEGV, on_fault_jump, SA_NODEFER);
	record(3);
	if (sigsetjmp(out_of_here, 1) == 0)
		fault_far_down(600);
	record(EVENTS);
	expect_chunks_again(TTLOG_NESTED_MAX);
}

static ucontext_t main_context, other_context;

static void fault_here(void)
{
	fault_in_mid_event(0);
}

Test(writer_jumps, a_jump_off_a_coroutines_stack_ends_nothing)
{
	const size_t bytes = 1 << 16;
	void *stack = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	handle(SIGSEGV, on_fault_jump, SA_NODEFER);
	record(3);
	getcontext(&other_context);
	other_context.uc_stack.ss_sp = stack;
	other_context.uc_stack.ss_size = bytes;
	other_context.uc_link = &main_context;
	makecontext(&other_context, fault_here, 0);
	if (sigsetjmp(out_of_here, 1) == 0)
		swapcontext(&main_context, &other_context);
	munmap(stack, bytes);
	record(EVENTS);
	expect_chunks_again(TTLOG_NESTED_MAX);
}

#define FAR_PLACES 3

/*
 * Again and again, and from so far that it can't be proven but where it happens again: what is held
 * is what the writers hold that are set aside, and a slot a place.
 */
Test(writer_jumps, jumps_that_prove_nothing_leak_a_bounded_number_of_chunks)
{
	handle(SIGSEGV, on_fault_jump, SA_NODEFER);
	record(3);
	for (volatile int i = 0; i < 500; i++) {
		if (sigsetjmp(out_of_here, 1) == 0)
			fault_far_down(300 + (uint32_t)i % FAR_PLACES);
		record_deeper(100);
	}
	cr_expect_leq(owned_chunks(), 3 * (1 + TTLOG_ASIDE_MAX) + FAR_PLACES, "%u", owned_chunks());
	cr_expect_eq(numbered_now("later").count + totals_now().overwritten, next_number);
	cr_expect_eq(numbered_now("later").last, next_number - 1);
}

/* An alert is written to a slot, and so is an event inside an event. */
__attribute__((noinline)) static void fault_in_a_slot(void)
{
	ttlog_error("never", "page", ttlog_bytes(page, 20));
}

static void on_fault_fault(int signal_number)
{
	static volatile bool is_inside;

	(void)signal_number;
	if (is_inside) {
		is_inside = false;
		siglongjmp(out_of_here, 1);
	}
	is_inside = true;
	ttlog_info("never", "page", ttlog_bytes(page, 20));
}

Test(writer_jumps, no_slot_is_taken_for_what_can_not_be_read)
{
	uint32_t slots;

	handle(SIGSEGV, on_fault_jump, SA_NODEFER);
	record(3);
	slots = ttlog_place_.geometry.lane[TTLOG_LANE_ALERT].chunk_count;
	for (volatile uint32_t i = 0; i < 2 * slots; i++) {
		if (sigsetjmp(out_of_here, 1) == 0)
			fault_in_a_slot();
		if (i % 50 == 0)
			ttlog_error("alert", "n", i / 50);
	}
	cr_expect_leq(owned_chunks(), 1, "%u", owned_chunks());
	handle(SIGSEGV, on_fault_fault, SA_NODEFER);
	for (volatile uint32_t i = 0; i < 2000; i++)
		if (sigsetjmp(out_of_here, 1) == 0)
			fault_in_mid_event(i);
	cr_expect_leq(owned_chunks(), 3 * (1 + TTLOG_ASIDE_MAX), "%u", owned_chunks());
	cr_expect_eq(numbered_now("alert").last, (2 * slots - 1) / 50);
	cr_expect_eq(numbered_now("alert").gaps, 0);
	cr_expect_eq(lane_now(TTLOG_LANE_ALERT).events, 2 * slots / 50 + 1);
}

/* At any moment, by a timer. */
static void on_alarm_jump(int signal_number)
{
	(void)signal_number;
	siglongjmp(out_of_here, 1);
}

Test(writer_jumps, slots_that_a_jump_left_are_used_again)
{
	struct itimerval timer = {{0, 0}, {0, 50}};
	const struct itimerval off = {{0, 0}, {0, 0}};
	volatile uint64_t jumps = 0, n = 0;

	handle(SIGALRM, on_alarm_jump, 0);
	while (jumps < 5000) {
		if (sigsetjmp(out_of_here, 1) == 0) {
			setitimer(ITIMER_REAL, &timer, NULL);
			for (;; n++)
				ttlog_error("alert", "n", n);
		}
		jumps++;
	}
	setitimer(ITIMER_REAL, &off, NULL);
	ttlog_error("alert", "n", n + 1);
	cr_expect_leq(owned_chunks(), 1, "%u", owned_chunks());
	cr_expect_eq(totals_now().torn, 0);
}

static void *jump_and_end(void *argument)
{
	(void)argument;
	record(3);
	if (sigsetjmp(out_of_here, 1) == 0)
		fault_in_mid_event(0);
	record_deeper(200);
	return NULL;
}

Test(writer_jumps, a_thread_that_ends_leaves_nothing_behind)
{
	handle(SIGSEGV, on_fault_jump, SA_NODEFER);
	for (int i = 0; i < 20; i++) {
		pthread_t thread;

		cr_assert_eq(pthread_create(&thread, NULL, jump_and_end, NULL), 0);
		pthread_join(thread, NULL);
	}
	cr_expect_eq(owned_chunks(), 0);
	cr_expect_eq(atomic_load(&ttlog_life()->writers), 0);
	cr_expect_eq(numbered_now("later").count + totals_now().overwritten, next_number);
}

/* ---- handlers that come back after all ------------------------------------------------------- */

static void on_fault_record_much(int signal_number)
{
	(void)signal_number;
	record(200);
	mprotect(page, 4096, PROT_READ | PROT_WRITE);
}

static void expect_outer_whole(uint64_t count)
{
	struct ttlog_reader *reader = view();
	struct ttlog_reader_event event;
	uint64_t n = 0;

	while (next_of(reader, "outer", &event)) {
		cr_expect_eq(event.value[0].bits, n++);
		cr_expect_eq(event.value[1].size, 20);
		cr_expect_eq(event.lane == TTLOG_LANE_BOOT || event.lane == TTLOG_LANE_MAIN, 1);
	}
	cr_expect_eq(n, count);
	ttlog_reader_close(reader);
}

static void expect_both_whole(void)
{
	record(10);
	for (uint64_t n = 0; n < 50; n++) {
		mprotect(page, 4096, PROT_NONE);
		fault_in_mid_event(n);
		record(10);
	}
	cr_expect_eq(numbered_now("later").last, next_number - 1);
	cr_expect_eq(totals_now().torn, 0);
	cr_expect_eq(totals_now().dropped, 0);
	expect_outer_whole(50);
	/* What is not in the boot lane is overwritten, and counted. The writers that were set aside
	 * are given up. */
	record(40000);
	cr_expect_eq(totals_now().events + totals_now().overwritten, next_number + 50);
	cr_expect_leq(atomic_load(&ttlog_life()->writers), 2);
	cr_expect_leq(owned_chunks(), 6);
}

/* ---- whose a writer is ------------------------------------------------------------------------ */

static void *record_once(void *argument)
{
	*(struct ttlog_writer **)argument = NULL;
	ttlog_info("other", "n", 1u);
	*(struct ttlog_writer **)argument = ttlog_writer_;
	return NULL;
}

/* As if a handler that interrupted an event had so much to say. */
static void set_aside(struct ttlog_writer *writer)
{
	writer->busy = ttlog_stack_pointer_() + 65536;
	record_deeper(TTLOG_NESTED_MAX + 2);
	writer->busy = 0;
}

/*
 * A call may have looked its writer up before a handler came that has it set aside: other threads
 * must not get it, whatever is recorded in between.
 */
Test(writer_jumps, what_was_set_aside_stays_with_its_thread)
{
	struct ttlog_writer *before, *others;
	struct ttlog_thread *thread;
	pthread_t other;

	record(3);
	before = ttlog_writer_;
	thread = my_thread();
	set_aside(before);
	cr_assert_neq(ttlog_writer_, before);
	fill_to(TTLOG_STOP_PREPARE);
	cr_expect_null(before->chunk, "it is emptied");
	cr_assert_eq(pthread_create(&other, NULL, record_once, &others), 0);
	pthread_join(other, NULL);
	cr_expect_neq(others, before);
	cr_expect_eq(atomic_load(&thread->tid), (uint32_t)syscall(SYS_gettid));
	/* The call that knew it comes back, and what it records is where it belongs. */
	ttlog_writer_ = before;
	record(EVENTS);
	expect_chunks_again(TTLOG_NESTED_MAX);
}

/* Again and again: there are never more writers than calls that are set aside. */
Test(writer_jumps, what_was_set_aside_serves_again)
{
	record(3);
	for (int i = 0; i < 1000; i++) {
		set_aside(ttlog_writer_);
		record(3);
	}
	cr_expect_eq(atomic_load(&ttlog_life()->writers), 2);
	cr_expect_leq(owned_chunks(), 3, "%u", owned_chunks());
	cr_expect_eq(totals_now().events + totals_now().overwritten, next_number);
	cr_expect_eq(totals_now().dropped, 0);
	cr_expect_eq(numbered_now("later").last, next_number - 1);
}

Test(writer_jumps, a_handler_that_records_much_and_comes_back_leaves_both_whole)
{
	handle(SIGSEGV, on_fault_record_much, 0);
	expect_both_whole();
}

Test(writer_jumps, and_so_on_an_alternate_stack)
{
	use_alternate_stack();
	handle(SIGSEGV, on_fault_record_much, SA_ONSTACK);
	expect_both_whole();
}

/* A scheduler that takes turns in a handler: the interrupted call waits, for however long. */
static void on_fault_switch(int signal_number)
{
	(void)signal_number;
	swapcontext(&other_context, &main_context);
	mprotect(page, 4096, PROT_READ | PROT_WRITE);
}

Test(writer_jumps, an_event_that_waits_on_another_stack_is_whole_when_its_turn_comes)
{
	const size_t bytes = 1 << 17;
	void *stack = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	handle(SIGSEGV, on_fault_switch, SA_NODEFER);
	record(3);
	getcontext(&other_context);
	other_context.uc_stack.ss_sp = stack;
	other_context.uc_stack.ss_size = bytes;
	other_context.uc_link = &main_context;
	makecontext(&other_context, fault_here, 0);
	swapcontext(&main_context, &other_context);
	record(EVENTS);
	cr_expect_eq(numbered_now("outer").count, 0);
	swapcontext(&main_context, &other_context);
	record(EVENTS);
	expect_chunks_again(TTLOG_NESTED_MAX);
	expect_outer_whole(1);
	munmap(stack, bytes);
}
