/* SPDX-License-Identifier: MIT */
/*
 * race_signals.c - timers interrupt threads that record, at random moments, for real.
 *
 * Each of four threads has a timer of its own that goes off 1 to 100 us after its handler was left,
 * and the handler records, on the thread's stack or on an alternate one. A reader takes copy after
 * copy. What interrupts and what is interrupted are both whole and in order; in the end what was
 * recorded is there or counted, to the event, and some events were interrupted in the middle.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "lib/process.h"
#include "lib/reader.h"
#include "lib/ttlog.h"

#define THREADS 4
#define STREAMS (2 * THREADS) /* a thread's, and its handler's */
#define MARK UINT64_C(0x9e3779b97f4a7c15)
#define TEXT_MAX 60
#ifdef TTLOG_TSAN_
#define SIGNALS 3000 /* in all */
#else
#define SIGNALS 20000
#endif
#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

struct stream {
	_Alignas(64) _Atomic uint64_t returned;
};

struct self {
	uint64_t who;
	timer_t timer;
	uint64_t random;
};

static struct stream streams[STREAMS];
static _Atomic uint64_t handled;
static _Atomic bool is_over;
static _Atomic unsigned int defects;
static __thread struct self self;

#define EXPECT(condition, ...)                                                                     \
	do {                                                                                       \
		if (!(condition) && atomic_fetch_add(&defects, 1) < 10) {                          \
			fprintf(stderr, "race_signals: %s: ", #condition);                         \
			fprintf(stderr, __VA_ARGS__);                                              \
			fputc('\n', stderr);                                                       \
		}                                                                                  \
	} while (0)

/* ---- threads and their handlers -------------------------------------------------------------- */

static uint64_t next_random(void)
{
	self.random ^= self.random << 13;
	self.random ^= self.random >> 7;
	self.random ^= self.random << 17;
	return self.random;
}

static void text_of(uint64_t number, char text[TEXT_MAX + 1])
{
	size_t length = number * 7 % TEXT_MAX;

	memset(text, 'a' + (int)(number % 26), length);
	text[length] = '\0';
}

static void record(uint64_t stream)
{
	uint64_t number = atomic_load_explicit(&streams[stream].returned, memory_order_relaxed);
	char text[TEXT_MAX + 1];

	text_of(number, text);
	if (number % 50 == 49)
		ttlog_warn("signals", "stream", stream, "number", number, "text",
			   (const char *)text, "mark", number * MARK ^ stream);
	else
		ttlog_info("signals", "stream", stream, "number", number, "text",
			   (const char *)text, "mark", number * MARK ^ stream);
	atomic_store_explicit(&streams[stream].returned, number + 1, memory_order_release);
}

static void set_timer(void)
{
	struct itimerspec after = {.it_value.tv_nsec = (long)(1000 + next_random() % 99000)};

	timer_settime(self.timer, 0, &after, NULL);
}

static void on_timer(int number)
{
	int saved = errno;

	(void)number;
	record(2 * self.who + 1);
	if (self.random % 4 == 0)
		record(2 * self.who + 1);
	atomic_fetch_add(&handled, 1);
	set_timer();
	errno = saved;
}

static void start_timer(void)
{
	struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGRTMIN};

	event.sigev_notify_thread_id = (pid_t)syscall(SYS_gettid);
	if (timer_create(CLOCK_MONOTONIC, &event, &self.timer))
		abort();
	set_timer();
}

/* No handler is on its way any more when it is back. */
static void stop_timer(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	timer_delete(self.timer);
}

static void *work(void *argument)
{
	const stack_t stack = {.ss_sp = malloc(65536), .ss_size = 65536};

	self.who = (uint64_t)(uintptr_t)argument;
	self.random = MARK * (self.who + 1);
	/* The handlers of two of them run there: it is asked for, but only these have one. */
	if (self.who % 2 && (!stack.ss_sp || sigaltstack(&stack, NULL)))
		abort();
	start_timer();
	while (!atomic_load_explicit(&is_over, memory_order_relaxed))
		record(2 * self.who);
	stop_timer();
	free(stack.ss_sp);
	return NULL;
}

/* ---- the reader ------------------------------------------------------------------------------ */

static bool is_whole(const struct ttlog_reader_event *event)
{
	const struct ttlog_reader_value *value = event->value;
	char text[TEXT_MAX + 1];

	if (event->value_count != 4 || event->flags || value[0].bits >= STREAMS)
		return false;
	text_of(value[1].bits, text);
	return strcmp(value[2].data, text) == 0 &&
	       value[3].bits == (value[1].bits * MARK ^ value[0].bits);
}

static void read_once(struct ttlog_reader_totals *ret_totals, uint64_t *ret_nested)
{
	struct ttlog_reader_event event;
	struct ttlog_reader *reader;
	uint64_t next[STREAMS] = {0};

	if (ttlog_reader_open(&reader, ttlog_place_.base, &ttlog_place_.geometry))
		abort();
	ttlog_reader_totals(reader, ret_totals);
	EXPECT(ret_totals->torn == 0, "%lu", ret_totals->torn);
	*ret_nested = ttlog_reader_lane(reader, TTLOG_LANE_NESTED)->events +
		      ttlog_reader_lane(reader, TTLOG_LANE_NESTED)->overwritten;
	while (ttlog_reader_next(reader, &event)) {
		uint64_t stream = event.value[0].bits, number = event.value[1].bits;

		EXPECT(is_whole(&event), "stream %lu, number %lu, lane %u", stream, number,
		       event.lane);
		if (!is_whole(&event))
			break;
		EXPECT(number >= next[stream], "stream %lu: %lu where %lu was due", stream, number,
		       next[stream]);
		next[stream] = number + 1;
	}
	ttlog_reader_close(reader);
}

int main(void)
{
	const struct ttlog_options options = {
		.size = sizeof(options), .socket = "", .buffer_bytes = 2 << 20, .level = "trace"};
	struct sigaction action = {.sa_handler = on_timer, .sa_flags = SA_RESTART | SA_ONSTACK};
	struct ttlog_reader_totals totals;
	uint64_t recorded = 0, nested, copies = 0;
	pthread_t thread[THREADS];

	if (ttlog_init_with(&options) || sigaction(SIGRTMIN, &action, NULL))
		return 1;
	for (uintptr_t i = 0; i < THREADS; i++)
		if (pthread_create(&thread[i], NULL, work, (void *)i))
			abort();
	for (; atomic_load(&handled) < SIGNALS; copies++)
		read_once(&totals, &nested);
	atomic_store(&is_over, true);
	for (int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	read_once(&totals, &nested);
	for (int i = 0; i < STREAMS; i++)
		recorded += atomic_load(&streams[i].returned);
	EXPECT(totals.events + totals.overwritten + totals.dropped == recorded,
	       "%lu + %lu + %lu, but %lu", totals.events, totals.overwritten, totals.dropped,
	       recorded);
	EXPECT(totals.dropped == 0, "%lu", totals.dropped);
	EXPECT(nested > SIGNALS / 1000, "%lu of %lu signals came in mid-event", nested,
	       atomic_load(&handled));
	printf("race_signals: %lu signals, %lu events in slots; %lu recorded: %lu retained, %lu "
	       "overwritten; %lu copies; %u defects\n",
	       atomic_load(&handled), nested, recorded, totals.events, totals.overwritten, copies,
	       atomic_load(&defects));
	return atomic_load(&defects) != 0;
}
