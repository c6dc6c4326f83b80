/* SPDX-License-Identifier: MIT */
/*
 * dump_index.h - the index at the end of a dump: which batch is where, from when to when.
 *
 * Found from the end of the file, so that nothing before it has to be read. It is believed only as a
 * whole: batches that do not follow each other, in the file and in their numbers, make it worthless.
 */
#ifndef VIEWER_DUMP_INDEX_H
#define VIEWER_DUMP_INDEX_H

#include <stddef.h>
#include <stdint.h>

/* A batch: its frame's offset in the file, its first event's number, its first and last event's times. */
struct dump_extent {
	uint64_t offset, seq, events;
	int64_t first_ns, last_ns;
};

#define DUMP_EXTENTS_MAX (1u << 20)

/*
 * 0 and an array for free(), maybe of nothing, or a negative errno: -ENOENT where there is none (not a
 * file, cut), -EBADMSG. Leaves the descriptor's position alone.
 */
int dump_index_read(int fd, struct dump_extent **ret_extents, size_t *ret_count);

#endif
