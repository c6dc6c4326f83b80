/* SPDX-License-Identifier: MIT */
/*
 * test_ledger.c - each loss, from the call that caused it to what ttlog-view shows of it.
 *
 * Events are recorded of which the test knows number and ticks, as it reads them before they are
 * lost. What is not there at the end is what each ledger must have, lane by lane: how many, the
 * very ticks of the oldest and of the newest; the same in the dump, as times, in text and in JSON.
 */
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>

#include "lib/clock.h"
#include "lib/ring.h"
#include "recorder/dump_writer.h"
#include "tests/own_region.h"

#define EVENTS_MAX (TTLOG_PAGE_BYTES > 4096 ? 160000 : 40000)

/* What the events of a lane were, by number; a number is used once. */
struct history {
	uint32_t lane;
	uint64_t count;
	uint64_t ticks[EVENTS_MAX]; /* 0: not recorded, or not seen yet */
	bool is_there[EVENTS_MAX];
};

static struct history history[TTLOG_LANE_MAX];
static struct ttlog_clock_point first_point;
static uint64_t drop_before, drop_first_after, drop_last_before, drop_after;

static uint32_t chunks_of(uint32_t lane)
{
	return ttlog_place_.geometry.lane[lane].chunk_count;
}

static void turn(void)
{
	__atomic_add_fetch(&ttlog_place_.control->freeze, 1, __ATOMIC_SEQ_CST);
}

static uint64_t ticks_now(void)
{
	return ttlog_clock_ticks(ttlog_clock_source());
}

/* Reads all that is there now: value 0 is the number. */
static void look(struct ttlog_reader *reader)
{
	struct ttlog_reader_event event;

	for (uint32_t lane = 0; lane < TTLOG_LANE_MAX; lane++)
		memset(history[lane].is_there, 0, sizeof(history[lane].is_there));
	ttlog_reader_rewind(reader);
	while (next_of(reader, "ledger", &event)) {
		struct history *of = &history[event.lane];
		uint64_t n = event.value[0].bits;

		cr_assert_lt(n, EVENTS_MAX);
		cr_assert(!of->ticks[n] || of->ticks[n] == event.ticks);
		cr_assert_not(of->is_there[n], "%" PRIu64 " twice", n);
		of->ticks[n] = event.ticks;
		of->is_there[n] = true;
	}
}

static void look_now(void)
{
	struct ttlog_reader *reader = view();

	look(reader);
	ttlog_reader_close(reader);
}

/* ---- losses of each kind --------------------------------------------------------------------- */

static uint64_t number;

static void record_one(void)
{
	ttlog_info("ledger", "n", number, "pad", "0123456789");
	number++;
}

static void record(uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		record_one();
		if (i % 2000 == 1999)
			look_now();
	}
	look_now();
}

static void record_alerts(uint64_t count, const char *text)
{
	for (uint64_t i = 0; i < count; i++) {
		ttlog_warn("ledger", "n", number, "text", text);
		number++;
		if (i % 3 == 2)
			look_now();
	}
	look_now();
}

static unsigned char *page;

static void on_fault(int signal_number)
{
	(void)signal_number;
	ttlog_info("ledger", "n", number);
	number++;
	mprotect(page, 4096, PROT_READ | PROT_WRITE);
}

static void record_nested(uint64_t count)
{
	struct sigaction action = {.sa_handler = on_fault}, before;

	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	cr_assert_neq(page, MAP_FAILED);
	sigaction(SIGSEGV, &action, &before);
	for (uint64_t i = 0; i < count; i++) {
		mprotect(page, 4096, PROT_NONE);
		ttlog_debug("interrupted", "page", ttlog_bytes(page, 20));
		look_now();
	}
	sigaction(SIGSEGV, &before, NULL);
	munmap(page, 4096);
}

static uint64_t dropped_now(void)
{
	return atomic_load(&ttlog_process_ledger()->lane[TTLOG_LANE_AFTERLIFE].dropped);
}

/* Frozen, until there is no room any more; then as many again. Returns the number of the dropped.
 */
static uint64_t record_frozen(void)
{
	uint64_t before = dropped_now();

	turn();
	while (dropped_now() == before) {
		drop_before = ticks_now();
		record_one();
		drop_first_after = ticks_now();
	}
	for (int i = 0; i < 100; i++)
		record_one();
	drop_last_before = ticks_now();
	record_one();
	drop_after = ticks_now();
	look_now();
	turn();
	return 102;
}

/* ---- the proof ------------------------------------------------------------------------------- */

struct loss {
	uint64_t count, first, last;
};

/* What was seen once and is gone. */
static struct loss loss_of(const struct history *of)
{
	struct loss loss = {0};

	for (uint64_t n = 0; n < EVENTS_MAX; n++) {
		if (!of->ticks[n] || of->is_there[n])
			continue;
		if (!loss.count || of->ticks[n] < loss.first)
			loss.first = of->ticks[n];
		if (of->ticks[n] > loss.last)
			loss.last = of->ticks[n];
		loss.count++;
	}
	return loss;
}

static void expect_ledger(struct ttlog_reader *reader, uint32_t id)
{
	const struct ttlog_reader_lane *lane = ttlog_reader_lane(reader, id);
	struct loss loss = loss_of(&history[id]);

	cr_expect_eq(lane->overwritten, loss.count, "%s: %" PRIu64 ", but %" PRIu64 " are gone",
		     ttlog_lane_name(id), lane->overwritten, loss.count);
	cr_expect_eq(lane->overwritten_first, loss.first, "%s", ttlog_lane_name(id));
	cr_expect_eq(lane->overwritten_last, loss.last, "%s", ttlog_lane_name(id));
}

static char dump_path[] = "/tmp/test_ledger.XXXXXX";

static struct ttlog_clock_line write_dump(struct ttlog_reader *reader)
{
	static struct timeline timeline;
	struct ttlog_clock_point now;
	struct dump_facts facts = {.service = "ledger",
				   .hostname = "here",
				   .reason = "test",
				   .pid = 1,
				   .created_ns = 1,
				   .verdict = {.how = VERDICT_ALIVE},
				   .recorder_version = "0",
				   .rung = "none",
				   .timeline = &timeline,
				   .clock_source = ttlog_clock_source()};
	int fd = mkstemp(dump_path);

	cr_assert_geq(fd, 0);
	timeline_init(&timeline, facts.clock_source, 0);
	timeline_add(&timeline, &first_point, 0);
	ttlog_clock_read(facts.clock_source, &now);
	timeline_add(&timeline, &now, 0);
	ttlog_reader_rewind(reader);
	cr_assert_eq(dump_write(fd, reader, &facts), 0);
	close(fd);
	return timeline_line(&timeline, facts.clock_source);
}

/* What ttlog-view, which lies beside the folder of tests, says of the dump. */
static const char *ask_viewer(const char *options)
{
	static char answer[65536];
	char program[PATH_MAX], command[PATH_MAX + 128];
	ssize_t length = readlink("/proc/self/exe", program, sizeof(program) - 1);
	size_t bytes;
	FILE *pipe;

	cr_assert_gt(length, 0);
	program[length] = '\0';
	for (int i = 0; i < 2; i++)
		*strrchr(program, '/') = '\0';
	snprintf(command, sizeof(command), "%s/ttlog-view %s %s", program, options, dump_path);
	pipe = popen(command, "r");
	cr_assert_not_null(pipe);
	bytes = fread(answer, 1, sizeof(answer) - 1, pipe);
	answer[bytes] = '\0';
	cr_assert_eq(pclose(pipe), 0, "%s", command);
	return answer;
}

/* "overwritten_first_ns":"17..." or null, as JSON has it. */
static void ns_json(char *to, size_t bytes, const char *key, uint64_t ticks,
		    const struct ttlog_clock_line *clock)
{
	if (ticks)
		snprintf(to, bytes, "\"%s\":\"%" PRId64 "\"", key,
			 ttlog_clock_realtime_ns(clock, ticks));
	else
		snprintf(to, bytes, "\"%s\":null", key);
}

static void expect_json(const struct ttlog_reader_lane *lane, const char *name,
			const struct ttlog_clock_line *clock, const char *json)
{
	char first[64], last[64], dropped_first[64], dropped_last[64], wanted[512];

	ns_json(first, sizeof(first), "overwritten_first_ns", lane->overwritten_first, clock);
	ns_json(last, sizeof(last), "overwritten_last_ns", lane->overwritten_last, clock);
	ns_json(dropped_first, sizeof(dropped_first), "dropped_first_ns", lane->dropped_first,
		clock);
	ns_json(dropped_last, sizeof(dropped_last), "dropped_last_ns", lane->dropped_last, clock);
	snprintf(wanted, sizeof(wanted),
		 "{\"name\":\"%s\",\"events\":%" PRIu64 ",\"overwritten\":%" PRIu64
		 ",%s,%s,\"dropped\":%" PRIu64 ",%s,%s,",
		 name, lane->events, lane->overwritten, first, last, lane->dropped, dropped_first,
		 dropped_last);
	cr_expect(strstr(json, wanted), "%s is not in\n%s", wanted, json);
}

/* "2025-11-23 02:32:01.123456 UTC", by libc's calendar. */
static void moment(char *to, size_t bytes, int64_t ns)
{
	time_t seconds = ns / 1000000000;
	char date[32];
	struct tm tm;

	gmtime_r(&seconds, &tm);
	strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S", &tm);
	snprintf(to, bytes, "%s.%06d UTC", date, (int)(ns % 1000000000 / 1000));
}

static void expect_span(const char *text, const char *name, const char *what, uint64_t first,
			uint64_t last, const struct ttlog_clock_line *clock)
{
	char from[48], to[48], wanted[160], start[32];
	const char *line, *end, *found;

	snprintf(start, sizeof(start), "\n  %s ", name);
	line = strstr(text, start);
	cr_assert(line, "%s is not in\n%s", name, text);
	end = strchr(line + 1, '\n');
	snprintf(wanted, sizeof(wanted), "%s:", what);
	if (first) {
		moment(from, sizeof(from), ttlog_clock_realtime_ns(clock, first));
		moment(to, sizeof(to), ttlog_clock_realtime_ns(clock, last));
		snprintf(wanted, sizeof(wanted), "%s: %s to %s", what, from, to);
	}
	found = strstr(line, wanted);
	cr_expect((found && found < end) == (first != 0), "%s: %s in\n%s", name, wanted, text);
}

static void expect_dump(struct ttlog_reader *reader)
{
	struct ttlog_clock_line clock = write_dump(reader);
	const char *json = ask_viewer("--info --format json"), *text;

	for (uint32_t id = 0; id < ttlog_reader_lane_count(reader); id++)
		expect_json(ttlog_reader_lane(reader, id), ttlog_lane_name(id), &clock, json);
	text = ask_viewer("--info");
	for (uint32_t id = 0; id < ttlog_reader_lane_count(reader); id++) {
		const struct ttlog_reader_lane *lane = ttlog_reader_lane(reader, id);

		expect_span(text, ttlog_lane_name(id), "overwritten", lane->overwritten_first,
			    lane->overwritten_last, &clock);
		expect_span(text, ttlog_lane_name(id), "dropped", lane->dropped_first,
			    lane->dropped_last, &clock);
	}
	unlink(dump_path);
}

Test(ledger, each_loss_is_in_it_to_the_event_and_to_the_tick, .timeout = 120)
{
	static char text[LINE_MAX];
	uint64_t first_dropped, dropped;
	struct ttlog_reader_lane afterlife;
	struct ttlog_reader *reader;

	memset(text, 't', 600);
	begin(1 << 20);
	ttlog_clock_read(ttlog_clock_source(), &first_point);
	record_alerts(chunks_of(TTLOG_LANE_ALERT) + 77, "small");
	record_alerts(chunks_of(TTLOG_LANE_ALERT_LARGE) + 5, text);
	record_nested(chunks_of(TTLOG_LANE_NESTED) + 9);
	/* 40 bytes each. */
	record((chunks_of(TTLOG_LANE_MAIN) + chunks_of(TTLOG_LANE_BOOT)) * 100 + 3000);
	dropped = record_frozen();
	first_dropped = drop_first_after;
	afterlife = lane_now(TTLOG_LANE_AFTERLIFE);
	cr_expect_eq(afterlife.dropped, dropped);
	cr_expect(afterlife.dropped_first >= drop_before &&
		  afterlife.dropped_first <= first_dropped);
	cr_expect(afterlife.dropped_last >= drop_last_before &&
		  afterlife.dropped_last <= drop_after);
	/* The second freeze takes the afterlife of the first; its own drops are the newest. */
	dropped += record_frozen();
	reader = view();
	look(reader);
	for (uint32_t id = 0; id < ttlog_reader_lane_count(reader); id++)
		expect_ledger(reader, id);
	afterlife = *ttlog_reader_lane(reader, TTLOG_LANE_AFTERLIFE);
	cr_expect_eq(afterlife.dropped, dropped);
	cr_expect_leq(afterlife.dropped_first, first_dropped);
	cr_expect(afterlife.dropped_last >= drop_last_before &&
		  afterlife.dropped_last <= drop_after);
	cr_expect_gt(afterlife.overwritten, 0);
	cr_expect_gt(ttlog_reader_lane(reader, TTLOG_LANE_MAIN)->overwritten, 1000);
	cr_expect_geq(ttlog_reader_lane(reader, TTLOG_LANE_ALERT)->overwritten, 77);
	cr_expect_geq(ttlog_reader_lane(reader, TTLOG_LANE_ALERT_LARGE)->overwritten, 5);
	cr_expect_geq(ttlog_reader_lane(reader, TTLOG_LANE_NESTED)->overwritten, 9);
	expect_dump(reader);
	ttlog_reader_close(reader);
}

/* ---- many at once ---------------------------------------------------------------------------- */

#define DROPPERS 4
#define DROPS 100000

static _Atomic uint32_t dropping;

static void *drop(void *argument)
{
	(void)argument;
	for (int i = 0; i < DROPS; i++)
		ttlog_ring_count_drop(TTLOG_LANE_MAIN);
	atomic_fetch_sub(&dropping, 1);
	return NULL;
}

/* Whoever comes in between: the first never becomes later, nor the last earlier. */
Test(ledger, drops_of_many_threads_are_counted_with_the_times_of_the_first_and_the_last)
{
	struct ttlog_lane_ledger *ledger;
	pthread_t thread[DROPPERS];
	uint64_t before, first = UINT64_MAX, last = 0;

	begin(1 << 20);
	ledger = &ttlog_process_ledger()->lane[TTLOG_LANE_MAIN];
	before = ticks_now();
	atomic_store(&dropping, DROPPERS);
	for (int i = 0; i < DROPPERS; i++)
		cr_assert_eq(pthread_create(&thread[i], NULL, drop, NULL), 0);
	while (atomic_load(&dropping)) {
		uint64_t now_first = atomic_load(&ledger->dropped_first);
		uint64_t now_last = atomic_load(&ledger->dropped_last);

		cr_assert_geq(now_last, last);
		cr_assert(!now_first || (now_first <= first && now_first >= before));
		last = now_last;
		first = now_first ? now_first : first;
	}
	for (int i = 0; i < DROPPERS; i++)
		pthread_join(thread[i], NULL);
	cr_expect_eq(atomic_load(&ledger->dropped), DROPPERS * DROPS);
	cr_expect_geq(atomic_load(&ledger->dropped_last), last);
	cr_expect_leq(atomic_load(&ledger->dropped_last), ticks_now());
	cr_expect_lt(atomic_load(&ledger->dropped_first), atomic_load(&ledger->dropped_last));
}
