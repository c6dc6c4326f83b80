/* SPDX-License-Identifier: MIT */
/* step_judge.h - judges the regions of a process that is stopped or dead. Used by crash_step. */
#ifndef STEP_JUDGE_H
#define STEP_JUDGE_H

#include "tests/step_tracer.h"
#include "tests/step_witness.h"

/* Regions as they were at the last look: an instruction that changed nothing needs no second one.
 */
struct judge_shadow {
	unsigned char *bytes[2];
	struct witness witness;
};

/* may_change: the instruction that was executed since can write to a region. */
bool judge_is_unchanged(const struct stepper *stepper, struct judge_shadow *shadow,
			bool may_change);
void judge_shadow_free(struct judge_shadow *shadow);

/* True: both regions hold what they should; ret_events, unless NULL, is how many events. */
bool judge(const struct stepper *stepper, uint64_t *ret_events,
	   char complaint[WITNESS_COMPLAINT_BYTES]);
/*
 * When the process has come to its end, alive: nobody is between two steps, and no chunk is owned
 * but those that threads may hold.
 */
bool judge_owners(const struct stepper *stepper, char complaint[WITNESS_COMPLAINT_BYTES]);

/* Is a chunk in that state? */
bool judge_has_state(const struct stepper_region *region, uint32_t state_wanted);
uint64_t judge_overwritten(const struct stepper_region *region);
/* What can be read; ends the test without memory. */
void judge_read(const struct stepper_region *region, struct witness_set *set);
/*
 * The same at the moment of a freeze, of what will not go: a chunk that was condemned before is
 * lost, and nothing else. 0 or a negative errno.
 */
int judge_read_frozen(const struct stepper_region *region, struct witness_set *ret_set);
/* How many events of the one set are not in the other. */
uint64_t judge_gone(const struct witness_set *before, const struct witness_set *now);

#endif
