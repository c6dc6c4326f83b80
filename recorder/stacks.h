/* SPDX-License-Identifier: MIT */
/*
 * stacks.h - where the threads of a living client are, without stopping one: by an iterator of the
 * kernel's over its tasks. For those that the death watch knows.
 */
#ifndef RECORDER_STACKS_H
#define RECORDER_STACKS_H

#include <stddef.h>
#include <stdint.h>

#include "recorder/watch.h"

struct stacks;

/*
 * Loads and attaches, while the privileges for that are there; the watch stays open as long. 0 or a
 * negative errno: -EOPNOTSUPP (before Linux 5.18), -ENOSYS (built with BPF=0), ...
 */
int stacks_open(struct stacks **ret_stacks, struct watch *watch);
void stacks_close(struct stacks *stacks); /* NULL is fine */

/*
 * A record of a THREAD, then its PAGEs, for each thread of the client. By any thread, which may
 * have to wait for pages that are not in memory. 0 or a negative errno: -ESRCH (no such client).
 */
int stacks_take(struct stacks *stacks, uint64_t client_id, watch_scene_fn fn, void *context);

#endif
