/* SPDX-License-Identifier: MIT */
/* quota.c - a list of users, as long as there are users with clients: short. */
#include "recorder/quota.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "recorder/log.h"

void quota_init(struct quota *quota, const struct quota_limits *limits)
{
	*quota = (struct quota){.limits = *limits};
}

struct quota_user *quota_get(struct quota *quota, uid_t uid)
{
	struct quota_user *user;

	for (user = quota->users; user; user = user->next)
		if (user->uid == uid)
			return quota_hold(user);
	user = calloc(1, sizeof(*user));
	if (!user)
		return NULL;
	user->quota = quota;
	user->uid = uid;
	user->holders = 1;
	user->next = quota->users;
	quota->users = user;
	return user;
}

struct quota_user *quota_hold(struct quota_user *user)
{
	user->holders++;
	return user;
}

void quota_put(struct quota_user *user)
{
	struct quota_user **at;

	if (!user || --user->holders)
		return;
	for (at = &user->quota->users; *at != user;)
		at = &(*at)->next;
	*at = user->next;
	free(user);
}

/* Could it end the recorder anyway? */
static bool is_trusted(uid_t uid)
{
	return uid == 0 || uid == geteuid();
}

static uint64_t share(uint64_t given, uint64_t all, uid_t uid)
{
	if (given)
		return given;
	return is_trusted(uid) ? all : all > 1 ? all / 2 : all;
}

int quota_connect(struct quota_user *user)
{
	const struct quota_limits *limits = &user->quota->limits;
	const uint64_t most = share(limits->clients_max_per_uid, limits->clients_max, user->uid);

	if (user->clients < most) {
		user->clients++;
		return 0;
	}
	if (!user->said_clients)
		log_limited(LOG_LEVEL_WARNING,
			    "uid %u has %" PRIu32 " clients: no more of it are accepted",
			    (unsigned int)user->uid, user->clients);
	user->said_clients = true;
	return -EDQUOT;
}

void quota_disconnect(struct quota_user *user)
{
	user->clients--;
	user->said_clients = false;
}

/* Limits may have become smaller than what is taken. */
static bool fits(uint64_t taken, uint64_t more, uint64_t most)
{
	return taken <= most && more <= most - taken;
}

int quota_take(struct quota_user *user, uint64_t bytes)
{
	struct quota *quota = user->quota;
	const struct quota_limits *limits = &quota->limits;
	const uint64_t most = share(limits->bytes_max_per_uid, limits->bytes_max, user->uid);

	if (!fits(quota->bytes, bytes, limits->bytes_max))
		return -ENOSPC;
	if (fits(user->bytes, bytes, most)) {
		user->bytes += bytes;
		quota->bytes += bytes;
		return 0;
	}
	if (!user->said_bytes)
		log_limited(LOG_LEVEL_WARNING,
			    "uid %u has %" PRIu64 " bytes of regions: it gets no %" PRIu64 " more",
			    (unsigned int)user->uid, user->bytes, bytes);
	user->said_bytes = true;
	return -EDQUOT;
}

void quota_give(struct quota_user *user, uint64_t bytes)
{
	user->bytes -= bytes;
	user->quota->bytes -= bytes;
	user->said_bytes = false;
}
