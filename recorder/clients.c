/* SPDX-License-Identifier: MIT */
/* clients.c - the table of clients, and their sockets: bounded in number, size, time and rate. */
#include "recorder/clients.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "recorder/census.h"
#include "recorder/client.h"
#include "recorder/counters.h"
#include "recorder/log.h"
#include "recorder/watch.h"

#define HELLO_TIMEOUT_MS 5000
#define ACCEPTS_A_TURN 32 /* then the others get their turn */
#define MESSAGES_A_TURN 16
#define ACCEPT_PAUSE_MS 100
#define MESSAGES_A_SECOND 1000 /* somebody who only wants to keep us busy */

static void limit_users(struct clients *clients)
{
	const struct clients_config *config = &clients->config;

	clients->quota.limits = (struct quota_limits){
		.clients_max = config->count_max,
		.bytes_max = config->memory_bytes_max,
		.clients_max_per_uid = config->count_max_per_uid,
		.bytes_max_per_uid = config->memory_bytes_max_per_uid,
	};
}

void clients_change(struct clients *clients, const struct clients_config *config)
{
	clients->config.region_bytes_max = config->region_bytes_max;
	clients->config.memory_bytes_max = config->memory_bytes_max;
	clients->config.count_max_per_uid = config->count_max_per_uid;
	clients->config.memory_bytes_max_per_uid = config->memory_bytes_max_per_uid;
	clients->config.dump_on_exit = config->dump_on_exit;
	clients->config.group = config->group;
	limit_users(clients);
	triggers_set_rules(clients->triggers, config->rules);
}

int clients_open(struct clients **ret_clients, const struct clients_config *config)
{
	struct clients *clients;

	if (!config->count_max || config->count_max > CLIENTS_MAX)
		return -EINVAL;
	clients = calloc(1, sizeof(*clients) + config->count_max * sizeof(clients->slot[0]));
	if (!clients)
		return -ENOMEM;
	clients->triggers = triggers_new(clients);
	if (!clients->triggers || groups_open(&clients->groups)) {
		triggers_free(clients->triggers);
		free(clients);
		return -ENOMEM;
	}
	clients->config = *config;
	limit_users(clients);
	if (!clients->config.hello_timeout_ms)
		clients->config.hello_timeout_ms = HELLO_TIMEOUT_MS;
	clients->listen_fd = -1;
	triggers_set_rules(clients->triggers, config->rules);
	clients->config.rules = NULL; /* who holds them has them */
	*ret_clients = clients;
	return 0;
}

void clients_close(struct clients *clients)
{
	if (!clients)
		return;
	clients_unlisten(clients);
	for (uint32_t i = 0; i < clients->config.count_max; i++) {
		struct client *client = clients->slot[i];

		if (!client)
			continue;
		deaths_thaw(client);
		client_free(client);
	}
	snapshot_wait_close(clients);
	groups_close(clients->groups);
	triggers_free(clients->triggers);
	free(clients);
}

void clients_set_watch(struct clients *clients, struct watch *watch)
{
	clients->watch = watch;
}

unsigned int clients_dying_count(const struct clients *clients)
{
	return clients->dying;
}

unsigned int clients_living_count(const struct clients *clients)
{
	unsigned int count = 0;

	for (uint32_t i = 0; i < clients->config.count_max; i++)
		count += clients->slot[i] && clients->slot[i]->state == CLIENT_LIVE &&
			 !clients->slot[i]->dead;
	return count;
}

uint64_t clients_memory_bytes(const struct clients *clients)
{
	return clients->quota.bytes;
}

uint64_t clients_memory_bytes_max(const struct clients *clients)
{
	return clients->quota.limits.bytes_max;
}

bool clients_hold(struct clients *clients, ino_t inode)
{
	for (uint32_t i = 0; i < clients->config.count_max; i++) {
		struct client *client = clients->slot[i];

		if (!client || client->state != CLIENT_LIVE || client->subject->inode != inode)
			continue;
		/* Who has no socket to say so calls. */
		heartbeat_look(client);
		return true;
	}
	return false;
}

uint64_t clients_registered_count(const struct clients *clients)
{
	return clients->registered;
}

/* ---- one client ------------------------------------------------------------------------- */

struct client *client_new(struct clients *clients, int socket_fd, uid_t uid)
{
	struct quota_user *user = quota_get(&clients->quota, uid);
	struct client *client = user ? calloc(1, sizeof(*client)) : NULL;
	const int err = !client ? -ENOMEM : quota_connect(user);

	if (err) {
		free(client);
		quota_put(user);
		errno = -err;
		return NULL;
	}
	while (clients->slot[clients->next_slot])
		clients->next_slot = (clients->next_slot + 1) % clients->config.count_max;
	*client = (struct client){
		.clients = clients,
		.id = ++clients->serial << 16 | clients->next_slot,
		.socket_fd = socket_fd,
		.pidfd = -1,
		.uid = uid,
		.user = user,
		.hold_fd = -1,
		.answer_fd = -1,
	};
	clients->slot[clients->next_slot] = client;
	clients->count++;
	return client;
}

void client_hang_up(struct client *client)
{
	if (client->socket_fd < 0)
		return;
	loop_remove(client->socket_source);
	client->socket_source = NULL;
	close(client->socket_fd);
	client->socket_fd = -1;
}

void client_free(struct client *client)
{
	struct clients *clients = client->clients;

	loop_timer_clear(&client->timer);
	loop_timer_clear(&client->freeze_timer);
	loop_timer_clear(&client->flush_timer);
	heartbeat_end(client);
	triggers_end(clients->triggers, client);
	coarse_end(client);
	admit_disarm(client);
	client_hang_up(client);
	loop_remove(client->pidfd_source);
	if (client->control)
		munmap(client->control, TTLOG_CONTROL_BYTES);
	if (client->pidfd >= 0)
		close(client->pidfd);
	if (client->hold_fd >= 0)
		close(client->hold_fd);
	if (client->answer_fd >= 0)
		close(client->answer_fd);
	if (client->dead)
		clients->dying--;
	clients->asking -= client->asks;
	if (client->snapshots_refused)
		log_limited(LOG_LEVEL_WARNING,
			    "%s (pid %d): %llu snapshots refused, they came too fast",
			    client->hello.service, (int)client->pid,
			    (unsigned long long)client->snapshots_refused);
	if (client->state == CLIENT_LIVE)
		census_ended(clients->census, client);
	free(client->tally);
	capture_free(client->capture);
	subject_release(client->subject);
	quota_disconnect(client->user);
	quota_put(client->user);
	clients->slot[client->id & 0xffff] = NULL;
	clients->count--;
	clients->said_full = false;
	free(client);
}

/* A client with a region of its own making has no map over its control page. */
struct ttlog_control *client_control(const struct client *client)
{
	const struct subject *subject = client->subject;

	if (client->control && (!client->offered || client->control_is_old))
		return client->control;
	return (struct ttlog_control *)((char *)subject->base + subject->geometry.control_offset);
}

/* ---- what it says ----------------------------------------------------------------------- */

/*
 * One message, and the first of the descriptors that came with it. 1, 0 when there is none now, or
 * a negative errno. What the buffer has no room for, the kernel closes; the buffer's alignment
 * leaves room for a second descriptor.
 */
static int receive(struct client *client, struct hello_message *ret_message, int *ret_fd)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	char bytes[HELLO_BYTES_MAX + 1];
	struct iovec iov = {.iov_base = bytes, .iov_len = sizeof(bytes)};
	struct msghdr header = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t count = recvmsg(client->socket_fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	*ret_fd = -1;
	/*
	 * Said once when the peer went without reading our WELCOME; what it sent before is still
	 * there.
	 */
	if (count < 0 && errno == ECONNRESET)
		count = recvmsg(client->socket_fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (count < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	for (struct cmsghdr *at = CMSG_FIRSTHDR(&header); at; at = CMSG_NXTHDR(&header, at)) {
		const int *fd = (const int *)(const void *)CMSG_DATA(at);

		if (at->cmsg_level != SOL_SOCKET || at->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; CMSG_LEN((i + 1) * sizeof(int)) <= at->cmsg_len; i++) {
			if (*ret_fd < 0)
				*ret_fd = fd[i];
			else
				close(fd[i]);
		}
	}
	if (!count)
		return -ECONNRESET;
	const int err = hello_check(bytes, (size_t)count, ret_message);

	return err ? err : 1;
}

static bool is_in_order(const struct client *client, const struct hello_message *message)
{
	if (client->state != CLIENT_WAITING)
		return !hello_is_first(message);
	return !client->asks && (hello_is_first(message) || hello_is_alone(message));
}

/* A message in the order of the protocol. 0 or a negative errno; takes the descriptor. */
static int take_message(struct client *client, const struct hello_message *message, int fd)
{
	int err = 0;

	client_ration(client);
	if (++client->messages > MESSAGES_A_SECOND)
		err = -EBUSY;
	else if (!is_in_order(client, message))
		err = -EPROTO;
	else if (client->state == CLIENT_WAITING) {
		client->hello = *message;
		if (message->kind == TTLOG_MESSAGE_SNAPSHOT) {
			client->answer_fd = fd;
			return 0;
		}
	}
	else if (message->kind == TTLOG_MESSAGE_REGION)
		return fd < 0 ? -EPROTO : admit_region(client, fd);
	else if (message->kind == TTLOG_MESSAGE_SNAPSHOT) {
		client_take_snapshot(client, message, fd);
		return 0;
	} else if (message->kind == TTLOG_MESSAGE_NOTICE)
		heartbeat_look(client);
	else
		client->goodbye = true;
	if (fd >= 0)
		close(fd);
	return err;
}

/* The socket is of no more use. What it registered stays until the process ends. */
static void give_up(struct client *client, int why)
{
	if (why != -ECONNRESET)
		log_detail("a client's socket is closed (pid %d): %s", (int)client->pid,
			   strerror(-why));
	if (client->state == CLIENT_WAITING && why == -EPROTONOSUPPORT)
		admit_refuse(client, why);
	else if (client->state == CLIENT_WAITING) {
		counters_refuse(why);
		client_free(client);
	} else {
		client_hang_up(client);
		if (why == -ECONNRESET)
			deaths_hung_up(client);
	}
}

static void socket_ready(void *context, uint32_t events)
{
	struct client *client = context;
	struct hello_message message;
	int err, fd;

	if (client->state == CLIENT_MAKING) { /* only a hang-up comes through now */
		loop_remove(client->socket_source);
		client->socket_source = NULL;
		client->hung_up = true;
		return;
	}
	for (int i = 0; i < MESSAGES_A_TURN; i++) {
		err = receive(client, &message, &fd);
		if (err > 0)
			err = take_message(client, &message, fd);
		else if (fd >= 0)
			close(fd);
		else if (!err) /* nothing left */
			err = events & (EPOLLHUP | EPOLLERR) ? -ECONNRESET : 1;
		if (err > 0)
			return;
		if (err) {
			give_up(client, err);
			return;
		}
		if (client->state == CLIENT_WAITING) {
			if (message.kind == TTLOG_MESSAGE_HELLO)
				admit(client);
			else if (hello_is_alone(&message))
				snapshots_ask(client);
			else
				ask(client);
			return;
		}
	}
}

void client_drain(struct client *client)
{
	struct hello_message message;
	int fd;

	for (int i = 0; i < MESSAGES_A_SECOND && client->socket_fd >= 0; i++) {
		if (receive(client, &message, &fd) <= 0) {
			if (fd >= 0)
				close(fd);
			return;
		}
		if (take_message(client, &message, fd))
			return;
	}
}

int client_read(struct client *client)
{
	if (client->socket_source)
		return loop_modify(client->socket_source, EPOLLIN);
	return loop_add(client->clients->config.loop, client->socket_fd, EPOLLIN, socket_ready,
			client, &client->socket_source);
}

/* ---- who connects ----------------------------------------------------------------------- */

static void silent(void *context)
{
	struct client *client = context;

	log_limited(LOG_LEVEL_DETAIL, "a peer %s for %u ms and was dropped",
		    client->wants_snapshot ? "asked for a snapshot, but nothing was known of it"
				 : "said nothing",
		    client->clients->config.hello_timeout_ms);
	counters_refuse(-ETIMEDOUT);
	client_free(client);
}

static void take_peer(struct clients *clients, int socket_fd)
{
	struct ucred peer;
	socklen_t bytes = sizeof(peer);
	struct client *client;

	if (clients->count >= clients->config.count_max) {
		if (!clients->said_full)
			log_limited(LOG_LEVEL_WARNING,
				    "%u clients are connected: no more are accepted",
				    clients->count);
		clients->said_full = true;
		counters_refuse(-EUSERS);
		close(socket_fd);
		return;
	}
	client = getsockopt(socket_fd, SOL_SOCKET, SO_PEERCRED, &peer, &bytes)
			 ? NULL
			 : client_new(clients, socket_fd, peer.uid);
	if (!client) {
		counters_refuse(-errno);
		close(socket_fd);
		return;
	}
	if (client_read(client))
		client_free(client);
	else
		loop_timer_set(clients->config.loop, &client->timer,
			       clients->config.hello_timeout_ms, silent, client);
}

static void accept_again(void *context)
{
	struct clients *clients = context;

	loop_modify(clients->listen_source, EPOLLIN);
}

/* Without descriptors or memory accept() would be called again at once, for ever: pause. */
static void pause_accepting(struct clients *clients, int why)
{
	log_limited(LOG_LEVEL_WARNING, "can't accept clients for a moment: %s", strerror(why));
	loop_modify(clients->listen_source, 0);
	loop_timer_set(clients->config.loop, &clients->accept_timer, ACCEPT_PAUSE_MS, accept_again,
		       clients);
}

static void accept_ready(void *context, uint32_t events)
{
	struct clients *clients = context;

	(void)events;
	for (int i = 0; i < ACCEPTS_A_TURN; i++) {
		const int fd =
			accept4(clients->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0) {
			take_peer(clients, fd);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			pause_accepting(clients, errno);
		return;
	}
}

int clients_listen(struct clients *clients, int listen_fd)
{
	clients->listen_fd = listen_fd;
	return loop_add(clients->config.loop, listen_fd, EPOLLIN, accept_ready, clients,
			&clients->listen_source);
}

void clients_unlisten(struct clients *clients)
{
	loop_remove(clients->listen_source);
	loop_timer_clear(&clients->accept_timer);
	clients->listen_source = NULL;
	clients->listen_fd = -1;
}
