/* SPDX-License-Identifier: MIT */
/*
 * watch.h - the eBPF program, loaded and attached, as a source of events about clients.
 *
 * Owns the skeleton, the maps and the ring buffer. Knows clients by id only; what an event means is
 * for verdict.c, what to do about it for clients.c.
 */
#ifndef RECORDER_WATCH_H
#define RECORDER_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/types.h>

#include "bpf/ttlog_bpf.h"

struct watch;

/*
 * Called by watch_dispatch() for each event, in the order of the ring buffer; and once with an
 * UNSENT behind those when some had no room there.
 */
typedef void (*watch_fn)(void *context, const struct ttlog_bpf_event *event);

/*
 * Loads and attaches. 0 or a negative errno: -EPERM (needs CAP_BPF and CAP_PERFMON), -ENOENT (no
 * BTF), -EOPNOTSUPP (no map of some kind), -ENOSYS (built with BPF=0), ...; why_not then says in one line what is missing. libbpf
 * prints nothing unless `verbose`. Makes a thread.
 */
int watch_open(struct watch **ret_watch, watch_fn fn, void *context, int verbose, char *why_not,
	       size_t why_not_bytes);
void watch_close(struct watch *watch); /* NULL is fine */

/*
 * Does the kernel program freeze the clients? Not where maps can't be mapped: then there are no control
 * maps, and no FATAL event comes with FROZE.
 */
bool watch_freezes(const struct watch *watch);

/*
 * What is not known of deaths because the kernel's verifier refuses the part of the program that would
 * say it: words, or NULL.
 */
const char *watch_without(const struct watch *watch);
/* Can the kernel walk a process's mappings at its death? Also if its verifier refuses that here. */
bool watch_knows_walk(const struct watch *watch);

/*
 * Called by watch_dispatch() with the context of watch_open(), for each record of a scene, and for all
 * of a client before its DEATH. It has `bytes` bytes, at least those of its kind. NULL: nobody cares.
 */
typedef void (*watch_scene_fn)(void *context, const struct ttlog_bpf_scene *record, size_t bytes);
void watch_set_scenes(struct watch *watch, watch_scene_fn fn);

/* The map of who the clients are; for stacks.c. */
int watch_clients_fd(const struct watch *watch);

/* Readable when watch_dispatch() has work. */
int watch_fd(const struct watch *watch);
/* Hands out what is there. The count of events (0 from within fn), or a negative errno. */
int watch_dispatch(struct watch *watch);

/*
 * Processes that have a region which no recorder holds, or say so; pid is that of the first pid
 * namespace. The descriptor is readable when there are some; -ENOENT: this kernel can't tell. False
 * when some calls were lost since the last time: nobody knows whose.
 */
typedef void (*watch_call_fn)(void *context, uint32_t pid);
int watch_calls_fd(const struct watch *watch);
bool watch_take_calls(struct watch *watch, watch_call_fn fn, void *context);

/*
 * From now on events of that process come with client_id. ret_control_fd is the one-element array
 * for the client's control page, filled with the first bytes of `control` (freeze word and level);
 * the caller closes it. -1 where there are no control maps. A process registered twice changes its id; the old id still has to be removed.
 * 0 or a negative errno: -ESRCH (dead).
 *
 * Events come from now on; the kernel program knows the control page a few milliseconds later, see
 * controls.h. A FATAL event without FROZE: whoever gets it sets the word (`| 1`) by itself.
 */
int watch_add(struct watch *watch, int pidfd, uint64_t client_id, const void *control,
	      size_t control_bytes, int *ret_control_fd);
/* The same with a control map that the client has already; it stays the caller's. */
int watch_add_again(struct watch *watch, int pidfd, uint64_t client_id, int control_fd);
/*
 * The client is dead or done with: its control map may go. pidfd may be of a dead process. Once for each
 * that was added: some seconds behind the last one the kernel program is detached, see watch_attach.h.
 */
void watch_remove(struct watch *watch, int pidfd, uint64_t client_id);
/* Returns when the kernel program knows all control pages that were given so far. May take 30 ms. */
void watch_settle(struct watch *watch);

/*
 * Events that the kernel could not send, so far: no room, or (for anybody, client or not) a
 * tracepoint that came while its program was running on that CPU; and the sending of signals of which
 * nothing was seen but that they ended a client.
 */
uint64_t watch_lost(const struct watch *watch);
/* Handled and blocked signals that were left out on purpose, see TTLOG_BPF_CALM_NS. */
uint64_t watch_shed(const struct watch *watch);
/* Threads, pages of stacks and mappings of the dead for which there was no room. */
uint64_t watch_scenes_lost(const struct watch *watch);

#endif
