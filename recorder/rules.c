/* SPDX-License-Identifier: MIT */
/* rules.c - one function a key, and a table of them. */
#include "recorder/rules.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define RATE_DEFAULT                                                                               \
	{                                                                                          \
		.count = 1, .interval_ms = 60000                                                   \
	}
#define TOTAL_DEFAULT                                                                              \
	{                                                                                          \
		.count = 10, .interval_ms = 60000                                                  \
	}
#define INTERVAL_MS_MAX (UINT64_C(366) * 86400 * 1000)

/* ---- the list --------------------------------------------------------------------------- */

static void rule_fini(struct rule *rule)
{
	filter_fini(&rule->filter);
	free(rule->services);
	free(rule->where);
	free(rule->shown);
}

struct rules *rules_new(void)
{
	struct rules *rules = calloc(1, sizeof(*rules));

	if (rules)
		rules->holders = 1;
	return rules;
}

struct rules *rules_hold(struct rules *rules)
{
	if (rules)
		rules->holders++;
	return rules;
}

void rules_release(struct rules *rules)
{
	if (!rules || --rules->holders)
		return;
	for (unsigned int i = 0; i < rules->count; i++)
		rule_fini(&rules->rule[i]);
	free(rules);
}

static bool is_name(const char *name)
{
	const size_t bytes = strlen(name);

	return bytes && bytes < RULE_NAME_BYTES &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_.-") == bytes;
}

/* "FILE:LINE": is it of the same file? */
static bool is_same_file(const char *a, const char *b)
{
	const char *end = strrchr(a, ':');

	return end && !strncmp(a, b, (size_t)(end - a) + 1) && !strchr(b + (end - a) + 1, ':');
}

/* A rule of that name goes; the one that takes its place is the last, as the one that is written.
 */
static int drop(struct rules *rules, const char *name, const char *where,
		struct filter_error *error)
{
	for (unsigned int i = 0; i < rules->count; i++) {
		if (strcmp(rules->rule[i].name, name))
			continue;
		if (is_same_file(rules->rule[i].where, where))
			return filter_refuse(error, 0, "a second trigger '%s' in this file", name);
		rule_fini(&rules->rule[i]);
		memmove(&rules->rule[i], &rules->rule[i + 1],
			(--rules->count - i) * sizeof(rules->rule[0]));
		return 0;
	}
	return 0;
}

int rules_begin(struct rules *rules, const char *name, const char *where,
		struct filter_error *ret_error)
{
	struct rule *rule;
	int err;

	*ret_error = (struct filter_error){0};
	if (!is_name(name))
		return filter_refuse(ret_error, 0,
				     "a trigger's name has a-z, 0-9, _ . and -, at most %d",
				     RULE_NAME_BYTES - 1);
	err = drop(rules, name, where, ret_error);
	if (err)
		return err;
	if (rules->count == RULES_MAX)
		return filter_refuse(ret_error, 0, "more than %d triggers", RULES_MAX);
	rule = &rules->rule[rules->count];
	*rule = (struct rule){.rate = RATE_DEFAULT, .total = TOTAL_DEFAULT};
	strcpy(rule->name, name);
	rule->where = strdup(where);
	rule->shown = strdup("");
	if (!rule->where || !rule->shown) {
		rule_fini(rule);
		return -ENOMEM;
	}
	rules->count++;
	return 0;
}

/* ---- values ----------------------------------------------------------------------------- */

/* Digits; *ret_end is behind them. */
static int take_number(const char *text, uint64_t *ret_number, const char **ret_end)
{
	char *end;

	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	errno = 0;
	*ret_number = strtoull(text, &end, 10);
	*ret_end = end;
	return errno ? -EINVAL : 0;
}

/* "500ms", "30s", "5m", "2h", "1d". */
static int take_time(const char *text, uint64_t *ret_ms)
{
	static const struct {
		const char *unit;
		uint64_t ms;
	} units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
	const char *end;

	if (take_number(text, ret_ms, &end))
		return -EINVAL;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (!strcmp(end, units[i].unit))
			return __builtin_mul_overflow(*ret_ms, units[i].ms, ret_ms) ||
					       *ret_ms > INTERVAL_MS_MAX
				       ? -EINVAL
				       : 0;
	return -EINVAL;
}

static int set_services(struct rule *rule, const char *text, struct filter_error *error)
{
	char *copy;

	if (!*text || text[strspn(text, ", \t")] == '\0')
		return filter_refuse(error, 0, "names belong here, with commas between them");
	copy = strdup(text);
	if (!copy)
		return -ENOMEM;
	free(rule->services);
	rule->services = copy;
	return 0;
}

static int set_when(struct rule *rule, const char *text, struct filter_error *error)
{
	return filter_add(&rule->filter, text, error);
}

static int set_memory(struct rule *rule, const char *text, struct filter_error *error)
{
	uint64_t percent;
	const char *end;

	if (take_number(text, &percent, &end) || strcmp(end, "%") || !percent || percent > 100)
		return filter_refuse(error, 0, "a share of the limit belongs here, 1%% to 100%%");
	rule->percent = (unsigned int)percent;
	return 0;
}

static int set_every(struct rule *rule, const char *text, struct filter_error *error)
{
	uint64_t ms;

	if (take_time(text, &ms) || ms < 1000)
		return filter_refuse(error, 0, "a time from 1s on belongs here, with s, m, h or d");
	rule->every_ms = ms;
	return 0;
}

static int set_after(struct rule *rule, const char *text, struct filter_error *error)
{
	uint64_t number;
	const char *end;

	if (!take_time(text, &number) && number <= RULE_AFTER_MS_MAX) {
		rule->after_ms = number;
		rule->after_events = 0;
		return 0;
	}
	if (!take_number(text, &number, &end) && number && number <= RULE_AFTER_EVENTS_MAX &&
	    !strcmp(end + strspn(end, " \t"), "events")) {
		rule->after_events = number;
		rule->after_ms = 0;
		return 0;
	}
	return filter_refuse(
		error, 0, "a time belongs here, as 500ms, up to 10m; or a count, as 1000 events");
}

static int take_rate(struct rule_rate *rate, const char *text, struct filter_error *error)
{
	struct rule_rate taken = {0};
	uint64_t count;
	const char *end;

	if (take_number(text, &count, &end) || count > RULE_RATE_MAX || *end != '/' ||
	    take_time(end + 1, &taken.interval_ms) || !taken.interval_ms)
		return filter_refuse(error, 0, "a count and a time belong here, as 2/1m (up to %u)",
				     RULE_RATE_MAX);
	taken.count = (uint32_t)count;
	*rate = taken;
	return 0;
}

static int set_rate(struct rule *rule, const char *text, struct filter_error *error)
{
	return take_rate(&rule->rate, text, error);
}

static int set_total(struct rule *rule, const char *text, struct filter_error *error)
{
	return take_rate(&rule->total, text, error);
}

static int set_enabled(struct rule *rule, const char *text, struct filter_error *error)
{
	if (strcasecmp(text, "yes") && strcasecmp(text, "no"))
		return filter_refuse(error, 0, "yes or no belongs here");
	rule->disabled = !strcasecmp(text, "no");
	return 0;
}

static const struct {
	const char *name;
	int (*set)(struct rule *rule, const char *text, struct filter_error *error);
	bool again; /* it may stand there more than once */
} keys[] = {
	{"services", set_services, false}, {"when", set_when, true},
	{"memory", set_memory, false},	   {"every", set_every, false},
	{"after", set_after, false},	   {"rate", set_rate, false},
	{"rate-total", set_total, false},  {"enabled", set_enabled, false},
};

/* ---- lines ------------------------------------------------------------------------------ */

static bool was_said(const struct rule *rule, const char *key)
{
	const size_t bytes = strlen(key);

	for (const char *at = rule->shown; *at; at = strchr(at, '\n') + 1)
		if (!strncmp(at, key, bytes) && !strncmp(at + bytes, " = ", 3))
			return true;
	return false;
}

static int note(struct rule *rule, const char *key, const char *text)
{
	char *more;

	if (asprintf(&more, "%s%s = %s\n", rule->shown, key, text) < 0)
		return -ENOMEM;
	free(rule->shown);
	rule->shown = more;
	return 0;
}

int rules_set(struct rules *rules, const char *key, const char *text,
	      struct filter_error *ret_error)
{
	struct rule *rule = rules->count ? &rules->rule[rules->count - 1] : NULL;
	int err;

	*ret_error = (struct filter_error){0};
	for (size_t i = 0; rule && i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (strcmp(key, keys[i].name))
			continue;
		if (!keys[i].again && was_said(rule, key))
			return filter_refuse(ret_error, 0, "a second time in this trigger: %s",
					     key);
		for (const char *at = text; *at; at++)
			if (iscntrl((unsigned char)*at) && *at != '\t')
				return filter_refuse(ret_error, (size_t)(at - text),
						     "a control character");
		err = keys[i].set(rule, text, ret_error);
		return err ? err : note(rule, key, text);
	}
	return -ENOENT;
}

int rules_check(const struct rule *rule, struct filter_error *ret_error)
{
	const int causes = (rule->filter.count > 0) + (rule->percent > 0) + (rule->every_ms > 0);

	*ret_error = (struct filter_error){0};
	if (causes == 1 || (rule->disabled && !causes))
		return 0;
	return filter_refuse(ret_error, 0, "trigger '%s' needs %s when, memory or every",
			     rule->name, causes ? "only one of" : "one of");
}

/* ---- asking ----------------------------------------------------------------------------- */

/* * is any bytes, ? is one. Backs up to the last * only: the product of both lengths at most. */
static bool glob_matches(const char *glob, size_t bytes, const char *text)
{
	const char *end = glob + bytes, *star = NULL, *retry = NULL;

	while (*text) {
		if (glob < end && *glob == '*') {
			star = ++glob;
			retry = text;
		} else if (glob < end && (*glob == '?' || *glob == *text)) {
			glob++;
			text++;
		} else if (star) {
			glob = star;
			text = ++retry;
		} else {
			return false;
		}
	}
	while (glob < end && *glob == '*')
		glob++;
	return glob == end;
}

bool rule_is_for(const struct rule *rule, const char *service)
{
	const char *at = rule->services;

	if (rule->disabled)
		return false;
	if (!at)
		return true;
	while (*at) {
		size_t bytes;

		at += strspn(at, ", \t");
		bytes = strcspn(at, ",");
		while (bytes && isblank((unsigned char)at[bytes - 1]))
			bytes--;
		if (bytes && glob_matches(at, bytes, service))
			return true;
		at += strcspn(at, ",");
	}
	return false;
}

void rules_show(const struct rules *rules, FILE *file)
{
	for (unsigned int i = 0; rules && i < rules->count; i++)
		fprintf(file, "\n[trigger %s] # %s\n%s", rules->rule[i].name, rules->rule[i].where,
			rules->rule[i].shown);
}
