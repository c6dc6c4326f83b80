/* SPDX-License-Identifier: MIT */
/* metrics_listen.c - where figures are asked for. Numbers only: a name could mean another machine.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "recorder/metrics_parts.h"

#define BACKLOG 128

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static int parse_port(const char *text, in_port_t *ret_port)
{
	unsigned long port;
	char *end;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	port = strtoul(text, &end, 10);
	if (*end || port > 65535)
		return -EINVAL;
	*ret_port = htons((in_port_t)port);
	return 0;
}

/* "127.0.0.1:9464", "[::1]:9464", "localhost:9464". The bytes of the address, or a negative errno.
 */
static int parse_address(const char *text, union address *ret_address)
{
	const char *colon = strrchr(text, ':');
	union address address = {0};
	char host[INET6_ADDRSTRLEN + 2];
	size_t bytes;
	in_port_t port;

	if (!colon || parse_port(colon + 1, &port))
		return -EINVAL;
	bytes = (size_t)(colon - text);
	if (bytes >= sizeof(host))
		return -EINVAL;
	memcpy(host, text, bytes);
	host[bytes] = '\0';
	if (!strcmp(host, "localhost"))
		strcpy(host, "127.0.0.1");
	if (inet_pton(AF_INET, host, &address.v4.sin_addr) == 1) {
		address.v4.sin_family = AF_INET;
		address.v4.sin_port = port;
		*ret_address = address;
		return sizeof(address.v4);
	}
	if (bytes < 3 || host[0] != '[' || host[bytes - 1] != ']')
		return -EINVAL;
	host[bytes - 1] = '\0';
	if (inet_pton(AF_INET6, host + 1, &address.v6.sin6_addr) != 1)
		return -EINVAL;
	address.v6.sin6_family = AF_INET6;
	address.v6.sin6_port = port;
	*ret_address = address;
	return sizeof(address.v6);
}

static bool is_loopback(const union address *address)
{
	if (address->any.sa_family == AF_INET)
		return ntohl(address->v4.sin_addr.s_addr) >> 24 == 127;
	return IN6_IS_ADDR_LOOPBACK(&address->v6.sin6_addr);
}

static void say_where(int fd, char *where, size_t where_bytes)
{
	union address address = {0};
	socklen_t bytes = sizeof(address);
	char host[INET6_ADDRSTRLEN] = "?";

	getsockname(fd, &address.any, &bytes);
	if (address.any.sa_family == AF_INET6) {
		inet_ntop(AF_INET6, &address.v6.sin6_addr, host, sizeof(host));
		snprintf(where, where_bytes, "http://[%s]:%u/metrics", host,
			 ntohs(address.v6.sin6_port));
		return;
	}
	inet_ntop(AF_INET, &address.v4.sin_addr, host, sizeof(host));
	snprintf(where, where_bytes, "http://%s:%u/metrics", host, ntohs(address.v4.sin_port));
}

static int listen_tcp(const char *text, bool remote, char *where, size_t where_bytes)
{
	const int one = 1;
	union address address;
	const int bytes = parse_address(text, &address);
	int fd, err;

	if (bytes < 0)
		return bytes;
	if (!remote && !is_loopback(&address))
		return -ENONET;
	fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	/* A recorder that was restarted does not wait for connections of the one before. */
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, &address.any, (socklen_t)bytes) || listen(fd, BACKLOG)) {
		err = -errno;
		close(fd);
		return err;
	}
	say_where(fd, where, where_bytes);
	return fd;
}

int metrics_listen(struct metrics_socket *ret_socket, const char *address, bool remote,
		   char *ret_where, size_t where_bytes)
{
	struct metrics_socket socket = {.fd = -1, .listener.fd = -1};
	int err = 0;

	if (!strncmp(address, "unix:", 5)) {
		err = listener_open_stream(&socket.listener, address + 5);
		socket.fd = err ? -1 : socket.listener.fd;
		snprintf(ret_where, where_bytes, "%s", address);
	} else {
		socket.fd = listen_tcp(address, remote, ret_where, where_bytes);
		if (socket.fd < 0)
			err = socket.fd;
	}
	if (!err)
		*ret_socket = socket;
	return err;
}

void metrics_unlisten(struct metrics_socket *socket)
{
	if (socket->listener.fd >= 0)
		listener_close(&socket->listener);
	else if (socket->fd >= 0)
		close(socket->fd);
	socket->fd = -1;
}
