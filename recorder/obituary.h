/* SPDX-License-Identifier: MIT */
/*
 * obituary.h - a death that is known, for all who are to be told of it: those who ask why they died
 * (last_deaths.h), and where a line is written for each (announce.h).
 *
 * The loop's thread. What lives on (a snapshot, another program by exec) is no death.
 */
#ifndef RECORDER_OBITUARY_H
#define RECORDER_OBITUARY_H

#include <stdbool.h>
#include <stdint.h>

struct dumper;
struct subject;
struct verdict;

/* Texts are the caller's; NULL or 0: not known, or none. */
struct obituary {
	const struct subject *subject;
	const struct verdict *verdict;
	const char *reason;
	uint64_t died_ns; /* CLOCK_REALTIME; obituary_publish() fills it in */
	uint64_t loop_count;
	const char *dump, *signature;
	int dump_err; /* why there is no dump although there should be one */
};

/* How it ended is known; dump_follows: its dump is ordered, and obituary_dumped() will be called. */
void obituary_publish(struct dumper *dumper, struct obituary *obituary, bool dump_follows);
/* The same death, when its dump is written or has failed. */
void obituary_dumped(struct dumper *dumper, struct obituary *obituary);

#endif
