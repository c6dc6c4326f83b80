/* SPDX-License-Identifier: MIT */
/*
 * own_region.h - for tests that record into a region of their own process and read it back.
 *
 * Each Criterion test is a process. The environment is set before the library reads it: no
 * recorder, and a region of 1 MiB, so that laps are short.
 */
#ifndef TTLOG_TESTS_OWN_REGION_H
#define TTLOG_TESTS_OWN_REGION_H

#include <criterion/criterion.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/process.h"
#include "lib/reader.h"
#include "lib/ttlog.h"
#include "lib/writer.h"

__attribute__((constructor(101), unused)) static void set_environment(void)
{
	setenv("TTLOG_SOCKET", "", 1);
	setenv("TTLOG_BUFFER_SIZE", "1M", 1);
	unsetenv("TTLOG_LEVEL");
	unsetenv("TTLOG_CHANNEL_MEMORY");
	unsetenv("TTLOG_DEBUG");
	unsetenv("TTLOG_CLOCK");
	unsetenv("TTLOG_SERVICE_NAME");
	unsetenv("TTLOG_FLUSH_INTERVAL");
}

__attribute__((unused)) static void begin(uint64_t bytes)
{
	struct ttlog_options options = {
		.size = sizeof(options), .service = "test", .buffer_bytes = bytes};

	cr_assert_eq(ttlog_init_with(&options), 0);
}

/* So many events as lap 1 MiB so often do the same here: pages of 64 KiB make a region of 6 MiB. */
__attribute__((unused)) static uint64_t times_larger(void)
{
	return ttlog_place_.geometry.region_bytes >> 20;
}

__attribute__((unused)) static struct ttlog_reader *view(void)
{
	struct ttlog_reader *reader = NULL;

	cr_assert_not_null(ttlog_place_.base);
	cr_assert_eq(ttlog_reader_open(&reader, ttlog_place_.base, &ttlog_place_.geometry), 0);
	return reader;
}

/* The calling thread's; it has recorded. */
__attribute__((unused)) static struct ttlog_thread *my_thread(void)
{
	return (struct ttlog_thread *)(void *)ttlog_writer_;
}

/* Fills the thread's chunk until its next event of 24 bytes meets that stop, first of all the boot
 * lane. */
__attribute__((unused)) static void fill_to(enum ttlog_stop stop)
{
	struct ttlog_writer *writer = ttlog_writer_;

	do {
		ttlog_debug("fill");
		writer = ttlog_writer_;
	} while (!ttlog_life()->boot_full || my_thread()->stop != stop ||
		 (stop == TTLOG_STOP_SWAP && !my_thread()->spare.chunk) ||
		 (uint32_t)writer->position + 24 <= writer->limit);
}

/* The same in front of a change without a spare, as when there are many threads. */
__attribute__((unused)) static void fill_without_spare(void)
{
	struct ttlog_writer *writer = ttlog_writer_;

	atomic_store(&ttlog_life()->writers, 1u << 20);
	do {
		ttlog_debug("fill");
		writer = ttlog_writer_;
	} while (my_thread()->stop != TTLOG_STOP_SWAP || my_thread()->spare.chunk ||
		 (uint32_t)writer->position + 24 <= writer->limit);
}

/* The next event of that message; NULL at the end. */
__attribute__((unused)) static const struct ttlog_reader_site *
next_of(struct ttlog_reader *reader, const char *message, struct ttlog_reader_event *event)
{
	while (ttlog_reader_next(reader, event)) {
		const struct ttlog_reader_site *site = ttlog_reader_site(reader, event->site);

		if (!message || strcmp(site->message, message) == 0)
			return site;
	}
	return NULL;
}

/* Events of one message whose first field counts up. */
struct numbered {
	uint64_t count, first, last;
	uint64_t gaps; /* places where a number is not the one behind the number before */
};

__attribute__((unused)) static struct numbered numbered_in(struct ttlog_reader *reader,
							   const char *message)
{
	struct ttlog_reader_event event;
	struct numbered run = {0};

	ttlog_reader_rewind(reader);
	while (next_of(reader, message, &event)) {
		uint64_t n = event.value_count ? event.value[0].bits : 0;

		if (!run.count)
			run.first = n;
		else if (n != run.last + 1)
			run.gaps++;
		run.last = n;
		run.count++;
	}
	return run;
}

__attribute__((unused)) static struct numbered numbered_now(const char *message)
{
	struct ttlog_reader *reader = view();
	struct numbered run = numbered_in(reader, message);

	ttlog_reader_close(reader);
	return run;
}

__attribute__((unused)) static struct ttlog_reader_totals totals_now(void)
{
	struct ttlog_reader *reader = view();
	struct ttlog_reader_totals totals;

	ttlog_reader_totals(reader, &totals);
	ttlog_reader_close(reader);
	return totals;
}

__attribute__((unused)) static struct ttlog_reader_lane lane_now(uint32_t lane)
{
	struct ttlog_reader *reader = view();
	struct ttlog_reader_lane seen = *ttlog_reader_lane(reader, lane);

	ttlog_reader_close(reader);
	return seen;
}

/* What a child has to say: 0, or the line that was wrong. */
#define CHILD_CHECK(condition)                                                                     \
	do {                                                                                       \
		if (!(condition))                                                                  \
			_exit(__LINE__ % 250 + 1);                                                 \
	} while (0)

/* Waits for a child that uses CHILD_CHECK and _exit(0). */
__attribute__((unused)) static void expect_success(pid_t pid)
{
	int status = -1;

	cr_assert_gt(pid, 0);
	while (waitpid(pid, &status, 0) < 0)
		cr_assert_eq(errno, EINTR);
	cr_assert(WIFEXITED(status), "child killed by signal %d", WTERMSIG(status));
	cr_assert_eq(WEXITSTATUS(status), 0, "child check at a line that is %d modulo 250",
		     WEXITSTATUS(status) - 1);
}

#endif
