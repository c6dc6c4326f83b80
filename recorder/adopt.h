/* SPDX-License-Identifier: MIT */
/*
 * adopt.h - rings of living processes that nobody handed over: found, and kept as if they had been.
 *
 * Once at the start, for those who were there before us; then whenever a process calls (see the
 * hello in lib/ttlog_abi_hello.h), which only the kernel program hears. Without it /proc is looked
 * through again and again, for one hundredth of the time at most.
 */
#ifndef RECORDER_ADOPT_H
#define RECORDER_ADOPT_H

#include <stdbool.h>
#include <stdint.h>

#include "recorder/clients.h"
#include "recorder/loop.h"
#include "recorder/workers.h"

struct adopt;
struct watch;

enum adopt_whom {
	ADOPT_NONE,
	ADOPT_OWN, /* who would have connected to our socket */
	ADOPT_ALL,
};

struct adopt_config {
	struct loop *loop;
	struct workers *workers;
	struct clients *clients;
	struct watch *watch; /* NULL: without the kernel program */
	const char *socket;
	enum adopt_whom whom;
};

/* Starts to look. *ret_adopt is NULL with ADOPT_NONE. 0 or a negative errno. */
int adopt_open(struct adopt **ret_adopt, const struct adopt_config *config);
/* Is the first look over, with all that it found? NULL: yes. */
bool adopt_is_settled(const struct adopt *adopt);
/* Looks for nobody any more; jobs that are under way come to nothing. NULL is fine. */
void adopt_stop(struct adopt *adopt);
/* When the workers are closed. NULL is fine. */
void adopt_close(struct adopt *adopt);

/* "none", "own", "all". 0 or -EINVAL. */
int adopt_parse(const char *text, enum adopt_whom *ret_whom);

#endif
