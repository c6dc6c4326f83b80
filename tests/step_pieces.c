/* SPDX-License-Identifier: MIT */
/* step_pieces.c - see step_pieces.h. */
#include "tests/step_pieces.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/process.h"
#include "lib/writer.h"
#include "tests/step_tracer.h"

#define LARGE_EVENT_BYTES 448u
#define AFTER_EVENTS 20
#define HALF 1900u /* bytes of text that fill half a chunk */
#define RIVAL_EVENTS 9

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

/* How many more large events the chunk takes. */
static uint32_t chunk_room(void)
{
	const struct ttlog_thread *mine = ttlog_thread_mine();
	uint32_t end = ttlog_place_.geometry.lane[mine->mine.lane].chunk_bytes - 8;

	return (end - (uint32_t)mine->hot.position) / LARGE_EVENT_BYTES;
}

void fill_chunk(void)
{
	fill_chunk_but(0);
}

void fill_chunk_but(uint32_t count)
{
	while (chunk_room() > count)
		record_info(0, LARGE);
}

void fill_chunks(uint32_t count)
{
	/* The first takes the next one, if the last was filled. */
	for (uint32_t i = 0; i < count * 2; i++)
		record_info(0, HALF);
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

__attribute__((noinline)) void record_info_deep(uint32_t stream, uint32_t bytes)
{
	unsigned char deep[4096];

	__asm__ volatile("" : : "r"(deep) : "memory");
	record_info(stream, bytes);
	__asm__ volatile("" : : "r"(deep) : "memory");
}

void abandon(uint32_t stream)
{
	uint64_t started = atomic_load(&witness->stream[stream].started);

	if (started > atomic_load(&witness->stream[stream].returned))
		atomic_store(&witness->stream[stream].abandoned, started);
}

void record_nested(uint32_t count, uint32_t bytes)
{
	ttlog_writer_->busy = ttlog_stack_pointer_();
	for (uint32_t i = 0; i < count; i++)
		record_info_deep(3, bytes);
	ttlog_writer_->busy = 0;
}

void on_signal_vanish(int number)
{
	(void)number;
	syscall(SYS_exit, 0);
}

void await_vanished(void)
{
	while (syscall(SYS_tkill, atomic_load(&witness->tid), 0) == 0)
		sched_yield();
}

void run_thread(void *(*function)(void *argument), void *argument)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, function, argument) != 0)
		abort();
	pthread_join(thread, NULL);
}

void (*rival_also)(void);

/* The first event of a thread, a chunk change, an alert. */
static void *rival(void *argument)
{
	(void)argument;
	sem_post(&witness->rival_did);
	while (sem_wait(&witness->rival_may) == 0) {
		WITNESS_RECORD(ttlog_info, WITNESS_RIVAL_STREAM, SMALL);
		for (int i = 0; i < RIVAL_EVENTS; i++)
			record_info(WITNESS_RIVAL_STREAM, LARGE);
		record_warn(WITNESS_RIVAL_STREAM + 1, SMALL);
		if (rival_also)
			rival_also();
		sem_post(&witness->rival_did);
	}
	return NULL;
}

void rival_start(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, rival, NULL) != 0)
		abort();
	pthread_detach(thread);
	/* A new thread stops for its tracer: that must be over when the piece begins. */
	sem_wait(&witness->rival_did);
}

void freeze_myself(void)
{
	__atomic_fetch_add(&ttlog_place_.control->freeze, 1, __ATOMIC_SEQ_CST);
}
