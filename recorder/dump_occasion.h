/* SPDX-License-Identifier: MIT */
/* dump_occasion.h - why a living process was dumped: in words, and as a map of the metadata. */
#ifndef RECORDER_DUMP_OCCASION_H
#define RECORDER_DUMP_OCCASION_H

#include "recorder/occasion.h"
#include "recorder/pack.h"

/* `rule errors: ERROR "it failed" seconds=0.7 at ..., of thread 123`; "": nothing is known of it. */
void dump_occasion_sentence(const struct occasion *occasion, char *buffer, size_t bytes);
/* "trigger"; missing if nothing is known of it. */
void dump_occasion_encode(struct pack *pack, struct pack_map *map,
			  const struct occasion *occasion);

#endif
