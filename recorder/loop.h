/* SPDX-License-Identifier: MIT */
/*
 * loop.h - one epoll loop where everything is a source.
 *
 * One thread calls all of this. A callback may remove any source and clear any timer, its own too:
 * memory goes after the batch, and a removed source is never called again. Descriptors stay the
 * caller's; remove the source before closing one.
 */
#ifndef RECORDER_LOOP_H
#define RECORDER_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct loop;
struct loop_source;

typedef void (*loop_fn)(void *context, uint32_t events); /* EPOLLIN, EPOLLHUP, ... */
typedef void (*loop_timer_fn)(void *context);

/* Zero-initialise; belongs to the caller, who clears it before it goes away. */
struct loop_timer {
	struct loop_timer *next, *previous; /* both NULL: not armed */
	uint64_t deadline_ns;
	loop_timer_fn fn;
	void *context;
};

int loop_open(struct loop **ret_loop);
void loop_close(struct loop *loop); /* with all sources; NULL is fine */

/* events as for epoll_ctl(), level-triggered. 0 or a negative errno. */
int loop_add(struct loop *loop, int fd, uint32_t events, loop_fn fn, void *context,
	     struct loop_source **ret_source);
/* events 0 leaves EPOLLHUP and EPOLLERR, which can't be turned off: remove what is hung up. */
int loop_modify(struct loop_source *source, uint32_t events);
void loop_remove(struct loop_source *source); /* NULL is fine */

/* Calls fn once, delay_ms from now (at least 1); an armed timer is moved. */
void loop_timer_set(struct loop *loop, struct loop_timer *timer, uint64_t delay_ms,
		    loop_timer_fn fn, void *context);
void loop_timer_clear(struct loop_timer *timer);
static inline bool loop_timer_armed(const struct loop_timer *timer)
{
	return timer->next != NULL;
}

/* One wait and its batch; timeout_ms -1: until something happens. 0 or a negative errno. */
int loop_once(struct loop *loop, int timeout_ms);
/* Until loop_stop(). 0 or a negative errno. */
int loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

#endif
