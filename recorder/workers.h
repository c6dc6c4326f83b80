/* SPDX-License-Identifier: MIT */
/*
 * workers.h - threads for what may take long, so that the loop never waits.
 *
 * A job runs in some thread, then is done in the loop. Jobs start in the order of their submission;
 * those of different shares take turns, so that who submits a thousand waits for them alone.
 */
#ifndef RECORDER_WORKERS_H
#define RECORDER_WORKERS_H

#include "recorder/loop.h"

struct workers;
struct workers_job;

typedef void (*workers_fn)(struct workers_job *job);

/* Belongs to the submitter, who may free it in done(). */
struct workers_job {
	struct workers_job *next;
	uint64_t turn;
	workers_fn run;	 /* in a worker, all signals blocked */
	workers_fn done; /* in the loop */
};

int workers_open(struct workers **ret_workers, struct loop *loop, unsigned int thread_count);
/*
 * The same in two steps: what is submitted in between waits. Threads have the rights that the
 * process has at the second.
 */
int workers_prepare(struct workers **ret_workers, struct loop *loop, unsigned int thread_count);
int workers_start(struct workers *workers);
/*
 * Waits for the jobs that have started or wait, and calls done() for each; without threads it runs
 * them. NULL is fine.
 */
void workers_close(struct workers *workers);

/* Whose jobs are they? One for each of those who take turns, and for each set of workers; zeros. */
struct workers_share {
	uint64_t turn; /* of the last of its jobs */
};

void workers_submit(struct workers *workers, struct workers_job *job);
void workers_submit_for(struct workers *workers, struct workers_job *job,
			struct workers_share *share);
/* Jobs submitted and not yet done. */
unsigned int workers_pending(const struct workers *workers);

#endif
