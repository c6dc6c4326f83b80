/* SPDX-License-Identifier: MIT */
/*
 * region.h - making a region, and checking one that somebody else made.
 *
 * Used by the library (which may run in a signal handler: no allocation, no stdio, raw system calls
 * only) and by the recorder. Refuses to know who uses the region or why.
 */
#ifndef TTLOG_REGION_H
#define TTLOG_REGION_H

#include <stddef.h>
#include <stdint.h>

#include "lib/ttlog_abi.h"

/* A region's geometry as its checker understood it: it is not read from the region again. */
struct ttlog_geometry {
	uint64_t region_bytes;
	uint64_t control_offset;
	uint64_t ledger_offset;
	uint64_t dict_index_offset;
	uint64_t dict_heap_offset;
	uint32_t dict_index_count;
	uint32_t dict_heap_bytes;
	uint64_t channels_offset;
	uint32_t channel_count;
	uint32_t lane_count;
	uint32_t clock_source;
	uint32_t clock_mode; /* the plan says TTLOG_CLOCK_EXACT */
	uint64_t recorder_hash; /* the plan says 0 */
	uint32_t flush_interval_s;
	struct ttlog_clock_point clock;
	char service[TTLOG_SERVICE_BYTES]; /* NUL-terminated, whatever the region says */
	char group[TTLOG_GROUP_BYTES];	   /* the same; the plan says "" */
	uint32_t huge_pages; /* make it of those, if the kernel has some for it; the plan says 0 */
	struct ttlog_lane_geometry lane[TTLOG_LANE_MAX];
};

/*
 * The layout for a region of about that many bytes (rounded to pages, kept within
 * TTLOG_REGION_BYTES_MIN..MAX; 0 is the default). Pure.
 */
void ttlog_region_plan(uint64_t bytes, struct ttlog_geometry *ret_geometry);

/*
 * The same with that much memory for channels beside it, as far as TTLOG_REGION_BYTES_MAX allows; 0 is
 * a 16th of bytes, and not beside it.
 */
void ttlog_region_plan_channels(uint64_t bytes, uint64_t channel_bytes,
				struct ttlog_geometry *ret_geometry);

/*
 * A sealed memfd of the planned size, every page allocated (charged to the caller's cgroup) but none in
 * its page tables: who writes much calls ttlog_region_populate(), who only reads need not pay for that.
 * Mapped shared and writable at *ret_base, with the header and the start values of the ledger (first id
 * 1, first offset 8) written; all else is zero. service is copied, NULL is "". The caller owns the
 * descriptor (close-on-exec) and the mapping. 0 or a negative errno.
 */
int ttlog_region_make(const struct ttlog_geometry *geometry, const char *service,
		      enum ttlog_clock_source source, int *ret_fd, void **ret_base);

/*
 * Checks size and seals of the descriptor, maps it shared and writable, checks the header, fills
 * *ret_geometry. 0 or a negative errno: -EBADMSG (not a region, or damaged), -EPROTONOSUPPORT (a
 * version that we don't speak), -EPERM (seals are missing).
 */
int ttlog_region_map(int fd, struct ttlog_geometry *ret_geometry, void **ret_base);
/* The same for who only reads: a descriptor that was opened for no more will do. */
int ttlog_region_map_to_read(int fd, struct ttlog_geometry *ret_geometry, void **ret_base);

/*
 * Puts every page of a mapping into the page table of this process, so that no event pays for a
 * fault. For the client: in a region with holes it would allocate. 0 or a negative errno; changes
 * no byte.
 */
int ttlog_region_populate(void *base, const struct ttlog_geometry *geometry);

/* Checks a header in memory of that size; every offset and count that it names stays inside. */
int ttlog_region_check(const struct ttlog_region_header *header, uint64_t bytes,
		       struct ttlog_geometry *ret_geometry);

void ttlog_region_unmap(void *base, const struct ttlog_geometry *geometry);

#endif
