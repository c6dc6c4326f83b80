/* SPDX-License-Identifier: MIT */
/*
 * peer_spdlog_async.cpp - spdlog's asynchronous logger: a thread writes to a file ($PEER_LOG). The
 * queue gives up its oldest message when it is full; by default it would let the caller wait.
 */
#include "bench/peers.h"

#include <errno.h>
#include <spdlog/async.h>
#include <spdlog/sinks/rotating_file_sink.h>
#include <spdlog/spdlog.h>
#include <stdlib.h>
#include <unistd.h>

static spdlog::logger *logger;

static void spdlog_ready(void)
{
	static std::shared_ptr<spdlog::logger> holder;
	const char *path = getenv("PEER_LOG");

	if (!path)
		measure_die("PEER_LOG names the log", EINVAL);
	spdlog::init_thread_pool(spdlog::details::default_async_q_size, 1);
	/* Two files, as others keep 16 MiB. */
	holder = spdlog::rotating_logger_mt<spdlog::async_factory_nonblock>("bench", path, PEER_BYTES / 2,
								     1);
	logger = holder.get();
}

/* Everything that is in the queue is written; the program must ask for what was not. */
static void spdlog_finish(const char *path)
{
	(void)path;
	measure_print("overrun %zu\n", spdlog::thread_pool()->overrun_counter());
	spdlog::shutdown();
	logger->sinks()[0]->flush(); /* the queue is empty, the file's buffer is not */
}

PEER(spdlog_ready, spdlog_finish,
     logger->info("Request processed request_id={} status={} method={}", i, PEER_STATUS(i),
		  PEER_METHOD))
