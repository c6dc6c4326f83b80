/* SPDX-License-Identifier: MIT */
/* dump_meta.h - the metadata map and the summary of a dump; private to the dump's writer. */
#ifndef RECORDER_DUMP_META_H
#define RECORDER_DUMP_META_H

#include "recorder/dump_writer.h"
#include "recorder/pack.h"

void dump_meta_summary(struct pack *pack, const struct dump_facts *facts, uint64_t events);
void dump_meta_encode(struct pack *pack, const struct ttlog_reader *reader,
		      const struct dump_facts *facts);

#endif
