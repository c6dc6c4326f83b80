/* SPDX-License-Identifier: MIT */
/* step_changes.c - scenarios in which a thread needs another chunk; see step_scenarios.c. */
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/process.h"
#include "lib/writer.h"
#include "tests/step_pieces.h"
#include "tests/step_scenarios.h"
#include "tests/step_tracer.h"

static void take_from_boot(void)
{
	warm_up();
	fill_chunk();
	step_large_event();
}

/* The one that finds that boot is full. */
static void first_from_main(void)
{
	warm_up();
	fill_chunk();
	fill_chunks(chunk_count(TTLOG_LANE_BOOT) - 1);
	step_large_event();
}

static void free_from_main(void)
{
	warm_up();
	fill_chunk();
	fill_chunks(chunk_count(TTLOG_LANE_BOOT) + 1);
	step_large_event();
}

static void recycled(void)
{
	warm_up();
	fill_chunk();
	fill_chunks(chunk_count(TTLOG_LANE_BOOT) + chunk_count(TTLOG_LANE_MAIN) + 3);
	step_large_event();
}

/* The account of the chunk has been through both parities. */
static void recycled_again(void)
{
	warm_up();
	fill_chunk();
	fill_chunks(chunk_count(TTLOG_LANE_BOOT) + 2 * chunk_count(TTLOG_LANE_MAIN) + 3);
	step_large_event();
}

static sem_t guest_may_leave, guest_is_in;

static void *guest(void *argument)
{
	(void)argument;
	record_info(3, LARGE);
	sem_post(&guest_is_in);
	sem_wait(&guest_may_leave);
	return NULL;
}

/* A quiet thread's chunk, retired just now, is where the hand is: the taker goes on to the next. */
static void young_is_left(void)
{
	uint32_t count, index;
	pthread_t thread;

	warm_up();
	sem_init(&guest_is_in, 0, 0);
	sem_init(&guest_may_leave, 0, 0);
	fill_chunk();
	fill_chunks(chunk_count(TTLOG_LANE_BOOT) + 3);
	count = chunk_count(TTLOG_LANE_MAIN);
	index = (uint32_t)(lane_hand(TTLOG_LANE_MAIN) % count);
	if (pthread_create(&thread, NULL, guest, NULL) != 0)
		abort();
	sem_wait(&guest_is_in);
	do
		fill_chunks(1);
	while (lane_hand(TTLOG_LANE_MAIN) % count != index);
	sem_post(&guest_may_leave);
	pthread_join(thread, NULL);
	step_large_event();
}

/* No destructor of libc runs: the chunk stays OWNED by nobody. */
static void *vanish(void *argument)
{
	(void)argument;
	record_info(3, LARGE);
	syscall(SYS_exit, 0);
	return NULL;
}

static void vanish_everywhere(void)
{
	uint32_t threads = chunk_count(TTLOG_LANE_BOOT) - 1 + chunk_count(TTLOG_LANE_MAIN);

	for (uint32_t i = 0; i < threads; i++)
		run_thread(vanish, NULL);
}

static void owner_has_vanished(void)
{
	warm_up();
	vanish_everywhere();
	fill_chunk();
	stepper_stop_here();
	record_info(0, LARGE);
	piece_is_over();
}

static struct ttlog_chunk_record *record_of(uint32_t lane, uint32_t index)
{
	return (struct ttlog_chunk_record *)(void *)(ttlog_place_.base +
						     ttlog_place_.geometry.lane[lane]
							     .records_offset) +
	       index;
}

static _Atomic uint64_t *state_of(uint32_t lane, uint32_t index)
{
	return &record_of(lane, index)->state;
}

/* Tells what the owner of a chunk died of: it was between two steps of taking the next one. */
static void leave_condemned(uint32_t index)
{
	_Atomic uint64_t *state = state_of(TTLOG_LANE_MAIN, index);

	*state = TTLOG_STATE(TTLOG_STATE_GENERATION(*state), TTLOG_STATE_TID(*state),
			     TTLOG_CHUNK_COND);
}

static void leave_empty(uint32_t index)
{
	struct ttlog_account *account = record_of(TTLOG_LANE_MAIN, index)->account;
	_Atomic uint64_t *state = state_of(TTLOG_LANE_MAIN, index);
	uint64_t old = TTLOG_STATE_GENERATION(*state);

	atomic_store(&account[(old + 1) & 1].count, atomic_load(&account[old & 1].count) + 1);
	*state = TTLOG_STATE(old + 1, TTLOG_STATE_TID(*state), TTLOG_CHUNK_INIT);
}

/* Where the hand is, there is one that only a search finds; the rest is held by who lives. */
static void taker_has_vanished(uint32_t state)
{
	uint32_t count, at;
	uint32_t mine;

	warm_up();
	atomic_store(&witness->any_order, 1);
	vanish_everywhere();
	count = chunk_count(TTLOG_LANE_MAIN);
	at = (uint32_t)((lane_hand(TTLOG_LANE_MAIN) + 2) % count);
	mine = ttlog_thread_mine()->tid;
	for (uint32_t i = 0; i < count; i++)
		if (i != at)
			*state_of(TTLOG_LANE_MAIN, i) =
				TTLOG_STATE(TTLOG_STATE_GENERATION(*state_of(TTLOG_LANE_MAIN, i)),
					    mine, TTLOG_CHUNK_OWNED);
	if (state == TTLOG_CHUNK_COND)
		leave_condemned(at);
	else
		leave_empty(at);
	fill_chunk();
	stepper_stop_here();
	record_info(0, LARGE);
	piece_is_over();
}

static void taker_has_vanished_early(void)
{
	taker_has_vanished(TTLOG_CHUNK_COND);
}

static void taker_has_vanished_late(void)
{
	taker_has_vanished(TTLOG_CHUNK_INIT);
}

/* Frozen for the second time: the afterlife of the first gives way. */
static void take_when_frozen_again(void)
{
	warm_up();
	freeze_myself();
	fill_chunk();
	fill_chunks(chunk_count(TTLOG_LANE_AFTERLIFE));
	freeze_myself(); /* a thaw */
	freeze_myself();
	stepper_stop_here();
	record_info(0, LARGE);
	piece_is_over();
	record_after();
}

static void take_after_thaw(void)
{
	warm_up();
	freeze_myself();
	fill_chunk();
	fill_chunks(2);
	freeze_myself(); /* a thaw */
	stepper_stop_here();
	record_info(0, LARGE);
	piece_is_over();
	record_after();
}

static void take_when_frozen(void)
{
	warm_up();
	freeze_myself();
	fill_chunk();
	step_large_event();
}

static void dropped(void)
{
	warm_up();
	freeze_myself();
	fill_chunk();
	fill_chunks(chunk_count(TTLOG_LANE_AFTERLIFE));
	stepper_stop_here();
	record_info(0, LARGE);
	piece_is_over();
	record_info(0, LARGE);
}

const struct scenario step_changes[] = {
	{"chunk change: boot", take_from_boot, 16, 2, 7, 7},
	{"chunk change: boot is full", first_from_main, 16, 3, 7, 7},
	{"chunk change: free", free_from_main, 16, 3, 7, 7},
	{"chunk change: recycled", recycled, 16, 1, 1, 5},
	{"chunk change: recycled again", recycled_again, 16, 7, 7, 0},
	{"chunk change: the young is left", young_is_left, 16, 7, 7, 3},
	{"chunk change: owner vanished", owner_has_vanished, 64, 0, 0, 0},
	{"chunk change: its taker died early", taker_has_vanished_early, 512, 511, 0, 0},
	{"chunk change: its taker died late", taker_has_vanished_late, 512, 511, 0, 0},
	{"chunk change: frozen", take_when_frozen, 16, 3, 3, 0},
	{"chunk change: frozen again", take_when_frozen_again, 16, 3, 3, 7},
	{"chunk change: thawed", take_after_thaw, 16, 7, 7, 7},
	{"event is dropped", dropped, 16, 7, 7, 0},
	{0},
};
