/* SPDX-License-Identifier: MIT */
/*
 * snapshots.c - what clients ask for, rationed: by their socket, or, when they were adopted, through
 * a new one for that message alone.
 *
 * Whose it is then is what the kernel says of who has connected. By the time that we come to it the
 * process may be gone and its pid another client's: that one gets a snapshot, rationed as its own
 * are, and nobody has learned anything. Who asks before he is adopted waits for that as long as a
 * peer may be silent; he holds a place among the clients meanwhile, and no descriptor but the one by
 * which he waits for the dump, if he does. Who only has news of his ledger does not wait: it is
 * looked at when he is adopted.
 */
#include <errno.h>
#include <stdio.h>

#include "recorder/client.h"
#include "recorder/counters.h"
#include "recorder/log.h"
#include "recorder/now.h"

#define SNAPSHOTS_A_SECOND 10

/* The counts of messages and of snapshots are those of this second. */
void client_ration(struct client *client)
{
	const uint64_t now = now_ns(CLOCK_MONOTONIC_COARSE);

	if (now - client->ration_start_ns >= UINT64_C(1000000000)) {
		client->ration_start_ns = now;
		client->messages = client->snapshots = 0;
	}
}

bool client_may_snapshot(struct client *client)
{
	client_ration(client);
	return ++client->snapshots <= SNAPSHOTS_A_SECOND;
}

/* *ret_number is that of the dump. */
static int take(struct client *client, const char *called, uint64_t *ret_number)
{
	const struct dumper *dumper = client->clients->config.dumper;
	struct occasion occasion = {.kind = OCCASION_PROGRAM};
	char reason[DUMPER_REASON_BYTES];
	uint64_t before;
	int err;

	if (!client_may_snapshot(client))
		return -EBUSY;
	if (!client->subject->base)
		return -EAGAIN;
	before = dumper->submitted;
	snprintf(reason, sizeof(reason), "snapshot-%s", called);
	snprintf(occasion.called, sizeof(occasion.called), "%s", called);
	log_clean(occasion.called, LOG_CLEAN_LINE);
	err = deaths_snapshot(client, reason, &occasion);
	*ret_number = dumper->submitted;
	/* What is shed has no number, and nobody would ever hear of it. */
	return !err && *ret_number == before ? -ECANCELED : err;
}

void client_take_snapshot(struct client *client, const struct hello_message *message, int answer_fd)
{
	uint64_t number = 0;
	const int err = take(client, message->reason, &number);

	if (err) {
		client->snapshots_refused++;
		counters.snapshots_refused++;
	}
	snapshot_wait_begin(client, answer_fd, err, number);
}

/* It asked by a connection of its own, and waits by what it sent then. */
static void take_from(struct client *client, struct client *peer)
{
	const int answer_fd = peer->answer_fd;

	peer->answer_fd = -1;
	client_take_snapshot(client, &peer->hello, answer_fd);
	client_free(peer);
}

/* ---- without a socket ---------------------------------------------------------------------- */

static struct client *find(const struct clients *clients, pid_t pid)
{
	for (uint32_t i = 0; i < clients->config.count_max; i++) {
		struct client *client = clients->slot[i];

		if (client && client->state == CLIENT_LIVE && client->pid == pid && !client->dead)
			return client;
	}
	return NULL;
}

void snapshots_ask(struct client *peer)
{
	const int err = peer_identify(peer);
	struct client *client;

	client_hang_up(peer);
	if (err) {
		counters_refuse(err);
		client_free(peer);
		return;
	}
	client = find(peer->clients, peer->pid);
	if (peer->hello.kind == TTLOG_MESSAGE_NOTICE) {
		/* Who is adopted later is looked at then. */
		if (client)
			heartbeat_look(client);
		client_free(peer);
		return;
	}
	peer->wants_snapshot = true;
	if (!client)
		return;
	take_from(client, peer);
}

void snapshots_answer(struct client *client)
{
	const struct clients *clients = client->clients;

	for (uint32_t i = 0; i < clients->config.count_max; i++) {
		struct client *peer = clients->slot[i];

		if (!peer || !peer->wants_snapshot || peer->pid != client->pid)
			continue;
		take_from(client, peer);
	}
}
