/* SPDX-License-Identifier: MIT */
/*
 * snapshot_wait.c - programs that wait for a dump which they asked for.
 *
 * Who waits has sent one end of a pair of sockets: hostile, like all that comes from him. He is
 * answered once, when his dump is durable or is not to be had, and never waited for.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "recorder/client.h"

struct snapshot_wait {
	struct snapshot_wait *next;
	uint64_t number; /* of the dump */
	int fd;
};

/* ---- the answer ------------------------------------------------------------------------- */

/*
 * With our rights nobody is written to but him: a socket that he had from somebody else has that
 * one for a peer, and those of a pair have him who made it.
 */
static bool is_his(int fd, pid_t pid)
{
	int domain = 0, type = 0;
	struct ucred peer = {0};
	socklen_t domain_bytes = sizeof(domain), type_bytes = sizeof(type);
	socklen_t peer_bytes = sizeof(peer);

	return !getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &domain_bytes) &&
	       !getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_bytes) &&
	       !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &peer_bytes) && domain == AF_UNIX &&
	       type == SOCK_SEQPACKET && peer.pid == pid;
}

/* Takes the descriptor. Who has gone meanwhile, or reads nothing, has had his chance. */
static void answer(int fd, int status, const char *path)
{
	const size_t path_bytes = status ? 0 : strlen(path);
	struct ttlog_snapshot_done done = {
		.head =
			{
				.magic = TTLOG_MESSAGE_MAGIC,
				.version = TTLOG_ABI_VERSION,
				.kind = TTLOG_MESSAGE_SNAPSHOT_DONE,
				.bytes = (uint32_t)(sizeof(done) + path_bytes),
			},
		.status = status,
	};
	struct iovec iov[2] = {
		{.iov_base = &done, .iov_len = sizeof(done)},
		{.iov_base = (void *)(uintptr_t)path, .iov_len = path_bytes},
	};
	const struct msghdr header = {.msg_iov = iov, .msg_iovlen = path_bytes ? 2 : 1};

	(void)!sendmsg(fd, &header, MSG_DONTWAIT | MSG_NOSIGNAL);
	close(fd);
}

static void told(void *context, uint64_t number, int err, const char *path)
{
	struct clients *clients = context;

	for (struct snapshot_wait *wait, **at = &clients->waits; (wait = *at); at = &wait->next) {
		if (wait->number != number)
			continue;
		*at = wait->next;
		answer(wait->fd, err, path);
		free(wait);
		return;
	}
}

/* Takes the descriptor. */
static void wait_for(struct clients *clients, uint64_t number, int fd)
{
	struct snapshot_wait *wait = malloc(sizeof(*wait));

	if (!wait || dumper_tell(clients->config.dumper, told, clients)) {
		free(wait);
		answer(fd, -ENOMEM, NULL);
		return;
	}
	*wait = (struct snapshot_wait){.next = clients->waits, .number = number, .fd = fd};
	clients->waits = wait;
}

void snapshot_wait_close(struct clients *clients)
{
	struct snapshot_wait *next;

	if (clients->config.dumper)
		dumper_untell(clients->config.dumper, clients);
	for (struct snapshot_wait *wait = clients->waits; wait; wait = next) {
		next = wait->next;
		close(wait->fd);
		free(wait);
	}
	clients->waits = NULL;
}

void snapshot_wait_begin(struct client *client, int fd, int status, uint64_t number)
{
	if (fd < 0)
		return;
	if (!is_his(fd, client->pid))
		close(fd);
	else if (status)
		answer(fd, status, NULL);
	else
		wait_for(client->clients, number, fd);
}
