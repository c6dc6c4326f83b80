/* SPDX-License-Identifier: MIT */
/*
 * history_parts.h - what the files of the history share; nobody else includes it.
 *
 *   history.c        the thread, who is due, and what everybody calls
 *   history_look.c   one look at a region: what is new
 *   history_pace.c   when to look again
 *   history_stir.c   the thread's sleep, and who idle runs again
 *   history_store.c  segments of memory, budgets, cuts
 *   history_code.c   the events of a chunk in few bytes
 */
#ifndef RECORDER_HISTORY_PARTS_H
#define RECORDER_HISTORY_PARTS_H

#include <pthread.h>
#include <time.h>

#include "recorder/history.h"
#include "recorder/history_code.h"
#include "recorder/history_pace.h"

/*
 * Chunks, one behind the other, each a struct ttlog_reader_saved and its packed events. Only the
 * thread writes, behind `used`; what is before it never changes. In two lists, of its history and
 * of all, oldest first; the lock is that of the histories.
 */
struct history_segment {
	struct history_segment *next, *all_next, *all_before;
	struct history *history;
	unsigned int holders; /* the list, and cuts */
	uint32_t chunk_count;
	uint64_t event_count;
	size_t used;
	size_t bytes; /* of the mapping, with this */
	_Alignas(8) unsigned char data[];
};

struct history_lane {
	uint64_t due_ns, interval_ns, looked_ns;
	uint64_t hand;	 /* at the last look */
	uint64_t *saved; /* for each chunk: generation << 16 | events, of what was saved last */
	bool is_kept;
};

struct history {
	struct histories *histories;
	struct history *next, **at; /* the list of those that are looked at */
	const void *base;
	struct ttlog_geometry geometry;
	struct history_segment *first, *last;
	uint64_t bytes;
	uint64_t busy_ns; /* when one of its lanes was last seen to be */
	pid_t pid;	  /* 0: can't be watched */
	timer_t timer;	  /* with a place in histories.watched */
	uint32_t place;
	bool has_timer;
	bool has_stirred; /* set with the lock, asked without */
	struct history_watch watch;
	bool is_leaving;   /* somebody waits for the thread to be done with it */
	bool has_given_up; /* some of it, for newer ones */
	struct history_lane lane[TTLOG_LANE_MAX];
	uint64_t saved[]; /* of all lanes */
};

/* A chunk of lane CHANNEL that is to be saved. */
struct history_fresh {
	uint64_t taken_ticks, state;
	uint32_t index;
};

/* Then another client gets its turn. */
#define HISTORY_LOOK_CHUNKS 1024
#define HISTORY_LOOK_CHANNEL_CHUNKS 4096 /* which are an eighth as large */

struct histories {
	struct history_options options;
	struct history *first, **last;
	struct history *busy;			 /* which the thread is at, without the lock */
	struct history_segment *oldest, *newest; /* of all histories */
	struct history_segment *garbage;	 /* nobody's, by `next` */
	struct history_figures figures;
	struct history **watched; /* by what its timer says; NULL: free */
	uint32_t watched_count;
	pthread_mutex_t lock;
	pthread_cond_t is_done; /* with `busy` */
	pthread_t thread;
	pid_t thread_id; /* 0: none yet */
	bool is_closing;
	bool is_asleep;	 /* and nobody has woken it */
	bool has_thread; /* the loop's own */
	/* The thread's own. */
	struct history_coder coder;
	struct history_fresh fresh[2 * HISTORY_LOOK_CHANNEL_CHUNKS];
	unsigned char events[HISTORY_CHUNK_MAX], packed[HISTORY_PACKED_MAX];
};

uint64_t history_now_ns(void);

/* history_look.c; without the lock. When it is due again; `now` as it was when it began. */
uint64_t history_look_due(struct history *history, uint64_t now_ns);
/* All lanes, whether they are due or not, until nothing is left to save. */
void history_look_now(struct history *history, uint64_t now_ns);
void history_lanes_init(struct history *history, uint64_t now_ns);

/* history_stir.c */
/* The thread's; with the lock, which it gives away meanwhile. */
void history_sleep(struct histories *histories, uint64_t until_ns);
/* With the lock. */
void history_wake(struct histories *histories);
void history_stir_end(struct history *history);
/* By whose turn it is, without the lock. False: there is no telling when the client runs again. */
bool history_stir_watch(struct history *history, uint64_t now_ns);
/* It has run again, and nobody was told so far. */
bool history_stir_take(struct history *history);

/* history_store.c */
/* Takes the lock. What there is no memory for is not kept. */
bool history_keep(struct history *history, struct ttlog_reader_saved *saved,
		  const unsigned char *packed);
void history_drop_all(struct history *history); /* with the lock */

#endif
