/* SPDX-License-Identifier: MIT */
/* triggers.c - what leads to a dump of a living client, but for those who ask for one. */
#include "recorder/client.h"

static void flush_due(void *context)
{
	struct client *client = context;

	deaths_snapshot(client, "periodic");
	trigger_periodic(client);
}

void trigger_periodic(struct client *client)
{
	if (client->hello.flush_interval_s)
		loop_timer_set(client->clients->config.loop, &client->flush_timer,
			       client->hello.flush_interval_s * UINT64_C(1000), flush_due, client);
}

void trigger_hang(struct client *client)
{
	deaths_snapshot(client, "hang");
}
