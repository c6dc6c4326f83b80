/* SPDX-License-Identifier: MIT */
/*
 * test_times.c - times end to end: a real recorder, real clients, and what the dump says, against
 * the clocks that the clients read themselves beside each event.
 */
#include <criterion/criterion.h>
#include <pthread.h>
#include <time.h>

#include "lib/clock.h"
#include "lib/process.h"
#include "lib/ttlog.h"
#include "tests/service_process.h"
#include "viewer/dump_reader.h"

#define US 1000
#define BESIDE_EVENTS 200

static struct recorder_process recorder;
static struct dump *dump;

static void begin(void)
{
	recorder_prepare();
	start_recorder(&recorder, NONE);
}

static void end(void)
{
	dump_close(dump);
	stop_recorder(&recorder);
	recorder_clean();
}

TestSuite(times, .init = begin, .fini = end, .timeout = 120);

static uint64_t now_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

/* ---- clients ----------------------------------------------------------------------------------
 */

/* Each event has the wall clock's reading before it, and the one behind the event before. */
static void record_beside(unsigned int count)
{
	static uint64_t behind;

	for (unsigned int i = 0; i < count; i++) {
		const uint64_t before = now_ns(CLOCK_REALTIME);

		ttlog_info("beside", "before", before, "behind", behind);
		behind = now_ns(CLOCK_REALTIME);
	}
}

static void be_stopped(void)
{
	record_beside(BESIDE_EVENTS / 2);
	ready();
	raise(SIGSTOP);
	record_beside(BESIDE_EVENTS / 2);
	ready();
	pause();
}

static void record_and_wait(void)
{
	record_beside(BESIDE_EVENTS);
	ready();
	pause();
}

/* As start_service(), but without a recorder's life before: fn initialises. */
static void start_client(struct service *ret_client, void (*fn)(void))
{
	int said[2];
	char byte;

	cr_assert_eq(pipe2(said, O_CLOEXEC), 0);
	ret_client->pid = fork_child();
	if (!ret_client->pid) {
		ready_fd = said[1];
		fn();
		_exit(97);
	}
	close(said[1]);
	ret_client->said = said[0];
	cr_assert_eq(read(said[0], &byte, 1), 1, "the client did not get that far");
}

static void finish(struct service *client)
{
	char line[LINE_BYTES];
	const char *why;

	kill(client->pid, SIGKILL);
	reap(client);
	do
		expect_line(&recorder, ".bin", line, sizeof(line));
	while (!strstr(line, "-sigkill.bin") && !strstr(line, "-unknown.bin"));
	cr_assert_eq(dump_open(&dump, strrchr(line, ' ') + 1, &why), 0, "%s: %s", line, why);
}

/* ---- what the dump says ------------------------------------------------------------------------
 */

/* The next event of that message, decoded. */
static bool next_of(struct record *record, const char *message)
{
	while (dump_next(dump, &record->event)) {
		record->decoded = false;
		if (!span_is(record->event.site->message, message))
			continue;
		record_decode(record);
		return true;
	}
	return false;
}

/* Each lies between the readings around it, to the microsecond. */
static void expect_beside(void)
{
	unsigned int count = 0, wrong = 0;
	int64_t last_ns = 0;
	struct record record;

	while (next_of(&record, "beside")) {
		const int64_t before = (int64_t)record.value[0].number;
		const int64_t behind_last = (int64_t)record.value[1].number;

		wrong += record.event.time_ns < before - US;
		wrong += count > 0 && last_ns > behind_last + US;
		last_ns = record.event.time_ns;
		count++;
	}
	cr_expect_eq(count, BESIDE_EVENTS);
	cr_expect_eq(wrong, 0);
	cr_expect(dump_meta(dump)->clock.error_ns.known);
	cr_expect_lt(dump_meta(dump)->clock.error_ns.bits, US, "%lu ns",
		     dump_meta(dump)->clock.error_ns.bits);
}

Test(times, are_right_to_a_microsecond_before_and_after_a_stop)
{
	struct service client;
	int status;
	char byte;

	start_service(&client, be_stopped);
	cr_assert_eq(waitpid(client.pid, &status, WUNTRACED), client.pid);
	cr_assert(WIFSTOPPED(status));
	usleep(1000000); /* this is how long it is stopped */
	kill(client.pid, SIGCONT);
	cr_assert_eq(read(client.said, &byte, 1), 1);
	finish(&client);
	expect_beside();
	cr_expect(dump_meta(dump)->clock.point_count.bits >= 3,
		  "of its start, 250 ms, 1 s, the end");
}

/* What a sandbox does; only while the library looks, because libc's clock needs the counter too. */
static void distrust_the_counter(void)
{
	prctl(PR_SET_TSC, PR_TSC_SIGSEGV);
	ttlog_clock_source();
	prctl(PR_SET_TSC, PR_TSC_ENABLE);
	if (ttlog_init("sceptic") || ttlog_place_.geometry.clock_source != TTLOG_CLOCK_MONOTONIC)
		_exit(98);
	record_and_wait();
}

Test(times, are_right_where_the_counter_is_not_trusted)
{
	struct service client;

	start_client(&client, distrust_the_counter);
	finish(&client);
	cr_expect(span_is(dump_meta(dump)->clock.source, "monotonic"));
	expect_beside();
}

/* ---- several threads ---------------------------------------------------------------------------
 */

#define TOKEN_THREADS 4
#define TOKEN_ROUNDS 500

static _Atomic uint64_t token;

/* Hands the token on when it has recorded; thread i has it when it is i modulo the count. */
static void *hand_round(void *argument)
{
	const uint64_t self = (uint64_t)(uintptr_t)argument;
	uint64_t number;

	for (int i = 0; i < TOKEN_ROUNDS; i++) {
		while ((number = atomic_load(&token)) % TOKEN_THREADS != self)
			sched_yield();
		ttlog_info("token", "number", number);
		atomic_store(&token, number + 1);
	}
	return NULL;
}

static void play(void)
{
	pthread_t thread[TOKEN_THREADS];

	for (uintptr_t i = 0; i < TOKEN_THREADS; i++)
		if (pthread_create(&thread[i], NULL, hand_round, (void *)i))
			_exit(96);
	for (int i = 0; i < TOKEN_THREADS; i++)
		pthread_join(thread[i], NULL);
	ready();
	pause();
}

/*
 * By how much a counter can seem to go back from one CPU to the other: the least number that the
 * order below has to allow for, measured as the threads above hand their token round.
 */
#define SKEW_ROUNDS 20000
/* A core may read its counter that much before it has seen the token. */
#define RUN_AHEAD_NS 100

static struct {
	_Atomic uint64_t turn;
	uint64_t ticks;
	uint64_t back; /* the most that it went back */
} swing;

static void *swing_back_and_forth(void *argument)
{
	const uint64_t self = (uint64_t)(uintptr_t)argument;

	for (int i = 0; i < SKEW_ROUNDS; i++) {
		uint64_t ticks;

		while (atomic_load(&swing.turn) % 2 != self)
			sched_yield();
		ticks = ttlog_clock_ticks(ttlog_clock_source());
		if (swing.ticks > ticks && swing.ticks - ticks > swing.back)
			swing.back = swing.ticks - ticks;
		swing.ticks = ticks;
		atomic_fetch_add(&swing.turn, 1);
	}
	return NULL;
}

static int64_t skew_ns(void)
{
	pthread_t other;

	cr_assert_eq(pthread_create(&other, NULL, swing_back_and_forth, (void *)1), 0);
	swing_back_and_forth((void *)0);
	pthread_join(other, NULL);
	return (int64_t)(swing.back * UINT64_C(1000000000) / ttlog_clock_hz(ttlog_clock_source()));
}

Test(times, of_several_threads_are_merged_in_order)
{
	const int64_t skew = skew_ns() + RUN_AHEAD_NS;
	int64_t newest_ns = 0;
	uint64_t count = 0, newest = 0, late = 0;
	struct service client;
	struct record record;

	start_service(&client, play);
	finish(&client);
	for (; next_of(&record, "token"); count++) {
		const uint64_t number = record.value[0].number;

		if (number < newest) {
			late++;
			cr_expect_leq(record.event.time_ns - newest_ns, skew, "%lu came behind %lu",
				      number, newest);
		} else {
			newest = number;
			newest_ns = record.event.time_ns;
		}
	}
	cr_expect_eq(count, TOKEN_THREADS * TOKEN_ROUNDS);
	cr_expect_leq(late, count / 100);
}

/* ---- clocks that are read less often ------------------------------------------------------------
 */

static void be_sparse(void)
{
	setenv("TTLOG_CLOCK", "sparse", 1);
	if (ttlog_init("sparse"))
		_exit(98);
	record_and_wait();
}

Test(times, of_a_sparse_clock_say_which_they_are)
{
	int64_t time_ns = 0, behind_ns = 0;
	unsigned int carried = 0, own = 0;
	struct service client;
	struct record record;

	start_client(&client, be_sparse);
	finish(&client);
	cr_expect(span_is(dump_meta(dump)->clock.mode, "sparse"));
	while (next_of(&record, "beside")) {
		if (record.event.flags & DUMP_EVENT_CARRIED) {
			cr_expect_eq(record.event.time_ns, time_ns);
			carried++;
		} else {
			cr_expect_geq(record.event.time_ns, (int64_t)record.value[0].number - US);
			own++;
		}
		/* Nobody's time is later than when it was recorded. */
		behind_ns = (int64_t)record.value[1].number;
		cr_expect(time_ns <= behind_ns + US);
		time_ns = record.event.time_ns;
	}
	cr_expect_eq(carried + own, BESIDE_EVENTS);
	cr_expect_geq(own, BESIDE_EVENTS / 16);
	/* A chunk's first event has its own; and with a counter that can't be read inline, all
	 * have. */
	if (ttlog_clock_source() != TTLOG_CLOCK_MONOTONIC)
		cr_expect_geq(carried, BESIDE_EVENTS / 2);
}

#define COARSE_TICKS_SEEN 20

/* The page's clock moves, never runs ahead, never goes back. */
static void watch_the_coarse_clock(void)
{
	const enum ttlog_clock_source source = ttlog_clock_source();
	const uint64_t give_up_ns = now_ns(CLOCK_MONOTONIC) + RECORDER_WAIT_MS * UINT64_C(1000000);
	const uint64_t slack = ttlog_clock_hz(source) / 1000000;
	uint64_t last = 0;

	for (int seen = 0; seen < COARSE_TICKS_SEEN;) {
		const uint64_t ticks =
			__atomic_load_n(&ttlog_control_.coarse_ticks, __ATOMIC_RELAXED);

		if (ticks > ttlog_clock_ticks(source) + slack || ticks < last)
			_exit(95);
		seen += ticks != last;
		last = ticks;
		if (now_ns(CLOCK_MONOTONIC) > give_up_ns)
			_exit(94);
		usleep(1000);
	}
}

static void be_coarse(void)
{
	setenv("TTLOG_CLOCK", "coarse", 1);
	if (ttlog_init("coarse"))
		_exit(98);
	watch_the_coarse_clock();
	record_and_wait();
}

/* How often the recorder went to sleep so far. */
static unsigned long sleeps(void)
{
	char path[64], line[256];
	unsigned long count = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)recorder.pid);
	file = fopen(path, "re");
	cr_assert(file);
	while (fgets(line, sizeof(line), file))
		sscanf(line, "voluntary_ctxt_switches: %lu", &count);
	fclose(file);
	return count;
}

Test(times, of_a_coarse_clock_come_from_the_recorder_while_somebody_wants_them)
{
	struct service client;
	struct record record;
	unsigned int count = 0;
	unsigned long before;
	bool is_quiet = false;

	start_client(&client, be_coarse);
	finish(&client);
	cr_expect(span_is(dump_meta(dump)->clock.mode, "coarse"));
	while (next_of(&record, "beside")) {
		cr_expect(record.event.flags & DUMP_EVENT_CARRIED);
		count++;
	}
	cr_expect_eq(count, BESIDE_EVENTS);
	/*
	 * There is nobody who wants them now: 100 ms would be 25 wake-ups. Other processes of the
	 * machine may wake the recorder, but not for ever.
	 */
	for (int i = 0; i < 600 && !is_quiet; i++) {
		before = sleeps();
		usleep(100000);
		is_quiet = sleeps() - before <= 10;
	}
	cr_expect(is_quiet);
}

static void be_coarse_alone(void)
{
	struct ttlog_options options = {
		.size = sizeof(options), .clock = "coarse", .hello_timeout_ms = 1};

	if (ttlog_init_with(&options))
		_exit(98);
	ready();
	watch_the_coarse_clock();
	record_and_wait();
}

Test(times, of_a_coarse_clock_reach_a_region_of_the_clients_own)
{
	struct service client;
	char byte;

	/* It does not answer in time. */
	kill(recorder.pid, SIGSTOP);
	start_client(&client, be_coarse_alone);
	kill(recorder.pid, SIGCONT);
	cr_assert_eq(read(client.said, &byte, 1), 1);
	finish(&client);
	cr_expect(span_is(dump_meta(dump)->clock.mode, "coarse"));
}
