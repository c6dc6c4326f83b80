/* SPDX-License-Identifier: MIT */
/* team.c - see team.h. */
#include "bench/team.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>

#define TRIES 5 /* of a block in which a thread lost its core */

static long switches(void)
{
	struct rusage usage;

	getrusage(RUSAGE_THREAD, &usage);
	return usage.ru_nivcsw;
}

static void member_block(struct team_member *member)
{
	struct team *team = member->team;
	long before;

	__atomic_fetch_add(&team->ready, 1, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&team->ready, __ATOMIC_SEQ_CST) < team->threads)
		;
	before = switches();
	member->start_ns = measure_now_ns();
	team->loop(member->floor, team->from, team->events);
	member->end_ns = measure_now_ns();
	member->disturbed = switches() != before;
}

static void *member_main(void *argument)
{
	struct team_member *member = argument;
	struct team *team = member->team;

	measure_pin(member->cpu);
	for (;;) {
		pthread_barrier_wait(&team->open);
		if (team->over)
			return NULL;
		member_block(member);
		pthread_barrier_wait(&team->closed);
	}
}

static double block_result(const struct team *team, bool *ret_disturbed)
{
	uint64_t first = UINT64_MAX, last = 0, end = 0;

	*ret_disturbed = false;
	for (unsigned int i = 0; i < team->threads; i++) {
		const struct team_member *member = &team->member[i];

		first = member->start_ns < first ? member->start_ns : first;
		last = member->start_ns > last ? member->start_ns : last;
		end = member->end_ns > end ? member->end_ns : end;
		*ret_disturbed |= member->disturbed;
	}
	*ret_disturbed |= (last - first) * 50 > end - first;
	return (double)(end - first) / (double)team->events;
}

double team_block(struct team *team, unsigned int threads, team_loop loop, uint64_t events,
		  enum team_floor floor, bool *ret_disturbed)
{
	team->threads = threads;
	team->loop = loop;
	team->events = events;
	__atomic_store_n(&team->ready, 0, __ATOMIC_SEQ_CST);
	for (unsigned int i = 0; i < threads; i++)
		team->member[i].floor = &team->member[i].ring[floor];
	if (threads > 1)
		pthread_barrier_wait(&team->open);
	member_block(&team->member[0]);
	if (threads > 1)
		pthread_barrier_wait(&team->closed);
	team->from += team->events;
	return block_result(team, ret_disturbed);
}

double team_quiet_block(struct team *team, unsigned int threads, team_loop loop, uint64_t events,
			enum team_floor floor)
{
	bool disturbed = true;
	double ns = 0;

	for (int i = 0; i < TRIES && disturbed; i++)
		ns = team_block(team, threads, loop, events, floor, &disturbed);
	team->disturbed += disturbed;
	return ns;
}

void team_open(struct team *team, unsigned int threads, uint64_t region_bytes, const int *cpus)
{
	memset(team, 0, sizeof(*team));
	if (threads > TEAM_THREADS_MAX)
		measure_die("too large a team", EINVAL);
	pthread_barrier_init(&team->open, NULL, threads);
	pthread_barrier_init(&team->closed, NULL, threads);
	measure_pin(cpus[0]);
	for (unsigned int i = 0; i < threads; i++) {
		struct team_member *member = &team->member[i];

		*member = (struct team_member){.team = team, .index = i, .cpu = cpus[i]};
		measure_floor_open(&member->ring[TEAM_CACHE], MEASURE_CACHE_BYTES);
		/* Two threads share the region; so do their floors. */
		measure_floor_open(&member->ring[TEAM_REGION], region_bytes / threads);
		if (i && pthread_create(&member->thread, NULL, member_main, member) != 0)
			measure_die("pthread_create", EAGAIN);
	}
}

void team_close(struct team *team, unsigned int threads)
{
	team->over = true;
	if (threads > 1)
		pthread_barrier_wait(&team->open);
	for (unsigned int i = 0; i < threads; i++) {
		if (i)
			pthread_join(team->member[i].thread, NULL);
		measure_floor_close(&team->member[i].ring[TEAM_CACHE]);
		measure_floor_close(&team->member[i].ring[TEAM_REGION]);
	}
	pthread_barrier_destroy(&team->open);
	pthread_barrier_destroy(&team->closed);
}
