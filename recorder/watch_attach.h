/* SPDX-License-Identifier: MIT */
/*
 * watch_attach.h - the kernel program is in the way of other people's signals, exits and execs only
 * while there is a client; for watch.c. There is nothing behind it with BPF=0.
 *
 * A tracepoint with a program costs whoever passes it about 3% of a signal, whose ever that is. So the
 * programs are attached when the first client comes, before it is known to them, and detached some
 * seconds behind the last one. That takes 0.1 ms for all of them, and no capability: the programs were
 * loaded before. Who calls for a recorder (ttlog_task_rename) is heard all the time.
 */
#ifndef RECORDER_WATCH_ATTACH_H
#define RECORDER_WATCH_ATTACH_H

#include <stdbool.h>

struct ttlog_bpf;

#define WATCH_ATTACH_PROGRAMS 8
/* Who comes and goes once a second is not worth it; nor may a tracepoint go and come at once. */
#define WATCH_ATTACH_LINGER_S 3

struct watch_attach {
	struct ttlog_bpf *skeleton;
	int timer_fd; /* readable some seconds after the last client went */
	unsigned int clients;
	unsigned int count;
	int fds[WATCH_ATTACH_PROGRAMS]; /* of what is attached; closed, it is detached */
};

/*
 * What was loaded is attached, to see that it can be, and what nobody needs is detached again. 0 or a
 * negative errno; watch_attach_fini() also behind a failure.
 */
int watch_attach_init(struct watch_attach *attach, struct ttlog_bpf *skeleton);
void watch_attach_fini(struct watch_attach *attach);

/* A client comes: all that is loaded runs when this returns 0. Else a negative errno, and none came. */
int watch_attach_come(struct watch_attach *attach);
/* One that came goes. */
void watch_attach_go(struct watch_attach *attach);
/* Whenever timer_fd may be readable. */
void watch_attach_look(struct watch_attach *attach);

#endif
