/* SPDX-License-Identifier: MIT */
/*
 * bench_instructions.c - how many instructions an event takes: exact, and the same on a busy
 * machine.
 *
 * A child runs the loop of a case with a breakpoint instruction in it; this program steps it from
 * one breakpoint to the next, instruction by instruction. So one turn is the event, the making of
 * its arguments and the loop around it, for the floor as for the cases. The turns are told apart by
 * the job that was due (lib/stops.c): most have none, four in each chunk have one.
 */
#include "bench/cases.h"
#include "bench/measure.h"
#include "bench/step.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/writer.h"

#define TURNS_MAX 1000
#define STEPS_MAX 60000 /* a case; a step takes some 20 us */
#define REGION_BYTES (UINT64_C(1) << 20)

#ifdef STEP_HERE

static struct measure_floor floor_ring;

STEP_LOOP(floor, measure_floor_event(&floor_ring, i))
#define CASE_LOOP(name, what) STEP_LOOP(name, case_##name(i))
CASES(CASE_LOOP)

static const struct step_case {
	const char *what;
	void (*loop)(uint64_t from, uint64_t count);
	const char *clock;
} cases[] = {
	{"floor: ring and timestamp", step_floor, "exact"},
#define ROW(name, what) {what, step_##name, "exact"},
	CASES(ROW){"3 fields, sparse clock", step_fields_3, "sparse"},
};

/* What the child says of itself: where its writer is. */
static struct ttlog_thread *volatile *shared;

/* The child: every lane lapped, so that a new chunk means an eviction, as in any program that runs.
 */
static void child_run(const struct step_case *of)
{
	measure_floor_open(&floor_ring, MEASURE_CACHE_BYTES);
	setenv("TTLOG_CLOCK", of->clock, 1);
	measure_init(REGION_BYTES);
	for (uint64_t i = 0; i < 2 * REGION_BYTES / 32; i++) {
		case_fields_3(i);
		case_alert(i);
	}
	*shared = (struct ttlog_thread *)(void *)ttlog_writer_;
	step_me();
	/* Turns 0 to 9 are the site's first events and not looked at; the last one is cut off. */
	of->loop(0, TURNS_MAX + 11);
	_exit(0);
}

/* ---- the turns --------------------------------------------------------------------------------
 */

#define STOP_COUNT (TTLOG_STOP_SWAP + 1) /* and 0: none was due */

struct turns {
	uint32_t steps[TURNS_MAX];
	uint8_t stop[TURNS_MAX]; /* the job that was due, the first of them if it was more than one
				  */
	unsigned int count;
};

static unsigned int stop_of(pid_t pid)
{
	long word;

	errno = 0;
	word = ptrace(PTRACE_PEEKDATA, pid, (void *)&(*shared)->stop, NULL);
	if (errno)
		measure_die("ptrace", errno);
	return (uint32_t)word;
}

static void step_case(const struct step_case *of, struct turns *turns)
{
	uint64_t sum = 0;
	unsigned int before;
	pid_t pid = fork();

	if (pid < 0)
		measure_die("fork", errno);
	if (pid == 0)
		child_run(of);
	step_begin(pid, 10);
	before = stop_of(pid);
	for (turns->count = 0; turns->count < TURNS_MAX && sum < STEPS_MAX; turns->count++) {
		unsigned int after;

		turns->steps[turns->count] = step_turn(pid);
		sum += turns->steps[turns->count];
		after = stop_of(pid);
		turns->stop[turns->count] = before != after && before < STOP_COUNT ? (uint8_t)before
										   : 0;
		before = after;
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* Over whole chunks, if there is one: from one swap to the last. */
static double mean_of(const struct turns *turns)
{
	unsigned int from = 0, to = turns->count;
	uint64_t sum = 0;

	while (from < turns->count && turns->stop[from] != TTLOG_STOP_SWAP)
		from++;
	while (to > from && turns->stop[to - 1] != TTLOG_STOP_SWAP)
		to--;
	/* The swap at the end begins a chunk that is not whole. */
	if (to <= from + 1) {
		from = 0;
		to = turns->count + 1;
	}
	for (unsigned int i = from; i < to - 1; i++)
		sum += turns->steps[i];
	return (double)sum / (to - 1 - from);
}

static uint32_t median_of(const struct turns *turns, unsigned int stop, unsigned int *ret_count)
{
	static uint32_t steps[TURNS_MAX];
	unsigned int count = 0;

	for (unsigned int i = 0; i < turns->count; i++)
		if (turns->stop[i] == stop)
			steps[count++] = turns->steps[i];
	measure_sort(steps, count);
	*ret_count = count;
	return measure_quantile(steps, count, 0.5);
}

static void print_turns(const char *what, const struct turns *turns, double mean, double floor)
{
	unsigned int count;
	uint32_t usual = median_of(turns, 0, &count);

	measure_print("   %-28s %6u %8.1f %8.2f %8u", what, usual, mean, mean / floor,
		      turns->count);
	for (unsigned int stop = 1; stop < STOP_COUNT; stop++) {
		uint32_t steps = median_of(turns, stop, &count);

		if (count)
			measure_print(" %+8d", (int)(steps - usual));
	}
	measure_print("\n");
}

int main(void)
{
	static struct turns turns;
	double floor = 0;
	int cpu = 0;

	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		measure_die("mmap", errno);
	/* Child and parent take turns: on one core a step is a switch, on two it is a wake-up. */
	measure_cpus(&cpu, 1);
	measure_pin(cpu);
	measure_print_machine(
		"instructions of an event, with its arguments and the loop around it");
	measure_print(
		"   single-stepped; mean: over whole chunks; and what an event takes more that has "
		"to\n"
		"   retire the chunk before, draw a ticket, prepare a spare, swap the chunks\n\n");
	measure_print("   %-28s %6s %8s %8s %8s %8s %8s %8s %8s\n", "", "usual", "mean", "ratio",
		      "turns", "retire", "draw", "prepare", "swap");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		double mean;

		step_case(&cases[i], &turns);
		mean = mean_of(&turns);
		floor = floor > 0 ? floor : mean;
		print_turns(cases[i].what, &turns, mean, floor);
	}
	return 0;
}

#else

int main(void)
{
	measure_print_machine("instructions of an event");
	measure_print("   not measured: this program steps x86-64 only\n");
	return 0;
}

#endif
