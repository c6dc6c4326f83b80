/* SPDX-License-Identifier: MIT */
/*
 * dumper_parts.h - one dump on its way, for dumper.c (the loop's part: from its order to who is told of
 * it) and dumper_write.c (the worker's: from the region to the file). Nobody else includes this.
 */
#ifndef RECORDER_DUMPER_PARTS_H
#define RECORDER_DUMPER_PARTS_H

#include "recorder/dumper.h"
#include "recorder/signature.h"
#include "recorder/unwind.h"

struct order {
	struct workers_job job;
	uint64_t number;
	struct dumper *dumper;
	struct subject *subject;
	bool have_evidence;
	struct evidence evidence;
	struct verdict verdict;
	char reason[DUMPER_REASON_BYTES];
	int err; /* of the worker */
	char path[PATH_MAX];
	char signature[SIGNATURE_BYTES];
	struct keep_place place;
	int dump_fd; /* for the command; -1: none */
	struct timeline timeline;
	struct capture *capture; /* until the worker makes the scene of it */
	struct unwind *unwind;	 /* the worker's: it is at the scene */
	struct modules *modules;
	struct dump_set set; /* without a name: none */
	const struct history_cut *history; /* while the worker writes; NULL: none */
	uint64_t submitted_ms, written_ms; /* CLOCK_MONOTONIC */
	uint64_t died_ns; /* CLOCK_REALTIME */
	uint64_t file_bytes;
	struct modules *fresh; /* read for a snapshot; NULL: no news */
};

/* In a worker: reads the region, writes the file, names it. */
void dumper_write(struct workers_job *job);

#endif
