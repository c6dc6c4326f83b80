/* SPDX-License-Identifier: MIT */
/*
 * chunk.h - the chunk protocol: taking and retiring. The states are in ttlog_abi.h.
 *
 * What is written into a chunk is for ring.c, when one is taken for stops.c. Lock-free; legal
 * wherever recording is.
 */
#ifndef TTLOG_CHUNK_H
#define TTLOG_CHUNK_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/ttlog_abi.h"

/* Who takes: what the chunk says of its owner. */
struct ttlog_taker {
	uint32_t tid;
	const char *name; /* TTLOG_THREAD_NAME_BYTES of them */
	uint64_t ticks;	  /* when, about: not before the newest event of the chunk before */
	uint32_t writer;  /* which of the thread's */
};

/* A chunk that was taken. */
struct ttlog_tenure {
	struct ttlog_chunk *chunk;
	uint32_t lane;
	uint32_t index;
	uint64_t generation;
	uint64_t ticket; /* its place in the order of takes */
};

enum ttlog_take_rule {
	TTLOG_TAKE_ONLY_FREE, /* evict nothing */
	TTLOG_TAKE_NOT_YOUNG, /* leave the younger half alone: a quiet thread's chunk, retired just
			       * now; then any, then those whose owner is no more */
	TTLOG_TAKE_ANY_RETIRED,
	TTLOG_TAKE_VANISHED_TOO,
};

enum ttlog_take {
	TTLOG_TAKE_NONE,
	TTLOG_TAKE_DONE,
	TTLOG_TAKE_FROZEN, /* the freeze came in between, and nothing was evicted: look again */
};

static inline bool ttlog_is_frozen(uint32_t freeze_word)
{
	return freeze_word & 1;
}

static inline uint64_t ttlog_chunk_word(const struct ttlog_chunk *chunk, uint32_t offset)
{
	return __atomic_load_n(
		(const uint64_t *)(const void *)((const unsigned char *)chunk + offset),
		__ATOMIC_ACQUIRE);
}

/*
 * A compare-and-swap that succeeded is a full fence itself on x86, and nowhere else.
 * model: take_4
 */
static inline void ttlog_fence_behind_swap(void)
{
#if defined(__x86_64__) || defined(__i386__)
	atomic_signal_fence(memory_order_seq_cst);
#else
	atomic_thread_fence(memory_order_seq_cst);
#endif
}

/* Takes a chunk of that lane: empty, OWNED. freeze_word was loaded by the caller (step 1). */
enum ttlog_take ttlog_chunk_take(uint32_t lane_id, const struct ttlog_taker *taker,
				 enum ttlog_take_rule rule, uint32_t freeze_word,
				 struct ttlog_tenure *ret_tenure);

/*
 * The same of the main lane in two parts, for a chunk that is not needed yet: a place in the order
 * of takes, whose memory is on its way into the cache; and the chunk there or a few places behind
 * it, or none. Neither makes a system call.
 */
struct ttlog_drawn {
	uint64_t ticket;
	uint32_t index; /* of the chunk at that place */
};

struct ttlog_drawn ttlog_chunk_draw(void);
enum ttlog_take ttlog_chunk_take_drawn(const struct ttlog_taker *taker, struct ttlog_drawn drawn,
				       uint32_t freeze_word, struct ttlog_tenure *ret_tenure);

/*
 * One chunk of a lane that is not AFTERLIFE, seen in that state: FREE, RETIRED, or left in INIT by
 * who is gone. NONE: somebody else was faster. epoch is what the chunk says of it.
 */
enum ttlog_take ttlog_chunk_take_at(uint32_t lane_id, const struct ttlog_taker *taker,
				    uint32_t index, uint64_t state, uint32_t epoch,
				    struct ttlog_tenure *ret_tenure);

/* What a RETIRED chunk holds is counted as overwritten, and the chunk is FREE. NONE: it is in use.
 */
enum ttlog_take ttlog_chunk_empty_at(uint32_t lane_id, uint32_t tid, uint32_t index);

/* Retires those of some chunks whose owners are no more, if it is time to ask again. */
void ttlog_chunk_retire_vanished(uint32_t lane_id, uint32_t tid, uint32_t start, uint32_t count);

/*
 * Gives it back with that many events, the newest of which has those ticks. Without any, it is old.
 * hint says that it will be soon.
 */
void ttlog_chunk_retire(const struct ttlog_tenure *tenure, uint32_t count, uint64_t last);
void ttlog_chunk_retire_hint(const struct ttlog_tenure *tenure);

/*
 * Gives back what the thread of that id, which is the caller, has of a lane and no longer knows of:
 * all but what it holds (NULL is nothing). It must not be in the middle of a take.
 */
void ttlog_chunk_reclaim(uint32_t lane_id, uint32_t tid, const struct ttlog_chunk *const *held,
			 uint32_t held_count);

#endif
