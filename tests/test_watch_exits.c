// SPDX-License-Identifier: MIT
/*
 * Exits, execs, who is a client and who is not.
 */
#include "tests/watch_client.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

TestSuite(watch_exits, .init = open_watch, .fini = close_watch, .timeout = 120);

static void start_thread(void *(*what)(void *))
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, what, NULL))
		_exit(96);
}

static void *sleep_for_ever(void *unused)
{
	(void)unused;
	for (;;)
		pause();
	return NULL;
}

/* ---- exits ------------------------------------------------------------------------------------ */

static void exit_with_seven(void)
{
	_exit(7);
}

static void exit_while_others_run(void)
{
	for (int i = 0; i < 4; i++)
		start_thread(sleep_for_ever);
	_exit(3);
}

static void *exit_from_a_thread(void *unused)
{
	(void)unused;
	_exit(4);
}

static void let_a_thread_exit(void)
{
	start_thread(exit_from_a_thread);
	sleep_for_ever(NULL);
}

/* A leader that has left is a zombie until its group is dead. */
static void wait_for_the_leader_to_leave(void)
{
	char path[64], line[256], state = 0;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", getpid());
	while (state != 'Z') {
		FILE *file = fopen(path, "r");

		if (!file || !fgets(line, sizeof(line), file))
			_exit(95);
		fclose(file);
		state = strrchr(line, ')')[2];
	}
}

static void *exit_after_the_leader(void *unused)
{
	(void)unused;
	wait_for_the_leader_to_leave();
	_exit(5);
}

static void leave_first(void)
{
	start_thread(exit_after_the_leader);
	pthread_exit(NULL);
}

/* Nobody calls exit_group(): one thread after the other ends by itself. */
static void *end_after_the_leader(void *unused)
{
	(void)unused;
	wait_for_the_leader_to_leave();
	syscall(SYS_exit, 6);
	return NULL;
}

static void end_first(void)
{
	start_thread(end_after_the_leader);
	syscall(SYS_exit, 2);
}

static void *race_to_the_end(void *unused)
{
	(void)unused;
	syscall(SYS_exit, 0);
	return NULL;
}

static void end_all_at_once(void)
{
	for (int i = 0; i < 32; i++)
		start_thread(race_to_the_end);
	syscall(SYS_exit, 0);
}

static void *nothing(void *unused)
{
	return unused;
}

static void join_threads_and_exit(void)
{
	for (int i = 0; i < 8; i++) {
		pthread_t thread;

		if (pthread_create(&thread, NULL, nothing, NULL) || pthread_join(thread, NULL))
			_exit(96);
	}
	_exit(0);
}

static void check_exit(void (*life)(void), int code)
{
	const struct ttlog_bpf_event *death;
	struct client client;
	int status;

	seen.count = 0;
	start(&client, life);
	status = reap(&client);
	cr_assert(WIFEXITED(status));
	if (code >= 0)
		cr_assert_eq(WEXITSTATUS(status), code);
	death = check_death(&client, status);
	cr_assert_eq(death->flags, TTLOG_BPF_FROZE | TTLOG_BPF_MORE);
	cr_assert_eq(death->signal, 0);
	cr_assert_eq(seen.count, 1, "an exit is one event, not %u", seen.count);
	finish(&client);
}

Test(watch_exits, tells_the_code_of_an_exit)
{
	check_exit(exit_with_seven, 7);
}

Test(watch_exits, tells_of_one_death_when_main_exits_while_threads_run)
{
	check_exit(exit_while_others_run, 3);
}

Test(watch_exits, tells_of_one_death_when_a_thread_exits_for_all)
{
	check_exit(let_a_thread_exit, 4);
}

Test(watch_exits, waits_for_the_last_thread_when_the_leader_left)
{
	check_exit(leave_first, 5);
}

/* wait() says which of the two codes counts; it was the leader's once, now it is the last one's. */
Test(watch_exits, agrees_with_wait_when_threads_end_one_by_one)
{
	check_exit(end_first, -1);
}

Test(watch_exits, tells_of_one_death_when_threads_race_to_the_end)
{
	for (int i = 0; i < 50; i++)
		check_exit(end_all_at_once, 0);
}

Test(watch_exits, says_nothing_of_threads_that_come_and_go)
{
	check_exit(join_threads_and_exit, 0);
}

/* ---- exec ------------------------------------------------------------------------------------- */

static void become_another_program(void)
{
	execl("/bin/sh", "sh", "-c", "exit 9", (char *)NULL);
}

static void *exec_from_a_thread(void *unused)
{
	become_another_program();
	return unused;
}

static void become_another_program_in_a_thread(void)
{
	start_thread(sleep_for_ever);
	start_thread(exec_from_a_thread);
	sleep_for_ever(NULL);
}

static void leave_and_become_another_program(void)
{
	start_thread(sleep_for_ever);
	start_thread(exec_from_a_thread);
	pthread_exit(NULL);
}

static void check_exec(void (*life)(void))
{
	const struct ttlog_bpf_event *exec;
	struct client client;
	int status;

	start(&client, life);
	status = reap(&client);
	cr_assert_eq(WEXITSTATUS(status), 9);
	exec = only(TTLOG_BPF_EXEC);
	cr_assert_eq(exec->client_id, client.id);
	cr_assert_eq(exec->target.pid, (uint32_t)client.pid);
	cr_assert_eq(exec->target.tid, (uint32_t)client.pid);
	cr_assert_str_eq(exec->target.comm, "sh");
	cr_assert_eq(exec, &seen.event[0]);
	check_death(&client, status);
	cr_assert_eq(seen.count, 2, "killing the siblings is no death");
	finish(&client);
}

Test(watch_exits, tells_of_an_exec_by_the_main_thread)
{
	check_exec(become_another_program);
}

Test(watch_exits, follows_an_exec_by_another_thread)
{
	check_exec(become_another_program_in_a_thread);
}

Test(watch_exits, follows_an_exec_after_the_leader_left)
{
	check_exec(leave_and_become_another_program);
}

/* More than the ring buffer takes: 176 bytes each, of a mebibyte. */
#define EXECS 6200

static void exec_many_times(void)
{
	const char *script = "[ $1 -gt 1 ] && exec /bin/sh -c \"$0\" \"$0\" $(($1 - 1)); exit 0";
	char count[16];

	snprintf(count, sizeof(count), "%d", EXECS);
	execl("/bin/sh", "sh", "-c", script, script, count, (char *)NULL);
}

Test(watch_exits, counts_what_the_ring_buffer_could_not_take, .timeout = 200)
{
	struct client client;
	int status, got;

	start(&client, exec_many_times);
	cr_assert_eq(waitpid(client.pid, &status, 0), client.pid);
	cr_assert_eq(status, 0);
	cr_assert_gt(watch_lost(watch), 0);
	got = watch_dispatch(watch);
	cr_assert_gt(got, 5000);
	cr_assert_eq((uint64_t)got + watch_lost(watch), EXECS + 1, "%d and %lu", got,
		     watch_lost(watch));
	finish(&client);
}

/* ---- clients ---------------------------------------------------------------------------------- */

static void live_on(void)
{
	sleep_for_ever(NULL);
}

static void die_at_once(void)
{
	raise(SIGKILL);
}

Test(watch_exits, says_nothing_of_a_process_that_is_no_client)
{
	struct client client = {0};

	spawn(&client, die_at_once);
	let_go(&client);
	reap(&client);
	finish(&client);
	spawn(&client, become_another_program);
	let_go(&client);
	reap(&client);
	cr_assert_eq(seen.count, 0);
	finish(&client);
}

static void lose_a_child(void)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		abort();
	if (waitpid(pid, &status, 0) != pid)
		_exit(95);
	_exit(8);
}

Test(watch_exits, does_not_take_a_child_for_the_client)
{
	check_exit(lose_a_child, 8);
}

Test(watch_exits, refuses_the_dead)
{
	struct client client;
	int fd = -1;

	spawn(&client, die_at_once);
	let_go(&client);
	cr_assert_eq(poll(&(struct pollfd){.fd = client.pidfd, .events = POLLIN}, 1, -1), 1);
	cr_assert_eq(watch_add(watch, client.pidfd, 1, NULL, 0, &fd), -ESRCH, "a zombie");
	reap(&client);
	cr_assert_eq(watch_add(watch, client.pidfd, 1, NULL, 0, &fd), -ESRCH, "reaped");
	cr_assert_eq(watch_add(watch, -1, 1, NULL, 0, &fd), -EBADF);
	cr_assert_eq(fd, -1);
	watch_remove(watch, client.pidfd, 1);
	finish(&client);
}

Test(watch_exits, forgets_who_was_removed)
{
	struct client client;

	spawn(&client, die_at_once);
	enrol(&client, 5);
	watch_remove(watch, client.pidfd, 5);
	let_go(&client);
	reap(&client);
	cr_assert_eq(seen.count, 0);
	finish(&client);
}

Test(watch_exits, gives_a_client_that_comes_again_its_new_id)
{
	struct client client, again;

	spawn(&client, exit_with_seven);
	enrol(&client, 5);
	again = client;
	enrol(&again, 6);
	watch_remove(watch, client.pidfd, 5);
	let_go(&client);
	check_death(&again, reap(&client));
	cr_assert_eq(seen.count, 1);
	cr_assert_eq(client.control->freeze, 40, "that page is nobody's now");
	close(client.control_fd);
	munmap((void *)(uintptr_t)client.control, sizeof(*client.control));
	again.go = -1;
	finish(&again);
}

Test(watch_exits, tells_clients_apart)
{
	enum { COUNT = 20 };
	static struct client client[COUNT];

	for (int i = 0; i < COUNT; i++) {
		spawn(&client[i], i % 2 ? live_on : exit_with_seven);
		enrol(&client[i], (uint64_t)i + 1);
	}
	for (int i = 0; i < COUNT; i += 2) {
		let_go(&client[i]);
		reap(&client[i]);
	}
	cr_assert_eq(seen.count, COUNT / 2);
	for (int i = 0; i < COUNT; i++)
		cr_assert_eq(client[i].control->freeze, i % 2 ? 40 : 41);
	for (int i = 0; i < COUNT; i++) {
		if (i % 2) {
			kill(client[i].pid, SIGKILL);
			reap(&client[i]);
		}
		finish(&client[i]);
	}
}

/* ---- an init of its own ----------------------------------------------------------------------- */

static void be_the_init_of_a_namespace(void)
{
	sigset_t set;

	raise(SIGTERM);
	raise(SIGSEGV);
	/* What is blocked is not ignored yet; it is when it is taken. */
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	raise(SIGTERM);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	_exit(getpid() == 1 ? 11 : 12);
}

Test(watch_exits, does_not_freeze_an_init_that_no_signal_can_kill)
{
	struct client client;
	int own = open("/proc/self/ns/pid_for_children", O_RDONLY | O_CLOEXEC), status;

	cr_assert_geq(own, 0);
	cr_assert_eq(unshare(CLONE_NEWPID), 0);
	spawn(&client, be_the_init_of_a_namespace);
	cr_assert_eq(setns(own, CLONE_NEWPID), 0);
	close(own);
	enrol(&client, 7);
	let_go(&client);
	status = reap(&client);
	cr_assert_eq(WEXITSTATUS(status), 11);
	cr_assert(check_death(&client, status)->flags & TTLOG_BPF_FROZE);
	cr_assert_eq(only(TTLOG_BPF_SIGNAL)->flags & (TTLOG_BPF_FATAL | TTLOG_BPF_HANDLED), 0);
	cr_assert_eq(seen.count, 2);
	finish(&client);
}
