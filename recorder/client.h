/* SPDX-License-Identifier: MIT */
/*
 * client.h - one client, as the parts of clients.h see it. Nobody else includes this.
 *
 *   clients.c              the table and the socket
 *   peer.c                 whose a socket is
 *   admit.c adopt_admit.c  from a hello, or without one, to a region
 *   admit_keep.c           what outlives us of it
 *   ask.c                  who only asks how the one before him ended
 *   coarse.c heartbeat.c   its clock; whether it still beats
 *   deaths.c group.c       how it ends; who is copied with it
 *   snapshots.c snapshot_wait.c periodic.c triggers.c   dumps while it lives
 *   census.c               how much it has recorded
 *   ctl_server*.c          what operators do to it
 *
 *   WAITING --hello--> MAKING --region handed over--> LIVE --end is known--> gone
 *      |                 |                              \--pidfd, then a moment--/
 *      \--silent, garbage, or hung up: gone
 */
#ifndef RECORDER_CLIENT_H
#define RECORDER_CLIENT_H

#include "recorder/clients.h"
#include "recorder/hello.h"
#include "recorder/triggers.h"

enum client_state {
	CLIENT_WAITING, /* connected, has said nothing yet */
	CLIENT_MAKING,	/* a worker makes its region; it is not listened to meanwhile */
	CLIENT_LIVE,
};

/* Of a client that has promised one: heartbeat.c. Times are of CLOCK_MONOTONIC. */
struct heartbeat {
	struct loop_timer timer; /* not armed: nothing is promised */
	uint32_t promise;	 /* which one is kept an eye on */
	uint64_t period_ns;
	uint64_t ticks;	  /* the newest beat that was seen ... */
	uint64_t beat_ns; /* ... and when that was; or when its time began anew */
	uint64_t looked_ns, due_ns;
	bool suspect, hung;
	bool held; /* it was stopped or frozen when it was overdue */
	uint64_t minute_ns; /* in which so many dumps were ordered */
	unsigned int dumps;
};

struct client {
	struct clients *clients;
	uint64_t id; /* serial << 16 | slot */
	enum client_state state;
	int socket_fd; /* -1: hung up, or garbage came */
	struct loop_source *socket_source;
	int pidfd;
	struct loop_source *pidfd_source;
	pid_t pid;
	uid_t uid;
	struct quota_user *user; /* held; it has this connection */
	gid_t gid;
	struct hello_message hello;
	struct subject *subject;       /* LIVE */
	struct ttlog_control *control; /* our mapping of the map over its control page, or NULL */
	struct evidence evidence;
	struct tally *tally; /* of the census, or NULL */
	struct capture *capture; /* of its death, until it is dumped; NULL: nothing yet */
	uint64_t lost_before; /* watch_lost() when it registered */
	bool watched;	      /* by the kernel program */
	bool dead;	      /* the pidfd says so */
	bool goodbye;
	bool held; /* frozen by hand: only by hand it is thawed */
	/* Of one that is adopted: does it look at a page that we can write to? */
	enum { CLIENT_REACH_UNKNOWN, CLIENT_REACHED, CLIENT_NOT_REACHED } reach;
	bool offered; /* the region is the client's own */
	bool adopted; /* we took it; there was no hello */
	bool was_there;	     /* adopted, and it recorded before we began to look */
	bool control_is_old; /* of an earlier recorder, and the client looks at it */
	int hold_fd;  /* see hold.h; -1: nobody may see that we hold it */
	bool asks;    /* WAITING: it is no client, and waits for an answer; see ask.c */
	bool hung_up; /* while it was MAKING: what it said before can still be read */
	/* Messages are rationed: a full second gives new ones. */
	uint64_t ration_start_ns;
	unsigned int messages, snapshots;
	uint64_t snapshots_refused;
	bool wants_snapshot; /* WAITING: it is no client, and waits for one to be adopted */
	int answer_fd;	     /* ... and, unless -1, for the dump, by this */
	struct loop_timer timer; /* WAITING: it must speak; LIVE and dead: its end must be known */
	struct loop_timer freeze_timer; /* frozen: look whether it survived */
	struct loop_timer flush_timer;
	struct heartbeat heartbeat;
	struct client_triggers *triggers; /* of triggers.c; NULL: no rule is for it */
	/* Of those with a coarse clock; coarse_at is what points to this one, NULL: it has none. */
	struct client *coarse_next, **coarse_at;
};

struct clients {
	struct clients_config config;
	struct watch *watch;
	struct stacks *stacks; /* NULL: those of the living are not to be had */
	struct groups *groups;
	struct census *census; /* NULL: nobody wants figures */
	struct loop_source *listen_source;
	struct loop_timer accept_timer; /* out of descriptors: try again later */
	struct loop_timer coarse_timer;
	struct client *coarse; /* list */
	int listen_fd;
	bool said_full, closing;
	uint32_t count, dying, asking;
	uint32_t next_slot;
	struct triggers *triggers;
	struct snapshot_wait *waits; /* list; of snapshot_wait.c */
	uint64_t serial;
	uint64_t registered;
	struct quota quota;
	struct client *slot[];
};

/* clients.c */
/* Of a user whose share has room for it. NULL with the reason in errno. */
struct client *client_new(struct clients *clients, int socket_fd, uid_t uid);
void client_hang_up(struct client *client); /* closes the socket */
void client_free(struct client *client);    /* of any state; leaves the table */
int client_read(struct client *client);	    /* starts to listen to the socket */
/* Takes what it had said before it ended; a region that it offered is its region from then on. */
void client_drain(struct client *client);

/* snapshots.c */
/* The counts of messages and of snapshots are those of this second from now on. */
void client_ration(struct client *client);
/* What it has asked for, or a refusal that is counted. LIVE. Takes the descriptor by which it waits. */
void client_take_snapshot(struct client *client, const struct hello_message *message,
			  int answer_fd);
/* One more snapshot in this second? From whatever side it is asked for. */
bool client_may_snapshot(struct client *client);

/* The control page that a LIVE client looks at. */
struct ttlog_control *client_control(const struct client *client);

/* coarse.c: from LIVE to the end; does nothing for a client with another clock. */
void coarse_begin(struct client *client);
void coarse_end(struct client *client);

/*
 * snapshot_wait.c: who waits for the dump of that number, or for why there is none, is answered by
 * the descriptor, which is taken; -1: nobody waits.
 */
void snapshot_wait_begin(struct client *client, int fd, int status, uint64_t number);
void snapshot_wait_close(struct clients *clients);

/* heartbeat.c: looks whether one is promised, or is no more. For those that are LIVE. */
void heartbeat_look(struct client *client);
void heartbeat_end(struct client *client);

/* periodic.c */
void periodic_begin(struct client *client);

/* peer.c */
/* Pid and ids of who has connected. 0 or a negative errno. */
int peer_identify(struct client *client);
/* Its pidfd too: from now on the pid is his and nobody else's. 0 or a negative errno: -ESRCH. */
int peer_pin(struct client *client);

/* admit.c: the hello is in client->hello. What goes wrong ends in client_free(). */
void admit(struct client *client);
/* The client made a region itself. 0 or a negative errno; takes the descriptor. */
int admit_region(struct client *client, int region_fd);
void admit_refuse(struct client *client, int status);
/* Before it is hung up on, or refused: then it may call, and who is watched is not heard. */
void admit_disarm(struct client *client);
/* What will be dumped of it, without a region yet. NULL: no memory. */
struct subject *admit_subject(const struct client *client);
/* Its subject is whole: arms the watch, from now on it is LIVE. 0 or a negative errno. */
int admit_adopted(struct client *client, int control_fd);
/*
 * snapshots.c: an adopted client has no socket; its process asks through a new one, and is gone from
 * there at once. Takes the peer, whose message is in its hello.
 */
void snapshots_ask(struct client *peer);
/* From now on it is LIVE: who has asked before is answered. */
void snapshots_answer(struct client *client);
/* admit_keep.c. Nobody but another recorder asks for the sign: without it all else is as good. */
void admit_hold(struct client *client, int region_fd);
/* Asks the service manager to keep its region, if there is one. */
void admit_keep(struct client *client, int region_fd);
/* From now on; of the region that it has now. */
void admit_keep_history(struct client *client);

/* ask.c: the question is in client->hello. May be the end of the client. */
void ask(struct client *client);
/* Has a living client of the same service and user forked it? */
bool ask_is_fork(const struct client *client);

/* deaths.c */
void deaths_late(
	struct client *client); /* it was dead before it was watched: what it left is dumped */
int deaths_watch(struct client *client);    /* the pidfd becomes a source */
void deaths_replace(struct client *client); /* the same process says hello again */
/* Is its region not in its memory any more, as after an exec? */
bool deaths_has_lost_its_region(const struct client *client);
/* Is it alive? If not, it may be gone already. */
bool deaths_look(struct client *client);
/* It closed its socket. May be the end of the client. */
void deaths_hung_up(struct client *client);
void deaths_thaw(struct client *client);
/* By hand: it stays frozen until it is released, whatever becomes of its signals. */
void deaths_hold(struct client *client);
void deaths_release(struct client *client);
/* If it came to us frozen: by a hand, and a hand will thaw it; or else as with any fatal signal. */
void deaths_found_frozen(struct client *client);
/* A dump of the living client. 0 or a negative errno: -EBUSY (enough are being written). */
int deaths_snapshot(struct client *client, const char *reason, const struct occasion *occasion);
/* The same with the stacks of its threads, if they are to be had. */
int deaths_snapshot_stacks(struct client *client, const char *reason,
			   const struct occasion *occasion);

#endif
