/* SPDX-License-Identifier: MIT */
/* metrics_parts.h - what the files of metrics share; nobody else includes it. */
#ifndef RECORDER_METRICS_PARTS_H
#define RECORDER_METRICS_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "recorder/listener.h"
#include "recorder/history.h"
#include "recorder/services.h"
#include "recorder/triggers.h"

/* What a worker found out about the folder of dumps. */
struct metrics_storage {
	uint64_t looked_ns; /* CLOCK_MONOTONIC; 0: never */
	int err;	    /* can't be written to */
	uint64_t free_bytes, floor_bytes;
};

/* Everything that is shown and is no counter. */
struct metrics_facts {
	uint64_t start_ns; /* CLOCK_REALTIME of our start */
	uint64_t uptime_s;
	const char *rung; /* for people */
	bool have_watch, is_listening;
	unsigned int clients, dumps_pending;
	uint64_t memory_bytes, memory_bytes_max;
	uint64_t bpf_lost, bpf_shed, bpf_scenes_lost;
	struct metrics_storage storage;
	bool storage_is_late; /* a worker has been looking for longer than we wait */
	const struct services *services;
	struct history_figures history;
	const struct triggers *triggers;
};

/* metrics_text.c: Prometheus' text format 0.0.4. */
void metrics_write_text(FILE *file, const struct metrics_facts *facts);

/* health.c: JSON; returns whether all is well enough. */
bool health_write_live(FILE *file, const struct metrics_facts *facts);
bool health_write_ready(FILE *file, const struct metrics_facts *facts);

/* metrics_listen.c */
struct metrics_socket {
	int fd;			  /* -1: closed */
	struct listener listener; /* of a path */
};

/*
 * Listens. ret_where is the address as it became, a free port filled in. 0 or a negative errno:
 * -EINVAL (no address), -ENONET (not a loopback address, and not said to be meant), ...
 */
int metrics_listen(struct metrics_socket *ret_socket, const char *address, bool remote,
		   char *ret_where, size_t where_bytes);
void metrics_unlisten(struct metrics_socket *socket);

#endif
