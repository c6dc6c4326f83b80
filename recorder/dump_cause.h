/* SPDX-License-Identifier: MIT */
/* dump_cause.h - "cause" and "process" of a dump's metadata; private to the dump's writer. */
#ifndef RECORDER_DUMP_CAUSE_H
#define RECORDER_DUMP_CAUSE_H

#include "recorder/dump_writer.h"
#include "recorder/pack.h"

void dump_cause_encode(struct pack *pack, struct pack_map *map, const struct dump_facts *facts);
void dump_process_encode(struct pack *pack, struct pack_map *map, const struct dump_facts *facts);

#endif
