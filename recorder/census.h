/* SPDX-License-Identifier: MIT */
/*
 * census.h - looks at the regions of all clients when somebody wants figures, and at that of each
 * one that ends, a millisecond at a time between everything else that the loop does.
 */
#ifndef RECORDER_CENSUS_H
#define RECORDER_CENSUS_H

#include "recorder/clients.h"
#include "recorder/services.h"

struct census;
struct client;

typedef void (*census_fn)(void *context);

/* From now on who ends is counted. fn is called when a look is finished. 0 or -ENOMEM. */
int census_open(struct census **ret_census, struct clients *clients, struct loop *loop,
		census_fn fn, void *context);
/* Before the clients are closed. NULL is fine. */
void census_close(struct census *census);

/* Begins a look if none is going on. Never calls fn before it returns. */
void census_look(struct census *census);
/* CLOCK_MONOTONIC of the last look's end; 0: there was none. */
uint64_t census_looked_ns(const struct census *census);
const struct services *census_services(const struct census *census);

/* For client_free(): the client is LIVE and about to be gone. census may be NULL. */
void census_ended(struct census *census, struct client *client);

#endif
