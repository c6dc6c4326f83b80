/* SPDX-License-Identifier: MIT */
/* trigger_states.c - see trigger_states.h. */
#include "recorder/trigger_states.h"

#include <stdlib.h>
#include <string.h>

struct trigger_state *trigger_states_new(const struct rules *rules, struct trigger_state *old,
					 unsigned int old_count)
{
	struct trigger_state *states = calloc(rules->count + 1, sizeof(*states));

	for (unsigned int i = 0; states && i < rules->count; i++) {
		strcpy(states[i].name, rules->rule[i].name);
		for (unsigned int k = 0; k < old_count; k++) {
			if (strcmp(old[k].name, states[i].name))
				continue;
			states[i] = old[k];
			old[k].windows = (struct rate_windows){0};
		}
	}
	return states;
}

void trigger_states_free(struct trigger_state *states, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		rate_free(&states[i].windows);
	free(states);
}
