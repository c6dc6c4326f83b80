/* SPDX-License-Identifier: MIT */
/*
 * chunked.h - the least that a ring in chunks can do: the floor for a call that meets a full one.
 *
 * As the floor, but the ring is cut into chunks that threads could take from one another: a place
 * in the order of takes by one fetch-and-add, the chunk there by one compare-and-swap, the one
 * before given back by one store; each by another call, as in lib/stops.c. It can't be frozen,
 * forked, interrupted by a handler, or read after a death; it counts no loss, and nobody looks at
 * it.
 */
#ifndef BENCH_CHUNKED_H
#define BENCH_CHUNKED_H

#include <stdatomic.h>

#include "bench/measure.h"
#include "lib/writer.h"

struct chunked_record {
	_Atomic uint64_t state;
	uint64_t pad[7];
};

struct chunked {
	struct measure_floor floor; /* its position: in the chunk */
	struct chunked_record *records;
	unsigned char *chunk;
	uint32_t limit, chunk_bytes;
	uint32_t count; /* of chunks */
	uint32_t mine, before, next;
	uint64_t generation;
	_Atomic uint64_t hand;
	enum ttlog_stop stop;
};

enum { CHUNKED_RETIRED, CHUNKED_OWNED };

/* As many whole chunks as a ring of so many bytes, a power of two, has. */
void chunked_open(struct chunked *chunked, uint64_t bytes, uint32_t chunk_bytes);
void chunked_close(struct chunked *chunked);
/* One of the four jobs. */
void chunked_stop(struct chunked *chunked);

static inline __attribute__((always_inline)) void chunked_event(struct chunked *chunked, uint64_t i)
{
	uint64_t ticks = measure_ticks(), *event;

	while (__builtin_expect(chunked->floor.position + 32 > chunked->limit, 0))
		chunked_stop(chunked);
	event = (uint64_t *)(void *)(chunked->chunk + chunked->floor.position);
	event[1] = ticks;
	event[2] = i;
	event[3] = i ^ 200;
	event[0] = UINT64_C(1) << 32 | 32;
	chunked->floor.position += 32;
}

#endif
