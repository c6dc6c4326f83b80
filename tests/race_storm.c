/* SPDX-License-Identifier: MIT */
/*
 * race_storm.c - threads and processes that come and go by the thousand, and not all in good order:
 * what was recorded is what can be read, what was overwritten and what was dropped, to the event.
 *
 *   short      100,000 threads that record ten events each, some more from a destructor behind
 *              the library's own
 *   cancelled  threads that are cancelled while they record, at a cancellation point or anywhere.
 *              An event that was committed when its call was cancelled is recorded: for each
 *              thread one more than returned, at the most
 *   borrowed   children that run on their parent's memory (CLONE_VM, it waits) and are killed while
 *              they record: the same holds of each
 *   forks      a tree of processes, each with events of its own, that end in different ways, their
 *              parents killed meanwhile. Each looks at its own region before it ends
 *
 * Each part in a process of its own. Under TSan nobody is cancelled just anywhere, and there are no
 * borrowed lives: its runtime would not live through it. Nor are there forks, as it takes the
 * parent's threads for the child's; those of race_process.c it stands.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/process.h"
#include "lib/reader.h"
#include "lib/ttlog.h"
#include "tests/emulated.h"
#include "tests/race_processes.h"

#define HOSTS 4
#define EVENTS 10
#define STREAMS 4096
#ifdef TTLOG_TSAN_
#define SHORT_LIVES 4000
#define CANCELLED 200
#else
#define SHORT_LIVES 100000
#define CANCELLED 600
#endif
#define SHORT_LIVES_EMULATED 4000
#define BRANCHES 8
#define BORROWED 300
#define LEAVES 5 /* of a branch */
#define STACK_BYTES 65536

/* What all processes of the test share: the count of what each stream recorded, and complaints. */
struct shared {
	_Atomic uint64_t returned[STREAMS];
	_Atomic unsigned int defects;
	_Atomic uint32_t leaves_done, branches_ready;
	_Atomic bool is_over;
};

static struct shared *shared;

#define complain(...) race_complain(&shared->defects, __VA_ARGS__)

static void start_thread(pthread_t *thread, void *(*function)(void *), uintptr_t argument)
{
	if (pthread_create(thread, NULL, function, (void *)argument))
		abort();
}

/* ---- what a region must hold ----------------------------------------------------------------- */

static void check_order(struct ttlog_reader *reader)
{
	static uint64_t next[STREAMS];
	struct ttlog_reader_event event;

	memset(next, 0, sizeof(next));
	while (ttlog_reader_next(reader, &event)) {
		uint64_t stream = event.value[0].bits, n = event.value[1].bits;

		if (event.value_count != 3 || stream >= STREAMS ||
		    event.value[2].bits != (uint64_t)getpid()) {
			complain("an event is not what was recorded here");
			return;
		}
		if (n < next[stream])
			complain("stream %lu: %lu where %lu was due", stream, n, next[stream]);
		next[stream] = n + 1;
	}
}

/*
 * This process's region has lost nothing uncounted; at most so many were recorded by a call that
 * never returned. Nothing was dropped: the chunks of those who are gone are found again.
 */
static void judge(const char *what, uint64_t expected, uint64_t more)
{
	struct ttlog_reader_totals totals;
	struct ttlog_reader *reader;
	uint64_t found;

	if (ttlog_reader_open(&reader, ttlog_place_.base, &ttlog_place_.geometry)) {
		complain("%s: the region can't be read", what);
		return;
	}
	ttlog_reader_totals(reader, &totals);
	found = totals.events + totals.overwritten + totals.dropped;
	if (totals.torn || totals.dropped || found < expected || found > expected + more)
		complain("%s: %lu read, %lu overwritten, %lu dropped, %lu torn; %lu recorded, and "
			 "%lu more maybe",
			 what, totals.events, totals.overwritten, totals.dropped, totals.torn,
			 expected, more);
	check_order(reader);
	ttlog_reader_close(reader);
}

/* ---- short lives ----------------------------------------------------------------------------- */

static pthread_key_t late_key;

static void record(uint64_t stream)
{
	uint64_t n = atomic_load_explicit(&shared->returned[stream], memory_order_relaxed);

	ttlog_info("storm", "stream", stream, "n", n, "pid", (uint64_t)getpid());
	atomic_store_explicit(&shared->returned[stream], n + 1, memory_order_release);
}

/* Runs behind the library's own destructor, which is of an older key: a writer is made anew. */
static void record_late(void *argument)
{
	record((uintptr_t)argument);
}

/* An emulator makes a thread in a millisecond. */
static int short_count(void)
{
	return is_emulated() ? SHORT_LIVES_EMULATED : SHORT_LIVES;
}

static void *short_life(void *argument)
{
	uintptr_t stream = (uintptr_t)argument;

	for (int i = 0; i < EVENTS; i++)
		record(stream);
	if (atomic_load(&shared->returned[stream]) % 7 == 0)
		pthread_setspecific(late_key, argument);
	return NULL;
}

/* Two of a host's threads run at the same time: one starts while the one before exits. */
static void *host(void *argument)
{
	uintptr_t stream = (uintptr_t)argument * 2 + 2;
	pthread_t thread[2];

	for (int i = 0; i < short_count() / HOSTS; i++) {
		if (i >= 2)
			pthread_join(thread[i % 2], NULL);
		start_thread(&thread[i % 2], short_life, stream + (uintptr_t)i % 2);
	}
	pthread_join(thread[0], NULL);
	pthread_join(thread[1], NULL);
	return NULL;
}

static uint64_t all_returned(void)
{
	uint64_t sum = 0;

	for (int i = 0; i < STREAMS; i++)
		sum += atomic_load(&shared->returned[i]);
	return sum;
}

static void short_lives(void)
{
	pthread_t hosts[HOSTS];

	pthread_key_create(&late_key, record_late);
	for (uintptr_t i = 0; i < HOSTS; i++)
		start_thread(&hosts[i], host, i);
	for (int i = 0; i < HOSTS; i++)
		pthread_join(hosts[i], NULL);
	judge("short lives", all_returned(), 0);
	printf("race_storm: %d threads recorded %lu events\n", short_count(), all_returned());
}

/* ---- cancelled ------------------------------------------------------------------------------- */

static void *record_until_cancelled(void *argument)
{
	uintptr_t stream = (uintptr_t)argument;
	bool is_anywhere = stream % 2;

#ifdef TTLOG_TSAN_
	is_anywhere = false;
#endif
	if (is_anywhere)
		pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
	for (;;) {
		record(stream);
		if (!is_anywhere)
			pthread_testcancel();
	}
	return NULL;
}

static void cancelled(void)
{
	pthread_t thread[4];

	/* The dictionary's lock-free insertion is over: the site is known. */
	record(0);
	for (uintptr_t i = 0; i < CANCELLED; i += 4) {
		for (uintptr_t k = 0; k < 4; k++)
			start_thread(&thread[k], record_until_cancelled, 1 + i + k);
		for (uintptr_t k = 0; k < 4; k++) {
			while (atomic_load(&shared->returned[1 + i + k]) < 20 + i * 37 % 600)
				sched_yield();
			pthread_cancel(thread[k]);
		}
		for (uintptr_t k = 0; k < 4; k++)
			pthread_join(thread[k], NULL);
	}
	judge("cancelled", all_returned(), CANCELLED);
	record(0);
	printf("race_storm: %d threads were cancelled in %lu events\n", CANCELLED, all_returned());
}

/* ---- borrowed memory ------------------------------------------------------------------------- */

#ifndef TTLOG_TSAN_

static _Atomic pid_t borrower;

static int record_until_killed(void *argument)
{
	(void)argument;
	atomic_store(&borrower, (pid_t)syscall(SYS_gettid));
	for (;;)
		record(1);
	return 0;
}

/* Kills each as soon as it has recorded some. */
static void *killer(void *argument)
{
	(void)argument;
	for (int i = 0; i < BORROWED; i++) {
		uint64_t enough;
		pid_t pid;

		while (!(pid = atomic_exchange(&borrower, 0)))
			sched_yield();
		enough = atomic_load(&shared->returned[1]) + 5 + (uint64_t)i * 13 % 300;
		while (atomic_load(&shared->returned[1]) < enough)
			;
		kill(pid, SIGKILL);
	}
	return NULL;
}

/* As vfork() children, on their parent's stack or on one of their own. */
static void borrowed_lives(void)
{
	char *stack =
		mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pthread_t thread;

	if (stack == MAP_FAILED)
		abort();
	record(0);
	start_thread(&thread, killer, 0);
	for (int i = 0; i < BORROWED; i++) {
		/* Its getpid() is not ours, but its events are. */
		pid_t pid = clone(record_until_killed, stack + STACK_BYTES,
				  CLONE_VM | CLONE_VFORK | SIGCHLD, NULL);

		if (pid < 0 || waitpid(pid, NULL, 0) != pid)
			abort();
		record(0);
	}
	pthread_join(thread, NULL);
	munmap(stack, STACK_BYTES);
}

static void borrowed(void)
{
	struct ttlog_reader_totals totals;
	struct ttlog_reader *reader;
	uint64_t found, expected;

	borrowed_lives();
	if (ttlog_reader_open(&reader, ttlog_place_.base, &ttlog_place_.geometry))
		abort();
	ttlog_reader_totals(reader, &totals);
	ttlog_reader_close(reader);
	expected = all_returned();
	found = totals.events + totals.overwritten + totals.dropped;
	if (totals.torn || totals.dropped || found < expected || found > expected + BORROWED)
		complain("borrowed: %lu read, %lu overwritten, %lu dropped, %lu torn; %lu recorded",
			 totals.events, totals.overwritten, totals.dropped, totals.torn, expected);
	printf("race_storm: %d children were killed on their parent's memory in %lu events\n",
	       BORROWED, expected);
}

/* ---- forks ----------------------------------------------------------------------------------- */

static _Atomic uint64_t recorded; /* by this process */

static void nap_us(long us)
{
	struct timespec time = {0, us * 1000};

	nanosleep(&time, NULL);
}

static void record_own(uint64_t stream, uint64_t count)
{
	for (uint64_t n = 0; n < count; n++) {
		ttlog_info("storm", "stream", stream, "n", n, "pid", (uint64_t)getpid());
		atomic_fetch_add(&recorded, 1);
	}
}

static void *record_beside(void *argument)
{
	record_own((uintptr_t)argument, 3000);
	return NULL;
}

static _Noreturn void end(uint64_t way)
{
	switch (way % 5) {
	case 0:
		_exit(0);
	case 1:
		raise(SIGKILL);
		break;
	case 2:
		signal(SIGABRT, SIG_DFL);
		abort();
	case 3:
		execl("/bin/true", "true", (char *)NULL);
		break;
	case 4:
		signal(SIGSEGV, SIG_DFL);
		raise(SIGSEGV);
		break;
	}
	_exit(1);
}

/* The parent may be gone by now. */
static _Noreturn void leaf(uint64_t number)
{
	pthread_t thread;

	atomic_store(&recorded, 0);
	record_own(1, 500);
	start_thread(&thread, record_beside, 2);
	record_own(3, 2500);
	pthread_join(thread, NULL);
	judge("leaf", atomic_load(&recorded), 0);
	atomic_fetch_add(&shared->leaves_done, 1);
	end(number);
}

/* Forks in the middle of its events, from a process that has threads; is killed after that. */
static _Noreturn void branch(uint64_t number)
{
	pthread_t thread;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	atomic_store(&recorded, 0);
	start_thread(&thread, record_beside, 4);
	for (uint64_t i = 0; i < LEAVES; i++) {
		if (fork() == 0)
			leaf(number + i);
		record_own(5 + i, 100);
	}
	pthread_join(thread, NULL);
	judge("branch", atomic_load(&recorded), 0);
	atomic_fetch_add(&shared->branches_ready, 1);
	for (;;)
		record_own(STREAMS - 1, 100);
}

/* A child of a raw clone() of a process with threads: what it may call is what a handler may. */
static void raw_child(void)
{
	struct ttlog_stats stats = {.size = sizeof(stats)};
	int status = 0;
	pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);

	if (pid == 0) {
		record_own(1, 100);
		ttlog_get_stats(&stats);
		_exit(stats.retained == 100 && !stats.dropped && !stats.overwritten ? 0 : 1);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
		complain("a raw child ended with status %#x", (unsigned int)status);
}

static void wait_for(_Atomic uint32_t *counter, uint32_t count)
{
	for (int ms = 0; atomic_load(counter) < count; ms++) {
		if (ms > 60000) {
			complain("only %u of %u", atomic_load(counter), count);
			return;
		}
		nap_us(1000);
	}
}

static void forks(void)
{
	pid_t pid[BRANCHES];
	pthread_t thread;

	/* Whoever loses its parent is ours, and is waited for. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	start_thread(&thread, record_beside, 0);
	for (uint64_t i = 0; i < BRANCHES; i++) {
		record_own(1, 10);
		pid[i] = fork();
		if (pid[i] == 0)
			branch(i);
		raw_child();
	}
	pthread_join(thread, NULL);
	wait_for(&shared->branches_ready, BRANCHES);
	for (int i = 0; i < BRANCHES; i++)
		kill(pid[i], SIGKILL);
	wait_for(&shared->leaves_done, BRANCHES * LEAVES);
	while (wait(NULL) > 0 || errno == EINTR)
		;
	printf("race_storm: %d branches were killed, %u leaves counted\n", BRANCHES,
	       atomic_load(&shared->leaves_done));
}

#endif

/* ---- all of it ------------------------------------------------------------------------------- */

static int run(const char *name, void (*part)(void))
{
	int status = 0;
	pid_t pid;

	memset(shared, 0, sizeof(*shared));
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		part();
		fflush(stdout);
		_exit(atomic_load(&shared->defects) ? 1 : 0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
		printf("race_storm: %s failed (status %#x)\n", name, (unsigned int)status);
	return status != 0;
}

int main(int argc, char **argv)
{
	int failed = 0;

	(void)argc;
	race_settle(argv);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (shared == MAP_FAILED)
		return 1;
	failed += run("short lives", short_lives);
	failed += run("cancelled", cancelled);
#ifdef TTLOG_TSAN_
	printf("race_storm: cancelled anywhere, borrowed, forks: are left out under TSan\n");
#else
	if (is_emulated()) {
		/* It makes a fork of what is to share memory, and does not wipe for raw clone(). */
		printf("race_storm: borrowed, forks: is skipped under qemu-user: no CLONE_VM "
		       "without "
		       "CLONE_THREAD, MADV_WIPEONFORK is accepted and not done\n");
		return failed != 0;
	}
	failed += run("borrowed", borrowed);
	failed += run("forks", forks);
#endif
	return failed != 0;
}
