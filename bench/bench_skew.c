/* SPDX-License-Identifier: MIT */
/*
 * bench_skew.c - by how much the counters of two CPUs differ, as two threads that take turns see it.
 *
 * Each takes a timestamp as an event does and hands it over. The least that a hand-over takes each way
 * differs by twice the offset of the counters, if a cache line is as fast there as back. "back" is how
 * often, and how far at the most, a timestamp was earlier than the one that it was taken behind: what
 * the order of merged events may be wrong by.
 */
#include "bench/measure.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#define ROUNDS 200000
#define CPUS_MAX 256

static struct side {
	_Alignas(64) _Atomic uint64_t ticks; /* of its newest turn */
	int cpu;
	uint64_t least; /* ticks from the other's stamp to its own */
	uint64_t back, back_most;
} side[2];

/* Each waits for a stamp that it has not seen, then gives its own. */
static void *take_turns(void *argument)
{
	struct side *self = argument, *other = self == &side[0] ? &side[1] : &side[0];
	uint64_t seen = 0;

	measure_pin(self->cpu);
	self->least = UINT64_MAX;
	for (uint64_t i = 0; i < ROUNDS; i++) {
		uint64_t theirs, mine;

		while ((theirs = atomic_load_explicit(&other->ticks, memory_order_acquire)) == seen)
			;
		mine = measure_ticks();
		seen = theirs;
		if (mine < theirs) {
			self->back++;
			if (theirs - mine > self->back_most)
				self->back_most = theirs - mine;
		} else if (mine - theirs < self->least) {
			self->least = mine - theirs;
		}
		/* Never the same twice, or the other would wait for ever. */
		atomic_store_explicit(&self->ticks, mine, memory_order_release);
	}
	return NULL;
}

static void measure_pair(int first, int second, double ticks_per_ns)
{
	pthread_t thread;
	double there, here;
	int error;

	side[0] = (struct side){.cpu = first};
	side[1] = (struct side){.cpu = second};
	error = pthread_create(&thread, NULL, take_turns, &side[1]);
	if (error)
		measure_die("pthread_create", error);
	atomic_store(&side[1].ticks, 1); /* the first turn is ours */
	take_turns(&side[0]);
	pthread_join(thread, NULL);
	there = (double)side[1].least / ticks_per_ns;
	here = (double)side[0].least / ticks_per_ns;
	measure_print("  cpu %d and %d: offset %+.1f ns (least there %.1f, back %.1f), %.1f at most went back "
		      "in %" PRIu64 " of %d turns\n",
		      first, second, (there - here) / 2, there, here,
		      (double)(side[0].back_most > side[1].back_most ? side[0].back_most
								    : side[1].back_most) /
			      ticks_per_ns,
		      side[0].back + side[1].back, 2 * ROUNDS);
}

int main(void)
{
	int cpu[CPUS_MAX];
	unsigned int count = measure_cpus(cpu, CPUS_MAX);

	measure_print_machine("bench_skew: the counters of two CPUs, as two threads that take turns see them");
	if (count < 2) {
		measure_print("  one CPU: nothing to compare\n");
		return 0;
	}
	for (unsigned int i = 1; i < count; i++)
		measure_pair(cpu[0], cpu[i], measure_ticks_per_ns());
	return 0;
}
