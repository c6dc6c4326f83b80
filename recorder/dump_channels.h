/* SPDX-License-Identifier: MIT */
/* dump_channels.h - the channels in a dump; private to the dump's writer. */
#ifndef RECORDER_DUMP_CHANNELS_H
#define RECORDER_DUMP_CHANNELS_H

#include "recorder/dump_writer.h"
#include "recorder/pack.h"

/*
 * For each channel of the reader the index by which the dump's events name it. NULL without memory.
 * The caller frees it.
 */
uint32_t *dump_channels_number(const struct ttlog_reader *reader);

/* The key "channels" of the metadata; nothing if the process never wanted one. */
void dump_channels_encode(struct pack *pack, struct pack_map *map,
			  const struct ttlog_reader *reader, const struct ttlog_clock_line *line);

#endif
