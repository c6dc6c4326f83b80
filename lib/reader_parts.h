/* SPDX-License-Identifier: MIT */
/*
 * reader_parts.h - what the files of the reader share; nobody else includes it.
 *
 *   reader_copy.c    for a dump: the living region's chunks, states and ledger, copied once
 *   reader_dict.c    copies the dictionary and takes what makes sense of it
 *   reader_channel.c whose channel a chunk is
 *   reader_saved.c   chunks that were saved before they were recycled, beside those of the region
 *   reader_event.c   one event of a copied chunk: its checks and its values
 *   reader.c         opens, orders, hands out
 *   reader_live.c    for who watches: what is new in the living region, look by look
 *
 * copy, dict, channel and live read what others write to; the rest has copies of its own.
 */
#ifndef TTLOG_READER_PARTS_H
#define TTLOG_READER_PARTS_H

#include "lib/reader.h"

/* A region that claims more threads has the rest of them in one that is nobody's. */
#define READER_THREADS_MAX 65536u
#define READER_CHUNK_BYTES_MAX (32u << 10) /* ttlog_abi.h: no chunk is larger */
#define READER_WRITERS 8u /* more than a thread has at a time */

struct reader_site {
	struct ttlog_reader_site seen;
	uint32_t payload_bytes; /* of all values, if that is fixed */
	bool is_fixed;
};

/* What an id stands for: a site, a string, or nothing. */
struct reader_entry {
	const struct reader_site *site;
	const char *string;
};

struct reader_dict {
	unsigned char *heap;
	uint32_t heap_bytes;
	uint32_t id_limit;
	struct reader_entry *entry; /* id_limit of them */
	struct reader_site *site;
};

/* A chunk's committed events, copied. The check cuts bytes down to what makes sense, and counts. */
struct reader_chunk {
	const unsigned char *events; /* NULL: saved, and read when its turn comes */
	const struct ttlog_reader_saved *saved; /* NULL: it was in the region */
	uint64_t first_ticks; /* of the first event; those of the oldest and newest may differ */
	uint64_t oldest_ticks, newest_ticks;
	uint64_t taken_ticks;
	uint32_t bytes;
	uint32_t event_count;
	uint32_t lane;
	uint32_t tid;
	uint32_t thread;
	bool is_torn; /* something in it makes no sense */
	uint32_t run; /* chunks of a lane and channel with the same number are read one after the other */
	uint32_t index;	  /* in its lane */
	uint32_t writer;  /* of its thread */
	uint32_t epoch;
	uint32_t channel; /* or TTLOG_READER_NO_CHANNEL */
	uint32_t saved_events; /* as whoever saved it counted them */
	char thread_name[TTLOG_THREAD_NAME_BYTES];
};

/* The events of consecutive chunks, which are handed out in just that order. */
struct reader_run {
	uint32_t chunk_first, chunk_end; /* indices */
	uint32_t chunk;
	uint32_t offset; /* of the next event in that chunk */
	unsigned char *loaded; /* the events of that chunk, if it was saved and has begun; else NULL */
};

struct reader_heap_node {
	uint64_t ticks; /* of the run's next event */
	uint32_t run;
};

/* What was overwritten in a chunk. */
struct reader_lost {
	uint64_t count, first, last; /* ticks, 0 = none */
};

/* Where a chunk was when the region was copied. */
struct reader_history_place {
	uint64_t generation; /* which the account is of */
	uint64_t scanned;    /* generation of the newest events there when it was scanned */
	uint64_t newest;     /* time T, see reader_copy.c */
	bool is_recycled;    /* since then, and before it was copied */
	struct reader_lost lost;
};

/* An entry of the table of channels, as it was at some moment; state 0 if it was being changed. */
struct reader_place {
	uint64_t state;
	uint32_t chunk_count;
	uint32_t channel; /* what became of it here, or TTLOG_READER_NO_CHANNEL */
	uint64_t overwritten_before;
	struct ttlog_reader_channel seen;
};

/* The table before the chunks were copied, and after. */
struct reader_places {
	struct reader_place *before, *after;
	uint32_t count;
	struct reader_lost *lost; /* a chunk each */
};

struct ttlog_reader {
	struct ttlog_geometry geometry;
	struct reader_dict dict;
	unsigned char *arena; /* the copied events */
	struct ttlog_reader_history *history; /* or NULL */
	struct ttlog_reader_gap *gap;
	uint32_t gap_count;
	unsigned char *stale; /* what the last event handed out may point to */
	struct reader_chunk *chunk;
	uint32_t chunk_count;
	struct ttlog_reader_thread *thread;
	uint32_t thread_count;
	struct reader_run *run;
	uint32_t run_count;
	struct reader_heap_node *heap;
	uint32_t heap_count;
	struct ttlog_reader_channel *channel;
	uint32_t channel_count;
	struct ttlog_reader_channel_totals channel_totals;
	struct ttlog_reader_lane lane[TTLOG_LANE_MAX];
	struct ttlog_reader_totals totals;
};

static inline uint64_t reader_word(const unsigned char *at)
{
	uint64_t word;

	__builtin_memcpy(&word, at, sizeof(word));
	return word;
}

static inline uint64_t reader_event_ticks(const unsigned char *event)
{
	return reader_word(event + 8);
}

/* Liars can't make a counter go round. */
static inline void reader_count(uint64_t *counter, uint64_t more)
{
	if (__builtin_add_overflow(*counter, more, counter))
		*counter = UINT64_MAX;
}

/* Bytes that others may be writing; TSan, which can't know that they are checked, sees atomics. */
static inline void reader_copy_bytes(void *to, const void *from, size_t size)
{
#ifdef TTLOG_TSAN_
	for (size_t i = 0; i < size; i++)
		((unsigned char *)to)[i] =
			__atomic_load_n((const unsigned char *)from + i, __ATOMIC_RELAXED);
#else
	__builtin_memcpy(to, from, size);
#endif
}

/* Chunks, accounts, channels and ledger out of the region. 0 or -ENOMEM. */
int ttlog_reader_copy(struct ttlog_reader *reader, const unsigned char *base);

/* One chunk by itself, if it still is what the state word `scanned` said. */
bool ttlog_reader_chunk_copy(const struct ttlog_geometry *geometry, const void *base, uint32_t lane,
			     uint32_t index, uint64_t scanned, struct reader_chunk *copy,
			     unsigned char *to, struct reader_lost *ret_lost);
void ttlog_reader_lost_add(struct ttlog_reader_lane *lane, const struct reader_lost *lost);

/*
 * What the history has of all chunks of all lanes, in the order of places, and what is missing then;
 * and, once the channels are known, what they have lost less. 0 or a negative errno.
 */
int ttlog_reader_saved_take(struct ttlog_reader *reader, const struct reader_history_place *place);
void ttlog_reader_saved_settle(struct ttlog_reader *reader);

/* The table before the chunks are copied; then what it and the chunks make together. 0 or -ENOMEM. */
int ttlog_reader_places_open(struct reader_places *places, const struct ttlog_reader *reader,
			     const unsigned char *base);
int ttlog_reader_places_take(struct reader_places *places, struct ttlog_reader *reader,
			     const unsigned char *base);
void ttlog_reader_places_close(struct reader_places *places);

/* Bytes of a value of that type, 0 for strings and spans. type is less than TTLOG_TYPE_COUNT. */
uint32_t ttlog_reader_scalar_bytes(enum ttlog_type type);

/* After ttlog_reader_copy(): then each site of a copied event is there. 0 or -ENOMEM. */
int ttlog_reader_dict_copy(struct reader_dict *dict, const unsigned char *base,
			   const struct ttlog_geometry *geometry);
void ttlog_reader_dict_free(struct reader_dict *dict);
const struct reader_site *ttlog_reader_dict_site(const struct reader_dict *dict, uint32_t id);

/*
 * The event at `at`, of which at most `room` bytes are there; fills all but lane and thread. Its
 * size, or 0: it makes no sense. ret_event may be NULL: then it is only checked.
 */
uint32_t ttlog_reader_event(const struct reader_dict *dict, const unsigned char *at, uint32_t room,
			    struct ttlog_reader_event *ret_event);

#endif
