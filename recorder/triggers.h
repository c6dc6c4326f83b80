/* SPDX-License-Identifier: MIT */
/*
 * triggers.h - the rules at work: looks at the living for what they wait for, and orders dumps.
 *
 * Everything in the loop's thread, a bounded number of events at a time. The living are not asked:
 * new events are looked for at the pace at which they come, memory at the pace at which it may run
 * out.
 */
#ifndef RECORDER_TRIGGERS_H
#define RECORDER_TRIGGERS_H

#include <stdint.h>

#include "recorder/rules.h"

struct client;
struct clients;
struct triggers;

/* Of one rule, so far. */
struct trigger_figures {
	uint64_t fired;	     /* dumps that it ordered */
	uint64_t suppressed; /* that its rates did not allow */
	uint64_t failed;     /* that could not be ordered */
};

/* NULL: no memory. */
struct triggers *triggers_new(struct clients *clients);
void triggers_free(struct triggers *triggers); /* after the clients; NULL is fine */

/*
 * From now on those rules (NULL: none), which are held. Rules that have kept their name keep their
 * figures and rates; what an old one waited for is forgotten. The old rules may be gone already,
 * but for that they were held.
 */
void triggers_set_rules(struct triggers *triggers, struct rules *rules);
const struct rules *triggers_rules(const struct triggers *triggers);
const struct trigger_figures *triggers_figures(const struct triggers *triggers, unsigned int rule);
/* Of all: events that were looked at, and chunks that were recycled before they could be. */
uint64_t triggers_seen(const struct triggers *triggers);
uint64_t triggers_missed(const struct triggers *triggers);

/*
 * A client is LIVE, has another region, or is about to go. from_first: what its ring has already is
 * news too, for it records since its WELCOME, and nobody was here to look.
 */
void triggers_begin(struct triggers *triggers, struct client *client, bool from_first);
void triggers_end(struct triggers *triggers, struct client *client);

#endif
