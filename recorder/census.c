/* SPDX-License-Identifier: MIT */
/*
 * census.c - a cursor over the table of clients, and a queue of those that have left it.
 *
 * Who has left is held on to by its subject, until its region was walked a last time. The living
 * are not held: they come and go under the cursor, and may exchange their region (which the ledger
 * notices).
 */
#include "recorder/census.h"

#include <errno.h>
#include <stdlib.h>

#include "recorder/client.h"
#include "recorder/now.h"

#define STEPS_A_TURN 16384 /* about a millisecond when nothing is in the cache */
#define PAUSE_MS 1	   /* for the others */

/* What is known of one client. */
struct tally {
	struct ledger ledger;
	struct ledger_counts counted; /* in the service's sum already */
	struct service *service;
	/* Of one that has ended. */
	struct subject *subject;
	struct tally *next;
};

struct census {
	struct clients *clients;
	struct loop *loop;
	census_fn fn;
	void *context;
	struct loop_timer timer;
	bool is_looking;
	uint32_t at_slot;
	uint64_t looked_ns;
	struct tally *ended, **ended_last;
	struct services services;
};

int census_open(struct census **ret_census, struct clients *clients, struct loop *loop,
		census_fn fn, void *context)
{
	struct census *census = calloc(1, sizeof(*census));

	if (!census)
		return -ENOMEM;
	census->clients = clients;
	census->loop = loop;
	census->fn = fn;
	census->context = context;
	census->ended_last = &census->ended;
	clients->census = census;
	*ret_census = census;
	return 0;
}

static void tally_free(struct tally *tally)
{
	subject_release(tally->subject);
	free(tally);
}

void census_close(struct census *census)
{
	struct tally *tally, *next;

	if (!census)
		return;
	census->clients->census = NULL;
	loop_timer_clear(&census->timer);
	for (tally = census->ended; tally; tally = next) {
		next = tally->next;
		tally_free(tally);
	}
	free(census);
}

/* ---- one client ------------------------------------------------------------------------- */

static struct tally *tally_of(struct census *census, struct client *client)
{
	if (client->tally)
		return client->tally;
	client->tally = calloc(1, sizeof(*client->tally));
	if (client->tally)
		client->tally->service = services_of(&census->services, client->subject->service);
	return client->tally;
}

/*
 * How far back a ring reaches. The client's clock goes as fast as it did since it registered, which
 * is good enough for people.
 */
static double history_seconds(const struct ledger *ledger, const struct subject *subject)
{
	struct ttlog_clock_point now;
	double ns_elapsed, ticks_elapsed, ticks_back;

	if (!ledger->oldest_ticks)
		return -1;
	ttlog_clock_read(subject->clock_source, &now);
	ns_elapsed = (double)now.monotonic_ns - (double)subject->clock.monotonic_ns;
	ticks_elapsed = (double)now.ticks - (double)subject->clock.ticks;
	ticks_back = (double)now.ticks - (double)ledger->oldest_ticks;
	/* No event was recorded in the future; who says so lies. */
	if (ns_elapsed <= 0 || ticks_elapsed <= 0 || ticks_back <= 0)
		return 0;
	return ticks_back * (ns_elapsed / ticks_elapsed) / 1e9;
}

/* True: it has been seen, or can't be. */
static bool see_living(struct census *census, struct client *client, unsigned int *steps)
{
	const struct subject *subject = client->subject;
	struct tally *tally;

	if (client->state != CLIENT_LIVE || client->dead || !subject->base)
		return true;
	tally = tally_of(census, client);
	if (!tally)
		return true;
	if (!ledger_walk(&tally->ledger, subject->base, &subject->geometry, steps))
		return false;
	services_add(tally->service, &tally->ledger.counts, &tally->counted);
	services_see(tally->service, history_seconds(&tally->ledger, subject));
	return true;
}

static bool see_ended(struct tally *tally, unsigned int *steps)
{
	const struct subject *subject = tally->subject;

	if (!ledger_walk(&tally->ledger, subject->base, &subject->geometry, steps))
		return false;
	services_add(tally->service, &tally->ledger.counts, &tally->counted);
	return true;
}

/* ---- all of them ------------------------------------------------------------------------ */

static bool look_at_ended(struct census *census, unsigned int *steps)
{
	while (census->ended && *steps) {
		struct tally *tally = census->ended;

		if (!see_ended(tally, steps))
			return false;
		census->ended = tally->next;
		if (!census->ended)
			census->ended_last = &census->ended;
		tally_free(tally);
	}
	return !census->ended;
}

static bool look_at_living(struct census *census, unsigned int *steps)
{
	const struct clients *clients = census->clients;

	for (; census->at_slot < clients->config.count_max; census->at_slot++) {
		struct client *client = clients->slot[census->at_slot];

		if (!*steps || (client && !see_living(census, client, steps)))
			return false;
	}
	return true;
}

static void turn(void *context)
{
	struct census *census = context;
	unsigned int steps = STEPS_A_TURN;
	bool done = look_at_ended(census, &steps);

	if (done && census->is_looking && look_at_living(census, &steps)) {
		census->is_looking = false;
		census->looked_ns = now_ns(CLOCK_MONOTONIC);
		services_finish(&census->services);
		census->fn(census->context);
	}
	if (!loop_timer_armed(&census->timer) && (census->is_looking || census->ended))
		loop_timer_set(census->loop, &census->timer, PAUSE_MS, turn, census);
}

static void go_on(struct census *census)
{
	if (!loop_timer_armed(&census->timer))
		loop_timer_set(census->loop, &census->timer, PAUSE_MS, turn, census);
}

void census_look(struct census *census)
{
	if (census->is_looking)
		return;
	census->is_looking = true;
	census->at_slot = 0;
	services_begin(&census->services);
	go_on(census);
}

uint64_t census_looked_ns(const struct census *census)
{
	return census->looked_ns;
}

const struct services *census_services(const struct census *census)
{
	return &census->services;
}

void census_ended(struct census *census, struct client *client)
{
	struct tally *tally;

	if (!census || !client->subject || !client->subject->base)
		return;
	tally = tally_of(census, client);
	if (!tally)
		return;
	client->tally = NULL;
	tally->subject = client->subject;
	tally->subject->holders++;
	/* All of it is looked at: this is the sum that stays. */
	ledger_forget(&tally->ledger);
	tally->next = NULL;
	*census->ended_last = tally;
	census->ended_last = &tally->next;
	go_on(census);
}
