/* SPDX-License-Identifier: MIT */
/*
 * dumper.h - regions into files, by worker threads.
 *
 * A subject is a region and whose it is; it stays as long as somebody holds it: the client while it
 * lives, and each dump that is being written.
 */
#ifndef RECORDER_DUMPER_H
#define RECORDER_DUMPER_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/clock.h"
#include "lib/region.h"
#include "recorder/calibration.h"
#include "recorder/capture.h"
#include "recorder/dump_set.h"
#include "recorder/history.h"
#include "recorder/hook.h"
#include "recorder/identity.h"
#include "recorder/keep.h"
#include "recorder/modules.h"
#include "recorder/quota.h"
#include "recorder/store.h"
#include "recorder/systemd.h"
#include "recorder/verdict.h"
#include "recorder/workers.h"

#define DUMPER_REASON_BYTES 96
#define DUMPER_SHED 1

/* Who unmaps regions from now on: gigabytes take the kernel a second. NULL: who releases them. */
void subjects_unmap_by(struct workers *workers);

/* The loop's own: counted without atomics. What a worker reads of it does not change. */
struct subject {
	struct workers_job job; /* its last */
	unsigned int holders;
	unsigned int dumps_pending;
	struct quota_user *user; /* whom its region is accounted to; held */
	struct calibration *calibration; /* which goes on while there are subjects */
	pid_t pid;
	const char *found; /* how we came by its region: "adopted", "kept"; NULL: by its hello */
	char service[TTLOG_SERVICE_BYTES];
	struct identity identity;
	struct modules *modules; /* NULL: not known */
	int root_fd;		 /* where the paths of the process start, as O_PATH; -1: where ours do */
	void *base;
	struct systemd *systemd; /* who keeps it under the name `stored`; "": nobody does */
	char stored[SYSTEMD_NAME_BYTES];
	bool forked; /* by a process of the same service and user that recorded, too */
	bool over; /* its process is: when the last dump is written nothing has to be kept */
	ino_t inode; /* of the region, as /proc/PID/maps shows it */
	struct ttlog_geometry geometry;
	struct history *history; /* what its ring no longer holds; NULL: none */
	enum ttlog_clock_source clock_source;
	struct ttlog_clock_point clock; /* when it registered; for clocks that we do not use here */
};

void subject_release(struct subject *subject); /* by one of its holders; NULL is fine */

/* A dump is written (path), or is not (err): dumps count from 1 in the order of their submission. */
typedef void (*dumper_told_fn)(void *context, uint64_t number, int err, const char *path);

#define DUMPER_TELLERS_MAX 8

struct dumper_teller {
	dumper_told_fn fn; /* NULL: nobody's */
	void *context;
};

struct dumper {
	struct workers *workers;
	struct store *store;
	struct hook *hook; /* NULL: no command */
	struct keep *keep; /* NULL: nothing is counted, nothing removed */
	struct last_deaths *last_deaths; /* NULL: nobody asks */
	struct announce *announce; /* NULL: nobody is told */
	const char *rung;
	char hostname[HOST_NAME_MAX + 1];
	struct calibration *calibration;
	bool unwinds, debuginfod; /* set once, before the first dump */
	unsigned int unwind_timeout_ms; /* 0: as unwind.h has it; the same */
	uint64_t written, failed;
	uint64_t submitted; /* the number of the newest dump */
	struct dumper_teller tellers[DUMPER_TELLERS_MAX];
	unsigned int untrimmed; /* dumps since memory was given back */
};

void dumper_init(struct dumper *dumper, struct workers *workers, struct store *store,
		 struct calibration *calibration, const char *rung);

/* Whoever waits for dumps is told of each, in the loop. Once more is once. 0 or -ENOMEM. */
int dumper_tell(struct dumper *dumper, dumper_told_fn fn, void *context);
void dumper_untell(struct dumper *dumper, const void *context);

/*
 * Writes a dump of the subject as it is when a worker comes to it, says on stderr where it is.
 * evidence may be NULL; it and the reason are copied. The capture, which may be NULL too, is taken.
 * 0, also for a death in a crash loop that is not dumped, or -ENOMEM.
 */
int dumper_submit(struct dumper *dumper, struct subject *subject, const struct evidence *evidence,
		  struct capture *capture, const struct verdict *verdict, const char *reason);
/* The same, of a set (NULL: of none), which is copied; DUMPER_SHED instead of 0 for what is not dumped. */
int dumper_submit_in(struct dumper *dumper, struct subject *subject,
		     const struct evidence *evidence, struct capture *capture,
		     const struct verdict *verdict, const char *reason, const struct dump_set *set);

#endif
