/* SPDX-License-Identifier: MIT */
/*
 * clients_by_hand.h - for the tests of clients.c: the table of clients in this process, and a client
 * whose life is in our hands, with the kernel program's words made up.
 */
#ifndef TESTS_CLIENTS_BY_HAND_H
#define TESTS_CLIENTS_BY_HAND_H

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "recorder/client.h"
#include "recorder/listener.h"
#include "tests/hello_by_hand.h"

static char folder[64], path[100], dumps[100];
static struct recorder_parts {
	struct loop *loop;
	struct workers *makers, *writers;
	struct store store;
	struct dumper dumper;
	struct listener listener;
	struct calibration *calibration;
	struct clients *clients;
} parts;

static void open_clients(bool dump_on_exit)
{
	const struct clients_config config = {
		.loop = parts.loop,
		.makers = parts.makers,
		.dumper = &parts.dumper,
		.count_max = 16,
		.region_bytes_max = 2 << 20,
		.memory_bytes_max = 64 << 20,
		.hello_timeout_ms = 50,
		.dump_on_exit = dump_on_exit,
	};

	cr_assert_eq(clients_open(&parts.clients, &config), 0);
	cr_assert_eq(clients_listen(parts.clients, parts.listener.fd), 0);
}

static void open_parts(void)
{
	strcpy(folder, "/tmp/ttlog-test-clients-XXXXXX");
	cr_assert(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/recorder.sock", folder);
	snprintf(dumps, sizeof(dumps), "%s/dumps", folder);
	cr_assert_eq(loop_open(&parts.loop), 0);
	cr_assert_eq(workers_open(&parts.makers, parts.loop, 1), 0);
	cr_assert_eq(workers_open(&parts.writers, parts.loop, 2), 0);
	cr_assert_eq(store_open(&parts.store, dumps), 0);
	cr_assert_eq(listener_open(&parts.listener, path), 0);
	cr_assert_eq(calibration_open(&parts.calibration, parts.loop), 0);
	dumper_init(&parts.dumper, parts.writers, &parts.store, parts.calibration, "test");
	open_clients(false);
}

static void close_parts(void)
{
	char command[128];

	clients_unlisten(parts.clients);
	listener_close(&parts.listener);
	workers_close(parts.makers);
	workers_close(parts.writers);
	clients_close(parts.clients);
	store_close(&parts.store);
	calibration_close(parts.calibration);
	loop_close(parts.loop);
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	cr_assert_eq(system(command), 0);
}

struct peer {
	pid_t pid;
	int region_fd;
	uint64_t id;
};

static void turn(void)
{
	cr_assert_eq(loop_once(parts.loop, BY_HAND_WAIT_MS), 0);
}

/* The only client, or NULL. */
static struct client *only_client(void)
{
	for (uint32_t i = 0; i < parts.clients->config.count_max; i++)
		if (parts.clients->slot[i])
			return parts.clients->slot[i];
	return NULL;
}

static void live_as_a_client(void)
{
	const struct ttlog_hello hello = hello_by_hand("client");
	struct ttlog_welcome welcome;
	int fd, fds[2];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	fd = peer_connect(path);
	if (send(fd, &hello, sizeof(hello), 0) < 0 || receive_welcome(fd, &welcome, fds) <= 0)
		_exit(1);
	for (;;)
		pause();
}

static void start_peer(struct peer *ret_peer)
{
	const uint64_t registered = clients_registered_count(parts.clients);
	struct client *client;

	fflush(NULL);
	ret_peer->pid = fork();
	if (!ret_peer->pid)
		live_as_a_client();
	while (clients_registered_count(parts.clients) == registered)
		turn();
	client = only_client();
	cr_assert_eq(client->pid, ret_peer->pid);
	ret_peer->id = client->id;
}

static void end_peer(struct peer *peer)
{
	kill(peer->pid, SIGKILL);
	cr_assert_eq(waitpid(peer->pid, NULL, 0), peer->pid);
}

static struct ttlog_bpf_event event_of(const struct peer *peer, uint32_t kind, uint32_t flags)
{
	return (struct ttlog_bpf_event){
		.client_id = peer->id,
		.kind = kind,
		.flags = flags,
		.signal = kind == TTLOG_BPF_SIGNAL ? SIGSEGV : 0,
		.target = {.pid = (uint32_t)peer->pid, .tid = (uint32_t)peer->pid},
	};
}

static void tell(const struct peer *peer, uint32_t kind, uint32_t flags)
{
	const struct ttlog_bpf_event event = event_of(peer, kind, flags);

	clients_event(parts.clients, &event);
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

#endif
