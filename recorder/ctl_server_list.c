/* SPDX-License-Identifier: MIT */
/*
 * ctl_server_list.c - list and status: a few rows at a time, so that an answer takes no memory
 * however many clients there are, and is as fast as it is read.
 *
 * A look into a region is by a worker, on a mapping of its own: a subject that somebody holds could
 * not be exchanged for the region that its client offers, and one that nobody holds may go.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "recorder/ctl_server_parts.h"

/* ---- the worker's part ------------------------------------------------------------------ */

/*
 * Of the same process, as its start says. Fields of /proc/PID/stat behind the name, which may hold
 * anything: the 20th is the count of threads, the 22nd the start.
 */
static uint32_t count_threads(pid_t pid, uint64_t start_ticks)
{
	char path[32], text[1024];
	const char *at;
	uint64_t start;
	uint32_t threads;
	ssize_t count;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	count = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (count <= 0)
		return 0;
	text[count] = '\0';
	at = strrchr(text, ')');
	if (!at ||
	    sscanf(at + 1,
		   " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %" SCNu32
		   " %*d %" SCNu64,
		   &threads, &start) != 2)
		return 0;
	return start == start_ticks ? threads : 0;
}

/* A client may trust a counter that we do not: then what it ticks like is known since it came. */
static void take_glance(struct ctl_server *server, struct ctl_look *look)
{
	struct ttlog_clock_point points[2] = {look->clock};
	struct ttlog_clock_line line = {
		.source = look->clock_source, .point_count = 2, .point = points};

	if (look->clock_source == server->timeline.source ||
	    look->clock_source == TTLOG_CLOCK_MONOTONIC)
		line = timeline_line(&server->timeline, look->clock_source);
	else
		ttlog_clock_read(look->clock_source, &points[1]);
	glance_take(look->base, &look->geometry, &line, &look->glance);
	look->is_seen = true;
}

static void look_in_worker(struct workers_job *job)
{
	struct ctl_server *server =
		(struct ctl_server *)(void *)((char *)job - offsetof(struct ctl_server, job));

	calibration_copy(server->recorder->calibration, &server->timeline);
	for (uint32_t i = 0; i < server->look_count; i++) {
		struct ctl_look *look = &server->look[i];

		if (look->base) {
			take_glance(server, look);
			munmap(look->base, look->geometry.region_bytes);
		}
		look->threads = count_threads(look->pid, look->start_ticks);
		if (look->asks_reach)
			look->is_reached = identity_maps_region_at(look->pid, look->inode,
								   look->geometry.control_offset) ==
					   1;
	}
}

/* ---- the loop's part -------------------------------------------------------------------- */

static void start_next(struct ctl_server *server);

static struct client *find(const struct clients *clients, uint64_t id)
{
	struct client *client = clients->slot[id & 0xffff];

	return client && client->id == id && client->state == CLIENT_LIVE ? client : NULL;
}

static void looked(struct workers_job *job)
{
	struct ctl_server *server =
		(struct ctl_server *)(void *)((char *)job - offsetof(struct ctl_server, job));
	struct ctl_peer *peer = server->job_peer;

	server->job_runs = false;
	server->job_peer = NULL;
	for (uint32_t i = 0; peer && i < server->look_count; i++) {
		struct client *client = find(server->recorder->clients, server->look[i].client_id);
		size_t at;

		if (!client || !ctl_matches(peer, client))
			continue;
		if (server->look[i].asks_reach)
			ctl_note_reach(client, server->look[i].is_reached);
		at = ctl_packet_begin(peer);
		ctl_row_client(&peer->out, client, &server->look[i],
			       peer->request.verb == CTL_STATUS);
		ctl_packet_end(peer, at);
		peer->matched++;
	}
	start_next(server);
	if (peer) {
		peer->is_looking = false;
		ctl_peer_pump(peer);
	}
}

static void fill_look(struct ctl_look *look, const struct client *client)
{
	const struct subject *subject = client->subject;
	void *base = MAP_FAILED;

	/* An old size of 0 maps the same pages once more. */
	if (subject->base)
		base = mremap(subject->base, 0, subject->geometry.region_bytes, MREMAP_MAYMOVE);
	*look = (struct ctl_look){
		.client_id = client->id,
		.base = base == MAP_FAILED ? NULL : base,
		.geometry = subject->geometry,
		.clock_source = subject->clock_source,
		.clock = subject->clock,
		.pid = client->pid,
		.start_ticks = subject->identity.start_ticks,
		.inode = subject->inode,
		.asks_reach = client->adopted && client->reach == CLIENT_REACH_UNKNOWN,
	};
}

/* The next few clients that match; the count of them. */
static uint32_t gather(struct ctl_server *server, struct ctl_peer *peer)
{
	const struct clients *clients = server->recorder->clients;

	server->look_count = 0;
	while (peer->next_slot < clients->config.count_max && server->look_count < CTL_LOOKS) {
		const struct client *client = clients->slot[peer->next_slot++];

		if (client && ctl_matches(peer, client))
			fill_look(&server->look[server->look_count++], client);
	}
	return server->look_count;
}

static void start_next(struct ctl_server *server)
{
	while (server->looking && !server->job_runs) {
		struct ctl_peer *peer = server->looking;

		server->looking = peer->next_looking;
		if (!server->looking)
			server->looking_last = &server->looking;
		if (!server->closing && gather(server, peer)) {
			server->job = (struct workers_job){.run = look_in_worker, .done = looked};
			server->job_peer = peer;
			server->job_runs = true;
			workers_submit(server->recorder->makers, &server->job);
			return;
		}
		peer->is_looking = false;
		ctl_answer_end(peer, server->closing ? -ESHUTDOWN : 0);
		ctl_peer_pump(peer);
	}
}

void ctl_list_more(struct ctl_peer *peer)
{
	struct ctl_server *server = peer->server;

	if (peer->is_looking || !peer->asked)
		return;
	peer->is_looking = true;
	peer->next_looking = NULL;
	*server->looking_last = peer;
	server->looking_last = &peer->next_looking;
	start_next(server);
}

void ctl_list_forget(struct ctl_peer *peer)
{
	struct ctl_server *server = peer->server;

	if (server->job_peer == peer)
		server->job_peer = NULL;
	for (struct ctl_peer **at = &server->looking; *at; at = &(*at)->next_looking) {
		if (*at != peer)
			continue;
		*at = peer->next_looking;
		if (!*at)
			server->looking_last = at;
		return;
	}
}
