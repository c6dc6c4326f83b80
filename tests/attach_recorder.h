/* SPDX-License-Identifier: MIT */
/*
 * attach_recorder.h - the test is the recorder, a forked child of it is the client.
 *
 * Each step of the two is fixed by bytes in pipes. Whatever the recorder does, the client records,
 * holds no descriptor too many, and is not kept waiting.
 */
#ifndef TTLOG_TESTS_ATTACH_RECORDER_H
#define TTLOG_TESTS_ATTACH_RECORDER_H

#include "lib/attach.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>

#include "lib/clock.h"
#include "tests/own_region.h"

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)
#define PATIENCE_MS 60000

static struct sockaddr_un address = {.sun_family = AF_UNIX};
static int listener = -1, connection = -1;
static int go[2];   /* a byte from the recorder lets its client go on */
static int done[2]; /* a byte from the client says that it has come so far */
static struct ttlog_hello hello __attribute__((unused));

/* ---- the recorder -----------------------------------------------------------------------------
 */

__attribute__((unused)) static void listen_here(int backlog)
{
	snprintf(address.sun_path, sizeof(address.sun_path), "/tmp/test_attach.%d.sock", getpid());
	unlink(address.sun_path);
	listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	cr_assert_eq(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	cr_assert_eq(listen(listener, backlog), 0);
	cr_assert_eq(pipe2(go, O_CLOEXEC), 0);
	cr_assert_eq(pipe2(done, O_CLOEXEC), 0);
}

__attribute__((unused)) static void wait_for(int fd)
{
	struct pollfd poll_fd = {fd, POLLIN, 0};

	cr_assert_eq(poll(&poll_fd, 1, PATIENCE_MS), 1, "nothing came");
}

/* One message and its descriptor, -1 = none. The number of bytes. */
__attribute__((unused)) static ssize_t receive(void *message, size_t bytes, int *ret_fd)
{
	struct iovec iov = {message, bytes};
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct msghdr header = {.msg_iov = &iov,
				.msg_iovlen = 1,
				.msg_control = control.bytes,
				.msg_controllen = sizeof(control.bytes)};
	ssize_t length;

	wait_for(connection);
	length = recvmsg(connection, &header, MSG_CMSG_CLOEXEC);
	/* Who is gone without having read what we said: once, before what he had said himself. */
	if (length < 0 && errno == ECONNRESET)
		length = recvmsg(connection, &header, MSG_CMSG_CLOEXEC);
	*ret_fd = -1;
	if (length > 0 && CMSG_FIRSTHDR(&header))
		memcpy(ret_fd, CMSG_DATA(CMSG_FIRSTHDR(&header)), sizeof(int));
	return length;
}

__attribute__((unused)) static void accept_hello(void)
{
	int fd;

	wait_for(listener);
	connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	cr_assert_geq(connection, 0);
	cr_assert_eq(receive(&hello, sizeof(hello), &fd), sizeof(hello));
	cr_expect_eq(fd, -1);
	cr_expect_eq(hello.head.magic, TTLOG_MESSAGE_MAGIC);
	cr_expect_eq(hello.head.version, TTLOG_ABI_VERSION);
	cr_expect_eq(hello.head.kind, TTLOG_MESSAGE_HELLO);
	cr_expect_eq(hello.head.bytes, sizeof(hello));
	cr_expect_eq(hello.clock_source, ttlog_clock_source());
}

__attribute__((unused)) static void send_bytes(const void *message, size_t bytes, const int *fds,
					       uint32_t fd_count)
{
	struct iovec iov = {(void *)(uintptr_t)message, bytes};
	union {
		char bytes[CMSG_SPACE(16 * sizeof(int))];
		struct cmsghdr align;
	} control = {{0}};
	struct msghdr header = {.msg_iov = &iov, .msg_iovlen = 1};

	if (fd_count) {
		header.msg_control = control.bytes;
		header.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
		CMSG_FIRSTHDR(&header)->cmsg_level = SOL_SOCKET;
		CMSG_FIRSTHDR(&header)->cmsg_type = SCM_RIGHTS;
		CMSG_FIRSTHDR(&header)->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
		memcpy(CMSG_DATA(CMSG_FIRSTHDR(&header)), fds, fd_count * sizeof(int));
	}
	cr_assert_eq(sendmsg(connection, &header, MSG_NOSIGNAL), (ssize_t)bytes);
}

__attribute__((unused)) static void send_welcome(int32_t status, uint32_t flags, const int *fds,
						 uint32_t fd_count)
{
	struct ttlog_welcome welcome = {
		.head = {TTLOG_MESSAGE_MAGIC, TTLOG_ABI_VERSION, TTLOG_MESSAGE_WELCOME,
			 sizeof(welcome), 0},
		.status = status,
		.flags = flags,
	};

	send_bytes(&welcome, sizeof(welcome), fds, fd_count);
}

struct made {
	int fd;
	void *base;
	struct ttlog_geometry geometry;
};

__attribute__((unused)) static struct made make_region(uint64_t bytes)
{
	struct made made;

	ttlog_region_plan(bytes, &made.geometry);
	made.geometry.clock_mode = hello.clock_mode;
	cr_assert_eq(ttlog_region_make(&made.geometry, hello.service, ttlog_clock_source(),
				       &made.fd, &made.base),
		     0);
	return made;
}

__attribute__((unused)) static int make_memfd(size_t bytes, int seals)
{
	int fd = memfd_create("control", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	cr_assert_geq(fd, 0);
	cr_assert_eq(ftruncate(fd, (off_t)bytes), 0);
	cr_assert_eq(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

__attribute__((unused)) static struct numbered numbers_in(const struct made *made)
{
	struct ttlog_reader *reader;
	struct numbered run;

	cr_assert_eq(ttlog_reader_open(&reader, made->base, &made->geometry), 0);
	run = numbered_in(reader, "numbered");
	ttlog_reader_close(reader);
	return run;
}

__attribute__((unused)) static void let_go(void)
{
	cr_assert_eq(write(go[1], "g", 1), 1);
}

__attribute__((unused)) static void wait_until_done(void)
{
	char byte;

	wait_for(done[0]);
	cr_assert_eq(read(done[0], &byte, 1), 1);
}

/* Nothing but the end comes from the client. */
__attribute__((unused)) static void expect_end(void)
{
	struct ttlog_message_head head;
	int fd;

	cr_expect_eq(receive(&head, sizeof(head), &fd), 0);
}

__attribute__((unused)) static void expect_goodbye(void)
{
	struct ttlog_message_head head;
	int fd;

	cr_expect_eq(receive(&head, sizeof(head), &fd), sizeof(head));
	cr_expect_eq(head.kind, TTLOG_MESSAGE_GOODBYE);
}

/* The client's own region, by REGION. */
__attribute__((unused)) static struct made expect_region(void)
{
	struct ttlog_message_head head;
	struct made made;

	cr_assert_eq(receive(&head, sizeof(head), &made.fd), sizeof(head));
	cr_expect_eq(head.kind, TTLOG_MESSAGE_REGION);
	cr_assert_eq(ttlog_region_map(made.fd, &made.geometry, &made.base), 0);
	return made;
}

/* ---- the client -------------------------------------------------------------------------------
 */

__attribute__((unused)) static uint32_t open_fds(void)
{
	uint32_t count = 0;

	for (int fd = 0; fd < 200; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

__attribute__((unused)) static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

__attribute__((unused)) static void wait_to_go(void)
{
	char byte;

	CHILD_CHECK(read(go[0], &byte, 1) == 1);
}

__attribute__((unused)) static void say_done(void)
{
	CHILD_CHECK(write(done[1], "d", 1) == 1);
}

__attribute__((unused)) static void number(uint64_t n)
{
	ttlog_info("numbered", "n", n);
}

/* Starts; the number of descriptors that it costs must be that, and the stats must agree. */
__attribute__((unused)) static void client_begin(uint32_t timeout_ms, uint32_t descriptors,
						 bool connected)
{
	struct ttlog_options options = {.size = sizeof(options),
					.service = "client",
					.socket = address.sun_path,
					.level = "debug",
					.buffer_bytes = 2 << 20,
					.flush_interval_s = 9,
					.hello_timeout_ms = timeout_ms};
	struct ttlog_stats stats = {.size = sizeof(stats)};
	uint32_t before = open_fds();

	CHILD_CHECK(ttlog_init_with(&options) == 0);
	for (uint64_t i = 0; i < 10; i++)
		number(i);
	CHILD_CHECK(open_fds() == before + descriptors);
	CHILD_CHECK(ttlog_get_stats(&stats) == 0);
	CHILD_CHECK(stats.connected == connected);
	CHILD_CHECK(stats.retained == 10 && stats.dropped == 0);
	CHILD_CHECK(numbered_now("numbered").count == 10);
}

/* A patient one with a region and a socket; ends with a goodbye. */
__attribute__((unused)) static void run_connected(void)
{
	client_begin(PATIENCE_MS, 2, true);
	wait_to_go();
	ttlog_close();
}

/* A patient one that is left alone with a region of its own. */
__attribute__((unused)) static void run_alone(void)
{
	client_begin(PATIENCE_MS, 1, false);
	CHILD_CHECK(ttlog_snapshot("heard, if at all") == 0); /* by a connection of its own */
	wait_to_go();
	ttlog_close();
}

__attribute__((unused)) static pid_t client(void (*run)(void))
{
	pid_t pid;

	listen_here(8);
	pid = fork();
	if (pid == 0) {
		close(listener);
		run();
		_exit(0);
	}
	return pid;
}

__attribute__((unused)) static void finish(pid_t pid)
{
	expect_success(pid);
	unlink(address.sun_path);
}

#endif
