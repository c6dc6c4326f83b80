/* SPDX-License-Identifier: MIT */
/* peer_lttng.c - LTTng-UST, with a session that peers.sh has started. */
#define LTTNG_UST_TRACEPOINT_DEFINE
#define LTTNG_UST_TRACEPOINT_CREATE_PROBES
#include "bench/peer_lttng.h"
#include "bench/peers.h"

#include <errno.h>

static void lttng_ready(void)
{
	/* Its constructor has waited for the session daemon: what is off now was never switched on. */
	if (!lttng_ust_tracepoint_enabled(bench, request))
		measure_die("LTTng's session does not record us", ENOTCONN);
}

PEER(lttng_ready, NULL, lttng_ust_tracepoint(bench, request, i, PEER_STATUS(i), PEER_METHOD))
