/* SPDX-License-Identifier: MIT */
/*
 * admit_keep.c - what outlives us of a client: the sign that we hold its region goes with us, and
 * what the service manager keeps stays.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "recorder/client.h"
#include "recorder/hold.h"
#include "recorder/keepsake.h"
#include "recorder/systemd.h"

void admit_hold(struct client *client, int region_fd)
{
	if (client->hold_fd >= 0)
		close(client->hold_fd);
	client->hold_fd = hold_region(region_fd);
}

void admit_keep(struct client *client, int region_fd)
{
	struct systemd *systemd = client->clients->config.systemd;
	struct subject *subject = client->subject;
	struct keepsake keepsake = {
		.pid = client->pid,
		.gid = client->gid,
		.level = client->hello.level,
		.identity = &subject->identity,
	};
	int fd[3] = {region_fd, client->pidfd, -1};

	if (!systemd_stores(systemd))
		return;
	memcpy(keepsake.service, subject->service, sizeof(keepsake.service));
	fd[2] = keepsake_write(&keepsake);
	if (fd[2] < 0)
		return;
	if (subject->stored[0])
		systemd_forget(systemd, subject->stored);
	snprintf(subject->stored, sizeof(subject->stored), "ttlog-%d-%llu", (int)client->pid,
		 (unsigned long long)subject->inode);
	subject->systemd = systemd;
	if (systemd_store(systemd, subject->stored, fd, 3))
		subject->stored[0] = '\0';
	close(fd[2]);
}

void admit_keep_history(struct client *client)
{
	struct subject *subject = client->subject;

	history_end(subject->history);
	subject->history = history_begin(client->clients->config.histories, subject->base,
					 &subject->geometry, client->pid);
}
