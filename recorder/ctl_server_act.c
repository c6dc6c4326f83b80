/* SPDX-License-Identifier: MIT */
/* ctl_server_act.c - level, freeze, thaw and snapshot, for all clients that match, in one go. */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "recorder/ctl_server_parts.h"
#include "recorder/log.h"

/* A service may be called by digits, too. */
static bool is_called(const struct client *client, const char *match)
{
	char pid[16];

	if (!strcmp(match, client->hello.service))
		return true;
	snprintf(pid, sizeof(pid), "%d", (int)client->pid);
	return !strcmp(match, pid);
}

bool ctl_matches(const struct ctl_peer *peer, const struct client *client)
{
	if (client->state != CLIENT_LIVE || !client->subject)
		return false;
	if (!peer->sees_all && client->uid != peer->uid)
		return false;
	return !peer->request.match[0] || is_called(client, peer->request.match);
}

void ctl_note_reach(struct client *client, bool is_reached)
{
	client->reach = is_reached ? CLIENT_REACHED : CLIENT_NOT_REACHED;
}

/*
 * One that was handed its region by a recorder with eBPF looks at a page of that one, which nobody
 * but itself has any more.
 */
static bool can_reach(struct client *client)
{
	const struct subject *subject = client->subject;

	if (client->adopted && client->reach == CLIENT_REACH_UNKNOWN)
		ctl_note_reach(client,
			       identity_maps_region_at(client->pid, subject->inode,
						       subject->geometry.control_offset) == 1);
	return client->reach != CLIENT_NOT_REACHED;
}

static int set_level(struct client *client, uint32_t level)
{
	atomic_store_explicit((_Atomic uint32_t *)&client_control(client)->level, level,
			      memory_order_relaxed);
	return 0;
}

/* *ret_number is that of the dump. */
static int snapshot(const struct ctl_peer *peer, struct client *client, uint64_t *ret_number)
{
	const char *called = peer->request.reason;
	const struct dumper *dumper = client->clients->config.dumper;
	const uint64_t before = dumper->submitted;
	struct occasion occasion = {.kind = OCCASION_OPERATOR, .uid = peer->uid};
	char reason[DUMPER_REASON_BYTES];
	int err;

	if (!client_may_snapshot(client))
		return -EBUSY;
	snprintf(reason, sizeof(reason), "control%s%s", called[0] ? "-" : "", called);
	snprintf(occasion.called, sizeof(occasion.called), "%s", called);
	log_clean(occasion.called, LOG_CLEAN_LINE);
	err = deaths_snapshot(client, reason, &occasion);
	if (err)
		return err;
	/* What is shed has no number, and nobody would ever hear of it. */
	if (dumper->submitted == before)
		return -ECANCELED;
	*ret_number = dumper->submitted;
	return 0;
}

static int act(const struct ctl_peer *peer, struct client *client, uint64_t *ret_number)
{
	const struct ctl_request *request = &peer->request;

	*ret_number = 0;
	if (client->dead)
		return -ESRCH;
	if (!client->subject->base)
		return -EAGAIN;
	if (request->verb != CTL_SNAPSHOT && !can_reach(client))
		return -EOPNOTSUPP;
	switch (request->verb) {
	case CTL_LEVEL:
		return set_level(client, request->level);
	case CTL_FREEZE:
		deaths_hold(client);
		return 0;
	case CTL_THAW:
		deaths_release(client);
		return 0;
	case CTL_SNAPSHOT:
		return snapshot(peer, client, ret_number);
	default:
		return -EINVAL;
	}
}

static void put_row(struct ctl_peer *peer, pid_t pid, const char *service, int err,
		    const char *path)
{
	const size_t at = ctl_packet_begin(peer);
	struct pack_map map = pack_map_begin(&peer->out);

	pack_pair_string(&peer->out, &map, "service", service);
	pack_pair_uint(&peer->out, &map, "pid", (uint64_t)pid);
	if (path)
		pack_pair_string(&peer->out, &map, "path", path);
	if (err)
		pack_pair_int(&peer->out, &map, "error", err);
	pack_map_end(&peer->out, &map);
	ctl_packet_end(peer, at);
}

/* Its row comes when the dump is written. Without memory for that, now. */
static void wait_for(struct ctl_peer *peer, const struct client *client, uint64_t number)
{
	struct ctl_wait *more = peer->wait;

	if (!(peer->wait_count & (peer->wait_count - 1))) {
		const size_t count = peer->wait_count ? 2 * (size_t)peer->wait_count : 1;

		more = realloc(peer->wait, count * sizeof(*more));
	}
	if (!more) {
		put_row(peer, client->pid, client->hello.service, -ENOMEM, NULL);
		return;
	}
	peer->wait = more;
	more += peer->wait_count++;
	*more = (struct ctl_wait){.number = number, .pid = client->pid};
	memcpy(more->service, client->hello.service, sizeof(more->service));
	peer->waiting++;
}

void ctl_act(struct ctl_peer *peer)
{
	const struct clients *clients = peer->server->recorder->clients;
	const struct ctl_request *request = &peer->request;
	uint64_t number, failed = 0;

	for (uint32_t i = 0; i < clients->config.count_max; i++) {
		struct client *client = clients->slot[i];
		int err;

		if (!client || !ctl_matches(peer, client))
			continue;
		err = act(peer, client, &number);
		peer->matched++;
		failed += err != 0;
		if (!err && request->wait && number)
			wait_for(peer, client, number);
		else
			put_row(peer, client->pid, client->hello.service, err, NULL);
	}
	if (peer->matched)
		log_limited(LOG_LEVEL_SAY, "control: uid %u (pid %d): %s %s%s%s: %llu process%s%s",
			    peer->uid, (int)peer->pid, ctl_verb_name(request->verb), request->match,
			    request->verb == CTL_LEVEL ? " " : "",
			    request->verb == CTL_LEVEL ? ctl_level_name(request->level) : "",
			    (unsigned long long)peer->matched, peer->matched == 1 ? "" : "es",
			    failed ? ", not all of them could be" : "");
	if (!peer->waiting)
		ctl_answer_end(peer, 0);
}

static void tell(struct ctl_peer *peer, uint64_t number, int err, const char *path)
{
	/* Numbers go up: so does what a peer waits for. */
	for (uint32_t i = 0; i < peer->wait_count; i++) {
		struct ctl_wait *wait = &peer->wait[i];

		if (wait->number != number)
			continue;
		wait->number = 0;
		put_row(peer, wait->pid, wait->service, err, err ? NULL : path);
		if (!--peer->waiting)
			ctl_answer_end(peer, 0);
		ctl_peer_pump(peer);
		return;
	}
}

void ctl_told(void *context, uint64_t number, int err, const char *path)
{
	struct ctl_server *server = context;

	/* From the last: one that goes changes places with it. A dump has one who waits for it. */
	for (uint32_t i = server->peer_count; i-- > 0;)
		if (server->peer[i]->waiting)
			tell(server->peer[i], number, err, path);
}
