/* SPDX-License-Identifier: MIT */
/*
 * watch_client.h - for the tests of watch.c: a child that waits until it is registered, then does
 * what the test wants it to die of, and what the kernel program said of it.
 */
#ifndef TESTS_WATCH_CLIENT_H
#define TESTS_WATCH_CLIENT_H

#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/ttlog.h"
#include "recorder/watch.h"

#define SEEN_MAX 64

struct client {
	uint64_t id;
	pid_t pid;
	int pidfd, go, said; /* go: a byte = start. said: what the child writes */
	int control_fd;
	const struct ttlog_control *control;
};

static struct watch *watch;
static struct {
	struct ttlog_bpf_event event[SEEN_MAX];
	unsigned int count;
} seen;

static void on_event(void *context, const struct ttlog_bpf_event *event)
{
	cr_assert_eq(context, &seen);
	if (seen.count < SEEN_MAX)
		seen.event[seen.count++] = *event;
}

static void open_watch(void)
{
	char why_not[256];
	int err = watch_open(&watch, on_event, &seen, 0, why_not, sizeof(why_not));

	if (err == -EPERM || err == -ENOENT || err == -ENOSYS || err == -EOPNOTSUPP)
		cr_skip("no kernel program: %s", why_not);
	cr_assert_eq(err, 0, "watch_open: %d, %s", err, why_not);
	/*
	 * Until its thread has done something: a fork() in the middle of a thread's birth leaves
	 * the child with a lock of AddressSanitizer that nobody will ever release.
	 */
	watch_remove(watch, -1, 0);
	watch_settle(watch);
}

static void close_watch(void)
{
	watch_close(watch);
}

/* Where the child's code writes what the test has to know; -1 in the test itself. */
static int tell_fd = -1;

static __attribute__((unused)) void tell(const void *bytes, size_t count)
{
	if (write(tell_fd, bytes, count) != (ssize_t)count)
		_exit(99);
}

static __attribute__((unused)) void listen_to(const struct client *client, void *ret_bytes,
					      size_t count)
{
	cr_assert_eq(read(client->said, ret_bytes, count), (ssize_t)count,
		     "the child said nothing");
}

static _Noreturn void child(void (*life)(void), int go)
{
	struct rlimit no_core = {0};
	char byte;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setrlimit(RLIMIT_CORE, &no_core);
	signal(SIGABRT, SIG_DFL);
	if (read(go, &byte, 1) != 1)
		_exit(98);
	life();
	_exit(97);
}

/* A child that waits. */
static void spawn(struct client *ret_client, void (*life)(void))
{
	int go[2], said[2];

	cr_assert_eq(pipe(go), 0);
	cr_assert_eq(pipe(said), 0);
	fflush(NULL);
	ret_client->pid = fork();
	cr_assert_geq(ret_client->pid, 0);
	if (ret_client->pid == 0) {
		close(go[1]);
		tell_fd = said[1];
		child(life, go[0]);
	}
	close(go[0]);
	close(said[1]);
	ret_client->go = go[1];
	ret_client->said = said[0];
	ret_client->pidfd = (int)syscall(SYS_pidfd_open, ret_client->pid, 0);
	cr_assert_geq(ret_client->pidfd, 0);
	ret_client->control_fd = -1;
	ret_client->control = NULL;
}

static void enrol(struct client *client, uint64_t id)
{
	const uint32_t first[2] = {40, TTLOG_WARN}; /* the freeze word is even: not frozen */

	client->id = id;
	cr_assert_eq(watch_add(watch, client->pidfd, id, first, sizeof(first), &client->control_fd),
		     0);
	client->control =
		mmap(NULL, sizeof(*client->control), PROT_READ, MAP_SHARED, client->control_fd, 0);
	cr_assert_neq(client->control, MAP_FAILED);
	watch_settle(watch);
	cr_assert_eq(client->control->freeze, 40);
	cr_assert_eq(client->control->level, TTLOG_WARN);
}

static void let_go(struct client *client)
{
	cr_assert_eq(write(client->go, "", 1), 1);
	close(client->go);
	client->go = -1;
}

static void start(struct client *ret_client, void (*life)(void))
{
	spawn(ret_client, life);
	enrol(ret_client, 0x1234567800000001u);
	let_go(ret_client);
}

/* All events are in the ring buffer before the parent can reap. */
static __attribute__((unused)) int reap(struct client *client)
{
	int status = -1;

	cr_assert_eq(waitpid(client->pid, &status, 0), client->pid);
	cr_assert_geq(watch_dispatch(watch), 0);
	cr_assert_eq(watch_lost(watch), 0);
	return status;
}

static void finish(struct client *client)
{
	watch_remove(watch, client->pidfd, client->id);
	if (client->control)
		munmap((void *)(uintptr_t)client->control, sizeof(*client->control));
	if (client->control_fd >= 0)
		close(client->control_fd);
	close(client->pidfd);
	close(client->said);
	if (client->go >= 0)
		close(client->go);
}

static unsigned int count_of(uint32_t kind)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < seen.count; i++)
		count += seen.event[i].kind == kind;
	return count;
}

/* The only event of that kind. */
static const struct ttlog_bpf_event *only(uint32_t kind)
{
	const struct ttlog_bpf_event *found = NULL;

	cr_assert_eq(count_of(kind), 1, "%u events of kind %u, not one", count_of(kind), kind);
	for (unsigned int i = 0; i < seen.count; i++)
		if (seen.event[i].kind == kind)
			found = &seen.event[i];
	return found;
}

/* What must be true of every death. */
static __attribute__((unused)) const struct ttlog_bpf_event *check_death(const struct client *client, int status)
{
	const struct ttlog_bpf_event *death = only(TTLOG_BPF_DEATH);

	cr_assert_eq(death->client_id, client->id);
	cr_assert_eq(death->exit_code, status, "the kernel program says %#x, wait() %#x",
		     (unsigned int)death->exit_code, (unsigned int)status);
	cr_assert_eq(death->target.pid, (uint32_t)client->pid);
	cr_assert_eq(client->control->freeze, 41);
	cr_assert_eq(client->control->level, TTLOG_WARN);
	if (death->flags & TTLOG_BPF_HAS_SIGNAL) {
		cr_assert_leq(death->signal_time_ns, death->time_ns);
		cr_assert_gt(death->signal_time_ns, 0);
	}
	return death;
}

#endif
