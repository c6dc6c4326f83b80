/* SPDX-License-Identifier: MIT */
/*
 * race_ring.c - writers lap a small region while a reader copies it, for a few seconds.
 *
 * Four threads record as fast as they can, in chunks and in slots; signals make them record within
 * events; threads come and go; the region is frozen and thawed; a reader takes copy after copy.
 * Each event that comes out is whole, in order and only once; in no copy are more numbers missing
 * than it says were lost; and at the end what was recorded is what can be read, what was
 * overwritten and what was dropped, to the last event.
 *
 * Under TSan it is the proof that the two sides agree about who may touch what. With a number as
 * argument it goes on for so many seconds (make soak).
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/process.h"
#include "lib/reader.h"
#include "lib/ttlog.h"

#define WRITERS 4
#define STREAMS 8192
#define VISITOR_FIRST (2 * WRITERS) /* streams below: a writer's, and its signal handler's */
#define SMALL 90u		    /* bytes that fit a slot */
#define LARGE 300u
#define SECONDS 4
#define REPORT_SECONDS 30
#define MARK UINT64_C(0x9e3779b97f4a7c15)

/* What one thread or one handler records; only that one adds. */
static _Atomic uint64_t started[STREAMS], returned[STREAMS];
static _Atomic bool is_over;
static _Atomic unsigned int defects;
static __thread uint32_t my_stream;

__attribute__((format(printf, 1, 2))) static void complain(const char *format, ...)
{
	va_list arguments;

	if (atomic_fetch_add(&defects, 1) >= 10)
		return;
	va_start(arguments, format);
	fputs("race_ring: ", stderr);
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
	va_end(arguments);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void nap(long ns)
{
	struct timespec time = {0, ns};

	nanosleep(&time, NULL);
}

/* ---- writers --------------------------------------------------------------------------------- */

static unsigned char byte_of(uint64_t number, uint32_t i)
{
	return (unsigned char)(number * 31 + i * 7);
}

static void record(uint32_t stream, uint32_t most, bool is_alert)
{
	uint64_t number = atomic_load_explicit(&started[stream], memory_order_relaxed) + 1;
	uint32_t size = (uint32_t)(number * 13 % most);
	unsigned char bytes[LARGE];

	for (uint32_t i = 0; i < size; i++)
		bytes[i] = byte_of(number, i);
	atomic_store_explicit(&started[stream], number, memory_order_release);
	if (is_alert)
		ttlog_warn("race", "stream", stream, "number", number, "bytes",
			   ttlog_bytes(bytes, size), "mark", number * MARK);
	else
		ttlog_info("race", "stream", stream, "number", number, "bytes",
			   ttlog_bytes(bytes, size), "mark", number * MARK);
	atomic_store_explicit(&returned[stream], number, memory_order_release);
}

static void on_signal(int number)
{
	int saved = errno;

	(void)number;
	record(my_stream + 1, SMALL, false);
	record(my_stream + 1, SMALL, true);
	errno = saved;
}

static void *writer(void *argument)
{
	my_stream = (uint32_t)(uintptr_t)argument;
	for (uint64_t i = 0; !atomic_load_explicit(&is_over, memory_order_relaxed); i++)
		record(my_stream, LARGE, i % 101 == 0);
	return NULL;
}

static void *visitor(void *argument)
{
	uint32_t stream = (uint32_t)(uintptr_t)argument;

	for (uint32_t i = 0; i < 40; i++)
		record(stream, LARGE, i % 17 == 0);
	return NULL;
}

/* Threads that come and go. */
static void *host(void *argument)
{
	(void)argument;
	for (uint32_t stream = VISITOR_FIRST; !atomic_load(&is_over); stream++) {
		pthread_t thread;

		if (stream == STREAMS)
			stream = VISITOR_FIRST;
		if (pthread_create(&thread, NULL, visitor, (void *)(uintptr_t)stream) != 0)
			break;
		pthread_join(thread, NULL);
		nap(300 * 1000);
	}
	return NULL;
}

/* As a recorder does it: the word goes up by one. */
static void *freezer(void *argument)
{
	(void)argument;
	while (!atomic_load(&is_over)) {
		__atomic_fetch_add(&ttlog_place_.control->freeze, 1, __ATOMIC_SEQ_CST);
		nap(3 * 1000 * 1000);
		__atomic_fetch_add(&ttlog_place_.control->freeze, 1, __ATOMIC_SEQ_CST);
		nap(60 * 1000 * 1000);
	}
	return NULL;
}

/* ---- the reader ------------------------------------------------------------------------------ */

static bool is_whole(const struct ttlog_reader *reader, const struct ttlog_reader_event *event)
{
	const struct ttlog_reader_site *site = ttlog_reader_site(reader, event->site);
	const struct ttlog_reader_value *value = event->value;
	uint64_t number = value[1].bits;

	if (!site || strcmp(site->message, "race") != 0 || event->value_count != 4 ||
	    event->flags || value[0].bits >= STREAMS || value[3].bits != number * MARK)
		return false;
	if (value[2].size != number * 13 % SMALL && value[2].size != number * 13 % LARGE)
		return false;
	for (uint32_t i = 0; i < value[2].size; i++)
		if ((unsigned char)value[2].data[i] != byte_of(number, i))
			return false;
	return true;
}

static _Atomic uint64_t read_events;

/* Reads it once. The sum of what it holds, lost events included. */
static uint64_t read_once(uint64_t last[STREAMS])
{
	uint64_t missing = 0;
	struct ttlog_reader_totals totals;
	struct ttlog_reader_event event;
	struct ttlog_reader *reader;

	memset(last, 0, STREAMS * sizeof(*last));
	if (ttlog_reader_open(&reader, ttlog_place_.base, &ttlog_place_.geometry)) {
		complain("the region can't be read");
		return 0;
	}
	ttlog_reader_totals(reader, &totals);
	if (totals.torn)
		complain("%llu places are torn", (unsigned long long)totals.torn);
	while (ttlog_reader_next(reader, &event)) {
		uint64_t stream = event.value[0].bits, number = event.value[1].bits;

		if (!is_whole(reader, &event)) {
			complain("an event of lane %u is not whole (stream %llu, number %llu)",
				 event.lane, (unsigned long long)stream,
				 (unsigned long long)number);
			break;
		}
		if (number <= last[stream])
			complain("stream %llu: %llu after %llu", (unsigned long long)stream,
				 (unsigned long long)number, (unsigned long long)last[stream]);
		if (number > atomic_load_explicit(&started[stream], memory_order_acquire))
			complain("stream %llu: %llu was never recorded", (unsigned long long)stream,
				 (unsigned long long)number);
		missing += number - last[stream] - 1;
		last[stream] = number;
	}
	if (missing > totals.overwritten + totals.dropped)
		complain("%llu are missing, but %llu overwritten and %llu dropped",
			 (unsigned long long)missing, (unsigned long long)totals.overwritten,
			 (unsigned long long)totals.dropped);
	atomic_fetch_add(&read_events, totals.events);
	ttlog_reader_close(reader);
	return totals.events + totals.overwritten + totals.dropped;
}

static void *copier(void *argument)
{
	uint64_t *last = malloc(STREAMS * sizeof(*last));
	_Atomic uint64_t *count = argument;

	while (last && !atomic_load(&is_over)) {
		struct ttlog_stats stats = {.size = sizeof(stats)};

		read_once(last);
		ttlog_get_stats(&stats);
		atomic_fetch_add(count, 1);
	}
	free(last);
	return NULL;
}

static void judge_end(uint64_t copies)
{
	static uint64_t last[STREAMS];
	struct ttlog_stats stats = {.size = sizeof(stats)};
	uint64_t recorded = 0, found;

	for (uint32_t i = 0; i < STREAMS; i++)
		recorded += atomic_load(&returned[i]);
	found = read_once(last);
	if (found != recorded)
		complain("%llu recorded, but %llu read, overwritten and dropped",
			 (unsigned long long)recorded, (unsigned long long)found);
	ttlog_get_stats(&stats);
	if (stats.retained + stats.overwritten + stats.dropped != recorded)
		complain("ttlog_get_stats: %llu + %llu + %llu, but %llu recorded",
			 (unsigned long long)stats.retained, (unsigned long long)stats.overwritten,
			 (unsigned long long)stats.dropped, (unsigned long long)recorded);
	for (uint32_t i = 0; i < 2 * WRITERS; i++)
		if (!atomic_load(&returned[i]))
			complain("stream %u recorded nothing", i);
	if (!copies)
		complain("nothing was read");
	printf("race_ring: %llu events recorded (%llu retained, %llu overwritten, %llu dropped), "
	       "%llu copies of %llu events, %u defects\n",
	       (unsigned long long)recorded, (unsigned long long)stats.retained,
	       (unsigned long long)stats.overwritten, (unsigned long long)stats.dropped,
	       (unsigned long long)copies, (unsigned long long)atomic_load(&read_events),
	       atomic_load(&defects));
}

/* Signals by the thousand, for so long. */
static void storm(const pthread_t *writers, long seconds, _Atomic uint64_t *copies)
{
	const uint64_t start = now_ns(), second = UINT64_C(1000000000);
	uint64_t report = start + REPORT_SECONDS * second, signals = 0;

	for (; now_ns() < start + (uint64_t)seconds * second; nap(1000 * 1000)) {
		for (uint32_t i = 0; i < WRITERS; i++) {
			/* Only once it knows its stream. */
			if (!atomic_load(&started[2 * i]))
				continue;
			pthread_kill(writers[i], SIGUSR1);
			signals++;
		}
		if (now_ns() < report)
			continue;
		report += REPORT_SECONDS * second;
		printf("race_ring: %llu s, %llu signals, %llu copies, %u defects\n",
		       (unsigned long long)((now_ns() - start) / second),
		       (unsigned long long)signals, (unsigned long long)atomic_load(copies),
		       atomic_load(&defects));
		fflush(stdout);
	}
}

int main(int argc, char **argv)
{
	const struct ttlog_options options = {
		.size = sizeof(options), .socket = "", .buffer_bytes = 1 << 20, .level = "trace"};
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
	pthread_t writers[WRITERS], helpers[3];
	static _Atomic uint64_t copies;
	long seconds = argc > 1 ? strtol(argv[1], NULL, 10) : SECONDS;

	if (ttlog_init_with(&options) != 0 || sigaction(SIGUSR1, &action, NULL) != 0) {
		fputs("race_ring: no region\n", stderr);
		return 1;
	}
	for (uintptr_t i = 0; i < WRITERS; i++)
		if (pthread_create(&writers[i], NULL, writer, (void *)(2 * i)) != 0)
			abort();
	if (pthread_create(&helpers[0], NULL, host, NULL) != 0 ||
	    pthread_create(&helpers[1], NULL, freezer, NULL) != 0 ||
	    pthread_create(&helpers[2], NULL, copier, &copies) != 0)
		abort();
	storm(writers, seconds, &copies);
	atomic_store(&is_over, true);
	for (uint32_t i = 0; i < 3; i++)
		pthread_join(helpers[i], NULL);
	for (uint32_t i = 0; i < WRITERS; i++)
		pthread_join(writers[i], NULL);
	judge_end(atomic_load(&copies));
	return atomic_load(&defects) != 0;
}
