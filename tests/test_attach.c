/* SPDX-License-Identifier: MIT */
/* test_attach.c - the client's side of the hello, against recorders that are good, slow, or not
 * there. */
#include "tests/attach_recorder.h"

/* ---- good -------------------------------------------------------------------------------------
 */

Test(attach, a_good_recorders_region_is_used)
{
	pid_t pid = client(run_connected);
	struct made made;

	accept_hello();
	cr_expect_eq(hello.region_bytes, 2 << 20);
	cr_expect_eq(hello.level, TTLOG_DEBUG);
	cr_expect_eq(hello.flush_interval_s, 9);
	cr_expect_str_eq(hello.service, "client");
	made = make_region(hello.region_bytes);
	send_welcome(0, 0, &made.fd, 1);
	let_go();
	expect_goodbye();
	finish(pid);
	cr_expect_eq(numbers_in(&made).count, 10);
}

static void run_sparse(void)
{
	setenv("TTLOG_CLOCK", "sparse", 1);
	setenv("TTLOG_CHANNEL_MEMORY", "4M", 1);
	client_begin(PATIENCE_MS, 2, true);
	CHILD_CHECK(ttlog_place_.geometry.clock_mode == TTLOG_CLOCK_SPARSE);
	wait_to_go();
	ttlog_close();
}

Test(attach, how_often_the_clock_is_read_goes_to_the_recorder_and_comes_back)
{
	pid_t pid = client(run_sparse);
	struct made made;

	accept_hello();
	cr_expect_eq(hello.clock_mode, TTLOG_CLOCK_SPARSE);
	cr_expect_eq(hello.channel_bytes, 4 << 20);
	made = make_region(hello.region_bytes);
	send_welcome(0, 0, &made.fd, 1);
	let_go();
	expect_goodbye();
	finish(pid);
	cr_expect_eq(numbers_in(&made).count, 10);
}

static void run_with_control_map(void)
{
	client_begin(PATIENCE_MS, 3, true);
	say_done();
	wait_to_go();
	number(99); /* the recorder has turned it off */
	say_done();
	wait_to_go();
	CHILD_CHECK((ttlog_freeze_word() & 1) == 1);
	number(10);
	CHILD_CHECK(ttlog_set_level(TTLOG_WARN) == 0);
	say_done();
	wait_to_go();
	ttlog_close();
}

Test(attach, a_control_map_rules_the_client)
{
	pid_t pid = client(run_with_control_map);
	int control_fd = make_memfd(TTLOG_CONTROL_BYTES, SEALS);
	struct ttlog_control *control =
		mmap(NULL, TTLOG_CONTROL_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, control_fd, 0);
	struct made made;
	struct numbered run;

	accept_hello();
	made = make_region(hello.region_bytes);
	send_welcome(0, TTLOG_WELCOME_CONTROL_MAP, (int[]){made.fd, control_fd}, 2);
	wait_until_done();
	cr_expect_eq(control->level, TTLOG_DEBUG);
	__atomic_store_n(&control->level, TTLOG_OFF, __ATOMIC_RELAXED);
	let_go();
	wait_until_done();
	cr_expect_eq(numbers_in(&made).count, 10);
	__atomic_store_n(&control->level, TTLOG_DEBUG, __ATOMIC_RELAXED);
	__atomic_store_n(&control->freeze, 1, __ATOMIC_SEQ_CST);
	let_go();
	wait_until_done();
	cr_expect_eq(control->level, TTLOG_WARN);
	let_go();
	expect_goodbye();
	finish(pid);
	cr_expect_eq(control->level, TTLOG_OFF, "closed");
	run = numbers_in(&made);
	cr_expect_eq(run.count, 11);
	cr_expect_eq(run.last, 10);
}

static void run_forking(void)
{
	struct ttlog_interned word;
	pid_t pid;

	client_begin(PATIENCE_MS, 2, true);
	word = ttlog_intern("word");
	pid = fork();
	if (pid == 0) {
		/* A hello of its own; the parent's socket and region are closed here. */
		uint32_t before = open_fds();

		number(77);
		CHILD_CHECK(open_fds() == before + 2);
		CHILD_CHECK(ttlog_intern("word").id == word.id);
		wait_to_go();
		_exit(0);
	}
	expect_success(pid);
	number(10);
	wait_to_go();
}

Test(attach, a_forked_client_says_hello_for_itself_and_brings_its_dictionary)
{
	pid_t pid = client(run_forking);
	struct made parents, childs;
	int parents_connection;
	struct numbered run;

	accept_hello();
	parents = make_region(hello.region_bytes);
	send_welcome(0, 0, &parents.fd, 1);
	parents_connection = connection;
	accept_hello();
	childs = make_region(4 << 20);
	send_welcome(0, 0, &childs.fd, 1);
	let_go();
	expect_end();
	close(connection);
	connection = parents_connection;
	run = numbers_in(&childs);
	cr_expect_eq(run.count, 1);
	cr_expect_eq(run.first, 77);
	let_go();
	expect_end();
	finish(pid);
	run = numbers_in(&parents);
	cr_expect_eq(run.count, 11);
	cr_expect_eq(run.gaps, 0);
}

/* ---- slow -------------------------------------------------------------------------------------
 */

static void run_waiting_50_ms(void)
{
	uint64_t then = now_ms(), took;

	client_begin(0, 2, true);
	took = now_ms() - then;
	CHILD_CHECK(took >= 50);
	/* Generous, for machines that are busy. */
	CHILD_CHECK(took < 30000);
	wait_to_go();
	number(10);
	ttlog_close();
}

Test(attach, a_silent_recorder_is_given_the_clients_own_region_after_50_ms)
{
	pid_t pid = client(run_waiting_50_ms);
	struct ttlog_geometry plan;
	struct made made;

	accept_hello();
	made = expect_region();
	cr_expect_str_eq(made.geometry.service, "client");
	ttlog_region_plan(2 << 20, &plan);
	cr_expect_eq(made.geometry.region_bytes, plan.region_bytes);
	/* The WELCOME that comes late is never read. */
	send_welcome(0, 0, &made.fd, 1);
	let_go();
	expect_goodbye();
	finish(pid);
	cr_expect_eq(numbers_in(&made).count, 11);
}

static void run_waiting_300_ms(void)
{
	uint64_t then = now_ms();

	client_begin(300, 2, true);
	CHILD_CHECK(now_ms() - then >= 300);
	wait_to_go();
}

Test(attach, the_client_waits_as_long_as_it_is_told_to)
{
	pid_t pid = client(run_waiting_300_ms);

	accept_hello();
	expect_region();
	let_go();
	expect_end();
	finish(pid);
}

static void run_in_a_queue(void)
{
	uint64_t then = now_ms();

	client_begin(PATIENCE_MS, 1, false);
	CHILD_CHECK(now_ms() - then < PATIENCE_MS);
}

Test(attach, a_recorder_whose_queue_is_full_is_not_waited_for)
{
	int fd[3];
	pid_t pid;

	listen_here(0);
	for (int i = 0; i < 3; i++) {
		fd[i] = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		connect(fd[i], (struct sockaddr *)&address, sizeof(address));
	}
	pid = fork();
	if (pid == 0) {
		run_in_a_queue();
		_exit(0);
	}
	finish(pid);
}

/* ---- nobody -----------------------------------------------------------------------------------
 */

Test(attach, without_a_recorder_it_goes_alone)
{
	static const char *const paths[] = {"/nowhere/recorder.sock", "/dev/null", "/", "relative"};

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		pid_t pid;

		snprintf(address.sun_path, sizeof(address.sun_path), "%s", paths[i]);
		pid = fork();
		if (pid == 0) {
			client_begin(PATIENCE_MS, 1, false);
			_exit(0);
		}
		expect_success(pid);
	}
}

/* ---- while it runs ----------------------------------------------------------------------------
 */

static char reason[200];

static void run_snapshots(void)
{
	int result;

	memset(reason, 'r', sizeof(reason) - 1);
	client_begin(PATIENCE_MS, 2, true);
	CHILD_CHECK(ttlog_snapshot("checkpoint") == 0);
	CHILD_CHECK(ttlog_snapshot(reason) == 0);
	CHILD_CHECK(ttlog_snapshot("") == 0);
	CHILD_CHECK(ttlog_snapshot(NULL) == -EINVAL);
	say_done();
	wait_to_go();
	/* The recorder reads nothing now. */
	do
		result = ttlog_snapshot("busy");
	while (result == 0);
	CHILD_CHECK(result == -EAGAIN);
	say_done();
	wait_to_go();
	/* It is gone: no SIGPIPE; and there is another one. */
	CHILD_CHECK(ttlog_snapshot("to the next") == 0);
	say_done();
	wait_to_go();
	CHILD_CHECK(ttlog_snapshot("to nobody") == -ENOTCONN);
	CHILD_CHECK(ttlog_snapshot("to nobody") == -ENOTCONN);
	number(10);
	ttlog_close();
}

Test(attach, snapshots_are_asked_for_and_never_waited_for)
{
	pid_t pid = client(run_snapshots);
	struct ttlog_snapshot_request request;
	struct made made;
	int fd;

	accept_hello();
	made = make_region(hello.region_bytes);
	send_welcome(0, 0, &made.fd, 1);
	wait_until_done();
	cr_expect_eq(receive(&request, sizeof(request), &fd), sizeof(request));
	cr_expect_eq(request.head.kind, TTLOG_MESSAGE_SNAPSHOT);
	cr_expect_eq(request.head.bytes, sizeof(request));
	cr_expect_str_eq(request.reason, "checkpoint");
	cr_expect_eq(receive(&request, sizeof(request), &fd), sizeof(request));
	cr_expect_eq(strnlen(request.reason, sizeof(request.reason)), 63);
	cr_expect_eq(receive(&request, sizeof(request), &fd), sizeof(request));
	cr_expect_str_eq(request.reason, "");
	let_go();
	wait_until_done();
	close(connection);
	let_go();
	wait_until_done();
	connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	cr_assert_geq(connection, 0);
	cr_expect_eq(receive(&request, sizeof(request), &fd), sizeof(request));
	cr_expect_str_eq(request.reason, "to the next");
	cr_expect_eq(receive(&request, sizeof(request), &fd), 0, "it is closed at once");
	close(connection);
	cr_assert_eq(unlink(address.sun_path), 0);
	let_go();
	finish(pid);
	cr_expect_eq(numbers_in(&made).count, 11);
}

static void run_with_a_stolen_number(void)
{
	int pipe_fds[2], socket_fd = -1;
	bool was_open[200];
	char byte;

	for (int fd = 0; fd < 200; fd++)
		was_open[fd] = fcntl(fd, F_GETFD) >= 0;
	client_begin(PATIENCE_MS, 2, true);
	for (int fd = 0; fd < 200; fd++) {
		struct stat status;

		if (!was_open[fd] && fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode))
			socket_fd = fd;
	}
	CHILD_CHECK(pipe2(pipe_fds, O_NONBLOCK) == 0);
	CHILD_CHECK(dup2(pipe_fds[1], socket_fd) == socket_fd);
	CHILD_CHECK(ttlog_snapshot("not yours") == 0); /* by a socket of its own */
	ttlog_close();
	CHILD_CHECK(read(pipe_fds[0], &byte, 1) == -1 && errno == EAGAIN);
	CHILD_CHECK(fcntl(socket_fd, F_GETFD) >= 0);
}

Test(attach, nothing_is_sent_to_a_descriptor_that_is_the_programs_by_now)
{
	pid_t pid = client(run_with_a_stolen_number);
	struct made made;

	accept_hello();
	made = make_region(hello.region_bytes);
	send_welcome(0, 0, &made.fd, 1);
	expect_end();
	finish(pid);
}
