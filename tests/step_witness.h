/* SPDX-License-Identifier: MIT */
/*
 * step_witness.h - events that can be judged, and the judge.
 *
 * Whoever records through here says so before and after the call, in a page that is shared with the
 * test. So the test knows at every instruction which calls have returned: those events must be in
 * the region, or counted as lost, whole and in order. An event whose call has not returned may be
 * there or not; if it is, it is whole too. Used by crash_step.
 */
#ifndef STEP_WITNESS_H
#define STEP_WITNESS_H

#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/reader.h"
#include "lib/ttlog.h"

#define WITNESS_STREAMS 8
#define WITNESS_RIVAL_STREAM 4 /* and the next one, for its alerts */
#define WITNESS_CHILD_STREAM 6 /* from here on, what a forked child records */
#define WITNESS_TEXT_MAX 4500
#define WITNESS_SMALL 20u /* bytes of text that fit a slot */
#define WITNESS_MARK UINT64_C(0x9e3779b97f4a7c15)
#define WITNESS_INTERNED "a string in the dictionary"
#define WITNESS_CARRIED "a string that children have too"
#define WITNESS_COMPLAINT_BYTES 256

/* A stream is what one thread (or one signal handler) records, numbered from 1. */
struct witness_stream {
	_Atomic uint64_t started, returned;
	_Atomic uint64_t abandoned; /* number of a call that will never return; 0 = none */
};

enum witness_phase {
	WITNESS_BEFORE,
	WITNESS_STOP,  /* the thread `tid` is about to stop itself: the piece comes next */
	WITNESS_PIECE, /* what is stepped */
	WITNESS_AFTER,
	WITNESS_END, /* stopped for good */
};

struct witness {
	_Atomic uint32_t phase;
	_Atomic uint32_t tid;
	_Atomic uint32_t
		interned_id; /* what ttlog_intern(WITNESS_INTERNED) returned; 0 = not yet */
	_Atomic uint32_t wants_stats; /* the handler is to compare ttlog_get_stats() with this */
	_Atomic uint32_t wrong_stats; /* how often that was wrong */
	_Atomic uint32_t any_order;   /* not only the oldest may be missing */
	_Atomic uint32_t overtaken;   /* at most so many may be missing before an older one */
	_Atomic uint32_t in_channels; /* others use their memory up: any event may be missing */
	_Atomic uint32_t child_repeats; /* what its parent was about to record */
	_Atomic uint32_t child_pid;	/* a handler's child that has recorded all it wants to */
	sem_t rival_may, rival_did;	/* the test lets the other thread run, and waits for it */
	sem_t child_did;
	struct witness_stream stream[WITNESS_STREAMS];
};

extern struct witness *witness;

void witness_init(void);  /* makes the shared page; before the fork */
void witness_clear(void); /* for the next process */
const char *witness_text(uint64_t number, uint32_t bytes);

static inline uint64_t witness_start(uint32_t stream)
{
	uint64_t number = atomic_load(&witness->stream[stream].started) + 1;

	atomic_store(&witness->stream[stream].started, number);
	return number;
}

static inline void witness_return(uint32_t stream, uint64_t number)
{
	atomic_store(&witness->stream[stream].returned, number);
}

/* ttlog_info() and its siblings as `record`; each use is a site of its own. */
#define WITNESS_RECORD(record, of, bytes_wanted)                                                   \
	do {                                                                                       \
		const uint32_t stream_ = (of), bytes_ = (bytes_wanted);                            \
		const uint64_t number_ = witness_start(stream_);                                   \
		const char *text_ = witness_text(number_, bytes_);                                 \
                                                                                                   \
		record("step", "stream", stream_, "number", number_, "bytes", bytes_, "text",      \
		       text_, "mark", number_ *WITNESS_MARK);                                      \
		witness_return(stream_, number_);                                                  \
	} while (0)

/* What a region holds of a range of streams. */
struct witness_count {
	uint64_t events, overwritten, dropped;
	uint64_t newest[WITNESS_STREAMS]; /* greatest number found */
};

/*
 * Judges a region that should hold the streams first..end-1 and nothing else. True: all is well;
 * false: complaint says what is wrong. The writers are stopped or dead.
 */
bool witness_judge(const void *base, const struct ttlog_geometry *geometry, uint32_t first,
		   uint32_t end, struct witness_count *ret_count,
		   char complaint[WITNESS_COMPLAINT_BYTES]);

/* One bit an event that can be read, by stream and number. */
#define WITNESS_NUMBERS 8192
struct witness_set {
	uint64_t bit[WITNESS_STREAMS][WITNESS_NUMBERS / 64];
};

/* 0 or a negative errno. */
int witness_set_read(const void *base, const struct ttlog_geometry *geometry,
		     struct witness_set *ret_set);

#endif
