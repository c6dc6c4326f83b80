/* SPDX-License-Identifier: MIT */
/*
 * crash_step.c - a writer dies after every single instruction, and no event is lost.
 *
 * Each scenario (step_scenarios.c) is a piece of recording, from an event on the fast path to the
 * first event of a forked child. The piece is run in a process of its own by PTRACE_SINGLESTEP, in
 * four ways:
 *
 *   every instruction   The region is read behind each. Nothing else of the process runs meanwhile,
 * so this is the very memory that it would leave if it died there: reading it is the same as
 * killing it, and thousands of times cheaper. deaths              Behind every 16th or so it really
 * dies, by SIGKILL, in a process that was started for this; the region is read after it is gone.
 *   signals             Behind every few a signal handler runs that records, or that jumps out.
 *   freezes             Behind every few the freeze word is set, and the writer goes on: what could
 * be read at that moment must be readable at the end.
 *
 * What must hold is in step_witness.c. An argument names scenarios to run (a part of the name).
 */
#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/step_scenarios.h"
#include "tests/step_tracer.h"
#include "tests/step_witness.h"

#define CHILD_STREAM 4 /* from here on, what a forked child records */
#define COMPLAINTS_SHOWN 3

struct tally {
	uint64_t instructions, deaths, signals, freezes;
	uint64_t defects;
};

static struct tally all;
static struct stepper_path path; /* of the scenario that is run */

static void report(const struct scenario *scenario, struct tally *tally, const char *way,
		   uint64_t instruction, const char *complaint)
{
	if (tally->defects++ < COMPLAINTS_SHOWN)
		printf("  %s, %s, instruction %llu: %s\n", scenario->name, way,
		       (unsigned long long)instruction, complaint);
}

/* Regions as they were at the last look: an instruction that changed nothing needs no second one.
 */
struct shadow {
	unsigned char *bytes[2];
	struct witness witness;
};

static bool is_unchanged(const struct stepper *stepper, struct shadow *shadow)
{
	bool same = memcmp((const void *)&shadow->witness, (const void *)witness,
			   sizeof(*witness)) == 0;

	memcpy((void *)&shadow->witness, (const void *)witness, sizeof(*witness));
	for (int i = 0; i < 2; i++) {
		const struct stepper_region *region = &stepper->region[i];

		if (!region->base)
			continue;
		if (!shadow->bytes[i]) {
			shadow->bytes[i] = calloc(1, region->geometry.region_bytes);
			same = false;
		}
		if (!shadow->bytes[i])
			return false;
		if (memcmp(shadow->bytes[i], region->base, region->geometry.region_bytes) == 0)
			continue;
		memcpy(shadow->bytes[i], region->base, region->geometry.region_bytes);
		same = false;
	}
	return same;
}

/* True: both regions hold what they should. */
static bool judge(const struct stepper *stepper, char complaint[WITNESS_COMPLAINT_BYTES])
{
	for (uint32_t i = 0; i < 2; i++) {
		const struct stepper_region *region = &stepper->region[i];
		uint32_t first = i * CHILD_STREAM;
		struct witness_count count;

		if (!region->base) {
			for (uint32_t k = first; k < first + CHILD_STREAM; k++)
				if (atomic_load(&witness->stream[k].returned)) {
					snprintf(complaint, WITNESS_COMPLAINT_BYTES,
						 "stream %u has no region", k);
					return false;
				}
			continue;
		}
		if (!witness_judge(region->base, &region->geometry, first, first + CHILD_STREAM,
				   &count, complaint))
			return false;
	}
	return true;
}

static void judge_end(const struct scenario *scenario, struct tally *tally, const char *way,
		      uint64_t instruction, struct stepper *stepper, int signal)
{
	char complaint[WITNESS_COMPLAINT_BYTES];

	if (!stepper_finish(stepper, signal)) {
		report(scenario, tally, way, instruction, "the process did not come to its end");
		return;
	}
	stepper_look(stepper);
	if (!judge(stepper, complaint))
		report(scenario, tally, way, instruction, complaint);
}

/* Behind each instruction. Returns how many there are. */
static uint64_t walk(const struct scenario *scenario, struct tally *tally, const char *way,
		     uint64_t signal_at)
{
	char complaint[WITNESS_COMPLAINT_BYTES];
	struct shadow shadow = {0};
	struct stepper stepper;
	uint64_t count = 0;

	stepper_start(&stepper, scenario->run);
	while (stepper_step(&stepper, signal_at && count == signal_at ? SIGUSR1 : 0)) {
		if (!signal_at)
			stepper_path_add(&stepper, &path);
		if (count++ == 0)
			path.lead = stepper.steps - 1;
		stepper_look(&stepper);
		if (!is_unchanged(&stepper, &shadow) && !judge(&stepper, complaint))
			report(scenario, tally, way, count, complaint);
	}
	judge_end(scenario, tally, way, count, &stepper, 0);
	stepper_close(&stepper);
	free(shadow.bytes[0]);
	free(shadow.bytes[1]);
	tally->instructions += count;
	return count;
}

/* A new process, up to that instruction. False: it was not reached, and the process is gone again.
 */
static bool go_to(struct stepper *stepper, const struct scenario *scenario, uint64_t instruction)
{
	stepper_start(stepper, scenario->run);
	return stepper_go(stepper, &path, instruction);
}

static void death(const struct scenario *scenario, struct tally *tally, uint64_t instruction)
{
	char complaint[WITNESS_COMPLAINT_BYTES];
	struct stepper stepper;

	if (!go_to(&stepper, scenario, instruction))
		return;
	stepper_kill(&stepper);
	tally->deaths++;
	if (!judge(&stepper, complaint))
		report(scenario, tally, "SIGKILL", instruction, complaint);
	stepper_close(&stepper);
}

static uint64_t overwritten(const struct stepper_region *region)
{
	char complaint[WITNESS_COMPLAINT_BYTES];
	struct witness_count count = {0};

	if (region->base)
		witness_judge(region->base, &region->geometry, 0, CHILD_STREAM, &count, complaint);
	return count.overwritten;
}

/* How many events of the one set are not in the other. */
static uint64_t gone(const struct witness_set *before, const struct witness_set *now)
{
	uint64_t count = 0;

	for (uint32_t i = 0; i < WITNESS_STREAMS; i++)
		for (uint32_t k = 0; k < WITNESS_NUMBERS / 64; k++)
			count +=
				(uint64_t)__builtin_popcountll(before->bit[i][k] & ~now->bit[i][k]);
	return count;
}

static void read_set(const struct stepper_region *region, struct witness_set *set)
{
	memset(set, 0, sizeof(*set));
	if (region->base && witness_set_read(region->base, &region->geometry, set) != 0) {
		fputs("crash_step: no memory\n", stderr);
		exit(1);
	}
}

/* What could be read once, of an event that was left for ever too, is there or was overwritten. */
static void signal_once(const struct scenario *scenario, struct tally *tally, uint64_t instruction)
{
	struct stepper stepper;
	struct witness_set before, now;
	uint64_t overwritten_before;

	if (!go_to(&stepper, scenario, instruction))
		return;
	tally->signals++;
	atomic_store(&witness->wants_stats, 1);
	read_set(&stepper.region[0], &before);
	overwritten_before = overwritten(&stepper.region[0]);
	judge_end(scenario, tally, "signal", instruction, &stepper, SIGUSR1);
	read_set(&stepper.region[0], &now);
	if (gone(&before, &now) > overwritten(&stepper.region[0]) - overwritten_before)
		report(scenario, tally, "signal", instruction, "what was there is gone, uncounted");
	stepper_close(&stepper);
}

/*
 * What can be read when the freeze word is set, and will not go: a chunk that was condemned before
 * is lost, and nothing else.
 */
static int read_frozen(const struct stepper_region *region, struct witness_set *ret_set)
{
	uint64_t bytes = region->geometry.region_bytes;
	unsigned char *copy = malloc(bytes);
	int error;

	if (!copy)
		return -ENOMEM;
	memcpy(copy, region->base, bytes);
	for (uint32_t i = 0; i < region->geometry.lane_count; i++) {
		const struct ttlog_lane_geometry *lane = &region->geometry.lane[i];
		uint64_t *state = (void *)(copy + lane->states_offset);

		for (uint32_t k = 0; k < lane->chunk_count; k++)
			if (TTLOG_STATE_OF(state[k]) == TTLOG_CHUNK_COND)
				state[k] = TTLOG_STATE(TTLOG_STATE_GENERATION(state[k]), 0,
						       TTLOG_CHUNK_INIT);
	}
	error = witness_set_read(copy, &region->geometry, ret_set);
	free(copy);
	return error;
}

static void freeze(const struct scenario *scenario, struct tally *tally, uint64_t instruction)
{
	struct stepper stepper;
	struct stepper_region *region = &stepper.region[0];
	struct witness_set before, now;
	struct ttlog_control *control;

	if (!go_to(&stepper, scenario, instruction))
		return;
	tally->freezes++;
	control = (void *)(region->base + region->geometry.control_offset);
	__atomic_fetch_add(&control->freeze, 1, __ATOMIC_SEQ_CST);
	if (read_frozen(region, &before) != 0)
		report(scenario, tally, "freeze", instruction, "the region can't be read");
	judge_end(scenario, tally, "freeze", instruction, &stepper, 0);
	read_set(region, &now);
	if (gone(&before, &now))
		report(scenario, tally, "freeze", instruction,
		       "what was there at the freeze is gone");
	stepper_close(&stepper);
}

/*
 * Behind every so many instructions; 0 is never, 1 is each. Where others would be more than `limit`
 * places, they lie close at the start of the piece, which is where the decisions are, and a few are
 * spread over the rest.
 */
static void each(const struct scenario *scenario, struct tally *tally, uint64_t count,
		 unsigned int every, unsigned int limit,
		 void (*way)(const struct scenario *scenario, struct tally *tally,
			     uint64_t instruction))
{
	uint64_t places = every ? count / every : 0, step = every;

	if (!every)
		return;
	if (every == 1)
		limit = UINT_MAX;
	for (uint64_t i = every > 1 ? (uint64_t)random() % every : 0, done = 0; i < count;
	     i += step) {
		way(scenario, tally, i);
		if (places > limit && ++done == limit * 3 / 4)
			step = (count - i) / (limit - done) + 1;
	}
}

/* The handler's own instructions, for a few places where it comes. */
static void walk_handlers(const struct scenario *scenario, struct tally *tally, uint64_t count)
{
	const unsigned int places = 2;

	if (!scenario->signal_every)
		return;
	for (unsigned int i = 0; i < places; i++)
		walk(scenario, tally, "every instruction of a handler",
		     1 + (uint64_t)random() % count);
}

static void run(const struct scenario *scenario)
{
	struct tally tally = {0};
	uint64_t count;

	path.count = 0;
	count = walk(scenario, &tally, "every instruction", 0);

	if (count == 0)
		report(scenario, &tally, "every instruction", 0, "there is none");
	each(scenario, &tally, count, scenario->kill_every, 40, death);
	each(scenario, &tally, count, scenario->signal_every, 150, signal_once);
	each(scenario, &tally, count, scenario->freeze_every, 400, freeze);
	if (count)
		walk_handlers(scenario, &tally, count);
	printf("%-34s %6llu instructions, %3llu deaths, %3llu signals, %4llu freezes: %llu lost\n",
	       scenario->name, (unsigned long long)tally.instructions,
	       (unsigned long long)tally.deaths, (unsigned long long)tally.signals,
	       (unsigned long long)tally.freezes, (unsigned long long)tally.defects);
	fflush(stdout);
	all.instructions += tally.instructions;
	all.deaths += tally.deaths;
	all.signals += tally.signals;
	all.freezes += tally.freezes;
	all.defects += tally.defects;
}

/* The library reads its environment when it is loaded. */
static void set_environment(char **argv)
{
	if (getenv("CRASH_STEP_SEED"))
		return;
	setenv("TTLOG_SOCKET", "", 1);
	setenv("TTLOG_BUFFER_SIZE", "1M", 1);
	setenv("TTLOG_LEVEL", "trace", 1);
	unsetenv("TTLOG_DEBUG");
	setenv("CRASH_STEP_SEED", "1", 1);
	execv("/proc/self/exe", argv);
	perror("crash_step: execv");
	exit(1);
}

/* Tracer and tracee take turns: on one processor that needs no interrupts between two. */
static void one_processor(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(sched_getcpu(), &set);
	sched_setaffinity(0, sizeof(set), &set);
}

int main(int argc, char **argv)
{
	unsigned int done = 0;

	set_environment(argv);
	one_processor();
	/* What one reader gives back, the next one takes: no page faults. */
	mallopt(M_MMAP_THRESHOLD, 64 << 20);
	mallopt(M_TRIM_THRESHOLD, 256 << 20);
	srandom((unsigned int)getpid());
	witness_init();
	if (!stepper_is_possible()) {
		printf("crash_step: skipped: ptrace does not step here\n");
		return 77;
	}
	for (unsigned int i = 0; i < scenario_count; i++) {
		if (argc > 1 && !strstr(scenarios[i].name, argv[1]))
			continue;
		run(&scenarios[i]);
		done++;
	}
	printf("crash_step: %u scenarios, %llu instructions, %llu deaths, %llu signals, %llu "
	       "freezes: "
	       "%llu events lost\n",
	       done, (unsigned long long)all.instructions, (unsigned long long)all.deaths,
	       (unsigned long long)all.signals, (unsigned long long)all.freezes,
	       (unsigned long long)all.defects);
	return all.defects || !done;
}
