/* SPDX-License-Identifier: MIT */
/* step_pieces.c - see step_pieces.h. */
#include "tests/step_pieces.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "lib/process.h"
#include "tests/step_tracer.h"

#define LARGE_EVENT_BYTES 448u
#define AFTER_EVENTS 20

void record_info(uint32_t stream, uint32_t bytes)
{
	WITNESS_RECORD(ttlog_info, stream, bytes);
}

void record_warn(uint32_t stream, uint32_t bytes)
{
	WITNESS_RECORD(ttlog_warn, stream, bytes);
}

/* In the middle of whatever the thread does, the counts add up but for what is in flight. */
static void check_stats(void)
{
	struct ttlog_stats stats = {.size = sizeof(stats)};
	uint64_t started = 0, returned = 0, sum;

	for (uint32_t i = 0; i < WITNESS_STREAMS; i++) {
		started += atomic_load(&witness->stream[i].started);
		returned += atomic_load(&witness->stream[i].returned);
	}
	ttlog_get_stats(&stats);
	sum = stats.retained + stats.overwritten + stats.dropped;
	if (sum < returned || sum > started)
		atomic_fetch_add(&witness->wrong_stats, 1);
}

void on_signal(int number)
{
	(void)number;
	if (atomic_load(&witness->wants_stats))
		check_stats();
	WITNESS_RECORD(ttlog_info, 1, SMALL);
	WITNESS_RECORD(ttlog_warn, 2, SMALL);
}

void handle_with(void (*handler)(int number))
{
	struct sigaction action = {.sa_handler = handler};

	sigaction(SIGUSR1, &action, NULL);
}

/* All sites but those of the piece are known, and the thread has a chunk. */
void warm_up(void)
{
	handle_with(on_signal);
	record_info(0, SMALL);
	record_warn(3, SMALL);
	raise(SIGUSR1);
}

void piece_is_over(void)
{
	atomic_store(&witness->phase, WITNESS_AFTER);
}

void record_after(void)
{
	for (int i = 0; i < AFTER_EVENTS; i++)
		record_info(0, LARGE);
	record_warn(3, SMALL);
}

void fill_chunk(void)
{
	while ((uint32_t)ttlog_writer_->position + LARGE_EVENT_BYTES <= ttlog_writer_->limit)
		record_info(0, LARGE);
}

void fill_chunks(uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		record_info(0, LARGE); /* takes the next one, if the last was filled */
		fill_chunk();
	}
}

uint32_t chunk_count(uint32_t lane)
{
	return ttlog_place_.geometry.lane[lane].chunk_count;
}

uint64_t lane_hand(uint32_t lane)
{
	return atomic_load(&ttlog_process_ledger()->lane[lane].hand);
}

void step_large_event(void)
{
	stepper_stop_here();
	record_info(0, LARGE);
	piece_is_over();
	record_after();
}

void run_thread(void *(*function)(void *argument), void *argument)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, function, argument) != 0)
		abort();
	pthread_join(thread, NULL);
}

void freeze_myself(void)
{
	__atomic_fetch_add(&ttlog_place_.control->freeze, 1, __ATOMIC_SEQ_CST);
}
