/* SPDX-License-Identifier: MIT */
/*
 * ask.c - "why did I die?", asked on a connection that never becomes a client.
 *
 * Who asks is told of his own user's processes only. A service manager may have started him before
 * we were told of the end that he asks about: what the kernel program has said is taken first, and an
 * end that is becoming known is waited for.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "recorder/client.h"
#include "recorder/counters.h"
#include "recorder/last_deaths.h"
#include "recorder/watch.h"

/* Longer than it takes for an end to be known; whoever asks has less patience anyway. */
#define ANSWER_MS 1000
#define LOOKS_A_SECOND 100

static const struct last_deaths *deaths_of(const struct client *client)
{
	return client->clients->config.dumper->last_deaths;
}

static bool is_asked_about(const struct client *asker, const struct client *client)
{
	return client && client->state == CLIENT_LIVE &&
	       client->subject->identity.uid == asker->uid &&
	       !strcmp(client->hello.service, asker->hello.service);
}

/* Is one of them dead, and its end not known yet? */
static bool must_wait(const struct client *asker)
{
	const struct clients *clients = asker->clients;

	if (!last_deaths_settled(deaths_of(asker)))
		return true;
	for (uint32_t i = 0; clients->dying && i < clients->config.count_max; i++)
		if (is_asked_about(asker, clients->slot[i]) && clients->slot[i]->dead)
			return true;
	return false;
}

/* Ends the asker. One message always has room in its socket. */
static void answer(struct client *asker)
{
	const struct ttlog_death_answer *known =
		last_deaths_find(deaths_of(asker), asker->uid, asker->hello.service);
	struct ttlog_death_answer message = {.status = -ENOENT};

	if (known)
		message = *known;
	message.head = (struct ttlog_message_head){
		.magic = TTLOG_MESSAGE_MAGIC,
		.version = TTLOG_ABI_VERSION,
		.kind = TTLOG_MESSAGE_DEATH,
		.bytes = sizeof(message),
	};
	send(asker->socket_fd, &message, sizeof(message), MSG_DONTWAIT | MSG_NOSIGNAL);
	counters.last_deaths_asked++;
	client_free(asker);
}

static void waited_enough(void *context)
{
	answer(context);
}

bool ask_is_fork(const struct client *client)
{
	const struct clients *clients = client->clients;

	for (uint32_t i = 0; i < clients->config.count_max; i++) {
		const struct client *other = clients->slot[i];

		if (other && other != client && other->state == CLIENT_LIVE &&
		    (uint32_t)other->pid == client->subject->identity.ppid &&
		    other->subject->identity.uid == client->subject->identity.uid &&
		    !strcmp(other->hello.service, client->hello.service))
			return true;
	}
	return false;
}

/* For each question each of its clients: who asks all the time has no more of ours than that. */
static bool may_look(struct quota_user *user)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	if (user->looks_at_s != (uint64_t)now.tv_sec) {
		user->looks_at_s = (uint64_t)now.tv_sec;
		user->looks = 0;
	}
	return user->looks++ < LOOKS_A_SECOND;
}

/* The kernel program has said it before anybody could have started the next one. */
static void look(struct client *asker)
{
	struct clients *clients = asker->clients;

	if (clients->watch)
		watch_dispatch(clients->watch);
	for (uint32_t i = 0; i < clients->config.count_max; i++)
		if (is_asked_about(asker, clients->slot[i]) && !clients->slot[i]->watched)
			deaths_look(clients->slot[i]);
}

void ask(struct client *asker)
{
	struct clients *clients = asker->clients;

	if (may_look(asker->user))
		look(asker);
	/* What comes now is that he hangs up, or more than he is to say. */
	if (!must_wait(asker) || loop_modify(asker->socket_source, 0)) {
		answer(asker);
		return;
	}
	asker->asks = true;
	clients->asking++;
	loop_timer_set(clients->config.loop, &asker->timer, ANSWER_MS, waited_enough, asker);
}

void clients_answer(struct clients *clients)
{
	for (uint32_t i = 0; clients->asking && i < clients->config.count_max; i++) {
		struct client *client = clients->slot[i];

		if (client && client->asks && !must_wait(client))
			answer(client);
	}
}
