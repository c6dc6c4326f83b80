/* SPDX-License-Identifier: MIT */
/*
 * test_history_hostile.c - a client that scribbles over its region while it is looked at gets its
 * own history wrong, and nothing else.
 *
 * The region is a copy of one that the library wrote, so that only the recorder's side is harmed.
 */
#include <pthread.h>
#include <sys/mman.h>

#include "tests/own_history.h"

#define BUDGET (UINT64_C(4) << 20)
#define ROUNDS 60

TestSuite(history_hostile, .timeout = 120);

static unsigned char *copy;

static uint64_t random_word(void)
{
	static _Thread_local uint64_t state = 7;

	state = state * UINT64_C(6364136223846793005) + 1442695040888963407;
	return state ^ state >> 31;
}

static void make_copy(void)
{
	copy = mmap(NULL, ttlog_place_.geometry.region_bytes, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	cr_assert_neq((void *)copy, MAP_FAILED);
	memcpy(copy, ttlog_place_.base, ttlog_place_.geometry.region_bytes);
}

/* A word somewhere; more often than not of a record, a chunk's first events, the ledger or the
 * table.
 */
static void scribble(void)
{
	const struct ttlog_geometry *geometry = &ttlog_place_.geometry;
	const struct ttlog_lane_geometry *lane =
		&geometry->lane[random_word() % geometry->lane_count];
	const uint32_t chunk = (uint32_t)(random_word() % lane->chunk_count);
	const uint64_t places[] = {
		lane->records_offset + chunk * sizeof(struct ttlog_chunk_record) +
			random_word() % 7 * 8,
		lane->chunks_offset + (uint64_t)chunk * lane->chunk_bytes + random_word() % 16 * 8,
		geometry->ledger_offset + random_word() % 256 * 8,
		geometry->channels_offset + random_word() % 64 * 8,
		random_word() % (geometry->region_bytes / 8) * 8,
	};
	const uint64_t values[] = {
		random_word(),
		random_word() >> random_word() % 64,
		0,
		UINT64_MAX,
		TTLOG_STATE(random_word() % 9, random_word() % 3, random_word() % 8),
		UINT64_C(1) << 32 | random_word() % 600,
	};

	__atomic_store_n((uint64_t *)(void *)(copy + places[random_word() % 5]),
			 values[random_word() % 6], __ATOMIC_RELAXED);
}

static void record(void)
{
	struct ttlog_channel channel = ttlog_channel_open("conn", 1);

	for (uint64_t n = 0; n < 3000; n++) {
		ttlog_info("numbered", "n", n, "text", "abc");
		if (n % 8 == 0)
			ttlog_warn("alarming", "n", n);
		if (n % 8 == 1)
			ttlog_info_to(channel, "sent", "n", n);
	}
	ttlog_channel_close(channel);
}

static struct own_history begin_copied(bool has_thread)
{
	const struct history_options options = {.client_bytes = BUDGET,
						.without_thread = !has_thread};
	struct own_history own = {0};

	record();
	make_copy();
	cr_assert_eq(histories_open(&own.histories, &options), 0);
	own.history = history_begin(own.histories, copy, &ttlog_place_.geometry, 0);
	cr_assert_not_null(own.history);
	return own;
}

/* All that is said to be there can be read, each text to its end. */
static void read_all(struct own_history *own)
{
	struct ttlog_reader_totals totals;
	struct ttlog_reader_event event;
	volatile uint64_t bytes = 0; /* that they are read is all that matters */
	uint64_t count = 0;
	int more;

	cr_assert_eq(history_cut_init(&own->cut, own->history), 0);
	cr_assert_eq(ttlog_reader_open_with(&own->reader, copy, &ttlog_place_.geometry,
					    &own->cut.reader),
		     0);
	while ((more = ttlog_reader_next(own->reader, &event)) > 0) {
		for (uint32_t i = 0; i < event.value_count; i++)
			bytes = bytes +
				(event.value[i].size ? strnlen(event.value[i].data, 64) : 0);
		cr_assert_not_null(ttlog_reader_thread(own->reader, event.thread));
		count++;
	}
	cr_assert_eq(more, 0);
	ttlog_reader_totals(own->reader, &totals);
	cr_assert_eq(totals.events, count);
	cr_assert_leq(ttlog_reader_gap_count(own->reader), TTLOG_READER_GAPS_MAX);
	own_history_close(own);
}

Test(history_hostile, a_region_that_lies_between_looks)
{
	struct own_history own = begin_copied(false);
	struct history_figures figures;

	for (int round = 0; round < ROUNDS; round++) {
		record();
		memcpy(copy, ttlog_place_.base, ttlog_place_.geometry.region_bytes);
		for (int i = 0; i < 400; i++)
			scribble();
		history_look(own.history);
		histories_figures(own.histories, &figures);
		cr_assert_leq(figures.bytes, BUDGET);
		for (int i = 0; i < 400; i++)
			scribble();
		if (round % 4 == 0)
			read_all(&own);
	}
	cr_assert_gt(figures.chunks, 0);
	own_history_end(&own);
}

static _Atomic bool stop;

static void *scribble_on(void *context)
{
	(void)context;
	while (!stop)
		scribble();
	return NULL;
}

Test(history_hostile, a_region_that_changes_under_the_eyes)
{
	struct own_history own = begin_copied(true);
	pthread_t thread;

	cr_assert_eq(pthread_create(&thread, NULL, scribble_on, NULL), 0);
	for (int round = 0; round < ROUNDS; round++) {
		record();
		memcpy(copy, ttlog_place_.base, ttlog_place_.geometry.region_bytes);
		history_look(own.history);
		if (round % 4 == 0)
			read_all(&own);
	}
	stop = true;
	pthread_join(thread, NULL);
	own_history_end(&own);
}
