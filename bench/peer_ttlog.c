/* SPDX-License-Identifier: MIT */
/* peer_ttlog.c - ttlog itself, with a running recorder ($TTLOG_SOCKET). */
#define TTLOG_TARGET "bench"
#include "bench/peers.h"

#include <errno.h>

static void ttlog_ready(void)
{
	const struct ttlog_options options = {
		.size = sizeof(options),
		.service = "bench",
		.buffer_bytes = PEER_BYTES,
		.level = "info",
		.hello_timeout_ms = 2000,
	};
	uint64_t position = 0;
	int error = ttlog_init_with(&options);

	if (error)
		measure_die("ttlog_init_with", error);
	for (int i = 0; i < 2; i++) {
		position = ttlog_writer_->position;
		ttlog_info("Ready", "bytes", UINT64_MAX, "status", 200, "method", "GET");
	}
	measure_print("bytes %u\n", (uint32_t)ttlog_writer_->position - (uint32_t)position);
}

/* A function: a macro's commas do not go through PEER(). */
static inline __attribute__((always_inline)) void event(uint64_t i)
{
	ttlog_info("Request processed", "request_id", i, "status", PEER_STATUS(i), "method", PEER_METHOD);
}

PEER(ttlog_ready, NULL, event(i))
