/* SPDX-License-Identifier: MIT */
/* beat.c - the heartbeat's words in the ledger: see ttlog_heartbeat_promise() and the ledger. */
#include "lib/attach.h"
#include "lib/clock.h"
#include "lib/process.h"

void ttlog_process_beat(void)
{
	atomic_store_explicit(&ttlog_process_ledger()->heartbeat_ticks,
			      ttlog_clock_ticks(ttlog_place_.geometry.clock_source),
			      memory_order_relaxed);
}

static void promise(uint32_t period_ms)
{
	struct ttlog_ledger *ledger = ttlog_process_ledger();

	atomic_store_explicit(&ledger->heartbeat_period_ms, period_ms, memory_order_relaxed);
	/* Pairs with the acquire of recorder/heartbeat.c: who sees it sees the period. */
	atomic_fetch_add_explicit(&ledger->heartbeat_promise, 1, memory_order_release);
}

/* A promise is a beat: the first one after it has a whole period. */
void ttlog_process_promise(uint32_t period_ms)
{
	ttlog_process_beat();
	promise(period_ms);
	ttlog_process_notice();
}

/* A goodbye follows; where nobody hears that, the promise is looked at before it counts as broken. */
void ttlog_process_take_back(void)
{
	promise(0);
}
