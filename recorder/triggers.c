/* SPDX-License-Identifier: MIT */
/*
 * triggers.c - one timer, which is set for whatever is due first.
 *
 * How often a client's ring is looked at, look_pace.h says. A rule that waits for warnings and
 * above looks at their lanes alone. What a look finds is reason for a dump once: what else it finds
 * until the dump is ordered is in that dump.
 */
#include "recorder/triggers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/reader_live.h"
#include "recorder/client.h"
#include "recorder/log.h"
#include "recorder/look_pace.h"
#include "recorder/now.h"
#include "recorder/pressure.h"
#include "recorder/trigger_states.h"

#define MS UINT64_C(1000000)
#define EVENTS_A_TURN 131072 /* a few milliseconds; then the loop has other things to do */
/*
 * Of one client, in 5 ms: six million a second. Who writes more is looked at in part: reading all
 * that a tight loop writes would slow it down by a tenth, for it has to fetch each line back.
 */
#define EVENTS_A_LOOK 32768
#define EVENTS_WAIT_NS (10000 * MS) /* a process that records no more */
#define NEVER UINT64_MAX

struct triggers {
	struct clients *clients;
	struct rules *rules;  /* held */
	struct trigger_state *states; /* of each rule */
	struct loop_timer timer;
	uint64_t timer_ns;     /* when it is due */
	uint32_t first_slot;   /* of the next turn: the first has all of its budget */
	uint64_t seen, missed; /* of those that have gone */
};

/* What a rule knows of a client. */
struct wait {
	bool is_for_it;
	bool is_pressed;    /* memory: it was, and is not far below yet */
	uint64_t dump_ns;   /* NEVER: nothing is waited for */
	uint64_t dump_seen; /* events after which it is due; NEVER: they do not matter */
	uint64_t every_ns;  /* when it is due again; NEVER: it is not that kind */
	struct occasion *occasion; /* of the dump that is due; NULL: no memory for it */
};

struct client_triggers {
	struct triggers *triggers;
	struct client *client;
	struct ttlog_live *live; /* NULL: no rule wants events */
	uint32_t lanes;
	uint64_t look_ns, interval_ns, looked_seen;
	uint64_t pressure_ns; /* NEVER: nobody asks */
	bool has_no_limit;    /* its memory; said once */
	unsigned int count;   /* of the rules */
	struct wait wait[];
};

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* ---- what is found ---------------------------------------------------------------------- */

/* May it? What its rates do not allow is counted, and said once. */
static bool may_fire(struct client_triggers *mine, unsigned int index, uint64_t now)
{
	const struct rule *rule = &mine->triggers->rules->rule[index];
	struct trigger_state *state = &mine->triggers->states[index];

	if (rate_use(&state->windows, &rule->rate, &rule->total, mine->client->hello.service, now))
		return true;
	if (!state->figures.suppressed++)
		log_warn("trigger %s: more than its rate allows; the rest is counted", rule->name);
	return false;
}

/* A dump is due, now or a little later; or it is one too many. NULL: there is nothing to fill in. */
static struct occasion *fire(struct client_triggers *mine, unsigned int index)
{
	const struct rule *rule = &mine->triggers->rules->rule[index];
	const char *service = mine->client->hello.service;
	struct wait *wait = &mine->wait[index];
	const uint64_t now = now_ns(CLOCK_MONOTONIC);

	if (wait->dump_ns != NEVER || !may_fire(mine, index, now))
		return NULL;
	if (rule->after_ms || rule->after_events)
		log_detail("%s (pid %d): trigger %s: waits for what comes after it", service,
			   (int)mine->client->pid, rule->name);
	wait->dump_ns = now + rule->after_ms * MS;
	if (rule->after_events) {
		wait->dump_ns = now + EVENTS_WAIT_NS;
		wait->dump_seen = ttlog_live_seen(mine->live) + rule->after_events;
	}
	wait->occasion = calloc(1, sizeof(*wait->occasion));
	if (wait->occasion)
		strcpy(wait->occasion->rule, rule->name);
	return wait->occasion;
}

static void order(struct client_triggers *mine, unsigned int index)
{
	const struct rule *rule = &mine->triggers->rules->rule[index];
	struct trigger_figures *figures = &mine->triggers->states[index].figures;
	static const struct occasion unknown;
	struct wait *wait = &mine->wait[index];
	char reason[DUMPER_REASON_BYTES];

	wait->dump_ns = wait->dump_seen = NEVER;
	snprintf(reason, sizeof(reason), "rule-%s", rule->name);
	if (deaths_snapshot(mine->client, reason, wait->occasion ? wait->occasion : &unknown))
		figures->failed++;
	else
		figures->fired++;
	free(wait->occasion);
	wait->occasion = NULL;
}

static const char *string_of(const void *context, uint32_t id)
{
	return ttlog_live_string(context, id);
}

static bool is_wanted(void *context, const struct ttlog_reader_site *site)
{
	const struct client_triggers *mine = context;
	const struct rules *rules = mine->triggers->rules;

	for (unsigned int i = 0; i < rules->count; i++)
		if (mine->wait[i].is_for_it && rules->rule[i].filter.count &&
		    !filter_refuses_site(&rules->rule[i].filter, site))
			return true;
	return false;
}

static void take_event(void *context, const struct ttlog_reader_site *site,
		       const struct ttlog_reader_event *event)
{
	struct client_triggers *mine = context;
	const struct rules *rules = mine->triggers->rules;
	const struct ttlog_live_owner *owner = ttlog_live_owner(mine->live);

	for (unsigned int i = 0; i < rules->count; i++) {
		struct occasion *occasion;

		if (!mine->wait[i].is_for_it || !rules->rule[i].filter.count ||
		    !filter_match(&rules->rule[i].filter, site, event, string_of, mine->live))
			continue;
		occasion = fire(mine, i);
		if (occasion)
			occasion_take_event(occasion, site, event, owner->tid, owner->name,
					    string_of, mine->live);
	}
}

/* ---- looking ---------------------------------------------------------------------------- */

static void look(struct client_triggers *mine, uint64_t now, uint32_t *budget)
{
	const uint32_t most = *budget < EVENTS_A_LOOK ? *budget : EVENTS_A_LOOK;
	uint32_t left = most;
	const bool is_through = ttlog_live_look(mine->live, mine->lanes, &left);
	const uint64_t seen = ttlog_live_seen(mine->live);

	*budget -= most - left;
	if (!is_through) {
		mine->look_ns = now + LOOK_MIN_NS;
		return;
	}
	mine->interval_ns = look_pace(&mine->client->subject->geometry, mine->lanes,
				      mine->interval_ns, seen - mine->looked_seen);
	mine->looked_seen = seen;
	mine->look_ns = now + mine->interval_ns;
	if (mine->interval_ns >= LOOK_IDLE_GRID_NS)
		mine->look_ns -= mine->look_ns % LOOK_IDLE_GRID_NS;
}

static void press(struct client_triggers *mine, unsigned int index, int percent,
		  const struct pressure *pressure)
{
	struct occasion *occasion = fire(mine, index);

	if (!occasion)
		return;
	occasion->kind = OCCASION_MEMORY;
	occasion->percent = (unsigned int)percent;
	occasion->percent_wanted = mine->triggers->rules->rule[index].percent;
	occasion->usage_bytes = pressure->usage_bytes;
	occasion->limit_bytes = pressure->limit_bytes;
}

/* The nearer the limit, the sooner again; nobody eats from the half to all of it in five seconds.
 */
static uint64_t look_at_memory(struct client_triggers *mine)
{
	const struct rules *rules = mine->triggers->rules;
	struct pressure pressure;
	const int percent = pressure_percent(mine->client->pid, &pressure);
	uint64_t pause = 5000 * MS;

	if (percent < 0 && !mine->has_no_limit)
		log_detail("%s (pid %d): its memory has no limit, or none that is to be seen from "
			   "here",
			   mine->client->hello.service, (int)mine->client->pid);
	mine->has_no_limit = percent < 0;
	for (unsigned int i = 0; i < rules->count; i++) {
		const int wanted = (int)rules->rule[i].percent;
		struct wait *wait = &mine->wait[i];

		if (!wanted || !wait->is_for_it || percent < 0)
			continue;
		if (percent >= wanted && !wait->is_pressed)
			press(mine, i, percent, &pressure);
		/* Once, until there is some room again. */
		wait->is_pressed = percent >= wanted || (wait->is_pressed && percent >= wanted - 5);
		pause = least(pause, percent * 10 < wanted * 5	 ? 5000 * MS
				     : percent * 10 < wanted * 8 ? 1000 * MS
								 : 200 * MS);
	}
	return pause;
}

/* Its time has come once more. */
static void strike(struct client_triggers *mine, unsigned int index)
{
	struct occasion *occasion = fire(mine, index);

	if (!occasion)
		return;
	occasion->kind = OCCASION_INTERVAL;
	occasion->every_ms = mine->triggers->rules->rule[index].every_ms;
}

/* What is due of one client; when it is due again. */
static uint64_t serve(struct client_triggers *mine, uint32_t *budget)
{
	const struct rules *rules = mine->triggers->rules;
	uint64_t now = now_ns(CLOCK_MONOTONIC), due;

	if (mine->live && mine->look_ns <= now)
		look(mine, now, budget);
	if (mine->pressure_ns <= now)
		mine->pressure_ns = now + look_at_memory(mine);
	due = least(mine->live ? mine->look_ns : NEVER, mine->pressure_ns);
	for (unsigned int i = 0; i < rules->count; i++) {
		struct wait *wait = &mine->wait[i];

		if (wait->every_ns <= now) {
			wait->every_ns = now + rules->rule[i].every_ms * MS;
			strike(mine, i);
		}
		now = now_ns(CLOCK_MONOTONIC);
		if (wait->dump_ns <= now ||
		    (mine->live && wait->dump_seen <= ttlog_live_seen(mine->live)))
			order(mine, i);
		due = least(due, least(wait->dump_ns, wait->every_ns));
	}
	return due;
}

static void set_timer(struct triggers *triggers, uint64_t due_ns);

static void tick(void *context)
{
	struct triggers *triggers = context;
	const struct clients *clients = triggers->clients;
	uint32_t budget = EVENTS_A_TURN;
	uint64_t due = NEVER;

	for (uint32_t i = 0; i < clients->config.count_max; i++) {
		const uint32_t slot = (triggers->first_slot + i) % clients->config.count_max;
		struct client *client = clients->slot[slot];

		if (client && client->triggers && !client->dead)
			due = least(due, serve(client->triggers, &budget));
	}
	triggers->first_slot = (triggers->first_slot + 1) % clients->config.count_max;
	set_timer(triggers, due);
}

static void set_timer(struct triggers *triggers, uint64_t due_ns)
{
	const uint64_t now = now_ns(CLOCK_MONOTONIC);

	triggers->timer_ns = due_ns;
	if (due_ns == NEVER)
		loop_timer_clear(&triggers->timer);
	else
		loop_timer_set(triggers->clients->config.loop, &triggers->timer,
			       due_ns > now ? (due_ns - now + MS - 1) / MS : 1, tick, triggers);
}

/* ---- clients ---------------------------------------------------------------------------- */

/* Below warnings, and where somebody counts all events, everything is looked at. */
static uint32_t lanes_of(const struct rule *rule)
{
	const uint32_t all = UINT32_MAX & ~(UINT32_C(1) << TTLOG_LANE_AFTERLIFE);

	if (filter_level(&rule->filter) < TTLOG_WARN || rule->after_events)
		return all;
	return all & ~(UINT32_C(1) << TTLOG_LANE_MAIN | UINT32_C(1) << TTLOG_LANE_BOOT);
}

static void open_live(struct client_triggers *mine, bool from_first)
{
	const struct ttlog_live_handler handler = {is_wanted, take_event, mine};
	const struct subject *subject = mine->client->subject;
	const int err = from_first ? ttlog_live_open_oldest(&mine->live, subject->base,
							    &subject->geometry, &handler)
				   : ttlog_live_open(&mine->live, subject->base, &subject->geometry,
						     &handler);

	if (err)
		log_limited(LOG_LEVEL_WARNING, "%s (pid %d): no memory to look for events",
			    mine->client->hello.service, (int)mine->client->pid);
}

/* False: no rule is for it. */
static bool prepare(struct client_triggers *mine, uint64_t now)
{
	const struct rules *rules = mine->triggers->rules;
	bool is_any = false;

	mine->pressure_ns = NEVER;
	for (unsigned int i = 0; i < rules->count; i++) {
		const struct rule *rule = &rules->rule[i];
		struct wait *wait = &mine->wait[i];

		*wait = (struct wait){.dump_ns = NEVER, .dump_seen = NEVER, .every_ns = NEVER};
		wait->is_for_it = rule_is_for(rule, mine->client->hello.service);
		if (!wait->is_for_it)
			continue;
		is_any = true;
		if (rule->filter.count)
			mine->lanes |= lanes_of(rule);
		else if (rule->every_ms)
			wait->every_ns = now + rule->every_ms * MS;
		else
			mine->pressure_ns = now;
	}
	return is_any;
}

void triggers_begin(struct triggers *triggers, struct client *client, bool from_first)
{
	const struct rules *rules = triggers->rules;
	const uint64_t now = now_ns(CLOCK_MONOTONIC);
	struct client_triggers *mine;

	triggers_end(triggers, client);
	if (!rules || client->state != CLIENT_LIVE || client->dead || !client->subject->base)
		return;
	mine = calloc(1, sizeof(*mine) + rules->count * sizeof(mine->wait[0]));
	if (!mine)
		return;
	mine->triggers = triggers;
	mine->client = client;
	mine->count = rules->count;
	client->triggers = mine;
	if (!prepare(mine, now)) {
		triggers_end(triggers, client);
		return;
	}
	if (mine->lanes)
		open_live(mine, from_first);
	mine->interval_ns = LOOK_MIN_NS;
	mine->look_ns = now + LOOK_MIN_NS;
	if (!loop_timer_armed(&triggers->timer) || triggers->timer_ns > mine->look_ns)
		set_timer(triggers, mine->look_ns);
}

void triggers_end(struct triggers *triggers, struct client *client)
{
	struct client_triggers *mine = client->triggers;

	if (!mine)
		return;
	if (mine->live) {
		triggers->seen += ttlog_live_seen(mine->live);
		triggers->missed += ttlog_live_missed(mine->live);
	}
	ttlog_live_close(mine->live);
	for (unsigned int i = 0; i < mine->count; i++)
		free(mine->wait[i].occasion);
	free(mine);
	client->triggers = NULL;
}

/* ---- all of it -------------------------------------------------------------------------- */

struct triggers *triggers_new(struct clients *clients)
{
	struct triggers *triggers = calloc(1, sizeof(*triggers));

	if (triggers)
		triggers->clients = clients;
	return triggers;
}

void triggers_free(struct triggers *triggers)
{
	if (!triggers)
		return;
	loop_timer_clear(&triggers->timer);
	trigger_states_free(triggers->states, triggers->rules ? triggers->rules->count : 0);
	rules_release(triggers->rules);
	free(triggers);
}

void triggers_set_rules(struct triggers *triggers, struct rules *rules)
{
	struct clients *clients = triggers->clients;
	const unsigned int old_count = triggers->rules ? triggers->rules->count : 0;
	struct trigger_state *states =
		rules ? trigger_states_new(rules, triggers->states, old_count) : NULL;

	for (uint32_t i = 0; i < clients->config.count_max; i++)
		if (clients->slot[i])
			triggers_end(triggers, clients->slot[i]);
	trigger_states_free(triggers->states, old_count);
	rules_release(triggers->rules);
	triggers->states = states;
	triggers->rules = states ? rules_hold(rules) : NULL;
	set_timer(triggers, NEVER);
	for (uint32_t i = 0; i < clients->config.count_max; i++)
		if (clients->slot[i])
			triggers_begin(triggers, clients->slot[i], false);
}

const struct triggers *clients_triggers(const struct clients *clients)
{
	return clients->triggers;
}

const struct rules *triggers_rules(const struct triggers *triggers)
{
	return triggers->rules;
}

const struct trigger_figures *triggers_figures(const struct triggers *triggers, unsigned int rule)
{
	return &triggers->states[rule].figures;
}

static uint64_t sum(const struct triggers *triggers, uint64_t (*of)(const struct ttlog_live *live),
		    uint64_t count)
{
	const struct clients *clients = triggers->clients;

	for (uint32_t i = 0; i < clients->config.count_max; i++) {
		const struct client *client = clients->slot[i];

		if (client && client->triggers && client->triggers->live)
			count += of(client->triggers->live);
	}
	return count;
}

uint64_t triggers_seen(const struct triggers *triggers)
{
	return sum(triggers, ttlog_live_seen, triggers->seen);
}

uint64_t triggers_missed(const struct triggers *triggers)
{
	return sum(triggers, ttlog_live_missed, triggers->missed);
}
