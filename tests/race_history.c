/* SPDX-License-Identifier: MIT */
/*
 * race_history.c - threads record as fast as they can, the history's thread follows, and others
 * take cuts of it: each is in order, has nothing twice, and what is missing is counted to the
 * event.
 *
 * Takes the seconds that it goes on for. One thread pauses now and then, so that all of what it
 * records is followed now, and lapped then; the budget is so small that the oldest has to go.
 */
#include <err.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/process.h"
#include "lib/ttlog.h"
#include "recorder/history.h"

#define WRITERS 3
#define CUTTERS 2
#define SECONDS 1
#define BUDGET (UINT64_C(2) << 20)

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition))                                                                  \
			errx(1, "%s:%d: %s", __FILE__, __LINE__, #condition);                      \
	} while (0)

static struct histories *histories;
static struct history *history;
static _Atomic bool is_over;
static uint64_t recorded[WRITERS];

static void *write_on(void *context)
{
	const uint64_t who = (uintptr_t)context;
	struct ttlog_channel channel = ttlog_channel_open("race", 1);
	uint64_t n = 0;

	while (!is_over) {
		if (n % 16 == 7)
			ttlog_warn("counted", "who", who, "n", n);
		else if (n % 16 == 11)
			ttlog_info_to(channel, "counted", "who", who, "n", n);
		else
			ttlog_info("counted", "who", who, "n", n);
		n++;
		if (n % 200 == 0)
			usleep(who == 0 ? 0 : 200);
	}
	recorded[who] = n;
	return NULL;
}

/* How many events there are; each thread's are in order in each lane. */
static uint64_t read_cut(uint64_t *ret_overwritten)
{
	uint64_t next[WRITERS + 1][TTLOG_LANE_MAX] = {0}, count = 0;
	struct ttlog_reader_totals totals;
	struct ttlog_reader_event event;
	struct ttlog_reader *reader;
	struct history_cut cut;
	int more;

	CHECK(history_cut_init(&cut, history) == 0);
	CHECK(ttlog_reader_open_with(&reader, ttlog_place_.base, &ttlog_place_.geometry,
				     &cut.reader) == 0);
	while ((more = ttlog_reader_next(reader, &event)) > 0) {
		const uint64_t who = event.value[0].bits, n = event.value[1].bits;

		CHECK(event.value_count == 2 && who <= WRITERS);
		CHECK(n >= next[who][event.lane]);
		next[who][event.lane] = n + 1;
		count++;
	}
	CHECK(more == 0);
	ttlog_reader_totals(reader, &totals);
	CHECK(totals.events == count && totals.torn == 0);
	*ret_overwritten = totals.overwritten + totals.dropped;
	ttlog_reader_close(reader);
	history_cut_fini(&cut);
	return count;
}

static void *cut_on(void *context)
{
	uint64_t *cuts = context, overwritten;

	while (!is_over) {
		CHECK(read_cut(&overwritten) > 0);
		++*cuts;
	}
	return NULL;
}

static void begin(void)
{
	const struct ttlog_options options = {
		.size = sizeof(options), .socket = "", .buffer_bytes = 1 << 20, .level = "trace"};
	const struct history_options wanted = {.client_bytes = BUDGET};

	CHECK(ttlog_init_with(&options) == 0);
	ttlog_info("counted", "who", (uint64_t)WRITERS, "n", UINT64_C(0));
	CHECK(histories_open(&histories, &wanted) == 0);
	history = history_begin(histories, ttlog_place_.base, &ttlog_place_.geometry, getpid());
	CHECK(history != NULL);
}

int main(int argc, char **argv)
{
	const long seconds = argc > 1 ? strtol(argv[1], NULL, 10) : SECONDS;
	const struct timespec pause = {.tv_sec = seconds};
	pthread_t writer[WRITERS], cutter[CUTTERS];
	uint64_t cuts[CUTTERS] = {0}, count, overwritten, sum = 1;
	struct history_figures figures;

	begin();
	for (uintptr_t i = 0; i < WRITERS; i++)
		CHECK(pthread_create(&writer[i], NULL, write_on, (void *)i) == 0);
	for (int i = 0; i < CUTTERS; i++)
		CHECK(pthread_create(&cutter[i], NULL, cut_on, &cuts[i]) == 0);
	nanosleep(&pause, NULL);
	is_over = true;
	for (int i = 0; i < WRITERS; i++) {
		CHECK(pthread_join(writer[i], NULL) == 0);
		sum += recorded[i];
	}
	for (int i = 0; i < CUTTERS; i++)
		CHECK(pthread_join(cutter[i], NULL) == 0);
	count = read_cut(&overwritten);
	histories_figures(histories, &figures);
	printf("race_history: %llu events recorded, %llu there, %llu overwritten, %llu saved in "
	       "all, "
	       "%llu cuts\n",
	       (unsigned long long)sum, (unsigned long long)count, (unsigned long long)overwritten,
	       (unsigned long long)figures.events, (unsigned long long)(cuts[0] + cuts[1]));
	CHECK(count + overwritten == sum);
	CHECK(figures.bytes <= BUDGET);
	history_end(history);
	histories_close(histories);
	return 0;
}
