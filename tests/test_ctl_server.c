/* SPDX-License-Identifier: MIT */
/*
 * The control socket and those who mean no good: garbage, silence, floods, answers that nobody
 * reads. Others' questions are answered meanwhile.
 */
#include <sys/socket.h>

#include "recorder/ctl_wire.h"
#include "tests/hello_by_hand.h"
#include "tests/service_process.h"

#define OTHER 65533
#define OTHERS_AT_A_TIME 8 /* of one user: ctl_server_parts.h */

static char control[100];

static void prepare(void)
{
	recorder_prepare();
	setenv("TTLOG_BUFFER_SIZE", "1M", 1);
	snprintf(control, sizeof(control), "%s/control.sock", recorder_folder);
}

TestSuite(ctl_server, .init = prepare, .fini = recorder_clean, .timeout = 150);

static void send_request(int fd, const struct ctl_request *request)
{
	struct pack pack;

	cr_assert_eq(pack_init(&pack, 64, CTL_REQUEST_BYTES_MAX), 0);
	ctl_request_pack(&pack, request);
	cr_assert_eq(send(fd, pack.data, pack.bytes, MSG_NOSIGNAL), (ssize_t)pack.bytes);
	pack_fini(&pack);
}

static ssize_t next_packet(int fd, unsigned char packet[CTL_ANSWER_BYTES_MAX])
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

	cr_assert_eq(poll(&poll_fd, 1, RECORDER_WAIT_MS), 1, "no answer");
	return recv(fd, packet, CTL_ANSWER_BYTES_MAX, 0);
}

/* The status at the end of an answer, or 1: hung up without one. *ret_rows may be NULL. */
static int read_to_end(int fd, unsigned int *ret_rows)
{
	static unsigned char packet[CTL_ANSWER_BYTES_MAX];
	unsigned int rows = 0;
	ssize_t bytes;

	while ((bytes = next_packet(fd, packet)) > 0) {
		struct ctl_item item;

		if (!ctl_map_find(packet, (size_t)bytes, "end", &item, NULL)) {
			rows++;
			continue;
		}
		cr_assert(ctl_map_find(packet, (size_t)bytes, "status", &item, NULL));
		if (ret_rows)
			*ret_rows = rows;
		return item.kind == CTL_UINT ? (int)item.value : -1 - (int)item.value;
	}
	return 1;
}

static int ask(const struct ctl_request *request, unsigned int *ret_rows)
{
	const int fd = peer_connect(control);
	int status;

	send_request(fd, request);
	status = read_to_end(fd, ret_rows);
	cr_assert_eq(read_to_end(fd, NULL), 1, "one question, and that is all");
	close(fd);
	return status;
}

static const struct ctl_request list = {.verb = CTL_LIST};

Test(ctl_server, garbage_is_answered_and_hung_up)
{
	static const unsigned char bytes[CTL_REQUEST_BYTES_MAX + 1] = {0xa1};
	struct recorder_process recorder;
	unsigned int before;

	start_recorder(&recorder, NONE);
	cr_assert_eq(ask(&list, NULL), 0);
	before = count_fds(recorder.pid);
	for (size_t count = 1; count <= sizeof(bytes); count = 2 * count + 1) {
		const int fd = peer_connect(control);

		cr_assert_eq(send(fd, bytes, count, MSG_NOSIGNAL), (ssize_t)count);
		cr_assert_eq(read_to_end(fd, NULL), -EBADMSG, "%zu", count);
		cr_assert_eq(read_to_end(fd, NULL), 1);
		close(fd);
	}
	cr_assert_eq(ask(&list, NULL), 0);
	cr_assert_eq(count_fds(recorder.pid), before, "a descriptor is left behind");
	stop_recorder(&recorder);
}

Test(ctl_server, who_asks_nothing_is_hung_up_on)
{
	struct recorder_process recorder;
	int fd;

	start_recorder(&recorder, NONE);
	fd = peer_connect(control);
	cr_assert_eq(read_to_end(fd, NULL), 1);
	close(fd);
	stop_recorder(&recorder);
}

Test(ctl_server, descriptors_that_come_with_a_question_are_not_kept)
{
	struct recorder_process recorder;
	int fds[8], fd, status;
	struct pack pack;
	unsigned int before;

	start_recorder(&recorder, NONE);
	cr_assert_eq(ask(&list, NULL), 0);
	before = count_fds(recorder.pid);
	for (int i = 0; i < 8; i++)
		fds[i] = STDERR_FILENO;
	cr_assert_eq(pack_init(&pack, 64, CTL_REQUEST_BYTES_MAX), 0);
	ctl_request_pack(&pack, &list);
	fd = peer_connect(control);
	cr_assert_eq(send_with_fds(fd, pack.data, pack.bytes, fds, 8), (ssize_t)pack.bytes);
	status = read_to_end(fd, NULL);
	cr_assert_eq(status, 0);
	cr_assert_eq(read_to_end(fd, NULL), 1);
	cr_assert_eq(count_fds(recorder.pid), before);
	close(fd);
	pack_fini(&pack);
	stop_recorder(&recorder);
}

/* As another user: as many connections as it may have, and one more, which learns why not. */
static void crowd(int done)
{
	int fd[OTHERS_AT_A_TIME + 1];
	char byte;

	if (setregid(OTHER, OTHER) || setreuid(OTHER, OTHER))
		_exit(95);
	for (int i = 0; i <= OTHERS_AT_A_TIME; i++)
		fd[i] = peer_connect(control);
	if (read_to_end(fd[OTHERS_AT_A_TIME], NULL) != -EBUSY)
		_exit(96);
	if (write(done, "", 1) != 1 || read(done, &byte, 1) < 0)
		_exit(97);
	_exit(0);
}

Test(ctl_server, one_user_can_not_keep_the_others_out)
{
	struct recorder_process recorder;
	int pair[2], status;
	char byte;
	pid_t pid;

	if (geteuid() != 0) {
		recorder_clean();
		cr_skip("needs root, to be two users");
	}
	start_recorder(&recorder, NONE);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	pid = fork_child();
	if (!pid) {
		close(pair[0]);
		crowd(pair[1]);
	}
	close(pair[1]);
	cr_assert_eq(read(pair[0], &byte, 1), 1);
	cr_assert_eq(ask(&list, NULL), 0);
	close(pair[0]);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert_eq(status, 0, "%#x", status);
	stop_recorder(&recorder);
}

#define SERVICES 60 /* what is said of so many does not fit a socket's buffer */
#define UNREAD 20

/* The recorder drops who does not read for ten seconds: on a machine that stood still, anybody. */
Test(ctl_server, answers_that_nobody_reads_are_in_nobodys_way)
{
	const struct ctl_request status = {.verb = CTL_STATUS, .match = "orders"};
	static struct service service[SERVICES];
	struct recorder_process recorder;
	unsigned int rows = 0;
	int fd[UNREAD], end;

	start_recorder(&recorder, NONE);
	for (int i = 0; i < SERVICES; i++)
		start_service(&service[i], live);
	for (int i = 0; i < UNREAD; i++) {
		fd[i] = peer_connect(control);
		send_request(fd[i], &status);
	}
	cr_assert_eq(ask(&list, &rows), 0);
	cr_assert_eq(rows, SERVICES);
	cr_assert_eq(ask(&status, &rows), 0);
	cr_assert_eq(rows, SERVICES);
	end = read_to_end(fd[0], &rows);
	cr_assert(end == 1 || (end == 0 && rows == SERVICES), "%d, %u rows", end, rows);
	for (int i = 0; i < UNREAD; i++)
		close(fd[i]);
	for (int i = 0; i < SERVICES; i++) {
		kill(service[i].pid, SIGKILL);
		reap(&service[i]);
	}
	stop_recorder(&recorder);
}

/* Who hangs up in the middle of everything. */
Test(ctl_server, who_hangs_up_is_forgotten)
{
	const struct ctl_request snapshot = {.verb = CTL_SNAPSHOT, .match = "orders", .wait = true};
	struct recorder_process recorder;
	struct service service;
	unsigned int before;

	start_recorder(&recorder, NONE);
	start_service(&service, live);
	cr_assert_eq(ask(&list, NULL), 0);
	before = count_fds(recorder.pid);
	for (int i = 0; i < 50; i++) {
		const int fd = peer_connect(control);

		send_request(fd, i % 2 ? &list : &snapshot);
		close(fd);
	}
	kill(service.pid, SIGKILL);
	reap(&service);
	stop_recorder(&recorder);
	cr_assert_gt(before, 0);
}

/* An order that is carried out though the recorder is about to go: it is told of the dump. */
Test(ctl_server, a_recorder_that_ends_still_names_the_dump)
{
	const struct ctl_request snapshot = {.verb = CTL_SNAPSHOT, .match = "orders", .wait = true};
	struct recorder_process recorder;
	struct service service;
	unsigned int rows = 0;
	char line[LINE_BYTES];
	int fd;

	start_recorder(&recorder, NONE);
	start_service(&service, live);
	fd = peer_connect(control);
	send_request(fd, &snapshot);
	expect_line(&recorder, "control: uid", line, sizeof(line));
	stop_recorder(&recorder);
	cr_assert_eq(read_to_end(fd, &rows), 0);
	cr_assert_eq(rows, 1);
	close(fd);
	kill(service.pid, SIGKILL);
	reap(&service);
}
