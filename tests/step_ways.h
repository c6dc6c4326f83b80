/* SPDX-License-Identifier: MIT */
/*
 * step_ways.h - what is done to a scenario.
 *
 *   looks      Behind every instruction the region is read. Nothing else of the process runs
 *              meanwhile, so this is the very memory that it would leave if it died there: reading
 *              it is the same as killing it, and thousands of times cheaper.
 *   deaths     Behind every so many it really dies, by SIGKILL, in a process that was started for
 *              this; the region is read after it is gone.
 *   signals    Behind every so many a signal handler runs that records, or that jumps out.
 *   freezes    Behind every so many the freeze word is set, and the writer goes on: what could be
 *              read at that moment must be readable at the end.
 *   rivals     Behind every so many another thread of the process records, while this one stands
 *              still: nobody waits for it, and what it had decided is overtaken.
 *
 * And with looks behind every instruction from there on: a rival in front of each locked
 * instruction, so that compare-and-swaps are lost, a freeze on both sides of it, and handlers at a
 * few places.
 *
 * All of that takes minutes. A part of it does what comes without anything in between behind every
 * instruction, as ever, and of the rest one place in so many.
 */
#ifndef STEP_WAYS_H
#define STEP_WAYS_H

#include <stdbool.h>
#include <stdint.h>

#include "tests/step_scenarios.h"

struct ways_tally {
	uint64_t instructions, looks, deaths, signals, freezes, rivals;
	uint64_t defects;
};

struct ways_part {
	unsigned int one_in; /* of the places; 1 = all of them */
	bool has_all_walks;  /* no place with looks behind it is left out */
};

/* Says what went wrong. Which places are left out depends on random(). */
void ways_run(const struct scenario *scenario, const struct ways_part *part,
	      struct ways_tally *ret_tally);

#endif
