/* SPDX-License-Identifier: MIT */
/* Who is frozen by what the kernel program says, who by a hand, and what thaws them. */
#include "tests/clients_by_hand.h"

TestSuite(clients_freeze, .init = open_parts, .fini = close_parts, .timeout = 120);

static uint32_t freeze_of(const struct client *client)
{
	const struct subject *subject = client->subject;
	const struct ttlog_control *control =
		(const struct ttlog_control *)((const char *)subject->base +
					       subject->geometry.control_offset);

	return __atomic_load_n(&control->freeze, __ATOMIC_RELAXED);
}

Test(clients_freeze, freezes_at_a_fatal_signal_and_thaws_who_survives)
{
	struct client *client;
	struct peer peer;
	int64_t start;

	start_peer(&peer);
	client = only_client();
	tell(&peer, TTLOG_BPF_SIGNAL, TTLOG_BPF_HANDLED);
	cr_assert_eq(freeze_of(client), 0, "a handler takes it");
	start = now_ms();
	tell(&peer, TTLOG_BPF_SIGNAL, TTLOG_BPF_FATAL);
	cr_assert_eq(freeze_of(client), 1);
	tell(&peer, TTLOG_BPF_SIGNAL, TTLOG_BPF_FATAL);
	cr_assert_eq(freeze_of(client), 1, "once is enough");
	while (freeze_of(client) == 1)
		turn();
	cr_assert_geq(now_ms() - start, 249);
	cr_assert_eq(freeze_of(client), 2);
	tell(&peer, TTLOG_BPF_DELIVER, TTLOG_BPF_FATAL);
	cr_assert_eq(freeze_of(client), 3, "and again");
	end_peer(&peer);
	while (parts.clients->count)
		turn();
}

Test(clients_freeze, what_a_hand_froze_only_a_hand_thaws)
{
	struct client *client;
	struct peer peer;

	start_peer(&peer);
	client = only_client();
	deaths_hold(client);
	cr_assert_eq(freeze_of(client), 1);
	tell(&peer, TTLOG_BPF_SIGNAL, TTLOG_BPF_FATAL);
	while (loop_timer_armed(&client->freeze_timer))
		turn();
	cr_assert_eq(freeze_of(client), 1, "it survived, and is still held");
	deaths_release(client);
	cr_assert_eq(freeze_of(client), 2);
	tell(&peer, TTLOG_BPF_SIGNAL, TTLOG_BPF_FATAL);
	deaths_hold(client);
	deaths_release(client);
	cr_assert_eq(freeze_of(client), 3, "it may be dying: no hand thaws that");
	while (freeze_of(client) == 3)
		turn();
	cr_assert_eq(freeze_of(client), 4, "it was not");
	end_peer(&peer);
	while (parts.clients->count)
		turn();
}

Test(clients_freeze, thaws_the_frozen_when_the_recorder_leaves)
{
	struct client *client;
	struct subject *subject;
	struct peer peer;

	start_peer(&peer);
	client = only_client();
	subject = client->subject;
	subject->holders++; /* to look at it when the client is gone */
	tell(&peer, TTLOG_BPF_SIGNAL, TTLOG_BPF_FATAL);
	cr_assert_eq(freeze_of(client), 1);
	/* What it is accounted to goes with the clients. */
	quota_give(subject->user, subject->geometry.region_bytes);
	quota_put(subject->user);
	clients_close(parts.clients);
	open_clients(false);
	cr_assert_eq(freeze_of(&(struct client){.subject = subject}), 2);
	subject->user = quota_get(&parts.clients->quota, 0);
	cr_assert_eq(quota_take(subject->user, subject->geometry.region_bytes), 0);
	subject_release(subject);
	end_peer(&peer);
}
