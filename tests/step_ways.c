/* SPDX-License-Identifier: MIT */
/* step_ways.c - see step_ways.h. */
#include "tests/step_ways.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/step_code.h"
#include "tests/step_coverage.h"
#include "tests/step_judge.h"
#include "tests/step_pieces.h"
#include "tests/step_tracer.h"
#include "tests/step_witness.h"

#define COMPLAINTS_SHOWN 3
#define RIVAL_LIMIT_S 60
/* A handler in the middle of a take may evict what is younger than the chunk that is taken. */
#define HANDLER_TAKES_MAX 8
#define PLACES_MAX 64
#define LONG_PIECE 1500 /* instructions: too many to look behind each of them often */

/* What comes in between, when the writer has executed so many instructions of its piece. */
enum between { NOTHING, SIGNAL, FREEZE, RIVAL };

struct trial {
	const struct scenario *scenario;
	const struct ways_part *part;
	struct ways_tally tally;
	struct stepper_path path;
	/* Where its locked instructions are, each one once. */
	uint64_t locked[PLACES_MAX];
	uint32_t locked_count;
	/* Behind which instructions there is an event more. */
	uint64_t commit[PLACES_MAX];
	uint32_t commit_count;
	/* Behind which a chunk is condemned, and empty, for the first time; 0 = none. */
	uint64_t condemned, empty;
	uint64_t events;
};

static const struct scenario *running; /* for the traced process */

static void run_scenario(void)
{
	if (running->rival_every)
		rival_start();
	running->run();
}

static void report(struct trial *trial, const char *way, uint64_t instruction,
		   const char *complaint)
{
	if (trial->tally.defects++ < COMPLAINTS_SHOWN)
		printf("  %s, %s, instruction %llu: %s\n", trial->scenario->name, way,
		       (unsigned long long)instruction, complaint);
}

static void judge_end(struct trial *trial, const char *way, uint64_t instruction,
		      struct stepper *stepper, int signal)
{
	char complaint[WITNESS_COMPLAINT_BYTES];

	if (!stepper_finish(stepper, signal)) {
		report(trial, way, instruction, "the process did not come to its end");
		return;
	}
	stepper_look(stepper);
	if (!judge(stepper, NULL, complaint) || !judge_owners(stepper, complaint))
		report(trial, way, instruction, complaint);
}

/* Is this place one of those that are left out? */
static bool skip_place(const struct trial *trial)
{
	return trial->part->one_in > 1 && random() % trial->part->one_in;
}

static bool skip_walk(const struct trial *trial)
{
	return !trial->part->has_all_walks && skip_place(trial);
}

/* ---- what comes in between ------------------------------------------------------------------- */

static struct ttlog_control *control_of(const struct stepper_region *region)
{
	return (void *)(region->base + region->geometry.control_offset);
}

static bool is_frozen(const struct stepper_region *region)
{
	return region->base && __atomic_load_n(&control_of(region)->freeze, __ATOMIC_SEQ_CST) & 1;
}

static void freeze(struct stepper *stepper)
{
	struct stepper_region *region = &stepper->region[0];
	struct ttlog_control *control;

	if (!region->base)
		return;
	control = control_of(region);
	/* One that is on ends, and another one comes: its afterlife may go before what is older. */
	if (is_frozen(region))
		atomic_store(&witness->overtaken, UINT32_MAX);
	__atomic_fetch_add(&control->freeze, is_frozen(region) ? 2 : 1, __ATOMIC_SEQ_CST);
}

/* False: it waits for the one that stands still. */
static bool let_rival_run(void)
{
	struct timespec limit;

	clock_gettime(CLOCK_REALTIME, &limit);
	limit.tv_sec += RIVAL_LIMIT_S;
	sem_post(&witness->rival_may);
	while (sem_timedwait(&witness->rival_did, &limit) != 0)
		if (errno != EINTR)
			return false;
	return true;
}

/* Returns the signal to deliver; 0 = none. */
static int come_between(struct trial *trial, const char *way, struct stepper *stepper,
			enum between between, uint64_t instruction)
{
	switch (between) {
	case NOTHING:
		return 0;
	case SIGNAL:
		if (!atomic_load(&witness->overtaken))
			atomic_store(&witness->overtaken, HANDLER_TAKES_MAX);
		return SIGUSR1;
	case FREEZE:
		freeze(stepper);
		return 0;
	case RIVAL:
		if (!let_rival_run())
			report(trial, way, instruction, "a rival waits for who stands still");
		return 0;
	}
	return 0;
}

/* ---- with looks ------------------------------------------------------------------------------ */

static void note_locked(struct trial *trial, uint64_t pc, uint64_t count)
{
	const struct stepper_path *path = &trial->path;

	if (!coverage_is_image(pc) || !code_is_locked(pc) || trial->locked_count == PLACES_MAX)
		return;
	for (uint32_t i = 0; i < trial->locked_count; i++)
		if (path->pc[path->lead + trial->locked[i]] == pc)
			return;
	trial->locked[trial->locked_count++] = count;
}

/* Of the first walk, what has become of the region. */
static void note_change(struct trial *trial, const struct stepper_region *region, uint64_t events,
			uint64_t count)
{
	if (events > trial->events && trial->commit_count < PLACES_MAX)
		trial->commit[trial->commit_count++] = count;
	if (!trial->condemned && judge_has_state(region, TTLOG_CHUNK_COND))
		trial->condemned = count;
	if (!trial->empty && judge_has_state(region, TTLOG_CHUNK_INIT))
		trial->empty = count;
}

/* One step, and a look. */
static bool step_and_look(struct trial *trial, const char *way, struct stepper *stepper, int signal,
			  struct judge_shadow *shadow, uint64_t count)
{
	char complaint[WITNESS_COMPLAINT_BYTES];
	uint64_t events = trial->events;
	/* Whatever a signal does in between, its frame is on the stack. */
	bool may_change = !stepper->pc || !code_is_harmless(stepper->pc);

	if (!stepper_step(stepper, signal))
		return false;
	stepper_where(stepper);
	stepper_look(stepper);
	trial->tally.looks++;
	coverage_add(stepper->pc, COVERAGE_LOOK);
	if (judge_is_unchanged(stepper, shadow, may_change))
		return true;
	if (!judge(stepper, &events, complaint))
		report(trial, way, count + 1, complaint);
	if (!trial->tally.instructions)
		note_change(trial, &stepper->region[0], events, count + 1);
	trial->events = events;
	return true;
}

/* Behind each instruction. Returns how many there are. */
static uint64_t walk(struct trial *trial, const char *way, enum between between, uint64_t at)
{
	struct judge_shadow shadow = {0};
	struct stepper stepper;
	uint64_t count = 0;
	int signal = 0;

	stepper_start(&stepper, run_scenario);
	for (;;) {
		if (between != NOTHING && count == at) {
			signal = come_between(trial, way, &stepper, between, at);
			stepper.pc = 0;
		}
		if (!step_and_look(trial, way, &stepper, signal, &shadow, count))
			break;
		signal = 0;
		if (between == NOTHING)
			stepper_path_add(&stepper, &trial->path);
		if (count++ == 0)
			trial->path.lead = stepper.steps - 1;
		if (between == NOTHING)
			note_locked(trial, stepper.pc, count);
	}
	judge_end(trial, way, count, &stepper, 0);
	stepper_close(&stepper);
	judge_shadow_free(&shadow);
	return count;
}

/* The handler's own instructions, for a few places where it comes. */
static void walk_handlers(struct trial *trial)
{
	const unsigned int places = 2;

	if (!trial->scenario->signal_every)
		return;
	for (unsigned int i = 0; i < places; i++)
		if (!skip_walk(trial))
			walk(trial, "every instruction of a handler", SIGNAL,
			     1 + (uint64_t)random() % trial->tally.instructions);
	/* It is there, and the writer does not know yet. */
	if (trial->commit_count > 1 && !skip_walk(trial))
		walk(trial, "every instruction behind a commit", SIGNAL, trial->commit[1]);
	if (trial->scenario->signal_every > 2)
		return;
	if (trial->condemned && !skip_walk(trial))
		walk(trial, "every instruction, one is condemned", SIGNAL, trial->condemned);
	if (trial->empty && !skip_walk(trial))
		walk(trial, "every instruction, one is empty", SIGNAL, trial->empty);
}

static void walk_locked(struct trial *trial)
{
	const struct scenario *scenario = trial->scenario;

	for (uint32_t i = 0; i < trial->locked_count; i++) {
		if (skip_walk(trial))
			continue;
		if (scenario->signal_every && trial->tally.instructions < LONG_PIECE)
			walk(trial, "every instruction after a handler", SIGNAL, trial->locked[i]);
		if (scenario->rival_every)
			walk(trial, "every instruction after a rival", RIVAL, trial->locked[i]);
		if (!scenario->freeze_every)
			continue;
		if (trial->tally.instructions < LONG_PIECE)
			walk(trial, "every instruction after a freeze", FREEZE, trial->locked[i]);
		walk(trial, "every instruction after a freeze", FREEZE, trial->locked[i] + 1);
	}
}

/* ---- in a process each ----------------------------------------------------------------------- */

/* A new process, up to that instruction. False: it was not reached, and the process is gone again.
 */
static bool go_to(struct stepper *stepper, struct trial *trial, uint64_t instruction)
{
	stepper_start(stepper, run_scenario);
	return stepper_go(stepper, &trial->path, instruction);
}

static void death(struct trial *trial, uint64_t instruction)
{
	char complaint[WITNESS_COMPLAINT_BYTES];
	struct stepper stepper;
	uint64_t pc;

	if (!go_to(&stepper, trial, instruction))
		return;
	stepper_where(&stepper);
	pc = stepper.pc;
	stepper_kill(&stepper);
	trial->tally.deaths++;
	coverage_add(pc, COVERAGE_KILL);
	if (!judge(&stepper, NULL, complaint))
		report(trial, "SIGKILL", instruction, complaint);
	stepper_close(&stepper);
}

/* What could be read once, of an event that was left for ever too, is there or was overwritten. */
static void signal_once(struct trial *trial, uint64_t instruction)
{
	struct stepper stepper;
	struct witness_set before, now;
	uint64_t overwritten_before;

	if (!go_to(&stepper, trial, instruction))
		return;
	trial->tally.signals++;
	atomic_store(&witness->wants_stats, 1);
	judge_read(&stepper.region[0], &before);
	overwritten_before = judge_overwritten(&stepper.region[0]);
	judge_end(trial, "signal", instruction, &stepper,
		  come_between(trial, "signal", &stepper, SIGNAL, instruction));
	judge_read(&stepper.region[0], &now);
	if (judge_gone(&before, &now) > judge_overwritten(&stepper.region[0]) - overwritten_before)
		report(trial, "signal", instruction, "what was there is gone, uncounted");
	stepper_close(&stepper);
}

static void freeze_once(struct trial *trial, uint64_t instruction)
{
	struct stepper stepper;
	struct stepper_region *region = &stepper.region[0];
	struct witness_set before, now;
	uint64_t overwritten, may_go = 0;

	if (!go_to(&stepper, trial, instruction))
		return;
	trial->tally.freezes++;
	overwritten = judge_overwritten(region);
	if (is_frozen(region))
		may_go = UINT64_MAX; /* the afterlife of the one before, counted */
	freeze(&stepper);
	if (judge_read_frozen(region, &before) != 0)
		report(trial, "freeze", instruction, "the region can't be read");
	judge_end(trial, "freeze", instruction, &stepper, 0);
	judge_read(region, &now);
	if (may_go)
		may_go = judge_overwritten(region) - overwritten;
	if (judge_gone(&before, &now) > may_go)
		report(trial, "freeze", instruction, "what was there at the freeze is gone");
	stepper_close(&stepper);
}

static void rival_once(struct trial *trial, uint64_t instruction)
{
	char complaint[WITNESS_COMPLAINT_BYTES];
	struct stepper stepper;

	if (!go_to(&stepper, trial, instruction))
		return;
	trial->tally.rivals++;
	come_between(trial, "rival", &stepper, RIVAL, instruction);
	stepper_look(&stepper);
	if (!judge(&stepper, NULL, complaint))
		report(trial, "rival", instruction, complaint);
	judge_end(trial, "behind a rival", instruction, &stepper, 0);
	stepper_close(&stepper);
}

/*
 * Behind every so many instructions; 0 is never, 1 is each. Where those above 2 would be more than
 * `limit` places, they lie close at the start of the piece, which is where the decisions are, and a
 * few are spread over the rest. Of all these, a part is left out.
 */
static void each(struct trial *trial, unsigned int every, unsigned int limit,
		 void (*way)(struct trial *trial, uint64_t instruction))
{
	uint64_t count = trial->tally.instructions;
	uint64_t places = every ? count / every : 0, step = every;

	if (!every)
		return;
	if (every <= 2)
		limit = UINT_MAX;
	for (uint64_t i = every > 1 ? (uint64_t)random() % every : 0, done = 0; i < count;
	     i += step) {
		if (!skip_place(trial))
			way(trial, i);
		if (places > limit && ++done == limit * 3 / 4)
			step = (count - i) / (limit - done) + 1;
	}
}

void ways_run(const struct scenario *scenario, const struct ways_part *part,
	      struct ways_tally *ret_tally)
{
	struct trial trial = {.scenario = scenario, .part = part};

	running = scenario;
	trial.tally.instructions = walk(&trial, "every instruction", NOTHING, 0);
	if (trial.tally.instructions == 0) {
		report(&trial, "every instruction", 0, "there is none");
	} else {
		each(&trial, scenario->kill_every, 40, death);
		each(&trial, scenario->signal_every, 150, signal_once);
		each(&trial, scenario->freeze_every, 400, freeze_once);
		each(&trial, scenario->rival_every, 150, rival_once);
		walk_handlers(&trial);
		walk_locked(&trial);
	}
	free(trial.path.pc);
	free(trial.path.visits);
	*ret_tally = trial.tally;
}
