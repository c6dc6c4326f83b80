/* SPDX-License-Identifier: MIT */
/*
 * adopt.c - when to look for rings, where, and how many at a time.
 *
 * A look (one job for a worker) finds candidates; each is then taken by a job of its own, a few at
 * a time, so that a hello in between does not wait. Whatever a process does, it is looked at only so
 * often: calls are taken in batches with a pause behind each.
 */
#include "recorder/adopt.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <time.h>

#include "lib/ttlog_abi.h"
#include "recorder/adopt_take.h"
#include "recorder/counters.h"
#include "recorder/log.h"
#include "recorder/watch.h"

#define CALLS_A_LOOK 64
#define CALLS_PAUSE_MS 10
#define TAKES_AT_A_TIME 2
#define LOOK_AGAIN_MIN_MS 500
#define LOOK_AGAIN_MAX_MS 60000
#define LOOK_COST_SHARE 100 /* without the kernel program: so much of the time we don't look */
/* Held by a recorder that ends, or in the middle of a hello: soon, and then less and less often. */
#define RETRY_MIN_MS 200
#define RETRY_MAX_MS 60000
#define PID_NAMESPACE_INIT 0xEFFFFFFCu /* include/linux/proc_ns.h */

struct adopt {
	struct adopt_config config;
	uint64_t audience;
	struct loop_source *calls_source;
	struct loop_timer timer; /* the next look through all */
	struct loop_timer calls_timer;
	bool looking, stopping;
	bool all_again;	    /* a call was lost, or is of a pid that means nothing to us */
	bool foreign_pids;  /* we are in a pid namespace of our own */
	uint32_t call[CALLS_A_LOOK];
	unsigned int call_count;
	struct adopt_finds finds; /* of the last look */
	unsigned int next, taking;
	uint64_t retry_ms; /* 0: nobody is to be tried again */
	bool retry;
	uint64_t look_ns; /* what the last look through all took */
	bool first_over;
	unsigned int adopted; /* by this look */
};

struct look {
	struct workers_job job;
	struct adopt *adopt;
	bool all;
	uint32_t call[CALLS_A_LOOK];
	unsigned int call_count;
	struct adopt_finds finds;
	uint64_t took_ns;
	int err;
};

struct take {
	struct workers_job job;
	struct adopt *adopt;
	struct adopt_find find;
	struct adopt_taken taken;
	int err;
};

static void look(struct adopt *adopt);

/* Of this thread: what others take of the machine is no reason to look less often. */
static uint64_t cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

/* ---- after a look ----------------------------------------------------------------------------- */

static void look_due(void *context)
{
	struct adopt *adopt = context;

	adopt->all_again = true;
	look(adopt);
}

static void calls_due(void *context)
{
	struct adopt *adopt = context;

	loop_modify(adopt->calls_source, EPOLLIN);
	look(adopt);
}

/* When to look through all again: at all, if somebody could not be taken yet or nobody can call. */
static uint64_t next_look_ms(struct adopt *adopt)
{
	uint64_t cost_ms = adopt->look_ns / 1000000 * LOOK_COST_SHARE;
	uint64_t pause_ms = 0;

	if (!adopt->retry)
		adopt->retry_ms = 0;
	else if (!adopt->retry_ms)
		adopt->retry_ms = RETRY_MIN_MS;
	else
		adopt->retry_ms = adopt->retry_ms < RETRY_MAX_MS ? adopt->retry_ms * 2 : 0;
	adopt->retry = false;
	if (!adopt->calls_source)
		pause_ms = cost_ms < LOOK_AGAIN_MIN_MS   ? LOOK_AGAIN_MIN_MS
			   : cost_ms > LOOK_AGAIN_MAX_MS ? LOOK_AGAIN_MAX_MS
							 : cost_ms;
	if (adopt->retry_ms && (!pause_ms || adopt->retry_ms < pause_ms))
		pause_ms = adopt->retry_ms;
	return pause_ms;
}

/* All candidates are done with. */
static void look_over(struct adopt *adopt)
{
	const uint64_t pause_ms = next_look_ms(adopt);

	adopt->looking = false;
	if (!adopt->first_over && adopt->adopted)
		log_say("adopted the rings of %u process%s that %s there before", adopt->adopted,
			adopt->adopted == 1 ? "" : "es", adopt->adopted == 1 ? "was" : "were");
	adopt->first_over = true;
	adopt_finds_free(&adopt->finds);
	if (adopt->stopping)
		return;
	if (pause_ms)
		loop_timer_set(adopt->config.loop, &adopt->timer, pause_ms, look_due, adopt);
	if (adopt->calls_source)
		loop_timer_set(adopt->config.loop, &adopt->calls_timer, CALLS_PAUSE_MS, calls_due,
			       adopt);
}

/* ---- taking ----------------------------------------------------------------------------------- */

static void take_in_worker(struct workers_job *job)
{
	struct take *take = (struct take *)job;

	take->err = adopt_take(&take->find, take->adopt->audience, &take->taken);
}

static void take_next(struct adopt *adopt);

static void taken(struct workers_job *job)
{
	struct take *take = (struct take *)job;
	struct adopt *adopt = take->adopt;
	int err = take->err;

	take->taken.was_there = !adopt->first_over;
	if (!err)
		err = clients_adopt(adopt->config.clients, &take->taken);
	if (!err) {
		adopt->adopted++;
		counters.adopted++;
	} else if (err == -EBUSY || err == -EAGAIN) {
		adopt->retry = true;
	} else if (err != -EALREADY && err != -ENOTSUP) {
		counters.adoptions_failed++;
		log_detail("a region of pid %d is not adopted: %s", (int)take->find.pid,
			   strerror(-err));
	}
	adopt_taken_free(&take->taken);
	free(take);
	adopt->taking--;
	take_next(adopt);
}

/* Ends the look when there is nothing left. */
static void take_next(struct adopt *adopt)
{
	while (!adopt->stopping && adopt->next < adopt->finds.count &&
	       adopt->taking < TAKES_AT_A_TIME) {
		const struct adopt_find *find = &adopt->finds.find[adopt->next++];
		struct take *take;

		if (clients_hold(adopt->config.clients, find->inode))
			continue;
		take = calloc(1, sizeof(*take));
		if (!take) {
			adopt->retry = true;
			continue;
		}
		take->job = (struct workers_job){.run = take_in_worker, .done = taken};
		take->adopt = adopt;
		take->find = *find;
		adopt->taking++;
		workers_submit(adopt->config.workers, &take->job);
	}
	if (!adopt->taking)
		look_over(adopt);
}

/* ---- looking ---------------------------------------------------------------------------------- */

static void look_in_worker(struct workers_job *job)
{
	struct look *look = (struct look *)job;
	const uint64_t before = cpu_ns();

	if (look->all)
		look->err = adopt_find_all(&look->finds);
	for (unsigned int i = 0; i < look->call_count && !look->all; i++)
		(void)adopt_find_in(&look->finds, (pid_t)look->call[i]);
	look->took_ns = cpu_ns() - before;
}

static void looked(struct workers_job *job)
{
	struct look *look = (struct look *)job;
	struct adopt *adopt = look->adopt;

	if (look->err)
		log_warn("can't look for rings in /proc: %s", strerror(-look->err));
	if (look->all)
		adopt->look_ns = look->took_ns;
	adopt->finds = look->finds;
	adopt->next = 0;
	adopt->adopted = 0;
	free(look);
	take_next(adopt);
}

/* Starts a look if there is a reason and none is under way. */
static void look(struct adopt *adopt)
{
	struct look *job;

	if (adopt->looking || adopt->stopping || (!adopt->all_again && !adopt->call_count))
		return;
	job = calloc(1, sizeof(*job));
	if (!job) {
		loop_timer_set(adopt->config.loop, &adopt->timer, LOOK_AGAIN_MIN_MS, look_due,
			       adopt);
		return;
	}
	job->job = (struct workers_job){.run = look_in_worker, .done = looked};
	job->adopt = adopt;
	job->all = adopt->all_again;
	memcpy(job->call, adopt->call, sizeof(job->call));
	job->call_count = adopt->call_count;
	adopt->all_again = false;
	adopt->call_count = 0;
	adopt->looking = true;
	workers_submit(adopt->config.workers, &job->job);
}

/* ---- calls ------------------------------------------------------------------------------------ */

static void note_call(void *context, uint32_t pid)
{
	struct adopt *adopt = context;

	for (unsigned int i = 0; i < adopt->call_count; i++)
		if (adopt->call[i] == pid)
			return;
	if (adopt->foreign_pids || adopt->call_count == CALLS_A_LOOK)
		adopt->all_again = true;
	else
		adopt->call[adopt->call_count++] = pid;
}

static void calls_ready(void *context, uint32_t events)
{
	struct adopt *adopt = context;

	(void)events;
	if (!watch_take_calls(adopt->config.watch, note_call, adopt))
		adopt->all_again = true;
	/* More are heard when these are done with. */
	loop_modify(adopt->calls_source, 0);
	if (adopt->all_again || adopt->call_count)
		look(adopt);
	if (!adopt->looking)
		loop_timer_set(adopt->config.loop, &adopt->calls_timer, CALLS_PAUSE_MS, calls_due,
			       adopt);
}

/* ---- from outside ----------------------------------------------------------------------------- */

int adopt_parse(const char *text, enum adopt_whom *ret_whom)
{
	static const char *const names[] = {
		[ADOPT_NONE] = "none", [ADOPT_OWN] = "own", [ADOPT_ALL] = "all"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(text, names[i]))
			continue;
		*ret_whom = (enum adopt_whom)i;
		return 0;
	}
	return -EINVAL;
}

static int hear_calls(struct adopt *adopt)
{
	const int fd = adopt->config.watch ? watch_calls_fd(adopt->config.watch) : -ENOENT;
	struct stat status;

	adopt->foreign_pids = stat("/proc/self/ns/pid", &status) ||
			      status.st_ino != PID_NAMESPACE_INIT;
	if (fd < 0)
		return 0;
	return loop_add(adopt->config.loop, fd, EPOLLIN, calls_ready, adopt, &adopt->calls_source);
}

int adopt_open(struct adopt **ret_adopt, const struct adopt_config *config)
{
	struct adopt *adopt;
	int err;

	*ret_adopt = NULL;
	if (config->whom == ADOPT_NONE)
		return 0;
	adopt = calloc(1, sizeof(*adopt));
	if (!adopt)
		return -ENOMEM;
	adopt->config = *config;
	adopt->audience = config->whom == ADOPT_ALL ? 0 : ttlog_recorder_hash(config->socket);
	err = hear_calls(adopt);
	if (err) {
		free(adopt);
		return err;
	}
	*ret_adopt = adopt;
	look_due(adopt);
	return 0;
}

bool adopt_is_settled(const struct adopt *adopt)
{
	return !adopt || adopt->first_over;
}

void adopt_stop(struct adopt *adopt)
{
	if (!adopt)
		return;
	adopt->stopping = true;
	loop_timer_clear(&adopt->timer);
	loop_timer_clear(&adopt->calls_timer);
	loop_remove(adopt->calls_source);
	adopt->calls_source = NULL;
}

void adopt_close(struct adopt *adopt)
{
	if (!adopt)
		return;
	adopt_stop(adopt);
	adopt_finds_free(&adopt->finds);
	free(adopt);
}
