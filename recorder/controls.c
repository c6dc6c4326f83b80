// SPDX-License-Identifier: MIT
#include "recorder/controls.h"

#ifdef TTLOG_HAVE_BPF

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#define BATCH_MAX 64

struct change {
	struct change *next;
	uint64_t client_id;
	int control_fd; /* -1: drop */
};

struct controls {
	int map_fd;
	pthread_t thread; /* once it is needed: the caller's own */
	bool started;
	pthread_mutex_t mutex; /* of all below */
	pthread_cond_t asked, done;
	struct change *first, **last;
	uint64_t asked_count, done_count;
	bool closing;
};

/* ---- the thread ------------------------------------------------------------------------------- */

struct batch {
	uint64_t client_id[BATCH_MAX];
	int control_fd[BATCH_MAX];
	uint32_t count;
	bool drop;
};

/* The longest run of one kind, in order. The mutex is held. */
static void take(struct controls *controls, struct batch *ret_batch)
{
	ret_batch->count = 0;
	ret_batch->drop = controls->first->control_fd < 0;
	while (controls->first && ret_batch->count < BATCH_MAX &&
	       (controls->first->control_fd < 0) == ret_batch->drop) {
		struct change *change = controls->first;

		ret_batch->client_id[ret_batch->count] = change->client_id;
		ret_batch->control_fd[ret_batch->count++] = change->control_fd;
		controls->first = change->next;
		if (!controls->first)
			controls->last = &controls->first;
		free(change);
	}
}

static void apply_one(int map_fd, const struct batch *batch, uint32_t i)
{
	if (batch->drop)
		bpf_map_delete_elem(map_fd, &batch->client_id[i]);
	else
		bpf_map_update_elem(map_fd, &batch->client_id[i], &batch->control_fd[i], BPF_ANY);
}

static void apply(int map_fd, struct batch *batch)
{
	uint32_t done = batch->count;
	int err = -EINVAL;

	/* One grace period for all of them, where the kernel has it so. */
	if (batch->count > 1)
		err = batch->drop ? bpf_map_delete_batch(map_fd, batch->client_id, &done, NULL)
				  : bpf_map_update_batch(map_fd, batch->client_id, batch->control_fd,
							 &done, NULL);
	/* It stops at the first that fails; doing one again that was done changes nothing. */
	if (err)
		for (uint32_t i = 0; i < batch->count; i++)
			apply_one(map_fd, batch, i);
	for (uint32_t i = 0; i < batch->count && !batch->drop; i++)
		close(batch->control_fd[i]);
}

static void *work(void *argument)
{
	struct controls *controls = argument;
	struct batch batch;

	pthread_mutex_lock(&controls->mutex);
	while (!controls->closing) {
		if (!controls->first) {
			pthread_cond_wait(&controls->asked, &controls->mutex);
			continue;
		}
		take(controls, &batch);
		pthread_mutex_unlock(&controls->mutex);
		apply(controls->map_fd, &batch);
		pthread_mutex_lock(&controls->mutex);
		controls->done_count += batch.count;
		pthread_cond_broadcast(&controls->done);
	}
	pthread_mutex_unlock(&controls->mutex);
	return NULL;
}

/* ---- what others call ------------------------------------------------------------------------- */

int controls_open(struct controls **ret_controls, int map_fd)
{
	struct controls *controls = calloc(1, sizeof(*controls));

	if (!controls)
		return -ENOMEM;
	controls->map_fd = map_fd;
	controls->last = &controls->first;
	pthread_mutex_init(&controls->mutex, NULL);
	pthread_cond_init(&controls->asked, NULL);
	pthread_cond_init(&controls->done, NULL);
	*ret_controls = controls;
	return 0;
}

void controls_close(struct controls *controls)
{
	if (!controls)
		return;
	pthread_mutex_lock(&controls->mutex);
	controls->closing = true;
	pthread_cond_signal(&controls->asked);
	pthread_mutex_unlock(&controls->mutex);
	if (controls->started)
		pthread_join(controls->thread, NULL);
	while (controls->first) {
		struct change *change = controls->first;

		controls->first = change->next;
		if (change->control_fd >= 0)
			close(change->control_fd);
		free(change);
	}
	pthread_cond_destroy(&controls->asked);
	pthread_cond_destroy(&controls->done);
	pthread_mutex_destroy(&controls->mutex);
	free(controls);
}

/* Not before there is something to do: by then the process has given up what it will. */
static int start(struct controls *controls)
{
	sigset_t all, old;
	int err;

	if (controls->started)
		return 0;
	/* Signals are for the thread that has the loop. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = pthread_create(&controls->thread, NULL, work, controls);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	controls->started = !err;
	return -err;
}

static int ask(struct controls *controls, uint64_t client_id, int control_fd)
{
	const int err = start(controls);
	struct change *change = err ? NULL : malloc(sizeof(*change));

	if (!change)
		return err ? err : -ENOMEM;
	*change = (struct change){.client_id = client_id, .control_fd = control_fd};
	pthread_mutex_lock(&controls->mutex);
	*controls->last = change;
	controls->last = &change->next;
	controls->asked_count++;
	pthread_cond_signal(&controls->asked);
	pthread_mutex_unlock(&controls->mutex);
	return 0;
}

int controls_put(struct controls *controls, uint64_t client_id, int control_fd)
{
	int fd = fcntl(control_fd, F_DUPFD_CLOEXEC, 3);
	int err;

	if (fd < 0)
		return -errno;
	err = ask(controls, client_id, fd);
	if (err)
		close(fd);
	return err;
}

int controls_drop(struct controls *controls, uint64_t client_id)
{
	return ask(controls, client_id, -1);
}

void controls_settle(struct controls *controls)
{
	uint64_t wanted;

	pthread_mutex_lock(&controls->mutex);
	wanted = controls->asked_count;
	while (controls->done_count < wanted)
		pthread_cond_wait(&controls->done, &controls->mutex);
	pthread_mutex_unlock(&controls->mutex);
}

#endif
