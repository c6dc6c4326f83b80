/* SPDX-License-Identifier: MIT */
/*
 * clients.h - the processes that record: who they are, what they asked for, how they end.
 *
 * Accepts, checks and answers hellos, keeps each client's region until its end is known, then
 * orders the dump. All of it in the loop's thread; nothing in here waits.
 */
#ifndef RECORDER_CLIENTS_H
#define RECORDER_CLIENTS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "recorder/dumper.h"
#include "recorder/group.h"
#include "recorder/loop.h"
#include "recorder/workers.h"

struct adopt_taken;
struct clients;
struct stacks;
struct systemd;
struct watch;

#define CLIENTS_MAX 65535 /* what a client id has room for */

struct clients_config {
	struct loop *loop;
	struct workers *makers; /* who make regions */
	struct dumper *dumper;
	struct histories *histories; /* NULL: rings are all there is */
	struct systemd *systemd; /* who keeps what we hold while we are away; NULL: nobody */
	uint32_t count_max;	   /* clients, and connections that are none yet */
	uint64_t region_bytes_max; /* of one client */
	uint64_t memory_bytes_max; /* of all regions */
	/* Of one user; 0: a share, see quota.h. */
	uint32_t count_max_per_uid;
	uint64_t memory_bytes_max_per_uid;
	uint32_t hello_timeout_ms; /* a peer that says nothing is dropped; 0 = 5 s */
	uint64_t recorder_hash;	   /* for regions that we make, see lib/ttlog_abi.h */
	bool dump_on_exit;	   /* a clean exit(0) too */
	struct group_limits group; /* of who worked with who died */
	struct rules *rules;	   /* what else leads to dumps; held; NULL: nothing */
};

int clients_open(struct clients **ret_clients, const struct clients_config *config);
/*
 * From now on: the limits (but for count_max, which has its places), dump_on_exit and the rules.
 * Who has more than he would get now keeps it.
 */
void clients_change(struct clients *clients, const struct clients_config *config);
/*
 * Forgets all clients; those that were frozen are thawed. No dump, and none may be pending. NULL is
 * fine.
 */
void clients_close(struct clients *clients);

/* From now on deaths are watched by the kernel program too; it outlives the clients. */
void clients_set_watch(struct clients *clients, struct watch *watch);
/* The stacks of the living can be had from there; NULL: they can't. It outlives the clients. */
void clients_set_stacks(struct clients *clients, struct stacks *stacks);
/* A watch_fn: context is the clients. */
void clients_event(void *context, const struct ttlog_bpf_event *event);
/* A watch_scene_fn, with the same context. */
void clients_scene(void *context, const struct ttlog_bpf_scene *record, size_t bytes);

/* Accepts from a listening socket, which stays the caller's. 0 or a negative errno. */
int clients_listen(struct clients *clients, int listen_fd);
void clients_unlisten(struct clients *clients);

/*
 * Whoever it was taken from becomes a client. Takes what it needs out of it. 0 or a negative errno:
 * -EALREADY (it is one), -EAGAIN (he is just saying hello), -EEXIST (he records into another region
 * too, which we hold), -EUSERS, -ENOSPC, ...
 */
int clients_adopt(struct clients *clients, struct adopt_taken *taken);
/*
 * The same of what a service manager has kept under that name. Of who is dead by now a dump is
 * ordered.
 */
int clients_restore(struct clients *clients, struct adopt_taken *taken, bool dead,
		    const char *name);
/* Does a living client have that region? It may have news in there: its ledger is looked at. */
bool clients_hold(struct clients *clients, ino_t inode);
/* Lets go of all who live and are well, so that the next recorder can take them. */
void clients_let_go(struct clients *clients);

/* More is known of who has died: those who wait for that are answered. */
void clients_answer(struct clients *clients);

/* The process, a child of ours, ended with that status, as waitid() and the like say it. */
void clients_note_exit(struct clients *clients, pid_t pid, int wait_status);
/*
 * The recorder is about to end: accepts nobody, takes no more snapshots, and looks at once for
 * whoever is dead by now, without waiting to be told.
 */
void clients_wind_down(struct clients *clients);

/* Dead, but their end is not known to the last yet: the loop goes on until there are none. */
unsigned int clients_dying_count(const struct clients *clients);
unsigned int clients_living_count(const struct clients *clients);
/* Of all regions that are held, of the dead too until they are dumped. */
uint64_t clients_memory_bytes(const struct clients *clients);
uint64_t clients_memory_bytes_max(const struct clients *clients);
/* The rules at work. */
const struct triggers *clients_triggers(const struct clients *clients);
/* Registrations so far. */
uint64_t clients_registered_count(const struct clients *clients);

#endif
