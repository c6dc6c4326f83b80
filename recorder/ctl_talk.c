/* SPDX-License-Identifier: MIT */
/* ctl_talk.c - one question to the control socket, and its answer. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "recorder/ctl.h"

#define PATIENCE_S 30 /* a recorder that is stopped is no recorder */
#define QUESTION_BYTES 256

/* The end of the answer may be here before the question is: somebody who is turned away. */
static int send_question(int fd, const struct ctl_request *request)
{
	struct pack pack;
	int err = pack_init(&pack, QUESTION_BYTES, CTL_REQUEST_BYTES_MAX);

	if (err)
		return err;
	ctl_request_pack(&pack, request);
	err = pack.error;
	if (!err && send(fd, pack.data, pack.bytes, MSG_NOSIGNAL) < 0 && errno != EPIPE)
		err = -errno;
	pack_fini(&pack);
	return err;
}

/* A dump may take as long as it takes: who wants to wait does. */
static int set_patience(int fd, bool wait)
{
	const struct timeval patience = {.tv_sec = PATIENCE_S}, forever = {0};
	const struct timeval *reading = wait ? &forever : &patience;

	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, reading, sizeof(*reading)))
		return -errno;
	return 0;
}

static int open_socket(const char *path, bool wait)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd, err;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	err = set_patience(fd, wait);
	if (!err && connect(fd, (struct sockaddr *)&address, sizeof(address)))
		err = errno == EAGAIN ? -ETIMEDOUT : -errno;
	if (err) {
		close(fd);
		return err;
	}
	return fd;
}

static bool is_last(const unsigned char *packet, size_t bytes, struct ctl_outcome *outcome)
{
	struct ctl_item item;

	if (!ctl_map_find(packet, bytes, "end", &item, NULL))
		return false;
	outcome->status = -EBADMSG;
	if (ctl_map_find(packet, bytes, "status", &item, NULL)) {
		if (item.kind == CTL_UINT && item.value == 0)
			outcome->status = 0;
		else if (item.kind == CTL_NEGATIVE && item.value < 4095)
			outcome->status = -1 - (int)item.value;
	}
	if (ctl_map_find(packet, bytes, "matched", &item, NULL) && item.kind == CTL_UINT)
		outcome->matched = item.value;
	return true;
}

/* The first that come are kept, if any are wanted. */
static void take_descriptors(struct msghdr *message, struct ctl_outcome *outcome)
{
	for (struct cmsghdr *at = CMSG_FIRSTHDR(message); at; at = CMSG_NXTHDR(message, at)) {
		if (at->cmsg_level != SOL_SOCKET || at->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; CMSG_LEN((i + 1) * sizeof(int)) <= at->cmsg_len; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(at) + i * sizeof(int), sizeof(fd));
			if (i < CTL_FDS && outcome->fd[i] < 0)
				outcome->fd[i] = fd;
			else
				close(fd);
		}
	}
}

static ssize_t receive(int fd, unsigned char *packet, size_t bytes, struct ctl_outcome *outcome)
{
	_Alignas(struct cmsghdr) char room[CMSG_SPACE(CTL_FDS * sizeof(int))];
	struct iovec piece = {.iov_base = packet, .iov_len = bytes};
	struct msghdr message = {.msg_iov = &piece,
				 .msg_iovlen = 1,
				 .msg_control = room,
				 .msg_controllen = sizeof(room)};
	const ssize_t count = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);

	if (count >= 0)
		take_descriptors(&message, outcome);
	return count;
}

void ctl_outcome_fini(struct ctl_outcome *outcome)
{
	for (unsigned int i = 0; i < CTL_FDS; i++) {
		if (outcome->fd[i] >= 0)
			close(outcome->fd[i]);
		outcome->fd[i] = -1;
	}
}

static int read_answer(int fd, ctl_row_fn fn, void *context, struct ctl_outcome *ret_outcome)
{
	static unsigned char packet[CTL_ANSWER_BYTES_MAX + 1];

	for (;;) {
		const ssize_t count = receive(fd, packet, sizeof(packet), ret_outcome);

		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		if (!count)
			return -ECONNRESET;
		if (count > (ssize_t)CTL_ANSWER_BYTES_MAX)
			return -EBADMSG;
		if (is_last(packet, (size_t)count, ret_outcome))
			return 0;
		fn(context, packet, (size_t)count);
	}
}

int ctl_ask(const char *path, const struct ctl_request *request, ctl_row_fn fn, void *context,
	    struct ctl_outcome *ret_outcome)
{
	const int fd = open_socket(path, request->wait);
	int err;

	*ret_outcome = (struct ctl_outcome){.fd = {-1, -1}};
	if (fd < 0)
		return fd;
	err = send_question(fd, request);
	if (!err)
		err = read_answer(fd, fn, context, ret_outcome);
	close(fd);
	if (err || request->verb != CTL_REGION)
		ctl_outcome_fini(ret_outcome);
	return err;
}
