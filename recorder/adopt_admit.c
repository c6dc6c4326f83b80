/* SPDX-License-Identifier: MIT */
/*
 * adopt_admit.c - a region that was taken becomes a client's, as if its process had said hello.
 *
 * What a hello would have said stands in the region's header: a claim like any hello, and checked
 * like one. Nothing is written into the region: its client goes on as it was.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "recorder/adopt_take.h"
#include "recorder/client.h"
#include "recorder/counters.h"
#include "recorder/log.h"
#include "recorder/watch.h"

/* Is it somebody's whom we know? Looking may find him dead, and be his end. */
static int look_for(struct clients *clients, const struct adopt_taken *taken)
{
	for (uint32_t i = 0; i < clients->config.count_max; i++) {
		struct client *client = clients->slot[i];

		if (!client || client->state == CLIENT_WAITING)
			continue;
		if (client->state == CLIENT_MAKING) {
			if (client->pid == taken->pid)
				return -EAGAIN;
			continue;
		}
		if (client->subject->inode == taken->inode)
			return -EALREADY;
		/* Another region of the same process: only if it has dropped the one we hold. */
		if (client->pid == taken->pid && deaths_look(client) &&
		    !deaths_has_lost_its_region(client))
			return -EEXIST;
	}
	return 0;
}

static int check_limits(const struct clients *clients, const struct adopt_taken *taken)
{
	const struct clients_config *config = &clients->config;

	if (clients->closing)
		return -ESHUTDOWN;
	if (clients->count >= config->count_max)
		return -EUSERS;
	return taken->geometry.region_bytes > config->region_bytes_max ? -ENOSPC : 0;
}

/* As the hello would have been. */
static void say_hello(struct client *client, const struct ttlog_geometry *geometry)
{
	struct hello_message *hello = &client->hello;
	const struct ttlog_control *control = client_control(client);
	const uint32_t level = __atomic_load_n(&control->level, __ATOMIC_RELAXED);

	hello->region_bytes = geometry->region_bytes;
	hello->level = level > TTLOG_OFF ? TTLOG_OFF : level;
	hello->flush_interval_s = geometry->flush_interval_s;
	hello->clock_source = (enum ttlog_clock_source)geometry->clock_source;
	hello->clock_mode = (enum ttlog_clock_mode)geometry->clock_mode;
	hello_group(hello->group, geometry->group);
}

/* Takes what belongs to the subject out of what was taken. */
static int make_subject(struct client *client, struct adopt_taken *taken)
{
	struct subject *subject;
	int err;

	hello_service(client->hello.service, taken->geometry.service);
	client->hello.clock_source = (enum ttlog_clock_source)taken->geometry.clock_source;
	subject = admit_subject(client);
	if (!subject)
		return -ENOMEM;
	client->subject = subject;
	err = quota_take(client->user, taken->geometry.region_bytes);
	if (err)
		return err;
	subject->geometry = taken->geometry;
	subject->base = taken->base;
	subject->inode = taken->inode;
	subject->found = "adopted";
	subject->identity = taken->identity;
	subject->modules = taken->modules;
	subject->root_fd = taken->root_fd;
	taken->base = NULL;
	taken->modules = NULL;
	taken->root_fd = -1;
	taken->identity = (struct identity){0};
	return 0;
}

static void map_control(struct client *client, int control_fd)
{
	void *map = control_fd < 0 ? MAP_FAILED
				   : mmap(NULL, TTLOG_CONTROL_BYTES, PROT_READ | PROT_WRITE,
					  MAP_SHARED, control_fd, 0);

	if (map == MAP_FAILED)
		return;
	client->control = map;
	client->control_is_old = true;
	client->reach = CLIENT_REACHED;
}

/* A client with its subject, of whose process nothing was asked yet. */
static int make_client(struct clients *clients, struct adopt_taken *taken,
		       struct client **ret_client)
{
	struct client *client = client_new(clients, -1, taken->identity.uid);
	int err;

	if (!client)
		return -errno;
	client->pid = taken->pid;
	client->gid = taken->identity.gid;
	client->pidfd = taken->pidfd;
	client->hold_fd = taken->hold_fd;
	taken->pidfd = taken->hold_fd = -1;
	client->offered = client->adopted = true;
	client->was_there = taken->was_there;
	err = make_subject(client, taken);
	if (err) {
		client_free(client);
		return err;
	}
	map_control(client, taken->control_fd);
	say_hello(client, &client->subject->geometry);
	client->state = CLIENT_MAKING; /* its hello is behind it */
	*ret_client = client;
	return 0;
}

/* It has died under our hands, and we have what it left. */
static int bury(struct client *client)
{
	deaths_late(client);
	return 0;
}

static int begin(struct client *client, int control_fd)
{
	int err;

	deaths_replace(client);
	err = admit_adopted(client, control_fd);
	if (err == -ESRCH)
		return bury(client);
	if (err)
		client_free(client);
	return err;
}

int clients_adopt(struct clients *clients, struct adopt_taken *taken)
{
	struct client *client;
	int err = check_limits(clients, taken);

	if (!err)
		err = look_for(clients, taken);
	if (!err)
		err = make_client(clients, taken, &client);
	if (err)
		return err;
	admit_keep(client, taken->region_fd);
	return begin(client, taken->control_fd);
}

int clients_restore(struct clients *clients, struct adopt_taken *taken, bool dead,
		    const char *name)
{
	struct client *client;
	int err = check_limits(clients, taken);

	taken->was_there = true;
	if (!err && !dead)
		err = look_for(clients, taken);
	if (!err)
		err = make_client(clients, taken, &client);
	if (err)
		return err;
	client->subject->found = "kept";
	client->subject->systemd = clients->config.systemd;
	snprintf(client->subject->stored, sizeof(client->subject->stored), "%s", name);
	if (!dead)
		return begin(client, taken->control_fd);
	log_say("%s (pid %d) died while no recorder was running", client->hello.service,
		(int)client->pid);
	return bury(client);
}
