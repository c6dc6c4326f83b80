/* SPDX-License-Identifier: MIT */
/*
 * ctl_live.h - a living region that is read from outside.
 *
 * The recorder hands out a descriptor and is not asked again until the process is dead; the process
 * is never asked. What is in the region is hostile, as always.
 */
#ifndef RECORDER_CTL_LIVE_H
#define RECORDER_CTL_LIVE_H

#include "lib/reader_live.h"
#include "recorder/ctl.h"
#include "recorder/timeline.h"

struct ctl_region {
	char service[TTLOG_SERVICE_BYTES], hostname[256];
	uint32_t pid, uid;
	uint64_t matched; /* processes; this is the newest of them */
	int pidfd;
	void *base;
	struct ttlog_geometry geometry;
	enum ttlog_clock_source clock_source;
	struct timeline timeline;
};

/*
 * 0 or a negative errno: of ctl_ask(), what the recorder said, of the region, -ESRCH (nothing
 * matches).
 */
int ctl_region_open(struct ctl_region *ret_region, const char *path, const char *match);
void ctl_region_close(struct ctl_region *region);
/* Reads the clocks, if it was not just done: before ticks of now are converted. */
void ctl_region_tick(struct ctl_region *region);
struct ttlog_clock_line ctl_region_line(const struct ctl_region *region);
/* How it ended, as soon as the recorder knows; within a few seconds. False: it does not say. */
bool ctl_region_ended(const char *path, uint32_t pid, char *ret_sentence, size_t bytes);
/* Why there is no region, on stderr. An exit status. */
int ctl_region_say(const char *path, const char *match, int err);

/* ---- ctl_feed.c ------------------------------------------------------------------------- */

/* Events that become a dump, a batch whenever it is flushed. */
struct ctl_feed;

int ctl_feed_open(struct ctl_feed **ret_feed, const struct ctl_region *region);
void ctl_feed_close(struct ctl_feed *feed); /* NULL is fine */
/* For `take` of a handler. */
void ctl_feed_take(struct ctl_feed *feed, const struct ttlog_live *live,
		   const struct ttlog_reader_site *site, const struct ttlog_reader_event *event);
uint64_t ctl_feed_waiting(const struct ctl_feed *feed); /* events that are not flushed */
/* From now on into that descriptor, from the head on. 0 or a negative errno, as the others. */
int ctl_feed_begin(struct ctl_feed *feed, int fd);
/* What was taken since, by time. */
int ctl_feed_flush(struct ctl_feed *feed);
int ctl_feed_end(struct ctl_feed *feed);

/* ---- ctl_viewer.c ----------------------------------------------------------------------- */

struct ctl_viewer {
	int pid, fd;
};

/* ttlog-view, which lies beside us or in PATH, with those arguments; it reads from fd. */
int ctl_viewer_open(struct ctl_viewer *ret_viewer, const char *const *arguments, const char *more);
/* Its exit status. */
int ctl_viewer_close(struct ctl_viewer *viewer);

/* ---- ctl_tail.c ---------------------------------------------------------------------- */

int ctl_tail(const struct ctl_options *options, const char *path, const char *match);
int ctl_top(const struct ctl_options *options, const char *path, const char *match);

#endif
