/* SPDX-License-Identifier: MIT */
/* requests.h - events that dumps are made of here: a request with its number, its status and its method. */
#ifndef BENCH_REQUESTS_H
#define BENCH_REQUESTS_H

#include <string.h>

#include "lib/reader.h"

#define REQUEST_STEP_NS 100 /* an event each */

static inline void request_make(struct ttlog_reader_event *event, size_t index, uint32_t site, uint64_t status,
				const char *method)
{
	event->ticks = index * REQUEST_STEP_NS;
	event->site = site;
	event->flags = event->lane = 0;
	event->thread = index & 1;
	event->value_count = 3;
	event->value[0].type = TTLOG_TYPE_U64;
	event->value[0].bits = index;
	event->value[1].type = TTLOG_TYPE_I32;
	event->value[1].bits = status;
	event->value[2].type = TTLOG_TYPE_STRING;
	event->value[2].data = method;
	event->value[2].size = (uint32_t)strlen(method);
}

#endif
