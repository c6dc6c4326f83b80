/* SPDX-License-Identifier: MIT */
/* trigger_states.h - what rules have done so far, which outlives their being read again. For triggers.c. */
#ifndef RECORDER_TRIGGER_STATES_H
#define RECORDER_TRIGGER_STATES_H

#include "recorder/rate.h"
#include "recorder/triggers.h"

struct trigger_state {
	char name[RULE_NAME_BYTES];
	struct trigger_figures figures;
	struct rate_windows windows;
};

/* One for each rule. What rules of that name have used up stays used up: it is taken from the old. */
struct trigger_state *trigger_states_new(const struct rules *rules, struct trigger_state *old,
					 unsigned int old_count);
void trigger_states_free(struct trigger_state *states, unsigned int count);

#endif
