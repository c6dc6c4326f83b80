/* SPDX-License-Identifier: MIT */
/*
 * admit.c - from a hello to a region in the client's hands.
 *
 * A worker reads /proc and makes the region: prefaulting 16 MiB takes milliseconds, and a hundred
 * services may start at once. The death watch is armed before the WELCOME leaves, so that no event
 * is recorded unwatched.
 */
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "recorder/client.h"
#include "recorder/counters.h"
#include "recorder/log.h"
#include "recorder/rings.h"
#include "recorder/watch.h"

#define NEWS_S 10 /* the age of a process up to which all that it has recorded is news */

struct making {
	struct workers_job job;
	struct client *client;
	pid_t pid;
	struct ttlog_geometry plan;
	enum ttlog_clock_source clock_source;
	char service[TTLOG_SERVICE_BYTES];
	/* results */
	int err;
	int region_fd;
	struct subject *subject;
};

/* ---- who is it -------------------------------------------------------------------------- */

static bool is_over(int fd)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

	return poll(&poll_fd, 1, 0) > 0 && poll_fd.revents;
}

static int note_inode(struct subject *subject, int region_fd)
{
	struct stat status;

	if (fstat(region_fd, &status))
		return -errno;
	subject->inode = status.st_ino;
	return 0;
}

/* ---- the worker's part ------------------------------------------------------------------ */

static int make(struct making *making)
{
	struct subject *subject = making->subject;
	int err = identity_read(making->pid, &subject->identity);

	if (err)
		return err;
	subject->root_fd = modules_open_root(making->pid);
	/* Without the right to know, the kernel program may still tell at its death. */
	(void)modules_read(making->pid, subject->root_fd, &subject->modules);
	err = ttlog_region_make(&making->plan, making->service, making->clock_source,
				&making->region_fd, &subject->base);
	if (err)
		return err;
	/* Nobody else has it yet: the last time that its header can be believed. */
	err = note_inode(subject, making->region_fd);
	if (err)
		return err;
	err = rings_guard(subject->base, making->plan.region_bytes);
	if (err)
		return err;
	return ttlog_region_check(subject->base, making->plan.region_bytes, &subject->geometry);
}

static void make_in_worker(struct workers_job *job)
{
	struct making *making = (struct making *)job;

	making->err = make(making);
}

static void making_free(struct making *making)
{
	if (making->region_fd >= 0)
		close(making->region_fd);
	subject_release(making->subject);
	free(making);
}

/* ---- the answer ------------------------------------------------------------------------- */

static int send_welcome(struct client *client, int status, const int fd[2])
{
	const unsigned int fd_count = fd[0] < 0 ? 0 : fd[1] < 0 ? 1 : 2;
	struct ttlog_welcome welcome =
		hello_welcome(status, fd_count == 2 ? TTLOG_WELCOME_CONTROL_MAP : 0);
	struct iovec iov = {.iov_base = &welcome, .iov_len = sizeof(welcome)};
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(2 * sizeof(int))];
	} control = {0};
	struct msghdr header = {.msg_iov = &iov, .msg_iovlen = 1};

	if (fd_count) {
		control.head.cmsg_level = SOL_SOCKET;
		control.head.cmsg_type = SCM_RIGHTS;
		control.head.cmsg_len = CMSG_LEN(fd_count * sizeof(int));
		memcpy(CMSG_DATA(&control.head), fd, fd_count * sizeof(int));
		header.msg_control = &control;
		header.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
	}
	return sendmsg(client->socket_fd, &header, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

void admit_disarm(struct client *client)
{
	if (client->watched)
		watch_remove(client->clients->watch, client->pidfd, client->id);
	client->watched = false;
}

void admit_refuse(struct client *client, int status)
{
	const int none[2] = {-1, -1};

	log_limited(LOG_LEVEL_DETAIL, "a client is refused (pid %d): %s", (int)client->pid,
		    strerror(-status));
	counters_refuse(status);
	if (client->subject)
		client->subject->over = true;
	admit_disarm(client);
	if (client->socket_fd >= 0)
		send_welcome(client, status, none);
	client_free(client);
}

/* The control page of the region, for a client without a map over it, and what the map starts with.
 */
static struct ttlog_control *control_page(const struct subject *subject)
{
	return (struct ttlog_control *)((char *)subject->base + subject->geometry.control_offset);
}

/*
 * Arms the kernel program. What it can't watch is watched by its pidfd alone. The control map's
 * descriptor, or -1.
 */
static int arm(struct client *client)
{
	struct clients *clients = client->clients;
	const struct ttlog_control *control = control_page(client->subject);
	void *map;
	int control_fd = -1;
	int err;

	if (!clients->watch)
		return -1;
	client->lost_before = watch_lost(clients->watch);
	err = watch_add(clients->watch, client->pidfd, client->id, control,
			offsetof(struct ttlog_control, zero), &control_fd);
	if (err) {
		log_limited(LOG_LEVEL_WARNING, "%s (pid %d) is watched without eBPF: %s",
			    client->hello.service, (int)client->pid, strerror(-err));
		return -1;
	}
	client->watched = true;
	if (control_fd < 0)
		return -1;
	map = mmap(NULL, TTLOG_CONTROL_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, control_fd, 0);
	if (map == MAP_FAILED) {
		close(control_fd);
		return -1;
	}
	client->control = map;
	return control_fd;
}

/*
 * A client that closed its socket meanwhile had lost patience with us, or closes all that it does
 * not know: the region that it offered before is as good.
 */
static int welcome(struct client *client, const int fd[2])
{
	const int err = client->hung_up ? -EPIPE : send_welcome(client, 0, fd);

	if (!err)
		return client_read(client);
	if (err == -ETOOMANYREFS)
		log_limited(LOG_LEVEL_WARNING,
			    "%s (pid %d) can't be handed its memory: too many descriptors of our "
			    "user are in sockets; it has to be adopted",
			    client->hello.service, (int)client->pid);
	/* An offer that would come too late to be heard fails, and he calls. */
	shutdown(client->socket_fd, SHUT_RD);
	client_drain(client);
	if (!client->offered)
		admit_disarm(client);
	client_hang_up(client);
	return client->offered ? 0 : err;
}

/*
 * Was everything in its ring recorded while it waited for us? Of one that is adopted: not if an
 * earlier recorder has looked, or may have, nor if it has been there for long: then its errors are
 * of yesterday.
 */
static bool is_news(const struct client *client)
{
	struct timespec now;

	if (!client->adopted)
		return true;
	clock_gettime(CLOCK_REALTIME, &now);
	return !client->control_is_old && !client->was_there &&
	       (uint64_t)now.tv_sec <
		       client->subject->identity.start_ns / UINT64_C(1000000000) + NEWS_S;
}

/* Nothing can go wrong any more: from the WELCOME on its ring is lost without us. */
static void come_alive(struct client *client)
{
	struct clients *clients = client->clients;

	client->state = CLIENT_LIVE;
	client->subject->forked = ask_is_fork(client);
	coarse_begin(client);
	admit_keep_history(client);
	heartbeat_look(client);
	if (client->adopted)
		snapshots_answer(client);
	clients->registered++;
	counters.registrations++;
	periodic_begin(client);
	triggers_begin(clients->triggers, client, is_news(client));
	log_detail("%s (pid %d) %s %llu bytes%s", client->hello.service, (int)client->pid,
		   client->adopted ? "is adopted, with" : "records into",
		   (unsigned long long)client->subject->geometry.region_bytes,
		   client->watched ? "" : ", without eBPF");
}

/* The region is made and the process is alive: hands it over. 0 or a negative errno. */
static int hand_over(struct client *client, struct making *making)
{
	int fd[2] = {making->region_fd, -1};
	int err;

	client->subject = making->subject;
	making->subject = NULL;
	atomic_store_explicit((_Atomic uint32_t *)&control_page(client->subject)->level,
			      client->hello.level, memory_order_relaxed);
	fd[1] = arm(client);
	err = is_over(client->pidfd) ? -ESRCH : deaths_watch(client);
	if (!err)
		err = welcome(client, fd);
	if (fd[1] >= 0)
		close(fd[1]);
	if (err)
		return err;
	/* Of a region that the client offered meanwhile there is a sign already. */
	if (!client->offered) {
		admit_hold(client, making->region_fd);
		admit_keep(client, making->region_fd);
	}
	come_alive(client);
	return 0;
}

/* Its control map is one of an earlier recorder's, if there is one and it looks at it still. */
static void arm_adopted(struct client *client, int control_fd)
{
	struct clients *clients = client->clients;
	int new_fd;

	if (!client->control_is_old) {
		new_fd = arm(client);
		if (new_fd >= 0)
			close(new_fd);
		return;
	}
	if (!clients->watch)
		return;
	client->lost_before = watch_lost(clients->watch);
	client->watched =
		!watch_add_again(clients->watch, client->pidfd, client->id, control_fd);
}

int admit_adopted(struct client *client, int control_fd)
{
	int err;

	arm_adopted(client, control_fd);
	err = is_over(client->pidfd) ? -ESRCH : deaths_watch(client);
	if (err)
		return err;
	deaths_found_frozen(client);
	come_alive(client);
	return 0;
}

static void reject(struct client *client, int err);

static void made(struct workers_job *job)
{
	struct making *making = (struct making *)job;
	struct client *client = making->client;
	int err = making->err;

	/* What was read of /proc is about this process only if it is still there now. */
	if (!err && is_over(client->pidfd))
		err = -ESRCH;
	if (!err) {
		deaths_replace(client);
		err = hand_over(client, making);
	}
	making_free(making);
	if (err)
		reject(client, err);
	else if (client->socket_fd < 0)
		deaths_hung_up(client);
}

struct subject *admit_subject(const struct client *client)
{
	struct subject *subject = calloc(1, sizeof(*subject));

	if (!subject)
		return NULL;
	subject->holders = 1;
	subject->root_fd = -1;
	subject->user = quota_hold(client->user);
	subject->pid = client->pid;
	memcpy(subject->service, client->hello.service, sizeof(subject->service));
	subject->clock_source = client->hello.clock_source;
	subject->calibration = client->clients->config.dumper->calibration;
	ttlog_clock_read(subject->clock_source, &subject->clock);
	calibration_begin(subject->calibration);
	return subject;
}

/*
 * It can't be a client. One that was dead by the time that we came to its hello may have made a
 * region itself meanwhile, and left it in the socket: that is what it has recorded.
 */
static void reject(struct client *client, int err)
{
	client->state = CLIENT_MAKING; /* its hello is behind it */
	if (err == -ESRCH && client->socket_fd >= 0) {
		if (!client->subject)
			client->subject = admit_subject(client);
		if (client->subject)
			client_drain(client);
	}
	if (client->offered)
		deaths_late(client);
	else
		admit_refuse(client, err);
}

/* What it may have: what it wants, within what the command line allows one client. */
static void plan(const struct client *client, struct ttlog_geometry *ret_plan)
{
	const uint64_t most = client->clients->config.region_bytes_max;
	uint64_t bytes = client->hello.region_bytes;
	uint64_t channel_bytes = client->hello.channel_bytes;

	if (!bytes)
		bytes = TTLOG_REGION_BYTES_DEFAULT;
	if (bytes > most)
		bytes = most;
	/* Both together: the buffer comes first, the channels have what is left. */
	if (channel_bytes > most - bytes)
		channel_bytes = most - bytes;
	ttlog_region_plan_channels(bytes, channel_bytes, ret_plan);
	ret_plan->clock_mode = client->hello.clock_mode;
}

static int start_making(struct client *client)
{
	struct clients *clients = client->clients;
	struct making *making = calloc(1, sizeof(*making));
	int err;

	if (!making)
		return -ENOMEM;
	making->region_fd = -1;
	making->client = client;
	making->pid = client->pid;
	making->clock_source = client->hello.clock_source;
	memcpy(making->service, client->hello.service, sizeof(making->service));
	plan(client, &making->plan);
	making->plan.huge_pages = rings_may_be_huge();
	making->plan.recorder_hash = clients->config.recorder_hash;
	making->plan.flush_interval_s = client->hello.flush_interval_s;
	memcpy(making->plan.group, client->hello.group, sizeof(making->plan.group));
	making->subject = admit_subject(client);
	err = making->subject ? quota_take(client->user, making->plan.region_bytes) : -ENOMEM;
	if (err == -ENOSPC)
		log_limited(LOG_LEVEL_WARNING,
			    "%s (pid %d): no room for its region, %llu bytes are in use",
			    client->hello.service, (int)client->pid,
			    (unsigned long long)clients->quota.bytes);
	if (err) {
		making_free(making);
		return err;
	}
	/* Accounted for from now on, whatever becomes of it. */
	making->subject->geometry.region_bytes = making->plan.region_bytes;
	making->job = (struct workers_job){.run = make_in_worker, .done = made};
	workers_submit_for(clients->config.makers, &making->job, &client->user->regions);
	return 0;
}

void admit(struct client *client)
{
	int err = peer_identify(client);

	if (!err)
		err = peer_pin(client);
	loop_timer_clear(&client->timer);
	if (!err)
		err = loop_modify(client->socket_source, 0);
	if (!err)
		err = start_making(client);
	if (err)
		reject(client, err);
	else
		client->state = CLIENT_MAKING;
}

int admit_region(struct client *client, int region_fd)
{
	struct subject *subject = client->subject;
	struct clients *clients = client->clients;
	struct ttlog_geometry geometry;
	void *base;
	int err;

	/* Once, and before anybody looks at the region that it replaces. */
	if (client->offered || subject->holders > 1) {
		close(region_fd);
		return -EPROTO;
	}
	err = rings_map(region_fd, &geometry, &base);
	if (err) {
		close(region_fd);
		return err;
	}
	note_inode(subject, region_fd);
	admit_hold(client, region_fd);
	err = geometry.region_bytes > clients->config.region_bytes_max
		      ? -ENOSPC
		      : quota_take(subject->user, geometry.region_bytes);
	if (err) {
		rings_unmap(base, &geometry);
		close(region_fd);
		return err;
	}
	quota_give(subject->user, subject->geometry.region_bytes);
	history_end(subject->history);
	subject->history = NULL;
	heartbeat_end(client);
	triggers_end(clients->triggers, client);
	if (subject->base)
		rings_unmap(subject->base, &subject->geometry);
	subject->base = base;
	subject->geometry = geometry;
	subject->clock_source = (enum ttlog_clock_source)geometry.clock_source;
	client->offered = true;
	admit_keep(client, region_fd);
	close(region_fd);
	if (client->state == CLIENT_LIVE) {
		admit_keep_history(client);
		heartbeat_look(client);
		triggers_begin(clients->triggers, client, true);
	}
	log_detail("%s (pid %d) records into a region of its own, %llu bytes",
		   client->hello.service, (int)client->pid,
		   (unsigned long long)geometry.region_bytes);
	return 0;
}
