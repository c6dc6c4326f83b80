/* SPDX-License-Identifier: MIT */
/*
 * Peers on the recorder's socket that libttlog would never be: they are shown the door, cost the
 * recorder nothing, and nobody else notices.
 */
#include <sys/mman.h>
#include <sys/resource.h>

#include "lib/region.h"
#include "tests/hello_by_hand.h"
#include "tests/recorder_process.h"

#define LINE_BYTES 2048
#define NONE ((const char *const[]){NULL})

static struct recorder_process recorder;

static void prepare(void)
{
	recorder_prepare();
	start_recorder(&recorder, NONE);
}

static void finish(void)
{
	stop_recorder(&recorder);
	recorder_clean();
}

TestSuite(intruders, .init = prepare, .fini = finish, .timeout = 120);

/*
 * The recorder still serves those who behave. In the end it has as many descriptors as in the
 * beginning.
 */
static void check_service(void)
{
	const struct ttlog_hello hello = hello_by_hand("well-behaved");
	struct ttlog_welcome welcome;
	int fd = peer_connect(recorder_socket), fds[2];

	cr_assert_eq(send(fd, &hello, sizeof(hello), 0), sizeof(hello));
	wait_readable(fd);
	cr_assert_eq(receive_welcome(fd, &welcome, fds), sizeof(welcome));
	cr_assert_eq(welcome.status, 0);
	cr_assert_geq(fds[0], 0);
	close(fds[0]);
	if (fds[1] >= 0)
		close(fds[1]);
	close(fd);
}

/* It closes our connection, perhaps with a refusal before that. */
static void expect_the_door(int fd, int status)
{
	struct ttlog_welcome welcome;
	int fds[2];

	wait_readable(fd);
	if (status) {
		cr_assert_eq(receive_welcome(fd, &welcome, fds), sizeof(welcome));
		cr_assert_eq(welcome.head.kind, TTLOG_MESSAGE_WELCOME);
		cr_assert_eq(welcome.status, status, "%d", welcome.status);
		cr_assert_eq(fds[0], -1);
		wait_readable(fd);
	}
	cr_assert_eq(receive_welcome(fd, &welcome, fds), 0, "it is not closed");
	close(fd);
}

static void expect_fds(unsigned int before)
{
	unsigned int now = count_fds(recorder.pid);

	/* Descriptors are closed a moment behind what can be seen from here. */
	for (int i = 0; i < 1200 && now != before; i++) {
		poll(NULL, 0, 50);
		now = count_fds(recorder.pid);
	}
	cr_assert_eq(now, before, "%u, and %u before", now, before);
}

static struct ttlog_hello with_magic(struct ttlog_hello hello, uint32_t magic)
{
	hello.head.magic = magic;
	return hello;
}

static struct ttlog_hello with_version(struct ttlog_hello hello, uint16_t version)
{
	hello.head.version = version;
	return hello;
}

static struct ttlog_hello with_length(struct ttlog_hello hello, uint32_t length)
{
	hello.head.bytes = length;
	return hello;
}

static struct ttlog_hello with_kind(struct ttlog_hello hello, uint16_t kind)
{
	hello.head.kind = kind;
	return hello;
}

Test(intruders, are_shown_the_door_whatever_they_say)
{
	static char longest[5000];
	struct ttlog_hello good = hello_by_hand("intruder");
	const unsigned int before = count_fds(recorder.pid);
	const struct {
		const char *what;
		struct ttlog_hello hello;
		size_t count;
		int status;
	} row[] = {
		{"nothing", good, 0, 0},
		{"one byte", good, 1, 0},
		{"a head", good, sizeof(good.head), 0},
		{"short of one byte", good, sizeof(good) - 1, 0},
		{"another magic", with_magic(good, good.head.magic ^ 1), sizeof(good), 0},
		{"an older version", with_version(good, 0), sizeof(good), -EPROTONOSUPPORT},
		{"a newer version", with_version(good, 9), sizeof(good), -EPROTONOSUPPORT},
		{"a wrong length", with_length(good, 16), sizeof(good), 0},
		{"no such kind", with_kind(good, 77), sizeof(good), 0},
		{"a welcome", with_kind(good, TTLOG_MESSAGE_WELCOME), sizeof(good), 0},
		{"a goodbye first", with_kind(good, TTLOG_MESSAGE_GOODBYE), sizeof(good), 0},
		{"a snapshot first", with_kind(good, TTLOG_MESSAGE_SNAPSHOT), sizeof(good), 0},
		{"a region first", with_kind(good, TTLOG_MESSAGE_REGION), sizeof(good), 0},
	};

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		int fd = peer_connect(recorder_socket);

		cr_assert_eq(send(fd, &row[i].hello, row[i].count, 0), (ssize_t)row[i].count);
		expect_the_door(fd, row[i].status);
	}
	memcpy(longest, &good, sizeof(good));
	for (int honest = 0; honest < 2; honest++) {
		int fd = peer_connect(recorder_socket);

		((struct ttlog_message_head *)(void *)longest)->bytes = honest ? sizeof(longest)
									       : 104;
		cr_assert_eq(send(fd, longest, sizeof(longest), 0), sizeof(longest));
		expect_the_door(fd, 0);
	}
	expect_fds(before);
	check_service();
}

/* What is in flight is counted by user: as root's it would be the count of all recorders here. */
static void __attribute__((noreturn)) flood_with_descriptors(void)
{
	const struct ttlog_hello hello = hello_by_hand("flood");
	struct ttlog_message_head region = head_by_hand(TTLOG_MESSAGE_REGION, sizeof(region));
	struct ttlog_welcome welcome;
	int fds[253], got[2], fd;

	if (!geteuid() && (setregid(65534, 65534) || setreuid(65534, 65534)))
		_exit(1);
	for (int i = 0; i < 253; i++)
		fds[i] = STDIN_FILENO;
	for (int i = 0; i < 50; i++) {
		fd = peer_connect(recorder_socket);
		/* It may be closed at any moment. */
		for (int j = 0; j < 5 && send_with_fds(fd, "x", 1, fds, 253) == 1; j++)
			;
		close(fd);
	}
	/* The same from a peer whose hello was fine. */
	fd = peer_connect(recorder_socket);
	while (send_with_fds(fd, &hello, sizeof(hello), fds, 253) < 0)
		if (errno != ETOOMANYREFS)
			_exit(2);
	if (receive_welcome(fd, &welcome, got) != sizeof(welcome) || welcome.status)
		_exit(3);
	while (send_with_fds(fd, &region, sizeof(region), fds, 253) > 0)
		;
	_exit(0);
}

/* 253 descriptors a message is what the kernel lets through; they must not stay in the recorder. */
Test(intruders, can_not_fill_the_recorders_descriptors)
{
	const unsigned int before = count_fds(recorder.pid);
	const pid_t pid = fork_child();
	int status;

	if (!pid)
		flood_with_descriptors();
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert_eq(status, 0, "%#x", status);
	check_service();
	expect_fds(before); /* and it is no client any more */
}

Test(intruders, can_not_make_the_recorder_hold_memory_that_can_shrink)
{
	const struct ttlog_hello hello = hello_by_hand("unsealed");
	struct ttlog_message_head region = head_by_hand(TTLOG_MESSAGE_REGION, sizeof(region));
	struct ttlog_welcome welcome;
	int fd = peer_connect(recorder_socket), fds[2], memory = memfd_create("ttlog", MFD_CLOEXEC);
	char line[LINE_BYTES];

	cr_assert_eq(ftruncate(memory, 1 << 20), 0);
	cr_assert_eq(send(fd, &hello, sizeof(hello), 0), sizeof(hello));
	wait_readable(fd);
	cr_assert_eq(send_with_fds(fd, &region, sizeof(region), &memory, 1), sizeof(region));
	expect_line(&recorder, "socket is closed", line, sizeof(line));
	cr_assert(strstr(line, strerror(EPERM)), "%s", line);
	cr_assert_eq(receive_welcome(fd, &welcome, fds), sizeof(welcome));
	cr_assert_eq(ftruncate(memory, 0), 0);
	close(memory);
	expect_the_door(fd, 0);
	check_service();
}

/* By the book, as the hello says: no WELCOME came in time, so the client hands over its own. */
Test(intruders, may_hand_over_a_good_region_once_and_leave_the_welcome_unread)
{
	const struct ttlog_hello hello = hello_by_hand("tired");
	struct ttlog_message_head region = head_by_hand(TTLOG_MESSAGE_REGION, sizeof(region));
	char line[LINE_BYTES];
	pid_t pid = fork_child();
	int status;

	if (!pid) {
		struct ttlog_geometry geometry;
		int fd = peer_connect(recorder_socket), memory;
		void *base;

		ttlog_region_plan(0, &geometry);
		if (ttlog_region_make(&geometry, "its own name", TTLOG_CLOCK_MONOTONIC, &memory,
				      &base) ||
		    send(fd, &hello, sizeof(hello), 0) < 0)
			_exit(1);
		wait_readable(fd); /* the WELCOME is there and stays there */
		/* Killed: with an unread message the kernel tells the recorder of a reset first. */
		if (send_with_fds(fd, &region, sizeof(region), &memory, 1) > 0)
			raise(SIGKILL);
		_exit(1);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert_eq(WTERMSIG(status), SIGKILL, "%#x", status);
	expect_line(&recorder, "a region of its own", line, sizeof(line));
	expect_line(&recorder, "-sigkill.bin", line, sizeof(line));
	check_dump(line, "-sigkill", "tired");
}

/* Each message is small, and they are many. */
Test(intruders, are_cut_off_when_they_never_stop_talking)
{
	const struct ttlog_hello hello = hello_by_hand("talker");
	struct ttlog_message_head goodbye = head_by_hand(TTLOG_MESSAGE_GOODBYE, sizeof(goodbye));
	struct ttlog_welcome welcome;
	int fd = peer_connect(recorder_socket), fds[2], status;
	const int bytes = 8 << 20;

	cr_assert_eq(send(fd, &hello, sizeof(hello), 0), sizeof(hello));
	wait_readable(fd);
	cr_assert_eq(receive_welcome(fd, &welcome, fds), sizeof(welcome));
	/* So many a second are too many; of a second that begins with all of them said. */
	cr_assert_eq(kill(recorder.pid, SIGSTOP), 0);
	cr_assert_eq(waitpid(recorder.pid, &status, WUNTRACED), recorder.pid);
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes));
	while (send(fd, &goodbye, sizeof(goodbye), MSG_NOSIGNAL | MSG_DONTWAIT) > 0)
		;
	cr_assert_eq(kill(recorder.pid, SIGCONT), 0);
	while (send(fd, &goodbye, sizeof(goodbye), MSG_NOSIGNAL) > 0)
		;
	cr_assert(errno == EPIPE || errno == ECONNRESET, "%s", strerror(errno));
	close(fd);
	check_service();
}

Test(intruders, can_not_write_control_characters_on_the_terminal)
{
	const struct ttlog_hello hello = hello_by_hand("\x1b]0;pwned\x07\x9b"
						       "31m\xff");
	char line[LINE_BYTES];
	pid_t pid = fork_child();

	if (!pid) {
		struct ttlog_welcome welcome;
		int fd = peer_connect(recorder_socket), fds[2];

		if (send(fd, &hello, sizeof(hello), 0) < 0 ||
		    receive_welcome(fd, &welcome, fds) != sizeof(welcome))
			_exit(1);
		raise(SIGKILL);
	}
	cr_assert_eq(waitpid(pid, NULL, 0), pid);
	expect_line(&recorder, "-sigkill.bin", line, sizeof(line));
	for (const char *at = line; *at; at++)
		cr_assert(*at >= ' ' && *at <= '~', "%#x in what it says", *at);
	cr_assert(strstr(line, "?]0;pwned??31m?"), "%s", line);
}

/* ---- limits, with recorders of their own ---- */

static void restart_with(const char *const *arguments)
{
	stop_recorder(&recorder);
	start_recorder(&recorder, arguments);
}

Test(intruders, are_no_more_than_the_limit)
{
	struct ttlog_welcome welcome;
	int fd[8], fds[2], more;
	char line[LINE_BYTES];

	restart_with((const char *const[]){"--max-clients", "8", NULL});
	for (int i = 0; i < 8; i++)
		fd[i] = peer_connect(recorder_socket);
	for (int i = 0; i < 3; i++) {
		more = peer_connect(recorder_socket);
		wait_readable(more);
		cr_assert_eq(receive_welcome(more, &welcome, fds), 0);
		close(more);
	}
	expect_line(&recorder, "no more are accepted", line, sizeof(line));
	for (int i = 0; i < 8; i++)
		close(fd[i]);
	/* The places are free as soon as the recorder has seen that they are. */
	for (more = -1; more < 0;) {
		const struct ttlog_hello hello = hello_by_hand("late");

		more = peer_connect(recorder_socket);
		if (send(more, &hello, sizeof(hello), MSG_NOSIGNAL) < 0 ||
		    receive_welcome(more, &welcome, fds) != sizeof(welcome)) {
			close(more);
			more = -1;
		}
	}
	cr_assert_eq(welcome.status, 0);
	close(more);
}

Test(intruders, get_no_more_memory_than_the_limits)
{
	struct ttlog_hello hello = hello_by_hand("glutton");
	struct ttlog_welcome welcome;
	struct stat status;
	int fd, fds[2];

	restart_with((const char *const[]){"--max-region", "8M", "--max-memory", "12M", NULL});
	hello.region_bytes = UINT64_MAX;
	hello.channel_bytes = UINT64_MAX;
	fd = peer_connect(recorder_socket);
	cr_assert_eq(send(fd, &hello, sizeof(hello), 0), sizeof(hello));
	wait_readable(fd);
	cr_assert_eq(receive_welcome(fd, &welcome, fds), sizeof(welcome));
	cr_assert_eq(welcome.status, 0, "it gets what it may have");
	cr_assert_eq(fstat(fds[0], &status), 0);
	cr_assert_leq(status.st_size, 8 << 20);
	close(fds[0]);
	/* The second one is too much for all of them together. */
	fd = peer_connect(recorder_socket);
	cr_assert_eq(send(fd, &hello, sizeof(hello), 0), sizeof(hello));
	expect_the_door(fd, -ENOSPC);
}

/* Without descriptors nobody can be served; with them again, everybody, and nobody's CPU was burnt.
 */
Test(intruders, wait_while_the_recorder_has_no_descriptors)
{
	const unsigned int used = count_fds(recorder.pid);
	/* A listing has itself in it, and "." and "..". */
	const struct rlimit none = {.rlim_cur = used - 3, .rlim_max = 4096};
	const struct rlimit plenty = {.rlim_cur = 4096, .rlim_max = 4096};
	char line[LINE_BYTES];
	int fd;

	if (prlimit(recorder.pid, RLIMIT_NOFILE, &none, NULL)) {
		finish();
		cr_skip("the recorder may not be limited");
	}
	fd = peer_connect(recorder_socket);
	expect_line(&recorder, "can't accept clients", line, sizeof(line));
	cr_assert_eq(prlimit(recorder.pid, RLIMIT_NOFILE, &plenty, NULL), 0);
	close(fd);
	check_service();
}
