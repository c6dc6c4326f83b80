/* SPDX-License-Identifier: MIT */
/*
 * pretend.h - features that the kernel has and that are not to be used (--pretend), so that a lower
 * rung of the ladder can be tried on any machine.
 *
 * Whoever is about to use such a feature asks, and then does what it does when the kernel refuses.
 */
#ifndef RECORDER_PRETEND_H
#define RECORDER_PRETEND_H

#include <stdbool.h>

enum pretend {
	PRETEND_NO_BPF = 1,	      /* bpf() is refused */
	PRETEND_NO_BTF = 2,	      /* /sys/kernel/btf is hidden */
	PRETEND_NO_TASK_STORAGE = 4,  /* before 5.11 */
	PRETEND_NO_MMAPABLE_MAPS = 8, /* before 5.5 */
	PRETEND_NO_GROUP_DEAD = 16,   /* before 6.16 */
	PRETEND_SMALL_BUFFER = 32,    /* what the kernel program sends gets a page */
	PRETEND_NO_MAPPING_WALK = 64, /* before 6.7 */
	PRETEND_REFUSED_WALK = 128,   /* a verifier that does not take the walk */
	PRETEND_REFUSED_VICTIM = 256, /* nor who is told of the OOM killer's choice */
	PRETEND_UNSEEN_SIGNALS = 512, /* no program runs where signals are sent */
};

extern unsigned int pretend_flags; /* set once, before the first thread */

static inline bool pretend(enum pretend what)
{
	return pretend_flags & what;
}

/* Names with commas between them. 0 or -EINVAL. */
int pretend_parse(const char *names, unsigned int *ret_flags);

#endif
