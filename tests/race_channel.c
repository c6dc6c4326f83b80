/* SPDX-License-Identifier: MIT */
/*
 * race_channel.c - threads send to the same few channels while others are opened, closed and
 * replaced, for a few seconds.
 *
 * Four threads send to three channels that stay open, small enough for them to be in each other's
 * way; signals make them send within an event. Two more open channels where there is no room left,
 * send to them, close them, and go on sending to what they closed. The region is frozen and thawed;
 * a reader takes copy after copy. Each event that comes out is whole, in the channel that it was
 * sent to, or in none, and in the order of its thread; at the end what was sent is what can be
 * read, what was overwritten and what was dropped, to the last event.
 */
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/process.h"
#include "lib/reader.h"
#include "lib/ttlog.h"

#define WRITERS 4u
#define CHURNERS 2u
#define STREAMS (2 * WRITERS + CHURNERS) /* a writer's, its handler's; a churner's */
#define SHARED 3u
#define CHANNELS_MAX 4096u
#define SECONDS 3
#define MARK UINT64_C(0x9e3779b97f4a7c15)

static struct ttlog_channel shared[SHARED];
static _Atomic uint64_t sent[STREAMS];
static _Atomic bool is_over;
static _Atomic unsigned int defects;
static __thread uint32_t my_stream;

__attribute__((format(printf, 1, 2))) static void complain(const char *format, ...)
{
	va_list arguments;

	if (atomic_fetch_add(&defects, 1) >= 10)
		return;
	va_start(arguments, format);
	fputs("race_channel: ", stderr);
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
	va_end(arguments);
}

static void nap(long ns)
{
	struct timespec time = {0, ns};

	nanosleep(&time, NULL);
}

/* ---- writers --------------------------------------------------------------------------------- */

/* name: what the channel is called, as a number. */
static void send(struct ttlog_channel channel, uint32_t stream, uint32_t name)
{
	uint64_t number = atomic_load_explicit(&sent[stream], memory_order_relaxed) + 1;

	atomic_store_explicit(&sent[stream], number, memory_order_relaxed);
	ttlog_info_to(channel, "race", "stream", stream, "number", number, "name", name, "mark",
		      number * MARK);
}

static void on_signal(int number)
{
	static __thread uint32_t turn;

	(void)number;
	turn = (turn + 1) % SHARED;
	send(shared[turn], my_stream + 1, turn);
}

static void *writer(void *argument)
{
	my_stream = (uint32_t)(uintptr_t)argument;
	for (uint32_t i = 0; !atomic_load_explicit(&is_over, memory_order_relaxed); i++)
		send(shared[i % SHARED], my_stream, i % SHARED);
	return NULL;
}

static void *churner(void *argument)
{
	uint32_t stream = (uint32_t)(uintptr_t)argument, generation = 0;

	while (!atomic_load_explicit(&is_over, memory_order_relaxed)) {
		uint32_t name = 1000 + stream + 100 * generation++;
		struct ttlog_channel channel;
		char text[16];

		snprintf(text, sizeof(text), "%u", name);
		channel = ttlog_channel_open(text, 0);
		for (uint32_t i = 0; i < 20; i++)
			send(channel, stream, name);
		ttlog_channel_close(channel);
		send(channel, stream, name);
	}
	return NULL;
}

/* ---- reader ---------------------------------------------------------------------------------- */

struct seen {
	uint64_t last[STREAMS][SHARED + 1];
};

static void check_event(const struct ttlog_reader *reader, const struct ttlog_reader_event *event,
			struct seen *seen)
{
	const struct ttlog_reader_channel *channel = ttlog_reader_channel(reader, event->channel);
	uint64_t stream = event->value[0].bits, number = event->value[1].bits;
	uint64_t name = event->value[2].bits;
	uint64_t *last;

	if (event->value_count != 4 || event->value[3].bits != number * MARK || stream >= STREAMS) {
		complain("an event is not whole");
		return;
	}
	if (channel && strtoul(channel->name, NULL, 10) != name)
		complain("an event for %lu is in %s", (unsigned long)name, channel->name);
	/* A channel of a churner is the thread's alone; those outside of one have ways of their
	 * own. */
	if (!channel)
		return;
	last = &seen->last[stream][name < SHARED ? name : SHARED];
	if (number <= *last)
		complain("stream %lu in channel %lu: %lu behind %lu", (unsigned long)stream,
			 (unsigned long)name, (unsigned long)number, (unsigned long)*last);
	*last = number;
}

/* How many events there are. */
static uint64_t check_copy(bool is_last)
{
	struct ttlog_reader_totals totals;
	struct ttlog_reader_event event;
	struct ttlog_reader *reader;
	struct seen seen = {0};
	uint64_t diverted = 0;

	if (ttlog_reader_open(&reader, ttlog_place_.base, &ttlog_place_.geometry) != 0) {
		complain("no memory");
		return 0;
	}
	while (ttlog_reader_next(reader, &event))
		check_event(reader, &event, &seen);
	ttlog_reader_totals(reader, &totals);
	if (totals.torn)
		complain("%lu places are torn", (unsigned long)totals.torn);
	for (uint32_t i = 0; i < ttlog_reader_channel_count(reader); i++)
		diverted += ttlog_reader_channel(reader, i)->diverted;
	if (is_last)
		printf("race_channel: %lu events can be read, %lu were overwritten, %lu dropped, "
		       "%lu diverted; "
		       "%lu channels were opened, %lu replaced, %lu refused\n",
		       (unsigned long)totals.events, (unsigned long)totals.overwritten,
		       (unsigned long)totals.dropped, (unsigned long)diverted,
		       (unsigned long)ttlog_reader_channel_totals(reader)->opened,
		       (unsigned long)ttlog_reader_channel_totals(reader)->replaced,
		       (unsigned long)ttlog_reader_channel_totals(reader)->refused);
	ttlog_reader_close(reader);
	return totals.events + totals.overwritten + totals.dropped;
}

/* ---- all of it ------------------------------------------------------------------------------- */

static void toggle_freeze(void)
{
	__atomic_fetch_add(&ttlog_place_.control->freeze, 1, __ATOMIC_SEQ_CST);
}

static void make_channels(void)
{
	static struct ttlog_channel filler[CHANNELS_MAX];
	char name[16];

	for (uint32_t i = 0; i < SHARED; i++) {
		snprintf(name, sizeof(name), "%u", i);
		shared[i] = ttlog_channel_open(name, 2048);
	}
	/* No room is left but for a few. */
	for (uint32_t i = 0; i < CHANNELS_MAX; i++) {
		filler[i] = ttlog_channel_open("filler", 0);
		if (ttlog_channel_error(filler[i]))
			break;
	}
	for (uint32_t i = 0; i < 6; i++)
		ttlog_channel_close(filler[i]);
}

static void watch(pthread_t *threads, unsigned int seconds)
{
	struct timespec now, end;
	uint32_t copies = 0;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += seconds;
	do {
		for (uint32_t i = 0; i < WRITERS; i++)
			pthread_kill(threads[i], SIGUSR1);
		check_copy(false);
		if (copies % 8 == 0)
			toggle_freeze();
		if (copies % 8 == 2)
			toggle_freeze();
		copies++;
		nap(1000000);
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (now.tv_sec < end.tv_sec);
	if (__atomic_load_n(&ttlog_place_.control->freeze, __ATOMIC_RELAXED) & 1)
		toggle_freeze();
}

int main(void)
{
	struct ttlog_options options = {
		.size = sizeof(options), .socket = "", .buffer_bytes = 1 << 20};
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
	const char *seconds = getenv("TTLOG_RACE_SECONDS");
	pthread_t threads[WRITERS + CHURNERS];
	uint64_t all = 0, found;

	if (ttlog_init_with(&options) != 0 || sigaction(SIGUSR1, &action, NULL) != 0)
		return 1;
	make_channels();
	for (uint32_t i = 0; i < WRITERS; i++)
		pthread_create(&threads[i], NULL, writer, (void *)(uintptr_t)(2 * i));
	for (uint32_t i = 0; i < CHURNERS; i++)
		pthread_create(&threads[WRITERS + i], NULL, churner,
			       (void *)(uintptr_t)(2 * WRITERS + i));
	watch(threads, seconds ? (unsigned int)atoi(seconds) : SECONDS);
	atomic_store(&is_over, true);
	for (uint32_t i = 0; i < WRITERS + CHURNERS; i++)
		pthread_join(threads[i], NULL);
	found = check_copy(true);
	for (uint32_t i = 0; i < STREAMS; i++)
		all += atomic_load(&sent[i]);
	if (found != all)
		complain("%lu events were sent, %lu are accounted for", (unsigned long)all,
			 (unsigned long)found);
	return defects ? 1 : 0;
}
