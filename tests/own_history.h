/* SPDX-License-Identifier: MIT */
/* own_history.h - a history of this process's own region, which is looked at when the test says so.
 */
#ifndef TTLOG_TESTS_OWN_HISTORY_H
#define TTLOG_TESTS_OWN_HISTORY_H

#include "recorder/history.h"
#include "tests/own_region.h"

struct own_history {
	struct histories *histories;
	struct history *history;
	struct history_cut cut;
	struct ttlog_reader *reader;
};

/* The region is there: something was recorded. */
__attribute__((unused)) static struct own_history own_history_begin_of(uint64_t bytes,
								       bool has_thread, pid_t pid)
{
	const struct history_options options = {.client_bytes = bytes,
						.without_thread = !has_thread};
	struct own_history own = {0};

	cr_assert_not_null(ttlog_place_.base);
	cr_assert_eq(histories_open(&own.histories, &options), 0);
	own.history = history_begin(own.histories, ttlog_place_.base, &ttlog_place_.geometry, pid);
	cr_assert_not_null(own.history);
	return own;
}

__attribute__((unused)) static struct own_history own_history_begin(uint64_t bytes, bool has_thread)
{
	return own_history_begin_of(bytes, has_thread, getpid());
}

__attribute__((unused)) static struct ttlog_reader *own_history_read(struct own_history *own)
{
	cr_assert_eq(history_cut_init(&own->cut, own->history), 0);
	cr_assert_eq(ttlog_reader_open_with(&own->reader, ttlog_place_.base, &ttlog_place_.geometry,
					    &own->cut.reader),
		     0);
	return own->reader;
}

__attribute__((unused)) static void own_history_close(struct own_history *own)
{
	ttlog_reader_close(own->reader);
	history_cut_fini(&own->cut);
}

__attribute__((unused)) static void own_history_end(struct own_history *own)
{
	history_end(own->history);
	histories_close(own->histories);
}

#endif
