/* SPDX-License-Identifier: MIT */
#include "recorder/calibration.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define INTERVAL_MS_FIRST 250
#define INTERVAL_MS_MIN 1000 /* of the others */
#define INTERVAL_MS_MAX 64000
#define STEERED_NS 500		     /* a reading so far off says that somebody steers */
#define CLOSE_NS UINT64_C(100000000) /* who comes so soon after a reading needs no other */
#define FAR_FUTURE_S 0x7fffffff0

struct calibration {
	struct loop *loop;
	struct loop_timer timer;
	uint64_t interval_ms;
	unsigned int clients;
	int set_fd; /* -1: nobody says when the wall clock is set; the next reading shows it */
	struct loop_source *set_source;
	pthread_mutex_t mutex; /* of the timeline; workers take copies */
	struct timeline timeline;
};

static uint64_t read_now(struct timeline *timeline)
{
	struct ttlog_clock_point point;
	const uint64_t width_ticks = ttlog_clock_read(timeline->source, &point);

	return timeline_add(timeline, &point, width_ticks);
}

static uint64_t look(struct calibration *calibration)
{
	uint64_t bend_ns;

	pthread_mutex_lock(&calibration->mutex);
	bend_ns = read_now(&calibration->timeline);
	pthread_mutex_unlock(&calibration->mutex);
	return bend_ns;
}

static void due(void *context)
{
	struct calibration *calibration = context;
	uint64_t interval_ms = calibration->interval_ms;

	interval_ms = look(calibration) > STEERED_NS ? interval_ms / 4 : interval_ms * 2;
	if (interval_ms < INTERVAL_MS_MIN)
		interval_ms = INTERVAL_MS_MIN;
	if (interval_ms > INTERVAL_MS_MAX)
		interval_ms = INTERVAL_MS_MAX;
	calibration->interval_ms = interval_ms;
	loop_timer_set(calibration->loop, &calibration->timer, interval_ms, due, calibration);
}

/* ---- when the wall clock is set ------------------------------------------------------------- */

static void was_set(void *context, uint32_t events)
{
	struct calibration *calibration = context;
	uint64_t expirations;

	(void)events;
	/* It says ECANCELED, and waits for the next time; before the look, which is to be later. */
	if (read(calibration->set_fd, &expirations, sizeof(expirations)) < 0)
		look(calibration);
}

int calibration_watch_sets(struct calibration *calibration)
{
	const struct itimerspec never = {.it_value.tv_sec = FAR_FUTURE_S};
	int err = 0, fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);

	if (fd < 0)
		return -errno;
	/* Readable when CLOCK_REALTIME jumps, which a resume is too. */
	if (timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, NULL))
		err = -errno;
	if (!err)
		err = loop_add(calibration->loop, fd, EPOLLIN, was_set, calibration,
			       &calibration->set_source);
	if (err)
		close(fd);
	else
		calibration->set_fd = fd;
	return err;
}

/* ---- what others call ------------------------------------------------------------------------ */

int calibration_open(struct calibration **ret_calibration, struct loop *loop)
{
	struct calibration *calibration = calloc(1, sizeof(*calibration));
	const enum ttlog_clock_source source = ttlog_clock_source();

	if (!calibration)
		return -ENOMEM;
	calibration->loop = loop;
	pthread_mutex_init(&calibration->mutex, NULL);
	timeline_init(&calibration->timeline, source, ttlog_clock_hz(source));
	calibration->set_fd = -1;
	*ret_calibration = calibration;
	return 0;
}

void calibration_close(struct calibration *calibration)
{
	if (!calibration)
		return;
	loop_timer_clear(&calibration->timer);
	loop_remove(calibration->set_source);
	if (calibration->set_fd >= 0)
		close(calibration->set_fd);
	pthread_mutex_destroy(&calibration->mutex);
	free(calibration);
}

/* Only this thread writes to the timeline. */
static bool has_just_looked(const struct timeline *timeline)
{
	struct ttlog_clock_point now;

	if (timeline->count == 0)
		return false;
	ttlog_clock_read(TTLOG_CLOCK_MONOTONIC, &now);
	return now.monotonic_ns - timeline->point[timeline->count - 1].monotonic_ns < CLOSE_NS;
}

void calibration_begin(struct calibration *calibration)
{
	if (!has_just_looked(&calibration->timeline))
		look(calibration);
	if (calibration->clients++ == 0) {
		calibration->interval_ms = INTERVAL_MS_FIRST;
		loop_timer_set(calibration->loop, &calibration->timer, INTERVAL_MS_FIRST, due,
			       calibration);
	}
}

void calibration_end(struct calibration *calibration)
{
	if (--calibration->clients == 0)
		loop_timer_clear(&calibration->timer);
}

void calibration_copy(struct calibration *calibration, struct timeline *ret_timeline)
{
	pthread_mutex_lock(&calibration->mutex);
	*ret_timeline = calibration->timeline;
	pthread_mutex_unlock(&calibration->mutex);
	read_now(ret_timeline);
}
