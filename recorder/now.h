/* SPDX-License-Identifier: MIT */
/* now.h - what a clock shows. From anywhere, signal handlers too; it cannot fail. */
#ifndef RECORDER_NOW_H
#define RECORDER_NOW_H

#include <stdint.h>
#include <time.h>

static inline uint64_t now_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

/* For intervals and deadlines: of CLOCK_MONOTONIC, which nobody sets. */
static inline uint64_t now_ms(void)
{
	return now_ns(CLOCK_MONOTONIC) / 1000000;
}

#endif
