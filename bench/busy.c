/* SPDX-License-Identifier: MIT */
/* busy.c - see busy.h. */
#include "bench/busy.h"

#define ROUNDS 12

volatile uint64_t busy_sink;

static inline __attribute__((always_inline)) uint64_t mix(uint64_t x)
{
	x ^= x >> 29;
	x *= UINT64_C(0xbf58476d1ce4e5b9);
	return x + UINT64_C(0x9e3779b97f4a7c15);
}

/*
 * Out of line, so that it is the same code in every loop: what the compiler makes of the registers
 * around an event is not its cost.
 */
void busy_work(struct busy *busy)
{
	uint64_t a = busy->chain[0], b = busy->chain[1], c = busy->chain[2], d = busy->chain[3];
	uint64_t e = busy->chain[4], f = busy->chain[5], g = busy->chain[6], h = busy->chain[7];

	for (int i = 0; i < ROUNDS; i++) {
		a = mix(a), b = mix(b), c = mix(c), d = mix(d);
		e = mix(e), f = mix(f), g = mix(g), h = mix(h);
	}
	*busy = (struct busy){{a, b, c, d, e, f, g, h}};
}
