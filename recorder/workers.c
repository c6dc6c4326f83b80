/* SPDX-License-Identifier: MIT */
/* workers.c - a queue, some threads, and an eventfd that brings the results back into the loop. */
#include "recorder/workers.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct queue {
	struct workers_job *first, **last;
};

struct workers {
	pthread_mutex_t lock;
	pthread_cond_t work;		/* waiting has grown, or closing */
	struct queue waiting, finished; /* waiting: by turn */
	uint64_t turn;			/* of the job that was started last */
	bool closing;
	unsigned int pending; /* the loop's own; no lock */
	int event_fd;
	struct loop_source *source;
	unsigned int wanted_count, thread_count;
	pthread_t thread[];
};

static void queue_put(struct queue *queue, struct workers_job *job)
{
	job->next = NULL;
	*queue->last = job;
	queue->last = &job->next;
}

/* Behind all whose turn is not later. */
static void queue_put_by_turn(struct queue *queue, struct workers_job *job)
{
	struct workers_job **at = &queue->first;

	while (*at && (*at)->turn <= job->turn)
		at = &(*at)->next;
	job->next = *at;
	*at = job;
	if (!job->next)
		queue->last = &job->next;
}

static struct workers_job *queue_get(struct queue *queue)
{
	struct workers_job *job = queue->first;

	if (job) {
		queue->first = job->next;
		if (!queue->first)
			queue->last = &queue->first;
	}
	return job;
}

static void *work(void *argument)
{
	struct workers *workers = argument;
	const uint64_t one = 1;
	struct workers_job *job;
	ssize_t written;

	pthread_mutex_lock(&workers->lock);
	for (;;) {
		job = queue_get(&workers->waiting);
		if (!job && workers->closing)
			break;
		if (!job) {
			pthread_cond_wait(&workers->work, &workers->lock);
			continue;
		}
		if (job->turn > workers->turn)
			workers->turn = job->turn;
		pthread_mutex_unlock(&workers->lock);
		job->run(job);
		pthread_mutex_lock(&workers->lock);
		queue_put(&workers->finished, job);
		/* Fails only when the counter is full, and then the loop is awake anyway. */
		written = write(workers->event_fd, &one, sizeof(one));
		(void)written;
	}
	pthread_mutex_unlock(&workers->lock);
	return NULL;
}

static void finish(void *context, uint32_t events)
{
	struct workers *workers = context;
	struct workers_job *job, *next;
	uint64_t count;
	ssize_t got;

	(void)events;
	got = read(workers->event_fd, &count, sizeof(count));
	(void)got;
	pthread_mutex_lock(&workers->lock);
	job = workers->finished.first;
	workers->finished.first = NULL;
	workers->finished.last = &workers->finished.first;
	pthread_mutex_unlock(&workers->lock);
	for (; job; job = next) {
		next = job->next;
		workers->pending--;
		job->done(job);
	}
}

/* Signals are for the loop's signalfd: a thread that let one in would take it away. */
int workers_start(struct workers *workers)
{
	sigset_t all, saved;
	int err = 0;

	sigfillset(&all);
	sigdelset(&all, SIGBUS); /* see rings.h; of what is blocked one dies at once */
	pthread_sigmask(SIG_SETMASK, &all, &saved);
	while (workers->thread_count < workers->wanted_count && !err) {
		err = -pthread_create(&workers->thread[workers->thread_count], NULL, work, workers);
		if (!err)
			workers->thread_count++;
	}
	pthread_sigmask(SIG_SETMASK, &saved, NULL);
	return err;
}

int workers_prepare(struct workers **ret_workers, struct loop *loop, unsigned int thread_count)
{
	struct workers *workers =
		calloc(1, sizeof(*workers) + thread_count * sizeof(workers->thread[0]));
	int err;

	if (!workers)
		return -ENOMEM;
	workers->wanted_count = thread_count;
	pthread_mutex_init(&workers->lock, NULL);
	pthread_cond_init(&workers->work, NULL);
	workers->waiting.last = &workers->waiting.first;
	workers->finished.last = &workers->finished.first;
	workers->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (workers->event_fd < 0)
		err = -errno;
	else
		err = loop_add(loop, workers->event_fd, EPOLLIN, finish, workers, &workers->source);
	if (err) {
		workers_close(workers);
		return err;
	}
	*ret_workers = workers;
	return 0;
}

int workers_open(struct workers **ret_workers, struct loop *loop, unsigned int thread_count)
{
	int err = workers_prepare(ret_workers, loop, thread_count);

	if (err)
		return err;
	err = workers_start(*ret_workers);
	if (err) {
		workers_close(*ret_workers);
		*ret_workers = NULL;
	}
	return err;
}

/* Those that nobody was ever there for: whoever submitted them has the end of each to come. */
static void work_here(struct workers *workers)
{
	struct workers_job *job;

	while ((job = queue_get(&workers->waiting))) {
		job->run(job);
		queue_put(&workers->finished, job);
	}
}

void workers_close(struct workers *workers)
{
	if (!workers)
		return;
	pthread_mutex_lock(&workers->lock);
	workers->closing = true;
	pthread_cond_broadcast(&workers->work);
	pthread_mutex_unlock(&workers->lock);
	for (unsigned int i = 0; i < workers->thread_count; i++)
		pthread_join(workers->thread[i], NULL);
	work_here(workers);
	if (workers->event_fd >= 0)
		finish(workers, 0);
	loop_remove(workers->source);
	if (workers->event_fd >= 0)
		close(workers->event_fd);
	pthread_cond_destroy(&workers->work);
	pthread_mutex_destroy(&workers->lock);
	free(workers);
}

void workers_submit_for(struct workers *workers, struct workers_job *job,
			struct workers_share *share)
{
	workers->pending++;
	pthread_mutex_lock(&workers->lock);
	job->turn = workers->turn;
	if (share) {
		/* One behind its last; who had none for a while has not saved up turns. */
		if (share->turn + 1 > job->turn)
			job->turn = share->turn + 1;
		share->turn = job->turn;
	}
	queue_put_by_turn(&workers->waiting, job);
	pthread_cond_signal(&workers->work);
	pthread_mutex_unlock(&workers->lock);
}

void workers_submit(struct workers *workers, struct workers_job *job)
{
	workers_submit_for(workers, job, NULL);
}

unsigned int workers_pending(const struct workers *workers)
{
	return workers->pending;
}
