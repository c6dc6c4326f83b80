/* SPDX-License-Identifier: MIT */
/*
 * hello_by_hand.h - the client's end of the socket without libttlog, for peers that libttlog would
 * not be.
 */
#ifndef TESTS_HELLO_BY_HAND_H
#define TESTS_HELLO_BY_HAND_H

#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/ttlog_abi.h"

#define BY_HAND_WAIT_MS 60000 /* for what must happen soon: never reached on the good path */

static __attribute__((unused)) int peer_connect(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	cr_assert_geq(fd, 0);
	strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
	cr_assert_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0, "%s: %s", path,
		     strerror(errno));
	return fd;
}

static __attribute__((unused)) struct ttlog_message_head head_by_hand(uint16_t kind, size_t bytes)
{
	return (struct ttlog_message_head){
		.magic = TTLOG_MESSAGE_MAGIC,
		.version = TTLOG_ABI_VERSION,
		.kind = kind,
		.bytes = (uint32_t)bytes,
	};
}

static __attribute__((unused)) struct ttlog_hello hello_by_hand(const char *service)
{
	struct ttlog_hello hello = {
		.head = head_by_hand(TTLOG_MESSAGE_HELLO, sizeof(hello)),
		.region_bytes = TTLOG_REGION_BYTES_MIN,
	};

	strncpy(hello.service, service, sizeof(hello.service) - 1);
	return hello;
}

/* A message with descriptors; -1 and errno as sendmsg(). */
static __attribute__((unused)) ssize_t send_with_fds(int socket_fd, const void *bytes, size_t count,
						     const int *fds, size_t fd_count)
{
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(253 * sizeof(int))]; /* SCM_MAX_FD */
	} control = {0};
	struct iovec iov = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = count};
	struct msghdr header = {.msg_iov = &iov, .msg_iovlen = 1};

	if (fd_count) {
		control.head.cmsg_level = SOL_SOCKET;
		control.head.cmsg_type = SCM_RIGHTS;
		control.head.cmsg_len = CMSG_LEN(fd_count * sizeof(int));
		memcpy(CMSG_DATA(&control.head), fds, fd_count * sizeof(int));
		header.msg_control = &control;
		header.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
	}
	return sendmsg(socket_fd, &header, MSG_NOSIGNAL);
}

/* The WELCOME's bytes, 0 when the socket is closed instead. Descriptors that are not there are -1.
 */
static __attribute__((unused)) ssize_t
receive_welcome(int socket_fd, struct ttlog_welcome *ret_welcome, int ret_fds[2])
{
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(2 * sizeof(int))];
	} control;
	struct iovec iov = {.iov_base = ret_welcome, .iov_len = sizeof(*ret_welcome)};
	struct msghdr header = {.msg_iov = &iov,
				.msg_iovlen = 1,
				.msg_control = &control,
				.msg_controllen = sizeof(control)};
	const ssize_t count = recvmsg(socket_fd, &header, MSG_CMSG_CLOEXEC);
	const struct cmsghdr *cmsg = count > 0 ? CMSG_FIRSTHDR(&header) : NULL;

	ret_fds[0] = ret_fds[1] = -1;
	if (cmsg && cmsg->cmsg_type == SCM_RIGHTS)
		memcpy(ret_fds, CMSG_DATA(cmsg), cmsg->cmsg_len - CMSG_LEN(0));
	return count < 0 && errno == ECONNRESET ? 0 : count;
}

static __attribute__((unused)) void wait_readable(int fd)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

	cr_assert_eq(poll(&poll_fd, 1, BY_HAND_WAIT_MS), 1, "nothing came");
}

#endif
