/* SPDX-License-Identifier: MIT */
/* dump_site.h - a call site as dump_format.h has it in the dictionary. */
#ifndef RECORDER_DUMP_SITE_H
#define RECORDER_DUMP_SITE_H

#include "lib/reader.h"
#include "recorder/pack.h"

/* Its id, and the map of what is known of it. */
void dump_site_put(struct pack *pack, const struct ttlog_reader_site *site);
const char *dump_site_level(uint8_t level); /* "ERROR" */

#endif
