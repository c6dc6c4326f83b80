/* SPDX-License-Identifier: MIT */
/*
 * ctl_stand_in.h - stands in front of a recorder's control socket and hands out the first region
 * some times more, as a recorder does that has not seen yet that its process is dead.
 */
#ifndef TTLOG_TESTS_CTL_STAND_IN_H
#define TTLOG_TESTS_CTL_STAND_IN_H

#include <sys/socket.h>
#include <sys/un.h>

#include "recorder/ctl_wire.h"
#include "tests/recorder_process.h"

#define OLD_ANSWERS 3
#define PACKETS_MAX 4

/* What the real one answered. */
struct answer {
	int packets;
	ssize_t bytes[PACKETS_MAX];
	size_t control_bytes[PACKETS_MAX];
	char packet[PACKETS_MAX][4096];
	_Alignas(struct cmsghdr) char control[PACKETS_MAX][CMSG_SPACE(CTL_FDS * sizeof(int))];
};

static int seqpacket(const char *path, int (*use)(int, const struct sockaddr *, socklen_t))
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	strcpy(address.sun_path, path);
	if (fd < 0 || use(fd, (const struct sockaddr *)&address, sizeof(address)))
		_exit(90);
	return fd;
}

/* The descriptors in it stay open: they are in the answer that is given again. */
static void ask(const char *path, const char *question, size_t bytes, struct answer *ret_answer)
{
	const int fd = seqpacket(path, connect);

	if (send(fd, question, bytes, MSG_NOSIGNAL) != (ssize_t)bytes)
		_exit(91);
	for (int i = 0; i < PACKETS_MAX; i++) {
		struct iovec piece = {ret_answer->packet[i], sizeof(ret_answer->packet[i])};
		struct msghdr message = {.msg_iov = &piece,
					 .msg_iovlen = 1,
					 .msg_control = ret_answer->control[i],
					 .msg_controllen = sizeof(ret_answer->control[i])};

		ret_answer->packets = i;
		ret_answer->bytes[i] = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
		ret_answer->control_bytes[i] = message.msg_controllen;
		if (ret_answer->bytes[i] <= 0)
			break;
	}
	close(fd);
}

static void give(int fd, struct answer *answer)
{
	for (int i = 0; i < answer->packets; i++) {
		struct iovec piece = {answer->packet[i], (size_t)answer->bytes[i]};
		struct msghdr message = {.msg_iov = &piece,
					 .msg_iovlen = 1,
					 .msg_control = answer->control[i],
					 .msg_controllen = answer->control_bytes[i]};

		if (!message.msg_controllen)
			message.msg_control = NULL;
		sendmsg(fd, &message, MSG_NOSIGNAL);
	}
}

static void stand_in(int listener, const char *path)
{
	static struct answer region, answer;
	char question[CTL_REQUEST_BYTES_MAX];

	for (int regions = 0;;) {
		const int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		const ssize_t bytes = recv(fd, question, sizeof(question), 0);

		if (fd < 0 || bytes < 0)
			_exit(92);
		if (!memmem(question, (size_t)bytes, "region", 6)) {
			ask(path, question, (size_t)bytes, &answer);
			give(fd, &answer);
		} else {
			if (regions == 0 || regions > OLD_ANSWERS)
				ask(path, question, (size_t)bytes, &region);
			regions++;
			give(fd, &region);
		}
		close(fd);
	}
}

static pid_t start_stand_in(char socket_path[PATH_MAX])
{
	char real[PATH_MAX], own[PATH_MAX];
	int listener;
	pid_t pid;

	snprintf(real, sizeof(real), "%s/" CTL_SOCKET_NAME, recorder_folder);
	snprintf(own, sizeof(own), "%s/late", recorder_folder);
	cr_assert_eq(mkdir(own, 0700), 0);
	snprintf(socket_path, PATH_MAX, "%s/late/recorder.sock", recorder_folder);
	snprintf(own, sizeof(own), "%s/late/" CTL_SOCKET_NAME, recorder_folder);
	listener = seqpacket(own, bind);
	cr_assert_eq(listen(listener, 16), 0);
	pid = fork_child();
	if (!pid)
		stand_in(listener, real);
	close(listener);
	return pid;
}

#endif
