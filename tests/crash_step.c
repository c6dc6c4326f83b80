/* SPDX-License-Identifier: MIT */
/*
 * crash_step.c - a writer dies after every single instruction, and no event is lost.
 *
 * Each scenario (step_scenarios.c) is a piece of recording, from an event on the fast path to the
 * first event of a forked child. The piece is run in a process of its own by PTRACE_SINGLESTEP, in
 * the ways of step_ways.h. What must hold is in step_witness.c. At the end a table says at which
 * lines of the ring's code a death was tried: none may be left out (step_coverage.c).
 *
 * An argument names scenarios to run (a part of the name); then the table is shown and not judged.
 *
 * CRASH_STEP_ONE_IN=1 does everything, which takes minutes. Without it one in 12 of the places is
 * tried where something comes in between; that suffices for all lines of the ring, or the rest is
 * done too. Which ones depends on the program's code: two runs of a build do the same, and the next
 * build others. CRASH_STEP_SEED=2 chooses others.
 */
#include <malloc.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/step_coverage.h"
#include "tests/step_tracer.h"
#include "tests/step_ways.h"
#include "tests/step_witness.h"

#define WORKERS_MAX 2
#define ONE_IN "12"

/* Of all workers. */
static struct {
	_Atomic unsigned int next; /* scenario */
	_Atomic unsigned int done;
	_Atomic uint64_t instructions, looks, deaths, signals, freezes, rivals, defects;
} * all;

static unsigned int one_in;

/* Their walks come by lines of the ring that no other scenario comes by: none is left out. */
static const char *const walked[] = {
	"a writer serves again",       "channel: closed within", "channel: jumped out of",
	"channel: opened instead",     "chunk change: frozen",	 "event within an event, dropped",
	"first event of many threads", "jump out of an alert",	 "stops: jumped out of",
};

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void add(const struct ways_tally *tally)
{
	all->instructions += tally->instructions;
	all->looks += tally->looks;
	all->deaths += tally->deaths;
	all->signals += tally->signals;
	all->freezes += tally->freezes;
	all->rivals += tally->rivals;
	all->defects += tally->defects;
	all->done++;
}

/* The places between are the same in each run of the same seed. */
static void seed(const struct scenario *scenario)
{
	unsigned int hash = (unsigned int)strtoul(getenv("CRASH_STEP_SEED"), NULL, 10);

	for (const char *at = scenario->name; *at; at++)
		hash = hash * 31 + (unsigned char)*at;
	srandom(hash);
}

static bool is_walked(const struct scenario *scenario)
{
	for (size_t i = 0; i < sizeof(walked) / sizeof(walked[0]); i++)
		if (strcmp(walked[i], scenario->name) == 0)
			return true;
	return false;
}

static void run(const struct scenario *scenario)
{
	const struct ways_part part = {one_in, is_walked(scenario)};
	struct ways_tally tally;
	double start = seconds();

	seed(scenario);
	ways_run(scenario, &part, &tally);
	printf("%-34s %5llu instructions, %6llu looks, %3llu kills, %4llu signals, %4llu freezes, "
	       "%3llu rivals, %4.1f s: %llu lost\n",
	       scenario->name, (unsigned long long)tally.instructions,
	       (unsigned long long)tally.looks, (unsigned long long)tally.deaths,
	       (unsigned long long)tally.signals, (unsigned long long)tally.freezes,
	       (unsigned long long)tally.rivals, seconds() - start,
	       (unsigned long long)tally.defects);
	fflush(stdout);
	add(&tally);
}

/* The library reads its environment when it is loaded. */
static void set_environment(char **argv)
{
	char seed[16];

	if (getenv("CRASH_STEP_SEED") && getenv("CRASH_STEP_READY"))
		return;
	setenv("TTLOG_SOCKET", "", 1);
	setenv("TTLOG_BUFFER_SIZE", "1M", 1);
	setenv("TTLOG_LEVEL", "trace", 1);
	unsetenv("TTLOG_DEBUG");
	snprintf(seed, sizeof(seed), "%u", coverage_hash());
	setenv("CRASH_STEP_SEED", seed, 0);
	setenv("CRASH_STEP_ONE_IN", ONE_IN, 0);
	setenv("CRASH_STEP_READY", "1", 1);
	execv("/proc/self/exe", argv);
	perror("crash_step: execv");
	exit(1);
}

/* Tracer and tracee take turns: on one processor that needs no interrupts between two. */
static void stay_on_processor(unsigned int number)
{
	cpu_set_t set;
	unsigned int seen = 0;

	sched_getaffinity(0, sizeof(set), &set);
	for (int i = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, &set) && seen++ != number)
			CPU_CLR(i, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

/* NULL: there are no more. */
static const struct scenario *scenario_at(unsigned int number)
{
	static const struct scenario *const tables[] = {step_stops,	step_channels, step_changes,
							step_scenarios, step_corners,  step_forks,
							step_jumps};

	for (unsigned int i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		for (const struct scenario *scenario = tables[i]; scenario->name; scenario++)
			if (number-- == 0)
				return scenario;
	return NULL;
}

/* Takes scenario after scenario. */
static _Noreturn void work(unsigned int number, const char *part_of_name)
{
	const struct scenario *scenario;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	stay_on_processor(number);
	witness_init();
	while ((scenario = scenario_at(all->next++)))
		if (!part_of_name || strstr(scenario->name, part_of_name))
			run(scenario);
	exit(0);
}

/* False: one of them did not come to its end. */
static bool work_all(const char *part_of_name)
{
	unsigned int workers = (unsigned int)sysconf(_SC_NPROCESSORS_ONLN);
	bool well = true;
	int status;

	workers = workers < WORKERS_MAX ? workers : WORKERS_MAX;
	fflush(NULL);
	for (unsigned int i = 0; i < workers; i++) {
		pid_t pid = fork();

		if (pid == 0)
			work(i, part_of_name);
		well = well && pid > 0;
	}
	while (wait(&status) > 0)
		well = well && WIFEXITED(status) && WEXITSTATUS(status) == 0;
	return well;
}

/* What only the places that are left out can show is no fault of the ring. */
static bool work_and_report(const char *part_of_name)
{
	bool well = work_all(part_of_name);

	if (coverage_report(part_of_name != NULL))
		return well;
	if (one_in <= 1 || all->defects)
		return false;
	printf("crash_step: a line is left out by one place in %u: all of them\n", one_in);
	one_in = 1;
	all->next = 0;
	return work_all(part_of_name) && coverage_report(part_of_name != NULL) && well;
}

int main(int argc, char **argv)
{
	const char *part_of_name = argc > 1 ? argv[1] : NULL;
	bool well;

	set_environment(argv);
	one_in = (unsigned int)atoi(getenv("CRASH_STEP_ONE_IN"));
	/* What one reader gives back, the next one takes: no page faults. */
	mallopt(M_MMAP_THRESHOLD, 64 << 20);
	mallopt(M_TRIM_THRESHOLD, 256 << 20);
	coverage_init();
	all = mmap(NULL, sizeof(*all), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (all == MAP_FAILED) {
		perror("crash_step: mmap");
		return 1;
	}
	if (!stepper_is_possible()) {
		printf("crash_step: skipped: ptrace does not step here\n");
		return 77;
	}
	well = work_and_report(part_of_name);
	printf("crash_step: seed %s, one place in %u: %u scenarios, %llu instructions, %llu looks, "
	       "%llu kills, %llu signals, "
	       "%llu freezes, %llu rivals: %llu events lost\n",
	       getenv("CRASH_STEP_SEED"), one_in, all->done, (unsigned long long)all->instructions,
	       (unsigned long long)all->looks, (unsigned long long)all->deaths,
	       (unsigned long long)all->signals, (unsigned long long)all->freezes,
	       (unsigned long long)all->rivals, (unsigned long long)all->defects);
	return !well || all->defects || !all->done;
}
