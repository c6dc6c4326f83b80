/* SPDX-License-Identifier: MIT */
/*
 * Processes that know where they are, and die; what the kernel program told of them, as a scene. Their
 * mappings: test_capture_modules.c.
 */
#include <pthread.h>
#include <sys/ucontext.h>

#include "tests/captured_scene.h"

#define MARK UINT64_C(0x5ce9e5ce9e5ce9e5)
#define THREADS 9

/* The word at that address in the thread's slices. */
static bool word_at(const struct scene_thread *thread, uint64_t address, uint64_t *ret_word)
{
	for (unsigned int i = 0; i < thread->slice_count; i++) {
		const struct scene_slice *slice = &thread->slices[i];

		if (address < slice->address || address + 8 > slice->address + slice->bytes)
			continue;
		memcpy(ret_word, slice->data + (address - slice->address), 8);
		return true;
	}
	return false;
}

static void check_mark(const struct scene_thread *thread, uint64_t address)
{
	uint64_t word = 0;

	cr_assert(word_at(thread, address, &word), "%s: no slice has %#llx", thread->name,
		  (unsigned long long)address);
	cr_assert_eq(word, MARK, "%s: %#llx there", thread->name, (unsigned long long)word);
}

/* ---- one thread ---------------------------------------------------------------------------------
 */

#if defined(__x86_64__)
/* All that DWARF numbers, but for the stack pointer: known values, then a fault. */
static __attribute__((noinline, noreturn)) void fault_with_registers(void)
{
	__asm__ volatile("movq $0x1000, %%rax\n\t"
			 "movq $0x1001, %%rdx\n\t"
			 "movq $0x1002, %%rcx\n\t"
			 "movq $0x1003, %%rbx\n\t"
			 "movq $0x1004, %%rsi\n\t"
			 "movq $0x1005, %%rdi\n\t"
			 "movq $0x1006, %%rbp\n\t"
			 "movq $0x1008, %%r8\n\t"
			 "movq $0x1009, %%r9\n\t"
			 "movq $0x100a, %%r10\n\t"
			 "movq $0x100b, %%r11\n\t"
			 "movq $0x100c, %%r12\n\t"
			 "movq $0x100d, %%r13\n\t"
			 "movq $0x100e, %%r14\n\t"
			 "movq $0x100f, %%r15\n\t"
			 "movq %%rax, 0x10\n\t"
			 "ud2" ::
				 : "memory");
	__builtin_unreachable();
}

static void fault_here(void)
{
	volatile uint64_t mark = MARK;
	const uint64_t facts[] = {(uint64_t)(uintptr_t)&mark, (uint64_t)(uintptr_t)pthread_self()};

	tell(facts, sizeof(facts));
	fault_with_registers();
}

Test(capture, has_the_registers_and_the_stack_of_a_fault)
{
	const struct scene_thread *thread;
	struct client client;
	uint64_t facts[2];

	cr_assert_eq(WTERMSIG(look_at(fault_here, &client)), SIGSEGV);
	listen_to(&client, facts, sizeof(facts));
	check_shape();
	cr_assert_eq(scene.thread_count, 1);
	thread = &scene.threads[0];
	cr_assert_eq(thread->tid, (uint32_t)client.pid);
	cr_assert_eq(thread->register_count, 17);
	for (unsigned int i = 0; i < 16; i++)
		if (i != 7)
			cr_assert_eq(thread->registers[i], 0x1000 + i, "register %u: %#llx", i,
				     (unsigned long long)thread->registers[i]);
	cr_assert_lt(thread->registers[7], facts[0]);
	cr_assert_gt(thread->registers[7] + 4096, facts[0]);
	cr_assert_eq(thread->fs_base, facts[1]);
	cr_assert_eq(thread->fault_address, 0x10);
	cr_assert_eq(thread->trap, 14);
	cr_assert_eq(thread->error_code, 6); /* a write, by user space */
	check_mark(thread, facts[0]);
	/* movq %rax, 0x10 */
	cr_assert_eq(thread->code_bytes, 64);
	cr_assert_eq(memcmp(thread->code + (thread->registers[16] - thread->code_address),
			    "\x48\x89\x04\x25\x10\0\0\0\x0f\x0b", 10),
		     0);
	done(&client);
}
#endif

static void call_null(void)
{
	void (*volatile nothing)(void) = NULL;

	nothing();
}

Test(capture, has_a_stack_where_pc_is_nowhere)
{
	struct client client;

	cr_assert_eq(WTERMSIG(look_at(call_null, &client)), SIGSEGV);
	check_shape();
	cr_assert_eq(scene.threads[0].code_bytes, 0);
	cr_assert_gt(scene.threads[0].slice_count, 0);
	done(&client);
}

static volatile bool deeper = true;

static __attribute__((noinline)) uint64_t overflow(uint64_t depth)
{
	volatile uint64_t page[64];

	page[0] = MARK;
	return (deeper ? overflow(depth + 1) : 0) + page[depth & 63];
}

static void overflow_stack(void)
{
	struct rlimit limit = {1 << 20, 1 << 20};

	setrlimit(RLIMIT_STACK, &limit);
	_exit((int)overflow(1));
}

Test(capture, has_the_stack_above_the_page_that_it_overflowed_into)
{
	const struct scene_thread *thread;
	struct client client;
	uint64_t sp;

	cr_assert_eq(WTERMSIG(look_at(overflow_stack, &client)), SIGSEGV);
	check_shape();
	thread = &scene.threads[0];
	sp = thread->registers[7];
	cr_assert_eq(thread->slice_count, 1);
	cr_assert_lt(sp - 4096, thread->slices[0].address);
	cr_assert_leq(thread->slices[0].address, sp + 4096);
	cr_assert_geq(thread->slices[0].bytes, 14 * 4096);
	done(&client);
}

/* ---- handlers -----------------------------------------------------------------------------------
 */

static void on_fault(int signal_number, siginfo_t *info, void *context)
{
	volatile uint64_t mark = MARK;
	const ucontext_t *interrupted = context;
	uint64_t facts[2] = {
		(uint64_t)(uintptr_t)&mark,
#if defined(__x86_64__)
		(uint64_t)interrupted->uc_mcontext.gregs[REG_RSP]
	};
#else
		interrupted->uc_mcontext.sp
	};
#endif

	(void)info;
	tell(facts, sizeof(facts));
	signal(signal_number, SIG_DFL);
	raise(signal_number);
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, signal_number);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	_exit(95);
}

static void die_in_a_handler(void)
{
	static char alternate[65536];
	const stack_t stack = {.ss_sp = alternate, .ss_size = sizeof(alternate)};
	const struct sigaction action = {.sa_sigaction = on_fault,
					 .sa_flags = SA_SIGINFO | SA_ONSTACK};
	volatile uint64_t mark = MARK;
	const uint64_t facts[2] = {(uint64_t)(uintptr_t)&mark, (uint64_t)(uintptr_t)alternate};

	tell(facts, sizeof(facts));
	sigaltstack(&stack, NULL);
	sigaction(SIGSEGV, &action, NULL);
	*(volatile char *)(uintptr_t)mark = 1;
}

Test(capture, has_both_stacks_of_a_handler_on_an_alternate_stack)
{
	uint64_t outside[2], inside[2];
	struct client client;

	cr_assert_eq(WTERMSIG(look_at(die_in_a_handler, &client)), SIGSEGV);
	listen_to(&client, outside, sizeof(outside));
	listen_to(&client, inside, sizeof(inside));
	check_shape();
	cr_assert_eq(scene.threads[0].alternate_stack, outside[1]);
	cr_assert_eq(scene.threads[0].alternate_stack_bytes, 65536);
	cr_assert_eq(scene.threads[0].interrupted_sp, inside[1]);
	check_mark(&scene.threads[0], outside[0]);
	check_mark(&scene.threads[0], inside[0]);
	done(&client);
}

/* ---- many threads -------------------------------------------------------------------------------
 */

static struct told {
	uint64_t tid, mark;
} told[1024];
static unsigned int thread_count;
static pthread_barrier_t here;
static void (*end_of_first)(void);

static void *wait_for_the_end(void *context)
{
	volatile uint64_t mark = MARK;
	struct told *me = context;
	char name[16];

	snprintf(name, sizeof(name), "worker-%u", (unsigned int)(me - told));
	prctl(PR_SET_NAME, name);
	me->tid = (uint64_t)gettid();
	me->mark = (uint64_t)(uintptr_t)&mark;
	pthread_barrier_wait(&here);
	pthread_barrier_wait(&here);
	if (me == told && end_of_first)
		end_of_first();
	for (;;)
		pause();
	return NULL;
}

/* Threads that wait while the first of them (or, without an end for it, the leader) goes on. */
static void be_many(unsigned int count)
{
	pthread_attr_t attributes;
	pthread_t thread;

	thread_count = count;
	pthread_barrier_init(&here, NULL, count + 1);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, 65536);
	for (unsigned int i = 0; i < count; i++)
		if (pthread_create(&thread, &attributes, wait_for_the_end, &told[i]))
			_exit(96);
	pthread_barrier_wait(&here);
	for (unsigned int i = 0; i < count; i += 32)
		tell(&told[i], (count - i < 32 ? count - i : 32) * sizeof(told[0]));
	pthread_barrier_wait(&here);
}

static void fault_in_a_thread(void)
{
	end_of_first = fault;
	be_many(THREADS + 1);
	for (;;)
		pause();
}

static const struct scene_thread *thread_of(uint64_t tid)
{
	for (unsigned int i = 0; i < scene.thread_count; i++)
		if (scene.threads[i].tid == tid)
			return &scene.threads[i];
	return NULL;
}

static void check_workers(unsigned int count)
{
	char name[24];

	for (unsigned int i = 0; i < count; i++) {
		const struct scene_thread *thread = thread_of(told[i].tid);

		snprintf(name, sizeof(name), "worker-%u", i);
		cr_assert(thread, "%s is missing", name);
		cr_assert_str_eq(thread->name, name);
		check_mark(thread, told[i].mark);
	}
}

Test(capture, has_the_names_and_stacks_of_all_threads)
{
	struct client client;

	cr_assert_eq(WTERMSIG(look_at(fault_in_a_thread, &client)), SIGSEGV);
	listen_to(&client, told, (THREADS + 1) * sizeof(told[0]));
	check_shape();
	cr_assert_eq(scene.thread_count, THREADS + 2);
	cr_assert_eq(scene.threads[0].tid, told[0].tid);
	check_workers(THREADS + 1);
	cr_assert(thread_of((uint64_t)client.pid), "the leader is missing");
	cr_assert_eq(scene.threads_left_out + scene.pages_left_out + scene.modules_left_out, 0);
	done(&client);
}

static void be_terminated(void)
{
	be_many(THREADS);
	kill(getpid(), SIGTERM);
	for (;;)
		pause();
}

Test(capture, has_the_thread_that_was_sent_a_sigterm)
{
	struct client client;

	cr_assert_eq(WTERMSIG(look_at(be_terminated, &client)), SIGTERM);
	listen_to(&client, told, THREADS * sizeof(told[0]));
	check_shape();
	cr_assert_eq(scene.threads[0].tid, (uint32_t)client.pid);
	check_workers(THREADS);
	done(&client);
}

#define MANY 500

static void be_too_many(void)
{
	end_of_first = fault;
	be_many(MANY);
	for (;;)
		pause();
}

Test(capture, bounds_the_stacks_of_500_threads_and_keeps_the_one_that_matters)
{
	struct client client;
	unsigned int known = 0;
	size_t bytes = 0;

	cr_assert_eq(WTERMSIG(look_at(be_too_many, &client)), SIGSEGV);
	for (unsigned int i = 0; i < MANY; i += 32)
		listen_to(&client, &told[i], (MANY - i < 32 ? MANY - i : 32) * sizeof(told[0]));
	check_shape();
	cr_assert_leq(scene.thread_count, SCENE_THREADS_MAX + 1);
	cr_assert_eq(scene.thread_count + scene.threads_left_out, MANY + 1);
	cr_assert_eq(scene.threads[0].tid, told[0].tid);
	check_mark(&scene.threads[0], told[0].mark);
	for (unsigned int i = 0; i < scene.thread_count; i++) {
		known += scene.threads[i].slice_count > 0;
		for (unsigned int k = 0; k < scene.threads[i].slice_count; k++)
			bytes += scene.threads[i].slices[k].bytes;
	}
	cr_assert_gt(known, 100);
	cr_assert_leq(bytes, CAPTURE_BYTES_MAX + 2 * TTLOG_BPF_PAGES_FATAL * TTLOG_BPF_PAGE_BYTES);
	done(&client);
}

/* Whoever was sent the signal may come last, when there is no room for more. */
Test(capture, keeps_room_for_the_thread_that_took_the_signal)
{
	struct ttlog_bpf_thread record = {.head = {.kind = TTLOG_BPF_THREAD}, .register_count = 17};
	struct ttlog_bpf_page page = {.head = {.kind = TTLOG_BPF_PAGE}};

	for (uint32_t tid = 1; tid <= SCENE_THREADS_MAX + 10; tid++) {
		record.head.tid = page.head.tid = tid;
		capture_take(&capture, &record.head, sizeof(record));
		for (page.address = 0; page.address < 6 * TTLOG_BPF_PAGE_BYTES;
		     page.address += TTLOG_BPF_PAGE_BYTES)
			capture_take(&capture, &page.head, sizeof(page));
	}
	record.head.tid = page.head.tid = 5000;
	record.flags = TTLOG_BPF_THREAD_FATAL;
	capture_take(&capture, &record.head, sizeof(record));
	capture_take(&capture, &page.head, sizeof(page));
	capture_take(&capture, &page.head, sizeof(page)); /* both slices may have it */
	cr_assert_eq(capture_finish(capture, NULL, -1, &scene), 0);
	cr_assert_eq(scene.thread_count, SCENE_THREADS_MAX + 1);
	cr_assert_eq(scene.threads_left_out, 10);
	cr_assert_eq(scene.pages_left_out, 6 * SCENE_THREADS_MAX - CAPTURE_BYTES_MAX / 4096);
	cr_assert_eq(scene.threads[0].tid, 5000);
	cr_assert_eq(scene.threads[0].slice_count, 1);
	cr_assert_eq(scene.threads[0].slices[0].bytes, 4096);
	cr_assert_eq(scene.threads[1].slices[0].bytes, 6 * 4096);
	scene_clear(&scene);
}

/* ---- who is not looked at -----------------------------------------------------------------------
 */

static void leave(void)
{
	be_many(THREADS);
	_exit(3);
}

static void execute(void)
{
	be_many(THREADS);
	execl("/bin/true", "true", NULL);
	_exit(94);
}

Test(capture, is_not_told_of_threads_that_an_exit_or_an_exec_ends)
{
	static void (*const lives[])(void) = {leave, execute};

	for (unsigned int i = 0; i < 2; i++) {
		struct client client;

		open_watch();
		watch_set_scenes(watch, on_scene);
		start(&client, lives[i]);
		cr_assert(WIFEXITED(reap(&client)));
		cr_assert_not(capture);
		seen.count = 0;
		finish(&client);
		close_watch();
	}
}
