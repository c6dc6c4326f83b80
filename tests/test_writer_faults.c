/* SPDX-License-Identifier: MIT */
/*
 * test_writer_faults.c - handlers of a fault inside an event's copy: they record, or jump out of
 * it.
 */
#include <setjmp.h>
#include <sys/mman.h>

#include "lib/ring.h"
#include "tests/own_region.h"

static volatile uint64_t handled;

static void handle(int signal_number, void (*handler)(int), int flags)
{
	struct sigaction action = {.sa_handler = handler, .sa_flags = flags};

	sigemptyset(&action.sa_mask);
	sigaction(signal_number, &action, NULL);
}

static unsigned char *page;
static sigjmp_buf out_of_here;

static void make_page(const char *content)
{
	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	strcpy((char *)page, content);
	mprotect(page, 4096, PROT_NONE);
}

static void on_fault_record(int signal_number)
{
	(void)signal_number;
	ttlog_info("handler", "n", handled++);
	mprotect(page, 4096, PROT_READ | PROT_WRITE);
}

/* The span's size is known without a look at it, so the fault comes while the event is written. */
__attribute__((noinline)) static void record_page(uint64_t n)
{
	ttlog_info("outer", "n", n, "page", ttlog_bytes(page, 20));
}

static void expect_both_whole(void)
{
	struct ttlog_reader *reader = view();
	struct ttlog_reader_event event;

	cr_assert_not_null(next_of(reader, "outer", &event));
	cr_expect_eq(event.value[1].size, 20);
	cr_expect_str_eq(event.value[1].data, "from behind a fault");
	cr_expect_null(next_of(reader, "outer", &event));
	ttlog_reader_rewind(reader);
	cr_assert_not_null(next_of(reader, "handler", &event));
	cr_expect_eq(event.lane, TTLOG_LANE_NESTED);
	cr_expect_null(next_of(reader, "handler", &event));
	ttlog_reader_close(reader);
	ttlog_info("later", "n", 0);
	cr_expect_eq(numbered_now("later").count, 1);
	cr_expect_eq(lane_now(TTLOG_LANE_NESTED).events, 1, "later events are no nested ones");
}

Test(writer_faults, a_fault_inside_a_copy_leaves_both_events_whole)
{
	begin(0);
	ttlog_info("warm");
	page = (unsigned char *)"this is twenty bytes";
	ttlog_info("sites are known", "n", 0);
	make_page("from behind a fault");
	handle(SIGSEGV, on_fault_record, 0);
	record_page(1);
	expect_both_whole();
}

Test(writer_faults, a_fault_inside_the_copy_of_the_very_first_event_leaves_both_whole)
{
	make_page("from behind a fault");
	handle(SIGSEGV, on_fault_record, 0);
	record_page(1);
	expect_both_whole();
}

Test(writer_faults, a_fault_handled_on_an_alternate_stack_leaves_both_whole)
{
	static unsigned char memory[32768];
	stack_t stack = {.ss_sp = memory, .ss_size = sizeof(memory)};

	begin(0);
	cr_assert_eq(sigaltstack(&stack, NULL), 0);
	make_page("from behind a fault");
	handle(SIGSEGV, on_fault_record, SA_ONSTACK);
	record_page(1);
	expect_both_whole();
}

static void on_fault_jump(int signal_number)
{
	(void)signal_number;
	siglongjmp(out_of_here, 1);
}

__attribute__((noinline)) static void record_deeper(uint64_t n)
{
	ttlog_info("later", "n", n);
}

/*
 * Deeper calls can't know that the interrupted one is gone: they go to slots. The first that is no
 * deeper than it was knows, and all after it are in the thread's own chunk again.
 */
#define EXPECT_LIFE_AFTER_A_JUMP()                                                                 \
	do {                                                                                       \
		struct numbered later;                                                             \
                                                                                                   \
		record_deeper(0);                                                                  \
		record_deeper(1);                                                                  \
		ttlog_info("later", "n", 2);                                                       \
		for (uint64_t i = 3; i < 1000; i++)                                                \
			record_deeper(i);                                                          \
		later = numbered_now("later");                                                     \
		cr_expect_eq(later.count, 1000);                                                   \
		cr_expect_eq(later.gaps, 0);                                                       \
		cr_expect_eq(numbered_now("outer").count, 0, "its call never returned");           \
		cr_expect_leq(lane_now(TTLOG_LANE_NESTED).events, 2);                              \
		cr_expect_eq(totals_now().torn, 0);                                                \
		cr_expect_eq(totals_now().dropped, 0);                                             \
		cr_expect_eq(ttlog_writer_->busy, 0);                                              \
	} while (0)

Test(writer_faults, a_jump_out_of_a_handler_in_mid_event_ends_nothing)
{
	begin(0);
	make_page("never read");
	handle(SIGSEGV, on_fault_jump, SA_NODEFER);
	ttlog_info("warm");
	if (sigsetjmp(out_of_here, 1) == 0)
		record_page(1);
	EXPECT_LIFE_AFTER_A_JUMP();
}

Test(writer_faults, a_jump_out_of_an_alternate_stack_in_mid_event_ends_nothing)
{
	static unsigned char memory[32768];
	stack_t stack = {.ss_sp = memory, .ss_size = sizeof(memory)};

	begin(0);
	cr_assert_eq(sigaltstack(&stack, NULL), 0);
	make_page("never read");
	handle(SIGSEGV, on_fault_jump, SA_NODEFER | SA_ONSTACK);
	ttlog_info("warm");
	if (sigsetjmp(out_of_here, 1) == 0)
		record_page(1);
	EXPECT_LIFE_AFTER_A_JUMP();
}

Test(writer_faults, a_jump_out_of_the_very_first_event_ends_nothing)
{
	make_page("never read");
	handle(SIGSEGV, on_fault_jump, SA_NODEFER);
	if (sigsetjmp(out_of_here, 1) == 0)
		record_page(1);
	EXPECT_LIFE_AFTER_A_JUMP();
}

Test(writer_faults, the_same_call_again_after_a_jump_is_not_nested)
{
	begin(0);
	make_page("never read");
	handle(SIGSEGV, on_fault_jump, SA_NODEFER);
	for (volatile uint64_t i = 0; i < 500; i++) {
		if (sigsetjmp(out_of_here, 1) == 0)
			record_page(i);
		mprotect(page, 4096, PROT_READ | PROT_WRITE);
		record_page(i);
		mprotect(page, 4096, PROT_NONE);
	}
	cr_expect_eq(numbered_now("outer").count, 500);
	cr_expect_eq(numbered_now("outer").gaps, 0);
	cr_expect_eq(lane_now(TTLOG_LANE_NESTED).events, 0);
}
