/* SPDX-License-Identifier: MIT */
/* peer_spdlog_backtrace.cpp - spdlog's backtrace: formatted messages in a queue of the process. */
#include "bench/peers.h"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/spdlog.h>

/* What 16 MiB hold: each has a buffer of 250 bytes beside its text, 384 in all. */
static const size_t messages = PEER_BYTES / 384;

static spdlog::logger *logger;

static void spdlog_ready(void)
{
	static std::shared_ptr<spdlog::logger> holder;

	holder = std::make_shared<spdlog::logger>("bench");
	logger = holder.get();
	logger->set_level(spdlog::level::warn); /* info goes to the backtrace alone */
	logger->enable_backtrace(messages);
}

static void spdlog_finish(const char *path)
{
	logger->sinks().push_back(std::make_shared<spdlog::sinks::basic_file_sink_st>(path, true));
	logger->dump_backtrace();
	logger->flush();
}

PEER(spdlog_ready, spdlog_finish,
     logger->info("Request processed request_id={} status={} method={}", i, PEER_STATUS(i),
		  PEER_METHOD))
