/* SPDX-License-Identifier: MIT */
/*
 * history.c - one thread that looks at all rings.
 *
 * The lock is held for a list, a copy of a few hundred bytes, or a segment; never while a region is
 * read. Whoever ends a history waits until the thread has left its region, which is as soon as the
 * chunk is done that it is at.
 */
#include "recorder/history.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "recorder/history_parts.h"

#define IDLE_NS (UINT64_C(10) * 1000000000)

/* ---- the thread ------------------------------------------------------------------------- */

/* With the lock, which it gives away meanwhile. */
static void wait_for_turn(struct histories *histories)
{
	while (histories->busy)
		pthread_cond_wait(&histories->is_done, &histories->lock);
}

/* With the lock, when it is our turn; the lock is given away until it is let go. */
static void claim(struct histories *histories, struct history *history)
{
	assert(!histories->busy);
	histories->busy = history;
	pthread_mutex_unlock(&histories->lock);
}

static void let_go(struct histories *histories)
{
	pthread_mutex_lock(&histories->lock);
	histories->busy = NULL;
	pthread_cond_broadcast(&histories->is_done);
}

/* With the lock, which it gives away meanwhile. When somebody is due next. */
static uint64_t look_at_all(struct histories *histories)
{
	const uint64_t now_ns = history_now_ns();
	uint64_t due_ns = now_ns + IDLE_NS, next_ns;

	/* First of all: one that is looked up before may be gone behind it. From here on it is our
	 * turn, whenever we have the lock. */
	wait_for_turn(histories);
	for (struct history *at = histories->first; at && !histories->is_closing; at = at->next) {
		claim(histories, at);
		next_ns = history_look_due(at, now_ns);
		let_go(histories);
		if (next_ns < due_ns)
			due_ns = next_ns;
	}
	histories->figures.looks++;
	return due_ns;
}

/* With the lock, which it gives away meanwhile: a gigabyte takes a while. */
static void unmap_garbage(struct histories *histories)
{
	struct history_segment *segment = histories->garbage, *next;

	if (!segment)
		return;
	histories->garbage = NULL;
	pthread_mutex_unlock(&histories->lock);
	for (; segment; segment = next) {
		next = segment->next;
		munmap(segment, segment->bytes);
	}
	pthread_mutex_lock(&histories->lock);
}

/* At least as long as the last turn took: never more than half of a processor. */
static void *live(void *context)
{
	struct histories *histories = context;
	uint64_t began_ns, ended_ns, due_ns;

	pthread_mutex_lock(&histories->lock);
	histories->thread_id = gettid();
	while (!histories->is_closing) {
		unmap_garbage(histories);
		if (!histories->first) {
			history_sleep(histories, UINT64_MAX);
			continue;
		}
		began_ns = history_now_ns();
		due_ns = look_at_all(histories);
		ended_ns = history_now_ns();
		if (due_ns < ended_ns + (ended_ns - began_ns))
			due_ns = ended_ns + (ended_ns - began_ns);
		unmap_garbage(histories);
		history_sleep(histories, due_ns);
	}
	pthread_mutex_unlock(&histories->lock);
	return NULL;
}

/*
 * With the first client: before that the recorder may still have privileges to give up, which a
 * thread would keep. Signals are for the loop.
 */
static int start(struct histories *histories)
{
	sigset_t all, saved;
	int err;

	if (histories->has_thread || histories->options.without_thread)
		return 0;
	sigfillset(&all);
	sigdelset(&all, SIGBUS); /* see rings.h */
	pthread_sigmask(SIG_SETMASK, &all, &saved);
	err = -pthread_create(&histories->thread, NULL, live, histories);
	pthread_sigmask(SIG_SETMASK, &saved, NULL);
	histories->has_thread = !err;
	return err;
}

/* ---- all of them ------------------------------------------------------------------------ */

static uint64_t quarter_of_memory(void)
{
	const long pages = sysconf(_SC_PHYS_PAGES);

	return pages > 0 ? (uint64_t)pages / 4 * (uint64_t)sysconf(_SC_PAGESIZE) : UINT64_MAX / 4;
}

static struct history_options options_of(const struct history_options *options)
{
	struct history_options wanted = *options;

	if (!wanted.total_bytes)
		wanted.total_bytes = quarter_of_memory();
	return wanted;
}

int histories_open(struct histories **ret_histories, const struct history_options *options)
{
	struct histories *histories;

	*ret_histories = NULL;
	if (!options->client_bytes)
		return 0;
	histories = calloc(1, sizeof(*histories));
	if (!histories)
		return -ENOMEM;
	histories->options = options_of(options);
	histories->last = &histories->first;
	pthread_mutex_init(&histories->lock, NULL);
	pthread_cond_init(&histories->is_done, NULL);
	*ret_histories = histories;
	return 0;
}

void histories_close(struct histories *histories)
{
	if (!histories)
		return;
	pthread_mutex_lock(&histories->lock);
	histories->is_closing = true;
	history_wake(histories);
	pthread_mutex_unlock(&histories->lock);
	if (histories->has_thread)
		pthread_join(histories->thread, NULL);
	pthread_mutex_lock(&histories->lock);
	unmap_garbage(histories);
	pthread_mutex_unlock(&histories->lock);
	pthread_cond_destroy(&histories->is_done);
	pthread_mutex_destroy(&histories->lock);
	free(histories->watched);
	free(histories);
}

void histories_figures(struct histories *histories, struct history_figures *ret_figures)
{
	*ret_figures = (struct history_figures){0};
	if (!histories)
		return;
	pthread_mutex_lock(&histories->lock);
	*ret_figures = histories->figures;
	pthread_mutex_unlock(&histories->lock);
}

/* ---- one -------------------------------------------------------------------------------- */

struct history *history_begin(struct histories *histories, const void *base,
			      const struct ttlog_geometry *geometry, pid_t pid)
{
	struct history *history;
	size_t chunks = 0;

	if (!histories || start(histories))
		return NULL;
	for (uint32_t i = 0; i < geometry->lane_count; i++)
		chunks += geometry->lane[i].chunk_count;
	history = calloc(1, sizeof(*history) + chunks * sizeof(history->saved[0]));
	if (!history)
		return NULL;
	history->histories = histories;
	history->base = base;
	history->geometry = *geometry;
	history->pid = pid;
	history_lanes_init(history, history_now_ns());
	pthread_mutex_lock(&histories->lock);
	history->at = histories->last;
	*histories->last = history;
	histories->last = &history->next;
	history_wake(histories);
	pthread_mutex_unlock(&histories->lock);
	return history;
}

/* With the lock. */
static void leave(struct histories *histories, struct history *history)
{
	__atomic_store_n(&history->is_leaving, true, __ATOMIC_RELAXED);
	while (histories->busy == history)
		pthread_cond_wait(&histories->is_done, &histories->lock);
	*history->at = history->next;
	if (history->next)
		history->next->at = history->at;
	else
		histories->last = history->at;
}

void history_end(struct history *history)
{
	struct histories *histories;

	if (!history)
		return;
	histories = history->histories;
	pthread_mutex_lock(&histories->lock);
	leave(histories, history);
	history_stir_end(history);
	history_drop_all(history);
	pthread_mutex_unlock(&histories->lock);
	free(history);
}

void history_look(struct history *history)
{
	struct histories *histories = history->histories;

	pthread_mutex_lock(&histories->lock);
	wait_for_turn(histories);
	claim(histories, history);
	history_look_now(history, history_now_ns());
	let_go(histories);
	pthread_mutex_unlock(&histories->lock);
}
