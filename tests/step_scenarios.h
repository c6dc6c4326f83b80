/* SPDX-License-Identifier: MIT */
/* step_scenarios.h - what is stepped: pieces of recording that change the region. */
#ifndef STEP_SCENARIOS_H
#define STEP_SCENARIOS_H

struct scenario {
	const char *name;
	/* Runs in the traced process: warms up, stops, does the piece, then records some more. */
	void (*run)(void);
	/* At every so many instructions of the piece, in a process each; 0 = never. */
	unsigned int kill_every;
	unsigned int signal_every; /* a handler records */
	unsigned int freeze_every; /* the recorder freezes the region */
};

extern const struct scenario scenarios[];
extern const unsigned int scenario_count;

#endif
