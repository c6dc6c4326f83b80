/* SPDX-License-Identifier: MIT */
/*
 * step_forks.c - scenarios in which threads and processes begin and end; see step_scenarios.c.
 *
 * What has to happen in the middle of an event is done by the handler of a fault: the text that is
 * recorded lies on a page that can't be read at first.
 */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/process.h"
#include "lib/writer.h"
#include "tests/step_pieces.h"
#include "tests/step_scenarios.h"
#include "tests/step_tracer.h"

/* ---- in the middle of an event --------------------------------------------------------------- */

static struct {
	char *text; /* a page */
	char *page; /* what faults: the text, or memory of the region */
	uint64_t number;
	uint32_t bytes;
	void (*then)(void);
	pid_t pid; /* who records */
} fault;

static void on_fault(int number)
{
	(void)number;
	if (mprotect(fault.page, 4096, PROT_READ | PROT_WRITE) != 0)
		abort();
	if (fault.page == fault.text)
		memcpy(fault.text, witness_text(fault.number, fault.bytes), fault.bytes);
	fault.then();
}

static void fault_prepare(void (*then)(void))
{
	struct sigaction action = {.sa_handler = on_fault, .sa_flags = SA_NODEFER};

	fault.text = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (fault.text == MAP_FAILED)
		abort();
	fault.page = fault.text;
	fault.then = then;
	fault.pid = getpid();
	sigaction(SIGSEGV, &action, NULL);
}

/* then() runs in the middle of this; it returns in a child too, where it is nobody's event. */
static __attribute__((noinline)) void record_faulting(uint32_t bytes)
{
	uint64_t number = witness_start(0);

	fault.number = number;
	fault.bytes = bytes;
	ttlog_info("step", "stream", 0u, "number", number, "bytes", bytes, "text",
		   ttlog_bytes(fault.text, bytes), "mark", number * WITNESS_MARK);
	if (getpid() == fault.pid)
		witness_return(0, number);
}

static void do_nothing(void)
{
}

/* Its site is known, and the text can't be read again. */
static void fault_warm_up(void)
{
	void (*then)(void) = fault.then;

	fault.then = do_nothing;
	record_faulting(SMALL);
	fault.then = then;
	mprotect(fault.text, 4096, PROT_NONE);
}

static pid_t child_of_handler;

static void fork_and_stop(void)
{
	child_of_handler = fork();
	if (child_of_handler < 0)
		abort();
	if (child_of_handler == 0)
		stepper_stop_here();
}

static void go_on_forked(void)
{
	if (child_of_handler == 0) {
		record_info(WITNESS_CHILD_STREAM, SMALL);
		piece_is_over();
		for (int i = 0; i < 20; i++)
			record_info(WITNESS_CHILD_STREAM, LARGE);
		_exit(0);
	}
	while (waitpid(child_of_handler, NULL, 0) < 0)
		;
	record_after();
}

static void fork_within(uint32_t bytes)
{
	handle_with(SIG_DFL);
	record_faulting(bytes);
	go_on_forked();
}

static void forked_in_fast_path(void)
{
	warm_up();
	fault_prepare(fork_and_stop);
	fault_warm_up();
	fork_within(SMALL);
}

static void forked_in_change(void)
{
	warm_up();
	fault_prepare(fork_and_stop);
	fault_warm_up();
	fill_chunk();
	fork_within(LARGE);
}

static void forked_in_nested(void)
{
	warm_up();
	fault_prepare(fork_and_stop);
	fault_warm_up();
	ttlog_writer_->busy = ttlog_stack_pointer_();
	fork_within(SMALL);
}

/* At a stop it is the memory of the chunk before that faults, when it is given back. */
static void forked_in_stop(void)
{
	char *text;

	warm_up();
	fault_prepare(fork_and_stop);
	fault_warm_up();
	fill_chunk();
	fill_chunks(chunk_count(TTLOG_LANE_BOOT) + 3);
	record_info(0, LARGE);
	text = fault.text;
	mprotect(text, 4096, PROT_READ | PROT_WRITE);
	memcpy(text, witness_text(atomic_load(&witness->stream[0].started) + 1, SMALL), SMALL);
	fault.page = (char *)((uintptr_t)ttlog_thread_mine()->full.chunk & ~(uintptr_t)4095);
	mprotect(fault.page, 4096, PROT_READ);
	atomic_store(&witness->child_repeats, 1);
	fork_within(SMALL);
}

/* Before the library's constructor: so its child handler comes first, and the other is stepped. */
static bool stop_in_fork;

static void before_library(void)
{
	if (stop_in_fork)
		stepper_stop_here();
}

__attribute__((constructor(101))) static void register_first(void)
{
	pthread_atfork(NULL, NULL, before_library);
}

/* What the library does in a child that fork() has just made. */
static void fork_here(void)
{
	handle_with(SIG_DFL);
	stop_in_fork = true;
	child_of_handler = fork();
	stop_in_fork = false;
	if (child_of_handler < 0)
		abort();
	go_on_forked();
}

static void fork_itself(void)
{
	warm_up();
	fork_here();
}

/* As under an emulator that does not know MADV_WIPEONFORK. */
static void fork_without_wipe(void)
{
	warm_up();
	if (madvise((void *)((uintptr_t)ttlog_thread_mine() & ~(uintptr_t)4095), 4096,
		    MADV_KEEPONFORK) != 0)
		abort();
	/* Two writers. */
	ttlog_writer_->busy = ttlog_stack_pointer_();
	for (int i = 0; i <= TTLOG_NESTED_MAX; i++)
		record_info_deep(3, SMALL);
	fork_here();
}

/* ---- threads --------------------------------------------------------------------------------- */

/* As if the segment of the calling thread's writer were full of threads, but for so many. */
static void fill_segment(uint32_t but)
{
	struct ttlog_thread *mine = ttlog_thread_mine(), *thread;
	uintptr_t end = ((uintptr_t)mine & ~(uintptr_t)4095) + 65536;

	for (thread = mine; (uintptr_t)(thread + 1) <= end; thread++)
		if (!atomic_load(&thread->tid) && but)
			but--;
		else if (!atomic_load(&thread->tid))
			atomic_store(&thread->tid, 1);
}

static void *first_event(void *argument)
{
	if (argument)
		setrlimit(RLIMIT_AS, argument);
	stepper_stop_here();
	record_info(3, SMALL);
	piece_is_over();
	return NULL;
}

static void new_segment(void)
{
	warm_up();
	fill_segment(0);
	run_thread(first_event, NULL);
	record_after();
}

static void no_segment(void)
{
	struct rlimit none = {4096, RLIM_INFINITY}, before;

	warm_up();
	fill_segment(0);
	getrlimit(RLIMIT_AS, &before);
	none.rlim_max = before.rlim_max;
	run_thread(first_event, &none);
	setrlimit(RLIMIT_AS, &before);
	record_after();
}

/* A handler with much to say finds no memory for another writer. */
static void *step_aside(void *argument)
{
	struct ttlog_writer *mine;

	record_info(3, SMALL);
	mine = ttlog_writer_;
	mine->busy = ttlog_stack_pointer_();
	for (int i = 0; i < TTLOG_NESTED_MAX; i++)
		record_info_deep(3, SMALL);
	setrlimit(RLIMIT_AS, argument);
	stepper_stop_here();
	record_info_deep(3, SMALL);
	piece_is_over();
	mine->busy = 0;
	return NULL;
}

static void no_segment_for_another(void)
{
	struct rlimit none = {4096, RLIM_INFINITY}, before;

	warm_up();
	getrlimit(RLIMIT_AS, &before);
	none.rlim_max = before.rlim_max;
	fill_segment(1);
	run_thread(step_aside, &none);
	setrlimit(RLIMIT_AS, &before);
	record_after();
}

/* Between the question for the tid and the claim of a writer: the child has its parent's in hand.
 */
static void *fork_in_first_event(void *argument)
{
	(void)argument;
	fault.page = (char *)atomic_load(&ttlog_life()->segments);
	mprotect(fault.page, 4096, PROT_NONE);
	fork_within(SMALL);
	return NULL;
}

static void forked_in_first_event(void)
{
	char *text;

	warm_up();
	fault_prepare(fork_and_stop);
	fault_warm_up();
	text = fault.text;
	mprotect(text, 4096, PROT_READ | PROT_WRITE);
	memcpy(text, witness_text(atomic_load(&witness->stream[0].started) + 1, SMALL), SMALL);
	atomic_store(&witness->child_repeats, 1);
	run_thread(fork_in_first_event, NULL);
}

static pthread_key_t late;

static void record_late(void *argument)
{
	(void)argument;
	record_info(3, SMALL);
}

static void *exit_with_destructor(void *argument)
{
	record_info(3, SMALL);
	pthread_setspecific(late, argument);
	stepper_stop_here();
	return NULL;
}

/* Behind that of the library: the thread gets a new writer, and gives it back too. */
static void record_in_destructor(void)
{
	warm_up();
	if (pthread_key_create(&late, record_late) != 0)
		abort();
	run_thread(exit_with_destructor, &late);
	piece_is_over();
	record_after();
}

static sigjmp_buf back;

static void jump_back(void)
{
	siglongjmp(back, 1);
}

/* It left an event by a jump, and then it exits. */
static void *exit_after_jump(void *argument)
{
	(void)argument;
	if (sigsetjmp(back, 1) == 0)
		record_faulting(SMALL);
	else
		atomic_store(&witness->stream[0].abandoned, fault.number);
	stepper_stop_here();
	return NULL;
}

static void exit_in_event(void)
{
	warm_up();
	fault_prepare(jump_back);
	fault_warm_up();
	run_thread(exit_after_jump, NULL);
	piece_is_over();
	record_after();
}

/* ---- processes ------------------------------------------------------------------------------- */

static void close_and_open(void)
{
	warm_up();
	stepper_stop_here();
	ttlog_close();
	ttlog_init(NULL);
	record_info(0, SMALL);
	piece_is_over();
	record_after();
}

const struct scenario step_forks[] = {
	{"fork", fork_itself, 512, 0, 0, 0},
	{"fork, nothing is wiped", fork_without_wipe, 512, 0, 0, 0},
	{"fork in a handler, fast path", forked_in_fast_path, 512, 0, 0, 0},
	{"fork in a handler, chunk change", forked_in_change, 512, 0, 0, 0},
	{"fork in a handler, nested", forked_in_nested, 512, 0, 0, 0},
	{"fork in a handler, at a stop", forked_in_stop, 512, 0, 0, 0},
	{"fork in a handler, first event", forked_in_first_event, 512, 0, 0, 0},
	{"first event of many threads", new_segment, 64, 31, 31, 15},
	{"first event of a thread, no memory", no_segment, 16, 7, 0, 0},
	{"another writer, no memory", no_segment_for_another, 16, 7, 0, 0},
	{"exit of a thread that records", record_in_destructor, 64, 7, 31, 31},
	{"exit of a thread after a jump", exit_in_event, 64, 7, 31, 31},
	/* What a handler records while it is closed is not recorded. */
	{"close and open", close_and_open, 32, 0, 0, 0},
	{0},
};
