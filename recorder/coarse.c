/* SPDX-License-Identifier: MIT */
/*
 * coarse.c - the clock of those who asked for a coarse one: "now", put into their control pages.
 *
 * One timer for all of them, which goes only while there are any; a client costs a store. Who gets
 * its time late (a recorder that is busy or stopped) has the last reading of its own.
 */
#include <stdatomic.h>

#include "lib/clock.h"
#include "recorder/client.h"

#define COARSE_MS 4

/* Its source is what it said; one that says nonsense has a coarse clock of nonsense. */
static void tell(struct client *client, uint64_t ticks)
{
	struct ttlog_control *control = client_control(client);

	atomic_store_explicit((_Atomic uint64_t *)&control->coarse_ticks, ticks,
			      memory_order_relaxed);
}

static void tick(void *context)
{
	struct clients *clients = context;
	uint64_t now[TTLOG_CLOCK_CNTVCT + 1] = {0};

	for (struct client *client = clients->coarse; client; client = client->coarse_next) {
		const enum ttlog_clock_source source = client->subject->clock_source;

		if (!now[source])
			now[source] = ttlog_clock_ticks(source);
		if (!client->dead)
			tell(client, now[source]);
	}
	loop_timer_set(clients->config.loop, &clients->coarse_timer, COARSE_MS, tick, clients);
}

void coarse_begin(struct client *client)
{
	struct clients *clients = client->clients;

	if (client->hello.clock_mode != TTLOG_CLOCK_COARSE || client->coarse_at)
		return;
	client->coarse_at = &clients->coarse;
	client->coarse_next = clients->coarse;
	if (clients->coarse)
		clients->coarse->coarse_at = &client->coarse_next;
	clients->coarse = client;
	tell(client, ttlog_clock_ticks(client->subject->clock_source));
	if (!loop_timer_armed(&clients->coarse_timer))
		loop_timer_set(clients->config.loop, &clients->coarse_timer, COARSE_MS, tick,
			       clients);
}

void coarse_end(struct client *client)
{
	struct clients *clients = client->clients;

	if (!client->coarse_at)
		return;
	*client->coarse_at = client->coarse_next;
	if (client->coarse_next)
		client->coarse_next->coarse_at = client->coarse_at;
	client->coarse_at = NULL;
	if (!clients->coarse)
		loop_timer_clear(&clients->coarse_timer);
}
