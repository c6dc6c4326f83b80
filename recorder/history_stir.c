/* SPDX-License-Identifier: MIT */
/*
 * history_stir.c - the thread's sleep, which ends early when a client that was idle runs again.
 *
 * Who records uses a processor, so the kernel is asked to tell of that: a timer on the clock of the
 * processor time that the client has used (timer_create(2) with clock_getcpuclockid(3): of another
 * process on Linux only, with no privilege). While the client sleeps there is nothing to do for
 * anybody; when it runs, the kernel's tick finds that the timer is due. A tick that meets the
 * client is what it takes: one after 2 ms of its time, or the next one.
 *
 * Without such a timer, as the limit of pending signals may have it, or for a client that our
 * namespace of processes doesn't have, everything goes on as if the client ran all the time.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "recorder/history_parts.h"

/* 180,000 events in a loop that does nothing else: half of a ring of 16 MiB. */
#define STIR_NS 2000000
/* Their info says which timer; they queue up. Blocked by the thread alone. */
#define SIGNAL_STIR SIGRTMIN
/* It needs no room in a queue; whoever else gets it ignores it. */
#define SIGNAL_WAKE SIGURG

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

/* ---- the sleep -------------------------------------------------------------------------- */

void history_wake(struct histories *histories)
{
	if (histories->is_asleep)
		pthread_kill(histories->thread, SIGNAL_WAKE);
	histories->is_asleep = false;
}

static struct timespec until_then(uint64_t until_ns)
{
	const uint64_t now_ns = history_now_ns();
	const uint64_t ns = until_ns > now_ns ? until_ns - now_ns : 0;

	return (struct timespec){
		.tv_sec = (time_t)(ns / 1000000000),
		.tv_nsec = (long)(ns % 1000000000),
	};
}

/* With the lock. Of a timer that is gone, or from who pretends to be one: nobody, or in vain. */
static void note_stir(struct histories *histories, const siginfo_t *info)
{
	const unsigned int place = (unsigned int)info->si_value.sival_int;

	if (place >= histories->watched_count || !histories->watched[place])
		return;
	__atomic_store_n(&histories->watched[place]->has_stirred, true, __ATOMIC_RELAXED);
	histories->figures.stirs++;
}

void history_sleep(struct histories *histories, uint64_t until_ns)
{
	struct timespec wait;
	siginfo_t info;
	sigset_t set;
	int number;

	if (histories->is_closing || histories->garbage)
		return;
	sigemptyset(&set);
	sigaddset(&set, SIGNAL_STIR);
	sigaddset(&set, SIGNAL_WAKE);
	histories->is_asleep = true;
	pthread_mutex_unlock(&histories->lock);
	wait = until_then(until_ns);
	number = sigtimedwait(&set, &info, &wait);
	pthread_mutex_lock(&histories->lock);
	histories->is_asleep = false;
	/* All of them at once. */
	for (wait = (struct timespec){0}; number > 0; number = sigtimedwait(&set, &info, &wait))
		if (number == SIGNAL_STIR)
			note_stir(histories, &info);
}

/* ---- the timers ------------------------------------------------------------------------- */

/* With the lock. */
static int take_place(struct histories *histories, struct history *history)
{
	struct history **watched;
	uint32_t place = 0, count;

	while (place < histories->watched_count && histories->watched[place])
		place++;
	if (place == histories->watched_count) {
		count = place ? 2 * place : 16;
		watched = reallocarray(histories->watched, count, sizeof(*watched));
		if (!watched)
			return -ENOMEM;
		memset(watched + place, 0, (count - place) * sizeof(*watched));
		histories->watched = watched;
		histories->watched_count = count;
	}
	histories->watched[place] = history;
	history->place = place;
	return 0;
}

static int create(struct history *history)
{
	struct sigevent event = {
		.sigev_notify = SIGEV_THREAD_ID,
		.sigev_signo = SIGNAL_STIR,
		.sigev_value.sival_int = (int)history->place,
	};
	clockid_t clock;

	event.sigev_notify_thread_id = history->histories->thread_id;
	if (clock_getcpuclockid(history->pid, &clock))
		return -ESRCH;
	return timer_create(clock, &event, &history->timer) ? -errno : 0;
}

/* Once for each client, if it is ever idle. */
static void begin(struct history *history)
{
	struct histories *histories = history->histories;

	pthread_mutex_lock(&histories->lock);
	if (histories->thread_id && !take_place(histories, history)) {
		history->has_timer = !create(history);
		if (!history->has_timer) {
			histories->watched[history->place] = NULL;
			history->pid = 0;
		}
	}
	pthread_mutex_unlock(&histories->lock);
}

bool history_stir_watch(struct history *history, uint64_t now_ns)
{
	const struct itimerspec once = {.it_value.tv_nsec = STIR_NS};
	struct histories *histories = history->histories;

	if (!history->has_timer && history->pid > 0)
		begin(history);
	if (!history->has_timer || timer_settime(history->timer, 0, &once, NULL))
		return false;
	history_pace_watched(&history->watch, now_ns);
	pthread_mutex_lock(&histories->lock);
	histories->figures.watches++;
	pthread_mutex_unlock(&histories->lock);
	return true;
}

bool history_stir_take(struct history *history)
{
	return __atomic_load_n(&history->has_stirred, __ATOMIC_RELAXED) &&
	       __atomic_exchange_n(&history->has_stirred, false, __ATOMIC_RELAXED);
}

void history_stir_end(struct history *history)
{
	if (!history->has_timer)
		return;
	timer_delete(history->timer);
	history->histories->watched[history->place] = NULL;
	history->has_timer = false;
}
