/* SPDX-License-Identifier: MIT */
/*
 * batches.h - where the batches of a dump are: its events by number, without reading them.
 *
 * Taken from the index at the file's end, if that and the headers of all frames agree; then nothing
 * is decompressed but what is neither a batch nor in front of the first. Of a file that is cut or
 * damaged every frame is read once.
 */
#ifndef VIEWER_BATCHES_H
#define VIEWER_BATCHES_H

#include "viewer/dump_reader.h"

/* More is not shown: a writer's have a sixteenth of it. */
#define BATCH_EVENTS_MAX (16 * DUMP_BATCH_EVENTS)
#define BATCH_BYTES_MAX (8u << 20)
#define BATCHES_MAX (1u << 18) /* 2^30 events, as they are written */

struct batch_place {
	uint64_t offset; /* of its frame */
	uint64_t first;	 /* the number of its first event, counted from the dump's start */
	uint32_t events;
	int64_t first_ns, last_ns;
	int64_t floor_ns; /* no event before it is later */
};

struct batches {
	struct batch_place *list;
	size_t count, capacity;
	uint64_t events;
	bool indexed; /* else the file is cut or damaged */
	bool cut;     /* there were more than are listed */
};

/* Gives the dump what it has not read yet, but for events. 0 or a negative errno. */
int batches_open(struct batches *batches, struct dump *dump, int fd);
void batches_fini(struct batches *batches);

/* The batch that has that event; number < batches->events. */
size_t batches_find(const struct batches *batches, uint64_t number);

#endif
