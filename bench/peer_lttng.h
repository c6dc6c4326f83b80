/* SPDX-License-Identifier: MIT */
/* peer_lttng.h - the event as a tracepoint. LTTng includes this file many times over. */
#undef LTTNG_UST_TRACEPOINT_PROVIDER
#define LTTNG_UST_TRACEPOINT_PROVIDER bench

#undef LTTNG_UST_TRACEPOINT_INCLUDE
#define LTTNG_UST_TRACEPOINT_INCLUDE "bench/peer_lttng.h"

#if !defined(BENCH_PEER_LTTNG_H) || defined(LTTNG_UST_TRACEPOINT_HEADER_MULTI_READ)
#define BENCH_PEER_LTTNG_H

#include <stdint.h>
#include <lttng/tracepoint.h>

LTTNG_UST_TRACEPOINT_EVENT(
	bench, request, LTTNG_UST_TP_ARGS(uint64_t, request_id, int, status, const char *, method),
	LTTNG_UST_TP_FIELDS(lttng_ust_field_integer(uint64_t, request_id, request_id)
				    lttng_ust_field_integer(int, status, status)
					    lttng_ust_field_string(method, method)))

#endif

#include <lttng/tracepoint-event.h>
