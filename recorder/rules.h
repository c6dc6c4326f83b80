/* SPDX-License-Identifier: MIT */
/*
 * rules.h - what leads to dumps of living processes, as an operator has written it.
 *
 *	[trigger slow-orders]
 *	services = orders, billing-*	of these; * and ? as in a glob; without: of all
 *	when = level>=error		an event, see filter.h; several lines: all of it
 *	when = seconds>0.5
 *	memory = 90%			or: so much of the limit of its control group is in use
 *	every = 10m			or: so often
 *	after = 500ms			the dump comes so much later; or after N events
 *	rate = 1/1m			so many dumps of a service in a time; and of all together
 *	rate-total = 10/1m
 *	enabled = no
 *
 * One of when, memory and every. Pure: texts in, rules out.
 */
#ifndef RECORDER_RULES_H
#define RECORDER_RULES_H

#include <stdbool.h>
#include <stdio.h>

#include "recorder/filter.h"

#define RULES_MAX 64
#define RULE_NAME_BYTES 40 /* with its NUL */
#define RULE_AFTER_MS_MAX 600000u
#define RULE_AFTER_EVENTS_MAX 1000000000u
#define RULE_RATE_MAX 1000u

struct rule_rate {
	uint32_t count;
	uint64_t interval_ms;
};

struct rule {
	char name[RULE_NAME_BYTES];
	char *services; /* NULL: all */
	struct filter filter;
	unsigned int percent; /* of memory; 0: not asked for */
	uint64_t every_ms;
	uint64_t after_ms, after_events;
	struct rule_rate rate, total;
	bool disabled;
	char *where; /* "FILE:LINE" */
	char *shown; /* its lines, as they were written */
};

struct rules {
	unsigned int holders;
	unsigned int count;
	struct rule rule[RULES_MAX];
};

struct rules *rules_new(void);		       /* NULL: no memory */
struct rules *rules_hold(struct rules *rules); /* NULL is fine, and below */
void rules_release(struct rules *rules);

/*
 * A section begins: a rule of that name, which takes the place of one of another file. 0, -EINVAL
 * (the error says why) or -ENOMEM. `where` is "FILE:LINE".
 */
int rules_begin(struct rules *rules, const char *name, const char *where,
		struct filter_error *ret_error);
/* One of its lines: of the rule that was begun last. The same, or -ENOENT: there is no such key. */
int rules_set(struct rules *rules, const char *key, const char *text,
	      struct filter_error *ret_error);
/* Behind its last line: is something missing? */
int rules_check(const struct rule *rule, struct filter_error *ret_error);

bool rule_is_for(const struct rule *rule, const char *service);
void rules_show(const struct rules *rules, FILE *file);

#endif
