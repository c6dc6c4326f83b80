/* SPDX-License-Identifier: MIT */
/*
 * channel.h - channels: opened with a budget, closed, and sent events to.
 *
 * A channel's entry and its chunks are in the region (ttlog_abi.h, "the chunks of a channel"); a
 * handle is a place in the table and a generation of it. Lock-free; no allocation; no system call
 * but for the search for vanished owners. Legal wherever recording is.
 */
#ifndef TTLOG_CHANNEL_H
#define TTLOG_CHANNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/process.h"
#include "lib/writer.h"

/*
 * Records one event of the calling thread in that channel; site->id is set, values are of its
 * types. False: it is not recorded, because there is no such channel, or because no chunk of it
 * could be had (then that is counted).
 */
bool ttlog_channel_record(struct ttlog_channel channel, struct ttlog_thread *thread,
			  const struct ttlog_site *site, const struct ttlog_value *values,
			  uintptr_t sp);

/* What ttlog_channel_open() and ttlog_channel_close() do when there is a region. 0 or negative
 * errno. */
int ttlog_channel_take(const char *name, size_t budget_bytes, struct ttlog_channel *ret_channel);
void ttlog_channel_give_back(struct ttlog_channel channel);

/*
 * A forked child's region gets the channels that its parent had open, empty, under their handles,
 * as far as they fit. The parent may be changing its own meanwhile.
 */
void ttlog_channel_carry(const struct ttlog_place *from, const struct ttlog_place *to);

#endif
