/* SPDX-License-Identifier: MIT */
/*
 * loop.c - the loop. Owns the epoll descriptor and the sources' memory; refuses to own descriptors.
 *
 * Timers are a list in order of their deadlines and the timeout of epoll_wait(): no descriptor
 * each, and no wake-up while none is armed. Most deadlines are later than all others, so a timer
 * looks for its place from the end.
 */
#include "recorder/loop.h"

#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "recorder/counters.h"
#include "recorder/now.h"

#define BATCH 64
#define MS UINT64_C(1000000)

struct loop_source {
	struct loop *loop;
	struct loop_source *next, *previous; /* of the living, or next of the removed */
	int fd;
	bool removed;
	loop_fn fn;
	void *context;
};

struct loop {
	int epoll_fd;
	bool stopped;
	struct loop_source sources;  /* head of the living */
	struct loop_source *removed; /* freed when nothing of the batch can name them any more */
	struct loop_timer timers;    /* head */
};

int loop_open(struct loop **ret_loop)
{
	struct loop *loop = calloc(1, sizeof(*loop));

	if (!loop)
		return -ENOMEM;
	loop->sources.next = loop->sources.previous = &loop->sources;
	loop->timers.next = loop->timers.previous = &loop->timers;
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll_fd < 0) {
		const int err = -errno;

		free(loop);
		return err;
	}
	*ret_loop = loop;
	return 0;
}

static void bury(struct loop *loop)
{
	while (loop->removed) {
		struct loop_source *source = loop->removed;

		loop->removed = source->next;
		free(source);
	}
}

void loop_close(struct loop *loop)
{
	if (!loop)
		return;
	while (loop->sources.next != &loop->sources)
		loop_remove(loop->sources.next);
	while (loop->timers.next != &loop->timers)
		loop_timer_clear(loop->timers.next);
	bury(loop);
	close(loop->epoll_fd);
	free(loop);
}

int loop_add(struct loop *loop, int fd, uint32_t events, loop_fn fn, void *context,
	     struct loop_source **ret_source)
{
	struct loop_source *source = calloc(1, sizeof(*source));
	struct epoll_event event = {.events = events, .data.ptr = source};

	if (!source)
		return -ENOMEM;
	if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event)) {
		const int err = -errno;

		free(source);
		return err;
	}
	*source = (struct loop_source){.loop = loop, .fd = fd, .fn = fn, .context = context};
	source->next = &loop->sources;
	source->previous = loop->sources.previous;
	source->previous->next = source->next->previous = source;
	*ret_source = source;
	return 0;
}

int loop_modify(struct loop_source *source, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = source};

	return epoll_ctl(source->loop->epoll_fd, EPOLL_CTL_MOD, source->fd, &event) ? -errno : 0;
}

void loop_remove(struct loop_source *source)
{
	if (!source || source->removed)
		return;
	epoll_ctl(source->loop->epoll_fd, EPOLL_CTL_DEL, source->fd, NULL);
	source->removed = true;
	source->next->previous = source->previous;
	source->previous->next = source->next;
	source->next = source->loop->removed;
	source->loop->removed = source;
}

void loop_timer_clear(struct loop_timer *timer)
{
	if (!loop_timer_armed(timer))
		return;
	timer->next->previous = timer->previous;
	timer->previous->next = timer->next;
	timer->next = timer->previous = NULL;
}

void loop_timer_set(struct loop *loop, struct loop_timer *timer, uint64_t delay_ms,
		    loop_timer_fn fn, void *context)
{
	struct loop_timer *before = loop->timers.previous;

	if (before == timer)
		before = timer->previous;
	loop_timer_clear(timer);
	*timer = (struct loop_timer){
		.deadline_ns = now_ns(CLOCK_MONOTONIC) + (delay_ms ? delay_ms : 1) * MS,
		.fn = fn,
		.context = context,
	};
	while (before != &loop->timers && before->deadline_ns > timer->deadline_ns)
		before = before->previous;
	timer->previous = before;
	timer->next = before->next;
	timer->previous->next = timer->next->previous = timer;
}

/* Timers that a callback arms lie behind `now` and wait for their turn. */
static void fire_timers(struct loop *loop)
{
	const uint64_t now = now_ns(CLOCK_MONOTONIC);

	while (loop->timers.next != &loop->timers && loop->timers.next->deadline_ns <= now) {
		struct loop_timer *timer = loop->timers.next;

		loop_timer_clear(timer);
		timer->fn(timer->context);
	}
}

/* Rounded up: waking a moment early would spin until the deadline. */
static int wait_ms(const struct loop *loop, int timeout_ms)
{
	uint64_t now, left_ms;

	if (loop->timers.next == &loop->timers)
		return timeout_ms;
	now = now_ns(CLOCK_MONOTONIC);
	if (loop->timers.next->deadline_ns <= now)
		return 0;
	left_ms = (loop->timers.next->deadline_ns - now + MS - 1) / MS;
	if (left_ms > INT_MAX)
		left_ms = INT_MAX;
	return timeout_ms >= 0 && (uint64_t)timeout_ms < left_ms ? timeout_ms : (int)left_ms;
}

int loop_once(struct loop *loop, int timeout_ms)
{
	struct epoll_event event[BATCH];
	int count = epoll_wait(loop->epoll_fd, event, BATCH, wait_ms(loop, timeout_ms));

	if (count < 0)
		return errno == EINTR ? 0 : -errno;
	counters.loop_wakeups++;
	for (int i = 0; i < count; i++) {
		struct loop_source *source = event[i].data.ptr;

		if (!source->removed)
			source->fn(source->context, event[i].events);
	}
	fire_timers(loop);
	bury(loop);
	return 0;
}

int loop_run(struct loop *loop)
{
	int err = 0;

	loop->stopped = false;
	while (!loop->stopped && !err)
		err = loop_once(loop, -1);
	return err;
}

void loop_stop(struct loop *loop)
{
	loop->stopped = true;
}
