/* SPDX-License-Identifier: MIT */
/* Verdicts over a socket: in order, bounded, and nobody waits for who is slow. */
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "recorder/announce_post.h"
#include "tests/announce_folder.h"

TestSuite(announce_post, .init = open_all, .fini = close_all, .timeout = 120);

static int bind_socket(const char *name)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	strncpy(address.sun_path, path_of(name), sizeof(address.sun_path) - 1);
	cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static void send_number(struct post *post, int number)
{
	char text[32];

	snprintf(text, sizeof(text), "%d", number);
	post_send(post, text, strlen(text));
}

/* The next message's number, for which the loop may have to work. */
static int receive_number(int fd)
{
	char text[32] = "";

	for (int i = 0; i < WAIT_MS / 10; i++) {
		if (recv(fd, text, sizeof(text) - 1, 0) > 0)
			return atoi(text);
		loop_once(loop, 10);
	}
	return -1;
}

Test(announce_post, what_a_slow_reader_has_no_room_for_waits_in_order)
{
	const int fd = bind_socket("log");
	struct post post;
	int sent = 0;

	cr_assert_eq(post_open(&post, loop, COUNTERS_VERDICT_SYSLOG, path_of("log")), 0);
	while (post.count < POST_QUEUE_MAX / 2)
		send_number(&post, sent++);
	for (int i = 0; i < sent; i++)
		cr_assert_eq(receive_number(fd), i);
	cr_assert_eq(post.count, 0);
	cr_assert_eq(counters.verdicts[COUNTERS_VERDICT_SYSLOG], (uint64_t)sent);
	cr_assert_eq(counters.verdicts_lost[COUNTERS_VERDICT_SYSLOG], 0);
	post_close(&post);
	close(fd);
}

Test(announce_post, what_nobody_takes_is_bounded_and_counted)
{
	struct post post;

	cr_assert_eq(post_open(&post, loop, COUNTERS_VERDICT_SYSLOG, path_of("nobody")), 0);
	for (int i = 0; i < POST_QUEUE_MAX + 10; i++)
		send_number(&post, i);
	cr_assert_eq(post.count, POST_QUEUE_MAX);
	cr_assert_eq(counters.verdicts_lost[COUNTERS_VERDICT_SYSLOG], 10);
	post_close(&post);
	cr_assert_eq(counters.verdicts_lost[COUNTERS_VERDICT_SYSLOG], POST_QUEUE_MAX + 10);
	cr_assert_eq(counters.verdicts[COUNTERS_VERDICT_SYSLOG], 0);
}

Test(announce_post, a_daemon_that_is_started_again_gets_what_waited)
{
	struct post post;
	int fd = bind_socket("log");

	cr_assert_eq(post_open(&post, loop, COUNTERS_VERDICT_SYSLOG, path_of("log")), 0);
	send_number(&post, 1);
	cr_assert_eq(receive_number(fd), 1);
	close(fd);
	send_number(&post, 2);
	cr_assert_eq(unlink(path_of("log")), 0);
	send_number(&post, 3);
	fd = bind_socket("log");
	cr_assert_eq(receive_number(fd), 2);
	cr_assert_eq(receive_number(fd), 3);
	cr_assert_eq(counters.verdicts_lost[COUNTERS_VERDICT_SYSLOG], 0);
	post_close(&post);
	close(fd);
}

Test(announce_post, what_is_no_datagram_socket_gets_nothing)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct post post;

	strncpy(address.sun_path, path_of("log"), sizeof(address.sun_path) - 1);
	cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	cr_assert_eq(listen(fd, 1), 0);
	cr_assert_eq(post_open(&post, loop, COUNTERS_VERDICT_SYSLOG, path_of("log")), 0);
	send_number(&post, 1);
	cr_assert_eq(post.count, 0, "it would never come to take it");
	cr_assert_eq(counters.verdicts_lost[COUNTERS_VERDICT_SYSLOG], 1);
	post_close(&post);
	close(fd);
}

Test(announce_post, a_large_message_goes_as_a_sealed_file)
{
	const int fd = bind_socket("log"), small = 4096;
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	char byte, *text = malloc(1 << 20);
	struct iovec iov = {.iov_base = &byte, .iov_len = 1};
	struct msghdr header = {.msg_iov = &iov,
				.msg_iovlen = 1,
				.msg_control = &control,
				.msg_controllen = sizeof(control)};
	struct post post;
	struct stat status;
	int memfd;

	memset(text, 'x', 1 << 20);
	cr_assert_eq(post_open(&post, loop, COUNTERS_VERDICT_JOURNAL, path_of("log")), 0);
	cr_assert_eq(setsockopt(post.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
	post_send(&post, text, 1 << 20);
	cr_assert_eq(counters.verdicts[COUNTERS_VERDICT_JOURNAL], 1);
	cr_assert_eq(recvmsg(fd, &header, MSG_CMSG_CLOEXEC), 0);
	cr_assert(CMSG_FIRSTHDR(&header));
	memcpy(&memfd, CMSG_DATA(CMSG_FIRSTHDR(&header)), sizeof(memfd));
	cr_assert_eq(fstat(memfd, &status), 0);
	cr_assert_eq(status.st_size, 1 << 20);
	cr_assert_eq(fcntl(memfd, F_GET_SEALS),
		     F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
	close(memfd);
	post_close(&post);
	close(fd);
	free(text);
}
