/* SPDX-License-Identifier: MIT */
/* group.c - who belongs to whom, and the sets of the last minute. */
#include "recorder/group.h"

#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "recorder/client.h"
#include "recorder/container.h"
#include "recorder/counters.h"
#include "recorder/dump_writer.h"
#include "recorder/group_sets.h"
#include "recorder/log.h"
#include "recorder/now.h"

#define SNAPSHOTS_PENDING_MAX 10 /* of one client */

/* ---- words ------------------------------------------------------------------------------ */

int group_parse(const char *text, unsigned int *ret_by)
{
	static const struct {
		const char *word;
		unsigned int by;
	} words[] = {
		{"declared", GROUP_DECLARED}, {"cgroup", GROUP_CGROUP}, {"family", GROUP_FAMILY}};
	unsigned int by = 0, one;

	*ret_by = 0;
	if (!strcmp(text, "off"))
		return 0;
	for (;;) {
		const size_t bytes = strcspn(text, ",");

		one = 0;
		for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
			if (strlen(words[i].word) == bytes && !strncmp(words[i].word, text, bytes))
				one = words[i].by;
		if (!one)
			return -EINVAL;
		by |= one;
		if (!text[bytes])
			break;
		text += bytes + 1;
	}
	*ret_by = by;
	return 0;
}

/* ---- who is who ------------------------------------------------------------------------- */

static void know(const struct client *client, unsigned int by, struct group_self *ret_self)
{
	const struct identity *identity = &client->subject->identity;
	struct container container;

	*ret_self = (struct group_self){
		.uid = identity->uid,
		.pid = (uint32_t)client->pid,
		.ppid = identity->ppid,
		.start_ticks = identity->start_ticks,
		.group = client->hello.group,
		.cgroup = identity->cgroup ? identity->cgroup : "",
	};
	if ((by & GROUP_CGROUP) && container_of_cgroup(identity->cgroup, &container))
		memcpy(ret_self->pod_uid, container.pod_uid, sizeof(ret_self->pod_uid));
}

static bool is_child(const struct group_self *child, const struct group_self *parent)
{
	return child->ppid == parent->pid && child->start_ticks >= parent->start_ticks;
}

/* What makes them members of one group; NULL: nothing. */
static const char *what_joins(const struct group_limits *limits, const struct group_self *a,
			      const struct group_self *b)
{
	if ((limits->by & GROUP_DECLARED) && a->group[0] && !strcmp(a->group, b->group) &&
	    (limits->all_users || a->uid == b->uid))
		return "declared";
	if ((limits->by & GROUP_CGROUP) && a->pod_uid[0] && !strcmp(a->pod_uid, b->pod_uid))
		return "pod";
	/* The root is where everybody is of whom nobody has said anything. */
	if ((limits->by & GROUP_CGROUP) && a->cgroup[0] && strcmp(a->cgroup, "/") != 0 &&
	    !strcmp(a->cgroup, b->cgroup))
		return "cgroup";
	if ((limits->by & GROUP_FAMILY) && (is_child(a, b) || is_child(b, a)))
		return "family";
	return NULL;
}

/* ---- a plan ----------------------------------------------------------------------------- */

/* Who is dead, and whose end is just becoming known, joins the set by himself. */
static bool is_dead(const struct client *client)
{
	struct pollfd poll_fd = {.fd = client->pidfd, .events = POLLIN};

	return client->dead || poll(&poll_fd, 1, 0) > 0;
}

static void name_set(struct dump_set *set, const struct client *dead, const char *by,
		     const struct group_self *self, const struct verdict *verdict)
{
	const char *group = !strcmp(by, "declared") ? self->group
			    : !strcmp(by, "pod")	? self->pod_uid
			    : !strcmp(by, "cgroup") ? self->cgroup
						    : "";
	const char *last = strrchr(group, '/');
	const time_t now = time(NULL);
	char label[TTLOG_GROUP_BYTES], date[16];
	struct tm tm = {0};

	gmtime_r(&now, &tm);
	strftime(date, sizeof(date), "%Y%m%d%H%M%S", &tm);
	snprintf(label, sizeof(label), "%s", *group ? (last ? last + 1 : group) : by);
	for (char *at = label; *at; at++)
		if (!isalnum((unsigned char)*at) && !strchr("-_.", *at))
			*at = '_';
	set->by = by;
	snprintf(set->name, sizeof(set->name), "%s-%s-%d", label, date, (int)dead->pid);
	snprintf(set->group, sizeof(set->group), "%s", group);
	log_clean(set->group, LOG_CLEAN_LINE); /* it may have been cut */
	set->first_pid = (uint32_t)dead->pid;
	memcpy(set->first_service, dead->hello.service, sizeof(set->first_service));
	dump_sentence(verdict, set->first_sentence, sizeof(set->first_sentence));
	log_clean(set->first_sentence, LOG_CLEAN_LINE);
}

/* Within the limits; those who registered first come first. */
static void take_member(const struct group_limits *limits, struct group_plan *plan,
			struct client *client, uint64_t *bytes)
{
	const uint64_t region_bytes = client->subject->geometry.region_bytes;

	if (is_dead(client) || !client->subject->base)
		return;
	if (plan->count >= limits->members_max || plan->count == GROUP_MEMBERS_MAX ||
	    region_bytes > limits->bytes_max - *bytes ||
	    client->subject->dumps_pending >= SNAPSHOTS_PENDING_MAX) {
		plan->set.left_out++;
		return;
	}
	*bytes += region_bytes;
	plan->member[plan->count++] = client;
}

static void find_members(struct client *dead, const struct group_self *self,
			 const struct verdict *verdict, struct group_plan *plan)
{
	const struct clients *clients = dead->clients;
	const struct group_limits *limits = &clients->config.group;
	struct group_self other;
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < clients->config.count_max; i++) {
		struct client *client = clients->slot[i];
		const char *by;

		if (!client || client == dead || client->state != CLIENT_LIVE)
			continue;
		know(client, limits->by, &other);
		by = what_joins(limits, self, &other);
		if (!by)
			continue;
		if (!plan->has_set)
			name_set(&plan->set, dead, by, self, verdict);
		plan->has_set = plan->is_new = true;
		take_member(limits, plan, client, &bytes);
	}
	plan->set.copied = plan->count;
}

static bool joins(const struct clients *clients, const struct group_set *set,
		  const struct group_self *self)
{
	return what_joins(&clients->config.group, &set->origin, self) != NULL;
}

/* A set of the last minute that it would belong to; NULL: none. */
static const struct group_set *find_set(const struct clients *clients,
					const struct group_self *self)
{
	for (unsigned int i = 0; i < clients->groups->count; i++)
		if (joins(clients, &clients->groups->set[i], self))
			return &clients->groups->set[i];
	return NULL;
}

static bool may_begin(const struct clients *clients, const struct verdict *verdict)
{
	return !clients->closing && verdict->how != VERDICT_ALIVE && verdict->how != VERDICT_EXEC;
}

void group_plan(struct client *dead, const struct verdict *verdict, struct group_plan *ret_plan)
{
	struct clients *clients = dead->clients;
	const struct group_limits *limits = &clients->config.group;
	const struct group_set *known;
	struct group_self self;

	ret_plan->has_set = ret_plan->is_new = false;
	ret_plan->count = 0;
	ret_plan->set = (struct dump_set){0};
	if (!limits->by || (limits->by == GROUP_DECLARED && !dead->hello.group[0]))
		return;
	know(dead, limits->by, &self);
	group_sets_expire(clients->groups, now_ms(), limits->pause_ms);
	known = find_set(clients, &self);
	if (known && now_ms() - known->opened_ms < GROUP_JOIN_MS) {
		ret_plan->has_set = true;
		ret_plan->set = known->set;
		ret_plan->set.role = DUMP_SET_DIED;
		return;
	}
	if (!may_begin(clients, verdict))
		return;
	find_members(dead, &self, verdict, ret_plan);
	if (ret_plan->is_new && (known || !group_sets_have_room(clients->groups, self.uid))) {
		counters.group_sets_shed++;
		ret_plan->has_set = ret_plan->is_new = false;
	}
}

static void copy_member(struct client *client, const struct dump_set *set)
{
	struct verdict alive = {
		.how = VERDICT_ALIVE,
		.confidence = VERDICT_HIGH,
		.occasion = {.kind = OCCASION_GROUP, .pid = (pid_t)set->first_pid},
	};
	char reason[DUMPER_REASON_BYTES];

	snprintf(reason, sizeof(reason), "group-%.*s", TTLOG_GROUP_BYTES - 1,
		 set->group[0] && !strcmp(set->by, "declared") ? set->group : set->by);
	strcpy(alive.occasion.service, set->first_service);
	dumper_submit_in(client->clients->config.dumper, client->subject, NULL, NULL, &alive,
			 reason, set);
}

void group_carry_out(struct client *dead, struct group_plan *plan, bool is_dumped)
{
	struct clients *clients = dead->clients;
	struct group_self self;

	if (!plan->is_new || !is_dumped)
		return;
	know(dead, clients->config.group.by, &self);
	if (group_sets_add(clients->groups, &self, &plan->set, now_ms()))
		return;
	counters.group_sets++;
	counters.group_left_out += plan->set.left_out;
	plan->set.role = DUMP_SET_ALIVE;
	for (unsigned int i = 0; i < plan->count; i++)
		copy_member(plan->member[i], &plan->set);
	log_say("%s (pid %d): %u who worked with it %s copied, %u left out: set %s",
		dead->hello.service, (int)dead->pid, plan->count, plan->count == 1 ? "is" : "are",
		plan->set.left_out, plan->set.name);
}
