/* SPDX-License-Identifier: MIT */
/*
 * race_reader.c - reads regions while threads write them, by the steps of ttlog_abi.h.
 *
 *   wide    more chunks than are filled: nothing is recycled, so every thread is read from its
 * first event on, without a gap, while it goes on writing narrow  a few chunks, recycled all the
 * time: what is read is whole, and in order large   the same with events of 32 KiB, of which only
 * the ends are written: most copies are taken of a chunk that changes hands meanwhile
 *
 * In both, nothing is ever torn, and once all is quiet what is read and what was overwritten add
 * up.
 */
#include <err.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "lib/clock.h"
#include "lib/reader.h"
#include "tests/region_by_hand.h"

#define THREADS 2
#define MIX UINT64_C(0x9e3779b97f4a7c15)
#define FIRST_TID 100

#ifdef TTLOG_TSAN_
#define WIDE_READINGS 8
#define NARROW_READINGS 100
#else
#define WIDE_READINGS 60
#define NARROW_READINGS 2000
#endif
/* A machine on which no chunk is ever recycled under the reader's eyes would prove nothing. */
#define RECYCLED_MIN 10
#define READINGS_MAX 1000000

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition))                                                                  \
			errx(1, "%s:%d: %s", __FILE__, __LINE__, #condition);                      \
	} while (0)

struct writing {
	struct by_hand *hand;
	pthread_t thread;
	uint32_t tid;
	uint64_t event_count; /* to be written, at the most; then: that were */
	uint32_t span_bytes;  /* between the two numbers of an event */
	_Atomic uint32_t *running;
	_Atomic bool *stop;
};

/* ---- the writer ------------------------------------------------------------------------------ */

static void account_carry(const struct by_hand *hand, uint32_t index, uint64_t generation)
{
	const struct ttlog_chunk *chunk = (void *)by_hand_chunk(hand, TTLOG_LANE_MAIN, index);
	struct ttlog_account *old = by_hand_account(hand, TTLOG_LANE_MAIN, index, generation);
	struct ttlog_account *new = by_hand_account(hand, TTLOG_LANE_MAIN, index, generation + 1);
	uint64_t count = generation ? atomic_load(&chunk->retired_count) : 0;

	atomic_store_explicit(&new->count, atomic_load(&old->count) + count, memory_order_relaxed);
	atomic_store_explicit(&new->first, 1, memory_order_relaxed);
	atomic_store_explicit(&new->last, 2, memory_order_relaxed);
}

/* Steps 2 to 9, without a freeze. Returns the new generation. */
static uint64_t take(struct writing *writing, struct by_hand_writer *ret_writer)
{
	struct by_hand *hand = writing->hand;
	uint32_t count = hand->geometry.lane[TTLOG_LANE_MAIN].chunk_count, index;
	struct ttlog_chunk *chunk;
	_Atomic uint64_t *state;
	uint64_t old, new, now;

	do {
		index = (uint32_t)(atomic_fetch_add(&hand->ledger->lane[0].hand, 1) % count);
		state = by_hand_state(hand, TTLOG_LANE_MAIN, index);
		old = atomic_load_explicit(state, memory_order_acquire);
	} while ((TTLOG_STATE_OF(old) != TTLOG_CHUNK_FREE &&
		  TTLOG_STATE_OF(old) != TTLOG_CHUNK_RETIRED) ||
		 !atomic_compare_exchange_strong(state, &old,
						 TTLOG_STATE(TTLOG_STATE_GENERATION(old),
							     writing->tid, TTLOG_CHUNK_COND)));
	new = TTLOG_STATE_GENERATION(old) + 1;
	account_carry(hand, index, new - 1);
	atomic_store_explicit(state, TTLOG_STATE(new, writing->tid, TTLOG_CHUNK_INIT),
			      memory_order_release);
	atomic_thread_fence(memory_order_release);
	chunk = (void *)by_hand_chunk(hand, TTLOG_LANE_MAIN, index);
	__atomic_store_n((uint64_t *)(void *)(chunk + 1), 0, __ATOMIC_RELAXED);
	__atomic_store_n(&chunk->tid, writing->tid, __ATOMIC_RELAXED);
	now = ttlog_clock_ticks(ttlog_clock_source());
	__atomic_store_n(&chunk->taken_ticks, now, __ATOMIC_RELAXED);
	/* These chunks are full within a tick of arm64's counter; those of the library are not. */
	ttlog_clock_pass(ttlog_clock_source(), now);
	atomic_store_explicit(state, TTLOG_STATE(new, writing->tid, TTLOG_CHUNK_OWNED),
			      memory_order_release);
	*ret_writer = (struct by_hand_writer){hand, (unsigned char *)chunk, TTLOG_LANE_MAIN, index,
					      TTLOG_CHUNK_FIRST};
	return new;
}

static void retire(const struct by_hand_writer *writer, uint64_t generation, uint32_t count)
{
	struct ttlog_chunk *chunk = (void *)writer->chunk;

	atomic_store_explicit(&chunk->retired_count, count, memory_order_relaxed);
	atomic_store_explicit(by_hand_state(writer->hand, TTLOG_LANE_MAIN, writer->index),
			      TTLOG_STATE(generation, 0, TTLOG_CHUNK_RETIRED),
			      memory_order_release);
}

/* A number, a span that is left as it is, and what only this thread makes of the number. */
static void write_event(const struct writing *writing, unsigned char *event, uint32_t size,
			uint64_t number)
{
	uint64_t check = number * MIX ^ writing->tid;
	uint16_t span_bytes = (uint16_t)writing->span_bytes;

	__atomic_store_n((uint64_t *)(void *)(event + size), 0, __ATOMIC_RELAXED);
	__atomic_store_n((uint64_t *)(void *)(event + 8), ttlog_clock_ticks(ttlog_clock_source()),
			 __ATOMIC_RELAXED);
	ttlog_store_(event + 16, &number, 8);
	ttlog_store_(event + 24, &span_bytes, 2);
	ttlog_store_(event + 26 + span_bytes, &check, 8);
	by_hand_word(event, UINT64_C(1) << 32 | size);
}

static void *write_events(void *argument)
{
	struct writing *writing = argument;
	const uint32_t size = (16 + 8 + 2 + writing->span_bytes + 8 + 7) & ~7u;
	uint32_t end = writing->hand->geometry.lane[TTLOG_LANE_MAIN].chunk_bytes - 8;
	struct by_hand_writer writer;
	uint64_t number = 0;

	while (number < writing->event_count &&
	       !atomic_load_explicit(writing->stop, memory_order_relaxed)) {
		uint64_t generation = take(writing, &writer);
		uint32_t count = 0;

		for (; writer.offset + size <= end && number < writing->event_count;
		     count++, number++) {
			write_event(writing, writer.chunk + writer.offset, size, number);
			writer.offset += size;
		}
		retire(&writer, generation, count);
	}
	writing->event_count = number;
	atomic_fetch_sub(writing->running, 1);
	return NULL;
}

/* ---- the reader ------------------------------------------------------------------------------ */

/* What one reading found. */
struct reading {
	uint64_t events, overwritten, recycled;
};

static struct reading read_once(const struct by_hand *hand, bool is_wide)
{
	uint64_t next[THREADS] = {0}, missing = 0;
	struct ttlog_reader_totals totals;
	struct ttlog_reader_event event;
	struct ttlog_reader *reader;

	CHECK(ttlog_reader_open(&reader, hand->base, &hand->geometry) == 0);
	while (ttlog_reader_next(reader, &event)) {
		uint32_t tid = ttlog_reader_thread(reader, event.thread)->tid;
		uint64_t number = event.value[0].bits;

		CHECK(tid >= FIRST_TID && tid < FIRST_TID + THREADS);
		CHECK(event.value[2].bits == (number * MIX ^ tid));
		CHECK(is_wide ? number == next[tid - FIRST_TID] : number >= next[tid - FIRST_TID]);
		missing += number - next[tid - FIRST_TID];
		next[tid - FIRST_TID] = number + 1;
	}
	ttlog_reader_totals(reader, &totals);
	CHECK(totals.torn == 0);
	CHECK(missing <= totals.overwritten);
	struct reading reading = {totals.events, totals.overwritten,
				  ttlog_reader_lane(reader, TTLOG_LANE_MAIN)->recycled_while_read};

	CHECK(!is_wide || (reading.recycled == 0 && reading.overwritten == 0));
	ttlog_reader_close(reader);
	return reading;
}

static void region_make(struct by_hand *hand, uint32_t chunk_bytes, uint32_t chunk_count)
{
	static const uint8_t types[] = {TTLOG_TYPE_U64, TTLOG_TYPE_BYTES, TTLOG_TYPE_U64};
	struct ttlog_lane_geometry *lane;
	struct ttlog_geometry plan;
	void *memory;

	ttlog_region_plan(32 << 20, &plan);
	lane = &plan.lane[TTLOG_LANE_MAIN];
	lane->chunk_bytes = chunk_bytes;
	lane->chunk_count = chunk_count;
	lane->chunks_offset = lane->records_offset + (5 << 20);
	memory = aligned_alloc(TTLOG_PAGE_BYTES, plan.region_bytes);
	CHECK(memory);
	memset(memory, 0, plan.region_bytes);
	by_hand_attach(hand, memory, &plan);
	by_hand_header(hand);
	CHECK(ttlog_region_check(hand->header, plan.region_bytes, &hand->geometry) == 0);
	CHECK(by_hand_site(hand, types, 3) == 1);
}

/* What the threads do in a round, and how long. */
struct load {
	uint32_t chunk_bytes, chunk_count, span_bytes;
	uint64_t event_count; /* of a thread */
	uint64_t readings;
	uint64_t recycled_min;
};

static uint64_t write_and_read(const struct load *load, struct by_hand *hand,
			       uint64_t *ret_recycled)
{
	bool is_wide = load->recycled_min == 0;
	struct writing writing[THREADS];
	_Atomic uint32_t running = THREADS;
	uint64_t readings = 0, written = 0;
	_Atomic bool stop = false;
	struct reading reading;

	for (uint32_t i = 0; i < THREADS; i++) {
		writing[i] = (struct writing){
			hand,	  0,	FIRST_TID + i, load->event_count, load->span_bytes,
			&running, &stop};
		CHECK(pthread_create(&writing[i].thread, NULL, write_events, &writing[i]) == 0);
	}
	while (atomic_load(&running) > 0 &&
	       (is_wide || readings < load->readings || *ret_recycled < load->recycled_min)) {
		*ret_recycled += read_once(hand, is_wide).recycled;
		CHECK(++readings < READINGS_MAX);
	}
	atomic_store(&stop, true);
	for (uint32_t i = 0; i < THREADS; i++) {
		pthread_join(writing[i].thread, NULL);
		written += writing[i].event_count;
	}
	reading = read_once(hand, is_wide);
	CHECK(reading.recycled == 0);
	CHECK(reading.events + reading.overwritten == written);
	return readings;
}

static void race(const char *name, const struct load *load)
{
	uint64_t readings = 0, recycled = 0;

	while (readings < load->readings) {
		struct by_hand hand;

		region_make(&hand, load->chunk_bytes, load->chunk_count);
		readings += write_and_read(load, &hand, &recycled);
		by_hand_free(&hand);
	}
	printf("%-6s  %lu readings, %lu chunks were recycled meanwhile\n", name, readings,
	       recycled);
}

/* With a number as argument it goes on for so many seconds (make soak). */
int main(int argc, char **argv)
{
	const time_t end = time(NULL) + (argc > 1 ? strtol(argv[1], NULL, 10) : 0);
	const struct load wide = {128, 70000, 6, 30000, WIDE_READINGS, 0};
	const struct load narrow = {512, 16, 6, UINT64_MAX, NARROW_READINGS, RECYCLED_MIN};
	const struct load large = {32768, 3, 32640, UINT64_MAX, NARROW_READINGS, 40 * RECYCLED_MIN};

	do {
		race("wide", &wide);
		race("narrow", &narrow);
		race("large", &large);
		fflush(stdout);
	} while (time(NULL) < end);
	return 0;
}
