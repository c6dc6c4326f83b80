/* SPDX-License-Identifier: MIT */
/* dump_value.h - a field's value as dump_format.h has it behind an event. */
#ifndef RECORDER_DUMP_VALUE_H
#define RECORDER_DUMP_VALUE_H

#include "lib/reader.h"
#include "recorder/pack.h"

void dump_value_put(struct pack *pack, const struct ttlog_reader_value *value);

#endif
