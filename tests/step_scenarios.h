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
	unsigned int rival_every;  /* another thread records */
};

/* Each ends with one that has no name. */
extern const struct scenario step_scenarios[];
extern const struct scenario step_changes[];
extern const struct scenario step_stops[];
extern const struct scenario step_channels[];
extern const struct scenario step_corners[];
extern const struct scenario step_forks[];
extern const struct scenario step_jumps[];

#endif
