/* SPDX-License-Identifier: MIT */
/*
 * Peers that are many, somebody else, or already gone, and traps in the folder of dumps. Beside
 * them an honest service dies, and its dump is right.
 */
#include <linux/sched.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "tests/hostile_peer.h"

#define NOBODY 65534

TestSuite(hostile_peers, .init = prepare, .fini = finish, .timeout = 240);

static void restart_with(const char *const *arguments)
{
	stop_recorder(&recorder);
	start_recorder(&recorder, arguments);
}

static void need_root(const char *why)
{
	if (geteuid() == 0)
		return;
	finish(); /* a skipped test has no fini */
	cr_skip("needs root, %s", why);
}

/* Connects without a word when it fails: for peers that are turned away. */
static int try_to_connect(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	strcpy(address.sun_path, recorder_socket);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address))) {
		close(fd);
		return -1;
	}
	return fd;
}

/* ---- floods ----------------------------------------------------------------------------- */

/* Descriptors in flight are counted by user: as the recorder's own they would be its own. */
static void become_nobody(void)
{
	if (setregid(NOBODY, NOBODY) || setreuid(NOBODY, NOBODY))
		_exit(4);
	prctl(PR_SET_PDEATHSIG, SIGKILL); /* another user has cleared it */
}

#define FLOOD 200 /* connections of each: a loaded machine gets through them, too */

static void flood_with_connections(int said)
{
	if (!geteuid())
		become_nobody();
	say_ready(said);
	for (int i = 0; i < FLOOD; i++) {
		const int fd = try_to_connect();

		if (fd >= 0)
			close(fd);
	}
	pause();
}

static void flood_with_hellos(int said)
{
	const struct ttlog_hello hello = hello_by_hand("flood");

	if (!geteuid())
		become_nobody();
	say_ready(said);
	for (int i = 0; i < FLOOD; i++) {
		const int fd = try_to_connect();

		if (fd < 0)
			continue;
		if (send(fd, &hello, sizeof(hello), MSG_NOSIGNAL) < 0)
			usleep(100);
		close(fd);
	}
	pause();
}

static void flood_with_descriptors(int said)
{
	int fds[253];

	for (int j = 0; j < 253; j++)
		fds[j] = STDIN_FILENO;
	if (!geteuid())
		become_nobody();
	say_ready(said);
	for (int i = 0; i < FLOOD; i++) {
		const int fd = try_to_connect();

		while (fd >= 0 && send_with_fds(fd, "x", 1, fds, 253) == 1)
			;
		close(fd);
	}
	pause();
}

static void flood_with_snapshots(int said)
{
	const struct ttlog_hello hello = hello_by_hand("flood");
	const struct ttlog_snapshot_request snapshot = {
		.head = head_by_hand(TTLOG_MESSAGE_SNAPSHOT, sizeof(snapshot)),
		.reason = "flood",
	};

	if (!geteuid())
		become_nobody();
	say_ready(said);
	for (int i = 0; i < FLOOD; i++) {
		const int fd = try_to_connect();

		if (fd < 0)
			continue;
		if (send(fd, &hello, sizeof(hello), MSG_NOSIGNAL) > 0)
			while (send(fd, &snapshot, sizeof(snapshot), MSG_NOSIGNAL) > 0)
				;
		close(fd);
	}
	pause();
}

/* Whoever was in it before us has been answered by the time that we are. */
static void wait_for_the_queue(void)
{
	const struct ttlog_hello hello = hello_by_hand("last in the queue");
	struct ttlog_welcome welcome;
	int fd = peer_connect(recorder_socket), fds[2];

	cr_assert_eq(send(fd, &hello, sizeof(hello), 0), sizeof(hello));
	cr_assert_eq(receive_welcome(fd, &welcome, fds), sizeof(welcome));
	close(fds[0]);
	if (fds[1] >= 0)
		close(fds[1]);
	close(fd);
}

Test(hostile_peers, floods_delay_nobodys_dump_for_ever)
{
	void (*const floods[])(int) = {flood_with_connections, flood_with_hellos,
				       flood_with_descriptors, flood_with_snapshots};
	const char *const quietly[] = {"--socket",	recorder_socket, "--dir", recorder_dumps,
				       "--keep-free=0", "--keep-loop=0", NULL};
	char line[LINE_BYTES];
	struct service services[3];
	pid_t pids[4];

	/* What it says of each peer would fill its pipe while nobody reads here. */
	stop_recorder(&recorder);
	start_program(&recorder, quietly);
	expect_line(&recorder, "listening on", line, sizeof(line));
	/* Who comes during a flood may find no room in the queue of the socket, and is adopted
	 * later. */
	for (int i = 0; i < 3; i++)
		start_service(&services[i], honest_life);
	for (int i = 0; i < 4; i++)
		pids[i] = start_peer(floods[i]);
	for (int i = 0; i < 3; i++)
		end_honest_service(&recorder, &services[i]);
	for (int i = 0; i < 4; i++)
		end_process(pids[i]);
	wait_for_the_queue();
	expect_honest_service(&recorder);
}

/* ---- one user's share ------------------------------------------------------------------- */

/* As many connections as it is let have: those beyond are closed without a word. */
static void take_all_places(int said)
{
	const struct ttlog_hello hello = hello_by_hand("squatter");
	struct ttlog_welcome welcome;
	int served = 0, fds[2];

	become_nobody();
	for (int i = 0; i < 40; i++) {
		const int fd = try_to_connect();

		if (fd < 0)
			_exit(5);
		if (send(fd, &hello, sizeof(hello), MSG_NOSIGNAL) > 0 &&
		    receive_welcome(fd, &welcome, fds) == sizeof(welcome) && !welcome.status)
			served++;
	}
	/* Each hello of a process replaces the one before; connections without one would not. */
	if (!served)
		_exit(6);
	say_ready(said);
	pause();
}

static void take_all_places_silently(int said)
{
	become_nobody();
	for (int i = 0; i < 40; i++)
		if (try_to_connect() < 0)
			_exit(5);
	say_ready(said);
	pause();
}

Test(hostile_peers, of_one_user_leave_places_for_others)
{
	char line[LINE_BYTES];
	pid_t squatter, silent;

	need_root("to be somebody else too");
	restart_with((const char *const[]){"--max-clients", "16", NULL});
	silent = start_peer(take_all_places_silently);
	expect_line(&recorder, "uid 65534 has 8 clients", line, sizeof(line));
	expect_honest_service(&recorder);
	end_process(silent);
	squatter = start_peer(take_all_places);
	expect_honest_service(&recorder);
	end_process(squatter);
}

static void take_all_memory(int said)
{
	struct ttlog_hello hello = hello_by_hand("glutton");
	struct ttlog_welcome welcome;
	const pid_t parent = getpid();
	int fd, fds[2];

	become_nobody();
	hello.region_bytes = 8 << 20;
	/* A process has one region: it takes many of them. */
	for (int i = 0; i < 8; i++) {
		if (fork())
			continue;
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent) /* it was faster */
			_exit(8);
		fd = try_to_connect();
		if (fd < 0 || send(fd, &hello, sizeof(hello), MSG_NOSIGNAL) < 0 ||
		    receive_welcome(fd, &welcome, fds) != sizeof(welcome))
			_exit(7);
		if (welcome.status == -EDQUOT)
			say_ready(said);
		pause();
	}
	pause();
}

Test(hostile_peers, of_one_user_leave_memory_for_others)
{
	char line[LINE_BYTES];
	pid_t glutton;

	need_root("to be somebody else too");
	restart_with((const char *const[]){"--max-memory", "64M", NULL});
	glutton = start_peer(take_all_memory);
	expect_line(&recorder, "uid 65534 has ", line, sizeof(line));
	expect_honest_service(&recorder);
	end_process(glutton);
}

/* ---- who is it -------------------------------------------------------------------------- */

static void say_hello_and_die(int said)
{
	const struct ttlog_hello hello = hello_by_hand("ephemeral");

	say_ready(said);
	for (int i = 0; i < 64; i++) {
		if (fork()) {
			wait(NULL);
			continue;
		}
		const int fd = try_to_connect();

		if (fd >= 0 && send(fd, &hello, sizeof(hello), MSG_NOSIGNAL) > 0)
			_exit(0); /* what is not asked for is not dumped */
		_exit(1);
	}
	pause();
}

Test(hostile_peers, that_die_right_after_their_hello_leave_nothing_behind)
{
	const unsigned int before = count_fds(recorder.pid);
	const pid_t pid = start_peer(say_hello_and_die);

	expect_honest_service(&recorder);
	end_process(pid);
	expect_honest_service(&recorder);
	for (int i = 0; i < 1200 && count_fds(recorder.pid) > before; i++)
		poll(NULL, 0, 50);
	cr_assert_leq(count_fds(recorder.pid), before);
}

/* The kernel says who connected; the child that speaks is not believed to be itself. */
static void let_a_child_speak(int said)
{
	const struct ttlog_hello hello = hello_by_hand("ventriloquist");
	const int fd = peer_connect(recorder_socket);
	struct ttlog_welcome welcome;
	int fds[2];

	if (!fork()) {
		if (send(fd, &hello, sizeof(hello), 0) < 0)
			_exit(1);
		_exit(0);
	}
	wait(NULL);
	if (receive_welcome(fd, &welcome, fds) != sizeof(welcome) || welcome.status)
		_exit(2);
	say_ready(said);
	pause();
}

Test(hostile_peers, that_let_a_child_speak_are_who_connected)
{
	const pid_t pid = start_peer(let_a_child_speak);
	char line[LINE_BYTES];

	end_process(pid);
	find_dump_of(&recorder, pid, line, sizeof(line));
	cr_assert(strstr(line, "ventriloquist"), "%s", line);
}

/* It is gone when its child says hello on the socket: nobody is registered in its place. */
static void leave_the_socket_to_a_child(int said)
{
	const struct ttlog_hello hello = hello_by_hand("posthumous");
	struct ttlog_welcome welcome;
	pid_t pid = fork();
	int fds[2];

	if (!pid) {
		const int fd = peer_connect(recorder_socket);
		const pid_t peer = getpid();

		if (fork())
			_exit(0);
		while (!kill(peer, 0)) /* until it is reaped */
			sched_yield();
		if (send(fd, &hello, sizeof(hello), MSG_NOSIGNAL) < 0 ||
		    receive_welcome(fd, &welcome, fds) != sizeof(welcome) || welcome.status == 0)
			_exit(2); /* it was served: the test hears nothing */
		say_ready(said);
		_exit(0);
	}
	close(said);
	waitpid(pid, NULL, 0);
	pause();
}

Test(hostile_peers, that_are_dead_by_their_hello_are_refused)
{
	const pid_t pid = start_peer(leave_the_socket_to_a_child);

	end_process(pid);
	expect_honest_service(&recorder);
	cr_assert_eq(count_dumps(".bin"), 1);
}

static void live_in_a_namespace(int said)
{
	pid_t pid;

	if (unshare(CLONE_NEWPID))
		_exit(1);
	pid = fork();
	if (!pid) {
		ready_fd = said;
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getpid() != 1 || ttlog_init("orders"))
			_exit(2);
		honest_life();
	}
	waitpid(pid, NULL, 0);
	pause();
}

/* There it is number 1, which here is somebody else. */
Test(hostile_peers, of_another_pid_namespace_are_known_by_our_numbers)
{
	char line[LINE_BYTES], path[64], number[16] = "";
	FILE *children;
	pid_t pid;

	need_root("to make a namespace");
	pid = start_peer(live_in_a_namespace);
	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)pid);
	children = fopen(path, "re");
	cr_assert(children && fgets(number, sizeof(number), children));
	fclose(children);
	cr_assert_eq(kill((pid_t)atoi(number), SIGKILL), 0);
	find_dump_of(&recorder, (pid_t)atoi(number), line, sizeof(line));
	expect_honest_events(strrchr(line, ' ') + 1);
	end_process(pid);
}

/* A process with that number, which is free. */
static pid_t fork_as(pid_t wanted)
{
	struct clone_args arguments = {
		.exit_signal = SIGCHLD,
		.set_tid = (uint64_t)(uintptr_t)&wanted,
		.set_tid_size = 1,
	};

	return (pid_t)syscall(SYS_clone3, &arguments, sizeof(arguments));
}

/* Ready when it has said hello, and again when it is served. */
static void be_a_client(const char *service, int said)
{
	const struct ttlog_hello hello = hello_by_hand(service);
	const int fd = peer_connect(recorder_socket);
	struct ttlog_welcome welcome;
	int fds[2];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (send(fd, &hello, sizeof(hello), 0) < 0)
		_exit(1);
	say_ready(said);
	if (receive_welcome(fd, &welcome, fds) != sizeof(welcome) || welcome.status)
		_exit(1);
	signal(SIGPIPE, SIG_IGN); /* nobody may wait for this */
	if (write(said, "", 1) < 0 && errno != EPIPE)
		_exit(1);
	for (;;)
		pause();
}

static void be_the_first(int said)
{
	be_a_client("first", said);
}

/*
 * The recorder sleeps while one dies and another comes with the same number: each is dumped under
 * its own name.
 */
Test(hostile_peers, with_a_dead_clients_number_are_not_taken_for_it)
{
	char line[LINE_BYTES], byte;
	pid_t pid, again;
	int said[2];

	need_root("to choose the number of a process");
	pid = start_peer(be_the_first);
	expect_line(&recorder, "first (pid", line, sizeof(line));
	cr_assert_eq(kill(recorder.pid, SIGSTOP), 0);
	end_process(pid);
	cr_assert_eq(pipe2(said, O_CLOEXEC), 0);
	fflush(NULL);
	again = fork_as(pid);
	if (!again)
		be_a_client("second", said[1]);
	if (again != pid) { /* somebody else was faster */
		cr_assert_eq(kill(recorder.pid, SIGCONT), 0);
		finish();
		cr_skip("number %d can't be had again", (int)pid);
	}
	close(said[1]);
	cr_assert_eq(read(said[0], &byte, 1), 1);
	cr_assert_eq(kill(recorder.pid, SIGCONT), 0);
	find_dump_of(&recorder, pid, line, sizeof(line));
	cr_assert(strstr(line, " first (pid"), "%s", line);
	cr_assert_eq(read(said[0], &byte, 1), 1, "the second is not served");
	end_process(pid);
	find_dump_of(&recorder, pid, line, sizeof(line));
	cr_assert(strstr(line, " second (pid"), "%s", line);
	expect_honest_service(&recorder);
}
