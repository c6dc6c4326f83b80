/* SPDX-License-Identifier: MIT */
/* "Why did I die?", asked by the next process of the same name and user. */
#include <stddef.h>
#include <sys/socket.h>

#include "tests/hello_by_hand.h"
#include "tests/service_process.h"

TestSuite(last_death, .init = recorder_prepare, .fini = recorder_clean, .timeout = 300);

static void fault(void)
{
	volatile uintptr_t nowhere = 16;

	ready();
	*(volatile int *)nowhere = 1;
}

static void leave(void)
{
	ready();
	ttlog_close();
	_exit(0);
}

static void leave_with_3(void)
{
	ready();
	_exit(3);
}

struct told {
	int error;
	struct ttlog_death death;
};

/* Asks in a process of its own: "orders" again, the next life of it. */
static struct told ask_as(const char *service, uid_t uid)
{
	struct told told = {.error = -1};
	int pipe_fds[2], status;
	pid_t pid;

	cr_assert_eq(pipe2(pipe_fds, O_CLOEXEC), 0);
	pid = fork_child();
	if (!pid) {
		if (uid && (setregid(uid, uid) || setreuid(uid, uid)))
			_exit(90);
		setenv("TTLOG_SERVICE_NAME", service, 1);
		errno = 77;
		(void)ttlog_init(service);
		told.death.size = sizeof(told.death);
		told.error = ttlog_last_death(&told.death);
		if (errno != 77)
			_exit(91);
		_exit(write(pipe_fds[1], &told, sizeof(told)) == (ssize_t)sizeof(told) ? 0 : 92);
	}
	close(pipe_fds[1]);
	cr_assert_eq(read(pipe_fds[0], &told, sizeof(told)), (ssize_t)sizeof(told));
	close(pipe_fds[0]);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert_eq(status, 0, "%#x", status);
	return told;
}

/* Right after it is reaped, as a service manager would start the next one. */
static struct told ask_after(void (*life)(void), const char *how)
{
	struct service service;
	struct told told;
	pid_t pid;

	start_service(&service, life);
	pid = service.pid;
	if (life == live)
		kill(pid, SIGKILL);
	reap(&service);
	told = ask_as("orders", 0);
	cr_assert_eq(told.error, 0, "%s: %s", how, strerror(-told.error));
	cr_assert_eq(told.death.size, sizeof(told.death));
	cr_assert_eq(told.death.pid, pid, "%s", how);
	/* Without eBPF it takes Linux 6.15 to know. */
	if (!strcmp(told.death.how, "unknown"))
		cr_skip("here nobody says how a process ended");
	cr_assert_str_eq(told.death.how, how);
	cr_assert_gt(told.death.started_ns, 0);
	cr_assert_geq(told.death.died_ns + 20000000, told.death.started_ns);
	cr_assert_eq(told.death.flags & TTLOG_DEATH_FROM_DUMP, 0);
	return told;
}

/* Nobody asks: who asks is "orders" too, and its end the next one that is known. */
static void live_once(void (*life)(void))
{
	struct service service;

	start_service(&service, life);
	reap(&service);
}

static void check_all(const char *option)
{
	struct recorder_process recorder;
	struct told told;

	start_recorder(&recorder, option ? (const char *[]){option, NULL} : NONE);
	told = ask_as("orders", 0);
	cr_assert_eq(told.error, -ENOENT, "nobody has died yet");

	told = ask_after(live, "signal");
	cr_assert_eq(told.death.signal, SIGKILL);
	cr_assert_eq(told.death.exit_code, -1);
	cr_assert(strstr(told.death.sentence, "SIGKILL"), "%s", told.death.sentence);

	told = ask_after(leave_with_3, "exit");
	cr_assert_eq(told.death.exit_code, 3);
	cr_assert_eq(told.death.signal, 0);
	cr_assert_str_eq(told.death.reason, "exit-3");

	told = ask_after(leave, "exit");
	cr_assert_eq(told.death.exit_code, 0, "an exit without a dump is an end, too");
	cr_assert_str_empty(told.death.dump);
	cr_assert_eq(told.death.flags & TTLOG_DEATH_DUMP_PENDING, 0);
	stop_recorder(&recorder);
}

Test(last_death, is_known_to_the_next_life_at_once)
{
	struct recorder_process recorder;
	struct told told;

	check_all(NULL);
	start_recorder(&recorder, NONE);
	live_once(fault);
	told = ask_as("orders", 0);
	cr_assert_eq(told.error, 0);
	cr_assert_eq(told.death.signal, SIGSEGV);
	/* On the lower rung nobody has seen the fault. */
	if (!strcmp(told.death.how, "fault")) {
		cr_assert(told.death.flags & TTLOG_DEATH_FAULT_ADDRESS);
		cr_assert_eq(told.death.fault_address, 16);
		cr_assert_str_eq(told.death.confidence, "high");
	}
	stop_recorder(&recorder);
}

static int go_on[2];

/* It forks a worker that has no more to do; and, when it is told, one that can't go on. */
static void be_master(void)
{
	int status;
	char byte;
	pid_t pid;

	for (int code = 0; code <= 5; code += 5) {
		pid = fork();
		if (!pid) {
			ttlog_info("working");
			_exit(code);
		}
		waitpid(pid, &status, 0);
		ready();
		if (!code && read(go_on[0], &byte, 1) != 1)
			_exit(96);
	}
	pause();
}

Test(last_death, of_a_worker_counts_if_something_was_wrong)
{
	struct recorder_process recorder;
	struct service service;
	struct told told;
	char byte;

	cr_assert_eq(pipe2(go_on, O_CLOEXEC), 0);
	start_recorder(&recorder, NONE);
	live_once(leave_with_3);
	start_service(&service, be_master);
	told = ask_as("orders", 0);
	cr_assert_eq(told.error, 0);
	cr_assert_eq(told.death.exit_code, 3, "the worker's is no end of the service");
	cr_assert_eq(write(go_on[1], "", 1), 1);
	cr_assert_eq(read(service.said, &byte, 1), 1);
	told = ask_as("orders", 0);
	cr_assert_eq(told.death.exit_code, 5, "%d", told.death.exit_code);
	kill(service.pid, SIGKILL);
	reap(&service);
	close(go_on[0]);
	close(go_on[1]);
	stop_recorder(&recorder);
}

Test(last_death, names_the_dump_when_it_is_written)
{
	struct recorder_process recorder;
	struct service service;
	char line[LINE_BYTES];
	struct told told;

	start_recorder(&recorder, NONE);
	start_service(&service, leave_with_3);
	reap(&service);
	expect_line(&recorder, ".bin", line, sizeof(line));
	told = ask_as("orders", 0);
	cr_assert_eq(told.error, 0);
	cr_assert_str_eq(told.death.dump, strrchr(line, ' ') + 1);
	cr_assert_eq(strlen(told.death.signature), 16);
	stop_recorder(&recorder);
}

Test(last_death, outlives_the_recorder_in_its_dump)
{
	struct recorder_process recorder;
	struct service service;
	struct told before, told;
	char line[LINE_BYTES];

	start_recorder(&recorder, NONE);
	start_service(&service, leave_with_3);
	reap(&service);
	expect_line(&recorder, ".bin", line, sizeof(line));
	before = ask_as("orders", 0);
	stop_recorder(&recorder);

	start_recorder(&recorder, NONE);
	told = ask_as("orders", 0);
	cr_assert_eq(told.error, 0);
	cr_assert_eq(told.death.flags, TTLOG_DEATH_FROM_DUMP);
	cr_assert_eq(told.death.pid, service.pid);
	cr_assert_eq(told.death.exit_code, 3);
	cr_assert_eq(told.death.signal, 0);
	cr_assert_eq(told.death.started_ns, before.death.started_ns);
	cr_assert_lt(told.death.died_ns - before.death.died_ns + 50000000, 100000000,
		     "the same moment, by the same clock");
	cr_assert_str_eq(told.death.how, "exit");
	cr_assert_str_eq(told.death.reason, "exit-3");
	cr_assert_str_eq(told.death.confidence, before.death.confidence);
	cr_assert_str_eq(told.death.sentence, before.death.sentence);
	cr_assert_str_eq(told.death.signature, before.death.signature);
	cr_assert_str_eq(told.death.dump, strrchr(line, ' ') + 1);
	stop_recorder(&recorder);
}

Test(last_death, is_nobody_elses_business)
{
	struct recorder_process recorder;

	start_recorder(&recorder, NONE);
	ask_after(leave_with_3, "exit");
	cr_assert_eq(ask_as("orders", 65534).error, -ENOENT, "another user");
	cr_assert_eq(ask_as("order", 0).error, -ENOENT, "another service");
	cr_assert_eq(ask_as("orders", 0).error, 0);
	stop_recorder(&recorder);
}

Test(last_death, is_not_to_be_had_without_a_recorder)
{
	cr_assert_eq(ask_as("orders", 0).error, -ENOTCONN);
	setenv("TTLOG_SOCKET", "", 1);
	cr_assert_eq(ask_as("orders", 0).error, -ENOTCONN);
}

/* A socket that nobody reads from: as bad as a recorder that was stopped. */
Test(last_death, is_waited_for_no_longer_than_a_hello)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct told told;

	strncpy(address.sun_path, recorder_socket, sizeof(address.sun_path) - 1);
	cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	cr_assert_eq(listen(fd, 8), 0);
	setenv("TTLOG_HELLO_TIMEOUT", "30", 1);
	told = ask_as("orders", 0);
	cr_assert_eq(told.error, -ETIMEDOUT, "%s", strerror(-told.error));
	close(fd);
}

Test(last_death, fills_as_much_as_an_older_program_knows)
{
	struct recorder_process recorder;
	struct {
		struct ttlog_death death;
		char behind[64];
	} small = {0};
	int status;
	pid_t pid;

	start_recorder(&recorder, NONE);
	live_once(leave_with_3);
	pid = fork_child();
	if (!pid) {
		if (ttlog_init("orders"))
			_exit(1);
		memset(&small, 0x5a, sizeof(small));
		small.death.size = 4;
		if (ttlog_last_death(&small.death) != -EINVAL || ttlog_last_death(NULL) != -EINVAL)
			_exit(2);
		small.death.size = offsetof(struct ttlog_death, reason);
		if (ttlog_last_death(&small.death) ||
		    small.death.size != offsetof(struct ttlog_death, reason) ||
		    strcmp(small.death.how, "exit") != 0 || small.death.reason[0] != 0x5a)
			_exit(3);
		small.death.size = sizeof(small);
		if (ttlog_last_death(&small.death) || small.death.size != sizeof(small.death) ||
		    small.behind[0] != 0x5a)
			_exit(4);
		_exit(0);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert_eq(status, 0, "%#x", status);
	stop_recorder(&recorder);
}

/* The recorder that a service could not reach at its start is there when it asks. */
Test(last_death, is_told_to_who_started_without_a_recorder)
{
	struct recorder_process recorder;
	struct ttlog_death death = {.size = sizeof(death)};
	int go[2], status;
	char byte = 0;
	pid_t pid;

	cr_assert_eq(pipe2(go, O_CLOEXEC), 0);
	pid = fork_child();
	if (!pid) {
		if (ttlog_init("orders") || ttlog_last_death(&death) != -ENOTCONN)
			_exit(1);
		if (read(go[0], &byte, 1) != 1)
			_exit(2);
		_exit(ttlog_last_death(&death) ? 3 : death.exit_code);
	}
	start_recorder(&recorder, NONE);
	live_once(leave_with_3);
	cr_assert_eq(write(go[1], &byte, 1), 1);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFEXITED(status));
	cr_assert_eq(WEXITSTATUS(status), 3);
	close(go[0]);
	close(go[1]);
	stop_recorder(&recorder);
}

static struct ttlog_last_death_request question(const char *service)
{
	struct ttlog_last_death_request request = {
		.head = head_by_hand(TTLOG_MESSAGE_LAST_DEATH, sizeof(request))};

	strncpy(request.service, service, sizeof(request.service) - 1);
	return request;
}

/* One question a connection; who says more, or says it late, is hung up on. */
Test(last_death, is_asked_for_once_and_as_the_first_thing)
{
	const struct ttlog_last_death_request request = question("orders");
	const struct ttlog_hello hello = hello_by_hand("orders");
	struct ttlog_death_answer answer;
	struct ttlog_welcome welcome;
	struct recorder_process recorder;
	unsigned int before;
	int fd, fds[2];

	start_recorder(&recorder, NONE);
	live_once(leave_with_3);
	before = count_fds(recorder.pid);
	fd = peer_connect(recorder_socket);
	cr_assert_eq(send(fd, &request, sizeof(request), 0), (ssize_t)sizeof(request));
	cr_assert_eq(recv(fd, &answer, sizeof(answer), 0), (ssize_t)sizeof(answer));
	cr_assert_eq(answer.status, 0);
	cr_assert_eq(answer.exit_code, 3);
	cr_assert_eq(recv(fd, &answer, sizeof(answer), 0), 0, "it hangs up");
	close(fd);

	fd = peer_connect(recorder_socket);
	cr_assert_eq(send(fd, &hello, sizeof(hello), 0), (ssize_t)sizeof(hello));
	cr_assert_eq(receive_welcome(fd, &welcome, fds), (ssize_t)sizeof(welcome));
	close(fds[0]);
	if (fds[1] >= 0)
		close(fds[1]);
	cr_assert_eq(send(fd, &request, sizeof(request), 0), (ssize_t)sizeof(request));
	cr_assert_leq(recv(fd, &answer, sizeof(answer), 0), 0, "it is a client already");
	close(fd);

	/* A descriptor that comes with it is not kept. */
	for (int i = 0; i < 20; i++) {
		fd = peer_connect(recorder_socket);
		fds[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
		cr_assert_eq(send_with_fds(fd, &request, sizeof(request), fds, 1),
			     (ssize_t)sizeof(request));
		cr_assert_eq(recv(fd, &answer, sizeof(answer), 0), (ssize_t)sizeof(answer));
		cr_assert_eq(recv(fd, &answer, sizeof(answer), 0), 0);
		close(fds[0]);
		close(fd);
	}
	/* We are its client still: our pidfd, our region's sign, the watch of us. */
	cr_assert_leq(count_fds(recorder.pid), before + 6);
	stop_recorder(&recorder);
}

/* Nobody has reaped it yet, so the pidfd alone says that it is dead, and nobody what of. */
Test(last_death, is_waited_for_while_the_recorder_makes_sure_of_it)
{
	struct recorder_process recorder;
	struct service service;
	struct told told;
	siginfo_t info;

	start_recorder(&recorder, (const char *[]){"--no-bpf", NULL});
	start_service(&service, leave_with_3);
	cr_assert_eq(waitid(P_PID, (id_t)service.pid, &info, WEXITED | WNOWAIT), 0);
	told = ask_as("orders", 0);
	cr_assert_eq(told.error, 0, "%s", strerror(-told.error));
	cr_assert_eq(told.death.pid, service.pid);
	reap(&service);
	stop_recorder(&recorder);
}

/* Its end is not known for a moment after it is dead: on that rung the pidfd gets its time. */
Test(last_death, is_waited_for_when_it_is_just_becoming_known)
{
	check_all("--no-bpf");
}
