/* SPDX-License-Identifier: MIT */
/*
 * heartbeat.c - processes that have promised to beat, and one that does not any more.
 *
 * A promise and each beat are words in the client's ledger; one timer a client looks at them, when
 * the next beat is due. Two looks in a row must find it overdue, the second an eighth of a period
 * later. A process that was stopped or frozen at a look, or is dumping core, and one that we
 * ourselves looked at too late (the machine had no time for us, and maybe none for it) begins a new
 * period. Time is CLOCK_MONOTONIC, which a sleeping machine does not count.
 *
 * What the client says is hostile, and costs it nothing but its own false alarms.
 */
#include <stdatomic.h>

#include "lib/clock.h"
#include "recorder/cgroup.h"
#include "recorder/client.h"
#include "recorder/counters.h"
#include "recorder/log.h"
#include "recorder/now.h"

#define MS UINT64_C(1000000)
/* Whoever promises more does not get more of our time. */
#define PERIOD_MIN_NS (10 * MS)
#define CONFIRM_MIN_NS (5 * MS)
/* A heart that stops again and again has been seen doing so. */
#define DUMPS_A_MINUTE 5
#define MINUTE_NS (60000 * MS)

static const struct ttlog_ledger *ledger_of(const struct client *client)
{
	const struct subject *subject = client->subject;

	return (const void *)((const char *)subject->base + subject->geometry.ledger_offset);
}

/* How long ago those ticks were, by the pace of its clock since it registered; UINT64_MAX: who
 * knows. */
static uint64_t age_ns(const struct subject *subject, uint64_t ticks)
{
	struct ttlog_clock_point now;
	double ns, elapsed, age;

	ttlog_clock_read(subject->clock_source, &now);
	if (ticks > now.ticks)
		return 0;
	if (subject->clock_source == TTLOG_CLOCK_MONOTONIC)
		return now.ticks - ticks;
	ns = (double)now.monotonic_ns - (double)subject->clock.monotonic_ns;
	elapsed = (double)now.ticks - (double)subject->clock.ticks;
	if (ns <= 0 || elapsed <= 0)
		return UINT64_MAX;
	age = (double)(now.ticks - ticks) * (ns / elapsed);
	return age < 1e18 ? (uint64_t)age : UINT64_MAX;
}

static void tick(void *context);

static void look_again(struct client *client, uint64_t delay_ns)
{
	struct heartbeat *heartbeat = &client->heartbeat;
	const uint64_t delay_ms = (delay_ns + MS - 1) / MS;

	heartbeat->due_ns = now_ns(CLOCK_MONOTONIC) + delay_ms * MS;
	loop_timer_set(client->clients->config.loop, &heartbeat->timer, delay_ms, tick, client);
}

/* ---- one look --------------------------------------------------------------------------- */

/* A beat since the last look was not before it, whatever it says of itself. */
static void note_beat(struct client *client, uint64_t ticks, uint64_t now)
{
	struct heartbeat *heartbeat = &client->heartbeat;
	const uint64_t since = now - heartbeat->looked_ns;
	const uint64_t age = age_ns(client->subject, ticks);

	if (heartbeat->hung) {
		counters.hangs_recovered++;
		log_say("%s (pid %d): its heart beats again, after %llu ms", client->hello.service,
			(int)client->pid, (unsigned long long)((now - heartbeat->beat_ns) / MS));
	}
	heartbeat->ticks = ticks;
	heartbeat->beat_ns = now - (age < since ? age : since);
	heartbeat->hung = heartbeat->suspect = false;
}

/* Nobody beats who is not run. */
static bool is_held(const struct client *client)
{
	return identity_is_stopped(client->pid) || cgroup_is_frozen(client->pid) ||
	       identity_is_dumping_core(client->pid);
}

static bool may_dump(struct heartbeat *heartbeat, uint64_t now)
{
	if (!heartbeat->minute_ns || now - heartbeat->minute_ns >= MINUTE_NS) {
		heartbeat->minute_ns = now;
		heartbeat->dumps = 0;
	}
	return ++heartbeat->dumps <= DUMPS_A_MINUTE;
}

static void hang(struct client *client, uint64_t silent_ns)
{
	const struct occasion occasion = {
		.kind = OCCASION_HEARTBEAT,
		.silent_ms = silent_ns / MS,
		.promised_ms = client->heartbeat.period_ns / MS,
	};

	counters.hangs++;
	client->heartbeat.hung = true;
	log_warn("%s (pid %d): its heart has not beaten for %llu ms, %llu were promised",
		 client->hello.service, (int)client->pid, (unsigned long long)(silent_ns / MS),
		 (unsigned long long)(client->heartbeat.period_ns / MS));
	if (!may_dump(&client->heartbeat, now_ns(CLOCK_MONOTONIC)) ||
	    deaths_snapshot_stacks(client, "hang", &occasion))
		counters.hangs_not_dumped++;
}

/* Overdue. When to look again. */
static uint64_t doubt(struct client *client, uint64_t now)
{
	struct heartbeat *heartbeat = &client->heartbeat;
	const uint64_t late_ns = now > heartbeat->due_ns ? now - heartbeat->due_ns : 0;
	const bool was_held = heartbeat->held;

	heartbeat->held = is_held(client);
	if (heartbeat->held || was_held || late_ns > heartbeat->period_ns / 2) {
		if (heartbeat->held && !was_held)
			log_detail("%s (pid %d): no heartbeat, but it is stopped or frozen",
				   client->hello.service, (int)client->pid);
		heartbeat->beat_ns = now;
		heartbeat->suspect = false;
		return heartbeat->period_ns;
	}
	if (!heartbeat->suspect) {
		const uint64_t eighth = heartbeat->period_ns / 8;

		heartbeat->suspect = true;
		return eighth > CONFIRM_MIN_NS ? eighth : CONFIRM_MIN_NS;
	}
	hang(client, now - heartbeat->beat_ns);
	return heartbeat->period_ns;
}

static void tick(void *context)
{
	struct client *client = context;
	struct heartbeat *heartbeat = &client->heartbeat;
	const struct ttlog_ledger *ledger = ledger_of(client);
	const uint64_t ticks = atomic_load_explicit(&ledger->heartbeat_ticks, memory_order_relaxed);
	const uint32_t promise = heartbeat->promise;
	const uint64_t now = now_ns(CLOCK_MONOTONIC);
	uint64_t delay;

	if (client->dead || client->goodbye)
		return;
	heartbeat_look(client);
	/* There was a new promise, or none any more. */
	if (heartbeat->promise != promise)
		return;
	if (ticks != heartbeat->ticks)
		note_beat(client, ticks, now);
	heartbeat->looked_ns = now;
	if (heartbeat->hung)
		delay = heartbeat->period_ns;
	else if (now - heartbeat->beat_ns >= heartbeat->period_ns)
		delay = doubt(client, now);
	else
		delay = heartbeat->period_ns - (now - heartbeat->beat_ns);
	look_again(client, delay);
}

/* ---- from outside ----------------------------------------------------------------------- */

void heartbeat_look(struct client *client)
{
	struct heartbeat *heartbeat = &client->heartbeat;
	const struct ttlog_ledger *ledger;
	uint64_t period_ms;
	uint32_t promise;

	if (client->state != CLIENT_LIVE || client->dead || !client->subject->base)
		return;
	ledger = ledger_of(client);
	/* Pairs with the release of the promise: the period is there. */
	promise = atomic_load_explicit(&ledger->heartbeat_promise, memory_order_acquire);
	if (promise == heartbeat->promise)
		return;
	heartbeat->promise = promise;
	period_ms = atomic_load_explicit(&ledger->heartbeat_period_ms, memory_order_relaxed);
	loop_timer_clear(&heartbeat->timer);
	if (!period_ms || client->goodbye)
		return;
	if (period_ms > TTLOG_HEARTBEAT_MAX_MS)
		period_ms = TTLOG_HEARTBEAT_MAX_MS;
	heartbeat->period_ns = period_ms * MS < PERIOD_MIN_NS ? PERIOD_MIN_NS : period_ms * MS;
	heartbeat->ticks = atomic_load_explicit(&ledger->heartbeat_ticks, memory_order_relaxed);
	heartbeat->beat_ns = heartbeat->looked_ns = now_ns(CLOCK_MONOTONIC);
	heartbeat->held = heartbeat->suspect = heartbeat->hung = false;
	look_again(client, heartbeat->period_ns);
}

void heartbeat_end(struct client *client)
{
	loop_timer_clear(&client->heartbeat.timer);
	client->heartbeat.promise = 0;
}
