/* SPDX-License-Identifier: MIT */
/* peer.c - whose is a socket? The kernel says it, and nothing that came through it. */
#include <errno.h>
#include <poll.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "recorder/client.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77 /* Linux 6.5 */
#endif

static bool is_hung_up(int fd)
{
	struct pollfd poll_fd = {.fd = fd};

	return poll(&poll_fd, 1, 0) > 0 && (poll_fd.revents & (POLLHUP | POLLERR));
}

/*
 * The kernel pins the peer for SO_PEERPIDFD. Without it the pid may have gone to somebody else
 * between the connect and now: only as long as the socket is connected can its process be alive.
 */
static int open_peer(int socket_fd, pid_t pid)
{
	int pidfd = -1;
	socklen_t bytes = sizeof(pidfd);

	if (!getsockopt(socket_fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &bytes))
		return pidfd;
	/* Up to 6.15 a peer that was reaped is said to be no valid argument. */
	if (errno != ENOPROTOOPT)
		return errno == EINVAL ? -ESRCH : -errno;
	pidfd = pidfd_open(pid, 0);
	if (pidfd < 0)
		return -errno;
	if (is_hung_up(socket_fd)) {
		close(pidfd);
		return -ESRCH;
	}
	return pidfd;
}

int peer_identify(struct client *client)
{
	struct ucred peer;
	socklen_t bytes = sizeof(peer);

	if (getsockopt(client->socket_fd, SOL_SOCKET, SO_PEERCRED, &peer, &bytes))
		return -errno;
	if (peer.pid <= 0) /* of a pid namespace that we can't see into */
		return -ESRCH;
	client->pid = peer.pid;
	client->uid = peer.uid;
	client->gid = peer.gid;
	return 0;
}

int peer_pin(struct client *client)
{
	client->pidfd = open_peer(client->socket_fd, client->pid);
	return client->pidfd < 0 ? client->pidfd : 0;
}
