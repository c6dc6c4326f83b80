/* SPDX-License-Identifier: MIT */
/*
 * counters.h - what has happened since the start, counted where it happens; /metrics shows all of
 * it.
 *
 * One struct for the whole process. The loop's thread owns it and counts without further ado; what
 * workers count too is atomic. Nothing decides by these numbers, they are for people.
 *
 * Whoever counts something new adds a line here and its row in metrics_text.c. What somebody knows
 * anyway (clients that live, bytes held, losses of the kernel program) is asked for at a scrape,
 * and is no counter.
 */
#ifndef RECORDER_COUNTERS_H
#define RECORDER_COUNTERS_H

#include <stdatomic.h>
#include <stdint.h>

#include "recorder/verdict.h"

/* Why somebody who connected did not become a client. */
enum counters_refusal {
	COUNTERS_REFUSED_FULL,	   /* too many connections */
	COUNTERS_REFUSED_SILENT,   /* said nothing in time */
	COUNTERS_REFUSED_PROTOCOL, /* what it said made no sense */
	COUNTERS_REFUSED_VERSION,  /* of another time */
	COUNTERS_REFUSED_MEMORY,   /* the memory of all clients is used up */
	COUNTERS_REFUSED_QUOTA,	   /* its user has had enough */
	COUNTERS_REFUSED_GONE,	   /* died or hung up meanwhile */
	COUNTERS_REFUSED_OTHER,
	COUNTERS_REFUSAL_COUNT,
};

/* Why a dump is written. */
enum counters_trigger {
	COUNTERS_TRIGGER_DEATH,
	COUNTERS_TRIGGER_EXEC,
	COUNTERS_TRIGGER_SNAPSHOT, /* the program asked */
	COUNTERS_TRIGGER_FLUSH,	   /* periodic */
	COUNTERS_TRIGGER_CONTROL,  /* an operator asked */
	COUNTERS_TRIGGER_HANG,	   /* a heartbeat was missed */
	COUNTERS_TRIGGER_RULE,	   /* of the configuration */
	COUNTERS_TRIGGER_GROUP,	   /* another one of its group died */
	COUNTERS_TRIGGER_CLOSED,   /* the process lives, but has another ring now, or none */
	COUNTERS_TRIGGER_COUNT,
};

enum counters_result {
	COUNTERS_RESULT_WRITTEN,
	COUNTERS_RESULT_FAILED,
	COUNTERS_RESULT_SHED, /* left out on purpose: a rate, a crash loop, a floor */
	COUNTERS_RESULT_COUNT,
};

/* Where a line of verdict goes; see announce.h. */
enum counters_verdict_to {
	COUNTERS_VERDICT_FILE,
	COUNTERS_VERDICT_SYSLOG,
	COUNTERS_VERDICT_JOURNAL,
	COUNTERS_VERDICT_COUNT,
};

/* Values are counted into the first bucket whose bound they do not exceed; see counters.c. */
#define COUNTERS_BUCKETS 12 /* the last has no bound */

struct counters_histogram {
	uint64_t bucket[COUNTERS_BUCKETS]; /* each for itself, not added up */
	double sum;
};

extern const double counters_seconds_bound[COUNTERS_BUCKETS - 1];
extern const double counters_bytes_bound[COUNTERS_BUCKETS - 1];

#define COUNTERS_HOW (VERDICT_SECCOMP + 1)

struct counters {
	uint64_t loop_wakeups;

	uint64_t registrations;
	uint64_t refused[COUNTERS_REFUSAL_COUNT];
	uint64_t snapshots_refused; /* they came too fast */
	uint64_t group_sets, group_sets_shed; /* of deaths, with those who lived; too soon after another */
	uint64_t group_left_out;	      /* members that were too many */
	uint64_t last_deaths_asked; /* "why did I die?" */
	uint64_t restored;	   /* registrations without a hello: kept by the service manager */
	uint64_t adopted;	   /* registrations without a hello: rings found in /proc */
	uint64_t adoptions_failed; /* found, and then gone, damaged or too large */
	uint64_t deaths[COUNTERS_HOW];
	uint64_t hangs, hangs_recovered; /* heartbeats that were missed, and came again */
	uint64_t hangs_not_dumped;	 /* too many in a minute, or too many dumps under way */

	uint64_t dumps[COUNTERS_TRIGGER_COUNT][COUNTERS_RESULT_COUNT];
	uint64_t dump_bytes;			/* of files written */
	uint64_t last_dump_ns;			/* CLOCK_REALTIME; 0: none was written yet */
	struct counters_histogram dump_seconds; /* from its order to its name, waiting included */
	struct counters_histogram dump_sizes;	/* bytes of a file */

	/* The folder of dumps: what is there, and what was removed to make room. Workers count too.
	 */
	_Atomic uint64_t store_files, store_bytes;
	_Atomic uint64_t store_quota_bytes; /* 0: without */
	_Atomic uint64_t store_shed_files, store_shed_bytes;
	uint64_t verdicts[COUNTERS_VERDICT_COUNT], verdicts_lost[COUNTERS_VERDICT_COUNT];
	_Atomic uint64_t hooks_run, hooks_failed; /* commands after a dump */
};

extern struct counters counters;

void counters_observe(struct counters_histogram *histogram, const double *bound, double value);
/* A peer is sent away with that negative errno. */
void counters_refuse(int err);
void counters_death(const struct verdict *verdict);
enum counters_trigger counters_trigger_of(const struct verdict *verdict, const char *reason);

const char *counters_refusal_name(enum counters_refusal why);
const char *counters_trigger_name(enum counters_trigger trigger);
const char *counters_verdict_name(enum counters_verdict_to to);
const char *counters_result_name(enum counters_result result);

#endif
