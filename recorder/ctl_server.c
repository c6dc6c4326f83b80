/* SPDX-License-Identifier: MIT */
/* ctl_server.c - the control socket's connections: one question each, bounded in every way. */
#include "recorder/ctl_server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "recorder/ctl_server_parts.h"
#include "recorder/log.h"
#include "recorder/now.h"

#define QUESTION_TIMEOUT_MS 5000
#define READING_TIMEOUT_MS 10000
#define ACCEPTS_A_TURN 8
#define ACCEPT_PAUSE_MS 100
#define OUT_BYTES 4096
#define LENGTH_BYTES sizeof(uint32_t)

static void close_hand(struct ctl_peer *peer)
{
	for (unsigned int i = 0; i < CTL_FDS; i++) {
		if (peer->hand[i] >= 0)
			close(peer->hand[i]);
		peer->hand[i] = -1;
	}
}

static void peer_free(struct ctl_peer *peer)
{
	struct ctl_server *server = peer->server;

	ctl_list_forget(peer);
	loop_timer_clear(&peer->timer);
	loop_remove(peer->source);
	close(peer->fd);
	close_hand(peer);
	pack_fini(&peer->out);
	free(peer->wait);
	for (uint32_t i = 0; i < server->peer_count; i++)
		if (server->peer[i] == peer)
			server->peer[i] = server->peer[--server->peer_count];
	free(peer);
}

static void too_slow(void *context)
{
	const struct ctl_peer *peer = context;

	log_detail("control: uid %u (pid %d) %s for too long and was dropped", peer->uid,
		   (int)peer->pid, peer->asked ? "did not read its answer" : "asked nothing");
	peer_free(context);
}

/* ---- what is sent ----------------------------------------------------------------------- */

size_t ctl_packet_begin(struct ctl_peer *peer)
{
	const size_t at = peer->out.bytes;

	if (pack_room(&peer->out, LENGTH_BYTES))
		peer->out.bytes += LENGTH_BYTES;
	return at;
}

void ctl_packet_end(struct ctl_peer *peer, size_t at)
{
	const uint32_t length = (uint32_t)(peer->out.bytes - at - LENGTH_BYTES);

	if (peer->out.error)
		return;
	if (length > CTL_ANSWER_BYTES_MAX)
		peer->out.error = -E2BIG;
	else
		memcpy(peer->out.data + at, &length, LENGTH_BYTES);
}

void ctl_answer_end(struct ctl_peer *peer, int status)
{
	const size_t at = ctl_packet_begin(peer);
	struct pack_map map = pack_map_begin(&peer->out);

	pack_pair_bool(&peer->out, &map, "end", true);
	pack_key(&peer->out, &map, "status");
	pack_int(&peer->out, status);
	pack_pair_uint(&peer->out, &map, "matched", peer->matched);
	pack_map_end(&peer->out, &map);
	ctl_packet_end(peer, at);
	peer->ended = true;
}

static ssize_t send_packet(struct ctl_peer *peer, const unsigned char *data, size_t bytes)
{
	_Alignas(struct cmsghdr) char room[CMSG_SPACE(sizeof(peer->hand))] = {0};
	struct iovec piece = {.iov_base = (void *)(uintptr_t)data, .iov_len = bytes};
	struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
	ssize_t sent;

	if (peer->hand[0] >= 0) {
		struct cmsghdr *rights;

		message.msg_control = room;
		message.msg_controllen = sizeof(room);
		rights = CMSG_FIRSTHDR(&message);
		rights->cmsg_level = SOL_SOCKET;
		rights->cmsg_type = SCM_RIGHTS;
		rights->cmsg_len = CMSG_LEN(sizeof(peer->hand));
		memcpy(CMSG_DATA(rights), peer->hand, sizeof(peer->hand));
	}
	sent = sendmsg(peer->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sent >= 0)
		close_hand(peer);
	return sent;
}

/* 1: all of it is sent, 0: the socket is full, or a negative errno. */
static int send_packets(struct ctl_peer *peer)
{
	while (peer->sent < peer->out.bytes) {
		const unsigned char *at = peer->out.data + peer->sent;
		uint32_t length;

		memcpy(&length, at, LENGTH_BYTES);
		if (send_packet(peer, at + LENGTH_BYTES, length) < 0)
			return errno == EAGAIN ? 0 : -errno;
		peer->sent += LENGTH_BYTES + length;
	}
	peer->out.bytes = peer->sent = 0;
	return 1;
}

void ctl_peer_pump(struct ctl_peer *peer)
{
	struct loop *loop = peer->server->recorder->loop;
	int sent = peer->out.error ? peer->out.error : send_packets(peer);

	if (sent >= 0 && loop_modify(peer->source, sent ? 0 : EPOLLOUT))
		sent = -EIO;
	if (sent < 0 || (sent && peer->ended)) {
		peer_free(peer);
		return;
	}
	if (!sent) {
		loop_timer_set(loop, &peer->timer, READING_TIMEOUT_MS, too_slow, peer);
		return;
	}
	/* It waits for us now. */
	loop_timer_clear(&peer->timer);
	if (!peer->waiting)
		ctl_list_more(peer);
}

/* ---- what is asked ---------------------------------------------------------------------- */

static void answer(struct ctl_peer *peer)
{
	struct ctl_request *request = &peer->request;

	if (peer->server->closing) {
		ctl_answer_end(peer, -ESHUTDOWN);
	} else if (request->verb == CTL_STATUS && !request->match[0]) {
		const size_t at = ctl_packet_begin(peer);

		ctl_row_recorder(&peer->out, peer);
		ctl_packet_end(peer, at);
		peer->matched = 1;
		ctl_answer_end(peer, 0);
	} else if (request->verb == CTL_REGION) {
		ctl_hand_region(peer);
	} else if (request->verb == CTL_DEATH) {
		ctl_tell_death(peer);
	} else if (request->verb >= CTL_LEVEL) {
		ctl_act(peer);
	}
	ctl_peer_pump(peer);
}

static void take_question(struct ctl_peer *peer)
{
	char bytes[CTL_REQUEST_BYTES_MAX + 1];
	const ssize_t count = recv(peer->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
	int err;

	if (count < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (count <= 0) {
		peer_free(peer);
		return;
	}
	peer->asked = true;
	err = ctl_request_check(bytes, (size_t)count, &peer->request);
	if (err) {
		log_detail("control: uid %u (pid %d) asked nothing that makes sense: %s", peer->uid,
			   (int)peer->pid, strerror(-err));
		ctl_answer_end(peer, err);
		ctl_peer_pump(peer);
		return;
	}
	answer(peer);
}

/* What comes after the question is not read; a peer that hangs up wants no answer any more. */
static void peer_ready(void *context, uint32_t events)
{
	struct ctl_peer *peer = context;

	if (!peer->asked && (events & EPOLLIN))
		take_question(peer);
	else if (events & (EPOLLHUP | EPOLLERR))
		peer_free(peer);
	else if (events & EPOLLOUT)
		ctl_peer_pump(peer);
}

/* ---- who connects ----------------------------------------------------------------------- */

static bool has_room(const struct ctl_server *server, const struct ctl_peer *peer)
{
	uint32_t others = 0, of_one = 0;

	if (server->peer_count >= CTL_PEERS_MAX)
		return false;
	for (uint32_t i = 0; i < server->peer_count; i++) {
		others += !server->peer[i]->sees_all;
		of_one += server->peer[i]->uid == peer->uid;
	}
	return peer->sees_all || (others < CTL_PEERS_OTHERS_MAX && of_one < CTL_PEERS_OF_ONE_MAX);
}

/* Somebody who is not let in learns why, if it fits the empty buffer of his socket. */
static void turn_away(struct ctl_peer *peer, int status)
{
	if (!pack_init(&peer->out, OUT_BYTES, OUT_BYTES)) {
		ctl_answer_end(peer, status);
		if (!peer->out.error)
			send_packets(peer);
		pack_fini(&peer->out);
	}
	log_detail("control: uid %u (pid %d) is turned away: %s", peer->uid, (int)peer->pid,
		   strerror(-status));
	close(peer->fd);
}

/*
 * Users who have no number here all have the same one: nobody can tell whose process is whose.
 * Linux' default, which next to nobody changes.
 */
#define OVERFLOW_UID 65534u

static bool is_nobody_in_particular(uid_t uid)
{
	unsigned int inside, outside, count = 0;
	FILE *map;

	if (uid != OVERFLOW_UID)
		return false;
	map = fopen("/proc/self/uid_map", "re");
	if (map && fscanf(map, "%u %u %u", &inside, &outside, &count) != 3)
		count = 0;
	if (map)
		fclose(map);
	return count != UINT32_MAX;
}

static void take_peer(struct ctl_server *server, int fd)
{
	struct ctl_peer peer = {.server = server, .fd = fd, .hand = {-1, -1}}, *kept;
	const int room = CTL_ANSWER_BYTES_MAX; /* the kernel doubles it: a packet fits, few do */
	struct ucred credentials;
	socklen_t bytes = sizeof(credentials);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &bytes) ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room))) {
		close(fd);
		return;
	}
	peer.pid = credentials.pid;
	peer.uid = credentials.uid;
	peer.sees_all = !peer.uid || peer.uid == server->owner;
	if (is_nobody_in_particular(peer.uid)) {
		turn_away(&peer, -EACCES);
		return;
	}
	if (!has_room(server, &peer)) {
		turn_away(&peer, -EBUSY);
		return;
	}
	kept = malloc(sizeof(*kept));
	if (!kept || pack_init(&peer.out, OUT_BYTES, CTL_OUT_BYTES_MAX)) {
		free(kept);
		close(fd);
		return;
	}
	*kept = peer;
	server->peer[server->peer_count++] = kept;
	if (loop_add(server->recorder->loop, fd, EPOLLIN, peer_ready, kept, &kept->source))
		peer_free(kept);
	else
		loop_timer_set(server->recorder->loop, &kept->timer, QUESTION_TIMEOUT_MS, too_slow,
			       kept);
}

static void accept_again(void *context)
{
	struct ctl_server *server = context;

	if (server->source)
		loop_modify(server->source, EPOLLIN);
}

static void accept_ready(void *context, uint32_t events)
{
	struct ctl_server *server = context;

	(void)events;
	for (int i = 0; i < ACCEPTS_A_TURN; i++) {
		const int fd =
			accept4(server->listener.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0) {
			take_peer(server, fd);
			continue;
		}
		/* It would be called again at once, for ever. */
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
			loop_modify(server->source, 0);
			loop_timer_set(server->recorder->loop, &server->accept_timer,
				       ACCEPT_PAUSE_MS, accept_again, server);
		}
		return;
	}
}

/* ---- all of it -------------------------------------------------------------------------- */

int ctl_server_open(struct ctl_server **ret_server, struct recorder *recorder, const char *path)
{
	struct ctl_server *server = calloc(1, sizeof(*server));
	int err;

	if (!server)
		return -ENOMEM;
	server->recorder = recorder;
	server->owner = geteuid();
	server->looking_last = &server->looking;
	server->started_ns = now_ns(CLOCK_MONOTONIC);
	server->listener.fd = -1;
	err = listener_open(&server->listener, path);
	if (!err)
		err = loop_add(recorder->loop, server->listener.fd, EPOLLIN, accept_ready, server,
			       &server->source);
	if (err) {
		listener_close(&server->listener);
		free(server);
		return err;
	}
	dumper_tell(&recorder->dumper, ctl_told, server);
	*ret_server = server;
	return 0;
}

void ctl_server_wind_down(struct ctl_server *server)
{
	if (!server)
		return;
	server->closing = true;
	loop_timer_clear(&server->accept_timer);
	loop_remove(server->source);
	server->source = NULL;
	listener_close(&server->listener);
}

void ctl_server_close(struct ctl_server *server)
{
	if (!server)
		return;
	ctl_server_wind_down(server);
	dumper_untell(&server->recorder->dumper, server);
	while (server->peer_count)
		peer_free(server->peer[0]);
	free(server);
}

int ctl_server_folder_fd(const struct ctl_server *server)
{
	return server ? server->listener.dir_fd : -1;
}
