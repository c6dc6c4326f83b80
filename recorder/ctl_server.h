/* SPDX-License-Identifier: MIT */
/*
 * ctl_server.h - the control socket: who asks, what he may see, and the answer.
 *
 * The kernel says who asks. Root sees all, and so does the user as whom the recorder started;
 * anybody else sees the processes that registered as his user, and to him there are no others.
 *
 * Bounded: in questioners (all together, and of one user), in the bytes and the time of a question,
 * in the time for which nobody reads an answer. One worker at a time looks into regions. All of it
 * in the loop's thread; nobody who asks: no timer, no wake-up.
 */
#ifndef RECORDER_CTL_SERVER_H
#define RECORDER_CTL_SERVER_H

#include <stdint.h>

struct recorder;
struct ctl_server;

/* Listens there. 0 or a negative errno, as listener_open() has them. */
int ctl_server_open(struct ctl_server **ret_server, struct recorder *recorder, const char *path);
/* No more questions: the recorder is about to end. Who waits for a dump still gets it named. */
void ctl_server_wind_down(struct ctl_server *server);
/* After the workers. NULL is fine. */
void ctl_server_close(struct ctl_server *server);

/* Of the socket; -1 without one. */
int ctl_server_folder_fd(const struct ctl_server *server);

#endif
