/* SPDX-License-Identifier: MIT */
/*
 * ctl_server_parts.h - what the files of the control socket share; nobody else includes it.
 *
 *   ctl_server.c        sockets, who asks, what is sent when
 *   ctl_server_list.c   list and status: looks into regions in a worker, a few at a time
 *   ctl_server_act.c    level, freeze, thaw, snapshot: at once, in the loop
 *   ctl_server_region.c region and death: what tail is made of
 *   ctl_server_rows.c   rows as CBOR
 */
#ifndef RECORDER_CTL_SERVER_PARTS_H
#define RECORDER_CTL_SERVER_PARTS_H

#include <stdbool.h>

#include "recorder/client.h"
#include "recorder/ctl_server.h"
#include "recorder/ctl_wire.h"
#include "recorder/glance.h"
#include "recorder/listener.h"
#include "recorder/recorder.h"

#define CTL_PEERS_MAX 64
#define CTL_PEERS_OTHERS_MAX 48	      /* of them for who may not see all */
#define CTL_PEERS_OF_ONE_MAX 8	      /* of one such user */
#define CTL_LOOKS 32		      /* regions that a worker looks at in one go */
#define CTL_OUT_BYTES_MAX (16u << 20) /* of one answer */

struct ctl_wait {
	uint64_t number; /* of the dump; 0: it was told of */
	pid_t pid;
	char service[TTLOG_SERVICE_BYTES];
};

struct ctl_peer {
	struct ctl_server *server;
	struct ctl_peer *next_looking;
	int fd;
	struct loop_source *source;
	struct loop_timer timer; /* it must ask, it must read */
	pid_t pid;
	uid_t uid;
	bool sees_all, asked, is_looking, ended;
	struct ctl_request request;
	struct pack out; /* packets, each behind its length */
	size_t sent;
	uint32_t next_slot; /* of the clients that are yet to be listed */
	uint64_t matched;
	struct ctl_wait *wait;
	uint32_t wait_count, waiting;
	int hand[CTL_FDS]; /* go with the first packet that is sent; -1: none */
};

/* One region that a worker looks at: everything that it needs, as its client may go meanwhile. */
struct ctl_look {
	uint64_t client_id;
	void *base; /* a mapping of its own; NULL: there is none */
	struct ttlog_geometry geometry;
	enum ttlog_clock_source clock_source;
	struct ttlog_clock_point clock;
	pid_t pid;
	uint64_t start_ticks;
	ino_t inode;
	bool asks_reach; /* is it to be found out? */
	/* results */
	bool is_reached;
	bool is_seen;
	struct glance glance;
	uint32_t threads; /* 0: not known */
};

struct ctl_server {
	struct recorder *recorder;
	struct loop_source *source;
	struct loop_timer accept_timer;
	struct listener listener;
	uid_t owner;
	bool closing;
	uint64_t started_ns; /* CLOCK_MONOTONIC */
	uint32_t peer_count;
	struct ctl_peer *peer[CTL_PEERS_MAX];
	/* Who waits for a look, and the one look that there is at a time. */
	struct ctl_peer *looking, **looking_last;
	struct workers_job job;
	bool job_runs;
	struct ctl_peer *job_peer; /* NULL: it has gone meanwhile */
	uint32_t look_count;
	struct ctl_look look[CTL_LOOKS];
	struct timeline timeline;
};

/* ctl_server.c: a packet is what is packed between the two; then it is sent, as far as it goes. */
size_t ctl_packet_begin(struct ctl_peer *peer);
void ctl_packet_end(struct ctl_peer *peer, size_t at);
/* The last packet. */
void ctl_answer_end(struct ctl_peer *peer, int status);
/* Sends; the peer may be gone after it. */
void ctl_peer_pump(struct ctl_peer *peer);

/* ctl_server_list.c: a few more rows, or the end of the answer. */
void ctl_list_more(struct ctl_peer *peer);
void ctl_list_forget(struct ctl_peer *peer); /* it is about to go */

/* ctl_server_act.c */
/* Where an adopted client looks is found out once: it keeps looking there. */
void ctl_note_reach(struct client *client, bool is_reached);
bool ctl_matches(const struct ctl_peer *peer, const struct client *client);
void ctl_act(struct ctl_peer *peer);
void ctl_told(void *context, uint64_t number, int err, const char *path); /* a dumper_told_fn */

/* ctl_server_region.c: an answer, in one go. */
void ctl_hand_region(struct ctl_peer *peer);
void ctl_tell_death(struct ctl_peer *peer);

/* ctl_server_rows.c */
void ctl_row_client(struct pack *pack, const struct client *client, const struct ctl_look *look,
		    bool in_detail);
void ctl_row_recorder(struct pack *pack, const struct ctl_peer *peer);

#endif
