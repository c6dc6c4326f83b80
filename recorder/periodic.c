/* SPDX-License-Identifier: MIT */
/* periodic.c - dumps that a program has asked for once, every so many seconds. */
#include "recorder/client.h"

static void flush_due(void *context)
{
	struct client *client = context;
	const struct occasion occasion = {
		.kind = OCCASION_PERIODIC,
		.every_ms = client->hello.flush_interval_s * UINT64_C(1000),
	};

	deaths_snapshot(client, "periodic", &occasion);
	periodic_begin(client);
}

void periodic_begin(struct client *client)
{
	if (client->hello.flush_interval_s)
		loop_timer_set(client->clients->config.loop, &client->flush_timer,
			       client->hello.flush_interval_s * UINT64_C(1000), flush_due, client);
}
