/* SPDX-License-Identifier: MIT */
/*
 * bench_instructions.c - how many instructions an event takes: exact, and the same on a busy machine.
 *
 * A child runs the loop of a case with a breakpoint instruction in it; this program steps it from one
 * breakpoint to the next, instruction by instruction. So one turn is the event, the making of its
 * arguments and the loop around it, for the floor as for the cases. The turns are told apart: most write
 * into the chunk they have, one in a hundred or so gets the next one.
 */
#include "bench/cases.h"
#include "bench/measure.h"
#include "bench/step.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

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
} cases[] = {
	{"floor: ring and timestamp", step_floor},
#define ROW(name, what) {what, step_##name},
	CASES(ROW)
};

/* The child: every lane lapped, so that a new chunk means an eviction, as in any program that runs. */
static void child_run(const struct step_case *of)
{
	measure_floor_open(&floor_ring, MEASURE_CACHE_BYTES);
	measure_init(REGION_BYTES);
	for (uint64_t i = 0; i < 2 * REGION_BYTES / 32; i++) {
		case_fields_3(i);
		case_alert(i);
	}
	step_me();
	/* Turns 0 to 9 are the site's first events and not looked at; the last one is cut off. */
	of->loop(0, TURNS_MAX + 11);
	_exit(0);
}

static void print_turns(const char *what, const uint32_t *turns, unsigned int count, double floor)
{
	uint32_t usual = measure_quantile(turns, count, 0.5);
	uint64_t sum = 0, longer_sum = 0;
	unsigned int longer = 0;

	for (unsigned int i = 0; i < count; i++) {
		sum += turns[i];
		if (turns[i] > usual + 50) {
			longer_sum += turns[i];
			longer++;
		}
	}
	measure_print("   %-28s %8u %8.1f %8.2f %8u", what, usual, (double)sum / count,
		      (double)sum / count / floor, count);
	if (longer)
		measure_print(" %14.0f %8u", (double)longer_sum / longer, longer);
	measure_print("\n");
}

static double measure_case(const struct step_case *of, double floor)
{
	static uint32_t turns[TURNS_MAX];
	uint64_t sum = 0;
	unsigned int count = 0;
	double mean;
	pid_t pid = fork();

	if (pid < 0)
		measure_die("fork", errno);
	if (pid == 0)
		child_run(of);
	step_begin(pid, 10);
	while (count < TURNS_MAX && sum < STEPS_MAX)
		sum += turns[count++] = step_turn(pid);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	measure_sort(turns, count);
	mean = (double)sum / count;
	print_turns(of->what, turns, count, floor > 0 ? floor : mean);
	return mean;
}

int main(void)
{
	double floor = 0;
	int cpu = 0;

	/* Child and parent take turns: on one core a step is a switch, on two it is a wake-up. */
	measure_cpus(&cpu, 1);
	measure_pin(cpu);
	measure_print_machine("instructions of an event, with its arguments and the loop around it");
	measure_print("   single-stepped; a turn of more than usual + 50 took a new chunk\n\n");
	measure_print("   %-28s %8s %8s %8s %8s %14s %8s\n", "", "usual", "mean", "ratio", "turns",
		      "with a chunk", "of them");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		double mean = measure_case(&cases[i], floor);

		floor = floor > 0 ? floor : mean;
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
