/* SPDX-License-Identifier: MIT */
/* attach.c - see attach.h; the messages are in ttlog_abi_hello.h. Owns the socket. */
#include "lib/attach.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "lib/clock.h"

static struct ttlog_attach_fd socket_fd = {.fd = -1};

/* syscall() sets errno, which belongs to the program: ttlog_record_() and the API save it. */
static long call(long result)
{
	return result < 0 ? -errno : result;
}

void ttlog_attach_fd_keep(struct ttlog_attach_fd *keep, int fd)
{
	struct stat status;

	if (fd >= 0 && fd <= STDERR_FILENO) {
		int moved = (int)call(syscall(SYS_fcntl, fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1));

		syscall(SYS_close, fd);
		fd = moved < 0 ? -1 : moved;
	}
	keep->fd = fd;
	if (fd >= 0 && fstat(fd, &status) == 0) {
		keep->device = status.st_dev;
		keep->inode = status.st_ino;
	}
}

int ttlog_attach_fd_get(const struct ttlog_attach_fd *keep)
{
	struct stat status;

	if (keep->fd < 0 || fstat(keep->fd, &status) != 0)
		return -1;
	return status.st_dev == keep->device && status.st_ino == keep->inode ? keep->fd : -1;
}

void ttlog_attach_fd_close(struct ttlog_attach_fd *keep)
{
	int fd = ttlog_attach_fd_get(keep);

	if (fd >= 0)
		syscall(SYS_close, fd);
	keep->fd = -1;
}

static void fill_head(struct ttlog_message_head *head, enum ttlog_message_kind kind, size_t bytes)
{
	head->magic = TTLOG_MESSAGE_MAGIC;
	head->version = TTLOG_ABI_VERSION;
	head->kind = (uint16_t)kind;
	head->bytes = (uint32_t)bytes;
	head->zero = 0;
}

/* One message, with a descriptor unless fd is -1. Never waits, never raises SIGPIPE. */
static int send_message(int fd, const void *message, size_t bytes, int passed_fd)
{
	struct iovec iov = {(void *)(uintptr_t)message, bytes};
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {{0}};
	struct msghdr header = {.msg_iov = &iov, .msg_iovlen = 1};

	if (passed_fd >= 0) {
		struct cmsghdr *cmsg;

		header.msg_control = control.bytes;
		header.msg_controllen = sizeof(control.bytes);
		cmsg = CMSG_FIRSTHDR(&header);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(cmsg), &passed_fd, sizeof(int));
	}
	return (int)call(syscall(SYS_sendmsg, fd, &header, MSG_DONTWAIT | MSG_NOSIGNAL));
}

static int connect_to(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = (int)call(
		syscall(SYS_socket, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
	int error;

	if (fd < 0)
		return fd;
	memcpy(address.sun_path, path, strnlen(path, sizeof(address.sun_path) - 1));
	/* Not blocking: a recorder whose backlog is full is as good as none. */
	error = (int)call(syscall(SYS_connect, fd, &address, sizeof(address)));
	if (error) {
		syscall(SYS_close, fd);
		return error;
	}
	return fd;
}

/* Takes the descriptors out of a message: two at most, what is more is closed. */
static void take_fds(struct msghdr *header, int fds[2])
{
	for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(header); cmsg; cmsg = CMSG_NXTHDR(header, cmsg)) {
		size_t count;

		if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
			continue;
		count = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < count; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(cmsg) + i * sizeof(int), sizeof(int));
			if (fds[0] < 0)
				fds[0] = fd;
			else if (fds[1] < 0)
				fds[1] = fd;
			else
				syscall(SYS_close, fd);
		}
	}
}

/* What a recorder refuses with. -ETIMEDOUT is ours: it has said something. */
static int check_status(int status)
{
	return status < -4095 || status == -ETIMEDOUT ? -EBADMSG : status;
}

static int read_welcome(int fd, int fds[2])
{
	struct ttlog_welcome welcome = {0};
	struct iovec iov = {&welcome, sizeof(welcome)};
	union {
		char bytes[CMSG_SPACE(4 * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct msghdr header = {.msg_iov = &iov,
				.msg_iovlen = 1,
				.msg_control = control.bytes,
				.msg_controllen = sizeof(control.bytes)};
	long length = call(syscall(SYS_recvmsg, fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC));

	if (length < 0)
		return (int)length;
	take_fds(&header, fds);
	if ((size_t)length < sizeof(welcome) || welcome.head.magic != TTLOG_MESSAGE_MAGIC ||
	    welcome.head.kind != TTLOG_MESSAGE_WELCOME)
		return length == 0 ? -ECONNRESET : -EBADMSG;
	if (welcome.status < 0)
		return check_status(welcome.status);
	if (fds[0] < 0 || ((welcome.flags & TTLOG_WELCOME_CONTROL_MAP) && fds[1] < 0))
		return -EBADMSG;
	if (!(welcome.flags & TTLOG_WELCOME_CONTROL_MAP) && fds[1] >= 0) {
		syscall(SYS_close, fds[1]);
		fds[1] = -1;
	}
	return 0;
}

/* Signals are blocked while a process starts: only later can something interrupt it (-EINTR). */
static int wait_readable(int fd, int64_t timeout_ms)
{
	struct pollfd poll_fd = {fd, POLLIN, 0};
	struct timespec timeout = {timeout_ms / 1000, timeout_ms % 1000 * 1000000L};
	long ready = call(syscall(SYS_ppoll, &poll_fd, 1, &timeout, NULL, 0));

	if (ready < 0)
		return (int)ready;
	return ready ? 0 : -ETIMEDOUT;
}

static int say_hello(int fd, const struct ttlog_settings *settings, enum ttlog_clock_source source)
{
	struct ttlog_hello hello = {
		.region_bytes = settings->region_bytes,
		.level = settings->level,
		.flush_interval_s = settings->flush_interval_s,
		.clock_source = source,
		.clock_mode = settings->clock_mode,
		.channel_bytes = settings->channel_bytes,
	};

	fill_head(&hello.head, TTLOG_MESSAGE_HELLO, sizeof(hello));
	memcpy(hello.service, settings->service, sizeof(hello.service));
	memcpy(hello.group, settings->group, sizeof(hello.group));
	return send_message(fd, &hello, sizeof(hello), -1);
}

int ttlog_attach(const struct ttlog_settings *settings, enum ttlog_clock_source source,
		 int *ret_region_fd, int *ret_control_fd)
{
	int fds[2] = {-1, -1};
	int fd, error;

	if (!settings->socket[0])
		return -ENOTCONN;
	fd = connect_to(settings->socket);
	if (fd < 0)
		return fd;
	error = say_hello(fd, settings, source);
	if (error >= 0)
		error = wait_readable(fd, settings->hello_timeout_ms);
	if (!error)
		error = read_welcome(fd, fds);
	if (error && error != -ETIMEDOUT) {
		if (fds[0] >= 0)
			syscall(SYS_close, fds[0]);
		if (fds[1] >= 0)
			syscall(SYS_close, fds[1]);
		syscall(SYS_close, fd);
		return error;
	}
	ttlog_attach_fd_keep(&socket_fd, fd);
	*ret_region_fd = fds[0];
	*ret_control_fd = fds[1];
	return error;
}

int ttlog_attach_offer(int region_fd)
{
	struct ttlog_message_head head;
	int fd = ttlog_attach_fd_get(&socket_fd);
	int sent;

	if (fd < 0)
		return -ENOTCONN;
	fill_head(&head, TTLOG_MESSAGE_REGION, sizeof(head));
	sent = send_message(fd, &head, sizeof(head), region_fd);
	return sent < 0 ? sent : 0;
}

/*
 * Nothing of it stays: several threads and handlers may be here at a time, and the next recorder may
 * be another one again.
 */
static int send_afresh(const struct ttlog_settings *settings, const void *message, size_t bytes,
		       int with_fd)
{
	int fd, sent;

	if (!settings->socket[0])
		return -ENOTCONN;
	fd = connect_to(settings->socket);
	if (fd < 0)
		return fd == -EAGAIN ? -EAGAIN : -ENOTCONN;
	sent = send_message(fd, message, bytes, with_fd);
	syscall(SYS_close, fd);
	return sent < 0 ? -ENOTCONN : 0;
}

/* answer_fd -1: nobody is to answer. */
static int ask_for_snapshot(const struct ttlog_settings *settings, const char *reason,
			    int answer_fd)
{
	struct ttlog_snapshot_request request = {0};
	int fd = ttlog_attach_fd_get(&socket_fd);
	int sent;

	fill_head(&request.head, TTLOG_MESSAGE_SNAPSHOT, sizeof(request));
	memcpy(request.reason, reason, strnlen(reason, sizeof(request.reason) - 1));
	sent = fd < 0 ? -ENOTCONN : send_message(fd, &request, sizeof(request), answer_fd);
	if (sent == -ENOTCONN || sent == -EPIPE || sent == -ECONNRESET)
		return send_afresh(settings, &request, sizeof(request), answer_fd);
	return sent < 0 ? sent : 0;
}

int ttlog_attach_snapshot(const struct ttlog_settings *settings, const char *reason)
{
	return ask_for_snapshot(settings, reason, -1);
}

static int64_t now_ms(void)
{
	struct timespec now = {0};

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

/* Signals may come meanwhile: they take nothing from the time, and add nothing to it. */
static int wait_patiently(int fd, uint32_t timeout_ms)
{
	const int64_t end_ms = now_ms() + timeout_ms;
	int64_t left_ms = timeout_ms;
	int error;

	do {
		error = wait_readable(fd, left_ms);
		left_ms = end_ms - now_ms();
	} while (error == -EINTR && left_ms > 0);
	return error == -EINTR ? -ETIMEDOUT : error;
}

static int read_done(int fd, char *path, size_t path_bytes)
{
	struct ttlog_snapshot_done done = {0};
	struct iovec iov[2] = {{&done, sizeof(done)}, {path, path_bytes ? path_bytes - 1 : 0}};
	struct msghdr header = {.msg_iov = iov, .msg_iovlen = path_bytes ? 2 : 1};
	long length = call(syscall(SYS_recvmsg, fd, &header, MSG_DONTWAIT));

	if (length <= 0) /* who ends without an answer hangs up */
		return length == 0 || length == -ECONNRESET ? -ECANCELED : (int)length;
	if ((size_t)length < sizeof(done) || done.head.magic != TTLOG_MESSAGE_MAGIC ||
	    done.head.kind != TTLOG_MESSAGE_SNAPSHOT_DONE || done.status > 0)
		return -EBADMSG;
	if (done.status < 0)
		return check_status(done.status);
	if (path_bytes)
		path[(size_t)length - sizeof(done)] = '\0';
	if (!path_bytes || !(header.msg_flags & MSG_TRUNC))
		return 0;
	path[0] = '\0';
	return -ENAMETOOLONG;
}

int ttlog_attach_snapshot_wait(const struct ttlog_settings *settings, const char *reason,
			       uint32_t timeout_ms, char *path, size_t path_bytes)
{
	int pair[2];
	int error =
		(int)call(syscall(SYS_socketpair, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair));

	if (error)
		return error;
	error = ask_for_snapshot(settings, reason, pair[1]);
	/* Now the recorder has the only one: when it is gone, so is the other end. */
	syscall(SYS_close, pair[1]);
	if (!error)
		error = wait_patiently(pair[0], timeout_ms);
	if (!error)
		error = read_done(pair[0], path, path_bytes);
	syscall(SYS_close, pair[0]);
	return error;
}

/* 0 or a negative errno. */
static int say(enum ttlog_message_kind kind)
{
	struct ttlog_message_head head;
	int fd = ttlog_attach_fd_get(&socket_fd);
	int sent;

	if (fd < 0)
		return -ENOTCONN;
	fill_head(&head, kind, sizeof(head));
	sent = send_message(fd, &head, sizeof(head), -1);
	return sent < 0 ? sent : 0;
}

void ttlog_attach_notice(const struct ttlog_settings *settings)
{
	struct ttlog_message_head head;

	if (!say(TTLOG_MESSAGE_NOTICE))
		return;
	/* The recorder that has adopted it hears no calls of its clients; one that has not, does. */
	fill_head(&head, TTLOG_MESSAGE_NOTICE, sizeof(head));
	send_afresh(settings, &head, sizeof(head), -1);
	ttlog_attach_call();
}

void ttlog_attach_goodbye(void)
{
	say(TTLOG_MESSAGE_GOODBYE);
}

/* ---- the life before ------------------------------------------------------------------------- */

static int read_answer(int fd, struct ttlog_death_answer *answer)
{
	long length = call(syscall(SYS_recvfrom, fd, answer, sizeof(*answer), MSG_DONTWAIT, NULL,
				   NULL));

	/* One that does not know the question hangs up. */
	if (length <= 0)
		return -ENOTCONN;
	if ((size_t)length < sizeof(*answer) || answer->head.magic != TTLOG_MESSAGE_MAGIC ||
	    answer->head.kind != TTLOG_MESSAGE_DEATH)
		return -EBADMSG;
	if (answer->status)
		return answer->status == -ENOENT ? -ENOENT : -EBADMSG;
	answer->how[sizeof(answer->how) - 1] = '\0';
	answer->confidence[sizeof(answer->confidence) - 1] = '\0';
	answer->reason[sizeof(answer->reason) - 1] = '\0';
	answer->signature[sizeof(answer->signature) - 1] = '\0';
	answer->sentence[sizeof(answer->sentence) - 1] = '\0';
	answer->dump[sizeof(answer->dump) - 1] = '\0';
	return 0;
}

int ttlog_attach_last_death(const struct ttlog_settings *settings,
			    struct ttlog_death_answer *ret_answer)
{
	struct ttlog_last_death_request request = {0};
	int fd = settings->socket[0] ? connect_to(settings->socket) : -ENOTCONN;
	int error;

	/* Whatever is wrong there, nobody is to be asked. */
	if (fd < 0)
		return -ENOTCONN;
	fill_head(&request.head, TTLOG_MESSAGE_LAST_DEATH, sizeof(request));
	memcpy(request.service, settings->service, sizeof(request.service));
	error = send_message(fd, &request, sizeof(request), -1) < 0 ? -ENOTCONN : 0;
	if (!error)
		error = wait_patiently(fd, settings->hello_timeout_ms);
	if (!error)
		error = read_answer(fd, ret_answer);
	syscall(SYS_close, fd);
	return error;
}

void ttlog_attach_call(void)
{
	char name[TTLOG_THREAD_NAME_BYTES];

	if (syscall(SYS_prctl, PR_GET_NAME, name, 0, 0, 0) == 0)
		syscall(SYS_prctl, PR_SET_NAME, name, 0, 0, 0);
}

void ttlog_attach_forget(void)
{
	ttlog_attach_fd_close(&socket_fd);
}
