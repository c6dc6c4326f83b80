/* SPDX-License-Identifier: MIT */
#include "bench/chunked.h"

#include <errno.h>
#include <stdlib.h>

#define FIRST 64 /* the head of a chunk: who has it, since when */

void chunked_open(struct chunked *chunked, uint64_t bytes, uint32_t chunk_bytes)
{
	*chunked = (struct chunked){.chunk_bytes = chunk_bytes,
				    .count = (uint32_t)(bytes / chunk_bytes)};
	measure_floor_open(&chunked->floor, bytes);
	chunked->records = aligned_alloc(64, chunked->count * sizeof(*chunked->records));
	if (!chunked->records)
		measure_die("aligned_alloc", ENOMEM);
	for (uint32_t i = 0; i < chunked->count; i++)
		atomic_init(&chunked->records[i].state, CHUNKED_RETIRED);
	chunked->chunk = chunked->floor.ring;
	chunked->limit = chunk_bytes;
	chunked->stop = TTLOG_STOP_SWAP;
	atomic_init(&chunked->hand, 1);
	chunked->floor.position = chunk_bytes;
	chunked->next = 1;
}

void chunked_close(struct chunked *chunked)
{
	measure_floor_close(&chunked->floor);
	free(chunked->records);
}

static void set_stop(struct chunked *chunked, enum ttlog_stop stop, uint32_t quarters)
{
	chunked->stop = stop;
	chunked->limit = FIRST + (chunked->chunk_bytes - FIRST) / 4 * quarters;
}

static void draw(struct chunked *chunked)
{
	chunked->next =
		(uint32_t)(atomic_fetch_add_explicit(&chunked->hand, 1, memory_order_relaxed) %
			   chunked->count);
	__builtin_prefetch(&chunked->records[chunked->next], 1);
	__builtin_prefetch(chunked->floor.ring + (size_t)chunked->next * chunked->chunk_bytes, 1);
}

/* Nobody else takes any: the first look finds it free. */
static void prepare(struct chunked *chunked)
{
	uint64_t *head = (uint64_t *)(void *)(chunked->floor.ring +
					      (size_t)chunked->next * chunked->chunk_bytes);
	uint64_t was =
		atomic_load_explicit(&chunked->records[chunked->next].state, memory_order_acquire);

	if (!atomic_compare_exchange_strong_explicit(&chunked->records[chunked->next].state, &was,
						     ++chunked->generation << 32 | CHUNKED_OWNED,
						     memory_order_acq_rel, memory_order_relaxed))
		measure_die("chunked ring", EBUSY);
	head[0] = chunked->generation;
	head[FIRST / 8] = 0;
}

static void swap(struct chunked *chunked)
{
	chunked->before = chunked->mine;
	chunked->mine = chunked->next;
	chunked->chunk = chunked->floor.ring + (size_t)chunked->mine * chunked->chunk_bytes;
	chunked->floor.position = FIRST;
}

__attribute__((noinline)) void chunked_stop(struct chunked *chunked)
{
	switch (chunked->stop) {
	case TTLOG_STOP_RETIRE:
		atomic_store_explicit(&chunked->records[chunked->before].state, CHUNKED_RETIRED,
				      memory_order_release);
		set_stop(chunked, TTLOG_STOP_DRAW, 2);
		break;
	case TTLOG_STOP_DRAW:
		draw(chunked);
		set_stop(chunked, TTLOG_STOP_PREPARE, 3);
		break;
	case TTLOG_STOP_PREPARE:
		prepare(chunked);
		set_stop(chunked, TTLOG_STOP_SWAP, 4);
		break;
	default:
		swap(chunked);
		chunked->stop = TTLOG_STOP_RETIRE;
		chunked->limit = FIRST + 32; /* behind its first event */
		break;
	}
}
