/* SPDX-License-Identifier: MIT */
/*
 * ctl_server_region.c - hands out a living region, for whoever wants to watch it himself.
 *
 * To look costs us nothing then: one descriptor, opened anew so that it can be read and nothing
 * else, the pidfd, by which the asker sees the end without asking, and what ticks mean. Who may ask
 * is as with all other questions; a process that he could not have read himself is none of his.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "recorder/ctl_server_parts.h"
#include "recorder/last_deaths.h"

/* The newest that matches and is alive; all that do are counted. */
static struct client *newest(struct ctl_peer *peer)
{
	const struct clients *clients = peer->server->recorder->clients;
	struct client *found = NULL;

	for (uint32_t i = 0; i < clients->config.count_max; i++) {
		struct client *client = clients->slot[i];

		if (!client || !ctl_matches(peer, client) || client->dead)
			continue;
		peer->matched++;
		if (!found || client->id >> 16 > found->id >> 16)
			found = client;
	}
	return found;
}

/* 0 or a negative errno. Both, or none. */
static int take_descriptors(const struct client *client, int hand[CTL_FDS])
{
	char path[40];

	if (client->hold_fd < 0 || client->pidfd < 0 || !client->subject->base)
		return -EOPNOTSUPP;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", client->hold_fd);
	hand[0] = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (hand[0] < 0)
		return -errno;
	hand[1] = fcntl(client->pidfd, F_DUPFD_CLOEXEC, 0);
	if (hand[1] < 0) {
		const int err = -errno;

		close(hand[0]);
		hand[0] = -1;
		return err;
	}
	return 0;
}

/* As in the head of its dumps: of a counter that we don't use, what it was when the process came.
 */
static void put_clock(struct pack *pack, struct pack_map *map, const struct ctl_peer *peer,
		      const struct subject *subject)
{
	struct timeline timeline;

	calibration_copy(peer->server->recorder->calibration, &timeline);
	if (subject->clock_source != timeline.source &&
	    subject->clock_source != TTLOG_CLOCK_MONOTONIC) {
		timeline_init(&timeline, subject->clock_source, 0);
		timeline_add(&timeline, &subject->clock, 0);
	}
	pack_pair_uint(pack, map, "clock_source", subject->clock_source);
	pack_pair_uint(pack, map, "points_source", timeline.source);
	pack_pair_uint(pack, map, "clock_hz", timeline.hz);
	pack_key(pack, map, "clock");
	pack_array(pack, 3 * (size_t)timeline.count);
	for (uint32_t i = 0; i < timeline.count; i++) {
		pack_uint(pack, timeline.point[i].ticks);
		pack_uint(pack, timeline.point[i].monotonic_ns);
		pack_uint(pack, timeline.point[i].realtime_ns);
	}
}

void ctl_hand_region(struct ctl_peer *peer)
{
	const struct client *client = newest(peer);
	const size_t at = peer->out.bytes;
	struct pack_map map;
	int err;

	if (client) {
		ctl_packet_begin(peer);
		err = take_descriptors(client, peer->hand);
		map = pack_map_begin(&peer->out);
		pack_pair_string(&peer->out, &map, "service", client->hello.service);
		pack_pair_uint(&peer->out, &map, "pid", (uint64_t)client->pid);
		pack_pair_uint(&peer->out, &map, "uid", client->uid);
		pack_pair_string(&peer->out, &map, "hostname",
				 peer->server->recorder->dumper.hostname);
		if (err)
			pack_pair_int(&peer->out, &map, "error", err);
		else
			put_clock(&peer->out, &map, peer, client->subject);
		pack_map_end(&peer->out, &map);
		ctl_packet_end(peer, at);
	}
	ctl_answer_end(peer, 0);
}

void ctl_tell_death(struct ctl_peer *peer)
{
	const struct recorder *recorder = peer->server->recorder;
	const unsigned long pid = strtoul(peer->request.match, NULL, 10);
	const struct ttlog_death_answer *answer;
	const size_t at = peer->out.bytes;
	const char *service = "";
	struct pack_map map;
	uid_t uid = 0;

	answer = pid <= INT32_MAX
			 ? last_deaths_of_pid(recorder->last_deaths, (uint32_t)pid, &uid, &service)
			 : NULL;
	if (answer && (peer->sees_all || uid == peer->uid)) {
		peer->matched = 1;
		ctl_packet_begin(peer);
		map = pack_map_begin(&peer->out);
		pack_pair_string(&peer->out, &map, "service", service);
		pack_pair_uint(&peer->out, &map, "pid", answer->pid);
		pack_pair_uint(&peer->out, &map, "died_ns", answer->died_ns);
		pack_pair_string(&peer->out, &map, "sentence", answer->sentence);
		pack_pair_string(&peer->out, &map, "path", answer->dump);
		pack_map_end(&peer->out, &map);
		ctl_packet_end(peer, at);
	}
	ctl_answer_end(peer, 0);
}
