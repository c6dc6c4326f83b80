/* SPDX-License-Identifier: MIT */
/*
 * bench_event.c - what an event costs its caller in a tight loop, in nanoseconds.
 *
 * Each case beside two floors in the same run: a ring that stays in the cache, and one of the region's
 * size. A repeat is floor, floor, case, of one block each; one thread on one core, then two threads on
 * two cores; a block in which a thread was off its core is done again. Everything is warm: each site is
 * known, and the region has been filled once. Page faults of the measured blocks are counted, and in a
 * run of its own every system call is.
 *
 * A tight loop hides what fits beside the timestamp: see bench_busy and bench_instructions.
 */
#include "bench/cases.h"
#include "bench/measure.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

/*
 * About a millisecond: short against a time slice, and more bytes than the second-level cache holds, so
 * that a block pays for its own write-back and not for the one before.
 */
#define BLOCK_EVENTS 100000
#define BLOCK_EVENTS_SLOW 10000 /* of alerts */
#define REPEATS 41
#define REPEATS_MIN 7
#define CASE_NS_MAX UINT64_C(1500000000) /* a case that gets no quiet blocks ends early */
#define TRIES 5 /* of a block in which a thread lost its core */
#define THREADS_MAX 2

typedef void (*event_loop)(struct measure_floor *floor, uint64_t from, uint64_t count);

#define LOOP(name, what) \
	static __attribute__((noinline)) void loop_##name(struct measure_floor *floor, uint64_t from, \
							  uint64_t count) \
	{ \
		(void)floor; \
		for (uint64_t i = from; i < from + count; i++) { \
			case_##name(i); \
			measure_barrier(); \
		} \
	}
CASES(LOOP)

static const struct event_case {
	const char *what;
	event_loop loop;
} cases[] = {
#define ROW(name, what) {what, loop_##name},
	CASES(ROW)
};

#define CASE_COUNT (sizeof(cases) / sizeof(cases[0]))

/* ---- threads that run one block together ------------------------------------------------------ */

/*
 * Thread 0 is the caller. The others sleep at the barrier between blocks, so that one thread can be
 * measured while they are there; then all spin until all have come.
 */
struct team {
	pthread_barrier_t open, closed;
	_Atomic unsigned int ready;
	unsigned int threads; /* of this block */
	bool over;
	event_loop loop;
	uint64_t from, events; /* of this block, a thread */
	unsigned int disturbed; /* blocks of this case that count although a thread was off its core */
	struct member {
		struct team *team;
		unsigned int index;
		int cpu;
		pthread_t thread;
		struct measure_floor cache, region; /* rings of its own */
		struct measure_floor *floor;	    /* of this block */
		uint64_t start_ns, end_ns;
		bool disturbed; /* the core was taken away */
	} member[THREADS_MAX];
};

static long switches(void)
{
	struct rusage usage;

	getrusage(RUSAGE_THREAD, &usage);
	return usage.ru_nivcsw;
}

static void member_block(struct member *member)
{
	struct team *team = member->team;
	long before;

	atomic_fetch_add(&team->ready, 1);
	while (atomic_load(&team->ready) < team->threads)
		;
	before = switches();
	member->start_ns = measure_now_ns();
	team->loop(member->floor, team->from, team->events);
	member->end_ns = measure_now_ns();
	member->disturbed = switches() != before;
}

static void *member_main(void *argument)
{
	struct member *member = argument;
	struct team *team = member->team;

	measure_pin(member->cpu);
	for (;;) {
		pthread_barrier_wait(&team->open);
		if (team->over)
			return NULL;
		member_block(member);
		pthread_barrier_wait(&team->closed);
	}
}

/*
 * One block on that many threads. Nanoseconds per event of one thread, had all ended with the last. A
 * block that not all began together counts as disturbed.
 */
static double team_block(struct team *team, unsigned int threads, event_loop loop, bool in_cache,
			 bool *ret_disturbed)
{
	uint64_t first = UINT64_MAX, last = 0, end = 0;

	team->threads = threads;
	team->loop = loop;
	team->events = loop == loop_alert ? BLOCK_EVENTS_SLOW : BLOCK_EVENTS;
	atomic_store(&team->ready, 0);
	for (unsigned int i = 0; i < threads; i++)
		team->member[i].floor = in_cache ? &team->member[i].cache : &team->member[i].region;
	if (threads > 1)
		pthread_barrier_wait(&team->open);
	member_block(&team->member[0]);
	if (threads > 1)
		pthread_barrier_wait(&team->closed);
	team->from += team->events;
	*ret_disturbed = false;
	for (unsigned int i = 0; i < threads; i++) {
		const struct member *member = &team->member[i];

		first = member->start_ns < first ? member->start_ns : first;
		last = member->start_ns > last ? member->start_ns : last;
		end = member->end_ns > end ? member->end_ns : end;
		*ret_disturbed |= member->disturbed;
	}
	*ret_disturbed |= (last - first) * 50 > end - first;
	return (double)(end - first) / (double)team->events;
}

/* The same, again if it was disturbed; counts the blocks that never went well. */
static double quiet_block(struct team *team, unsigned int threads, event_loop loop, bool in_cache)
{
	bool disturbed = true;
	double ns = 0;

	for (int i = 0; i < TRIES && disturbed; i++)
		ns = team_block(team, threads, loop, in_cache, &disturbed);
	team->disturbed += disturbed;
	return ns;
}

static void team_open(struct team *team, unsigned int threads, uint64_t region_bytes, const int *cpus)
{
	memset(team, 0, sizeof(*team));
	pthread_barrier_init(&team->open, NULL, threads);
	pthread_barrier_init(&team->closed, NULL, threads);
	measure_pin(cpus[0]);
	for (unsigned int i = 0; i < threads; i++) {
		struct member *member = &team->member[i];

		*member = (struct member){.team = team, .index = i, .cpu = cpus[i]};
		measure_floor_open(&member->cache, MEASURE_CACHE_BYTES);
		/* Two threads share the region; so do their floors. */
		measure_floor_open(&member->region, region_bytes / threads);
		if (i && pthread_create(&member->thread, NULL, member_main, member) != 0)
			measure_die("pthread_create", EAGAIN);
	}
}

static void team_close(struct team *team, unsigned int threads)
{
	team->over = true;
	if (threads > 1)
		pthread_barrier_wait(&team->open);
	for (unsigned int i = 0; i < threads; i++) {
		if (i)
			pthread_join(team->member[i].thread, NULL);
		measure_floor_close(&team->member[i].cache);
		measure_floor_close(&team->member[i].region);
	}
	pthread_barrier_destroy(&team->open);
	pthread_barrier_destroy(&team->closed);
}

/* ---- the table -------------------------------------------------------------------------------- */

struct result {
	struct measure_series event, cache, region, alone;
	long minor, major; /* page faults */
	unsigned int disturbed;
};

static void measure_case(struct team *team, unsigned int threads, event_loop loop, struct result *result)
{
	uint64_t start = measure_now_ns();
	bool disturbed;

	memset(result, 0, sizeof(*result));
	for (unsigned int i = 0; i < 3; i++)
		team_block(team, threads, loop, false, &disturbed);
	team->disturbed = 0;
	for (unsigned int i = 0; i < REPEATS; i++) {
		struct rusage before, after;

		if (i >= REPEATS_MIN && measure_now_ns() - start > CASE_NS_MAX)
			break;
		measure_add(&result->cache, quiet_block(team, threads, measure_floor_loop, true));
		measure_add(&result->region, quiet_block(team, threads, measure_floor_loop, false));
		getrusage(RUSAGE_SELF, &before);
		measure_add(&result->event, quiet_block(team, threads, loop, false));
		getrusage(RUSAGE_SELF, &after);
		result->minor += after.ru_minflt - before.ru_minflt;
		result->major += after.ru_majflt - before.ru_majflt;
		if (threads > 1)
			measure_add(&result->alone, quiet_block(team, 1, loop, false));
	}
	result->disturbed = team->disturbed;
}

static void print_head(unsigned int threads, uint64_t region_bytes)
{
	measure_print("\n   %u thread%s, region of %llu MiB; median of %d blocks of %d events a thread\n",
		      threads, threads > 1 ? "s on as many cores" : "", (unsigned long long)region_bytes >> 20,
		      REPEATS, BLOCK_EVENTS);
	measure_print("   %-24s %8s %18s %15s %15s %7s %7s %8s %9s%s\n", "", "ns/event", "min .. max",
		      "floor in cache", "floor as large", "ratio", "ratio", "of mins", "faults",
		      threads > 1 ? "   M/s in all   x one thread" : "");
}

static void print_row(const char *what, unsigned int threads, const struct result *result)
{
	double median = measure_median(&result->event);
	char spread[32];

	snprintf(spread, sizeof(spread), "%.1f .. %.1f", measure_min(&result->event),
		 measure_max(&result->event));
	measure_print("   %-24s %8.2f %18s %12.2f ns %12.2f ns %7.2f %7.2f %8.2f %5ld/%-3ld", what, median,
		      spread, measure_median(&result->cache), measure_median(&result->region),
		      measure_ratio(&result->event, &result->cache),
		      measure_ratio(&result->event, &result->region),
		      measure_min(&result->event) / measure_min(&result->region), result->minor,
		      result->major);
	if (threads > 1)
		measure_print("   %10.1f   %10.2f", threads * 1000 / median,
			      threads * measure_ratio(&result->alone, &result->event));
	if (result->event.count < REPEATS || result->disturbed)
		measure_print("   (%u repeats, %u blocks disturbed)", result->event.count,
			      result->disturbed);
	measure_print("\n");
}

/* Runs in a child of its own. The region is filled once by 32-byte events before anything is timed. */
static void measure_region(uint64_t region_bytes)
{
	int cpus[THREADS_MAX];
	unsigned int threads_max = measure_cpus(cpus, THREADS_MAX);
	static struct team team;
	struct result result;
	bool disturbed;

	measure_init(region_bytes);
	for (unsigned int threads = 1; threads <= threads_max; threads++) {
		print_head(threads, region_bytes);
		team_open(&team, threads, region_bytes, cpus);
		for (uint64_t i = 0; i < region_bytes / 32; i += BLOCK_EVENTS)
			team_block(&team, threads, loop_fields_3, false, &disturbed);
		for (size_t i = 0; i < CASE_COUNT; i++) {
			measure_case(&team, threads, cases[i].loop, &result);
			print_row(cases[i].what, threads, &result);
		}
		team_close(&team, threads);
	}
	if (threads_max < THREADS_MAX)
		measure_print("   (one CPU: two threads are not measured)\n");
}

/* ---- system calls ----------------------------------------------------------------------------- */

static volatile sig_atomic_t trapped;

static void on_system_call(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)info;
	(void)context;
	trapped++; /* the call is not made; whoever made it gets -ENOSYS or so */
}

/* From here on every system call but the way out of the handler, and of the process, is a SIGSYS. */
static void trap_system_calls(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_rt_sigreturn, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = {sizeof(filter) / sizeof(filter[0]), filter};
	const struct sigaction action = {.sa_sigaction = on_system_call, .sa_flags = SA_SIGINFO};

	if (sigaction(SIGSYS, &action, NULL) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
		measure_die("seccomp", errno);
}

static _Atomic uint64_t *shared; /* what the child below counted: events, system calls, and its proof */

static void count_system_calls(uint64_t region_bytes)
{
	uint64_t events = 0;

	measure_init(region_bytes);
	for (size_t i = 0; i < CASE_COUNT; i++)
		cases[i].loop(NULL, 0, 1);
	trap_system_calls();
	for (size_t i = 0; i < CASE_COUNT; i++) {
		cases[i].loop(NULL, 0, region_bytes / 16);
		events += region_bytes / 16;
	}
	shared[0] = events;
	shared[1] = (uint64_t)trapped;
	syscall(SYS_getppid); /* the counter counts */
	shared[2] = (uint64_t)trapped;
}

int main(void)
{
	measure_print_machine("an event in a tight loop, at the caller");
	measure_print("   floor: a timestamp and a 32-byte store into a ring; ratio: median of the pairs' "
		      "ratios,\n   to either floor; of mins: to the larger; faults: minor/major in all blocks\n");
	measure_in_child(measure_region, UINT64_C(16) << 20);
	measure_in_child(measure_region, UINT64_C(64) << 20);

	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		measure_die("mmap", errno);
	measure_in_child(count_system_calls, UINT64_C(16) << 20);
	measure_print("\n   system calls in %llu events of all kinds, the region lapped: %llu%s\n",
		      (unsigned long long)shared[0], (unsigned long long)shared[1],
		      shared[2] == shared[1] + 1 ? "" : " (and the counter does not work)");
	return 0;
}
