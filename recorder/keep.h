/* SPDX-License-Identifier: MIT */
/*
 * keep.h - the space that dumps take: what is written, what goes, what is left for others.
 *
 * keep_choose.h has the rules for what goes, keep_loops.h those for what is not even written. The
 * free-space floor: what a dump needs must be free above it before it is written; older dumps go to
 * make it so, but only if that helps; if it does not, nothing is written.
 *
 * Only files that look like dumps and belong to the recorder's user are ever counted or removed.
 *
 * Who calls: `loop` = the recorder's loop, which never waits here; `worker` = a worker, which may
 * wait for the disk and for other workers.
 */
#ifndef RECORDER_KEEP_H
#define RECORDER_KEEP_H

#include "recorder/keep_choose.h"
#include "recorder/keep_loops.h"
#include "recorder/loop.h"
#include "recorder/store.h"
#include "recorder/workers.h"

struct keep;
struct subject;
struct verdict;

/*
 * The folder is read by a job of `workers`. Both must live as long; workers_close() comes before
 * keep_close(). 0 or -ENOMEM.
 */
int keep_open(struct keep **ret_keep, struct loop *loop, struct workers *workers,
	      const struct store *store, const struct keep_limits *limits);
void keep_close(struct keep *keep); /* NULL is fine */
/*
 * Loop, before it runs: once the folder was read for the first time, fn is called for the newest death
 * of each service and user, and at the end with NULLs.
 */
typedef void (*keep_found_fn)(void *context, const struct summary *summary, const char *path);
void keep_tell_found(struct keep *keep, keep_found_fn fn, void *context);
/* Loop. Other limits from now on. */
void keep_set_limits(struct keep *keep, const struct keep_limits *limits);

/*
 * Loop. Shall this death be dumped? See keep_loops_admit(); says on stderr when a loop is found.
 * What lives, exits with 0 or executes something else is never in one. keep NULL: yes.
 */
bool keep_admit(struct keep *keep, const struct subject *subject, const struct verdict *verdict,
		struct keep_place *ret_place);
/* Who dies in the same way, again: the same build of a program, service, user, cause, and place of a fault. */
uint64_t keep_died_ns(const struct verdict *verdict); /* CLOCK_REALTIME */
void keep_death_of(const struct subject *subject, const struct verdict *verdict,
		   struct keep_death *ret_death);

/*
 * Worker. Is there room for so many more bytes in a file? Removes older dumps if there must be.
 * 0, or -ENOSPC: below the floor. `keep` is a struct keep.
 */
int keep_room(void *keep, uint64_t bytes);
/* Worker. What is free, and what shall stay free. 0 or a negative errno. */
int keep_space(struct keep *keep, uint64_t *ret_free, uint64_t *ret_floor);
/* Worker. A dump has got its name (with or without its folder); those that are too many go. */
void keep_written(struct keep *keep, const char *path);

/* "20G", "5%"; one of ret_bytes and ret_percent is 0. 0 or -EINVAL. */
int keep_parse_free(const char *text, uint64_t *ret_bytes, unsigned int *ret_percent);

#endif
