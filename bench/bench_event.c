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
#include "bench/team.h"

#include <errno.h>
#include <signal.h>
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
	team_loop loop;
} cases[] = {
#define ROW(name, what) {what, loop_##name},
	CASES(ROW)
};

#define CASE_COUNT (sizeof(cases) / sizeof(cases[0]))

/* ---- the table -------------------------------------------------------------------------------- */

struct result {
	struct measure_series event, cache, region, alone;
	long minor, major; /* page faults */
	unsigned int disturbed;
};

static double floor_block(struct team *team, unsigned int threads, enum team_floor floor)
{
	return team_quiet_block(team, threads, measure_floor_loop, BLOCK_EVENTS, floor);
}

static void measure_case(struct team *team, unsigned int threads, team_loop loop, struct result *result)
{
	uint64_t events = loop == loop_alert ? BLOCK_EVENTS_SLOW : BLOCK_EVENTS;
	uint64_t start = measure_now_ns();
	bool disturbed;

	memset(result, 0, sizeof(*result));
	for (unsigned int i = 0; i < 3; i++)
		team_block(team, threads, loop, events, TEAM_REGION, &disturbed);
	team->disturbed = 0;
	for (unsigned int i = 0; i < REPEATS; i++) {
		struct rusage before, after;

		if (i >= REPEATS_MIN && measure_now_ns() - start > CASE_NS_MAX)
			break;
		measure_add(&result->cache, floor_block(team, threads, TEAM_CACHE));
		measure_add(&result->region, floor_block(team, threads, TEAM_REGION));
		getrusage(RUSAGE_SELF, &before);
		measure_add(&result->event, team_quiet_block(team, threads, loop, events, TEAM_REGION));
		getrusage(RUSAGE_SELF, &after);
		result->minor += after.ru_minflt - before.ru_minflt;
		result->major += after.ru_majflt - before.ru_majflt;
		if (threads > 1)
			measure_add(&result->alone, team_quiet_block(team, 1, loop, events, TEAM_REGION));
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
	int cpus[TEAM_THREADS_MAX];
	unsigned int threads_max = measure_cpus(cpus, TEAM_THREADS_MAX);
	static struct team team;
	struct result result;
	bool disturbed;

	measure_init(region_bytes);
	for (unsigned int threads = 1; threads <= threads_max; threads++) {
		print_head(threads, region_bytes);
		team_open(&team, threads, region_bytes, cpus);
		for (uint64_t i = 0; i < region_bytes / 32; i += BLOCK_EVENTS)
			team_block(&team, threads, loop_fields_3, BLOCK_EVENTS, TEAM_REGION, &disturbed);
		for (size_t i = 0; i < CASE_COUNT; i++) {
			measure_case(&team, threads, cases[i].loop, &result);
			print_row(cases[i].what, threads, &result);
		}
		team_close(&team, threads);
	}
	if (threads_max < TEAM_THREADS_MAX)
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
