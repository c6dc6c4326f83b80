/* SPDX-License-Identifier: MIT */
/*
 * race_freeze.c - eight threads record at full speed while the region is frozen and thawed, over
 * and over.
 *
 * Whoever was taking a chunk as the freeze came is waited for; from then on
 *
 *   - every event that was in a chunk stays, until the thaw, and nothing is counted as overwritten
 *     but the afterlife of an earlier freeze;
 *   - what a thread records goes on from there without a gap, into the rest of its chunk, its
 *     spare, the afterlife, until there is no room; then all of it is dropped, and counted.
 *
 * In each freeze, the afterlife of the one before gives way. In the end what was recorded is
 * what can be read, what was overwritten and what was dropped, to the event.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/process.h"
#include "lib/reader.h"
#include "lib/ttlog.h"

#define WRITERS 8
#define STREAMS (2 * WRITERS) /* a thread's events, and its alerts */
#define ALERT_EVERY 97
#ifdef TTLOG_TSAN_
#define FREEZES 3
#define EVENTS_BETWEEN 3000
#else
#define FREEZES 24
#define EVENTS_BETWEEN 8000
#endif

struct stream {
	_Alignas(64) _Atomic uint64_t returned; /* numbers below were recorded */
};

static struct stream streams[STREAMS];
static _Atomic bool is_over;
static unsigned int defects;

#define EXPECT(condition, ...)                                                                     \
	do {                                                                                       \
		if (!(condition) && defects++ < 10) {                                              \
			fprintf(stderr, "race_freeze: %s: ", #condition);                          \
			fprintf(stderr, __VA_ARGS__);                                              \
			fputc('\n', stderr);                                                       \
		}                                                                                  \
	} while (0)

/* ---- writers --------------------------------------------------------------------------------- */

static void *write_events(void *argument)
{
	uint64_t who = (uint64_t)(uintptr_t)argument, number = 0, alert = 0;

	while (!atomic_load_explicit(&is_over, memory_order_relaxed)) {
		ttlog_info("event", "stream", 2 * who, "number", number, "text", "some more");
		atomic_store_explicit(&streams[2 * who].returned, ++number, memory_order_release);
		if (number % ALERT_EVERY)
			continue;
		ttlog_warn("event", "stream", 2 * who + 1, "number", alert, "text", "trouble");
		atomic_store_explicit(&streams[2 * who + 1].returned, ++alert,
				      memory_order_release);
	}
	return NULL;
}

static void wait_for_events(uint64_t count)
{
	uint64_t enough[WRITERS];

	for (int i = 0; i < WRITERS; i++)
		enough[i] = atomic_load(&streams[2 * i].returned) + count;
	for (int i = 0; i < WRITERS; i++)
		while (atomic_load(&streams[2 * i].returned) < enough[i])
			sched_yield();
}

/* ---- freezer --------------------------------------------------------------------------------- */

static void turn(void)
{
	__atomic_add_fetch(&ttlog_place_.control->freeze, 1, __ATOMIC_SEQ_CST);
}

/* A chunk that held events is condemned, or has just been emptied. */
static bool is_evicting(uint64_t state)
{
	uint64_t generation = TTLOG_STATE_GENERATION(state);

	return (TTLOG_STATE_OF(state) == TTLOG_CHUNK_COND && generation > 0) ||
	       (TTLOG_STATE_OF(state) == TTLOG_CHUNK_INIT && generation > 1);
}

static bool is_anyone_evicting(void)
{
	for (uint32_t id = 0; id < ttlog_place_.geometry.lane_count; id++) {
		const struct ttlog_lane_geometry *lane = &ttlog_place_.geometry.lane[id];
		struct ttlog_chunk_record *record =
			(void *)(ttlog_place_.base + lane->records_offset);

		/* There it goes on when frozen: the afterlife of an earlier freeze. */
		if (id == TTLOG_LANE_AFTERLIFE)
			continue;
		for (uint32_t i = 0; i < lane->chunk_count; i++)
			if (is_evicting(atomic_load(&record[i].state)))
				return true;
	}
	return false;
}

/*
 * Who condemned a chunk before it may go on to empty it. Who has not got as far, for whatever
 * reason, be it that the thread does not run at all now, finds that it is frozen.
 */
static void freeze(void)
{
	turn();
	while (is_anyone_evicting())
		;
}

static uint64_t dropped_now(void)
{
	struct ttlog_ledger *ledger = ttlog_process_ledger();

	return atomic_load(&ledger->lane[TTLOG_LANE_AFTERLIFE].dropped);
}

/* ---- what is there --------------------------------------------------------------------------- */

struct copy {
	uint64_t *number[STREAMS]; /* in order */
	uint32_t lanes_count;
	size_t count[STREAMS], capacity[STREAMS];
	struct ttlog_reader_lane lane[TTLOG_LANE_MAX];
	struct ttlog_reader_totals totals;
};

static void add(struct copy *copy, uint64_t stream, uint64_t number)
{
	if (copy->count[stream] == copy->capacity[stream]) {
		copy->capacity[stream] = copy->capacity[stream] * 2 + 1024;
		copy->number[stream] =
			realloc(copy->number[stream], copy->capacity[stream] * sizeof(uint64_t));
		if (!copy->number[stream])
			abort();
	}
	copy->number[stream][copy->count[stream]++] = number;
}

/* With `is_history`, without the afterlife, which may be that of an earlier freeze. */
static void read_all(struct copy *copy, bool is_history)
{
	struct ttlog_reader_event event;
	struct ttlog_reader *reader;

	memset(copy->count, 0, sizeof(copy->count));
	if (ttlog_reader_open(&reader, ttlog_place_.base, &ttlog_place_.geometry))
		abort();
	ttlog_reader_totals(reader, &copy->totals);
	EXPECT(copy->totals.torn == 0, "torn");
	copy->lanes_count = ttlog_reader_lane_count(reader);
	for (uint32_t i = 0; i < copy->lanes_count; i++)
		copy->lane[i] = *ttlog_reader_lane(reader, i);
	while (ttlog_reader_next(reader, &event)) {
		uint64_t stream = event.value[0].bits;

		if (event.value_count != 3 || stream >= STREAMS)
			abort();
		if (!is_history || event.lane != TTLOG_LANE_AFTERLIFE)
			add(copy, stream, event.value[1].bits);
	}
	ttlog_reader_close(reader);
}

static uint64_t newest(const struct copy *copy, int stream)
{
	return copy->count[stream] ? copy->number[stream][copy->count[stream] - 1] : 0;
}

/*
 * All of `before` is in `now`, which goes on from there. Returns the events that are missing behind
 * it: who dropped some may find room again, in a chunk of the afterlife that was being given back
 * when the freeze came.
 */
static uint64_t compare(const struct copy *before, const struct copy *now, int stream)
{
	uint64_t missing = 0;
	size_t k = 0;

	for (size_t i = 0; i < before->count[stream]; i++) {
		while (k < now->count[stream] && now->number[stream][k] < before->number[stream][i])
			k++;
		if (k == now->count[stream] ||
		    now->number[stream][k] != before->number[stream][i]) {
			EXPECT(0, "stream %d: %lu was there, and is gone", stream,
			       before->number[stream][i]);
			return missing;
		}
	}
	for (size_t i = 1; i < now->count[stream]; i++) {
		EXPECT(now->number[stream][i] > now->number[stream][i - 1], "stream %d: order",
		       stream);
		if (now->number[stream][i] > newest(before, stream))
			missing += now->number[stream][i] - now->number[stream][i - 1] - 1;
	}
	return missing;
}

/* One freeze, from events to events. */
static void round_of(struct copy *before, struct copy *now)
{
	uint64_t dropped = dropped_now(), missing = 0;

	wait_for_events(EVENTS_BETWEEN);
	freeze();
	read_all(before, true);
	/* Until all of them find no room any more. */
	while (dropped_now() == dropped)
		sched_yield();
	wait_for_events(EVENTS_BETWEEN / 3);
	read_all(now, false);
	for (int i = 0; i < STREAMS; i++)
		missing += compare(before, now, i);
	EXPECT(missing <= dropped_now() - dropped, "%lu missing, %lu dropped", missing,
	       dropped_now() - dropped);
	for (uint32_t i = 0; i < now->lanes_count; i++) {
		if (i != TTLOG_LANE_AFTERLIFE)
			EXPECT(now->lane[i].overwritten == before->lane[i].overwritten,
			       "%s: %lu, then %lu", ttlog_lane_name(i), before->lane[i].overwritten,
			       now->lane[i].overwritten);
	}
	turn();
}

int main(void)
{
	const struct ttlog_options options = {
		.size = sizeof(options), .socket = "", .buffer_bytes = 2 << 20, .level = "trace"};
	/* On the heap: gcc 12.2 takes a static one for constant, as its address is a constant. */
	struct copy *before = calloc(1, sizeof(*before)), *now = calloc(1, sizeof(*now));
	pthread_t thread[WRITERS];
	uint64_t recorded = 0, afterlife = 0;

	if (!before || !now || ttlog_init_with(&options) != 0)
		return 1;
	for (uintptr_t i = 0; i < WRITERS; i++)
		if (pthread_create(&thread[i], NULL, write_events, (void *)i) != 0)
			abort();
	for (int i = 0; i < FREEZES; i++) {
		round_of(before, now);
		EXPECT(now->lane[TTLOG_LANE_AFTERLIFE].overwritten > afterlife || i == 0,
		       "freeze %d has the afterlife of the one before", i);
		afterlife = now->lane[TTLOG_LANE_AFTERLIFE].overwritten;
	}
	atomic_store(&is_over, true);
	for (int i = 0; i < WRITERS; i++)
		pthread_join(thread[i], NULL);
	read_all(now, false);
	for (int i = 0; i < STREAMS; i++) {
		recorded += atomic_load(&streams[i].returned);
		free(now->number[i]);
		free(before->number[i]);
	}
	EXPECT(now->totals.events + now->totals.overwritten + now->totals.dropped == recorded,
	       "%lu + %lu + %lu, but %lu", now->totals.events, now->totals.overwritten,
	       now->totals.dropped, recorded);
	printf("race_freeze: %d freezes; %lu events recorded: %lu retained, %lu overwritten (%lu "
	       "of "
	       "afterlives), %lu dropped; %u defects\n",
	       FREEZES, recorded, now->totals.events, now->totals.overwritten, afterlife,
	       now->totals.dropped, defects);
	free(before);
	free(now);
	return defects != 0;
}
