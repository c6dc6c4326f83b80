/* SPDX-License-Identifier: MIT */
/*
 * history.h - what rings no longer hold: chunks of living clients, copied before they are recycled.
 *
 * One thread looks at all rings, each as often as its event rate demands, and keeps what was
 * retired, packed, in memory: a budget for each client, one for all, the oldest goes first. The
 * client is not asked and does not notice. A dump takes a cut of it and takes nothing away.
 *
 * All but the cut is called by the loop; none of it waits for longer than a chunk takes to copy.
 */
#ifndef RECORDER_HISTORY_H
#define RECORDER_HISTORY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/reader.h"

#define HISTORY_BYTES_MIN (UINT64_C(1) << 20) /* of one client */

struct history_options {
	uint64_t client_bytes; /* 0: no history */
	uint64_t total_bytes;  /* 0: a quarter of the machine's memory */
	bool without_thread;   /* only history_look() looks: for tests */
};

/* Of all clients, now and so far. */
struct history_figures {
	uint64_t bytes;		 /* in use */
	uint64_t chunks, events; /* saved so far */
	uint64_t missed;	 /* chunks that were recycled before they were saved */
	uint64_t evicted;	 /* events that had to go for newer ones */
	uint64_t looks;
	uint64_t watches; /* how often the kernel was asked to tell when an idle client runs */
	uint64_t stirs;	  /* how often it told */
};

struct histories;
struct history;

/* Without a budget for clients *ret_histories is NULL, and so is each history. */
int histories_open(struct histories **ret_histories, const struct history_options *options);
/* After all of them were ended. NULL is fine. */
void histories_close(struct histories *histories);
void histories_figures(struct histories *histories, struct history_figures *ret_figures);

/*
 * The region stays mapped until history_end(). `pid` is whose region it is, in our namespace; where
 * that can't be said (0), an idle client is looked at more often. NULL: not wanted, or no memory
 * for it; the recorder does without.
 */
struct history *history_begin(struct histories *histories, const void *base,
			      const struct ttlog_geometry *geometry, pid_t pid);
/* It may be in somebody's cut; NULL is fine. */
void history_end(struct history *history);
/* Looks at all of its lanes, now, in this thread: for tests. */
void history_look(struct history *history);

/*
 * For one dump, by any thread: what is kept from the moment on at which the reader asks. The client
 * still holds the history then.
 */
struct history_cut {
	struct ttlog_reader_history reader; /* for ttlog_reader_open_with() */
	struct history *history;
	struct history_hold *hold;
	struct history_coder *coder;
	uint64_t bytes, budget_bytes; /* that were kept, and might have been */
};

/* 0 or -ENOMEM; history_cut_fini() is due only after 0, and after the reader is closed. */
int history_cut_init(struct history_cut *ret_cut, struct history *history);
void history_cut_fini(struct history_cut *cut);

#endif
