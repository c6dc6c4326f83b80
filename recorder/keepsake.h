/* SPDX-License-Identifier: MIT */
/*
 * keepsake.h - what a service manager keeps of a client while no recorder runs: its region, its
 * pidfd, and a sealed memfd with the facts, as there is no /proc of a process that is dead.
 */
#ifndef RECORDER_KEEPSAKE_H
#define RECORDER_KEEPSAKE_H

#include <stdbool.h>
#include <sys/types.h>

#include "lib/ttlog_abi.h"
#include "recorder/adopt_take.h"
#include "recorder/identity.h"

/* What is known of a client and nowhere else to be had. */
struct keepsake {
	pid_t pid;
	uint32_t level;
	uint32_t gid;
	char service[TTLOG_SERVICE_BYTES];
	const struct identity *identity;
};

/* A descriptor of such a memfd, or a negative errno. */
int keepsake_write(const struct keepsake *keepsake);

/*
 * Out of the three descriptors of one client, in any order, which are taken. *ret_dead: it died
 * meanwhile; then what is known of it is what was known then. 0 or a negative errno: -EBADMSG
 * (something is missing, or not ours), and what adopt_take() says.
 */
int keepsake_take(int fd[3], struct adopt_taken *ret_taken, bool *ret_dead);

#endif
