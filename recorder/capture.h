/* SPDX-License-Identifier: MIT */
/*
 * capture.h - what the kernel program tells of a dying client's threads, gathered into a scene.
 *
 * Bounded: in threads, in bytes of stack for each client and for all; what has no room is counted in the
 * scene. Addresses and contents are whatever the process had there.
 */
#ifndef RECORDER_CAPTURE_H
#define RECORDER_CAPTURE_H

#include "recorder/modules.h"
#include "recorder/scene.h"
#include "recorder/stacks.h"
#include "recorder/watch.h"

#define CAPTURE_BYTES_MAX (4u << 20)	      /* of stacks of one client */
#define CAPTURE_ALL_BYTES_MAX (128u << 20)    /* of all that are not written yet */

struct capture;

/* A record as watch.h hands it out. The first one makes the capture. */
void capture_take(struct capture **capture, const struct ttlog_bpf_scene *record, size_t bytes);
void capture_free(struct capture *capture); /* NULL is fine */

/* Of a living client, whose threads capture_finish() will look for; NULL: no memory. */
struct capture *capture_living(struct stacks *stacks, uint64_t client_id);

/*
 * The scene, in order: may be done by a worker, for it opens files (build-ids of what was mapped after
 * the process registered). `registered` may be NULL. Frees the capture. 0, or -ENOMEM: no scene.
 */
int capture_finish(struct capture *capture, const struct modules *registered, int root_fd,
		   struct scene *ret_scene);

#endif
