/* SPDX-License-Identifier: MIT */
/*
 * test_retention.c - what a flood of debug events takes, and what it does not, event by event.
 *
 * In a region of 16 MiB a thread records a hundred million debug events. All there may be beside
 * them stays:
 *
 *   boot       the first events of the process, as many as fit the lane
 *   alert      as many of WARN and above as the lanes have slots, small and large
 *   nested     as many events of handlers that interrupted an event as the lane has slots
 *   the quiet  of a thread that recorded before and has been silent since, all of its current
 *              chunk, which holds at least its newest event. What it filled before that is as old
 *              as the clock says, and goes as other old chunks go
 *
 * Of the flood itself the newest are there, without a gap, and the ledger has the rest: how many,
 * and the very times of the oldest and the newest that were lost.
 */
#include <pthread.h>
#include <semaphore.h>
#include <sys/mman.h>

#include "tests/own_region.h"

#define MIB (UINT64_C(1) << 20)
#ifdef __SANITIZE_ADDRESS__
#define FLOOD UINT64_C(5000000)
#else
#define FLOOD UINT64_C(100000000)
#endif
#define LARGE 600 /* bytes of text that fit no small slot */

static uint32_t chunks_of(uint32_t lane)
{
	return ttlog_place_.geometry.lane[lane].chunk_count;
}

static uint32_t room_left(void)
{
	uint32_t position = (uint32_t)ttlog_writer_->position;
	uint32_t end = ttlog_place_.geometry.lane[TTLOG_LANE_MAIN].chunk_bytes - 8;

	return end - position;
}

static void flood(uint64_t count)
{
	for (uint64_t i = 0; i < count; i++)
		ttlog_debug("flood", "n", i);
}

/* Every event of that message, by number: first to last, none missing, all of one lane. */
static void expect_all(struct ttlog_reader *reader, const char *message, uint64_t first,
		       uint64_t last, uint32_t lane)
{
	struct ttlog_reader_event event;
	uint64_t next = first;

	ttlog_reader_rewind(reader);
	while (next_of(reader, message, &event)) {
		cr_assert_eq(event.value[0].bits, next, "%s: %" PRIu64 " where %" PRIu64 " was due",
			     message, event.value[0].bits, next);
		cr_assert_eq(event.lane, lane, "%s %" PRIu64 " is in lane %u", message, next,
			     event.lane);
		next++;
	}
	cr_assert_eq(next, last + 1, "%s: the last is %" PRIu64 ", not %" PRIu64, message, next - 1,
		     last);
}

/* ---- what is there before the flood ---------------------------------------------------------- */

static uint64_t fill_boot(void)
{
	uint64_t count = 0;

	for (; lane_now(TTLOG_LANE_MAIN).chunks_used == 0; count += 64)
		for (uint64_t i = 0; i < 64; i++)
			ttlog_info("boot", "n", count + i);
	return count;
}

static void fill_alert(void)
{
	char text[LARGE + 1];

	memset(text, 'x', LARGE);
	text[LARGE] = '\0';
	for (uint64_t i = 0; i < chunks_of(TTLOG_LANE_ALERT); i++)
		ttlog_warn("alert", "n", i, "text", "some words of what is wrong");
	for (uint64_t i = 0; i < chunks_of(TTLOG_LANE_ALERT_LARGE); i++)
		ttlog_error("large alert", "n", i, "text", text);
}

static unsigned char *page;
static volatile uint64_t handled;

static void on_fault(int signal_number)
{
	(void)signal_number;
	ttlog_info("handler", "n", handled++);
	mprotect(page, 4096, PROT_READ | PROT_WRITE);
}

/* The fault comes while the event is written, and the handler records. */
static void fill_nested(void)
{
	struct sigaction action = {.sa_handler = on_fault}, before;
	uint32_t slots = chunks_of(TTLOG_LANE_NESTED);

	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	cr_assert_neq(page, MAP_FAILED);
	sigaction(SIGSEGV, &action, &before);
	for (uint32_t i = 0; i < slots; i++) {
		mprotect(page, 4096, PROT_NONE);
		ttlog_info("interrupted", "n", i, "page", ttlog_bytes(page, 20));
	}
	sigaction(SIGSEGV, &before, NULL);
	munmap(page, 4096);
	cr_assert_eq(handled, slots);
}

struct quiet {
	pthread_t thread;
	sem_t is_quiet, may_end;
	uint64_t count;		/* recorded in all */
	uint64_t kept_from;	/* the first of its current chunk */
	uint64_t chunk_changes; /* that it has to have gone through */
};

/* Some chunks, and so much of one more, that the next event needs no other. */
static void *be_quiet(void *argument)
{
	struct quiet *quiet = argument;
	unsigned char *chunk = NULL;
	uint64_t changes = 0;

	while (changes < quiet->chunk_changes || room_left() > 200) {
		ttlog_info("quiet", "n", quiet->count++);
		if (ttlog_writer_->chunk != chunk) {
			chunk = ttlog_writer_->chunk;
			changes++;
			quiet->kept_from = quiet->count - 1;
		}
	}
	sem_post(&quiet->is_quiet);
	sem_wait(&quiet->may_end);
	return NULL;
}

static void quiet_begin(struct quiet *quiet, uint64_t chunk_changes)
{
	*quiet = (struct quiet){.chunk_changes = chunk_changes};
	sem_init(&quiet->is_quiet, 0, 0);
	sem_init(&quiet->may_end, 0, 0);
	cr_assert_eq(pthread_create(&quiet->thread, NULL, be_quiet, quiet), 0);
	while (sem_wait(&quiet->is_quiet))
		cr_assert_eq(errno, EINTR);
}

static void quiet_end(struct quiet *quiet)
{
	sem_post(&quiet->may_end);
	pthread_join(quiet->thread, NULL);
	sem_destroy(&quiet->is_quiet);
	sem_destroy(&quiet->may_end);
}

/* ---- the flood ------------------------------------------------------------------------------- */

/* What can be lost of it is the oldest: the newest are there, and the ledger has the others. */
static void expect_flood(struct ttlog_reader *reader, uint64_t lost_of_others)
{
	const struct ttlog_reader_lane *lane = ttlog_reader_lane(reader, TTLOG_LANE_MAIN);
	struct numbered run = numbered_in(reader, "flood");

	cr_expect_eq(run.gaps, 0);
	cr_expect_eq(run.last, FLOOD - 1);
	cr_expect_eq(lane->overwritten, FLOOD - run.count + lost_of_others);
	cr_expect_eq(lane->dropped, 0);
	/* What is left of it is most of what the lane has room for. */
	cr_expect_gt(run.count, (uint64_t)chunks_of(TTLOG_LANE_MAIN) * 100);
}

Test(retention, a_flood_of_debug_events_takes_nothing_else, .timeout = 120)
{
	struct ttlog_reader *reader;
	struct numbered quiet_run;
	struct quiet quiet;
	uint64_t boot;

	begin(16 * MIB);
	cr_assert_eq(ttlog_set_level(TTLOG_DEBUG), 0);
	cr_assert_geq(chunks_of(TTLOG_LANE_ALERT), 4096);
	cr_assert_geq(chunks_of(TTLOG_LANE_ALERT_LARGE), 64);
	boot = fill_boot();
	fill_alert();
	fill_nested();
	quiet_begin(&quiet, 3);
	flood(FLOOD);
	reader = view();
	quiet_run = numbered_in(reader, "quiet");
	cr_expect_eq(quiet_run.last, quiet.count - 1, "its newest event");
	cr_expect_eq(quiet_run.gaps, 0);
	cr_expect_leq(quiet_run.first, quiet.kept_from, "all of its current chunk");
	cr_expect_gt(quiet_run.count, 100);
	expect_all(reader, "alert", 0, chunks_of(TTLOG_LANE_ALERT) - 1, TTLOG_LANE_ALERT);
	expect_all(reader, "large alert", 0, chunks_of(TTLOG_LANE_ALERT_LARGE) - 1,
		   TTLOG_LANE_ALERT_LARGE);
	expect_all(reader, "handler", 0, chunks_of(TTLOG_LANE_NESTED) - 1, TTLOG_LANE_NESTED);
	/* The lane ends somewhere in the last 64; "boot" events beyond are as other old ones. */
	cr_expect_eq(numbered_in(reader, "boot").first, 0);
	cr_expect_eq(numbered_in(reader, "boot").gaps, 0);
	cr_expect_geq(numbered_in(reader, "boot").count + 64, boot);
	cr_expect_eq(ttlog_reader_lane(reader, TTLOG_LANE_BOOT)->overwritten, 0);
	expect_flood(reader, boot - numbered_in(reader, "boot").count + handled -
				     numbered_in(reader, "interrupted").count + quiet.count -
				     quiet_run.count);
	for (uint32_t lane = 1; lane < ttlog_reader_lane_count(reader); lane++) {
		cr_expect_eq(ttlog_reader_lane(reader, lane)->overwritten, 0, "lane %u", lane);
		cr_expect_eq(ttlog_reader_lane(reader, lane)->dropped, 0, "lane %u", lane);
	}
	ttlog_reader_close(reader);
	quiet_end(&quiet);
}

struct one {
	pthread_t thread;
	sem_t *is_quiet, *may_end;
	uint64_t id, count;
};

static void *record_some(void *argument)
{
	struct one *one = argument;

	for (uint64_t i = 0; i < one->count; i++)
		ttlog_info("one", "n", one->id * 1000 + i);
	sem_post(one->is_quiet);
	while (sem_wait(one->may_end))
		;
	return NULL;
}

/*
 * However it came to be quiet: 1 to 200 events of 24 bytes end at each place of a chunk, over its
 * end in the next one too.
 */
Test(retention, a_quiet_threads_newest_event_stays_wherever_it_is, .timeout = 120)
{
	enum { THREADS = 200 };
	static struct one one[THREADS];
	static bool newest[THREADS];
	sem_t is_quiet, may_end;
	struct ttlog_reader *reader;
	struct ttlog_reader_event event;

	sem_init(&is_quiet, 0, 0);
	sem_init(&may_end, 0, 0);
	begin(4 * MIB);
	cr_assert_eq(ttlog_set_level(TTLOG_DEBUG), 0);
	fill_boot();
	for (uint64_t i = 0; i < THREADS; i++) {
		one[i] = (struct one){0, &is_quiet, &may_end, i, i + 1};
		cr_assert_eq(pthread_create(&one[i].thread, NULL, record_some, &one[i]), 0);
		while (sem_wait(&is_quiet))
			;
	}
	flood(FLOOD / 50);
	reader = view();
	while (next_of(reader, "one", &event)) {
		uint64_t id = event.value[0].bits / 1000;

		newest[id] = newest[id] || event.value[0].bits % 1000 == one[id].count - 1;
	}
	for (uint32_t i = 0; i < THREADS; i++)
		cr_expect(newest[i], "a thread of %u events", i + 1);
	ttlog_reader_close(reader);
	for (uint32_t i = 0; i < THREADS; i++)
		sem_post(&may_end);
	for (uint32_t i = 0; i < THREADS; i++)
		pthread_join(one[i].thread, NULL);
}

/* ---- within the budget, and beyond it -------------------------------------------------------- */

static void *warn(void *argument)
{
	uint64_t from = (uint64_t)(uintptr_t)argument;

	for (uint64_t i = 0; i < 1024; i++)
		ttlog_warn("alert", "n", from + i);
	return NULL;
}

Test(retention, four_threads_fill_alert_to_its_last_slot_and_take_none_from_each_other)
{
	pthread_t thread[4];
	struct ttlog_reader_event event;
	struct ttlog_reader *reader;
	static bool seen[4096];
	uint32_t slots;

	begin(16 * MIB);
	slots = chunks_of(TTLOG_LANE_ALERT);
	cr_assert_geq(slots, 4096);
	for (uintptr_t i = 0; i < 4; i++)
		cr_assert_eq(pthread_create(&thread[i], NULL, warn, (void *)(i * 1024)), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
	reader = view();
	while (next_of(reader, "alert", &event)) {
		cr_expect_not(seen[event.value[0].bits]);
		seen[event.value[0].bits] = true;
	}
	for (uint32_t i = 0; i < 4096; i++)
		cr_expect(seen[i], "alert %u", i);
	cr_expect_eq(ttlog_reader_lane(reader, TTLOG_LANE_ALERT)->overwritten, 0);
	ttlog_reader_close(reader);
}

Test(retention, an_alert_beyond_the_budget_takes_the_oldest)
{
	struct ttlog_reader *reader;
	uint32_t slots;

	begin(MIB);
	slots = chunks_of(TTLOG_LANE_ALERT);
	for (uint64_t i = 0; i < 2 * slots + 10; i++)
		ttlog_warn("alert", "n", i);
	reader = view();
	expect_all(reader, "alert", slots + 10, 2 * slots + 9, TTLOG_LANE_ALERT);
	cr_expect_eq(ttlog_reader_lane(reader, TTLOG_LANE_ALERT)->overwritten, slots + 10);
	ttlog_reader_close(reader);
}
