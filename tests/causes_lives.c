// SPDX-License-Identifier: MIT
/* causes_lives.c - what clients do to die, or to survive, by themselves. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/ttlog.h"
#include "tests/causes.h"

/* No compiler may know where these are: it would take the liberty. */
static volatile uintptr_t nowhere = 0x10;
static volatile int zero;
static volatile char sink;

void life_waits(void)
{
	for (;;)
		pause();
}

static void *wait_in_a_thread(void *unused)
{
	(void)unused;
	life_waits();
	return NULL;
}

static void be_many(void *(*what)(void *), int count)
{
	pthread_t thread;

	for (int i = 0; i < count; i++)
		if (pthread_create(&thread, NULL, what, NULL))
			_exit(91);
}

/* ---- exits ------------------------------------------------------------------------------------ */

void life_exits_0(void)
{
	exit(0);
}

void life_exits_3(void)
{
	exit(3);
}

static void *exit_4(void *unused)
{
	(void)unused;
	_exit(4);
}

void life_exits_in_a_thread(void)
{
	be_many(wait_in_a_thread, 3);
	be_many(exit_4, 1);
	life_waits();
}

/* The leader is a zombie by then. */
static void *exit_5_alone(void *unused)
{
	char path[64], text[512] = "";
	int fd;

	(void)unused;
	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", (int)getpid());
	do {
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
			_exit(92);
		close(fd);
	} while (!strstr(text, ") Z "));
	exit(5);
}

void life_leader_leaves(void)
{
	be_many(exit_5_alone, 1);
	pthread_exit(NULL);
}

void life_leader_leaves_and_waits(void)
{
	be_many(wait_in_a_thread, 1);
	pthread_exit(NULL);
}

/* ---- signals ---------------------------------------------------------------------------------- */

void life_kills_itself(void)
{
	kill(getpid(), SIGKILL);
	life_waits();
}

void life_terminates_itself(void)
{
	raise(SIGTERM);
}

void life_signals_itself(void)
{
	kill(getpid(), cause_shared->signal);
	life_waits();
}

void life_is_signalled_by_its_child(void)
{
	const pid_t parent = getpid();

	if (!cause_fork()) {
		cause_shared->other = cause_own_pid();
		kill(parent, cause_shared->signal);
		_exit(0);
	}
	life_waits();
}

void life_writes_to_nobody(void)
{
	int ends[2];

	if (pipe(ends) || close(ends[0]))
		_exit(91);
	if (write(ends[1], "", 1) < 0)
		_exit(92);
}

/* A timer of the process's own says so in its siginfo: SI_TIMER. */
void life_sets_a_timer(void)
{
	const struct itimerspec soon = {.it_value = {.tv_nsec = 1000000}};
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM};
	timer_t timer;

	if (timer_create(CLOCK_MONOTONIC, &event, &timer) || timer_settime(timer, 0, &soon, NULL))
		_exit(91);
	life_waits();
}

void life_sets_an_alarm(void)
{
	const struct itimerval soon = {.it_value = {.tv_usec = 1000}};

	setitimer(ITIMER_REAL, &soon, NULL);
	life_waits();
}

void life_aborts(void)
{
	abort();
}

void life_asserts(void)
{
	assert(zero == 1);
}

static void *abort_in_a_thread(void *unused)
{
	(void)unused;
	cause_shared->thread = gettid();
	abort();
}

void life_aborts_in_a_thread(void)
{
	be_many(abort_in_a_thread, 1);
	life_waits();
}

/* ---- faults ----------------------------------------------------------------------------------- */

static __attribute__((noinline)) void write_to_nowhere(void)
{
	*(volatile int *)nowhere = 1;
}

void life_writes_to_null(void)
{
	write_to_nowhere();
}

void life_jumps_to_null(void)
{
	((void (*)(void))(uintptr_t)zero)();
}

/* Not canonical on x86-64: the CPU keeps the address to itself. */
void life_reads_somewhere_wild(void)
{
	nowhere = (uintptr_t)0x1234567812345678;
	sink = *(volatile char *)nowhere;
}

void life_writes_read_only(void)
{
	nowhere = (uintptr_t)mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	write_to_nowhere();
}

void life_executes_data(void)
{
	static char code[64];

	((void (*)(void))(uintptr_t)code)();
}

static __attribute__((noinline)) int recurse(int depth)
{
	volatile char frame[200];

	frame[0] = (char)depth;
	return depth < 0 ? 0 : recurse(depth + 1) + frame[0];
}

void life_recurses(void)
{
	const struct rlimit small = {1 << 20, 1 << 20};

	setrlimit(RLIMIT_STACK, &small);
	sink = (char)recurse(0);
}

static void *recurse_in_a_thread(void *unused)
{
	(void)unused;
	cause_shared->thread = gettid();
	return (void *)(intptr_t)recurse(0);
}

void life_recurses_in_a_thread(void)
{
	be_many(recurse_in_a_thread, 2);
	life_waits();
}

#define FRAME (128 << 10)

static __attribute__((noinline)) void fill_frame(void)
{
	volatile char frame[FRAME];

	for (int i = 0; i < FRAME; i += 64)
		frame[i] = 1;
	sink = frame[FRAME / 2];
}

static void *fill_too_much(void *unused)
{
	(void)unused;
	cause_shared->thread = gettid();
	fill_frame(); /* more than its stack, and less than the guard below */
	return NULL;
}

/* Its lowest byte is written first, and sp is there too. */
void life_has_too_large_a_frame(void)
{
	pthread_attr_t attributes;
	pthread_t thread;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, 64 << 10);
	pthread_attr_setguardsize(&attributes, 1 << 20);
	if (pthread_create(&thread, &attributes, fill_too_much, NULL))
		_exit(91);
	life_waits();
}

static void *overrun(void *top)
{
	volatile char here;

	cause_shared->thread = gettid();
	for (volatile char *at = &here; at; at += 512)
		if (at >= (volatile char *)top)
			*at = 1;
	return NULL;
}

/* A stack with nothing above it, and not used up at all. */
void life_overruns_a_stack_upwards(void)
{
	const size_t bytes = 256 << 10;
	pthread_attr_t attributes;
	pthread_t thread;
	char *stack = mmap(NULL, bytes + 65536, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (stack == MAP_FAILED || mprotect(stack + bytes, 65536, PROT_NONE))
		_exit(91);
	pthread_attr_init(&attributes);
	pthread_attr_setstack(&attributes, stack, bytes);
	if (pthread_create(&thread, &attributes, overrun, stack + bytes))
		_exit(92);
	life_waits();
}

void life_reads_beyond_a_file(void)
{
	char path[96];
	int fd;

	snprintf(path, sizeof(path), "%s/cut", cause_folder);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, 8192))
		_exit(91);
	nowhere = (uintptr_t)mmap(NULL, 8192, PROT_READ, MAP_SHARED, fd, 0) + 4096;
	if (ftruncate(fd, 4096))
		_exit(92);
	sink = *(volatile char *)nowhere;
}

void life_divides_by_zero(void)
{
	sink = (char)(1000 / zero);
	raise(SIGFPE); /* arm64 divides by zero, and goes on */
}

void life_is_illegal(void)
{
#if defined(__x86_64__)
	__asm__ volatile("ud2");
#elif defined(__aarch64__)
	__asm__ volatile("udf #0");
#else
	__builtin_trap();
#endif
}

static void *fault_in_a_thread(void *unused)
{
	(void)unused;
	prctl(PR_SET_NAME, "worker-7");
	cause_shared->thread = gettid();
	write_to_nowhere();
	return NULL;
}

void life_faults_in_a_thread(void)
{
	be_many(wait_in_a_thread, 3);
	be_many(fault_in_a_thread, 1);
	life_waits();
}

/* ---- handlers --------------------------------------------------------------------------------- */

static void log_and_raise(int signal_number)
{
	ttlog_error("in the handler", "signal", signal_number);
	signal(signal_number, SIG_DFL);
	raise(signal_number);
}

void life_logs_and_raises_again(void)
{
	signal(SIGSEGV, log_and_raise);
	write_to_nowhere();
}

static void log_only(int signal_number)
{
	ttlog_error("in the handler", "signal", signal_number);
	signal(signal_number, SIG_DFL);
}

void life_logs_and_faults_again(void)
{
	signal(SIGSEGV, log_only);
	write_to_nowhere();
}

static sigjmp_buf back;

static void recover(int unused)
{
	(void)unused;
	siglongjmp(back, 1);
}

void life_recovers(void)
{
	signal(SIGSEGV, recover);
	if (!sigsetjmp(back, 1))
		write_to_nowhere();
	exit(7);
}

void life_overflows_onto_an_alternate_stack(void)
{
	const stack_t stack = {.ss_sp = malloc(256 << 10), .ss_size = 256 << 10};
	const struct sigaction action = {.sa_handler = log_and_raise, .sa_flags = SA_ONSTACK};

	if (sigaltstack(&stack, NULL) || sigaction(SIGSEGV, &action, NULL))
		_exit(91);
	life_recurses();
}

/* ---- other programs, and cores ---------------------------------------------------------------- */

static void run_itself(void)
{
	execl("/proc/self/exe", "crash_causes", "--nothing", (char *)NULL);
	_exit(91);
}

void life_executes_a_program(void)
{
	run_itself();
}

static void *execute(void *unused)
{
	(void)unused;
	run_itself();
	return NULL;
}

void life_executes_in_a_thread(void)
{
	be_many(wait_in_a_thread, 3);
	be_many(execute, 1);
	life_waits();
}

void life_dumps_much_core(void)
{
	struct sysinfo machine;
	struct rlimit much;

	if (getrlimit(RLIMIT_CORE, &much))
		_exit(91);
	much.rlim_cur = much.rlim_max;
	if (setrlimit(RLIMIT_CORE, &much) || chdir(cause_folder) || sysinfo(&machine))
		_exit(91);
	cause_eat(machine.freeram * machine.mem_unit > (UINT64_C(4) << 30) ? 768 << 20 : 32 << 20);
	write_to_nowhere();
}
