/* SPDX-License-Identifier: MIT */
/*
 * dump_writer.h - a region's events and what is known of the process, into a dump file.
 *
 * Writes to a descriptor that the caller owns; knows nothing of names, folders or quotas (store.c).
 * Allocates its buffers once; memory does not grow with the dump.
 */
#ifndef RECORDER_DUMP_WRITER_H
#define RECORDER_DUMP_WRITER_H

#include <stddef.h>
#include <stdint.h>

#include "lib/reader.h"
#include "recorder/scene.h"
#include "recorder/timeline.h"
#include "recorder/verdict.h"

struct dump_set;
struct identity;

/* What the recorder knows beside the region. NULL strings and zero numbers are left out. */
struct dump_facts {
	const char *service, *hostname, *reason;
	uint32_t pid;
	uint64_t created_ns; /* CLOCK_REALTIME */
	struct verdict verdict;
	const struct evidence *evidence; /* NULL: none */
	struct {
		const char *comm, *exe, *cmdline, *cgroup;
		uint32_t uid, gid, ppid;
		uint64_t start_ns; /* CLOCK_REALTIME */
	} process;
	const struct identity *identity; /* what it is beside; NULL: not known */
	const struct timeline *timeline;
	enum ttlog_clock_source clock_source;
	uint32_t clock_mode; /* enum ttlog_clock_mode */
	const char *recorder_version, *rung, *found;
	uint64_t region_bytes;
	uint64_t history_bytes, history_budget_bytes; /* beside the region; no budget: no history */
	const struct scene *scene; /* NULL: not known */
	/*
	 * NULL: the scene is as it will be. Otherwise asked between batches of events whether it is, and
	 * behind the last with `waits`: then it must come to be so. Not called any more once it was true.
	 */
	bool (*scene_ready)(void *context, bool waits);
	void *scene_context;
	/* loop_count 0: it is no part of a crash loop. */
	uint64_t loop_key, loop_since_ns, loop_count;
	const struct dump_set *set; /* NULL: of none */
	/* Asked before each write; what is not 0 ends the dump with that error. NULL: nobody is. */
	int (*room)(void *context, uint64_t bytes);
	void *room_context;
};

/*
 * Writes the whole dump from the file's position on, without its signature. 0 or a negative errno. No
 * fsync.
 */
int dump_write(int fd, struct ttlog_reader *reader, const struct dump_facts *facts);

/* Into a dump that starts where the file does. 0 or a negative errno. */
int dump_write_signature(int fd, const char *signature);

/* The verdict as one sentence without a full stop: "killed by SIGKILL from bash (pid 12, uid 0)". */
void dump_sentence(const struct verdict *verdict, char *buffer, size_t bytes);

#endif
