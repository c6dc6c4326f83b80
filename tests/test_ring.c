/* SPDX-License-Identifier: MIT */
/* test_ring.c - chunks: what is kept, what gives way, and that all of it is counted. */
#include "lib/ring.h"

#include <pthread.h>
#include <semaphore.h>

#include "lib/clock.h"
#include "tests/own_region.h"

static void number(uint64_t n)
{
	ttlog_info("numbered", "n", n);
}

static void noise(uint64_t count)
{
	for (uint64_t i = 0; i < count; i++)
		ttlog_debug("noise", "i", i);
}

static uint32_t chunks_of(uint32_t lane)
{
	return ttlog_place_.geometry.lane[lane].chunk_count;
}

/* 24 bytes each, like those of number(). */
#define NOISE_A_CHUNK ((4096 - 64 - 8) / 24)

static void fill_boot(void)
{
	begin(1 << 20);
	noise((uint64_t)NOISE_A_CHUNK * chunks_of(TTLOG_LANE_BOOT));
}

/* ---- counts -----------------------------------------------------------------------------------
 */

Test(ring, chunk_changes_keep_all_events_in_order)
{
	struct numbered run;

	begin(1 << 20);
	for (uint64_t i = 0; i < 20000; i++)
		number(i);
	run = numbered_now("numbered");
	cr_expect_eq(run.count, 20000);
	cr_expect_eq(run.gaps, 0);
	cr_expect_eq(totals_now().overwritten, 0);
}

Test(ring, events_of_every_size_fill_chunks_to_the_end)
{
	static char text[4100];
	struct ttlog_reader_event event;
	struct ttlog_reader *reader;
	uint64_t seen = 0;

	begin(1 << 20);
	memset(text, 's', sizeof(text));
	for (uint64_t i = 0; i < 400; i++)
		ttlog_info("sized", "n", i, "text", ttlog_bytes(text, (i * 61) % 4000));
	reader = view();
	while (next_of(reader, "sized", &event)) {
		cr_assert_eq(event.value[1].size, (event.value[0].bits * 61) % 4000);
		cr_assert_eq(memcmp(event.value[1].data, text, event.value[1].size), 0);
		seen++;
	}
	ttlog_reader_close(reader);
	cr_expect_eq(seen + totals_now().overwritten, 400);
	cr_expect_eq(totals_now().torn, 0);
}

Test(ring, retained_and_overwritten_are_what_was_recorded)
{
	struct ttlog_stats stats = {.size = sizeof(stats)};
	struct ttlog_reader_totals totals;
	struct numbered run;

	begin(1 << 20);
	for (uint64_t lap = 0, n = 0; lap < 10; lap++) {
		for (uint64_t i = 0; i < 54321; i++)
			number(n++);
		totals = totals_now();
		cr_expect_eq(totals.events + totals.overwritten, n);
		cr_expect_eq(totals.dropped, 0);
		cr_expect_eq(totals.torn, 0);
		cr_assert_eq(ttlog_get_stats(&stats), 0);
		cr_expect_eq(stats.retained, totals.events);
		cr_expect_eq(stats.overwritten, totals.overwritten);
	}
	run = numbered_now("numbered");
	cr_expect_eq(run.last, 543209);
	cr_expect_eq(run.gaps, 1, "one gap: from boot to the oldest that was kept");
	cr_expect_gt(run.count, (uint64_t)NOISE_A_CHUNK * (chunks_of(TTLOG_LANE_MAIN) - 1));
}

Test(ring, the_span_of_the_overwritten_is_that_of_their_timestamps)
{
	const uint64_t count = TTLOG_PAGE_BYTES > 4096 ? 240000 : 60000;
	uint64_t *before = malloc((count + 1) * sizeof(*before)), boot = 0, first_kept = 0;
	struct ttlog_reader_event event;
	struct ttlog_reader_lane lane;
	struct ttlog_reader *reader;

	begin(1 << 20);
	for (uint64_t i = 0; i < count; i++) {
		before[i] = ttlog_clock_ticks(ttlog_clock_source());
		number(i);
	}
	before[count] = UINT64_MAX;
	reader = view();
	while (next_of(reader, "numbered", &event)) {
		boot += event.lane == TTLOG_LANE_BOOT;
		if (event.lane == TTLOG_LANE_MAIN && !first_kept)
			first_kept = event.value[0].bits;
	}
	ttlog_reader_close(reader);
	lane = lane_now(TTLOG_LANE_MAIN);
	cr_assert_gt(boot, 0);
	cr_assert_gt(first_kept, boot);
	cr_expect_eq(lane.overwritten, first_kept - boot);
	/* Where a tick is longer than an event, the reading behind it may be the same. */
	cr_expect(lane.overwritten_first >= before[boot] &&
		  lane.overwritten_first <= before[boot + 1]);
	cr_expect(lane.overwritten_last >= before[first_kept - 1] &&
		  lane.overwritten_last <= before[first_kept]);
	cr_expect_eq(lane_now(TTLOG_LANE_BOOT).overwritten, 0);
	free(before);
}

Test(ring, the_first_events_of_a_process_are_never_overwritten)
{
	struct ttlog_reader_event event;
	struct ttlog_reader *reader;
	uint64_t next = 0;

	begin(1 << 20);
	for (uint64_t i = 0; i < 100; i++)
		number(i);
	noise(2000000);
	reader = view();
	while (next_of(reader, "numbered", &event)) {
		cr_expect_eq(event.lane, TTLOG_LANE_BOOT);
		cr_expect_eq(event.value[0].bits, next++);
	}
	cr_expect_eq(next, 100);
	ttlog_reader_close(reader);
}

/* ---- alerts -----------------------------------------------------------------------------------
 */

Test(ring, alerts_survive_ten_million_debug_events)
{
	struct ttlog_reader_event event;
	struct ttlog_reader *reader;
	uint64_t next = 0;

	fill_boot();
	for (uint64_t i = 0; i < 200; i++) {
		if (i % 3 == 0)
			ttlog_warn("alert", "n", i, "text", "this is why");
		else if (i % 3 == 1)
			ttlog_error("alert", "n", i, "text", "this is why");
		else
			ttlog_fatal("alert", "n", i, "text", "this is why");
	}
	noise(10000000);
	reader = view();
	while (next_of(reader, "alert", &event)) {
		cr_expect_eq(event.lane, TTLOG_LANE_ALERT);
		cr_expect_eq(event.value[0].bits, next++);
		cr_expect_str_eq(event.value[1].data, "this is why");
	}
	cr_expect_eq(next, 200);
	ttlog_reader_close(reader);
}

Test(ring, alerts_overwrite_the_oldest_alerts_and_count_them)
{
	struct ttlog_reader_lane lane;
	struct numbered run;
	uint32_t slots;

	begin(1 << 20);
	slots = chunks_of(TTLOG_LANE_ALERT);
	for (uint64_t i = 0; i < 10000; i++)
		ttlog_warn("alert", "n", i);
	run = numbered_now("alert");
	lane = lane_now(TTLOG_LANE_ALERT);
	cr_expect_eq(run.count, slots);
	cr_expect_eq(run.gaps, 0);
	cr_expect_eq(run.last, 9999);
	cr_expect_eq(lane.overwritten, 10000 - slots);
	cr_expect_eq(lane.dropped, 0);
}

Test(ring, an_alert_that_fits_no_slot_goes_to_the_large_ones)
{
	char text[1000];
	struct ttlog_reader_event event;
	struct ttlog_reader *reader;

	begin(1 << 20);
	memset(text, 'l', sizeof(text));
	text[999] = '\0';
	ttlog_error("large", "text", text);
	/* The greatest that a slot of 256 takes, and one byte more than that. */
	text[256 - 64 - 8 - 16 - 1] = '\0';
	ttlog_error("fits", "text", text);
	text[256 - 64 - 8 - 16 - 1] = 'l';
	text[256 - 64 - 8 - 16] = '\0';
	ttlog_error("does not", "text", text);
	reader = view();
	cr_assert_not_null(next_of(reader, "large", &event));
	cr_expect_eq(event.lane, TTLOG_LANE_ALERT_LARGE);
	cr_expect_eq(event.value[0].size, 999);
	cr_expect_eq(event.flags, 0);
	cr_assert_not_null(next_of(reader, "fits", &event));
	cr_expect_eq(event.lane, TTLOG_LANE_ALERT);
	cr_assert_not_null(next_of(reader, "does not", &event));
	cr_expect_eq(event.lane, TTLOG_LANE_ALERT_LARGE);
	ttlog_reader_close(reader);
	cr_expect_eq(totals_now().truncated, 0);
}

Test(ring, an_alert_of_5000_bytes_is_cut_and_says_so)
{
	char text[5001];
	struct ttlog_reader_event event;
	struct ttlog_reader *reader;

	begin(1 << 20);
	memset(text, 'l', sizeof(text));
	text[5000] = '\0';
	ttlog_error("huge", "text", text, "n", 1);
	reader = view();
	cr_assert_not_null(next_of(reader, "huge", &event));
	cr_expect_eq(event.lane, TTLOG_LANE_ALERT_LARGE);
	cr_expect_eq(event.flags, TTLOG_EVENT_TRUNCATED);
	cr_expect_eq(event.value[0].size, 4024 - 16 - 4 - 1);
	cr_expect_eq(event.value[1].bits, 1);
	ttlog_reader_close(reader);
	cr_expect_eq(lane_now(TTLOG_LANE_ALERT_LARGE).truncated, 1);
}

/* ---- who gives way ----------------------------------------------------------------------------
 */

struct quiet {
	sem_t go, done;
	uint64_t events;
};

/* Records when it is told to, and says when it has. Ends at the second go. */
static void *quiet_thread(void *argument)
{
	struct quiet *quiet = argument;

	sem_wait(&quiet->go);
	for (uint64_t i = 0; i < quiet->events; i++)
		ttlog_info("quiet", "n", i);
	sem_post(&quiet->done);
	sem_wait(&quiet->go);
	return NULL;
}

static pthread_t quiet_start(struct quiet *quiet)
{
	pthread_t thread;

	sem_init(&quiet->go, 0, 0);
	sem_init(&quiet->done, 0, 0);
	cr_assert_eq(pthread_create(&thread, NULL, quiet_thread, quiet), 0);
	sem_post(&quiet->go);
	sem_wait(&quiet->done);
	return thread;
}

static void quiet_end(struct quiet *quiet, pthread_t thread)
{
	sem_post(&quiet->go);
	pthread_join(thread, NULL);
}

Test(ring, a_quiet_threads_newest_events_survive_a_chatty_one)
{
	struct quiet quiet = {.events = 400}; /* two chunks and a part of the third */
	struct numbered run;
	pthread_t thread;

	fill_boot();
	thread = quiet_start(&quiet);
	noise(1000000);
	run = numbered_now("quiet");
	cr_expect_eq(run.last, 399);
	cr_expect_eq(run.gaps, 0);
	cr_expect_eq(run.count, 400 % NOISE_A_CHUNK,
		     "what is in its own chunk stays, older chunks go");
	quiet_end(&quiet, thread);
}

Test(ring, what_a_quiet_thread_retires_late_is_not_the_next_to_go)
{
	struct quiet quiet = {.events = 5};
	uint32_t chunks, next;
	uint64_t taken;
	pthread_t thread;

	fill_boot();
	chunks = chunks_of(TTLOG_LANE_MAIN);
	taken = atomic_load(&ttlog_process_ledger()->lane[TTLOG_LANE_MAIN].hand) % chunks;
	thread = quiet_start(&quiet);
	/* Until the hand stands before the quiet thread's chunk again. */
	do {
		noise(1);
		next = atomic_load(&ttlog_process_ledger()->lane[TTLOG_LANE_MAIN].hand) % chunks;
	} while (next != taken);
	quiet_end(&quiet, thread);
	noise((uint64_t)NOISE_A_CHUNK * (chunks / 2 - 2));
	cr_expect_eq(numbered_now("quiet").count, 5, "kept for half a lap after its thread's end");
	noise((uint64_t)NOISE_A_CHUNK * chunks * 2);
	cr_expect_eq(numbered_now("quiet").count, 0);
}

Test(ring, a_chunk_that_was_retired_after_the_ticket_was_drawn_is_young)
{
	struct lane_view {
		struct ttlog_chunk_record *records;
		unsigned char *chunks;
	} lane;
	const struct ttlog_lane_geometry *geometry;
	struct ttlog_chunk *chunk;
	uint64_t hand, generation;
	uint32_t index;

	fill_boot();
	geometry = &ttlog_place_.geometry.lane[TTLOG_LANE_MAIN];
	lane.records = (void *)(ttlog_place_.base + geometry->records_offset);
	lane.chunks = ttlog_place_.base + geometry->chunks_offset;
	noise((uint64_t)NOISE_A_CHUNK * geometry->chunk_count * 2);
	/* Another thread drew tickets and retired this one between our ticket and our look at it.
	 */
	hand = atomic_load(&ttlog_process_ledger()->lane[TTLOG_LANE_MAIN].hand);
	index = (uint32_t)(hand % geometry->chunk_count);
	chunk = (void *)(lane.chunks + (uint64_t)index * geometry->chunk_bytes);
	atomic_store(&chunk->retired_ticket, hand + 3);
	cr_assert_eq(TTLOG_STATE_OF(lane.records[index].state), TTLOG_CHUNK_RETIRED);
	generation = TTLOG_STATE_GENERATION(lane.records[index].state);
	noise(NOISE_A_CHUNK);
	cr_assert_gt(atomic_load(&ttlog_process_ledger()->lane[TTLOG_LANE_MAIN].hand), hand);
	cr_expect_eq(TTLOG_STATE_GENERATION(lane.records[index].state), generation);
}

/* ---- no room ----------------------------------------------------------------------------------
 */

/* More than there are chunks, of which a region of large pages has more. */
#define CROWD (TTLOG_PAGE_BYTES > 4096 ? 1600 : 400)

static sem_t crowd_done, crowd_go;

static void *crowd_member(void *argument)
{
	ttlog_info("crowd", "n", (uint64_t)(uintptr_t)argument);
	sem_post(&crowd_done);
	sem_wait(&crowd_go);
	return NULL;
}

Test(ring, threads_that_find_no_chunk_drop_their_events_and_count_them)
{
	pthread_t thread[CROWD];
	struct ttlog_reader_lane lane;
	uint64_t before, after, chunks;

	begin(1 << 20);
	chunks = chunks_of(TTLOG_LANE_MAIN) + chunks_of(TTLOG_LANE_BOOT);
	cr_assert_lt(chunks, CROWD);
	sem_init(&crowd_done, 0, 0);
	sem_init(&crowd_go, 0, 0);
	before = ttlog_clock_ticks(ttlog_clock_source());
	for (uintptr_t i = 0; i < CROWD; i++) {
		cr_assert_eq(pthread_create(&thread[i], NULL, crowd_member, (void *)i), 0);
		sem_wait(&crowd_done);
	}
	after = ttlog_clock_ticks(ttlog_clock_source());
	lane = lane_now(TTLOG_LANE_MAIN);
	cr_expect_eq(lane.dropped, CROWD - chunks);
	cr_expect(lane.dropped_first > before && lane.dropped_first < lane.dropped_last);
	cr_expect_lt(lane.dropped_last, after);
	cr_expect_eq(numbered_now("crowd").count, chunks, "those that have one keep it");
	/* An alert needs no chunk of the thread's own. */
	ttlog_error("not lost", "n", 1);
	cr_expect_eq(numbered_now("not lost").count, 1);
	for (int i = 0; i < CROWD; i++)
		sem_post(&crowd_go);
	for (int i = 0; i < CROWD; i++)
		pthread_join(thread[i], NULL);
	ttlog_info("after", "n", 1);
	cr_expect_eq(numbered_now("after").count, 1, "room again when they are gone");
}

/* ---- many threads -----------------------------------------------------------------------------
 */

static void *counted_thread(void *argument)
{
	(void)argument;
	for (uint64_t i = 0; i < 100000; i++) {
		number(i);
		if (i % 64 == 0)
			ttlog_error("alert", "n", i);
	}
	return NULL;
}

Test(ring, laps_of_many_threads_at_once_lose_no_count)
{
	const uint64_t each = 100000 + (100000 + 63) / 64;
	pthread_t thread[8];
	struct ttlog_reader_totals totals;

	begin(1 << 20);
	for (int i = 0; i < 8; i++)
		cr_assert_eq(pthread_create(&thread[i], NULL, counted_thread, NULL), 0);
	for (int i = 0; i < 8; i++)
		pthread_join(thread[i], NULL);
	totals = totals_now();
	cr_expect_eq(totals.events + totals.overwritten + totals.dropped, 8 * each);
	cr_expect_eq(totals.dropped, 0);
	cr_expect_eq(totals.torn, 0);
}
